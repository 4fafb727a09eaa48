"""An app that exchanges its own certificate: Microsoft's client signs in, PyJWT proves, and Graph is asked as documented."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from conftest import READABLE, READABLE_VALUE, VAULT, App
from installation import Installation, binary

AUDIENCES = ["00000002-0000-0000-c000-000000000000", "00000003-0000-0000-c000-000000000000"]


def post(world, path: str, token: str, body: dict) -> tuple[int, dict]:
    graph = world.here.authority.replace("//login.", "//graph.")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{graph}/v1.0{path}", json.dumps(body).encode(), headers, method="POST")
    context = ssl.create_default_context(cafile=str(world.here.ca_file))
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def proof(app: App, issuer: str, audience: str) -> str:
    """Signed as the samples of Graph's documentation are: RS256, the certificate named by its SHA-1."""
    pem = app.certificate.read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA1())).rstrip(b"=").decode()
    now = int(time.time())
    claims = {"aud": audience, "iss": issuer, "nbf": now, "exp": now + 600}
    key = serialization.load_pem_private_key(pem, None)
    return jwt.encode(claims, key, algorithm="RS256", headers={"x5t": thumbprint})


def key_credential(public) -> dict:
    certificate = x509.load_der_x509_certificate(public.read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(der).decode()}


def read(world, app: App) -> str:
    credential = CertificateCredential(**world.credential_options(app))
    with SecretClient(world.vault_url, credential, connection_verify=str(world.here.ca_file)) as client:
        return client.get_secret(READABLE).value


@pytest.mark.parametrize("audience", AUDIENCES)
def test_an_app_adds_its_next_key_and_removes_the_former(world, audience):
    name = f"rolling-{audience[7]}"
    first_key, first_public = world.here.create_certificate(name)
    next_key, next_public = world.here.create_certificate(f"{name}-next")
    client_id = world.here.create_app(name, first_public)
    world.here.grant(VAULT, client_id, "get")
    first, following = App(client_id, first_key), App(client_id, next_key)
    shown = world.here.json("app", "show", "--id", client_id)
    object_id = shown["id"]
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        read(world, following)

    credential = CertificateCredential(**world.credential_options(first))
    token = credential.get_token(world.here.authority.replace("//login.", "//graph.") + "/.default").token
    new = {"keyCredential": key_credential(next_public), "passwordCredential": None}
    path = f"/applications/{object_id}/addKey"
    status, refused = post(world, path, token, {**new, "proof": proof(following, object_id, audience)})
    assert (status, refused["error"]["code"]) == (401, "Authentication_MissingOrMalformed")
    status, added = post(world, path, token, {**new, "proof": proof(first, object_id, audience)})
    assert status == 200, added
    assert (added["type"], added["usage"]) == ("AsymmetricX509Cert", "Verify")
    assert read(world, following) == READABLE_VALUE
    assert read(world, first) == READABLE_VALUE, "the former works on"

    keys = world.here.json("app", "credential", "list", "--id", client_id)
    former = next(key["keyId"] for key in keys if key["keyId"] != added["keyId"])
    by_client = f"/applications(appId='{client_id}')/removeKey"
    status, _ = post(world, by_client, token, {"keyId": former, "proof": proof(following, object_id, audience)})
    assert status == 204
    assert read(world, following) == READABLE_VALUE
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        read(world, first)


# ---- a certificate that the vault renews ----------------------------------------------------------------------------


def at(days: int) -> dict[str, str]:
    """The environment of a process that lives so many days later."""
    (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{days}d"}


def until(condition) -> None:
    """Waits for what the server does by itself once it is up, twenty seconds at most."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def test_a_sign_in_certificate_from_the_vaults_authority_rotates_itself_for_two_years():
    """Nobody but a timer acts: the vault renews at 80 % of the life, and `cert renew --from-vault` follows."""
    with Installation() as here:
        key, public = here.create_certificate("first")
        client_id = here.create_app("process-mining", public)
        here.create_vault(VAULT)
        here.grant(VAULT, client_id, "get")
        here.set_secret(VAULT, READABLE, READABLE_VALUE)
        object_id = here.json("app", "show", "--id", client_id)["id"]
        here.run("vault", "certificate", "issuer", "create", "--vault-name", VAULT, "--issuer-name", "corp-ca")
        sign_in = ("--vault-name", VAULT, "--name", "sign-in", "--issuer", "corp-ca", "--content-type", "pem")
        here.run("vault", "certificate", "create", *sign_in)
        settings = here.write_settings(VAULT, here.tenant, client_id, key)

        def alone(days: int, *words: str) -> str:
            """A command as the app alone: in another data folder no operator helps."""
            done = subprocess.run(
                [str(binary()), "--data-dir", str(here.folder / "none"), "--settings", str(settings), *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**os.environ, **at(days)},
                timeout=60,
            )
            assert done.returncode == 0, (days, done.stderr.decode())
            return done.stdout.decode()

        renew = ("cert", "renew", "--from-vault", "sign-in", "--in-place", "--yes", "--app-object-id", object_id)
        versions = ("vault", "certificate", "list-versions", "--vault-name", VAULT, "--name", "sign-in")
        used = []
        for day in (0, 100, 200, 300, 400, 500, 600, 700):
            here.stop()
            here.start(environment=at(day))
            until(lambda: len(here.json(*versions, environment=at(day))) == 1 + (day >= 300) + (day >= 600))
            alone(day, *renew)
            assert alone(day, "get", READABLE) == READABLE_VALUE, day
            certificate = x509.load_pem_x509_certificate(key.read_bytes())
            used.append(certificate.serial_number)
        assert len(set(used)) == 3, "a certificate lives twelve months and is renewed at 80 % of them: after 292 and 584 days"
        assert used[0] == used[2] and used[3] == used[5] and used[6] == used[7]
