//! `azure_security_keyvault_keys`: every operation on keys.
//!
//! AWS-LC verifies what the vault signs, and encrypts what it decrypts. The vault uses it too: that another library
//! comes to the same is shown by the tests of the other languages, with OpenSSL.

use std::collections::HashMap;

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{self, KeyPair, UnparsedPublicKey};
use aws_lc_rs::{digest, rsa};
use azure_core::http::StatusCode;
use azure_core::time::Duration;
use azure_security_keyvault_keys::models::{
    CreateKeyParameters, CurveName, EncryptionAlgorithm, GetRandomBytesParameters, ImportKeyParameters, JsonWebKey,
    Key, KeyAttributes, KeyClientEncryptOptions, KeyClientGetKeyAttestationOptions, KeyClientGetKeyOptions,
    KeyClientSignOptions, KeyClientUpdateKeyPropertiesOptions, KeyOperation, KeyOperationParameters, KeyRotationPolicy,
    KeyRotationPolicyAction, KeyRotationPolicyAttributes, KeyType, LifetimeAction, LifetimeActionTrigger,
    LifetimeActionType, ReleaseParameters, RestoreKeyParameters, SignParameters, SignatureAlgorithm,
    UpdateKeyPropertiesParameters, VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions, ResourceExt};
use futures::TryStreamExt;

use crate::world::{Outcome, client_options, credential_of, given};

const TEXT: &[u8] = b"what is signed";

/// A client of keys that signs in as `app`.
pub fn client_of(app: &str) -> azure_core::Result<KeyClient> {
    let options = KeyClientOptions { client_options: client_options(), ..Default::default() };
    KeyClient::new(&given("VAULT_URL"), credential_of(app, app)?, Some(options))
}

fn ec(curve: CurveName) -> CreateKeyParameters {
    CreateKeyParameters { kty: Some(KeyType::Ec), curve: Some(curve), ..Default::default() }
}

fn rsa_of(bits: i32) -> CreateKeyParameters {
    CreateKeyParameters { kty: Some(KeyType::Rsa), key_size: Some(bits), ..Default::default() }
}

fn number(part: &Option<Vec<u8>>) -> &[u8] {
    part.as_deref().expect("the public key has this number")
}

fn point_of(key: &JsonWebKey) -> Vec<u8> {
    [&[4], number(&key.x), number(&key.y)].concat()
}

fn version_of(key: &Key) -> String {
    key.resource_id().ok().and_then(|id| id.version).expect("an answered key names its version")
}

fn kid_of(key: &Key) -> Option<&str> {
    key.key.as_ref().and_then(|jwk| jwk.kid.as_deref())
}

fn sealing(algorithm: EncryptionAlgorithm, value: Vec<u8>) -> KeyOperationParameters {
    KeyOperationParameters { algorithm: Some(algorithm), value: Some(value), ..Default::default() }
}

/// Signs with one version and lets the vault verify it, and refuse it for another digest; answers the signature.
async fn signature_of(
    client: &KeyClient,
    key: &Key,
    algorithm: SignatureAlgorithm,
    hash: &'static digest::Algorithm,
) -> azure_core::Result<Vec<u8>> {
    let (name, version) = (key.resource_id()?.name, version_of(key));
    let hashed = digest::digest(hash, TEXT).as_ref().to_vec();
    let asked = SignParameters { algorithm: Some(algorithm.clone()), value: Some(hashed.clone()) };
    let options = KeyClientSignOptions { key_version: Some(version.clone()), ..Default::default() };
    let signed = client.sign(&name, asked.try_into()?, Some(options)).await?.into_model()?;
    assert_eq!(signed.kid.as_deref(), kid_of(key));
    let another = digest::digest(hash, b"another text").as_ref().to_vec();
    for (digest, expected) in [(hashed, true), (another, false)] {
        let asked = VerifyParameters {
            algorithm: Some(algorithm.clone()),
            digest: Some(digest),
            signature: signed.result.clone(),
        };
        let verified = client.verify(&name, &version, asked.try_into()?, None).await?.into_model()?;
        assert_eq!(verified.value, Some(expected), "{algorithm:?}");
    }
    Ok(signed.result.expect("a signature"))
}

