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
from installation import COMMAND_LIMIT, Installation, binary

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


def assert_goes_on(here: Store) -> None:
    """What was acknowledged is there, and the next life writes on."""
    here.assert_nothing_lost()
    here.write(5)
    here.assert_nothing_lost()


@contextlib.contextmanager
def after_a_fault_of_the_log(call: str, when: str):
    """A store whose writer ended when `call` on the log reported an error."""
    with store() as here:
        life = here.write_until_it_fails(*here.fault(call, here.log, when))
        assert life.exit_code == 1 and "disk I/O error" in life.words, life.words
        assert "EIO" in here.trace.read_text(), "the fault did not happen"
        yield here


def a_sync_of_the_log_that_fails_stops_the_writes_and_loses_nothing() -> None:
    for when in ("1", "2", "9", "1+"):
        with after_a_fault_of_the_log("sync", when) as here:
            assert here.log.stat().st_size > 0, "the log was removed after a failed sync"
            assert_goes_on(here)


def a_write_to_the_log_that_fails_stops_the_writes_and_loses_nothing() -> None:
    for when in ("1", "2", "30", "1+"):
        with after_a_fault_of_the_log("pwrite64", when) as here:
            assert_goes_on(here)


def a_sync_or_write_of_the_file_that_fails_keeps_the_log() -> None:
    # The file is written and synced at a checkpoint only, about every five hundred numbers and at the end.
    for call in ("sync", "pwrite64"):
        with store() as here:
            life = here.write_until_it_fails(*here.fault(call, here.file, "1"))
            assert life.exit_code == 1 and "ReadOnly" in life.words, life.words
            assert here.trace.read_text().count("EIO") == 1, "the fault happens once: later calls report success"
            assert here.log.stat().st_size > 0, "the log was removed on the word of a later sync"
            assert_goes_on(here)


