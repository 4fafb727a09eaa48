"""The canary: planted values are looked for everywhere, and found only where a value may come out.

A secret, a passphrase-like password in a settings file, the root key and the private key of the client certificate are
planted. Every command then runs with `--debug`, rightly and wrongly, and each of its outputs is searched; so are the
server's log, every file of the data folder, and `/proc` of the server. A value counts as found when it stands there
plainly, or in base64 (at any of the three offsets, both alphabets), hex, percent-encoding, JSON escapes or UTF-16.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import secrets
import shlex
import stat
import subprocess
import sys
import urllib.parse

from checks import Checks
from installation import COMMAND_LIMIT, Installation, binary

VAULT = "acme-pm-kv"
IDENTIFIER = "SqlServerP2P"


def forms_of(value: str) -> dict[str, bytes]:
    """What the value looks like, by the name of the form."""
    data = value.encode()
    forms = {
        "plain": data,
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "percent": urllib.parse.quote(value, safe="").encode(),
        "percent, slash kept": urllib.parse.quote(value).encode(),
        "form": urllib.parse.quote_plus(value).encode(),
        "JSON": json.dumps(value)[1:-1].encode(),
        "UTF-16": value.encode("utf-16-le"),
    }
    for offset in range(3):
        # The characters that also depend on a neighbour of the value are cut off.
        encoded = base64.b64encode(b"\0" * offset + data)
        inner = encoded[(0, 2, 3)[offset] : len(encoded) - 4]
        forms[f"base64, offset {offset}"] = inner
        forms[f"base64url, offset {offset}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return forms


class Canary:
    """Planted values, and every place that was searched."""

    def __init__(self):
        self.secret = f"+Kanarie/{secrets.token_hex(6)} ä&={secrets.token_hex(6)}~"
        self.planted = {"the secret": self.secret}
        self.searched = 0

    def plant(self, name: str, value: str) -> None:
        self.planted[name] = value

    def found_in(self, data: bytes) -> list[str]:
        """Names and forms of the planted values in `data`."""
        self.searched += 1
        return [
            f"{name} ({form})"
            for name, value in self.planted.items()
            for form, bytes_ in forms_of(value).items()
            if bytes_ in data
        ]

    def absent(self, where: str, data: bytes, allowed: str | None = None) -> None:
        found = [name for name in self.found_in(data) if allowed is None or not name.startswith(allowed)]
        assert not found, f"{where}: {', '.join(found)}"


class World:
    """An installation with the five steps done, its server at full logging."""

    def __init__(self, here: Installation, canary: Canary):
        self.here, self.canary = here, canary
        self.settings = here.folder / "server-settings.json"

    def prepare(self) -> None:
        setup = self.command(
            *("setup", "embedded", "--vault-name", VAULT, "--app-name", "process-mining", "--secret", IDENTIFIER),
            *("--settings", str(self.settings), "--yes"),
            stdin=self.canary.secret,
            exit_code=0,
        )
        assert setup.returncode == 0
        self.canary.plant("the root key", (self.here.data / "root.key").read_text().strip())
        self.canary.plant("the client key", key_line(self.here.folder / "my-certificate.pem"))
        self.canary.plant("the operator's key", key_line(self.here.data / "operator.pem"))

    def command(
        self, *words: str, stdin: str = "", exit_code: int | None = None, value_on_stdout: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs a command with --debug and searches both of its outputs."""
        done = self.here.run("--settings", str(self.settings), "--debug", *words, stdin=stdin, exit_code=exit_code)
        shown = f"credstore {shlex.join(words)}".replace(self.canary.secret, "[the secret]")
        self.canary.absent(f"{shown}: standard error", done.stderr)
        self.canary.absent(f"{shown}: standard output", done.stdout, "the secret" if value_on_stdout else None)
        return done


