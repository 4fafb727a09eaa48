//! The certificate that signs us in: key and certificate as one thing that can sign, and what is public of it.
//!
//! Reading files is in `read` (PEM, PFX) and [`mod@file`] (again when changed), making them in [`make`]. Only RSA
//! keys: the assertion is PS256 or RS256 (contract section 12). The private key leaves this module as a
//! signature only, or as the text of a file that was just made.

pub mod error;
pub mod file;
pub mod make;
mod pfx;
mod read;

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use credstore_protocol::Timestamp;
use credstore_protocol::encoding::hex_upper;

pub use error::CertificateError;
pub use file::CertificateFile;
pub use make::{GeneratedCertificate, generate};
pub use read::{export_public, public_certificate};

/// How a signature is made. Source: RFC 7518 sections 3.3 and 3.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSASSA-PSS with SHA-256, named by the SHA-256 thumbprint: what Entra documents today.
    #[default]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, named by the SHA-1 thumbprint: for directories that know no other.
    Rs256,
}

/// The public half: an X.509 certificate that may be shown and uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicCertificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Subject, for people.
    pub subject: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// SHA-1 of the DER: how Azure names certificates.
    pub thumbprint_sha1: [u8; 20],
    /// SHA-256 of the DER.
    pub thumbprint_sha256: [u8; 32],
    /// Bits of the RSA modulus; `None` for another kind of key.
    pub key_bits: Option<usize>,
    /// The public key as PKCS#1 (RSA), to find the certificate of a key.
    public_key: Vec<u8>,
}

impl PublicCertificate {
    /// SHA-1 thumbprint in upper-case hexadecimal, as the portal shows it.
    pub fn thumbprint(&self) -> String {
        hex_upper(&self.thumbprint_sha1)
    }

    /// Whether `now` is inside the validity.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Seconds until it expires; negative afterwards.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        self.not_after.seconds_since(now)
    }
}

impl fmt::Debug for PublicCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicCertificate({})", self.thumbprint())
    }
}

/// A certificate with its private key.
pub struct SigningCertificate {
    public: PublicCertificate,
    /// Certificates of issuers that stood in the same file, DER.
    chain: Vec<Vec<u8>>,
    key: RsaKeyPair,
}

impl SigningCertificate {
    /// Reads a file's content: PEM with key and certificate in any order, or PFX.
    ///
    /// `password` is for PFX only; the empty one is tried first. In PEM the key may be PKCS#8 or PKCS#1, and text
    /// between the blocks is skipped. Of several certificates the one that matches the key is taken.
    /// # Errors
    /// One variant of [`CertificateError`] for each way in which such a file is usually wrong.
    pub fn load(bytes: &[u8], password: Option<&credstore_protocol::Secret>) -> Result<Self, CertificateError> {
        read::load(bytes, password)
    }

    /// The public half.
    pub fn public(&self) -> &PublicCertificate {
        &self.public
    }

    /// Certificates of issuers that stood in the same file, DER.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Signs `message`, which is hashed here. `None` when the TLS library cannot, which a loaded key rules out.
    pub fn sign(&self, algorithm: SigningAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            SigningAlgorithm::Ps256 => &RSA_PSS_SHA256,
            SigningAlgorithm::Rs256 => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(encoding, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }

    /// The public key as PKCS#1.
    fn public_key_of(key: &RsaKeyPair) -> &[u8] {
        key.public_key().as_ref()
    }
}

impl fmt::Debug for SigningCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningCertificate({})", self.public.thumbprint())
    }
}
