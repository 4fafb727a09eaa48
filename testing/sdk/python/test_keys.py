"""azure-keyvault-keys with azure-identity: every key operation, synchronous, and the story of a key, asynchronous.

What the vault signs, the package `cryptography` verifies, and the other way round.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import CertificateCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from azure.keyvault.keys import (
    JsonWebKey,
    KeyClient,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
)
from azure.keyvault.keys.aio import KeyClient as AsyncKeyClient
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient as AsyncCryptographyClient
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from conftest import VAULT

DIGESTS = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"P-256": ("ES256", ec.SECP256R1()), "P-384": ("ES384", ec.SECP384R1()), "P-521": ("ES512", ec.SECP521R1())}


@pytest.fixture(scope="module")
def owner(world):
    world.here.grant(VAULT, world.owner.client_id, keys=["all"])
    return CertificateCredential(**world.credential_options(world.owner))


@pytest.fixture(scope="module")
def client(world, owner):
    with KeyClient(world.vault_url, owner, connection_verify=str(world.here.ca_file)) as made:
        yield made


@pytest.fixture(scope="module")
def crypto(world, owner):
    """A client that asks the vault for everything: with an identifier alone it reads the key once, and signs there."""
    return lambda key: CryptographyClient(key, owner, connection_verify=str(world.here.ca_file))


def number(text: bytes) -> int:
    return int.from_bytes(text, "big")


def rsa_key(key) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(number(key.key.e), number(key.key.n)).public_key()


def test_a_key_comes_back_with_all_that_was_asked(client):
    begins = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    ends = datetime.datetime(2036, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    made = client.create_rsa_key(
        "Everything",
        size=3072,
        key_operations=["sign", "verify"],
        tags={"owner": "erp"},
        not_before=begins,
        expires_on=ends,
    )
    read = client.get_key("everything")
    assert (read.id, read.name, read.key_type) == (made.id, "Everything", "RSA")
    assert (len(read.key.n), read.key.e) == (3072 // 8, b"\x01\x00\x01")
    assert read.key_operations == ["sign", "verify"]
    assert read.properties.tags == {"owner": "erp"}
    assert (read.properties.not_before, read.properties.expires_on) == (begins, ends)
    assert (read.properties.enabled, read.properties.exportable, read.properties.hsm_platform) == (True, False, "0")
    assert (read.properties.recovery_level, read.properties.recoverable_days) == ("Recoverable+Purgeable", 90)


@pytest.mark.parametrize("curve", [*CURVES, "P-256K"])
def test_what_an_ec_key_signs_is_verified_by_somebody_else(client, crypto, curve):
    key = client.create_ec_key(f"ec-{curve}", curve=curve)
    algorithm, cryptographic = {**CURVES, "P-256K": ("ES256K", ec.SECP256K1())}[curve]
    bits = {"ES256": "256", "ES384": "384", "ES512": "512", "ES256K": "256"}[algorithm]
    digest = DIGESTS[bits](b"what is signed").digest()
    signed = crypto(key.id).sign(SignatureAlgorithm(algorithm), digest)
    half = len(signed.signature) // 2
    signature = utils.encode_dss_signature(number(signed.signature[:half]), number(signed.signature[half:]))
    public = ec.EllipticCurvePublicNumbers(number(key.key.x), number(key.key.y), cryptographic).public_key()
    public.verify(signature, digest, ec.ECDSA(utils.Prehashed(HASHES[bits])))
    assert signed.key_id == key.id


@pytest.mark.parametrize("size", [2048, 4096])
@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_what_an_rsa_key_signs_is_verified_by_somebody_else(client, crypto, size, algorithm):
    name = f"rsa-{size}"
    try:
        key = client.get_key(name)
    except ResourceNotFoundError:
        key = client.create_rsa_key(name, size=size)
    digest = DIGESTS[algorithm[2:]](b"what is signed").digest()
    signed = crypto(key.id).sign(SignatureAlgorithm(algorithm), digest)
    hashing = HASHES[algorithm[2:]]
    pss = padding.PSS(padding.MGF1(hashing), hashing.digest_size)
    padded = pss if algorithm.startswith("PS") else padding.PKCS1v15()
    rsa_key(key).verify(signed.signature, digest, padded, utils.Prehashed(hashing))
    assert crypto(key.id).verify(SignatureAlgorithm(algorithm), digest, signed.signature).is_valid


@pytest.mark.parametrize("algorithm", ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"])
def test_what_is_encrypted_here_or_there_is_decrypted_by_the_vault(client, crypto, algorithm):
    key = client.create_rsa_key("crypt")
    hashing = {"RSA-OAEP": hashes.SHA1(), "RSA-OAEP-256": hashes.SHA256()}.get(algorithm)
    padded = padding.OAEP(padding.MGF1(hashing), hashing, None) if hashing else padding.PKCS1v15()
    sealed = rsa_key(key).encrypt(b"a text", padded)
    with crypto(key.id) as there:
        assert there.decrypt(EncryptionAlgorithm(algorithm), sealed).plaintext == b"a text"
        local = there.encrypt(EncryptionAlgorithm(algorithm), b"another")
        assert there.decrypt(EncryptionAlgorithm(algorithm), local.ciphertext).plaintext == b"another"
        wrapped = there.wrap_key(KeyWrapAlgorithm(algorithm), b"k" * 32)
        assert there.unwrap_key(KeyWrapAlgorithm(algorithm), wrapped.encrypted_key).key == b"k" * 32


def test_an_imported_key_is_the_clients_own(client, crypto):
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.private_numbers()
    size = {"d": 256, "p": 128, "q": 128, "dmp1": 128, "dmq1": 128, "iqmp": 128}
    parts = {name: getattr(numbers, name).to_bytes(length, "big") for name, length in size.items()}
    key = JsonWebKey(
        kty="RSA",
        key_ops=["sign", "verify"],
        n=numbers.public_numbers.n.to_bytes(256, "big"),
        e=b"\x01\x00\x01",
        d=parts["d"],
        p=parts["p"],
        q=parts["q"],
        dp=parts["dmp1"],
        dq=parts["dmq1"],
        qi=parts["iqmp"],
    )
    made = client.import_key("imported", key)
    digest = hashlib.sha256(b"x").digest()
    signed = crypto(made.id).sign(SignatureAlgorithm.rs256, digest)
    expected = private.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    assert signed.signature == expected, "PKCS#1 v1.5 has one signature"
    with pytest.raises(HttpResponseError, match="Hardware key operation not allowed on standard vault"):
        client.import_key("imported", key, hardware_protected=True)


def test_versions_properties_and_lists(client):
    first = client.create_ec_key("listed")
    second = client.create_ec_key("listed", tags={"a": "b"})
    assert client.get_key("listed").properties.version == second.properties.version
    assert client.get_key("listed", first.properties.version).key.x == first.key.x
    changed = client.update_key_properties("listed", first.properties.version, enabled=False, key_operations=["verify"])
    assert (changed.properties.enabled, changed.key_operations) == (False, ["verify"])
    assert changed.properties.updated_on > first.properties.updated_on
    versions = {item.version for item in client.list_properties_of_key_versions("listed")}
    assert versions == {first.properties.version, second.properties.version}
    assert "listed" in {item.name for item in client.list_properties_of_keys()}


def test_delete_recover_purge_backup_and_restore(client):
    made = client.create_ec_key("life")
    backup = client.backup_key("life")
    with pytest.raises(ResourceExistsError):
        client.restore_key_backup(backup)
    gone = client.begin_delete_key("life").result()
    assert gone.recovery_id.endswith("/deletedkeys/life")
    assert gone.scheduled_purge_date - gone.deleted_date == datetime.timedelta(days=90)
    with pytest.raises(ResourceNotFoundError):
        client.get_key("life")
    with pytest.raises(ResourceExistsError):
        client.create_ec_key("life")
    assert "life" in {item.name for item in client.list_deleted_keys()}
    assert client.begin_recover_deleted_key("life").result().id == made.id
    client.begin_delete_key("life").wait()
    assert client.get_deleted_key("life").id == made.id
    client.purge_deleted_key("life")
    assert client.restore_key_backup(backup).key.x == made.key.x


def test_rotation_and_its_policy(client):
    first = client.create_ec_key("rotated")
    policy = client.get_key_rotation_policy("rotated")
    assert [(it.action, it.time_before_expiry) for it in policy.lifetime_actions] == [("Notify", "P30D")]
    rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P90D")
    policy = client.update_key_rotation_policy(
        "rotated", KeyRotationPolicy(), lifetime_actions=[rotate], expires_in="P2Y"
    )
    assert {it.action for it in policy.lifetime_actions} == {"Rotate", "Notify"}
    assert client.get_key_rotation_policy("rotated").expires_in == "P2Y"
    second = client.rotate_key("rotated")
    assert (second.name, second.key.crv) == ("rotated", first.key.crv)
    assert second.key.x != first.key.x
    assert second.properties.expires_on > second.properties.created_on + datetime.timedelta(days=729)


def test_refusals_have_azures_codes(client, crypto):
    key = client.create_ec_key("refusing", enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        crypto(key.id).sign(SignatureAlgorithm.es256, b"0" * 32)
    assert (refused.value.status_code, refused.value.error.code) == (403, "Forbidden")
    assert refused.value.error.innererror["code"] == "KeyDisabled"
    for kty in ["RSA-HSM", "EC-HSM"]:
        with pytest.raises(HttpResponseError, match="Hardware key operation not allowed on standard vault"):
            client.create_key("hardware", kty)
    with pytest.raises(HttpResponseError, match="Invalid kty value: oct"):
        client.create_key("symmetric", "oct")
    with pytest.raises(HttpResponseError, match="Hardware key operation not allowed on standard vault"):
        client.get_random_bytes(8)


def test_an_app_that_may_use_keys_and_not_get_them_has_everything_done_by_the_vault(world, client):
    world.here.grant(
        VAULT,
        world.reader.client_id,
        keys=["sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey"],
    )
    key = client.create_rsa_key("for-use-only")
    reader = CertificateCredential(**world.credential_options(world.reader))
    verify = str(world.here.ca_file)
    with CryptographyClient(key.id, reader, connection_verify=verify) as there:
        digest = hashlib.sha256(b"x").digest()
        signed = there.sign(SignatureAlgorithm.rs256, digest)
        assert there.verify(SignatureAlgorithm.rs256, digest, signed.signature).is_valid
        sealed = there.encrypt(EncryptionAlgorithm.rsa_oaep, b"a text")
        assert sealed.key_id == key.id
        assert there.decrypt(EncryptionAlgorithm.rsa_oaep, sealed.ciphertext).plaintext == b"a text"
        wrapped = there.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"k" * 32)
        assert there.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key).key == b"k" * 32
    with pytest.raises(HttpResponseError) as refused:
        KeyClient(world.vault_url, reader, connection_verify=verify).get_key("for-use-only")
    assert refused.value.error.innererror["code"] == "ForbiddenByPolicy"


def test_the_asynchronous_clients_do_the_same(world, owner):
    async def story():
        verify = str(world.here.ca_file)
        async with AsyncCertificateCredential(**world.credential_options(world.owner)) as credential:
            async with AsyncKeyClient(world.vault_url, credential, connection_verify=verify) as client:
                key = await client.create_rsa_key("async")
                digest = hashlib.sha256(b"x").digest()
                async with AsyncCryptographyClient(key.id, credential, connection_verify=verify) as there:
                    signed = await there.sign(SignatureAlgorithm.ps256, digest)
                    assert (await there.verify(SignatureAlgorithm.ps256, digest, signed.signature)).is_valid
                    sealed = await there.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"a text")
                    opened = await there.decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed.ciphertext)
                    assert opened.plaintext == b"a text"
                rotated = await client.rotate_key("async")
                versions = [item.version async for item in client.list_properties_of_key_versions("async")]
                assert set(versions) == {key.properties.version, rotated.properties.version}
                backup = await client.backup_key("async")
                await client.delete_key("async")
                await client.purge_deleted_key("async")
                assert (await client.restore_key_backup(backup)).id == rotated.id

    asyncio.run(story())