#[tokio::test]
async fn ec_keys_of_every_curve_sign() -> Outcome {
    use signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    };
    let client = client_of("OWNER")?;
    for (curve, algorithm, hash, verification) in [
        (CurveName::P256, SignatureAlgorithm::Es256, &digest::SHA256, &ECDSA_P256_SHA256_FIXED),
        (CurveName::P384, SignatureAlgorithm::Es384, &digest::SHA384, &ECDSA_P384_SHA384_FIXED),
        (CurveName::P521, SignatureAlgorithm::Es512, &digest::SHA512, &ECDSA_P521_SHA512_FIXED),
        (CurveName::P256K, SignatureAlgorithm::Es256K, &digest::SHA256, &ECDSA_P256K1_SHA256_FIXED),
    ] {
        let name = format!("RustEc{}", curve.as_ref());
        let key = client.create_key(&name, ec(curve.clone()).try_into()?, None).await?.into_model()?;
        let jwk = key.key.as_ref().expect("a key");
        assert_eq!((&jwk.kty, &jwk.crv), (&Some(KeyType::Ec), &Some(curve)));
        assert!(jwk.d.is_none(), "what is private stays in the vault");
        let signed = signature_of(&client, &key, algorithm, hash).await?;
        UnparsedPublicKey::new(verification, point_of(jwk)).verify(TEXT, &signed)?;
    }
    Ok(())
}

