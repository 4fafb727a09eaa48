"""PostgreSQL logins with a password that only credstore knows: through `run`, and through `expand` and unixODBC.

The password is made of the characters that connection strings, shells, SQL and terminals treat specially. PostgreSQL
checks it with SCRAM, so a single changed byte is a refused login.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from checks import Checks  # noqa: E402
from installation import Installation  # noqa: E402
from server import Postgres  # noqa: E402

ROLE = "pm_reader"
RIGHT, WRONG = "PostgresErp", "PostgresOld"
PASSWORD = ";{}'\"\\ $ =%&,}}{{ÄöÜß 漢字 $HOME `id`"
HERE = pathlib.Path(__file__).resolve().parent


def with_five_steps(here: Installation) -> pathlib.Path:
    """The five steps by `setup embedded`, with the password on standard input; answers Server Settings."""
    settings = here.folder / "server-settings.json"
    here.run(
        *("setup", "embedded", "--vault-name", "acme-pm-kv", "--app-name", "process-mining", "--secret", RIGHT),
        *("--settings", str(settings), "--yes"),
        stdin=PASSWORD,
    )
    here.set_secret("acme-pm-kv", WRONG, PASSWORD + "x")
    return settings


class Logins:
    """One server, one installation."""

    def __init__(self, postgres: Postgres, here: Installation, settings: pathlib.Path):
        self.postgres, self.here, self.settings = postgres, here, settings

    def psql(self, identifier: str, host: str = "127.0.0.1", exit_code: int = 0):
        query = ["psql", *self.postgres.address(ROLE, host), "-w", "-c", "select current_user"]
        return self.here.run(
            *("--settings", str(self.settings), "run", "-e", f"PGPASSWORD={identifier}", "--", *query),
            exit_code=exit_code,
        )

    def odbc(self, identifier: str) -> subprocess.CompletedProcess[bytes]:
        driver = next(pathlib.Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))
        written = (
            f"Driver={driver};Server=127.0.0.1;Port={self.postgres.port};Database=postgres;UID={ROLE};"
            f"mv-credential-PWD={identifier};"
        )
        expanded = self.here.run("--settings", str(self.settings), "expand", "--reveal", "-", stdin=written)
        return subprocess.run(
            [sys.executable, str(HERE / "odbc_login.py")], input=expanded.stdout, capture_output=True, timeout=60
        )


def run_gives_psql_the_password(logins: Logins) -> None:
    assert logins.psql(RIGHT).stdout == f"{ROLE}\n".encode()


def run_gives_psql_the_password_on_a_unix_socket(logins: Logins) -> None:
    assert logins.psql(RIGHT, host=str(logins.postgres.folder)).stdout == f"{ROLE}\n".encode()


def a_password_with_one_character_more_is_refused_by_postgresql(logins: Logins) -> None:
    # 2 is psql's own exit code for a connection that fails.
    refused = logins.psql(WRONG, exit_code=2)
    assert b"password authentication failed" in refused.stderr, refused.stderr


def an_identifier_that_is_not_there_starts_nothing(logins: Logins) -> None:
    refused = logins.psql("NeverMade", exit_code=125)
    assert refused.stdout == b"" and b"CS2004" in refused.stderr, refused.stderr


def an_expanded_connection_string_logs_in_through_odbc(logins: Logins) -> None:
    done = logins.odbc(RIGHT)
    assert done.returncode == 0 and done.stdout == f"{ROLE}\n".encode(), done.stderr


def an_expanded_connection_string_with_another_password_is_refused(logins: Logins) -> None:
    done = logins.odbc(WRONG)
    assert done.returncode == 1 and b"password authentication failed" in done.stderr, done.stderr


def the_same_works_while_the_vault_is_not_served(logins: Logins) -> None:
    logins.here.stop()
    assert logins.psql(RIGHT).stdout == f"{ROLE}\n".encode()


def main() -> int:
    checks = Checks()
    with Postgres() as postgres, Installation() as here:
        postgres.create_role(ROLE, PASSWORD)
        logins = Logins(postgres, here, with_five_steps(here))
        for check in (
            run_gives_psql_the_password,
            run_gives_psql_the_password_on_a_unix_socket,
            a_password_with_one_character_more_is_refused_by_postgresql,
            an_identifier_that_is_not_there_starts_nothing,
            an_expanded_connection_string_logs_in_through_odbc,
            an_expanded_connection_string_with_another_password_is_refused,
            the_same_works_while_the_vault_is_not_served,
        ):
            checks.run(check, logins)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
