//! The local certificate authority of one installation: certificates for the listener, and nothing else.
//!
//! Its certificate is critically name-constrained to the zone, so that whoever trusts it trusts it for
//! nothing but this machine's own names. Its key lies sealed in the store and is never exported. Keys of leaves
//! stay in memory.

use std::time::Duration;

use credstore_protocol::Timestamp;
use credstore_protocol::encoding::hex_lower;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::error::AuthorityError;
use crate::random;

/// The zone that the CA is constrained to. Source: architecture section 6.
pub const ZONE: &str = "localhost";
/// Lifetime of the CA: ten years.
pub const CA_LIFETIME: Duration = Duration::from_secs(3650 * 86_400);
/// Lifetime of a leaf. Ours: the listener renews it by itself.
pub const LEAF_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// Most names in one leaf. Ours: a listener needs five.
pub const LEAF_NAMES_MAX: usize = 100;
/// Certificates begin to be valid this much earlier, for clocks that are behind.
pub(crate) const BACKDATED: Duration = Duration::from_secs(600);

/// The CA. Its key never leaves the store.
pub struct CertificateAuthority {
    pem: String,
    key_der: Zeroizing<Vec<u8>>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// A certificate of the CA with its key, for one listener.
pub struct Leaf {
    /// The leaf's certificate, then the CA's, DER.
    pub chain_der: Vec<Vec<u8>>,
    /// PKCS#8 DER.
    pub key_der: Zeroizing<Vec<u8>>,
    /// End of validity.
    pub not_after: Timestamp,
}

/// A new CA as it is kept: key and certificate.
pub(crate) struct NewAuthority {
    pub(crate) key_der: Zeroizing<Vec<u8>>,
    pub(crate) certificate_pem: String,
}

fn generation(error: rcgen::Error) -> AuthorityError {
    AuthorityError::Generation(error.to_string())
}

fn date(at: Timestamp) -> Result<OffsetDateTime, AuthorityError> {
    OffsetDateTime::from_unix_timestamp(at.0).map_err(|error| AuthorityError::Generation(error.to_string()))
}

/// RFC 5280 section 4.1.2.2: positive, at most 20 bytes, unpredictable.
pub(crate) fn serial_number() -> SerialNumber {
    let mut bytes = random::bytes::<16>();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn new_key() -> Result<Zeroizing<KeyPair>, AuthorityError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Zeroizing::new).map_err(generation)
}

/// Makes the CA of an installation with this store id.
pub(crate) fn create(store: &[u8; 16], now: Timestamp) -> Result<NewAuthority, AuthorityError> {
    let key = new_key()?;
    let mut params = CertificateParams::default();
    params.not_before = date(now - BACKDATED)?;
    params.not_after = date(now + CA_LIFETIME)?;
    params.serial_number = Some(serial_number());
    // Several installations may be trusted side by side; their CAs need different names.
    params.distinguished_name.push(DnType::CommonName, format!("credstore local CA {}", hex_lower(&store[..4])));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(ZONE.to_owned())],
        excluded_subtrees: vec![],
    });
    let certificate = params.self_signed(&*key).map_err(generation)?;
    Ok(NewAuthority { key_der: Zeroizing::new(key.serialize_der()), certificate_pem: certificate.pem() })
}

