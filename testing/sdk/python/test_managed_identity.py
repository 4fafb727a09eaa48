"""`credstore run --azure-env`: applications with DefaultAzureCredential and not one line changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.identity import ManagedIdentityCredential

from conftest import READABLE, READABLE_VALUE, VAULT
from installation import COMMAND_LIMIT, ROOT, Installation, binary

APPS = ROOT / "testing/sdk/apps"


@pytest.fixture(scope="module")
def settings(world):
    return world.here.write_settings(VAULT, world.tenant, world.reader.client_id, world.reader.certificate)


def run(world, settings, *command, **environment):
    """The command below `credstore run --azure-env`."""
    return subprocess.run(
        [
            *(binary(), "run", "--azure-env", "--settings", settings, "--data-dir", world.here.data, "--"),
            *command,
        ],
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT,
        env={**os.environ, "VAULT_URL": world.vault_url, "SECRET": READABLE, **environment},
    )


@pytest.mark.parametrize("app", ["default_credential.py", "default_credential_async.py"])
def test_an_application_runs_unchanged(world, settings, app):
    done = run(world, settings, sys.executable, APPS / app)
    assert (done.stdout, done.returncode) == (f"{READABLE_VALUE}\n403 Forbidden\n", 0), done.stderr


def test_variables_of_another_identity_and_a_proxy_do_not_lead_it_astray(world, settings):
    astray = {
        "AZURE_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
        "AZURE_TENANT_ID": world.tenant,
        "AZURE_CLIENT_SECRET": "of another app",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        # Our own sign-in goes past the proxy because of this one, the application's because of what is added to it.
        "NO_PROXY": "login.localhost",
    }
    done = run(world, settings, sys.executable, APPS / "default_credential.py", **astray)
    assert (done.stdout, done.returncode) == (f"{READABLE_VALUE}\n403 Forbidden\n", 0), done.stderr
    assert "AZURE_CLIENT_ID" in done.stderr and "of another app" not in done.stderr


ASKED = """
import sys
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential
try:
    ManagedIdentityCredential(**eval(sys.argv[1])).get_token(sys.argv[2] + "/.default")
    print("a token")
except ClientAuthenticationError as refused:
    print(refused)
"""


def test_another_identity_or_resource_is_refused_and_the_app_itself_is_not(world, settings):
    vault = f"https://vault.localhost:{world.here.port}"
    for choice, resource, said in [
        ({"client_id": world.reader.client_id}, vault, "a token"),
        ({"client_id": world.owner.client_id}, vault, "No User Assigned or Delegated Managed Identity found"),
        ({"identity_config": {"resource_id": "/subscriptions/x"}}, vault, "No User Assigned or Delegated"),
        ({}, "https://unknown.example", "AADSTS500011"),
    ]:
        done = run(world, settings, sys.executable, "-c", ASKED, repr(choice), resource)
        assert said in done.stdout, (choice, resource, done.stdout, done.stderr)


def test_without_the_header_there_is_no_token(world, settings):
    ask = 'curl -s -o /dev/null -w "%{http_code}" "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=x"'
    assert run(world, settings, "sh", "-c", ask).stdout == "401"
    wrong = ask.replace("curl", 'curl -H "X-IDENTITY-HEADER: wrong"')
    assert run(world, settings, "sh", "-c", wrong).stdout == "401"


def test_the_identity_ends_with_the_command(world, settings, monkeypatch):
    done = run(world, settings, "sh", "-c", 'echo "$IDENTITY_ENDPOINT"; echo "$IDENTITY_HEADER"; echo "$SSL_CERT_FILE"')
    endpoint, header, bundle = done.stdout.split()
    assert "-----BEGIN CERTIFICATE-----" not in done.stdout
    monkeypatch.setenv("IDENTITY_ENDPOINT", endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", header)
    # The identity is a second process, which sees the end of the command and ends too: until then it may cut us off.
    for _ in range(100):
        with pytest.raises((ServiceRequestError, ServiceResponseError)) as ended:
            ManagedIdentityCredential(retry_total=0).get_token("https://vault.localhost/.default")
        if isinstance(ended.value, ServiceRequestError):
            break
        time.sleep(0.1)
    assert "refused" in str(ended.value)
    assert not os.path.exists(bundle), "the bundle of authorities is left behind"


def test_without_a_server_the_command_is_not_started(world, settings, tmp_path):
    """A vault that nobody serves is told before anything starts."""
    other = Installation(tmp_path)
    other.create_vault("idle-kv")
    key, public = other.create_certificate("idle")
    client_id = other.create_app("idle", public)
    idle = other.write_settings("idle-kv", other.tenant, client_id, key)
    done = other.run(
        "run", "--azure-env", "--settings", str(idle), "--", "touch", str(tmp_path / "started"), exit_code=125
    )
    assert b"CS6027" in done.stderr, done.stderr
    assert not (tmp_path / "started").exists()
