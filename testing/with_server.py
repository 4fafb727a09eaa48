"""Runs a command with an installation around it: with_server.py -- COMMAND...

The command gets a vault, an app with every permission on secrets, keys and certificates and one with Get only, each with its certificate, through
variables that start with CREDSTORE_TEST_. Secrets of the tests are made up here and guard nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys

from installation import binary, installation_with_vault

VAULT = "acme-pm-kv"
READABLE = "SqlServerP2P"


def main() -> int:
    if sys.argv[1:2] != ["--"] or len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    with installation_with_vault(VAULT) as here:
        owner_key, owner_public = here.create_certificate("owner")
        reader_key, reader_public = here.create_certificate_with_openssl("reader")
        stranger_key, _ = here.create_certificate("stranger")
        owner, reader = here.create_app("owner", owner_public), here.create_app("process-mining", reader_public)
        here.grant(VAULT, owner, "all", keys=["all"], certificates=["all"])
        here.grant(VAULT, reader, "get")
        here.set_secret(VAULT, READABLE, "read by name, never written down")
        here.make_names_known()
        environment = {
            "CREDSTORE_TEST_TENANT": here.tenant,
            "CREDSTORE_TEST_AUTHORITY": here.authority,
            "CREDSTORE_TEST_CA": str(here.ca_file),
            "CREDSTORE_TEST_VAULT_URL": here.vault_url(VAULT),
            "CREDSTORE_TEST_OWNER": owner,
            "CREDSTORE_TEST_OWNER_KEY": str(owner_key),
            "CREDSTORE_TEST_READER": reader,
            "CREDSTORE_TEST_READER_KEY": str(reader_key),
            "CREDSTORE_TEST_STRANGER_KEY": str(stranger_key),
            "CREDSTORE_TEST_READABLE": READABLE,
            "CREDSTORE_TEST_BINARY": str(binary()),
            "CREDSTORE_TEST_DATA": str(here.data),
            "CREDSTORE_TEST_SETTINGS": str(here.write_settings(VAULT, here.tenant, reader, reader_key)),
            # Node reads this one before the program starts.
            "NODE_EXTRA_CA_CERTS": str(here.ca_file),
        }
        return subprocess.run(sys.argv[2:], env={**os.environ, **environment}).returncode


if __name__ == "__main__":
    sys.exit(main())
