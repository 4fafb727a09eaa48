"""azure-keyvault-certificates with azure-identity: every certificate operation, synchronous, and the story of one, asynchronous.

Keys, certificates and requests that the vault made are read, checked and signed by the package `cryptography`, and the
other way round. The private key is downloaded as a secret, with azure-keyvault-secrets.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import CertificateCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from azure.keyvault.certificates import (
    AdministratorContact,
    CertificateClient,
    CertificateContact,
    CertificateContentType,
    CertificatePolicy,
    CertificatePolicyAction,
    KeyUsageType,
    LifetimeAction,
)
from azure.keyvault.certificates.aio import CertificateClient as AsyncCertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conftest import VAULT

PEM = CertificateContentType.pem
PKCS12 = CertificateContentType.pkcs12


@pytest.fixture(scope="module")
def owner(world):
    everything = {"keys": ["all"], "certificates": ["all"]}
    world.here.grant(VAULT, world.owner.client_id, "all", **everything)
    return CertificateCredential(**world.credential_options(world.owner))


@pytest.fixture(scope="module")
def client(world, owner):
    with CertificateClient(world.vault_url, owner, connection_verify=str(world.here.ca_file)) as made:
        yield made


@pytest.fixture(scope="module")
def secrets(world, owner):
    with SecretClient(world.vault_url, owner, connection_verify=str(world.here.ca_file)) as made:
        yield made


@pytest.fixture(scope="module")
def keys(world, owner):
    with KeyClient(world.vault_url, owner, connection_verify=str(world.here.ca_file)) as made:
        yield made


def policy(issuer="Self", **more) -> CertificatePolicy:
    """An EC key in a PEM: made at once, and read without a password."""
    asked = {"subject": "CN=app", "key_type": "EC", "key_curve_name": "P-256", "content_type": PEM, **more}
    return CertificatePolicy(issuer, **asked)


def create(client, name, *args, **more):
    return client.begin_create_certificate(name, policy(*args, **more)).result()


def leaf(certificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(certificate.cer))


def spki(key) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def unsigned(issuer: x509.Name, subject: x509.Name, public_key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number())
    return builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=20))


def authority(name="test authority"):
    """A key and a certificate that signs others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = unsigned(subject, subject, key.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
    return key, builder.sign(key, hashes.SHA256())


def signed_by(key, certificate, csr: bytes) -> x509.Certificate:
    """What an authority makes of a request."""
    request = x509.load_der_x509_csr(csr)
    assert request.is_signature_valid
    return unsigned(certificate.subject, request.subject, request.public_key()).sign(key, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def test_a_certificate_comes_back_with_all_that_was_asked(client, secrets, keys):
    asked = policy(
        subject="CN=app.corp.example, O=Corp",
        san_dns_names=["app.corp.example"],
        san_emails=["a@corp.example"],
        san_user_principal_names=["u@corp.example"],
        san_uris=["https://app.corp.example"],
        san_ip_addresses=["127.0.0.1"],
        key_usage=[KeyUsageType.digital_signature, KeyUsageType.key_agreement],
        enhanced_key_usage=["1.3.6.1.5.5.7.3.1"],
        validity_in_months=3,
        exportable=True,
        reuse_key=False,
        lifetime_actions=[LifetimeAction(CertificatePolicyAction.auto_renew, lifetime_percentage=70)],
    )
    made = client.begin_create_certificate("Certificate-With-Everything", asked, tags={"owner": "erp"}).result()
    assert made.name == "Certificate-With-Everything" and made.properties.enabled and made.properties.tags == {"owner": "erp"}
    certificate = leaf(made)
    assert certificate.subject.rfc4514_string() in ("CN=app.corp.example,O=Corp", "O=Corp,CN=app.corp.example")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.corp.example"]
    assert names.get_values_for_type(x509.RFC822Name) == ["a@corp.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["https://app.corp.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and usage.value.key_agreement
    assert not usage.value.key_encipherment
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_before_utc == made.properties.not_before
    assert certificate.not_valid_after_utc == made.properties.expires_on
    assert made.properties.x509_thumbprint == certificate.fingerprint(hashes.SHA1())
    assert (made.policy.issuer_name, made.policy.validity_in_months) == ("Self", 3)
    assert made.policy.lifetime_actions[0].lifetime_percentage == 70

    # Contract section 8: one version for all three, and the private key comes from the secret.
    secret = secrets.get_secret("Certificate-With-Everything")
    assert secret.id == made.secret_id and secret.properties.key_id == made.key_id and secret.properties.managed
    key = serialization.load_pem_private_key(secret.value.encode(), None)
    assert spki(key.public_key()) == spki(certificate.public_key())
    assert x509.load_pem_x509_certificates(secret.value.encode()) == [certificate]
    vault_key = keys.get_key("Certificate-With-Everything")
    assert vault_key.id == made.key_id and vault_key.properties.managed
    again = client.get_certificate_version("Certificate-With-Everything", made.properties.version)
    assert bytes(again.cer) == bytes(made.cer)


def test_the_default_policy_gives_rsa_in_a_pfx_without_a_password(client, secrets):
    made = client.begin_create_certificate("default", CertificatePolicy.get_default()).result()
    secret = secrets.get_secret("default")
    assert secret.properties.content_type == "application/x-pkcs12"
    key, certificate, more = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
    assert isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048 and more == []
    assert der(certificate) == bytes(made.cer) and spki(key.public_key()) == spki(certificate.public_key())
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    assert (made.policy.key_type, made.policy.key_size, made.policy.exportable) == ("RSA", 2048, True)


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_the_key_of_a_certificate_signs_what_the_certificate_verifies(client, keys, owner, world, curve):
    made = create(client, f"signs-{curve}", key_curve_name=curve, exportable=False)
    algorithm, digest, hash_of = {
        "P-256": (SignatureAlgorithm.es256, hashlib.sha256, hashes.SHA256()),
        "P-384": (SignatureAlgorithm.es384, hashlib.sha384, hashes.SHA384()),
        "P-521": (SignatureAlgorithm.es512, hashlib.sha512, hashes.SHA512()),
    }[curve]
    with CryptographyClient(made.key_id, owner, connection_verify=str(world.here.ca_file)) as there:
        signature = there.sign(algorithm, digest(b"what is signed").digest()).signature
    half = len(signature) // 2
    encoded = encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:half], signature[half:])))
    leaf(made).public_key().verify(encoded, b"what is signed", ec.ECDSA(hash_of))


