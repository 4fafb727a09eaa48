"""A data folder of its own with a running `credstore serve`, for tests.

Standard library only. Everything is done through the command line, as a person would: `serve`, `vault create`,
`app create` and so on. The server listens on a free port of 127.0.0.1 and is stopped by its own process.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence

START_LIMIT = 30.0
"""Seconds that `serve` may take until its ready file appears. The aim is 15 ms; a loaded machine is slower."""

COMMAND_LIMIT = 60.0
"""Seconds that any other command may take."""

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binary() -> pathlib.Path:
    """The program under test: CREDSTORE_BINARY, or the debug build."""
    named = os.environ.get("CREDSTORE_BINARY")
    if named:
        return pathlib.Path(named)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / "credstore"


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class CommandFailed(AssertionError):
    """A command ended with another exit code than the test expects."""


class Installation:
    """A data folder, its server, and commands that use them."""

    def __init__(self, folder: pathlib.Path | None = None):
        self._own_folder = folder is None
        self.folder = folder or pathlib.Path(tempfile.mkdtemp(prefix="credstore-test-"))
        self.data = self.folder / "vault"
        self.log = self.folder / "serve.log"
        self.port = free_port()
        self._server: subprocess.Popen | None = None

    # ---- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Installation":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """Starts `serve` and waits for its ready file."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(
                [
                    *(str(binary()), "serve", "--listen", f"127.0.0.1:{self.port}"),
                    *("--data-dir", str(self.data), "--ready-file", str(ready), *arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        deadline = time.monotonic() + START_LIMIT
        while not ready.exists():
            if self._server.poll() is not None:
                raise CommandFailed(f"serve ended with {self._server.returncode}:\n{self.log.read_text()}")
            if time.monotonic() > deadline:
                self.stop()
                raise CommandFailed(f"serve was not ready in {START_LIMIT} s:\n{self.log.read_text()}")
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        """The server's process number."""
        assert self._server is not None
        return self._server.pid

    def stop(self) -> None:
        """Ends the server as an administrator would, with SIGTERM."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(START_LIMIT)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
            raise CommandFailed("serve did not end on SIGTERM") from None
        finally:
            self._server = None

    # ---- commands -------------------------------------------------------------------------------------------------

    def run(
        self,
        *arguments: str,
        stdin: str | bytes = b"",
        exit_code: int | None = 0,
        environment: dict[str, str] | None = None,
        cwd: pathlib.Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs one command on this data folder; another exit code than `exit_code` is an error (None: any is fine)."""
        done = subprocess.run(
            [str(binary()), "--data-dir", str(self.data), *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=COMMAND_LIMIT,
            env={**os.environ, **(environment or {})},
            cwd=cwd or self.folder,
        )
        if exit_code is not None and done.returncode != exit_code:
            raise CommandFailed(
                f"credstore {' '.join(arguments)}: exit {done.returncode}, expected {exit_code}\n"
                f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}"
            )
        return done

    def text(self, *arguments: str, **options) -> str:
        """Standard output of a command, without the final newline."""
        return self.run(*arguments, **options).stdout.decode().rstrip("\n")

    def json(self, *arguments: str, **options):
        """Standard output of a command with `-o json`."""
        return json.loads(self.run(*arguments, "-o", "json", **options).stdout)

    # ---- the five steps -------------------------------------------------------------------------------------------

    def create_vault(self, name: str) -> None:
        """Step 1."""
        self.run("vault", "create", "--name", name)

    def create_certificate(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        """Step 2, with our own generator: the key with its certificate, and the public part."""
        key, public = self.folder / f"{name}.pem", self.folder / f"{name}.cer"
        self.run("cert", "new", "--out", str(key))
        self.run("cert", "export-public", str(key), "--out", str(public))
        return key, public

    def create_certificate_with_openssl(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        """Step 2 with the commands of the set-up guide, answered with Enter as it says."""
        work = self.folder / f"{name}-openssl"
        work.mkdir()
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "365", "-newkey", "rsa:2048"),
                *("-keyout", "my-certificate.pem", "-out", "my-certificate.pem"),
            ],
            input=b"\n" * 7,
            cwd=work,
            check=True,
            capture_output=True,
        )
        subprocess.run(
            ["openssl", "x509", "-outform", "der", "-in", "my-certificate.pem", "-out", "azure-cert.cer"],
            cwd=work,
            check=True,
            capture_output=True,
        )
        (work / "my-certificate.pem").chmod(0o600)
        return work / "my-certificate.pem", work / "azure-cert.cer"

    def create_app(self, name: str, public: pathlib.Path | None) -> str:
        """Step 3, and the public key of step 4; answers the client ID."""
        client_id = self.text("app", "create", "--display-name", name, "--query", "appId", "-o", "tsv")
        if public is not None:
            self.run("app", "credential", "add", "--id", client_id, "--cert", str(public))
        return client_id

    def grant(
        self,
        vault: str,
        client_id: str,
        *permissions: str,
        keys: Sequence[str] = (),
        certificates: Sequence[str] = (),
    ) -> None:
        """The permission of step 4, and permissions on keys and certificates."""
        self.run(
            *("vault", "access-policy", "set", "--name", vault, "--spn", client_id),
            *(("--secret-permissions", *permissions) if permissions else ()),
            *(("--key-permissions", *keys) if keys else ()),
            *(("--certificate-permissions", *certificates) if certificates else ()),
        )

    def set_secret(self, vault: str, name: str, value: str) -> None:
        """The secret of step 4, through standard input."""
        self.run("vault", "secret", "set", "--vault-name", vault, "--name", name, "--stdin", stdin=value)

    # ---- what clients need ----------------------------------------------------------------------------------------

    @property
    def tenant(self) -> str:
        """The directory's tenant ID."""
        return self.json("directory", "show")["tenantId"]

    @property
    def authority(self) -> str:
        """The authority host, as SDKs take it."""
        return f"https://login.localhost:{self.port}"

    @property
    def ca_file(self) -> pathlib.Path:
        """The public certificate of the installation's own authority."""
        return self.data / "ca.pem"

    def vault_url(self, name: str) -> str:
        """The data plane's address of a vault."""
        return f"https://{name}.vault.localhost:{self.port}"

    def write_settings(self, vault: str, tenant: str, client_id: str, key: pathlib.Path) -> pathlib.Path:
        """Server Settings that sign in as one app; answers the file."""
        entry = {
            "Type": "AzureKeyVault",
            "TenantId": tenant,
            "ClientId": client_id,
            "VaultName": vault,
            "CertificateFile": str(key),
            "AuthorityHost": self.authority,
            "VaultDnsSuffix": f"vault.localhost:{self.port}",
            "CaFile": str(self.ca_file),
        }
        file = self.folder / f"settings-of-{client_id}.json"
        file.write_text(json.dumps({"CredentialStore": entry}, indent=2))
        return file

    def make_names_known(self) -> None:
        """Writes the lines of `directory hosts` into the namespace's own hosts file (testing/private-hosts)."""
        hosts = os.environ.get("CREDSTORE_TEST_HOSTS")
        if not hosts:
            raise RuntimeError("run this below testing/private-hosts: other clients do not resolve *.localhost")
        lines = self.text("directory", "hosts")
        with open(hosts, "a", encoding="utf-8") as file:
            file.write(f"\n{lines}\n")


@contextlib.contextmanager
def installation_with_vault(vault: str = "acme-pm-kv"):
    """An installation whose server runs and which has one vault."""
    with Installation() as here:
        here.create_vault(vault)
        yield here
