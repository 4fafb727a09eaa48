//! Certificates that may be registered as key credentials.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use credstore_protocol::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Largest certificate in bytes. Ours: RSA-8192 with long names is a third of it.
pub const CERTIFICATE_MAX: usize = 16 * 1024;
/// RSA sizes in bits that assertions can be verified with. Source: aws-lc `RSA_PKCS1_2048_8192_SHA256`.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// What the directory needs of a certificate.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) thumbprint_sha1: [u8; 20],
    pub(super) thumbprint_sha256: [u8; 32],
    pub(super) subject: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// PKCS#1 `RSAPublicKey`, DER.
    pub(super) public_key: Vec<u8>,
}

/// Reads a certificate and refuses what could not sign an assertion. Who issued it does not matter: it is
/// trusted because the operator registered it.
pub(super) fn read(der: &[u8]) -> Result<Certificate, &'static str> {
    if der.len() > CERTIFICATE_MAX {
        return Err("larger than 16 KiB");
    }
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| "not an X.509 certificate in DER")?;
    if !rest.is_empty() {
        return Err("more than one certificate");
    }
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) if RSA_BITS.contains(&rsa.key_size()) => {}
        Ok(PublicKey::RSA(_)) => return Err("an RSA key must have from 2048 to 8192 bits"),
        _ => return Err("only RSA keys can be registered"),
    }
    let subject: String = certificate.subject().to_string().chars().take(90).collect();
    Ok(Certificate {
        thumbprint_sha1: fixed(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
        thumbprint_sha256: fixed(digest(&SHA256, der).as_ref()),
        subject,
        not_before: Timestamp(certificate.validity().not_before.timestamp()),
        not_after: Timestamp(certificate.validity().not_after.timestamp()),
        public_key: key.subject_public_key.data.to_vec(),
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut fixed = [0; N];
    fixed.copy_from_slice(bytes);
    fixed
}
