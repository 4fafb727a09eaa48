"""`az` with a folder of its own for its state, at one installation. Standard library only.

Nothing but this machine is asked: telemetry, surveys, extensions and the check for known authorities are off.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from installation import CommandFailed, Installation  # noqa: E402

COMMAND_LIMIT = 120.0
"""Seconds that one command may take. About one, most of it Python's start; a loaded machine is slower."""

CLOUD = "Local"


class Az:
    """Signed in at `here` with the certificate of `client_id` (PEM with its key)."""

    def __init__(self, here: Installation, client_id: str, pem: pathlib.Path, name: str):
        self.here, self.client_id, self.pem = here, client_id, pem
        self.program = os.environ.get("CREDSTORE_TEST_AZ", "az")
        kept = ("PATH", "LANG", "LC_ALL", "CREDSTORE_TEST_HOSTS")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in kept},
            "HOME": str(here.folder),
            "AZURE_CONFIG_DIR": str(here.folder / f"az-{name}"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_SURVEY_MESSAGE": "no",
            "AZURE_CORE_NO_COLOR": "yes",
            "AZURE_CORE_INSTANCE_DISCOVERY": "no",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
            "AZURE_CORE_ENCRYPT_TOKEN_CACHE": "no",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "REQUESTS_CA_BUNDLE": str(here.ca_file),
        }

    def run(self, *arguments: str, exit_code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Runs `az`; another exit code than `exit_code` is an error (None: any is fine)."""
        done = subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_LIMIT,
            env=self.environment,
            cwd=self.here.folder,
        )
        if exit_code is not None and done.returncode != exit_code:
            raise CommandFailed(
                f"az {' '.join(arguments)}: exit {done.returncode}, expected {exit_code}\n{done.stdout}{done.stderr}"
            )
        return done

    def __call__(self, *arguments: str):
        """The JSON that a command prints; None when it prints nothing."""
        text = self.run(*arguments, "--output", "json").stdout
        return json.loads(text) if text.strip() else None

    def refused(self, *arguments: str) -> str:
        """What a command that must not succeed says."""
        done = self.run(*arguments, exit_code=None)
        assert done.returncode != 0, f"az {' '.join(arguments)} was done:\n{done.stdout}"
        return done.stderr

    def sign_in(self, *more: str) -> None:
        """Registers the installation as a cloud, uses it, and signs in."""
        arm = f"https://management.localhost:{self.here.port}"
        self.run("cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", arm)
        self.run("cloud", "set", "--name", CLOUD)
        self.run(
            *("login", "--service-principal", "--username", self.client_id, "--certificate", str(self.pem)),
            *("--tenant", self.here.tenant, *more),
        )


def operator(here: Installation) -> Az:
    """The administrator: the built-in app, with the key that lies in the data folder."""
    query = "[?displayName=='credstore-operator'].appId | [0]"
    az = Az(here, here.text("app", "list", "--query", query, "-o", "tsv"), here.data / "operator.pem", "operator")
    az.sign_in()
    return az
