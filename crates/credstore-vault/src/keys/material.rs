//! One key: made, opened from the bytes that are stored sealed, and shown by its public half.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PrivateDecryptingKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
};
use credstore_protocol::encoding::base64url;
use credstore_protocol::key_vault::keys::{Curve, JsonWebKey};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use zeroize::Zeroizing;

use super::{KeyError, KeyShape, RsaSize};

/// An asymmetric key with its private half. `Debug` shows the shape only.
pub struct KeyMaterial {
    pub(super) pair: Pair,
}

/// The library has two types for the private half of one RSA key: one signs, the other decrypts.
pub(super) enum Pair {
    Rsa { size: RsaSize, signing: Box<RsaKeyPair>, decrypting: PrivateDecryptingKey },
    Ec { curve: Curve, signing: EcdsaKeyPair },
}

impl KeyMaterial {
    /// A new key. RSA takes 50 ms for 2,048 bits and half a second for 4,096, now and then twice that.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn generate(shape: KeyShape) -> Result<Self, KeyError> {
        match shape {
            KeyShape::Rsa(size) => {
                let size = match size {
                    RsaSize::Bits2048 => KeySize::Rsa2048,
                    RsaSize::Bits3072 => KeySize::Rsa3072,
                    RsaSize::Bits4096 => KeySize::Rsa4096,
                };
                Self::of_rsa(RsaKeyPair::generate(size).map_err(|_| KeyError::Library)?)
            }
            KeyShape::Ec(curve) => {
                let pair = EcdsaKeyPair::generate(signing_algorithm(curve)).map_err(|_| KeyError::Library)?;
                Ok(Self::of_ec(curve, pair))
            }
        }
    }

    /// The key that [`KeyMaterial::pkcs8`] gave.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] when the bytes are not a key of that shape.
    pub fn open(shape: KeyShape, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let opened = match shape {
            KeyShape::Rsa(_) => Self::of_rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Damaged)?),
            KeyShape::Ec(curve) => EcdsaKeyPair::from_pkcs8(signing_algorithm(curve), pkcs8)
                .map(|pair| Self::of_ec(curve, pair))
                .map_err(|_| KeyError::Damaged),
        };
        opened.ok().filter(|key| key.shape() == shape).ok_or(KeyError::Damaged)
    }

    pub(super) fn of_rsa(signing: RsaKeyPair) -> Result<Self, KeyError> {
        let der = rsa_pkcs8(&signing)?;
        let decrypting = PrivateDecryptingKey::from_pkcs8(&der).map_err(|_| KeyError::Library)?;
        let size = RsaSize::of_bits(decrypting.key_size_bits())?;
        Ok(Self { pair: Pair::Rsa { size, signing: Box::new(signing), decrypting } })
    }

    pub(super) fn of_ec(curve: Curve, signing: EcdsaKeyPair) -> Self {
        Self { pair: Pair::Ec { curve, signing } }
    }

    /// Kind and size.
    pub fn shape(&self) -> KeyShape {
        match &self.pair {
            Pair::Rsa { size, .. } => KeyShape::Rsa(*size),
            Pair::Ec { curve, .. } => KeyShape::Ec(*curve),
        }
    }

    /// The whole key, to be sealed: PKCS#8 version 1 in DER (RFC 5208).
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &self.pair {
            Pair::Rsa { signing, .. } => rsa_pkcs8(signing),
            Pair::Ec { signing, .. } => {
                let der = signing.to_pkcs8v1().map_err(|_| KeyError::Library)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
        }
    }

    /// The public half as it stands in a certificate: `RSAPublicKey` in DER, or the point.
    ///
    /// Source: RFC 5280 section 4.1, `subjectPublicKey`; RFC 3279 section 2.3.
    pub(crate) fn public_bytes(&self) -> &[u8] {
        match &self.pair {
            Pair::Rsa { signing, .. } => signing.public_key().as_ref(),
            Pair::Ec { signing, .. } => signing.public_key().as_ref(),
        }
    }

    /// The public half, without an identifier and without `key_ops`.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn public(&self) -> Result<JsonWebKey, KeyError> {
        let mut public = JsonWebKey {
            kid: None,
            kty: self.shape().key_type(),
            key_ops: None,
            n: None,
            e: None,
            crv: None,
            x: None,
            y: None,
        };
        match &self.pair {
            Pair::Rsa { signing, .. } => {
                let (n, e) = rsa_numbers(signing).ok_or(KeyError::Library)?;
                (public.n, public.e) = (Some(n), Some(e));
            }
            Pair::Ec { curve, signing } => {
                // SEC 1 section 2.3.3: 4, then both coordinates at full length.
                let point = signing.public_key().as_ref();
                let (x, y) = point
                    .strip_prefix(&[4])
                    .and_then(|point| point.split_at_checked(field_bytes(*curve)))
                    .ok_or(KeyError::Library)?;
                (public.crv, public.x, public.y) = (Some(*curve), Some(base64url(x)), Some(base64url(y)));
            }
        }
        Ok(public)
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaterial").field("shape", &self.shape()).finish_non_exhaustive()
    }
}

fn rsa_pkcs8(pair: &RsaKeyPair) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let der = pair.as_der().map_err(|_| KeyError::Library)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

/// Modulus and public exponent, base64url without the sign byte of DER.
pub(crate) fn rsa_numbers(pair: &RsaKeyPair) -> Option<(String, String)> {
    let (_, public) = RSAPublicKey::from_der(pair.public_key().as_ref()).ok()?;
    let without_sign = |number: &[u8]| base64url(number.strip_prefix(&[0]).unwrap_or(number));
    Some((without_sign(public.modulus), without_sign(public.exponent)))
}

/// Bytes of a coordinate and of the private number. Source: RFC 7518 sections 6.2.1.2 and 6.2.2.1.
pub(super) const fn field_bytes(curve: Curve) -> usize {
    match curve {
        Curve::P256 | Curve::P256K => 32,
        Curve::P384 => 48,
        Curve::P521 => 66,
    }
}

/// The library binds a key pair to one digest and one form of signature: Key Vault's of that curve.
pub(super) fn signing_algorithm(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        Curve::P256K => &ECDSA_P256K1_SHA256_FIXED_SIGNING,
    }
}
