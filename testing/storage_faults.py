#!/usr/bin/env python3
"""What a failing or full disk does to a store, with the system's own calls.

`store_writer` prints `ACK n` once number n is durable, `store_dump` opens the store and prints every number it finds
(crates/credstore-testing). Here the writer runs below strace, which lets a chosen call report an error or ends the
process in front of it, and on a file system that is really full. Whatever happens, every acknowledged number must be
there afterwards. Needs root for the full file system; without it that part is skipped and says so.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from checks import Checks
from installation import COMMAND_LIMIT, binary

INSIDE = "CREDSTORE_TEST_NAMESPACE"
"""Set in the mount namespace of this program's own."""

LIFE_LIMIT = 120.0
"""Seconds that a writer below strace may take until it ends by itself."""


class Life:
    """What one life of the writer left: its acknowledgements and its last words."""

    def __init__(self, output: bytes, words: bytes, exit_code: int):
        lines = [line for line in output.decode().splitlines(keepends=True) if line.endswith("\n")]
        self.acknowledged = {int(line.split()[1]) for line in lines if line.startswith("ACK ")}
        self.words = words.decode(errors="replace")
        self.exit_code = exit_code


class Store:
    """A data folder of numbers that goes with the test."""

    def __init__(self, folder: pathlib.Path):
        self.data = folder / "vault"
        self.log = self.data / "store.db-wal"
        self.file = self.data / "store.db"
        self.trace = folder / "trace"
        self.acknowledged: set[int] = set()

    def write(self, at_least: int) -> None:
        """A life without faults: killed when so many numbers are acknowledged."""
        writer = subprocess.Popen(
            [binary().with_name("store_writer"), "--dir", self.data], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        seen = b"".join(writer.stdout.readline() for _ in range(at_least))
        writer.kill()
        rest, words = writer.communicate(timeout=COMMAND_LIMIT)
        life = Life(seen + rest, words, writer.returncode)
        assert len(life.acknowledged) >= at_least, life.words
        self.acknowledged |= life.acknowledged

    def write_until_it_fails(self, *below: str | pathlib.Path) -> Life:
        """A life that ends by itself, `below` another program."""
        done = subprocess.run(
            [*below, binary().with_name("store_writer"), "--dir", self.data], capture_output=True, timeout=LIFE_LIMIT
        )
        life = Life(done.stdout, done.stderr, done.returncode)
        self.acknowledged |= life.acknowledged
        return life

    def fault(self, call: str, path: pathlib.Path, when: str, outcome: str = "error=EIO") -> list[str | pathlib.Path]:
        """strace, letting `call` on `path` end with `outcome`, counted from `when`."""
        # SQLite takes whichever of the two the system has.
        call = "fsync,fdatasync" if call == "sync" else call
        return [
            *("strace", "-f", "-qq", "-o", self.trace, "-P", path, "-e", f"trace={call}"),
            *("-e", f"inject={call}:{outcome}:when={when}"),
        ]

    def numbers(self) -> set[int]:
        """Every number in the store, each opened and checked."""
        done = subprocess.run(
            [binary().with_name("store_dump"), "--dir", self.data], capture_output=True, timeout=COMMAND_LIMIT
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return {int(line) for line in done.stdout.split()}

    def assert_nothing_lost(self) -> None:
        """Every number that was ever acknowledged is there."""
        lost = self.acknowledged - self.numbers()
        assert not lost, f"acknowledged and lost: {sorted(lost)}"


@contextlib.contextmanager
def store():
    """A store with a few numbers in it, made without faults."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="credstore-faults-"))
    try:
        made = Store(folder)
        made.write(5)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- errors of the disk ---------------------------------------------------------------------------------------------


def a_sync_of_the_log_that_fails_stops_the_writes_and_loses_nothing() -> None:
    for when in ("1", "2", "9", "1+"):
        with store() as here:
            life = here.write_until_it_fails(*here.fault("sync", here.log, when))
            assert life.exit_code == 1 and "disk I/O error" in life.words, life.words
            assert "EIO" in here.trace.read_text(), "the fault did not happen"
            assert here.log.stat().st_size > 0, "the log was removed after a failed sync"
            here.assert_nothing_lost()
            here.write(5)
            here.assert_nothing_lost()


def a_write_to_the_log_that_fails_stops_the_writes_and_loses_nothing() -> None:
    for when in ("1", "2", "30", "1+"):
        with store() as here:
            life = here.write_until_it_fails(*here.fault("pwrite64", here.log, when))
            assert life.exit_code == 1 and "disk I/O error" in life.words, life.words
            assert "EIO" in here.trace.read_text(), "the fault did not happen"
            here.assert_nothing_lost()
            here.write(5)
            here.assert_nothing_lost()


def a_sync_or_write_of_the_file_that_fails_keeps_the_log() -> None:
    # The file is written and synced at a checkpoint only, about every five hundred numbers and at the end.
    for call in ("sync", "pwrite64"):
        with store() as here:
            life = here.write_until_it_fails(*here.fault(call, here.file, "1"))
            assert life.exit_code == 1 and "ReadOnly" in life.words, life.words
            assert here.trace.read_text().count("EIO") == 1, "the fault happens once: later calls report success"
            assert here.log.stat().st_size > 0, "the log was removed on the word of a later sync"
            here.assert_nothing_lost()
            here.write(5)
            here.assert_nothing_lost()


def main() -> int:
    checks = Checks()
    checks.run(a_sync_of_the_log_that_fails_stops_the_writes_and_loses_nothing)
    checks.run(a_write_to_the_log_that_fails_stops_the_writes_and_loses_nothing)
    checks.run(a_sync_or_write_of_the_file_that_fails_keeps_the_log)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