@contextlib.contextmanager
def failing_syncs(pid: int, log: pathlib.Path):
    """Every sync of `log` by a running process reports an error, as long as this lasts."""
    strace = subprocess.Popen(
        [
            *("strace", "-f", "-o", "/dev/null", "-P", log, "-e", "trace=fsync,fdatasync"),
            *("-e", "inject=fsync,fdatasync:error=EIO", "-p", str(pid)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "attached" in strace.stderr.readline(), "strace may not look at the server"
        yield
    finally:
        strace.terminate()
        strace.communicate(timeout=COMMAND_LIMIT)


def a_server_whose_sync_failed_reads_on_and_writes_again_only_after_a_restart() -> None:
    with Installation() as here:
        here.create_vault("acme-pm-kv")
        here.set_secret("acme-pm-kv", "Kept", "before the fault")
        set_late = ["vault", "secret", "set", "--vault-name", "acme-pm-kv", "--name", "Late", "--stdin"]
        show = ["vault", "secret", "show", "--vault-name", "acme-pm-kv", "--reveal", "--query", "value", "-o", "tsv"]
        with failing_syncs(here.pid, here.data / "store.db-wal"):
            refused = here.run(*set_late, stdin="lost", exit_code=None)
            assert refused.returncode != 0, "a write was acknowledged although its sync failed"
        # Syncs report success again, and are not believed: the first may have lost what they should have written.
        refused = here.run(*set_late, stdin="not believed", exit_code=None)
        assert refused.returncode != 0, "a write was taken after a failed sync"
        assert here.text(*show, "--name", "Kept") == "before the fault"
        assert "the store takes no more writes until it is opened again" in here.log.read_text()
        here.stop()
        here.start()
        here.run(*set_late, stdin="after the restart")
        assert here.text(*show, "--name", "Late") == "after the restart"
        assert here.text(*show, "--name", "Kept") == "before the fault"


# ---- a full disk ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk():
    """A file system of 2 MiB with nothing on it. This program's own namespace, so nobody else sees it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="credstore-full-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def a_full_disk_is_told_and_loses_nothing() -> None:
    with small_disk() as disk:
        here = Store(disk)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(256 * 1024))
        life = here.write_until_it_fails()
        assert life.exit_code == 1 and "Full" in life.words, life.words
        assert len(life.acknowledged) > 20, f"only {len(life.acknowledged)} before the disk was full"
        ballast.unlink()
        here.assert_nothing_lost()
        life = here.write_until_it_fails()
        assert life.acknowledged and "Full" in life.words, life.words
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        here.write(5)
        here.assert_nothing_lost()


def a_server_on_a_full_disk_reads_on_and_writes_again_when_there_is_room() -> None:
    with small_disk() as disk, Installation(disk) as here:
        here.create_vault("acme-pm-kv")
        here.set_secret("acme-pm-kv", "Kept", "before the disk was full")
        with open(disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        large = "v" * 20_000
        arguments = ["vault", "secret", "set", "--vault-name", "acme-pm-kv", "--name", "Late", "--stdin"]
        for _ in range(3):
            refused = here.run(*arguments, stdin=large, exit_code=None)
            assert refused.returncode != 0, "a full disk took a write"
        show = ["vault", "secret", "show", "--vault-name", "acme-pm-kv", "--reveal", "--query", "value", "-o", "tsv"]
        assert here.text(*show, "--name", "Kept") == "before the disk was full"
        (disk / "ballast").unlink()
        here.run(*arguments, stdin=large)
        assert here.text(*show, "--name", "Late") == large


# ---- processes that end or meet --------------------------------------------------------------------------------------


def a_second_process_on_the_folder_is_told_the_number_of_the_first() -> None:
    with store() as here:
        writer = binary().with_name("store_writer")
        first = subprocess.Popen([writer, "--dir", here.data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            first.stdout.readline()
            for program in (writer, binary().with_name("store_dump")):
                done = subprocess.run([program, "--dir", here.data], capture_output=True, timeout=COMMAND_LIMIT)
                assert done.returncode == 1, done.stdout
                assert f"InUse {{ pid: Some({first.pid}) }}" in done.stderr.decode(), done.stderr
        finally:
            first.kill()
            first.communicate()
        here.assert_nothing_lost()


def a_creation_that_is_killed_at_any_step_is_done_again() -> None:
    kills = 0
    for call in ("mkdir", "linkat", "rename", "unlink", "fsync", "fchmod", "ftruncate", "pwrite64"):
        # The first pages of a file are written one like the other: every fifth write is enough.
        step = 5 if call == "pwrite64" else 1
        for when in range(1, 1000, step):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="credstore-creation-"))
            try:
                here = Installation(folder)
                create = [binary(), "--data-dir", here.data, "vault", "create", "--name", "acme-pm-kv"]
                below = ["strace", "-f", "-qq", "-o", folder / "trace", "-e", f"trace={call}"]
                fault = f"inject={call}:signal=SIGKILL:when={when}"
                done = subprocess.run([*below, "-e", fault, *create], capture_output=True, timeout=LIFE_LIMIT)
                if done.returncode == 0:
                    break
                kills += 1
                here.run("vault", "create", "--name", "acme-pm-kv")
                assert here.text("vault", "list", "--query", "[].name", "-o", "tsv") == "acme-pm-kv", fault
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        else:
            raise AssertionError(f"{call} never came through")
    assert kills > 30, f"only {kills} kills"


# ---- run ------------------------------------------------------------------------------------------------------------


def main() -> int:
    if os.geteuid() == 0 and INSIDE not in os.environ:
        inside = {**os.environ, INSIDE: "1"}
        return subprocess.run(["unshare", "--mount", sys.executable, "-u", __file__], env=inside).returncode
    checks = Checks()
    checks.run(a_second_process_on_the_folder_is_told_the_number_of_the_first)
    checks.run(a_creation_that_is_killed_at_any_step_is_done_again)
    if INSIDE in os.environ:
        checks.run(a_full_disk_is_told_and_loses_nothing)
        checks.run(a_server_on_a_full_disk_reads_on_and_writes_again_when_there_is_room)
        checks.run(a_server_whose_sync_failed_reads_on_and_writes_again_only_after_a_restart)
    else:
        print("  skipped: only root may mount the file systems that get full, and look at a server's system calls")
    checks.run(a_sync_of_the_log_that_fails_stops_the_writes_and_loses_nothing)
    checks.run(a_write_to_the_log_that_fails_stops_the_writes_and_loses_nothing)
    checks.run(a_sync_or_write_of_the_file_that_fails_keeps_the_log)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
