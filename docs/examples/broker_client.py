"""One value from a credstore broker, with Python's standard library: python3 broker_client.py SOCKET IDENTIFIER"""

import http.client
import json
import socket
import sys
import urllib.parse


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=100)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def secret(path, identifier):
    connection = Connection(path)
    try:
        connection.request("GET", "/v1/secrets/" + urllib.parse.quote(identifier, safe=""))
        answer = connection.getresponse()
        found = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise LookupError(f"{found['error']['code']}: {found['error']['message']}")
    return found


if __name__ == "__main__":
    try:
        sys.stdout.write(secret(sys.argv[1], sys.argv[2])["value"])
    except LookupError as error:
        sys.exit(str(error))
