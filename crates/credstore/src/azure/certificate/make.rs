//! Makes a key and a self-signed certificate, in the form that `openssl req -x509 -nodes` leaves: one PEM file
//! with the PKCS#8 key first, then the certificate, lines ended by LF.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use credstore_protocol::pem::push_block;
use credstore_protocol::{Secret, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    PublicKeyData, SignatureAlgorithm, SigningKey,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{PublicCertificate, public_certificate};
use crate::codes;
use crate::diagnosis::Diagnosis;

/// Subject when none is given.
pub const DEFAULT_SUBJECT: &str = "CN=credstore";
/// Days of validity when none are given. Source: the set-up guide, `-days 365`.
pub const DEFAULT_DAYS: u32 = 365;
/// Most days of validity. Ours: ten years; the portal takes no certificate that ends after 2049 gracefully.
pub const DAYS_MAX: u32 = 3650;
/// How far the start lies back, so that a clock that is a little behind accepts it. Source: Key Vault's own
/// certificates, contract section 8.
pub const BACKDATED: Duration = Duration::from_secs(600);
/// Longest subject in bytes. Source: X.520 bounds each part at 64; ours for the whole.
pub const SUBJECT_MAX: usize = 512;

/// Why no certificate was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// Not a size that the library makes and the directory takes.
    #[error("{0} bits is not 2048, 3072 or 4096")]
    KeyBits(u32),
    /// None, or more than [`DAYS_MAX`].
    #[error("{0} days is not between 1 and {DAYS_MAX}")]
    Days(u32),
    /// The subject is not readable; which part.
    #[error("{0} is not a subject such as CN=process-mining, O=Acme")]
    Subject(String),
    /// The library refused.
    #[error("the certificate cannot be made")]
    Library,
}

impl From<GenerateError> for Diagnosis {
    fn from(error: GenerateError) -> Self {
        let code = match &error {
            GenerateError::KeyBits(_) | GenerateError::Days(_) | GenerateError::Subject(_) => {
                &codes::settings::CERTIFICATE_PARAMETERS
            }
            GenerateError::Library => &codes::internal::BUG,
        };
        let fix = match &error {
            GenerateError::KeyBits(_) => "use 2048, 3072 or 4096 bits".to_owned(),
            GenerateError::Days(_) => format!("use 1 to {DAYS_MAX} days"),
            GenerateError::Subject(_) => "write it as CN=process-mining, O=Acme".to_owned(),
            GenerateError::Library => "report it: credstore explain CS9001".to_owned(),
        };
        Diagnosis::error(code, error.to_string()).fix(fix)
    }
}

/// A new key with its certificate.
pub struct GeneratedCertificate {
    /// The file's text, with the private key: write it with mode 0600.
    pub pem: Secret,
    /// What may be shown and uploaded.
    pub public: PublicCertificate,
}

struct Signer {
    key: RsaKeyPair,
    public: Vec<u8>,
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// Makes an RSA key and a certificate for it that signs itself with SHA-256, valid for `days` from `now`.
///
/// `subject` is a name, taken as the common name, or `CN=…, OU=…, O=…, L=…, ST=…, C=…`. Takes 50 to 1,000 ms of
/// processor time; do not call it on a thread that serves others.
pub fn generate(
    subject: &str,
    key_bits: u32,
    days: u32,
    now: Timestamp,
) -> Result<GeneratedCertificate, GenerateError> {
    let size = match key_bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        other => return Err(GenerateError::KeyBits(other)),
    };
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(GenerateError::Days(days));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(subject)?;
    params.not_before = moment(now - BACKDATED)?;
    params.not_after = moment(now + Duration::from_secs(u64::from(days) * 86_400))?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];

    let key = RsaKeyPair::generate(size).map_err(|_| GenerateError::Library)?;
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(|_| GenerateError::Library)?;
    let signer = Signer { public: key.public_key().as_ref().to_vec(), key };
    let certificate = params.self_signed(&signer).map_err(|_| GenerateError::Library)?;
    let public = public_certificate(certificate.der()).map_err(|_| GenerateError::Library)?;

    // Large enough from the start: a string that grows leaves unwiped copies behind.
    let mut pem = Zeroizing::new(String::with_capacity((pkcs8.as_ref().len() + public.der.len()) * 2 + 256));
    push_block(&mut pem, "PRIVATE KEY", pkcs8.as_ref());
    push_block(&mut pem, "CERTIFICATE", &public.der);
    Ok(GeneratedCertificate { pem: pem.into(), public })
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, GenerateError> {
    OffsetDateTime::from_unix_timestamp(at.0).map_err(|_| GenerateError::Library)
}