def test_a_key_that_may_not_leave_is_not_in_the_secret(client, secrets):
    create(client, "kept-inside", exportable=False)
    assert "PRIVATE KEY" not in secrets.get_secret("kept-inside").value
    create(client, "kept-inside", exportable=False, content_type=PKCS12)
    key, certificate, _ = pkcs12.load_key_and_certificates(base64.b64decode(secrets.get_secret("kept-inside").value), None)
    assert key is None


def test_versions_properties_policies_and_lists(client):
    first = create(client, "certificate-versions")
    second = create(client, "certificate-versions")
    listed = {item.version for item in client.list_properties_of_certificate_versions("certificate-versions")}
    assert listed == {first.properties.version, second.properties.version}
    assert client.get_certificate("certificate-versions").properties.version == second.properties.version
    updated = client.update_certificate_properties("certificate-versions", first.properties.version, enabled=False, tags={"a": "b"})
    assert updated.properties.enabled is False and updated.properties.tags == {"a": "b"}
    assert client.get_certificate("certificate-versions").properties.enabled

    changed = client.get_certificate_policy("certificate-versions")
    assert (changed.subject, changed.issuer_name) == ("CN=app", "Self")
    client.update_certificate_policy("certificate-versions", policy(validity_in_months=24, subject="CN=renamed"))
    assert client.get_certificate_policy("certificate-versions").validity_in_months == 24
    third = client.begin_create_certificate("certificate-versions", client.get_certificate_policy("certificate-versions")).result()
    assert leaf(third).subject.rfc4514_string() == "CN=renamed"

    for number in range(27):
        create(client, f"many-{number}")
    names = [item.name for item in client.list_properties_of_certificates()]
    assert len(names) == len(set(names)) and {f"many-{number}" for number in range(27)} <= set(names)


def test_what_an_authority_outside_signs_is_merged(client, secrets):
    name = "merged"
    pending = create(client, name, "Unknown", san_dns_names=["app.corp.example"])
    assert (pending.status, pending.issuer_name) == ("inProgress", "Unknown")
    assert client.get_certificate_operation(name).request_id == pending.request_id
    assert name not in [item.name for item in client.list_properties_of_certificates()]
    assert name in [item.name for item in client.list_properties_of_certificates(include_pending=True)]
    with pytest.raises(ResourceExistsError, match="while a pending key vault certificate's status is inProgress"):
        create(client, name)
    request = x509.load_der_x509_csr(bytes(pending.csr))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.corp.example"]
    key, certificate = authority()
    chain = [signed_by(key, certificate, bytes(pending.csr)), certificate]
    # The client writes base64 of what it is given, so its users give it base64: contract section 8, "Merge".
    merged = client.merge_certificate(name, [base64.b64encode(der(one)) for one in chain], tags={"by": "ca"})
    assert bytes(merged.cer) == der(chain[0]) and merged.properties.tags == {"by": "ca"}
    secret = secrets.get_secret(name)
    assert x509.load_pem_x509_certificates(secret.value.encode()) == chain
    private = serialization.load_pem_private_key(secret.value.encode(), None)
    assert spki(private.public_key()) == spki(chain[0].public_key())
    assert client.get_certificate_operation(name).status == "completed"

    pending = create(client, name, "Unknown")
    assert client.merge_certificate(name, [der(signed_by(key, certificate, bytes(pending.csr)))]).properties.enabled


