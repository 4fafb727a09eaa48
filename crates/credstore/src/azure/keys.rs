//! What the client does with the keys of a vault, besides what every kind of object has.
//!
//! Source: contract section 9.

use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use credstore_protocol::encoding::base64_any;
use credstore_protocol::key_vault::keys::{
    CreateKey, EncryptionAlgorithm, JsonWebKey, KeyBundle, KeyOperationResult, PrivateJsonWebKey, RotationPolicy,
    SignRequest, SignatureAlgorithm, UpdateKey, VerifyRequest, VerifyResult,
};
use credstore_protocol::{ObjectName, ObjectVersion, Secret};
use http::Method;
use zeroize::Zeroizing;

use super::error::AzureError;
use super::key_vault::KeyVaultClient;
use super::objects::{Keys, about, at};
use super::retry::When;

/// One of the four operations that take and give bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCrypt {
    /// `encrypt`
    Encrypt,
    /// `decrypt`
    Decrypt,
    /// `wrapkey`
    WrapKey,
    /// `unwrapkey`
    UnwrapKey,
}

impl KeyCrypt {
    /// Last part of the path, and the permission as the portal writes it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Encrypt => ("encrypt", "Encrypt"),
            Self::Decrypt => ("decrypt", "Decrypt"),
            Self::WrapKey => ("wrapkey", "WrapKey"),
            Self::UnwrapKey => ("unwrapkey", "UnwrapKey"),
        }
    }
}

/// The digest of `bytes` that is signed with this algorithm; `None` for RSNULL, which names no hash.
///
/// Source: RFC 7518 sections 3.3 to 3.5; RFC 8812 section 3.2.
pub fn digest_for(algorithm: SignatureAlgorithm, bytes: &[u8]) -> Option<Vec<u8>> {
    let hash = match algorithm {
        SignatureAlgorithm::Rs256
        | SignatureAlgorithm::Ps256
        | SignatureAlgorithm::Es256
        | SignatureAlgorithm::Es256K => &SHA256,
        SignatureAlgorithm::Rs384 | SignatureAlgorithm::Ps384 | SignatureAlgorithm::Es384 => &SHA384,
        SignatureAlgorithm::Rs512 | SignatureAlgorithm::Ps512 | SignatureAlgorithm::Es512 => &SHA512,
        SignatureAlgorithm::RsNull => return None,
    };
    Some(digest(hash, bytes).as_ref().to_vec())
}

/// Bytes that came out of a key. `Debug` does not show them.
pub struct KeyBytes {
    /// Identifier of the version that was used.
    pub kid: String,
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBytes").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn operation(version: Option<&ObjectVersion>, word: &str) -> String {
    format!("{}/{word}", at(version).trim_end_matches('/'))
}

impl KeyVaultClient {
    /// Makes a key, or a new version of it. Permission: Create.
    pub async fn create_key(&self, name: &ObjectName, create: &CreateKey, when: When) -> Result<KeyBundle, AzureError> {
        self.door().json(about::<Keys>(Method::POST, "/create", name, "Create").with_json(create), when).await
    }

    /// Imports a key, or a new version of it; `properties` has its operations, dates and tags. Permission: Import.
    pub async fn import_key(
        &self,
        name: &ObjectName,
        key: &PrivateJsonWebKey,
        properties: &UpdateKey,
        when: When,
    ) -> Result<KeyBundle, AzureError> {
        let ask = about::<Keys>(Method::PUT, "", name, "Import");
        let none = Secret::from(String::new());
        let ask = ask.with_value(import_body(key, properties), key.d.as_ref().unwrap_or(&none));
        self.door().json(ask, when).await
    }

    /// Changes properties of the current version, or of `version`. Permission: Update.
    pub async fn update_key(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        update: &UpdateKey,
        when: When,
    ) -> Result<KeyBundle, AzureError> {
        self.door().json(about::<Keys>(Method::PATCH, &at(version), name, "Update").with_json(update), when).await
    }

