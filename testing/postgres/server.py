"""A real PostgreSQL in a temporary folder, as a user that is not root, stopped by its own process."""

from __future__ import annotations

import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from installation import free_port  # noqa: E402

START_LIMIT = 60.0
"""Seconds until the server must answer."""


def binaries() -> pathlib.Path:
    """Where Debian puts the newest version's programs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        raise SystemExit("PostgreSQL is not installed: ./test system installs it")
    return found[-1].parent


class Postgres:
    """A cluster that asks every role for its password, also on its Unix socket."""

    def __init__(self):
        self.port = free_port()
        self._programs = binaries()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="credstore-postgres-"))
        self._admin_password = secrets.token_hex(16)
        self._server: subprocess.Popen | None = None
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
        if os.geteuid() == 0:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)

    def _as_user(self, *command: object) -> list[str]:
        words = [str(word) for word in command]
        if os.geteuid() != 0:
            return words
        uid, gid = self._user.pw_uid, self._user.pw_gid
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *words]

    def __enter__(self) -> "Postgres":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        password_file = self.folder / "admin-password"
        password_file.touch(mode=0o600)
        os.chown(password_file, self._user.pw_uid, self._user.pw_gid)
        password_file.write_text(self._admin_password)
        cluster = self.folder / "cluster"
        subprocess.run(
            self._as_user(
                *(self._programs / "initdb", "--pgdata", cluster, "--username=admin", f"--pwfile={password_file}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ),
            check=True,
            capture_output=True,
            cwd=self.folder,
        )
        with open(self.folder / "server.log", "ab") as log:
            self._server = subprocess.Popen(
                self._as_user(
                    *(self._programs / "postgres", "-D", cluster, "-k", self.folder, "-p", self.port),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ),
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_LIMIT
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready).returncode != 0:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"PostgreSQL does not answer:\n{(self.folder / 'server.log').read_text()}")
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            # SIGINT is PostgreSQL's "fast shutdown": open sessions are ended.
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(START_LIMIT)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_role(self, name: str, password: str) -> None:
        """A role that may log in. The statement goes through a pipe, with the quote doubled as SQL wants it."""
        literal = password.replace("'", "''")
        subprocess.run(
            ["psql", *self.address("admin"), "-q", "-v", "ON_ERROR_STOP=1"],
            input=f"CREATE ROLE {name} LOGIN PASSWORD '{literal}';\n".encode(),
            env={**os.environ, "PGPASSWORD": self._admin_password, "PGCLIENTENCODING": "UTF8"},
            check=True,
            capture_output=True,
        )

    def address(self, role: str, host: str = "127.0.0.1") -> list[str]:
        """Arguments of psql: this server, this role."""
        return ["-h", host, "-p", str(self.port), "-U", role, "-d", "postgres", "-X", "-A", "-t"]
