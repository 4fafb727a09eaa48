//! Certificates that sign themselves, and requests for those that others sign.
//!
//! The key signs through its own [`KeyMaterial::sign`]: the library that writes the DER never sees the private half.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::certificates::{AlternativeNames, KeyUsage};
use credstore_protocol::key_vault::keys::{Curve, SignatureAlgorithm};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, OtherNameValue, PublicKeyData, SanType,
    SigningKey,
};
use time::OffsetDateTime;

use super::{CertificateError, Chain, Policy, ValueRefusal, name};
use crate::authority::{BACKDATED, serial_number};
use crate::keys::{KeyMaterial, KeyShape};

/// User principal name as another name: `id-ms-san-upn`. Source: Microsoft, "Certificate requirements for smart cards".
pub(super) const UPN: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

/// A key of the vault, as the library asks for signatures.
pub(super) struct Signer<'a> {
    key: &'a KeyMaterial,
    written: &'static rcgen::SignatureAlgorithm,
    signature: SignatureAlgorithm,
    digest: &'static Algorithm,
}

impl<'a> Signer<'a> {
    /// SHA-256 for RSA (contract section 8), for a curve the digest of its length. `None` for P-256K.
    fn of(key: &'a KeyMaterial) -> Option<Self> {
        let (written, signature, digest) = match key.shape() {
            KeyShape::Rsa(_) => (&rcgen::PKCS_RSA_SHA256, SignatureAlgorithm::Rs256, &SHA256),
            KeyShape::Ec(Curve::P256) => (&rcgen::PKCS_ECDSA_P256_SHA256, SignatureAlgorithm::Es256, &SHA256),
            KeyShape::Ec(Curve::P384) => (&rcgen::PKCS_ECDSA_P384_SHA384, SignatureAlgorithm::Es384, &SHA384),
            KeyShape::Ec(Curve::P521) => (&rcgen::PKCS_ECDSA_P521_SHA512, SignatureAlgorithm::Es512, &SHA512),
            KeyShape::Ec(Curve::P256K) => return None,
        };
        Some(Self { key, written, signature, digest })
    }
}

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.public_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.written
    }
}

impl SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let digest = digest(self.digest, message);
        let signature = self.key.sign(self.signature, digest.as_ref()).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(match self.key.shape() {
            KeyShape::Rsa(_) => signature,
            KeyShape::Ec(_) => ecdsa_signature(&signature),
        })
    }
}

/// `r` and `s` of equal length as `ECDSA-Sig-Value`. Source: RFC 3279 section 2.2.3.
fn ecdsa_signature(fixed: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(fixed.len() + 8);
    let (r, s) = fixed.split_at(fixed.len() / 2);
    for number in [r, s] {
        let zeros = number.iter().take(number.len().saturating_sub(1)).take_while(|&&byte| byte == 0).count();
        let number = &number[zeros..];
        let sign = number.first().is_some_and(|first| first & 0x80 != 0);
        // The numbers of the largest curve have 66 bytes: a length is one byte.
        content.extend([0x02, (number.len() + usize::from(sign)) as u8]);
        content.extend(sign.then_some(0));
        content.extend_from_slice(number);
    }
    let mut der = vec![0x30];
    if content.len() > 0x7f {
        der.push(0x81);
    }
    der.push(content.len() as u8);
    der.extend_from_slice(&content);
    der
}

/// A certificate for `key` by `policy` that signs itself, valid from ten minutes before `now` until so many months after it.
///
/// # Errors
/// [`CertificateError::Value`] for a key of P-256K, [`CertificateError::Date`], [`CertificateError::Library`].
///
/// Source: contract section 8, "Self-signed certificate".
pub fn self_signed(policy: &Policy, key: &KeyMaterial, now: Timestamp) -> Result<Chain, CertificateError> {
    let signer = signer(key)?;
    let mut params = params(policy)?;
    params.not_before = date(now - BACKDATED)?;
    params.not_after = months_after(date(now)?, policy.months)?;
    params.serial_number = Some(serial_number());
    params.use_authority_key_identifier_extension = true;
    let certificate = params.self_signed(&signer).map_err(|_| CertificateError::Library)?;
    Chain::of(vec![certificate.der().to_vec()])
}

/// The request, PKCS#10 in DER, for a certificate by `policy` for `key`.
///
/// # Errors
/// [`CertificateError::Value`] for a key of P-256K, [`CertificateError::Library`].
///
/// Source: RFC 2986; contract section 8, `csr`.
pub fn request_of(policy: &Policy, key: &KeyMaterial) -> Result<Vec<u8>, CertificateError> {
    let request = params(policy)?.serialize_request(&signer(key)?).map_err(|_| CertificateError::Library)?;
    Ok(request.der().to_vec())
}

pub(super) fn signer(key: &KeyMaterial) -> Result<Signer<'_>, CertificateError> {
    Signer::of(key).ok_or(CertificateError::Value { property: "key_props", refusal: ValueRefusal::Key })
}

