//! From the bytes of a file to a certificate: what is in it, do key and certificate belong together, and if
//! not, which of the usual mistakes is it.

use aws_lc_rs::digest;
use aws_lc_rs::signature::RsaKeyPair;
use credstore_protocol::pem::{self, Block, PemError};
use credstore_protocol::{Secret, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use zeroize::Zeroizing;

use super::{CertificateError, PublicCertificate, SigningCertificate, pfx};

/// Largest file in bytes. A key of 8,192 bits with a chain of five certificates has 20 KB. Ours.
pub(super) const FILE_MAX: usize = 128 * 1024;
/// `rsaEncryption`, 1.2.840.113549.1.1.1, as DER. Source: RFC 8017 appendix A.
const OID_RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `id-ecPublicKey`, 1.2.840.10045.2.1, as DER. Source: RFC 5480 section 2.1.1.
const OID_EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// Where the algorithm of a PKCS#8 key stands at the latest, in bytes: after version and two length fields.
const PKCS8_ALGORITHM_WITHIN: usize = 32;

/// What a file holds, before anything is matched.
#[derive(Default)]
pub(super) struct Content {
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(super) certificates: Vec<Vec<u8>>,
}

pub(super) fn load(bytes: &[u8], password: Option<&Secret>) -> Result<SigningCertificate, CertificateError> {
    if bytes.len() > FILE_MAX {
        return Err(CertificateError::TooLarge);
    }
    let content = match text_of(bytes)? {
        Some(text) => from_pem(text)?,
        None => from_binary(bytes, password)?,
    };
    pair(content)
}

/// The text, when the file is text. A byte order mark is dropped; UTF-16, as some editors save, is named.
fn text_of(bytes: &[u8]) -> Result<Option<&str>, CertificateError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(CertificateError::Empty);
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(CertificateError::Utf16);
    }
    // The text around the blocks may be in any encoding; the blocks themselves are ASCII.
    if bytes.first() == Some(&0x30) && !contains(bytes, b"-----BEGIN ") {
        return Ok(None);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => Ok(Some(text)),
        _ => Err(CertificateError::NotACertificate),
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

impl From<PemError> for CertificateError {
    fn from(error: PemError) -> Self {
        match error {
            PemError::NotClosed(label) => Self::BlockNotClosed(label),
            PemError::Damaged(label) => Self::BlockDamaged(label),
            PemError::Encrypted => Self::KeyEncrypted,
        }
    }
}

fn from_pem(text: &str) -> Result<Content, CertificateError> {
    let mut content = Content::default();
    let mut refused = None;
    for Block { label, der } in pem::blocks(text)? {
        match label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => content.certificates.push(der.to_vec()),
            "PRIVATE KEY" | "RSA PRIVATE KEY" => content.keys.push(der),
            "ENCRYPTED PRIVATE KEY" => refused = Some(CertificateError::KeyEncrypted),
            "EC PRIVATE KEY" => refused = Some(CertificateError::KeyNotRsa("an EC")),
            // Public keys, parameters, requests: they do no harm beside what we look for.
            _ => {}
        }
    }
    match refused {
        Some(error) if content.keys.is_empty() => Err(error),
        _ => Ok(content),
    }
}

fn from_binary(bytes: &[u8], password: Option<&Secret>) -> Result<Content, CertificateError> {
    if X509Certificate::from_der(bytes).is_ok() {
        return Err(CertificateError::DerCertificate);
    }
    if RsaKeyPair::from_pkcs8(bytes).is_ok() || RsaKeyPair::from_der(bytes).is_ok() {
        return Err(CertificateError::DerKey);
    }
    pfx::read(bytes, password)
}

/// Finds the certificate of the key. More than one key is fine as long as one of them has its certificate.
fn pair(content: Content) -> Result<SigningCertificate, CertificateError> {
    let Content { keys, certificates } = content;
    match (keys.is_empty(), certificates.is_empty()) {
        (true, true) => return Err(CertificateError::NotACertificate),
        (true, false) => return Err(CertificateError::OnlyCertificate),
        (false, true) => {
            rsa_key(&keys[0])?;
            return Err(CertificateError::OnlyKey);
        }
        (false, false) => {}
    }
    let parsed: Vec<PublicCertificate> = certificates.into_iter().map(parse).collect::<Result<_, _>>()?;
    for key in &keys {
        let key = rsa_key(key)?;
        let wanted = SigningCertificate::public_key_of(&key);
        if let Some(at) =
            parsed.iter().position(|certificate| certificate.key_bits.is_some() && certificate.public_key == wanted)
        {
            let mut parsed = parsed;
            let public = parsed.remove(at);
            let chain = parsed.into_iter().map(|other| other.der).filter(|der| *der != public.der).collect();
            return Ok(SigningCertificate { public, chain, key });
        }
    }
    Err(CertificateError::KeyMismatch { certificates: parsed.len() })
}

