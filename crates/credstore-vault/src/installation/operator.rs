//! The built-in application that administers everything, and the file it signs in with.
//!
//! `operator.pem` holds its private key and certificate, readable by the owner of the folder only: whoever can
//! read it is the administrator, as is whoever can read the root key. It is made anew when it is missing, damaged,
//! not registered, or about to expire.

use std::time::Duration;

use credstore_protocol::{ClientId, ObjectId, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize};
use time::OffsetDateTime;
use zeroize::{Zeroize, Zeroizing};

use crate::directory::{Directory, OPERATOR_NAME};
use crate::error::OpenError;

/// Lifetime of the operator's certificate.
pub const OPERATOR_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// How long before its end it is made anew.
pub const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);
/// The certificate begins to be valid this much earlier, for a clock that was set back.
const BACKDATED: Duration = Duration::from_secs(86_400);

/// The built-in application that may administer everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Client id of its application.
    pub client_id: ClientId,
    /// Object id of its service principal.
    pub object_id: ObjectId,
}

/// A new private key with its certificate.
pub(super) struct NewCredential {
    /// Private key (PKCS#8), then certificate.
    pub(super) pem: Zeroizing<String>,
    pub(super) certificate_der: Vec<u8>,
}

/// Whether the file's certificate is the registered one and lives long enough.
pub(super) fn is_good(pem: &str, directory: &Directory, now: Timestamp) -> bool {
    let has_key = pem.contains("-----BEGIN PRIVATE KEY-----");
    let mut blocks = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok);
    let certificate = blocks.find(|block| block.label == "CERTIFICATE");
    has_key && certificate.is_some_and(|block| directory.operator_has_key(&block.contents, now + RENEW_BEFORE))
}

/// A new RSA-2048 key with a self-signed certificate. Takes about 50 ms.
pub(super) fn new_credential(now: Timestamp) -> Result<NewCredential, OpenError> {
    let failed = |_| OpenError::KeyGeneration("the operator's key");
    let date = |at: Timestamp| {
        OffsetDateTime::from_unix_timestamp(at.0).map_err(|_| OpenError::KeyGeneration("the operator's certificate"))
    };
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map(Zeroizing::new).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.not_before = date(now - BACKDATED)?;
    params.not_after = date(now + OPERATOR_LIFETIME)?;
    params.distinguished_name.push(DnType::CommonName, OPERATOR_NAME);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = params.self_signed(&*key).map_err(failed)?;
    let mut key_pem = key.serialize_pem();
    let certificate_pem = certificate.pem();
    let mut pem = Zeroizing::new(String::with_capacity(key_pem.len() + certificate_pem.len()));
    pem.push_str(&key_pem);
    pem.push_str(&certificate_pem);
    key_pem.zeroize();
    Ok(NewCredential { pem, certificate_der: certificate.der().to_vec() })
}
