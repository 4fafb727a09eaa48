"""Runs every console session of the documents and compares its output, so that the document shows what really happens.

A session is a fenced block `console`. Lines that begin with `$ ` are run by a shell, in one temporary folder for the whole
document, with a data folder of its own; what they print, on both outputs, must be what the block says. Identifiers, times and
dates differ from run to run and are compared by their form. `documents.py --write` puts the real output into the
document instead.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from checks import Checks
from installation import COMMAND_LIMIT, ROOT, binary

DOCUMENTS = ("README.md", "docs/renew-certificate.md", "docs/encrypted-file.md")

SESSION = re.compile(r"^```console\n(.*?)^```\n", re.DOTALL | re.MULTILINE)

CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "GUID"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "VERSION"),
    (re.compile(r"\b[0-9a-f]{6}…"), "VERSION…"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "TIME"),
    (re.compile(r"\b\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}\b"), "DATE"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"), "TIMESTAMP"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2}\b"), "DAY"),
    (re.compile(r"\b[0-9A-F]{40}\b"), "THUMBPRINT"),
    # Columns move with what stands before them.
    (re.compile(r" {2,}"), "  "),
)


def by_form(text: str) -> str:
    """The text with everything that changes from run to run replaced by its kind."""
    for pattern, kind in CHANGING:
        text = pattern.sub(kind, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Folder:
    """Where the sessions of one document run."""

    def __init__(self, path: pathlib.Path):
        programs = path / ".bin"
        programs.mkdir()
        (programs / "credstore").symlink_to(binary().resolve())
        self.path = path
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CREDSTORE_")}
        self.environment = {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CREDSTORE_DATA_DIR": str(path / "vault"),
            "NO_COLOR": "1",
        }

    def output_of(self, command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_LIMIT,
        )
        return done.stdout.decode().replace(str(self.path), ".")


def commands_of(session: str) -> list[str]:
    """The commands of a session; a line that ends in a backslash goes on in the next."""
    lines = session.replace("\\\n", "\0").splitlines()
    return [line.removeprefix("$ ").replace("\0", "\\\n") for line in lines if line.startswith("$ ")]


def played(session: str, folder: Folder) -> str:
    """The session as it really goes."""
    parts = []
    for command in commands_of(session):
        output = folder.output_of(command).rstrip()
        parts.append(f"$ {command}\n{output}\n" if output else f"$ {command}\n")
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def main() -> int:
    checks = Checks()
    for name in DOCUMENTS:
        document = ROOT / name
        with tempfile.TemporaryDirectory(prefix="credstore-documents-") as path:
            folder = Folder(pathlib.Path(path))
            if sys.argv[1:] == ["--write"]:
                text = SESSION.sub(lambda found: f"```console\n{played(found[1], folder)}```\n", document.read_text())
                document.write_text(text)
                continue
            for session in SESSION.findall(document.read_text()):
                checks.run(named(f"{name}: {commands_of(session)[0]}", session, folder))
    return 0 if sys.argv[1:] == ["--write"] else checks.finish()


def named(name: str, session: str, folder: Folder):
    """A check that plays one session."""

    def check() -> None:
        real, written = by_form(played(session, folder)), by_form(session)
        assert real == written, f"what happens:\n{real}\n\nwhat is written:\n{written}"

    check.__name__ = name
    return check


if __name__ == "__main__":
    sys.exit(main())