/// Reads a private key, PKCS#8 or PKCS#1.
fn rsa_key(der: &[u8]) -> Result<RsaKeyPair, CertificateError> {
    let as_pkcs8 = match RsaKeyPair::from_pkcs8(der) {
        Ok(key) => return Ok(key),
        Err(rejected) => rejected,
    };
    let as_pkcs1 = match RsaKeyPair::from_der(der) {
        Ok(key) => return Ok(key),
        Err(rejected) => rejected,
    };
    let start = &der[..der.len().min(PKCS8_ALGORITHM_WITHIN)];
    Err(if contains(start, OID_EC) {
        CertificateError::KeyNotRsa("an EC")
    } else if [as_pkcs8, as_pkcs1].iter().any(|rejected| rejected.to_string() == "TooSmall") {
        CertificateError::KeyTooSmall
    } else if contains(start, OID_RSA) || !looks_like_pkcs8(der) {
        CertificateError::KeyDamaged
    } else {
        CertificateError::KeyNotRsa("another kind of")
    })
}

/// SEQUENCE, INTEGER 0 or 1, SEQUENCE: version and algorithm of PKCS#8. PKCS#1 has an INTEGER in third place.
fn looks_like_pkcs8(der: &[u8]) -> bool {
    let after_header = match der {
        [0x30, short, rest @ ..] if *short < 0x80 => rest,
        [0x30, 0x81, _, rest @ ..] | [0x30, 0x82, _, _, rest @ ..] => rest,
        _ => return false,
    };
    matches!(after_header, [0x02, 0x01, 0 | 1, 0x30, ..])
}

fn parse(der: Vec<u8>) -> Result<PublicCertificate, CertificateError> {
    let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| CertificateError::CertificateDamaged)?;
    if !rest.is_empty() {
        return Err(CertificateError::CertificateDamaged);
    }
    let key_bits = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    };
    let thumbprint = |algorithm| digest::digest(algorithm, &der);
    let (sha1, sha256) = (thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY), thumbprint(&digest::SHA256));
    Ok(PublicCertificate {
        subject: certificate.subject().to_string(),
        not_before: Timestamp(certificate.validity().not_before.timestamp()),
        not_after: Timestamp(certificate.validity().not_after.timestamp()),
        thumbprint_sha1: sha1.as_ref().try_into().map_err(|_| CertificateError::CertificateDamaged)?,
        thumbprint_sha256: sha256.as_ref().try_into().map_err(|_| CertificateError::CertificateDamaged)?,
        key_bits,
        public_key: certificate.public_key().subject_public_key.data.to_vec(),
        der,
    })
}

/// Reads a file that is meant for upload: DER (`.cer`) or PEM, with certificates only.
///
/// # Errors
/// [`CertificateError::HoldsPrivateKey`] when a private key is in it, in whatever form: such a file must never
/// be uploaded.
pub fn public_certificate(bytes: &[u8]) -> Result<PublicCertificate, CertificateError> {
    if bytes.len() > FILE_MAX {
        return Err(CertificateError::TooLarge);
    }
    if contains(bytes, b"PRIVATE KEY-----") {
        return Err(CertificateError::HoldsPrivateKey);
    }
    match text_of(bytes)? {
        None => match parse(bytes.to_vec()) {
            Ok(certificate) => Ok(certificate),
            Err(_) => Err(match from_binary(bytes, None) {
                Err(
                    CertificateError::DerKey | CertificateError::PfxPassword { .. } | CertificateError::PfxNotBuiltIn,
                )
                | Ok(_) => CertificateError::HoldsPrivateKey,
                Err(_) => CertificateError::NotACertificate,
            }),
        },
        Some(text) => {
            let content = from_pem(text)?;
            let first = content.certificates.into_iter().next().ok_or(CertificateError::NotACertificate)?;
            parse(first)
        }
    }
}

/// The public half of a file with or without a private key: the certificate that matches the key, or the first.
///
/// # Errors
/// As [`SigningCertificate::load`] when there is a key, else as [`public_certificate`].
pub fn export_public(bytes: &[u8], password: Option<&Secret>) -> Result<PublicCertificate, CertificateError> {
    match load(bytes, password) {
        Ok(certificate) => Ok(certificate.public),
        Err(CertificateError::OnlyCertificate | CertificateError::DerCertificate) => public_certificate(bytes),
        Err(other) => Err(other),
    }
}