def test_a_creation_is_cancelled_and_forgotten(client):
    name = "cancelled"
    create(client, name, "Unknown")
    assert client.cancel_certificate_operation(name).cancellation_requested
    operation = client.get_certificate_operation(name)
    assert operation.cancellation_requested and operation.status == "cancelled"
    with pytest.raises(HttpResponseError, match="Pending status must be in progress to allow update."):
        client.cancel_certificate_operation(name)
    assert client.delete_certificate_operation(name).cancellation_requested
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_certificate_operation(name)
    assert missing.value.error.code == "PendingCertificateNotFound"
    client.begin_delete_certificate(name).wait()
    client.purge_deleted_certificate(name)


def pem_and_pfx(password: bytes | None):
    key, certificate = authority("imported")
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    other_key, other = authority("above")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = plain + certificate.public_bytes(serialization.Encoding.PEM) + other.public_bytes(serialization.Encoding.PEM)
    return pem, pkcs12.serialize_key_and_certificates(b"name", key, certificate, [other], encryption), certificate, other


def test_pfx_and_pem_are_imported(client, secrets):
    pem, pfx, certificate, other = pem_and_pfx(b"planted password")
    imported = client.import_certificate("from-pfx", pfx, password="planted password", tags={"a": "b"})
    assert bytes(imported.cer) == der(certificate) and imported.properties.tags == {"a": "b"}
    _, found, more = pkcs12.load_key_and_certificates(base64.b64decode(secrets.get_secret("from-pfx").value), None)
    assert (found, more) == (certificate, [other])
    imported = client.import_certificate("from-pem", pem, policy=CertificatePolicy(content_type=PEM))
    assert bytes(imported.cer) == der(certificate)
    assert imported.policy.issuer_name == "Unknown" and imported.policy.subject == "CN=imported"
    text = secrets.get_secret("from-pem").value
    assert text.startswith("-----BEGIN PRIVATE KEY-----\n") and text.endswith("-----END CERTIFICATE-----\n")
    assert x509.load_pem_x509_certificates(text.encode()) == [certificate, other]
    with pytest.raises(HttpResponseError, match="can not be read") as refused:
        client.import_certificate("wrong-password", pfx, password="another")
    assert refused.value.status_code == 400
    with pytest.raises(ResourceNotFoundError):
        client.get_certificate("wrong-password")


def test_delete_recover_purge_backup_and_restore(client, secrets, keys):
    name = "comes-and-goes"
    first = create(client, name)
    second = create(client, name)
    value = secrets.get_secret(name).value
    backup = client.backup_certificate(name)
    with pytest.raises(ResourceExistsError):
        client.restore_certificate_backup(backup)
    deleted = client.begin_delete_certificate(name).result()
    assert deleted.recovery_id and deleted.policy.subject == "CN=app"
    assert client.get_deleted_certificate(name).deleted_on == deleted.deleted_on
    assert name in [item.name for item in client.list_deleted_certificates()]
    for missing in (client.get_certificate, secrets.get_secret, keys.get_key):
        with pytest.raises(ResourceNotFoundError):
            missing(name)
    with pytest.raises(ResourceExistsError) as taken:
        create(client, name)
    assert taken.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert client.begin_recover_deleted_certificate(name).result().id == second.id
    assert secrets.get_secret(name).value == value

    client.begin_delete_certificate(name).wait()
    client.purge_deleted_certificate(name)
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_certificate(name)
    restored = client.restore_certificate_backup(backup)
    assert restored.id == second.id and bytes(restored.cer) == bytes(second.cer)
    assert secrets.get_secret(name).value == value
    old = secrets.get_secret(name, first.properties.version)
    assert x509.load_pem_x509_certificate(old.value.encode()) == leaf(first)


