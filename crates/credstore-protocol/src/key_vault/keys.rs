//! Messages of the Key Vault data plane about keys, and the names of key types, curves, operations and algorithms.
//!
//! Every binary member is base64url without padding. The private half of a key is only ever read, in [`ImportKey`]: no
//! message of ours can carry one out. Source: Key Vault data plane, contract section 9; RFC 7517 and RFC 7518 section 6
//! for the members of a key.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Tags, on_the_wire};
use crate::{Secret, Timestamp};

wire_names! {
    /// `kty`: what kind of key it is, and whether hardware keeps it.
    KeyType {
        /// RSA in software.
        Rsa = "RSA",
        /// RSA in hardware: premium vaults only.
        RsaHsm = "RSA-HSM",
        /// Elliptic curve in software.
        Ec = "EC",
        /// Elliptic curve in hardware: premium vaults only.
        EcHsm = "EC-HSM",
        /// Symmetric: managed HSM only.
        Oct = "oct",
        /// Symmetric in hardware: managed HSM only.
        OctHsm = "oct-HSM",
    }
}

wire_names! {
    /// `crv`: the curve of an EC key.
    Curve {
        /// NIST P-256.
        P256 = "P-256",
        /// NIST P-384.
        P384 = "P-384",
        /// NIST P-521.
        P521 = "P-521",
        /// secp256k1. Older clients, and `az keyvault key import`, write its SEC name.
        #[serde(alias = "SECP256K1")]
        P256K = "P-256K",
    }
}

wire_names! {
    /// A member of `key_ops`: what a key may be used for.
    KeyOperation {
        /// Encrypt with the public half.
        Encrypt = "encrypt",
        /// Decrypt.
        Decrypt = "decrypt",
        /// Sign a digest.
        Sign = "sign",
        /// Verify the signature of a digest.
        Verify = "verify",
        /// Encrypt another key.
        WrapKey = "wrapKey",
        /// Decrypt another key.
        UnwrapKey = "unwrapKey",
        /// Wrap a key on its way into hardware: premium vaults only.
        Import = "import",
        /// Be released to an attested environment: premium vaults only.
        Export = "export",
    }
}

wire_names! {
    /// `alg` of sign and verify, as far as a vault has them; HMAC is managed HSM only.
    SignatureAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = "RS512",
        /// RSASSA-PSS with SHA-256 (RFC 7518 section 3.5).
        Ps256 = "PS256",
        /// RSASSA-PSS with SHA-384.
        Ps384 = "PS384",
        /// RSASSA-PSS with SHA-512.
        Ps512 = "PS512",
        /// RSASSA-PKCS1-v1_5 over a DigestInfo that the caller made.
        RsNull = "RSNULL",
        /// ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4).
        Es256 = "ES256",
        /// ECDSA with P-384 and SHA-384.
        Es384 = "ES384",
        /// ECDSA with P-521 and SHA-512.
        Es512 = "ES512",
        /// ECDSA with secp256k1 and SHA-256 (RFC 8812 section 3.2).
        Es256K = "ES256K",
    }
}

wire_names! {
    /// `alg` of encrypt, decrypt, wrap and unwrap, as far as a vault has them; AES is managed HSM only.
    EncryptionAlgorithm {
        /// RSAES-OAEP with SHA-1 (RFC 7518 section 4.3).
        RsaOaep = "RSA-OAEP",
        /// RSAES-OAEP with SHA-256.
        RsaOaep256 = "RSA-OAEP-256",
        /// RSAES-PKCS1-v1_5 (RFC 7518 section 4.2).
        Rsa15 = "RSA1_5",
    }
}

/// Attributes of a key, in requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyAttributes {
    /// Whether the key may be used. Absent in a request means unchanged, or true on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not to be used before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Timestamp>,
    /// Not to be used from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<Timestamp>,
    /// When this version was made. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its properties last changed. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// What deletion means in this vault, for example `Recoverable+Purgeable`. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_level: Option<Cow<'static, str>>,
    /// Days that a deleted key is kept. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable_days: Option<u16>,
    /// Whether the private half may be released. True needs a premium vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// `"0"`: kept in software. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsm_platform: Option<Cow<'static, str>>,
}

/// The public half of a key (RFC 7517), as every answer carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonWebKey {
    /// `https://{vault-host}/keys/{name}/{version}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Kind of key.
    pub kty: KeyType,
    /// What it may be used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<KeyOperation>>,
    /// RSA modulus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RSA public exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// Curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<Curve>,
    /// X coordinate, as long as the curve's field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Y coordinate, as long as the curve's field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