/// What certificate and request have in common.
pub(super) fn params(policy: &Policy) -> Result<CertificateParams, CertificateError> {
    let value = |refusal| CertificateError::Value { property: "x509_props", refusal };
    let mut params = CertificateParams::default();
    params.distinguished_name = name::distinguished(&policy.subject).ok_or(value(ValueRefusal::Name))?;
    params.subject_alt_names = alternative_names(&policy.names)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = policy.key_usage.iter().copied().map(key_usage).collect();
    for eku in &policy.ekus {
        let arcs = name::object_identifier(eku).ok_or(value(ValueRefusal::Usage))?;
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::Other(arcs));
    }
    Ok(params)
}

const fn key_usage(usage: KeyUsage) -> KeyUsagePurpose {
    match usage {
        KeyUsage::DigitalSignature => KeyUsagePurpose::DigitalSignature,
        KeyUsage::NonRepudiation => KeyUsagePurpose::ContentCommitment,
        KeyUsage::KeyEncipherment => KeyUsagePurpose::KeyEncipherment,
        KeyUsage::DataEncipherment => KeyUsagePurpose::DataEncipherment,
        KeyUsage::KeyAgreement => KeyUsagePurpose::KeyAgreement,
        KeyUsage::KeyCertSign => KeyUsagePurpose::KeyCertSign,
        KeyUsage::CrlSign => KeyUsagePurpose::CrlSign,
        KeyUsage::EncipherOnly => KeyUsagePurpose::EncipherOnly,
        KeyUsage::DecipherOnly => KeyUsagePurpose::DecipherOnly,
    }
}

/// Kinds of names whose text is ASCII.
type Ascii = fn(Ia5String) -> SanType;

/// The names as the library writes them.
pub(super) fn alternative_names(names: &AlternativeNames) -> Result<Vec<SanType>, CertificateError> {
    let refused = CertificateError::Value { property: "x509_props", refusal: ValueRefusal::AlternativeName };
    let mut written = Vec::new();
    let ascii: [(Ascii, _); 3] =
        [(SanType::Rfc822Name, &names.emails), (SanType::DnsName, &names.dns_names), (SanType::URI, &names.uris)];
    for (kind, texts) in ascii {
        for text in texts.iter().flatten() {
            written.push(kind(text.as_str().try_into().map_err(|_| refused.clone())?));
        }
    }
    for text in names.upns.iter().flatten() {
        written.push(SanType::OtherName((UPN.to_vec(), OtherNameValue::Utf8String(text.clone()))));
    }
    for text in names.ip_addresses.iter().flatten() {
        written.push(SanType::IpAddress(text.parse().map_err(|_| refused.clone())?));
    }
    Ok(written)
}

pub(super) fn date(at: Timestamp) -> Result<OffsetDateTime, CertificateError> {
    OffsetDateTime::from_unix_timestamp(at.0).map_err(|_| CertificateError::Date)
}

/// The same day and time so many months later, or the last day of that month.
pub(super) fn months_after(from: OffsetDateTime, months: i64) -> Result<OffsetDateTime, CertificateError> {
    let counted = i64::from(from.year()) * 12 + i64::from(u8::from(from.month())) - 1 + months;
    let year = i32::try_from(counted.div_euclid(12)).map_err(|_| CertificateError::Date)?;
    let month = u8::try_from(counted.rem_euclid(12) + 1).ok().and_then(|month| time::Month::try_from(month).ok());
    let month = month.ok_or(CertificateError::Date)?;
    let day = from.day().min(month.length(year));
    // RFC 5280 section 4.1.2.5: a certificate cannot say a year after 9999; `time` has none either.
    let date = time::Date::from_calendar_date(year, month, day).map_err(|_| CertificateError::Date)?;
    Ok(from.replace_date(date))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_on_the_same_day_or_the_last() {
        let at = |text: &str| OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        for (from, months, until) in [
            ("2026-11-23T18:00:01Z", 12, "2027-11-23T18:00:01Z"),
            ("2027-01-31T00:00:00Z", 1, "2027-02-28T00:00:00Z"),
            ("2028-02-29T00:00:00Z", 12, "2029-02-28T00:00:00Z"),
            ("2026-12-01T00:00:00Z", 1, "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(months_after(at(from), months), Ok(at(until)), "{from}");
        }
        assert_eq!(months_after(at("9999-12-01T00:00:00Z"), 1), Err(CertificateError::Date));
    }

    #[test]
    fn a_signature_has_positive_numbers_without_zeros_in_front() {
        // X.690 sections 8.3.2 and 8.1.3.5.
        assert_eq!(ecdsa_signature(&[0, 1, 0x80, 0]), [0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 0]);
        assert_eq!(ecdsa_signature(&[0, 0, 0, 2]), [0x30, 6, 2, 1, 0, 2, 1, 2]);
        let long = ecdsa_signature(&[0x01; 132]);
        assert_eq!(long[..5], [0x30, 0x81, 136, 2, 66]);
    }
}
