//! Sign and verify a digest that the caller computed.
//!
//! An EC signature is r and s, each at the length of the curve's field (RFC 7518 section 3.4). A PSS salt is as long as the
//! digest (RFC 7518 section 3.5).

use aws_lc_rs::digest::{Algorithm, Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    EcdsaVerificationAlgorithm, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaParameters,
    RsaSignatureEncoding, UnparsedPublicKey,
};
use credstore_protocol::key_vault::keys::{Curve, SignatureAlgorithm};

use super::material::Pair;
use super::{KeyError, KeyMaterial};

/// DER of a DigestInfo up to the digest. Source: RFC 8017 section 9.2, note 1.
const SHA256_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA384_INFO: [u8; 19] =
    [0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30];
const SHA512_INFO: [u8; 19] =
    [0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40];

/// One row of the table of algorithms.
enum Scheme {
    Rsa(Rsa),
    /// The digest's algorithm is in the DigestInfo that is to be signed.
    RsaOfDigestInfo,
    Ec {
        curve: Curve,
        verifying: &'static EcdsaVerificationAlgorithm,
        digest: &'static Algorithm,
    },
}

#[derive(Clone, Copy)]
struct Rsa {
    signing: &'static RsaSignatureEncoding,
    verifying: &'static RsaParameters,
    digest: &'static Algorithm,
}

const RS256: Rsa = Rsa { signing: &RSA_PKCS1_SHA256, verifying: &RSA_PKCS1_2048_8192_SHA256, digest: &SHA256 };
const RS384: Rsa = Rsa { signing: &RSA_PKCS1_SHA384, verifying: &RSA_PKCS1_2048_8192_SHA384, digest: &SHA384 };
const RS512: Rsa = Rsa { signing: &RSA_PKCS1_SHA512, verifying: &RSA_PKCS1_2048_8192_SHA512, digest: &SHA512 };
const PS256: Rsa = Rsa { signing: &RSA_PSS_SHA256, verifying: &RSA_PSS_2048_8192_SHA256, digest: &SHA256 };
const PS384: Rsa = Rsa { signing: &RSA_PSS_SHA384, verifying: &RSA_PSS_2048_8192_SHA384, digest: &SHA384 };
const PS512: Rsa = Rsa { signing: &RSA_PSS_SHA512, verifying: &RSA_PSS_2048_8192_SHA512, digest: &SHA512 };

fn scheme(algorithm: SignatureAlgorithm) -> Scheme {
    match algorithm {
        SignatureAlgorithm::Rs256 => Scheme::Rsa(RS256),
        SignatureAlgorithm::Rs384 => Scheme::Rsa(RS384),
        SignatureAlgorithm::Rs512 => Scheme::Rsa(RS512),
        SignatureAlgorithm::Ps256 => Scheme::Rsa(PS256),
        SignatureAlgorithm::Ps384 => Scheme::Rsa(PS384),
        SignatureAlgorithm::Ps512 => Scheme::Rsa(PS512),
        SignatureAlgorithm::RsNull => Scheme::RsaOfDigestInfo,
        SignatureAlgorithm::Es256 => {
            Scheme::Ec { curve: Curve::P256, verifying: &ECDSA_P256_SHA256_FIXED, digest: &SHA256 }
        }
        SignatureAlgorithm::Es384 => {
            Scheme::Ec { curve: Curve::P384, verifying: &ECDSA_P384_SHA384_FIXED, digest: &SHA384 }
        }
        SignatureAlgorithm::Es512 => {
            Scheme::Ec { curve: Curve::P521, verifying: &ECDSA_P521_SHA512_FIXED, digest: &SHA512 }
        }
        SignatureAlgorithm::Es256K => {
            Scheme::Ec { curve: Curve::P256K, verifying: &ECDSA_P256K1_SHA256_FIXED, digest: &SHA256 }
        }
    }
}