/// A whole key, private half included, as an import brings it. It cannot be serialised.
#[derive(Debug, Deserialize)]
pub struct PrivateJsonWebKey {
    /// Kind of key.
    pub kty: KeyType,
    /// What it may be used for.
    #[serde(default)]
    pub key_ops: Option<Vec<KeyOperation>>,
    /// RSA modulus.
    #[serde(default)]
    pub n: Option<String>,
    /// RSA public exponent.
    #[serde(default)]
    pub e: Option<String>,
    /// Curve.
    #[serde(default)]
    pub crv: Option<Curve>,
    /// X coordinate.
    #[serde(default)]
    pub x: Option<String>,
    /// Y coordinate.
    #[serde(default)]
    pub y: Option<String>,
    /// RSA private exponent, or the private number of an EC key.
    #[serde(default)]
    pub d: Option<Secret>,
    /// First prime of an RSA key.
    #[serde(default)]
    pub p: Option<Secret>,
    /// Second prime of an RSA key.
    #[serde(default)]
    pub q: Option<Secret>,
    /// `d mod (p - 1)`.
    #[serde(default)]
    pub dp: Option<Secret>,
    /// `d mod (q - 1)`.
    #[serde(default)]
    pub dq: Option<Secret>,
    /// `q^-1 mod p`.
    #[serde(default)]
    pub qi: Option<Secret>,
    /// Symmetric key: managed HSM only.
    #[serde(default)]
    pub k: Option<Secret>,
}

/// A key as Create, Import, Get, Update, Recover, Restore and Rotate answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBundle {
    /// The public half.
    pub key: JsonWebKey,
    /// State and times.
    #[serde(default)]
    pub attributes: KeyAttributes,
    /// Tags of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// True when the key backs a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
}

/// A key in a list; the identifier has no version, except in a list of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyItem {
    /// Identifier of the key, or of the version in a list of versions.
    pub kid: String,
    /// State and times of the current version.
    #[serde(default)]
    pub attributes: KeyAttributes,
    /// Tags of the current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// True when the key backs a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
}

/// A deleted key: `T` is [`KeyBundle`] where one is answered, [`KeyItem`] in lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedKey<T> {
    /// `https://{vault-host}/deletedkeys/{name}`.
    pub recovery_id: String,
    /// When it was deleted.
    pub deleted_date: Timestamp,
    /// When it will be purged.
    pub scheduled_purge_date: Timestamp,
    /// The key as it was.
    #[serde(flatten)]
    pub key: T,
}

/// Body of `POST /keys/{name}/create`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateKey {
    /// Kind of key.
    pub kty: KeyType,
    /// RSA modulus in bits, or the bits of a curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_size: Option<u32>,
    /// RSA public exponent: managed HSM only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_exponent: Option<u64>,
    /// Curve of an EC key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<Curve>,
    /// What it may be used for; absent means everything its kind can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<KeyOperation>>,
    /// `enabled`, `nbf`, `exp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<KeyAttributes>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Rules of a release: premium vaults only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<serde_json::Value>,
}

/// Body of `PUT /keys/{name}`.
#[derive(Debug, Deserialize)]
pub struct ImportKey {
    /// Whether hardware is to keep it: premium vaults only.
    #[serde(rename = "Hsm", default)]
    pub hsm: Option<bool>,
    /// The key with its private half.
    pub key: PrivateJsonWebKey,
    /// `enabled`, `nbf`, `exp`.
    #[serde(default)]
    pub attributes: Option<KeyAttributes>,
    /// Tags.
    #[serde(default)]
    pub tags: Option<Tags>,
    /// Rules of a release: premium vaults only.
    #[serde(default)]
    pub release_policy: Option<serde_json::Value>,
}

/// Body of `PATCH /keys/{name}/{version}`: absent members stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UpdateKey {
    /// What the key may be used for from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<KeyOperation>>,
    /// `enabled`, `nbf`, `exp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<KeyAttributes>,
    /// The new tags; they replace the whole map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Rules of a release: premium vaults only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<serde_json::Value>,
}

/// Body of encrypt, decrypt, wrapkey and unwrapkey. What is encrypted is as secret as what is decrypted.
#[derive(Debug, Deserialize)]
pub struct EncryptionRequest {
    /// Algorithm.
    pub alg: EncryptionAlgorithm,
    /// The bytes to work on.
    pub value: Secret,
}