def key_line(file: pathlib.Path) -> str:
    """One line from the middle of a private key's PEM text: enough to know it by."""
    lines = file.read_text().splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("-----BEGIN") and "PRIVATE KEY" in line)
    end = next(at for at, line in enumerate(lines[begin:], begin) if line.startswith("-----END"))
    return lines[begin + max(1, (end - begin) // 2)]


def of_secret(verb: str, *words: str) -> tuple[str, ...]:
    """Words of a command about secrets of the vault."""
    return ("vault", "secret", verb, "--vault-name", VAULT, *words)


# ---- checks -------------------------------------------------------------------------------------------------------


def the_search_finds_a_value_in_every_form_that_it_knows(world: World) -> None:
    canary = world.canary
    for form, data in forms_of(canary.secret).items():
        assert canary.found_in(b"before " + data + b" after"), form
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"x" * offset + canary.secret.encode() + b"tail")
            assert canary.found_in(text), f"base64 at offset {offset}"


def the_value_comes_out_where_it_may_and_only_on_standard_output(world: World) -> None:
    value = world.canary.secret.encode()
    print_it = 'printf %s "$VALUE"'
    for words, stdin in (
        (("get", IDENTIFIER), ""),
        (("expand", "--reveal", "-"), f"DSN=P2P; mv-credential-Pass={IDENTIFIER};"),
        (("vault", "secret", "show", "--vault-name", VAULT, "--name", IDENTIFIER, "--reveal"), ""),
        (("vault", "secret", "show", "--vault-name", VAULT, "--name", IDENTIFIER, "--reveal", "-o", "json"), ""),
        (("run", "--no-masking", "-e", f"VALUE={IDENTIFIER}", "--", "sh", "-c", print_it), ""),
    ):
        done = world.command(*words, stdin=stdin, exit_code=None, value_on_stdout=True)
        assert done.returncode == 0, done.stderr
        assert value in done.stdout or "-o" in words, f"{words[0]}: the value did not come out"


def a_file_that_holds_the_value_is_readable_by_its_owner_only(world: World) -> None:
    for words in (("get", IDENTIFIER, "--out"), of_secret("download", "--name", IDENTIFIER, "--file")):
        file = world.here.folder / f"out-{words[0]}"
        world.command(*words, str(file), exit_code=0)
        assert file.read_bytes() == world.canary.secret.encode()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.unlink()


def no_other_command_shows_a_planted_value(world: World) -> None:
    work = world.here.folder
    client_id = json.loads(world.settings.read_text())["CredentialStore"]["ClientId"]
    commands = [
        (("list",), 0),
        (("list", "-o", "json"), 0),
        (("expand", f"DSN=P2P; mv-credential-Pass={IDENTIFIER};"), 0),
        (("run", "-e", f"VALUE={IDENTIFIER}", "--", "true"), 0),
        (("run", "-e", f"VALUE={IDENTIFIER}", "--", "sh", "-c", "exit 7"), 7),
        (("check", str(world.settings)), 0),
        (("setup", "status"), None),
        (("cert", "show", str(work / "my-certificate.pem")), 0),
        (("cert", "verify", str(work / "my-certificate.pem")), 0),
        (("cert", "export-public", str(work / "my-certificate.pem"), "--out", str(work / "again.cer")), 0),
        (("cert", "new", "--out", str(work / "other.pem")), 0),
        (("directory", "show"), 0),
        (("directory", "show", "-o", "json"), 0),
        (("directory", "hosts"), 0),
        (("app", "list"), 0),
        (("app", "show", "--id", client_id, "-o", "json"), 0),
        (("app", "credential", "list", "--id", client_id), 0),
        (("app", "update", "--id", client_id, "--display-name", "renamed"), 0),
        (("vault", "list"), 0),
        (("vault", "show", "--name", VAULT, "-o", "json"), 0),
        (("vault", "access-policy", "list", "--name", VAULT), 0),
        (("vault", "update", "--name", VAULT, "--tags", "a=b", "-o", "json"), 0),
        (("vault", "delete", "--name", VAULT, "--yes", "--confirm", VAULT), 0),
        (("vault", "list-deleted", "-o", "json"), 0),
        (("vault", "purge", "--name", "never-kv", "--yes", "--confirm", "never-kv"), 6),
        (("vault", "recover", "--name", VAULT, "-o", "json"), 0),
        (of_secret("list"), 0),
        (of_secret("list", "-o", "json"), 0),
        (of_secret("list-versions", "--name", IDENTIFIER), 0),
        (of_secret("show", "--name", IDENTIFIER), 0),
        (of_secret("show", "--name", IDENTIFIER, "-o", "json"), 0),
        (of_secret("show", "--name", IDENTIFIER, "-o", "tsv"), 0),
        (of_secret("set-attributes", "--name", IDENTIFIER, "--content-type", "text/plain"), 0),
        (of_secret("backup", "--name", IDENTIFIER, "--file", str(work / "secret.backup")), 0),
        (of_secret("delete", "--name", IDENTIFIER, "--yes"), 0),
        (of_secret("list-deleted"), 0),
        (of_secret("show-deleted", "--name", IDENTIFIER), 0),
        (of_secret("recover", "--name", IDENTIFIER), 0),
        (("version",), 0),
        (("completions", "bash"), 0),
    ]
    for words, exit_code in commands:
        world.command(*words, exit_code=exit_code)
    world.command(*of_secret("set", "--name", "Second", "--stdin"), stdin=world.canary.secret, exit_code=0)
    world.canary.absent("the backup file", (work / "secret.backup").read_bytes())


def no_refusal_shows_a_planted_value(world: World) -> None:
    value = world.canary.secret
    plain = f"DSN=P2P; Pass={value}; mv-credential-Pass={IDENTIFIER};"
    for words, stdin, exit_code in (
        (("get", "NeverMade"), "", 6),
        (("expand", plain), "", 3),
        (("expand", "-"), plain, 3),
        (("expand", "-"), f"DSN=P2P; Pass={{{value}; mv-credential-X={IDENTIFIER}", None),
        (("run", "-e", f"VALUE={IDENTIFIER}", "--", "no-such-program"), "", 127),
        (("run", "-e", "VALUE=NeverMade", "--", "true"), "", 125),
        (of_secret("set", "--name", IDENTIFIER, "--value", value), "", 2),
        (of_secret("set", "--name", IDENTIFIER, f"--value={value}"), "", 2),
        (of_secret("set", "--name", "not_a_name", "--stdin"), value, None),
        (of_secret("set", "--name", IDENTIFIER, "--stdin"), value * 1000, None),
        (of_secret("set", "--name", IDENTIFIER, "--stdin", "--no-such-flag"), value, 2),
        (("app", "credential", "add", "--id", "x", "--cert", str(world.here.folder / "my-certificate.pem")), "", None),
        (("cert", "export-public", str(world.here.data / "root.key"), "--out", "never.cer"), "", None),
    ):
        done = world.command(*words, stdin=stdin, exit_code=exit_code)
        assert done.returncode != 0, shlex.join(words)
        assert done.stdout == b"", f"{words[0]}: something is on standard output though it did not work"


def a_broken_settings_file_is_reported_without_its_passwords(world: World) -> None:
    value = json.dumps(world.canary.secret)
    broken = world.here.folder / "broken.json"
    entry = '"CredentialStore": {"Type": "File"}'
    for text in (
        f'{{\n  "password": {value}\n  {entry}\n}}\n',
        f'{{\n  "smtp": {{"user": "me" "password": {value}}},\n  {entry}\n}}\n',
        f'{{\n  "password": {value},\n  "password": {value},\n  {entry}\n',
        f'{{\n  "password": {value},\n  "CredentialStore": {{"Type": "Fil"}}\n}}\n',
        f'{{\n  "a": {{"credential": "Smtp", "password": {value}}},\n  {entry}\n}}\n',
    ):
        broken.write_text(text)
        for words in (("check", str(broken)), ("check", str(broken), "-o", "json"), ("get", IDENTIFIER)):
            done = world.here.run("--settings", str(broken), "--debug", *words, exit_code=None)
            assert done.returncode != 0, text
            world.canary.absent(f"{words[0]} with {text!r}", done.stdout + done.stderr)


def a_sealed_file_shows_no_value_and_no_key(world: World) -> None:
    work = world.here.folder / "sealed-store"
    work.mkdir()
    settings = work / "server-settings.json"
    settings.write_text('{"CredentialStore": {"Type": "EncryptedFile"}, "a": {"credential": "A"}}')

    def command(*words: str, stdin: str = "", exit_code: int | None = 0, searched: bool = True) -> None:
        where = ("--settings", str(settings), "--debug")
        done = world.here.run(*where, *words, stdin=stdin.encode(), exit_code=exit_code, cwd=work)
        if searched:
            world.canary.absent(shlex.join(words), done.stdout + done.stderr)

    command("file", "init")
    world.canary.plant("the key of the sealed file", (work / "credential_store.key").read_text().strip())
    command("file", "set", "--name", "A", stdin=world.canary.secret)
    for words in (("file", "list"), ("check",), ("list",), ("file", "rekey"), ("run", "-e", "V=A", "--", "true")):
        command(*words)
    command("file", "set", "--name", "A", "--value", world.canary.secret, exit_code=2)
    world.canary.absent("the sealed file", (work / "credential_store.json").read_bytes())
    (work / "credential_store.key").write_text("no key")
    command("get", "A", exit_code=12)


def a_broken_credential_file_is_reported_without_its_values(world: World) -> None:
    work = world.here.folder / "file-store"
    (work / "databases").mkdir(parents=True)
    settings = work / "server-settings.json"
    settings.write_text('{"CredentialStore": {"Type": "File"}}')
    value = json.dumps(world.canary.secret)
    for text in (f'{{"A": {value}', f'{{"A": {value} "B": 1}}', f'{{"A": {value}, "A": {value}}}', f'[{value}]'):
        for place in (work, work / "databases"):
            (place / "credential_store.json").write_text(text)
            (place / "credential_store.json").chmod(0o600)
        done = world.here.run("--settings", str(settings), "--debug", "get", "A", exit_code=None, cwd=work)
        assert done.returncode != 0, text
        world.canary.absent(f"get with {text!r}", done.stdout + done.stderr)


def a_command_that_shows_the_value_shows_a_mask(world: World) -> None:
    script = r'''
import base64, json, os, sys, urllib.parse
value = os.environ["VALUE"]
data = value.encode()
print(value, json.dumps(value), json.dumps(value, ensure_ascii=False), data.hex(), data.hex().upper())
print(urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value))
for before in (b"", b"x", b"xy"):
    print(base64.b64encode(before + data + b"z").decode(), base64.urlsafe_b64encode(before + data).decode())
for one in value:
    sys.stderr.write(one)
    sys.stderr.flush()
'''
    done = world.command("run", "-e", f"VALUE={IDENTIFIER}", "--", sys.executable, "-c", script, exit_code=0)
    assert done.stdout.count(b"********") == 14 and b"********" in done.stderr, done.stdout


def run_keeps_the_value_out_of_its_own_arguments_and_environment(world: World) -> None:
    script = "cat /proc/$PPID/cmdline /proc/$PPID/environ | od -An -v -tx1 | tr -d ' \\n'"
    done = world.command("run", "-e", f"VALUE={IDENTIFIER}", "--", "sh", "-c", script, exit_code=0)
    world.canary.absent("/proc of run", bytes.fromhex(done.stdout.decode().strip()))


def proc_of_the_server_shows_nothing(world: World) -> None:
    proc = pathlib.Path(f"/proc/{world.here.pid}")
    for name in ("cmdline", "environ", "comm", "status", "limits"):
        world.canary.absent(f"/proc/…/{name}", (proc / name).read_bytes())


def the_server_writes_no_core_and_is_not_readable_by_others(world: World) -> None:
    proc = pathlib.Path(f"/proc/{world.here.pid}")
    core = next(line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core file size"))
    assert core.split()[4] == "0", core
    # A process that is not dumpable has its /proc entries owned by root, with no access for its own user.
    assert (proc / "environ").stat().st_uid == 0


def the_servers_log_shows_nothing(world: World) -> None:
    log = world.here.log.read_bytes()
    assert log, "the server at full logging wrote nothing: the check would prove nothing"
    world.canary.absent("the server's log", log)


def every_file_of_the_data_folder_is_sealed_and_private(world: World) -> None:
    allowed = {"root.key": "the root key", "operator.pem": "the operator's key"}
    files = [path for path in world.here.data.rglob("*") if path.is_file()]
    assert any(path.name == "store.db" for path in files), files
    assert stat.S_IMODE(world.here.data.stat().st_mode) == 0o700
    for path in files:
        data = path.read_bytes()
        world.canary.absent(path.name, data, allowed.get(path.name))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"{path.name}: {path.stat().st_mode:o}"
        if path.name.startswith("store.db"):
            for name in (IDENTIFIER, VAULT, "process-mining"):
                assert name.encode() not in data, f"{path.name}: the name {name} is in clear"


def nothing_else_was_left_behind(world: World) -> None:
    """Whatever the commands wrote outside the data folder, apart from what a check wrote itself."""
    ours = {"my-certificate.pem": "the client key", "broken.json": "the secret", "credential_store.json": "the secret"}
    for path in world.here.folder.rglob("*"):
        if path.is_file() and world.here.data not in path.parents:
            world.canary.absent(str(path.relative_to(world.here.folder)), path.read_bytes(), ours.get(path.name))


def quickstart_shows_and_leaves_nothing(world: World) -> None:
    done = subprocess.run(
        [str(binary()), "--debug", "quickstart", "--no-serve"],
        capture_output=True,
        cwd=world.here.folder,
        timeout=COMMAND_LIMIT,
        env={**os.environ, "CREDSTORE_DATA_DIR": ""},
    )
    assert done.returncode == 0, done.stderr
    world.canary.absent("quickstart", done.stdout + done.stderr)
    assert b"Pass=********" in done.stdout
    assert not list(world.here.folder.glob("credstore-demo*"))


def main() -> int:
    checks = Checks()
    canary = Canary()
    os.environ["CREDSTORE_LOG"] = "trace"
    here = Installation()
    try:
        here.start("--debug")
        world = World(here, canary)
        world.prepare()
        for check in (
            the_search_finds_a_value_in_every_form_that_it_knows,
            the_value_comes_out_where_it_may_and_only_on_standard_output,
            a_file_that_holds_the_value_is_readable_by_its_owner_only,
            no_other_command_shows_a_planted_value,
            no_refusal_shows_a_planted_value,
            a_broken_settings_file_is_reported_without_its_passwords,
            a_sealed_file_shows_no_value_and_no_key,
            a_broken_credential_file_is_reported_without_its_values,
            a_command_that_shows_the_value_shows_a_mask,
            run_keeps_the_value_out_of_its_own_arguments_and_environment,
            proc_of_the_server_shows_nothing,
            the_server_writes_no_core_and_is_not_readable_by_others,
            the_servers_log_shows_nothing,
            every_file_of_the_data_folder_is_sealed_and_private,
            quickstart_shows_and_leaves_nothing,
            nothing_else_was_left_behind,
        ):
            checks.run(check, world)
    finally:
        here.__exit__()
    print(f"{canary.searched} places searched for {len(canary.planted)} values")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
