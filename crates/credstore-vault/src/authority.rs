//! The local certificate authority of one installation.

use credstore_protocol::Timestamp;
use zeroize::Zeroizing;

use crate::error::AuthorityError;

/// The CA. Its key never leaves the store.
pub struct CertificateAuthority {
    pem: String,
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

impl CertificateAuthority {
    /// The CA's certificate. It is public.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// A new key (ECDSA P-256) and certificate for these DNS names.
    ///
    /// # Errors
    /// A name outside the zone, no name, or an expired CA.
    pub fn issue_leaf(&self, _dns_names: &[String], _now: Timestamp) -> Result<Leaf, AuthorityError> {
        unimplemented!()
    }
}