/// A certificate as PEM.
pub fn certificate_pem(certificate: &PublicCertificate) -> String {
    let mut pem = String::new();
    push_block(&mut pem, "CERTIFICATE", &certificate.der);
    pem
}

fn distinguished_name(subject: &str) -> Result<DistinguishedName, GenerateError> {
    let refused = |part: &str| GenerateError::Subject(part.trim().to_owned());
    let subject = subject.trim();
    if subject.is_empty() || subject.len() > SUBJECT_MAX || subject.contains(char::is_control) {
        return Err(refused(subject));
    }
    let mut name = DistinguishedName::new();
    if !subject.contains('=') {
        name.push(DnType::CommonName, subject);
        return Ok(name);
    }
    // Both spellings are usual: `CN=a, O=b` and OpenSSL's `/CN=a/O=b`.
    let separator = if subject.starts_with('/') { '/' } else { ',' };
    for part in subject.split(separator).filter(|part| !part.trim().is_empty()) {
        let (kind, value) = part.split_once('=').ok_or_else(|| refused(part))?;
        let value = value.trim();
        let kind = match kind.trim().to_ascii_uppercase().as_str() {
            "CN" => DnType::CommonName,
            "OU" => DnType::OrganizationalUnitName,
            "O" => DnType::OrganizationName,
            "L" => DnType::LocalityName,
            "ST" | "S" => DnType::StateOrProvinceName,
            "C" if value.len() == 2 => DnType::CountryName,
            _ => return Err(refused(part)),
        };
        if value.is_empty() || name.get(&kind).is_some() {
            return Err(refused(part));
        }
        let printable = value.try_into().ok().filter(|_| kind == DnType::CountryName);
        name.push(kind, printable.map_or_else(|| DnValue::Utf8String(value.to_owned()), DnValue::PrintableString));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_name_or_its_parts() {
        let read = |subject: &str| {
            let name = distinguished_name(subject).unwrap();
            name.iter().map(|(kind, value)| format!("{kind:?}={value:?}")).collect::<Vec<_>>().join(",")
        };
        assert_eq!(read("process-mining"), read("CN=process-mining"));
        assert_eq!(read("CN=a, O=b, C=DE"), read("/CN=a/O=b/C=DE"));
    }

    #[test]
    fn a_subject_that_cannot_be_read_is_refused() {
        let long = format!("CN={}", "a".repeat(SUBJECT_MAX - 2));
        for subject in ["", "  ", "CN=", "X=a", "CN=a,CN=b", "CN=a,b", "C=Germany", "CN=a\nO=b", &long] {
            assert!(matches!(distinguished_name(subject), Err(GenerateError::Subject(_))), "{subject}");
        }
        assert!(distinguished_name(&long[..SUBJECT_MAX]).is_ok());
    }

    #[test]
    fn sizes_and_days_have_bounds() {
        let refused = |bits, days| generate("a", bits, days, Timestamp(0)).err().unwrap();
        assert_eq!(refused(1024, 1), GenerateError::KeyBits(1024));
        assert_eq!(refused(2048, 0), GenerateError::Days(0));
        assert_eq!(refused(2048, DAYS_MAX + 1), GenerateError::Days(DAYS_MAX + 1));
        assert!(generate("a", 2048, DAYS_MAX, Timestamp(1_700_000_000)).is_ok());
    }
}
