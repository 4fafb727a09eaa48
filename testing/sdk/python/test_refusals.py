"""What is refused, and in whose words: no permission, and every way to sign in that must not work."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import pathlib
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import CertificateCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from conftest import READABLE, READABLE_VALUE, VAULT, App

# ---- permission ---------------------------------------------------------------------------------------------------

DENIED = {
    "list": lambda client: list(client.list_properties_of_secrets()),
    "set": lambda client: client.set_secret("Forbidden", "x"),
    "delete": lambda client: client.begin_delete_secret(READABLE),
    "backup": lambda client: client.backup_secret(READABLE),
    "recover": lambda client: client.begin_recover_deleted_secret("Forbidden"),
    "purge": lambda client: client.purge_deleted_secret("Forbidden"),
}


@pytest.mark.parametrize("permission", DENIED)
def test_with_get_alone_everything_else_answers_forbidden_by_policy_in_azures_words(world, permission):
    credential = CertificateCredential(**world.credential_options(world.reader))
    with SecretClient(world.vault_url, credential, connection_verify=str(world.here.ca_file)) as client:
        with pytest.raises(HttpResponseError) as refused:
            DENIED[permission](client)
    assert refused.value.status_code == 403
    assert refused.value.error.code == "Forbidden"
    assert refused.value.error.innererror["code"] == "ForbiddenByPolicy"
    message = refused.value.error.message
    assert message.startswith(f"The user, group or application 'appid={world.reader.client_id};oid=")
    assert f";numgroups=0;iss={world.here.authority}/{world.tenant}/' does not have " in message
    assert f" secrets {permission} permission on key vault '{VAULT};location=" in message
    assert message.endswith(
        "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
    )


# ---- sign-in ------------------------------------------------------------------------------------------------------


def sync_sign_in(world, **changes) -> str:
    with pytest.raises(ClientAuthenticationError) as refused:
        with CertificateCredential(**world.credential_options(world.reader, **changes)) as credential:
            credential.get_token(f"https://vault.localhost:{world.here.port}/.default")
    return str(refused.value)


def async_sign_in(world, **changes) -> str:
    async def attempt():
        async with AsyncCertificateCredential(**world.credential_options(world.reader, **changes)) as credential:
            await credential.get_token(f"https://vault.localhost:{world.here.port}/.default")

    with pytest.raises(ClientAuthenticationError) as refused:
        asyncio.run(attempt())
    return str(refused.value)


BOTH = pytest.mark.parametrize("sign_in", [sync_sign_in, async_sign_in])


@BOTH
def test_a_certificate_that_is_not_on_the_app_is_aadsts700027(world, sign_in):
    message = sign_in(world, certificate_path=str(world.owner.certificate))
    assert "AADSTS700027" in message
    assert "The key was not found" in message


@BOTH
def test_a_client_id_that_is_not_in_the_directory_is_aadsts700016(world, sign_in):
    stranger = str(uuid.uuid4())
    message = sign_in(world, client_id=stranger)
    assert f"AADSTS700016: Application with identifier '{stranger}' was not found in the directory" in message


def test_an_unknown_tenant_is_aadsts90002(world):
    stranger = str(uuid.uuid4())
    message = async_sign_in(world, tenant_id=stranger)
    assert f"AADSTS90002: Tenant '{stranger}' not found." in message
    # MSAL asks for the tenant's configuration first and words the refusal itself.
    assert stranger in sync_sign_in(world, tenant_id=stranger)


@BOTH
def test_an_expired_certificate_is_aadsts700027_with_the_reason(world, expired, sign_in):
    message = sign_in(world, client_id=expired.client_id, certificate_path=str(expired.certificate))
    assert "AADSTS700027" in message
    assert "The key used is expired" in message


def test_an_assertion_of_a_clock_that_is_wrong_is_aadsts700024(world):
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    for begin in (now - hour, now + hour):
        answer = token_request(world, assertion(world, begin, begin + datetime.timedelta(minutes=10)))
        assert answer["error_codes"] == [700024], answer
        assert answer["error"] == "invalid_client"
        assert "Client assertion is not within its valid time range." in answer["error_description"]


def test_an_assertion_within_the_tolerance_of_five_minutes_is_accepted(world):
    now = datetime.datetime.now(datetime.timezone.utc)
    ahead = now + datetime.timedelta(minutes=4)
    answer = token_request(world, assertion(world, ahead, ahead + datetime.timedelta(minutes=10)))
    assert answer["token_type"] == "Bearer" and answer["expires_in"] == 3599


def test_an_assertion_with_another_keys_signature_is_refused(world):
    now = datetime.datetime.now(datetime.timezone.utc)
    forged = assertion(world, now, now + datetime.timedelta(minutes=10), signed_with=world.owner)
    answer = token_request(world, forged)
    assert answer["error_codes"] == [700027], answer
    assert "Client assertion contains an invalid signature." in answer["error_description"]


def test_a_refusal_carries_the_ids_that_support_asks_for(world):
    answer = token_request(world, "not.an.assertion")
    assert uuid.UUID(answer["trace_id"]) and uuid.UUID(answer["correlation_id"])
    assert answer["trace_id"] in answer["error_description"]
    assert datetime.datetime.strptime(answer["timestamp"], "%Y-%m-%d %H:%M:%SZ")


# ---- the same through our own client ------------------------------------------------------------------------------


def refusal_of_get(world, environment: dict[str, str] | None = None, **changes) -> str:
    """Standard error of `credstore get`, with Server Settings or an environment in which something is wrong."""
    entry = {
        "Type": "AzureKeyVault",
        "TenantId": world.tenant,
        "ClientId": world.reader.client_id,
        "VaultName": VAULT,
        "CertificateFile": str(world.reader.certificate),
        "AuthorityHost": world.here.authority,
        "VaultDnsSuffix": f"vault.localhost:{world.here.port}",
        "CaFile": str(world.here.ca_file),
    }
    settings = world.here.folder / f"settings-{uuid.uuid4()}.json"
    settings.write_text(json.dumps({"CredentialStore": {**entry, **changes}}, indent=2))
    settings.chmod(0o600)
    wrong = bool(changes or environment)
    done = world.here.run(
        "--settings", str(settings), "get", READABLE, exit_code=4 if wrong else 0, environment=environment
    )
    assert done.stdout == (b"" if wrong else READABLE_VALUE.encode())
    return done.stderr.decode()


def test_get_works_with_the_right_settings(world):
    assert refusal_of_get(world) == ""


@pytest.mark.parametrize(
    ("changes", "code", "upstream"),
    [
        ({"TenantId": "00000000-0000-4000-8000-000000000001"}, "CS3110", "AADSTS90002"),
        ({"ClientId": "00000000-0000-4000-8000-000000000002"}, "CS3101", "AADSTS700016"),
        ({"CertificateFile": "owner"}, "CS3102", "AADSTS700027"),
    ],
)
def test_get_names_the_code_and_a_fix(world, changes, code, upstream):
    if changes.get("CertificateFile") == "owner":
        changes = {"CertificateFile": str(world.owner.certificate)}
    message = refusal_of_get(world, **changes)
    assert message.startswith(f"error[{code}]: "), message
    assert upstream in message
    assert "\n  fix " in message


def test_get_says_renew_when_the_certificate_has_expired(world, expired):
    message = refusal_of_get(world, ClientId=expired.client_id, CertificateFile=str(expired.certificate))
    assert message.startswith("error[CS31"), message
    assert "\n  fix " in message


def test_get_names_both_clocks_when_ours_is_wrong(world):
    (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    message = refusal_of_get(world, {"LD_PRELOAD": str(library), "FAKETIME": "+2h"})
    assert message.startswith("error[CS3105]: "), message
    assert "AADSTS700024" in message
    assert "\n  fix " in message


# ---- material -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expired(world) -> App:
    """An app whose only certificate ended yesterday."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "expired")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=366))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file, public = world.here.folder / "expired.pem", world.here.folder / "expired.cer"
    file.touch(mode=0o600)
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    public.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    client_id = world.here.create_app("expired", public)
    world.here.grant(VAULT, client_id, "get")
    return App(client_id, file)


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token_endpoint(world) -> str:
    return f"{world.here.authority}/{world.tenant}/oauth2/v2.0/token"