/// Body of sign. A digest is not secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignRequest {
    /// Algorithm.
    pub alg: SignatureAlgorithm,
    /// The digest.
    pub value: String,
}

/// Body of verify.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyRequest {
    /// Algorithm.
    pub alg: SignatureAlgorithm,
    /// The digest.
    pub digest: String,
    /// The signature.
    pub value: String,
}

/// Answer of every operation but verify.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyOperationResult {
    /// Identifier of the version that was used.
    pub kid: String,
    /// The bytes that came out; of decrypt and unwrap they are somebody's secret.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "on_the_wire")]
    pub value: Option<Secret>,
}

/// Answer of verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyResult {
    /// Whether the signature is the key's signature of the digest.
    pub value: bool,
}

/// When a key is rotated, and when its owner is told, as `…/rotationpolicy` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationPolicy {
    /// `https://{vault-host}/keys/{name}/rotationpolicy`. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What happens when.
    #[serde(default)]
    pub lifetime_actions: Vec<LifetimeAction>,
    /// Times.
    #[serde(default)]
    pub attributes: RotationPolicyAttributes,
}

/// One action of a rotation policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAction {
    /// When.
    #[serde(default)]
    pub trigger: LifetimeTrigger,
    /// What.
    pub action: LifetimeActionType,
}

/// The moment of an action, as one of two ISO 8601 durations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifetimeTrigger {
    /// So long after the version was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_after_create: Option<String>,
    /// So long before it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_before_expiry: Option<String>,
}

/// `{"type": …}` of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeActionType {
    /// What happens.
    #[serde(rename = "type")]
    pub kind: RotationAction,
}

wire_names! {
    /// What a rotation policy can do.
    RotationAction {
        /// Make a new version.
        Rotate = "Rotate",
        /// Tell whoever listens to the vault's events.
        Notify = "Notify",
    }
}

