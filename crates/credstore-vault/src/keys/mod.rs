//! Keys: what they can do, and the operations on the keys of a vault.
//!
//! A [`KeyMaterial`] is generated, or imported from a JSON Web Key and checked; it signs and verifies digests, encrypts and
//! decrypts. All of it is aws-lc's work. It is opened from its PKCS#8 bytes and knows nothing else; the private half leaves
//! only as those bytes, for sealing. Around it: `stored` makes and shows the keys of a vault, `operate` uses them as far as
//! `key_ops` and their dates allow, `rotation` makes new versions by a policy. Versions, lists, soft delete and backups are
//! those of every object: [`objects`](crate::objects).
//!
//! Source: contract section 9; RFC 7518 sections 3, 4 and 6 and RFC 8812 for the algorithms and the members of a key.

mod encrypt;
mod import;
mod material;
mod operate;
mod period;
mod rotation;
mod sign;
mod stored;

use credstore_protocol::encoding::base64_any;
use credstore_protocol::key_vault::keys::{Curve, JsonWebKey, KeyType};

pub use material::KeyMaterial;
pub(crate) use material::rsa_numbers;
pub use operate::{KeyAt, KeyUse};
pub(crate) use stored::possible;
pub use stored::{KeyContent, KeyRecord, KeyStanding, Keys};

/// Modulus of an RSA key. Source: Key Vault, "Key types, algorithms, and operations".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RsaSize {
    /// 2,048 bits.
    Bits2048,
    /// 3,072 bits.
    Bits3072,
    /// 4,096 bits.
    Bits4096,
}

impl RsaSize {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bits2048, Self::Bits3072, Self::Bits4096];

    /// In bits.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }

    /// The size with so many bits.
    ///
    /// # Errors
    /// [`KeyError::Size`] when a vault has no such keys.
    pub fn of_bits(bits: usize) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|size| size.bits() as usize == bits).ok_or(KeyError::Size { bits })
    }
}

/// Kind and size of a key: what has to be known beside its PKCS#8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyShape {
    /// RSA.
    Rsa(RsaSize),
    /// Elliptic curve.
    Ec(Curve),
}

impl KeyShape {
    /// The shape of the key with this public half. `None`: a vault has no such keys.
    pub fn of_public(key: &JsonWebKey) -> Option<Self> {
        match key.kty {
            KeyType::Rsa => {
                let modulus = base64_any(key.n.as_deref()?)?;
                RsaSize::of_bits(modulus.len() * 8).ok().map(Self::Rsa)
            }
            KeyType::Ec => key.crv.map(Self::Ec),
            KeyType::RsaHsm | KeyType::EcHsm | KeyType::Oct | KeyType::OctHsm => None,
        }
    }

    /// `kty` of such a key.
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::Rsa(_) => KeyType::Rsa,
            Self::Ec(_) => KeyType::Ec,
        }
    }
}

/// Why key material was not made or not used. No variant holds a number of a key, a digest or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An imported key lacks a member or has one that is not base64url.
    #[error("the member {member} of the key is missing or no base64url")]
    Member {
        /// Name of the member in the JSON Web Key.
        member: &'static str,
    },
    /// The numbers of an imported key are not those of one key.
    #[error("the numbers of the {0} key do not belong together")]
    Inconsistent(KeyType),
    /// Hardware keys and symmetric keys are not for such a vault.
    #[error("a vault without hardware has no {0} keys")]
    Kind(KeyType),
    /// An RSA key is of another size than a vault has.
    #[error("a vault has no RSA keys of {bits} bits")]
    Size {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The algorithm is for keys of another kind.
    #[error("{algorithm} is not for {key_type} keys")]
    AlgorithmOfOtherKind {
        /// `alg` of the request.
        algorithm: &'static str,
        /// Kind of the key.
        key_type: KeyType,
    },
    /// The algorithm is for another curve.
    #[error("{algorithm} is for {needs} and not for {curve}")]
    AlgorithmOfOtherCurve {
        /// `alg` of the request.
        algorithm: &'static str,
        /// Curve of the key.
        curve: Curve,
        /// Curve of the algorithm.
        needs: Curve,
    },
    /// The digest is not as long as the algorithm's.
    #[error("{algorithm} signs {needed} bytes and not {found}")]
    DigestLength {
        /// `alg` of the request.
        algorithm: &'static str,
        /// Bytes of the request.
        found: usize,
        /// Bytes of the algorithm's digest.
        needed: usize,
    },
    /// What RSNULL signs is no DigestInfo of SHA-256, SHA-384 or SHA-512.
    #[error("RSNULL signs a DigestInfo of SHA-256, SHA-384 or SHA-512")]
    DigestInfo,
    /// More than the key can encrypt at once.
    #[error("{algorithm} encrypts at most {most} bytes with this key and not {found}")]
    TooLong {
        /// `alg` of the request.
        algorithm: &'static str,
        /// Bytes of the request.
        found: usize,
        /// Most bytes that fit.
        most: usize,
    },
    /// The bytes were not encrypted for this key with this algorithm, or have changed. What is wrong about them is not told:
    /// the difference would decrypt them, step by step, for whoever may ask often enough.
    #[error("the bytes were not encrypted for this key with {algorithm}")]
    Undecryptable {
        /// `alg` of the request.
        algorithm: &'static str,
    },
    /// The stored bytes are no key of the shape that is stored with them.
    #[error("the stored key is damaged")]
    Damaged,
    /// The library did not do its part, for want of memory for example.
    #[error("the cryptographic library gave no answer")]
    Library,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_has_rsa_keys_of_three_sizes() {
        // Key Vault, "Key types, algorithms, and operations".
        for bits in [2048, 3072, 4096] {
            assert_eq!(RsaSize::of_bits(bits).unwrap().bits() as usize, bits);
        }
        for bits in [0, 1024, 2047, 2049, 3071, 4095, 4097, 8192, usize::MAX] {
            assert_eq!(RsaSize::of_bits(bits), Err(KeyError::Size { bits }));
        }
    }
}