def assertion(world, begin, end, signed_with: App | None = None) -> str:
    """A client assertion of the reader, PS256 with x5t#S256; `signed_with` forges the signature."""
    certificate = x509.load_pem_x509_certificate(world.reader.certificate.read_bytes())
    header = {"typ": "JWT", "alg": "PS256", "x5t#S256": unpadded(certificate.fingerprint(hashes.SHA256()))}
    claims = {
        "aud": token_endpoint(world),
        "iss": world.reader.client_id,
        "sub": world.reader.client_id,
        "jti": str(uuid.uuid4()),
        "nbf": int(begin.timestamp()),
        "exp": int(end.timestamp()),
    }
    signed = ".".join(unpadded(json.dumps(part).encode()) for part in (header, claims))
    key = serialization.load_pem_private_key((signed_with or world.reader).certificate.read_bytes(), None)
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return f"{signed}.{unpadded(key.sign(signed.encode(), salted, hashes.SHA256()))}"


def token_request(world, client_assertion: str) -> dict:
    """The token endpoint's answer, accepted or refused."""
    form = {
        "grant_type": "client_credentials",
        "client_id": world.reader.client_id,
        "scope": f"https://vault.localhost:{world.here.port}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": client_assertion,
    }
    trust = ssl.create_default_context(cafile=str(world.here.ca_file))
    body = urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(token_endpoint(world), body, timeout=30, context=trust) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)