/// Attributes of a rotation policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationPolicyAttributes {
    /// How long a new version is valid: an ISO 8601 duration, 28 days at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<String>,
    /// When the policy was made. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it last changed. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde_json::json;

    use super::*;

    fn names<T: Copy + Serialize + for<'de> Deserialize<'de> + PartialEq + fmt::Debug>(
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Vec<&'static str> {
        for &one in all {
            assert_eq!(serde_json::to_value(one).unwrap(), json!(name(one)));
            assert_eq!(serde_json::from_value::<T>(json!(name(one))).unwrap(), one);
        }
        all.iter().map(|&one| name(one)).collect()
    }

    #[test]
    fn the_names_are_those_of_key_vault() {
        // Contract section 9; learn.microsoft.com, "Key types, algorithms, and operations".
        assert_eq!(names(KeyType::ALL, KeyType::as_str), ["RSA", "RSA-HSM", "EC", "EC-HSM", "oct", "oct-HSM"]);
        assert_eq!(names(Curve::ALL, Curve::as_str), ["P-256", "P-384", "P-521", "P-256K"]);
        assert_eq!(
            names(KeyOperation::ALL, KeyOperation::as_str),
            ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "export"]
        );
        assert_eq!(
            names(SignatureAlgorithm::ALL, SignatureAlgorithm::as_str),
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "RSNULL", "ES256", "ES384", "ES512", "ES256K"]
        );
        assert_eq!(
            names(EncryptionAlgorithm::ALL, EncryptionAlgorithm::as_str),
            ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"]
        );
        assert_eq!(names(RotationAction::ALL, RotationAction::as_str), ["Rotate", "Notify"]);
        assert_eq!(KeyType::OctHsm.to_string(), "oct-HSM");
    }

    #[test]
    fn names_are_exact_but_for_the_curve_that_az_writes_otherwise() {
        assert_eq!(serde_json::from_value::<Curve>(json!("SECP256K1")).unwrap(), Curve::P256K);
        for other in ["rsa", "", "RSA ", "DSA"] {
            assert!(serde_json::from_value::<KeyType>(json!(other)).is_err(), "{other}");
        }
        for other in ["HS256", "A256GCM", "rs256"] {
            assert!(serde_json::from_value::<SignatureAlgorithm>(json!(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn a_bundle_has_the_shape_that_azure_sends() {
        // Contract section 9.
        let sent = json!({"key": {"kid": "https://v.vault.azure.net/keys/k/4387e9f3d6e14c459867679a90fd0f79",
                "kty": "RSA", "key_ops": ["encrypt", "wrapKey"], "n": "AQAB", "e": "AQAB"},
            "attributes": {"enabled": true, "created": 1, "updated": 2, "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90, "exportable": false, "hsmPlatform": "0"}, "tags": {}});
        let bundle: KeyBundle = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(bundle.key.kty, KeyType::Rsa);
        assert_eq!(bundle.attributes.recoverable_days, Some(90));
        assert_eq!(serde_json::to_value(&bundle).unwrap(), sent);
    }

    #[test]
    fn a_deleted_key_has_the_key_beside_its_dates_and_an_item_its_kid() {
        // Contract sections 7 and 9.
        let one = json!({"recoveryId": "https://v/deletedkeys/k", "deletedDate": 1, "scheduledPurgeDate": 2,
            "key": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "attributes": {}});
        let deleted: DeletedKey<KeyBundle> = serde_json::from_value(one.clone()).unwrap();
        assert_eq!(serde_json::to_value(&deleted).unwrap(), one);
        let item = json!({"recoveryId": "https://v/deletedkeys/k", "deletedDate": 1, "scheduledPurgeDate": 2,
            "kid": "https://v/keys/k", "attributes": {"enabled": true}, "tags": {"a": "b"}});
        let deleted: DeletedKey<KeyItem> = serde_json::from_value(item.clone()).unwrap();
        assert_eq!(serde_json::to_value(&deleted).unwrap(), item);
    }

    #[test]
    fn an_import_is_read_and_shows_no_private_number() {
        let sent = r#"{"Hsm":false,"key":{"kty":"RSA","n":"n","e":"AQAB","d":"planted1","p":"planted2","q":"planted3",
            "dp":"planted4","dq":"planted5","qi":"planted6","k":"planted7"},"tags":{"a":"b"}}"#;
        let import: ImportKey = serde_json::from_str(sent).unwrap();
        assert_eq!(import.hsm, Some(false));
        let numbers = [&import.key.d, &import.key.p, &import.key.q, &import.key.dp, &import.key.dq, &import.key.qi];
        for (at, number) in numbers.into_iter().chain([&import.key.k]).enumerate() {
            assert_eq!(number.as_ref().unwrap().expose_secret(), format!("planted{}", at + 1));
        }
        assert!(!format!("{import:?}").contains("planted"));
    }

    #[test]
    fn what_goes_into_and_comes_out_of_an_operation_is_not_in_its_debug_text() {
        let request: EncryptionRequest = serde_json::from_str(r#"{"alg":"RSA-OAEP","value":"planted"}"#).unwrap();
        let result = KeyOperationResult { kid: "k".to_owned(), value: Some(Secret::from("planted".to_owned())) };
        assert!(!format!("{request:?}{result:?}").contains("planted"));
        assert_eq!(serde_json::to_value(&result).unwrap(), json!({"kid": "k", "value": "planted"}));
    }

    #[test]
    fn the_requests_of_the_contract_are_read() {
        let create =
            r#"{"kty":"RSA","key_size":2048,"key_ops":["sign","verify"],"attributes":{"enabled":true},"tags":{}}"#;
        let create: CreateKey = serde_json::from_str(create).unwrap();
        assert_eq!((create.kty, create.key_size), (KeyType::Rsa, Some(2048)));
        assert_eq!(create.key_ops.unwrap(), [KeyOperation::Sign, KeyOperation::Verify]);
        let verify = r#"{"alg":"ES256K","digest":"AA","value":"AQ"}"#;
        let verify: VerifyRequest = serde_json::from_str(verify).unwrap();
        assert_eq!(
            (verify.alg, verify.digest.as_str(), verify.value.as_str()),
            (SignatureAlgorithm::Es256K, "AA", "AQ")
        );
        let sign: SignRequest = serde_json::from_str(r#"{"alg":"RS256","value":"AA"}"#).unwrap();
        assert_eq!(sign.alg, SignatureAlgorithm::Rs256);
        let update: UpdateKey = serde_json::from_str(r#"{"key_ops":[]}"#).unwrap();
        assert_eq!((update.key_ops, update.tags), (Some(Vec::new()), None));
    }

    #[test]
    fn the_default_rotation_policy_is_read_and_written() {
        // Contract section 9.
        let sent = json!({"id": "https://v/keys/k/rotationpolicy",
            "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
            "attributes": {"expiryTime": "P90D", "created": 1, "updated": 2}});
        let policy: RotationPolicy = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(policy.lifetime_actions[0].action.kind, RotationAction::Notify);
        assert_eq!(serde_json::to_value(&policy).unwrap(), sent);
    }
}
