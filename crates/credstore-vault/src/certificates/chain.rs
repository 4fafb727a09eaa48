//! A certificate with the certificates above it, leaf first, as versions of a certificate keep it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use credstore_protocol::Timestamp;
use credstore_protocol::encoding::{base64_any, base64_standard, base64url};
use credstore_protocol::key_vault::keys::Curve;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{CHAIN_BYTES_MAX, CHAIN_MAX, CertificateError};
use crate::keys::{KeyMaterial, KeyShape, RsaSize};

/// One to [`CHAIN_MAX`] certificates that can be read, leaf first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(Vec<Vec<u8>>);

impl Chain {
    /// The chain of these certificates in DER.
    ///
    /// # Errors
    /// [`CertificateError::Count`], [`CertificateError::TooLarge`], [`CertificateError::Unreadable`].
    pub fn of(certificates: Vec<Vec<u8>>) -> Result<Self, CertificateError> {
        if !(1..=CHAIN_MAX).contains(&certificates.len()) {
            return Err(CertificateError::Count(certificates.len()));
        }
        if certificates.iter().map(Vec::len).sum::<usize>() > CHAIN_BYTES_MAX {
            return Err(CertificateError::TooLarge { most: CHAIN_BYTES_MAX });
        }
        for certificate in &certificates {
            parse(certificate)?;
        }
        Ok(Self(certificates))
    }

    /// What somebody signed on the request of `key`: `x5c` of a merge, whose first certificate has to be the key's. An
    /// element may be base64 of the base64 text, as the Python client sends it.
    ///
    /// # Errors
    /// Those of [`of`](Self::of), [`CertificateError::OtherKey`].
    ///
    /// Source: contract section 8, "Merge".
    pub fn merge(key: &KeyMaterial, x5c: &[String]) -> Result<Self, CertificateError> {
        if x5c.len() > CHAIN_MAX {
            return Err(CertificateError::Count(x5c.len()));
        }
        if x5c.iter().map(String::len).sum::<usize>() > CHAIN_BYTES_MAX * 2 {
            return Err(CertificateError::TooLarge { most: CHAIN_BYTES_MAX });
        }
        let read = |text: &String| {
            let bytes = base64_any(text)?;
            // DER begins with the tag of a SEQUENCE, which is `0` and no certificate's base64.
            if bytes.first() == Some(&0x30) { Some(bytes) } else { base64_any(std::str::from_utf8(&bytes).ok()?) }
        };
        let certificates = x5c.iter().map(read).collect::<Option<Vec<_>>>().ok_or(CertificateError::Unreadable)?;
        let chain = Self::of(certificates)?;
        if chain.is_of(key)? { Ok(chain) } else { Err(CertificateError::OtherKey) }
    }

    /// The certificates in DER, leaf first.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The leaf in DER.
    pub fn leaf(&self) -> &[u8] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// `cer` of answers: the leaf in standard base64.
    pub fn cer(&self) -> String {
        base64_standard(self.leaf())
    }

    /// `x5t` of answers: SHA-1 of the leaf, base64url without padding.
    pub fn x5t(&self) -> String {
        base64url(digest(&SHA1_FOR_LEGACY_USE_ONLY, self.leaf()).as_ref())
    }

    /// Beginning and end of the leaf's validity.
    ///
    /// # Errors
    /// [`CertificateError::Unreadable`], never for a chain that was made here.
    pub fn validity(&self) -> Result<(Timestamp, Timestamp), CertificateError> {
        let leaf = parse(self.leaf())?;
        let validity = leaf.validity();
        Ok((Timestamp(validity.not_before.timestamp()), Timestamp(validity.not_after.timestamp())))
    }

    /// Whether the leaf is for this key.
    ///
    /// # Errors
    /// As [`validity`](Self::validity).
    pub fn is_of(&self, key: &KeyMaterial) -> Result<bool, CertificateError> {
        is_of(&parse(self.leaf())?, key)
    }
}

/// One certificate and nothing after it.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(CertificateError::Unreadable),
    }
}

pub(super) fn is_of(certificate: &X509Certificate<'_>, key: &KeyMaterial) -> Result<bool, CertificateError> {
    let public = certificate.public_key();
    Ok(shape_of(certificate) == Some(key.shape()) && public.subject_public_key.data.as_ref() == key.public_bytes())
}

/// Kind and size of a certificate's key. `None`: a vault has no such keys.
pub(super) fn shape_of(certificate: &X509Certificate<'_>) -> Option<KeyShape> {
    let public = certificate.public_key();
    match public.parsed().ok()? {
        PublicKey::RSA(rsa) => RsaSize::of_bits(rsa.key_size()).ok().map(KeyShape::Rsa),
        PublicKey::EC(_) => {
            let curve = public.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            // RFC 5480 section 2.1.1.1; SEC 2 for secp256k1.
            let curve = match curve.as_str() {
                "1.2.840.10045.3.1.7" => Curve::P256,
                "1.3.132.0.34" => Curve::P384,
                "1.3.132.0.35" => Curve::P521,
                "1.3.132.0.10" => Curve::P256K,
                _ => return None,
            };
            Some(KeyShape::Ec(curve))
        }
        _ => None,
    }
}
