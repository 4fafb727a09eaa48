//! A key pair to sign in with: RSA and a certificate that signs itself, as the set-up guide makes one with openssl.

use std::time::Duration;

use credstore_protocol::{Secret, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize};
use time::OffsetDateTime;
use zeroize::{Zeroize, Zeroizing};

use crate::error::OpenError;

/// Lifetime of the certificate. Source: the set-up guide, `-days 365`.
pub const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// The certificate begins to be valid this much earlier, for a clock that was set back.
const BACKDATED: Duration = Duration::from_secs(86_400);

/// A new private key with its certificate.
#[derive(Debug)]
pub struct NewCredential {
    /// Private key (PKCS#8), then certificate.
    pub pem: Secret,
    /// The certificate alone.
    pub certificate_der: Vec<u8>,
}

impl NewCredential {
    /// A new RSA-2048 key with a self-signed certificate for `common_name`. Takes about 50 ms.
    ///
    /// # Errors
    /// [`OpenError::KeyGeneration`].
    pub fn generate(common_name: &str, now: Timestamp) -> Result<Self, OpenError> {
        let failed = |_| OpenError::KeyGeneration("a key to sign in with");
        let date = |at: Timestamp| {
            OffsetDateTime::from_unix_timestamp(at.0)
                .map_err(|_| OpenError::KeyGeneration("a certificate to sign in with"))
        };
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map(Zeroizing::new).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.not_before = date(now - BACKDATED)?;
        params.not_after = date(now + CREDENTIAL_LIFETIME)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&*key).map_err(failed)?;
        let mut key_pem = key.serialize_pem();
        let certificate_pem = certificate.pem();
        let mut pem = Zeroizing::new(String::with_capacity(key_pem.len() + certificate_pem.len()));
        pem.push_str(&key_pem);
        pem.push_str(&certificate_pem);
        key_pem.zeroize();
        Ok(Self { pem: Secret::from(pem), certificate_der: certificate.der().to_vec() })
    }
}
