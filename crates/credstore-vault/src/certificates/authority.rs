//! The authority inside a vault: it signs certificates of a policy whose issuer it is.
//!
//! It is the vault's own and nobody trusts it unasked; the listener's authority is another
//! ([`authority`](crate::authority)). Its key is one of the vault, kept where the vault keeps keys.

use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::keys::Curve;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose};

use super::issue::{date, months_after, params, signer};
use super::{CertificateError, Chain, Policy};
use crate::authority::{BACKDATED, CA_LIFETIME, serial_number};
use crate::keys::{KeyMaterial, KeyShape};

/// Curve of its key. Ours: what every client of today knows.
pub(super) const CURVE: Curve = Curve::P256;
/// Longest common name in characters. Source: RFC 5280 appendix A.1, `ub-common-name`.
const COMMON_NAME_MAX: usize = 64;

/// An authority: its key and its certificate.
#[derive(Debug)]
pub struct IssuingAuthority {
    key: KeyMaterial,
    certificate: Chain,
}

impl IssuingAuthority {
    /// A new authority with this common name, which is cut after 64 characters: an EC key of P-256 and a
    /// certificate that signs itself, valid for [`CA_LIFETIME`], for leaves only.
    ///
    /// # Errors
    /// [`CertificateError::Date`], [`CertificateError::Library`].
    pub fn create(common_name: &str, now: Timestamp) -> Result<Self, CertificateError> {
        let key = KeyMaterial::generate(KeyShape::Ec(CURVE)).map_err(|_| CertificateError::Library)?;
        let mut params = CertificateParams::default();
        let name: String = common_name.chars().take(COMMON_NAME_MAX).collect();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date(now - BACKDATED)?;
        params.not_after = date(now + CA_LIFETIME)?;
        params.serial_number = Some(serial_number());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&signer(&key)?).map_err(|_| CertificateError::Library)?;
        Ok(Self { certificate: Chain::of(vec![certificate.der().to_vec()])?, key })
    }

    /// The authority from its key and its certificate, as they were kept.
    ///
    /// # Errors
    /// [`CertificateError::OtherKey`] when they do not belong together, [`CertificateError::Unreadable`].
    pub fn open(key: KeyMaterial, certificate: Chain) -> Result<Self, CertificateError> {
        if certificate.is_of(&key)? { Ok(Self { key, certificate }) } else { Err(CertificateError::OtherKey) }
    }

    /// The key, to be sealed.
    pub fn key(&self) -> &KeyMaterial {
        &self.key
    }

    /// The certificate.
    pub fn certificate(&self) -> &Chain {
        &self.certificate
    }

    /// A certificate by `policy` for `key`, and the authority's after it. It begins ten minutes before `now` and ends after
    /// the months of the policy, never outside of the authority's own validity.
    ///
    /// # Errors
    /// [`CertificateError::Date`] when the authority is not valid at `now`, [`CertificateError::Value`] for a key of P-256K,
    /// [`CertificateError::Library`].
    pub fn issue(&self, policy: &Policy, key: &KeyMaterial, now: Timestamp) -> Result<Chain, CertificateError> {
        let (from, until) = self.certificate.validity()?;
        if !(from..until).contains(&now) {
            return Err(CertificateError::Date);
        }
        let mut params = params(policy)?;
        params.not_before = date((now - BACKDATED).max(from))?;
        params.not_after = months_after(date(now)?, policy.months)?.min(date(until)?);
        params.serial_number = Some(serial_number());
        params.use_authority_key_identifier_extension = true;
        let authority = self.certificate.leaf().into();
        let issuer = Issuer::from_ca_cert_der(&authority, signer(&self.key)?).map_err(|_| CertificateError::Library)?;
        let certificate = params.signed_by(&signer(key)?, &issuer).map_err(|_| CertificateError::Library)?;
        Chain::of(vec![certificate.der().to_vec(), self.certificate.leaf().to_vec()])
    }
}