    /// Makes a new version like the current one. Permission: Rotate.
    pub async fn rotate_key(&self, name: &ObjectName, when: When) -> Result<KeyBundle, AzureError> {
        self.door().json(about::<Keys>(Method::POST, "/rotate", name, "Rotate"), when).await
    }

    /// When the key is rotated. Permission: GetRotationPolicy.
    pub async fn key_rotation_policy(&self, name: &ObjectName, when: When) -> Result<RotationPolicy, AzureError> {
        self.door().json(about::<Keys>(Method::GET, "/rotationpolicy", name, "GetRotationPolicy"), when).await
    }

    /// Sets when the key is rotated. Permission: SetRotationPolicy.
    pub async fn set_key_rotation_policy(
        &self,
        name: &ObjectName,
        policy: &RotationPolicy,
        when: When,
    ) -> Result<RotationPolicy, AzureError> {
        let ask = about::<Keys>(Method::PUT, "/rotationpolicy", name, "SetRotationPolicy").with_json(policy);
        self.door().json(ask, when).await
    }

    /// Signs a digest. Permission: Sign.
    pub async fn sign(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        request: &SignRequest,
        when: When,
    ) -> Result<KeyBytes, AzureError> {
        let ask = about::<Keys>(Method::POST, &operation(version, "sign"), name, "Sign").with_json(request);
        let signed = self.came_out(self.door().json(ask, when).await?)?;
        if signed.bytes.is_empty() { Err(self.door().unusable("it has no signature")) } else { Ok(signed) }
    }

    /// The bytes of an answer. One without them is no answer: an empty file in their place would pass for a result.
    fn came_out(&self, result: KeyOperationResult) -> Result<KeyBytes, AzureError> {
        let bytes = result.value.as_ref().and_then(|value| base64_any(value.expose_secret())).map(Zeroizing::new);
        let bytes = bytes.ok_or_else(|| self.door().unusable("it has no value, or one that is not base64url"))?;
        Ok(KeyBytes { kid: result.kid, bytes })
    }

    /// Says whether a signature is the key's. Permission: Verify.
    pub async fn verify(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        request: &VerifyRequest,
        when: When,
    ) -> Result<VerifyResult, AzureError> {
        let ask = about::<Keys>(Method::POST, &operation(version, "verify"), name, "Verify").with_json(request);
        self.door().json(ask, when).await
    }

    /// Encrypts, decrypts, wraps or unwraps `value`, which is base64url. Permission: that of the operation.
    pub async fn crypt(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        (crypt, algorithm, value): (KeyCrypt, EncryptionAlgorithm, &Secret),
        when: When,
    ) -> Result<KeyBytes, AzureError> {
        let (word, permission) = crypt.words();
        let ask = about::<Keys>(Method::POST, &operation(version, word), name, permission);
        self.came_out(self.door().json(ask.with_value(crypt_body(algorithm, value), value), when).await?)
    }
}