#[tokio::test]
async fn rsa_keys_of_every_size_sign() -> Outcome {
    use signature::{
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    };
    let client = client_of("OWNER")?;
    for bits in [2048, 3072, 4096] {
        let name = format!("RustRsa{bits}");
        let key = client.create_key(&name, rsa_of(bits).try_into()?, None).await?.into_model()?;
        let jwk = key.key.as_ref().expect("a key");
        assert_eq!((number(&jwk.n).len() * 8, number(&jwk.e)), (usize::try_from(bits)?, &[1, 0, 1][..]));
        let public = rsa::PublicKeyComponents { n: number(&jwk.n), e: number(&jwk.e) };
        for (algorithm, hash, verification) in [
            (SignatureAlgorithm::Rs256, &digest::SHA256, &RSA_PKCS1_2048_8192_SHA256),
            (SignatureAlgorithm::Rs384, &digest::SHA384, &RSA_PKCS1_2048_8192_SHA384),
            (SignatureAlgorithm::Rs512, &digest::SHA512, &RSA_PKCS1_2048_8192_SHA512),
            (SignatureAlgorithm::Ps256, &digest::SHA256, &RSA_PSS_2048_8192_SHA256),
            (SignatureAlgorithm::Ps384, &digest::SHA384, &RSA_PSS_2048_8192_SHA384),
            (SignatureAlgorithm::Ps512, &digest::SHA512, &RSA_PSS_2048_8192_SHA512),
        ] {
            let signed = signature_of(&client, &key, algorithm, hash).await?;
            public.verify(verification, TEXT, &signed)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_text_is_decrypted_and_a_key_is_unwrapped() -> Outcome {
    let client = client_of("OWNER")?;
    let key = client.create_key("RustSealing", rsa_of(2048).try_into()?, None).await?.into_model()?;
    let version = version_of(&key);
    for algorithm in [EncryptionAlgorithm::Rsa1_5, EncryptionAlgorithm::RsaOaep, EncryptionAlgorithm::RsaOaep256] {
        let options = KeyClientEncryptOptions { key_version: Some(version.clone()), ..Default::default() };
        let asked = sealing(algorithm.clone(), TEXT.to_vec());
        let sealed = client.encrypt("RustSealing", asked.try_into()?, Some(options)).await?.into_model()?;
        let sealed = sealing(algorithm.clone(), sealed.result.expect("a sealed text"));
        let opened = client.decrypt("RustSealing", &version, sealed.try_into()?, None).await?.into_model()?;
        assert_eq!(opened.result.as_deref(), Some(TEXT), "{algorithm:?}");
        let asked = sealing(algorithm.clone(), vec![7; 32]);
        let wrapped = client.wrap_key("RustSealing", asked.try_into()?, None).await?.into_model()?;
        assert_eq!(wrapped.kid.as_deref(), kid_of(&key), "without a version it is the newest");
        let wrapped = sealing(algorithm.clone(), wrapped.result.expect("a wrapped key"));
        let unwrapped = client.unwrap_key("RustSealing", &version, wrapped.try_into()?, None).await?.into_model()?;
        assert_eq!(unwrapped.result, Some(vec![7; 32]), "{algorithm:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_imported_key_signs_for_its_owner() -> Outcome {
    let client = client_of("OWNER")?;
    let own = signature::EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let point = own.public_key().as_ref();
    let jwk = JsonWebKey {
        kty: Some(KeyType::Ec),
        crv: Some(CurveName::P256),
        x: Some(point[1..33].to_vec()),
        y: Some(point[33..].to_vec()),
        d: Some(own.private_key().as_be_bytes()?.as_ref().to_vec()),
        ..Default::default()
    };
    let asked = ImportKeyParameters { key: Some(jwk.clone()), ..Default::default() };
    let made = client.import_key("RustImported", asked.try_into()?, None).await?.into_model()?;
    let signed = signature_of(&client, &made, SignatureAlgorithm::Es256, &digest::SHA256).await?;
    UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(TEXT, &signed)?;
    let asked = ImportKeyParameters { key: Some(jwk), hsm: Some(true), ..Default::default() };
    let refused = client.import_key("RustImported", asked.try_into()?, None).await.expect_err("there is no hardware");
    assert_eq!(refused.http_status(), Some(StatusCode::BadRequest));
    Ok(())
}

#[tokio::test]
async fn versions_attributes_and_lists() -> Outcome {
    let client = client_of("OWNER")?;
    let asked = CreateKeyParameters {
        key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
        tags: Some(HashMap::from([("a".to_owned(), "b".to_owned())])),
        ..ec(CurveName::P256)
    };
    let first = client.create_key("RustListed", asked.try_into()?, None).await?.into_model()?;
    assert_eq!(first.tags.as_ref().and_then(|tags| tags.get("a")).map(String::as_str), Some("b"));
    let second = client.create_key("RustListed", ec(CurveName::P256).try_into()?, None).await?.into_model()?;
    let current = client.get_key("RustListed", None).await?.into_model()?;
    assert_eq!(kid_of(&current), kid_of(&second));

    let change = UpdateKeyPropertiesParameters {
        key_attributes: Some(KeyAttributes { enabled: Some(false), ..Default::default() }),
        key_ops: Some(vec![KeyOperation::Verify]),
        ..Default::default()
    };
    let exactly = KeyClientUpdateKeyPropertiesOptions { key_version: Some(version_of(&first)), ..Default::default() };
    client.update_key_properties("RustListed", change.try_into()?, Some(exactly)).await?;
    let exactly = KeyClientGetKeyOptions { key_version: Some(version_of(&first)), ..Default::default() };
    let changed = client.get_key("RustListed", Some(exactly)).await?.into_model()?;
    assert_eq!(changed.attributes.and_then(|attributes| attributes.enabled), Some(false));
    assert_eq!(changed.key.and_then(|jwk| jwk.key_ops), Some(vec!["verify".to_owned()]));
    assert_eq!(changed.tags, first.tags, "what an update does not name stays");
    let change = UpdateKeyPropertiesParameters { tags: Some(HashMap::new()), ..Default::default() };
    let newest = client.update_key_properties("RustListed", change.try_into()?, None).await?.into_model()?;
    assert_eq!(kid_of(&newest), kid_of(&second), "without a version it is the newest");

    let versions: Vec<_> = client.list_key_properties_versions("RustListed", None)?.try_collect().await?;
    let mut versions: Vec<_> = versions.iter().map(|item| item.kid.as_deref()).collect();
    let mut expected = [kid_of(&first), kid_of(&second)];
    versions.sort_unstable();
    expected.sort_unstable();
    assert_eq!(versions, expected);
    Ok(())
}

#[tokio::test]
async fn a_list_of_more_than_one_page_is_complete() -> Outcome {
    let client = client_of("OWNER")?;
    let names: Vec<_> = (0..30).map(|number| format!("rust-page-{number}")).collect();
    for name in &names {
        client.create_key(name, ec(CurveName::P256).try_into()?, None).await?;
    }
    let listed: Vec<_> = client.list_key_properties(None)?.try_collect().await?;
    let listed: Vec<_> = listed.iter().map(|item| item.resource_id().map(|id| id.name)).collect::<Result<_, _>>()?;
    assert_eq!(names.iter().find(|name| !listed.contains(name)), None);
    Ok(())
}

#[tokio::test]
async fn delete_recover_purge_backup_and_restore() -> Outcome {
    let client = client_of("OWNER")?;
    let made = client.create_key("RustCircle", ec(CurveName::P256).try_into()?, None).await?.into_model()?;
    let blob = client.backup_key("RustCircle", None).await?.into_model()?.value;
    client.delete_key("RustCircle", None).await?;
    let missing = client.get_key("RustCircle", None).await.expect_err("it is deleted");
    assert_eq!(missing.http_status(), Some(StatusCode::NotFound));
    let again = ec(CurveName::P256).try_into()?;
    let taken = client.create_key("RustCircle", again, None).await.expect_err("it is reserved");
    assert_eq!(taken.http_status(), Some(StatusCode::Conflict));
    let deleted = client.get_deleted_key("RustCircle", None).await?.into_model()?;
    assert!(deleted.recovery_id.is_some_and(|id| id.ends_with("/deletedkeys/RustCircle")));
    let listed: Vec<_> = client.list_deleted_key_properties(None)?.try_collect().await?;
    assert!(listed.iter().any(|item| item.kid.as_deref().is_some_and(|kid| kid.ends_with("/keys/RustCircle"))));
    client.recover_deleted_key("RustCircle", None).await?;
    let back = client.get_key("RustCircle", None).await?.into_model()?;
    assert_eq!(kid_of(&back), kid_of(&made));
    client.delete_key("RustCircle", None).await?;
    client.purge_deleted_key("RustCircle", None).await?;
    let restore = RestoreKeyParameters { key_backup: blob };
    client.restore_key(restore.try_into()?, None).await?;
    let restored = client.get_key("RustCircle", None).await?.into_model()?;
    assert_eq!(kid_of(&restored), kid_of(&made));
    assert_eq!(restored.key.map(|jwk| jwk.x), made.key.map(|jwk| jwk.x));
    Ok(())
}

#[tokio::test]
async fn rotation_and_its_policy() -> Outcome {
    let client = client_of("OWNER")?;
    let first = client.create_key("RustRotated", ec(CurveName::P256).try_into()?, None).await?.into_model()?;
    let policy = KeyRotationPolicy {
        attributes: Some(KeyRotationPolicyAttributes { expiry_time: Some("P1Y".to_owned()), ..Default::default() }),
        lifetime_actions: Some(vec![LifetimeAction {
            action: Some(LifetimeActionType { type_prop: Some(KeyRotationPolicyAction::Rotate) }),
            trigger: Some(LifetimeActionTrigger { time_after_create: Some("P90D".to_owned()), ..Default::default() }),
        }]),
        ..Default::default()
    };
    client.update_key_rotation_policy("RustRotated", policy.try_into()?, None).await?;
    let kept = client.get_key_rotation_policy("RustRotated", None).await?.into_model()?;
    assert_eq!(kept.attributes.and_then(|attributes| attributes.expiry_time).as_deref(), Some("P1Y"));
    let rotates = |action: &LifetimeAction| {
        let kind = action.action.as_ref().and_then(|action| action.type_prop);
        let after = action.trigger.as_ref().and_then(|trigger| trigger.time_after_create.as_deref());
        (kind, after) == (Some(KeyRotationPolicyAction::Rotate), Some("P90D"))
    };
    assert!(kept.lifetime_actions.is_some_and(|actions| actions.iter().any(rotates)));
    let second = client.rotate_key("RustRotated", None).await?.into_model()?;
    assert_ne!(kid_of(&second), kid_of(&first));
    let (created, expires) = second.attributes.map(|dates| (dates.created, dates.expires)).unwrap_or_default();
    assert_eq!(expires, created.map(|at| at + Duration::days(365)), "a year after it was made");
    Ok(())
}

#[tokio::test]
async fn what_needs_hardware_is_refused() -> Outcome {
    let client = client_of("OWNER")?;
    client.create_key("RustSoftware", ec(CurveName::P256).try_into()?, None).await?;
    for kty in [KeyType::EcHsm, KeyType::RsaHsm, KeyType::Oct, KeyType::OctHsm] {
        let asked = CreateKeyParameters { kty: Some(kty.clone()), ..Default::default() };
        let refused = client.create_key("RustHardware", asked.try_into()?, None).await.expect_err("a standard vault");
        assert_eq!(refused.http_status(), Some(StatusCode::BadRequest), "{kty:?}");
    }
    let asked = GetRandomBytesParameters { count: Some(8) };
    let refused = client.get_random_bytes(asked.try_into()?, None).await.expect_err("a standard vault");
    assert_eq!(refused.http_status(), Some(StatusCode::BadRequest));
    let asked = ReleaseParameters { target_attestation_token: Some("none".to_owned()), ..Default::default() };
    let refused = client.release("RustSoftware", asked.try_into()?, None).await.expect_err("a standard vault");
    assert_eq!(refused.http_status(), Some(StatusCode::BadRequest));
    let options = KeyClientGetKeyAttestationOptions::default();
    let refused = client.get_key_attestation("RustSoftware", Some(options)).await.expect_err("a standard vault");
    assert_eq!(refused.http_status(), Some(StatusCode::BadRequest));
    Ok(())
}

#[tokio::test]
async fn an_app_without_permissions_on_keys_is_refused() -> Outcome {
    let refused = client_of("READER")?.get_key("RustForbidden", None).await.expect_err("no permission");
    assert_eq!(refused.http_status(), Some(StatusCode::Forbidden));
    assert!(refused.to_string().contains("does not have keys get permission"), "{refused}");
    Ok(())
}