impl CertificateAuthority {
    /// The CA from what was kept. `None` when it is not what [`create`] made.
    pub(crate) fn open(kept: NewAuthority) -> Option<Self> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(kept.certificate_pem.as_bytes()).ok()?;
        let certificate = pem.parse_x509().ok()?;
        let validity = certificate.validity();
        Some(Self {
            not_before: Timestamp(validity.not_before.timestamp()),
            not_after: Timestamp(validity.not_after.timestamp()),
            pem: kept.certificate_pem,
            key_der: kept.key_der,
        })
    }

    /// The CA's certificate. It is public.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// End of the CA's validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// A new key (ECDSA P-256) and certificate for these DNS names, valid from ten minutes before `now` for
    /// [`LEAF_LIFETIME`], and never beyond the CA. A name may begin with `*.`.
    ///
    /// # Errors
    /// A name outside the zone, no name, or an expired CA.
    pub fn issue_leaf(&self, dns_names: &[String], now: Timestamp) -> Result<Leaf, AuthorityError> {
        if now >= self.not_after {
            return Err(AuthorityError::Expired(self.not_after));
        }
        let first = dns_names.first().ok_or(AuthorityError::NoName)?;
        if let Some(outside) = dns_names.iter().find(|name| !is_in_zone(name)) {
            return Err(AuthorityError::OutsideZone(outside.chars().take(255).collect()));
        }
        if dns_names.len() > LEAF_NAMES_MAX {
            return Err(AuthorityError::Generation(format!("more than {LEAF_NAMES_MAX} names")));
        }
        let not_after = self.not_after.min(now + LEAF_LIFETIME);
        let mut params = CertificateParams::default();
        params.not_before = date(self.not_before.max(now - BACKDATED))?;
        params.not_after = date(not_after)?;
        params.serial_number = Some(serial_number());
        params.distinguished_name.push(DnType::CommonName, first.chars().take(64).collect::<String>());
        for name in dns_names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into().map_err(generation)?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let ca_key = KeyPair::try_from(self.key_der.as_slice()).map(Zeroizing::new).map_err(generation)?;
        let issuer = Issuer::from_ca_cert_pem(&self.pem, &*ca_key).map_err(generation)?;
        let key = new_key()?;
        let certificate = params.signed_by(&*key, &issuer).map_err(generation)?;
        let (_, ca) = x509_parser::pem::parse_x509_pem(self.pem.as_bytes())
            .map_err(|_| AuthorityError::Generation("the CA's certificate is not PEM".to_owned()))?;
        Ok(Leaf {
            chain_der: vec![certificate.der().to_vec(), ca.contents],
            key_der: Zeroizing::new(key.serialize_der()),
            not_after,
        })
    }
}

fn is_in_zone(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let harmless = |label: &str| {
        let allowed = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !label.is_empty() && label.len() <= 63 && allowed
    };
    let in_zone = name == ZONE || name.strip_suffix(ZONE).is_some_and(|rest| rest.ends_with('.'));
    in_zone && name.len() <= 253 && name.split('.').all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn authority() -> CertificateAuthority {
        CertificateAuthority::open(create(&[1; 16], NOW).unwrap()).unwrap()
    }

    #[test]
    fn a_leaf_lives_ninety_days_and_never_longer_than_the_ca() {
        let authority = authority();
        let names = ["login.localhost".to_owned()];
        assert_eq!(authority.issue_leaf(&names, NOW).unwrap().not_after, NOW + LEAF_LIFETIME);
        let late = authority.not_after() - Duration::from_secs(5);
        assert_eq!(authority.issue_leaf(&names, late).unwrap().not_after, authority.not_after());
        let expired = authority.issue_leaf(&names, authority.not_after()).map(|_| ());
        assert_eq!(expired, Err(AuthorityError::Expired(authority.not_after())));
    }

    #[test]
    fn only_names_of_the_zone_are_signed() {
        let authority = authority();
        for name in ["localhost", "*.vault.localhost", "login.localhost"] {
            assert!(authority.issue_leaf(&[name.to_owned()], NOW).is_ok(), "{name}");
        }
        for name in
            ["example.com", "notlocalhost", "localhost.evil", "*.*.localhost", ".localhost", "a b.localhost", ""]
        {
            assert!(authority.issue_leaf(&[name.to_owned()], NOW).is_err(), "{name}");
        }
        assert!(authority.issue_leaf(&[], NOW).is_err());
    }

    #[test]
    fn the_ca_is_critically_constrained_and_cannot_make_another_ca() {
        let authority = authority();
        let (_, pem) = x509_parser::pem::parse_x509_pem(authority.certificate_pem().as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        let constraints = certificate.name_constraints().unwrap().expect("name constraints");
        assert!(constraints.critical);
        let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
        assert_eq!(permitted.len(), 1);
        assert_eq!(permitted[0].base, x509_parser::extensions::GeneralName::DNSName("localhost"));
        let basic = certificate.basic_constraints().unwrap().expect("basic constraints");
        assert!(basic.critical && basic.value.ca);
        assert_eq!(basic.value.path_len_constraint, Some(0));
    }
}