/// The body of Import: the members of the key's public half, then the private numbers, in a buffer that never grows.
fn import_body(key: &PrivateJsonWebKey, properties: &UpdateKey) -> Zeroizing<Vec<u8>> {
    let public = JsonWebKey {
        kid: None,
        kty: key.kty,
        key_ops: properties.key_ops.clone(),
        n: key.n.clone(),
        e: key.e.clone(),
        crv: key.crv,
        x: key.x.clone(),
        y: key.y.clone(),
    };
    let rest = UpdateKey { key_ops: None, ..properties.clone() };
    let (public, rest) =
        (serde_json::to_vec(&public).unwrap_or_default(), serde_json::to_vec(&rest).unwrap_or_default());
    let private =
        [("d", &key.d), ("p", &key.p), ("q", &key.q), ("dp", &key.dp), ("dq", &key.dq), ("qi", &key.qi), ("k", &key.k)];
    let length: usize =
        private.iter().flat_map(|(_, number)| *number).map(|it| it.expose_secret().len() * 6 + 16).sum();
    let room = public.len() + rest.len() + length + 16;
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    body.extend_from_slice(br#"{"key":"#);
    body.extend_from_slice(public.strip_suffix(b"}").unwrap_or(&public));
    for (name, number) in private {
        let Some(number) = number else { continue };
        body.extend_from_slice(b",\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        // Writing a string into a vector cannot go wrong.
        let _ = serde_json::to_writer(&mut *body, number.expose_secret());
    }
    body.push(b'}');
    if rest.len() > 2 {
        body.push(b',');
    }
    body.extend_from_slice(rest.get(1..).unwrap_or(b"}"));
    debug_assert_eq!(body.capacity(), room, "the buffer did not grow");
    body
}

/// The body of an operation on bytes in a buffer that never grows. Names of algorithms have nothing to escape, and what
/// is not base64url the vault refuses.
fn crypt_body(algorithm: EncryptionAlgorithm, value: &Secret) -> Zeroizing<Vec<u8>> {
    let value = value.expose_secret();
    let mut body = Zeroizing::new(Vec::with_capacity(value.len() * 6 + 64));
    body.extend_from_slice(br#"{"alg":""#);
    body.extend_from_slice(algorithm.as_str().as_bytes());
    body.extend_from_slice(br#"","value":"#);
    // Writing a string into a vector cannot go wrong.
    let _ = serde_json::to_writer(&mut *body, value);
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_an_operation_is_json_and_its_buffer_did_not_grow() {
        for value in ["AAAA", "", "\"\\\u{1}", &"\u{1}".repeat(4_000)] {
            let body = crypt_body(EncryptionAlgorithm::RsaOaep256, &Secret::from(value.to_owned()));
            assert_eq!(body.capacity(), value.len() * 6 + 64);
            let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read, serde_json::json!({"alg": "RSA-OAEP-256", "value": value}));
        }
    }

    #[test]
    fn the_body_of_import_has_every_member_that_is_there() {
        let sent = [
            serde_json::json!({"key": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "Ag", "d": "Aw"}}),
            serde_json::json!({
                "key": {"kty": "RSA", "n": "AQ", "e": "AQAB", "d": "A".repeat(9_000), "p": "Ag", "q": "Aw", "dp": "BA",
                    "dq": "BQ", "qi": "Bg", "key_ops": ["sign"]},
                "attributes": {"enabled": false},
                "tags": {"a": "\"b\""},
            }),
            serde_json::json!({"key": {"kty": "oct", "k": "\"\\\u{1}".repeat(50)}}),
        ];
        for sent in sent {
            let mut key: PrivateJsonWebKey = serde_json::from_value(sent["key"].clone()).unwrap();
            let properties: UpdateKey = serde_json::from_value(sent.clone()).unwrap();
            let properties = UpdateKey { key_ops: key.key_ops.take(), ..properties };
            let body = import_body(&key, &properties);
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), sent);
        }
    }

    #[test]
    fn the_digest_is_as_long_as_the_algorithm_says() {
        let lengths =
            SignatureAlgorithm::ALL.iter().map(|it| (it.as_str(), digest_for(*it, b"abc").map(|it| it.len())));
        for (name, length) in lengths {
            let expected = match &name[2..] {
                "256" | "256K" => Some(32),
                "384" => Some(48),
                "512" => Some(64),
                _ => None,
            };
            assert_eq!(length, expected, "{name}");
        }
    }

    #[test]
    fn an_operation_is_asked_of_the_current_version_or_of_one() {
        assert_eq!(operation(None, "sign"), "/sign");
        let version = ObjectVersion::from_bytes([0x0f; 16]);
        assert_eq!(operation(Some(&version), "sign"), format!("/{version}/sign"));
    }
}
