//! The key that signs access tokens: RS256 with one RSA-2048 key of the installation.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use credstore_protocol::encoding::base64url;
use credstore_protocol::token::JsonWebKey;
use zeroize::Zeroizing;

use crate::keys::rsa_numbers;

/// The token signing key. `Debug` and errors show nothing of it.
pub(super) struct SigningKey {
    key: KeyPair,
    pub(super) public: JsonWebKey,
}

/// A new key, PKCS#8 DER. Takes about 50 ms.
pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| "RSA-2048")?;
    let der = key.as_der().map_err(|_| "RSA-2048")?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

impl SigningKey {
    /// The key from what [`generate`] made. `None` when it is something else.
    pub(super) fn open(pkcs8: &[u8]) -> Option<Self> {
        let key = KeyPair::from_pkcs8(pkcs8).ok()?;
        let (n, e) = rsa_numbers(&key)?;
        // RFC 7638 section 3: the members of the public key, ordered, without white space.
        let thumbprint = digest(&SHA256, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
        let public = JsonWebKey {
            kty: "RSA".to_owned(),
            use_: "sig".to_owned(),
            kid: base64url(thumbprint.as_ref()),
            alg: "RS256".to_owned(),
            n,
            e,
        };
        Some(Self { key, public })
    }

    /// The signature of `message`, or `None` when the library has none to give.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    /// Whether this key signed `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref());
        public.verify(message, signature).is_ok()
    }
}