def test_key_and_secret_of_a_certificate_cannot_be_changed_alone(client, secrets, keys):
    create(client, "leads")
    for attempt, inner in [
        (lambda: secrets.set_secret("leads", "x"), "SecretManagedByKeyVault"),
        (lambda: secrets.begin_delete_secret("leads"), "SecretManagedByKeyVault"),
        (lambda: keys.begin_delete_key("leads"), "KeyManagedByKeyVault"),
        (lambda: keys.create_ec_key("leads"), "KeyManagedByKeyVault"),
    ]:
        with pytest.raises(HttpResponseError) as refused:
            attempt()
        assert (refused.value.status_code, refused.value.error.innererror["code"]) == (403, inner)


def test_contacts(client):
    with pytest.raises(ResourceNotFoundError, match="not found"):
        client.get_contacts()
    contacts = [CertificateContact(email="a@corp.example", name="A", phone="1"), CertificateContact(email="b@corp.example")]
    client.set_contacts(contacts)
    assert [(one.email, one.name, one.phone) for one in client.get_contacts()] == [
        ("a@corp.example", "A", "1"),
        ("b@corp.example", None, None),
    ]
    assert len(client.delete_contacts()) == 2
    with pytest.raises(ResourceNotFoundError, match="not found"):
        client.get_contacts()


def test_issuers_are_kept_and_one_inside_signs(client, secrets):
    admin = AdministratorContact(first_name="J", last_name="D", email="j@corp.example", phone="1")
    made = client.create_issuer(
        "digicert", "DigiCert", account_id="user", password="planted", organization_id="9", admin_contacts=[admin]
    )
    assert (made.provider, made.account_id, made.password, made.organization_id) == ("DigiCert", "user", None, "9")
    assert made.admin_contacts[0].email == "j@corp.example"
    client.update_issuer("digicert", enabled=False)
    assert client.get_issuer("digicert").enabled is False
    with pytest.raises(HttpResponseError, match="policy.issuer") as refused:
        create(client, "by-digicert", "digicert")
    assert refused.value.status_code == 400

    client.create_issuer("corp-ca", "Credstore")
    assert {item.name for item in client.list_properties_of_issuers()} == {"digicert", "corp-ca"}
    issued = create(client, "by-corp-ca", "corp-ca")
    chain = x509.load_pem_x509_certificates(secrets.get_secret("by-corp-ca").value.encode())
    assert len(chain) == 2 and der(chain[0]) == bytes(issued.cer)
    chain[0].verify_directly_issued_by(chain[1])
    chain[1].verify_directly_issued_by(chain[1])
    assert chain[1].extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    second = create(client, "by-corp-ca-too", "corp-ca")
    leaf(second).verify_directly_issued_by(chain[1])
    for name in ("digicert", "corp-ca"):
        assert client.delete_issuer(name).name == name
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_issuer("corp-ca")
    assert missing.value.error.code == "CertificateIssuerNotFound"


def test_refusals_have_azures_codes(client, world):
    with pytest.raises(HttpResponseError, match="Invalid X.500 distinguished name") as refused:
        create(client, "refused", subject="no name")
    assert (refused.value.status_code, refused.value.error.code) == (400, "BadParameter")
    reader = CertificateCredential(**world.credential_options(world.reader))
    with CertificateClient(world.vault_url, reader, connection_verify=str(world.here.ca_file)) as stranger:
        with pytest.raises(HttpResponseError, match="does not have certificates list permission") as denied:
            list(stranger.list_properties_of_certificates())
    assert denied.value.error.innererror["code"] == "ForbiddenByPolicy"


def test_the_asynchronous_clients_do_the_same(world, owner):
    async def story():
        verify = str(world.here.ca_file)
        async with AsyncCertificateCredential(**world.credential_options(world.owner)) as credential:
            async with AsyncCertificateClient(world.vault_url, credential, connection_verify=verify) as client:
                made = await client.create_certificate("async-certificate", policy())
                await client.update_certificate_properties("async-certificate", made.properties.version, tags={"a": "b"})
                assert (await client.get_certificate("async-certificate")).properties.tags == {"a": "b"}
                pending = await client.create_certificate("async-merged-certificate", policy("Unknown"))
                key, certificate = authority()
                signed = signed_by(key, certificate, bytes(pending.csr))
                merged = await client.merge_certificate("async-merged-certificate", [base64.b64encode(der(signed))])
                assert bytes(merged.cer) == der(signed)
                names = [item.name async for item in client.list_properties_of_certificates()]
                assert {"async-certificate", "async-merged-certificate"} <= set(names)
                await client.set_contacts([CertificateContact(email="a@corp.example")])
                assert len(await client.delete_contacts()) == 1
                backup = await client.backup_certificate("async-certificate")
                await client.delete_certificate("async-certificate")
                await client.purge_deleted_certificate("async-certificate")
                assert (await client.restore_certificate_backup(backup)).id == made.id

    asyncio.run(story())
