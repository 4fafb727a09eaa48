"""`serve --allow-faults`: what Microsoft's clients do when the vault fails, told by the vault itself."""

from __future__ import annotations

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.identity import CertificateCredential
from azure.keyvault.secrets import SecretClient

from conftest import VAULT, App, World
from installation import installation_with_vault

NAME, VALUE = "db", "s3cret"


@pytest.fixture(scope="module")
def own():
    """A server of its own: the others of this suite are not to be harmed."""
    with installation_with_vault(VAULT) as here:
        here.set_secret(VAULT, NAME, VALUE)
        key, public = here.create_certificate("reader")
        reader = App(here.create_app("reader", public), key)
        here.grant(VAULT, reader.client_id, "get")
        operator = next(app for app in here.json("app", "list") if app["displayName"] == "credstore-operator")
        owner = App(operator["appId"], here.data / "operator.pem")
        here.stop()
        here.start("--allow-faults")
        here.make_names_known()
        yield World(here, here.tenant, owner, reader)


class Plan:
    """The fault plan of the server, as the operator sees it."""

    def __init__(self, own: World):
        zone = own.here.authority.removeprefix("https://login.")
        self.url = f"https://management.{zone}/credstore/faults?api-version=2023-07-01"
        credential = CertificateCredential(**own.credential_options(own.owner))
        token = credential.get_token(f"https://management.{zone}/.default").token
        self.options = {"headers": {"Authorization": f"Bearer {token}"}, "verify": str(own.here.ca_file)}

    def set(self, *rules, offset: int = 0) -> None:
        body = {"clockOffsetSeconds": offset, "rules": list(rules)}
        requests.put(self.url, json=body, timeout=30, **self.options).raise_for_status()

    def asked(self) -> int:
        answer = requests.get(self.url, timeout=30, **self.options)
        answer.raise_for_status()
        return answer.json()["rules"][0]["asked"]


@pytest.fixture
def plan(own):
    plan = Plan(own)
    plan.set()
    yield plan
    plan.set()


def client(own: World, **options) -> SecretClient:
    credential = CertificateCredential(**own.credential_options(own.reader))
    ca_file = str(own.here.ca_file)
    return SecretClient(own.vault_url, credential, connection_verify=ca_file, retry_backoff_factor=0, **options)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retryAfterSeconds": 0},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "retryAfterSeconds": 0},
        {"kind": "drop"},
    ],
    ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}",
)
def test_the_client_gets_over_two_failures(own, plan, fault):
    with client(own) as secrets:
        # The challenge is behind it then: what follows is one request each.
        assert secrets.get_secret(NAME).value == VALUE
        plan.set({"host": "vault", "path": f"/secrets/{NAME}*", "times": 2, "fault": fault})
        assert secrets.get_secret(NAME).value == VALUE
    assert plan.asked() == 3


def test_an_expired_token_is_fetched_again(own, plan):
    with client(own) as secrets:
        assert secrets.get_secret(NAME).value == VALUE
        plan.set({"host": "vault", "times": 1, "fault": {"kind": "expiredToken"}})
        assert secrets.get_secret(NAME).value == VALUE
    assert plan.asked() == 2


def test_a_failure_that_stays_is_the_clients_error(own, plan):
    plan.set({"host": "vault", "fault": {"kind": "status", "status": 503}})
    with pytest.raises(HttpResponseError) as refused:
        client(own, retry_total=1).get_secret(NAME)
    assert (refused.value.status_code, refused.value.error.code) == (503, "ServiceUnavailable")
    plan.set({"host": "vault", "fault": {"kind": "drop"}})
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        client(own, retry_total=1).get_secret(NAME)


def test_a_client_whose_clock_is_off_cannot_sign_in(own, plan):
    plan.set(offset=86_400)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        client(own).get_secret(NAME)
    plan.set()
    assert client(own).get_secret(NAME).value == VALUE


def test_the_directory_can_fail_too(own, plan):
    plan.set({"host": "login", "method": "POST", "fault": {"kind": "status", "status": 400}})
    with pytest.raises(ClientAuthenticationError):
        client(own).get_secret(NAME)