impl KeyMaterial {
    /// The signature of `digest`; for RSNULL, of a DigestInfo.
    ///
    /// # Errors
    /// [`KeyError::AlgorithmOfOtherKind`], [`KeyError::AlgorithmOfOtherCurve`], [`KeyError::DigestLength`],
    /// [`KeyError::DigestInfo`], [`KeyError::Library`].
    pub fn sign(&self, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, KeyError> {
        match (scheme(algorithm), &self.pair) {
            (Scheme::Rsa(rsa), Pair::Rsa { signing, .. }) => {
                rsa_sign(signing, rsa, &of_length(algorithm, digest, rsa.digest)?)
            }
            (Scheme::RsaOfDigestInfo, Pair::Rsa { signing, .. }) => {
                let (rsa, digest) = of_named_digest(digest)?;
                rsa_sign(signing, rsa, &digest)
            }
            (Scheme::Ec { curve: needs, digest: kind, .. }, Pair::Ec { curve, signing }) => {
                same_curve(algorithm, *curve, needs)?;
                let digest = of_length(algorithm, digest, kind)?;
                Ok(signing.sign_digest(&digest).map_err(|_| KeyError::Library)?.as_ref().to_vec())
            }
            (Scheme::Rsa(_) | Scheme::RsaOfDigestInfo, Pair::Ec { .. }) | (Scheme::Ec { .. }, Pair::Rsa { .. }) => {
                Err(self.other_kind(algorithm.as_str()))
            }
        }
    }

    /// Whether `signature` is this key's signature of `digest`. A signature of any other form is none.
    ///
    /// # Errors
    /// As [`KeyMaterial::sign`].
    pub fn verify(&self, algorithm: SignatureAlgorithm, digest: &[u8], signature: &[u8]) -> Result<bool, KeyError> {
        match (scheme(algorithm), &self.pair) {
            (Scheme::Rsa(rsa), Pair::Rsa { signing, .. }) => {
                Ok(rsa_verify(signing, rsa, &of_length(algorithm, digest, rsa.digest)?, signature))
            }
            (Scheme::RsaOfDigestInfo, Pair::Rsa { signing, .. }) => {
                let (rsa, digest) = of_named_digest(digest)?;
                Ok(rsa_verify(signing, rsa, &digest, signature))
            }
            (Scheme::Ec { curve: needs, verifying, digest: kind }, Pair::Ec { curve, signing }) => {
                same_curve(algorithm, *curve, needs)?;
                let public = UnparsedPublicKey::new(verifying, signing.public_key().as_ref());
                Ok(public.verify_digest(&of_length(algorithm, digest, kind)?, signature).is_ok())
            }
            (Scheme::Rsa(_) | Scheme::RsaOfDigestInfo, Pair::Ec { .. }) | (Scheme::Ec { .. }, Pair::Rsa { .. }) => {
                Err(self.other_kind(algorithm.as_str()))
            }
        }
    }

    pub(super) fn other_kind(&self, algorithm: &'static str) -> KeyError {
        KeyError::AlgorithmOfOtherKind { algorithm, key_type: self.shape().key_type() }
    }
}

fn same_curve(algorithm: SignatureAlgorithm, curve: Curve, needs: Curve) -> Result<(), KeyError> {
    if curve == needs {
        return Ok(());
    }
    Err(KeyError::AlgorithmOfOtherCurve { algorithm: algorithm.as_str(), curve, needs })
}

fn rsa_sign(pair: &RsaKeyPair, rsa: Rsa, digest: &Digest) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(rsa.signing, digest, &mut signature).map_err(|_| KeyError::Library)?;
    Ok(signature)
}

fn rsa_verify(pair: &RsaKeyPair, rsa: Rsa, digest: &Digest, signature: &[u8]) -> bool {
    UnparsedPublicKey::new(rsa.verifying, pair.public_key().as_ref()).verify_digest(digest, signature).is_ok()
}

fn of_length(algorithm: SignatureAlgorithm, digest: &[u8], kind: &'static Algorithm) -> Result<Digest, KeyError> {
    let length =
        KeyError::DigestLength { algorithm: algorithm.as_str(), found: digest.len(), needed: kind.output_len() };
    Digest::import_less_safe(digest, kind).map_err(|_| length)
}

fn of_named_digest(text: &[u8]) -> Result<(Rsa, Digest), KeyError> {
    [(SHA256_INFO, RS256), (SHA384_INFO, RS384), (SHA512_INFO, RS512)]
        .into_iter()
        .find_map(|(info, rsa)| {
            let digest = text.strip_prefix(&info)?;
            Some((rsa, Digest::import_less_safe(digest, rsa.digest).ok()?))
        })
        .ok_or(KeyError::DigestInfo)
}
