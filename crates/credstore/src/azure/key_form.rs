//! Keys in the forms of other programs: a private key out of a PEM file, a public half as `SubjectPublicKeyInfo`.
//!
//! What a vault accepts is its own affair; here a file is only read. Encrypted files (PKCS#8 with PBES2) are opened with
//! the feature `pfx`, by the crate `pkcs8`, which reading a PFX brings anyway.

use std::path::Path;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};
use credstore_protocol::Secret;
use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::keys::{Curve, JsonWebKey, KeyType, PrivateJsonWebKey};
use credstore_protocol::pem::{self, Block, PemError};
use x509_parser::asn1_rs::{BitString, FromDer, Integer, OctetString, Oid, Sequence, ToDer, oid};
use zeroize::Zeroizing;

use crate::codes::settings as codes;
use crate::diagnosis::{Diagnosis, Place};

/// Largest file with a private key, in bytes. RSA with 8,192 bits has 6 KB in PEM. Ours.
pub const KEY_FILE_MAX: usize = 64 * 1024;

/// Why a file gives no private key. Nothing of its content is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// More than [`KEY_FILE_MAX`].
    #[error("the key file is too large")]
    TooLarge,
    /// A PEM block that has no end, or is no base64; its label.
    #[error("the block {0} is damaged")]
    Damaged(String),
    /// No private key in PEM.
    #[error("the file holds no private key in PEM")]
    NoKey,
    /// More than one private key: nobody said which.
    #[error("the file holds more than one private key")]
    SeveralKeys,
    /// Encrypted, and no password was given.
    #[error("the private key is encrypted")]
    PasswordNeeded,
    /// Encrypted with another password.
    #[error("the password does not open the private key")]
    PasswordWrong,
    /// Encrypted in a way that is not read here.
    #[error("the private key is encrypted in a way that is not supported")]
    Encryption,
    /// Another kind or size of key, or one whose numbers do not belong together.
    #[error("the private key is of no kind that a vault keeps")]
    Kind,
}

impl KeyFileError {
    fn cause(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge => format!("a private key has at most {} KB", KEY_FILE_MAX / 1024),
            Self::Damaged(_) => "the file was cut off or edited".to_owned(),
            Self::NoKey => {
                "it has no block PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY or ENCRYPTED PRIVATE KEY".to_owned()
            }
            Self::SeveralKeys | Self::PasswordNeeded | Self::PasswordWrong => return None,
            Self::Encryption => "PKCS#8 with PBES2 is read, and neither RFC 1421 nor PBES1".to_owned(),
            Self::Kind => {
                "a vault keeps RSA from 2048 bits, and EC on P-256, P-384, P-521 and P-256K (secp256k1); or the \
                           numbers do not fit together"
                    .to_owned()
            }
        })
    }

    fn fix(&self, file: &str) -> String {
        match self {
            Self::TooLarge | Self::NoKey | Self::SeveralKeys => "name the PEM file with one private key".to_owned(),
            Self::Damaged(_) => format!("copy {file} again from where it was made"),
            Self::PasswordNeeded | Self::PasswordWrong => {
                "name the file with its password: --pem-password-file FILE".to_owned()
            }
            Self::Encryption => format!("openssl pkcs8 -topk8 -v2 aes-256-cbc -in {file} -out key.pem"),
            Self::Kind => format!("openssl pkey -in {file} -noout -text   shows which it is"),
        }
    }

    /// The mistake with cause, place and fix. `file` is the file as the user named it.
    pub fn diagnosis(&self, file: &Path) -> Diagnosis {
        let mut diagnosis = Diagnosis::error(&codes::KEY_FILE, self.to_string())
            .fix(self.fix(&file.display().to_string()))
            .at(Place { file: Some(file.to_owned()), ..Place::default() });
        diagnosis.cause = self.cause();
        diagnosis
    }
}

impl From<PemError> for KeyFileError {
    fn from(error: PemError) -> Self {
        match error {
            PemError::NotClosed(label) | PemError::Damaged(label) => Self::Damaged(label),
            PemError::Encrypted => Self::Encryption,
        }
    }
}

/// The one private key of a PEM text: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC), or encrypted PKCS#8.
///
/// # Errors
/// [`KeyFileError`].
///
/// Source: RFC 7468 sections 10 and 11; RFC 8017 appendix A.1.2; RFC 5915.
pub fn private_key(text: &str, password: Option<&Secret>) -> Result<PrivateJsonWebKey, KeyFileError> {
    if text.len() > KEY_FILE_MAX {
        return Err(KeyFileError::TooLarge);
    }
    let mut keys: Vec<Block> = pem::blocks(text)?;
    keys.retain(|block| block.label.ends_with("PRIVATE KEY"));
    let [key] = keys.as_slice() else {
        return Err(if keys.is_empty() { KeyFileError::NoKey } else { KeyFileError::SeveralKeys });
    };
    match key.label.as_str() {
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => read(&key.der),
        "ENCRYPTED PRIVATE KEY" => read(&opened(&key.der, password.ok_or(KeyFileError::PasswordNeeded)?)?),
        _ => Err(KeyFileError::Kind),
    }
}

#[cfg(feature = "pfx")]
fn opened(der: &[u8], password: &Secret) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    use pkcs8::{EncryptedPrivateKeyInfoRef, Error, pkcs5};
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| KeyFileError::Encryption)?;
    match encrypted.decrypt(password.expose_secret()) {
        Ok(key) => Ok(Zeroizing::new(key.as_bytes().to_vec())),
        Err(Error::EncryptedPrivateKey(
            pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs5::Error::AlgorithmParametersInvalid { .. }
            | pkcs5::Error::NoPbes1CryptSupport,
        )) => Err(KeyFileError::Encryption),
        // One wrong password of 256 gives bytes with a right end, which are then no key. That crate's enums may grow.
        Err(_) => Err(KeyFileError::PasswordWrong),
    }
}

#[cfg(not(feature = "pfx"))]
fn opened(_der: &[u8], _password: &Secret) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    Err(KeyFileError::Encryption)
}

fn read(der: &[u8]) -> Result<PrivateJsonWebKey, KeyFileError> {
    if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
        return rsa(&pair).ok_or(KeyFileError::Kind);
    }
    let curves = [
        (Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
        (Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
        (Curve::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
        (Curve::P256K, &ECDSA_P256K1_SHA256_FIXED_SIGNING),
    ];
    let found = curves.into_iter().find_map(|(curve, algorithm)| {
        EcdsaKeyPair::from_private_key_der(algorithm, der).ok().and_then(|pair| ec(curve, &pair))
    });
    found.ok_or(KeyFileError::Kind)
}

fn secret(number: &[u8]) -> Secret {
    Secret::from(Zeroizing::new(base64url(number)))
}

/// The library gives the numbers of an RSA key as PKCS#8 only.
fn rsa(pair: &RsaKeyPair) -> Option<PrivateJsonWebKey> {
    let pkcs8 = pair.as_der().ok()?;
    // PrivateKeyInfo ::= SEQUENCE { version, algorithm, privateKey OCTET STRING }: RFC 5208 section 5.
    let (_, whole) = Sequence::from_der(pkcs8.as_ref()).ok()?;
    let (rest, _version) = Integer::from_der(&whole.content).ok()?;
    let (rest, _algorithm) = Sequence::from_der(rest).ok()?;
    let (_, key) = OctetString::from_der(rest).ok()?;
    // RSAPrivateKey ::= SEQUENCE { version, n, e, d, p, q, dp, dq, qi }: RFC 8017 appendix A.1.2.
    let (_, numbers) = Sequence::from_der(key.as_ref()).ok()?;
    let numbers: Vec<Integer<'_>> = numbers.der_sequence_of::<Integer<'_>, _>().ok()?;
    let numbers: Vec<&[u8]> = numbers.iter().map(|number| without_sign(number.as_ref())).collect();
    let [_version, n, e, d, p, q, dp, dq, qi] = numbers.as_slice() else { return None };
    Some(PrivateJsonWebKey {
        kty: KeyType::Rsa,
        key_ops: None,
        n: Some(base64url(n)),
        e: Some(base64url(e)),
        crv: None,
        x: None,
        y: None,
        d: Some(secret(d)),
        p: Some(secret(p)),
        q: Some(secret(q)),
        dp: Some(secret(dp)),
        dq: Some(secret(dq)),
        qi: Some(secret(qi)),
        k: None,
    })
}

fn without_sign(number: &[u8]) -> &[u8] {
    number.strip_prefix(&[0]).unwrap_or(number)
}

fn ec(curve: Curve, pair: &EcdsaKeyPair) -> Option<PrivateJsonWebKey> {
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    // SEC 1 section 2.3.3: 4, then both coordinates at full length.
    let point = pair.public_key().as_ref().strip_prefix(&[4])?;
    let (x, y) = point.split_at_checked(point.len() / 2)?;
    Some(PrivateJsonWebKey {
        kty: KeyType::Ec,
        key_ops: None,
        n: None,
        e: None,
        crv: Some(curve),
        x: Some(base64url(x)),
        y: Some(base64url(y)),
        d: Some(secret(private.as_ref())),
        p: None,
        q: None,
        dp: None,
        dq: None,
        qi: None,
        k: None,
    })
}

/// The public half as `SubjectPublicKeyInfo` in DER. `None`: a symmetric key, or one that lacks a number.
///
/// Source: RFC 5280 section 4.1.2.7; RFC 3279 section 2.3.1 for RSA; RFC 5480 sections 2.1.1 and 2.2 for EC.
pub fn public_der(key: &JsonWebKey) -> Option<Vec<u8>> {
    let number = |text: &Option<String>| base64_any(text.as_deref()?);
    match key.kty {
        KeyType::Rsa | KeyType::RsaHsm => {
            let (n, e) = (number(&key.n)?, number(&key.e)?);
            let der: PublicKeyX509Der<'_> = PublicKeyComponents { n, e }.as_der().ok()?;
            Some(der.as_ref().to_vec())
        }
        KeyType::Ec | KeyType::EcHsm => {
            let point = [vec![4], number(&key.x)?, number(&key.y)?].concat();
            let algorithm = [ID_EC_PUBLIC_KEY, named_curve(key.crv?)];
            let algorithm = Sequence::from_iter_to_der(algorithm.into_iter()).ok()?.to_der_vec().ok()?;
            let bits = BitString::new(0, &point).to_der_vec().ok()?;
            Sequence::new([algorithm, bits].concat().into()).to_der_vec().ok()
        }
        KeyType::Oct | KeyType::OctHsm => None,
    }
}

/// `id-ecPublicKey`. Source: RFC 5480 section 2.1.1.
const ID_EC_PUBLIC_KEY: Oid<'static> = oid!(1.2.840.10045.2.1);

/// Source: RFC 5480 section 2.1.1.1; SEC 2 section A.2.1 for secp256k1.
fn named_curve(curve: Curve) -> Oid<'static> {
    match curve {
        Curve::P256 => oid!(1.2.840.10045.3.1.7),
        Curve::P384 => oid!(1.3.132.0.34),
        Curve::P521 => oid!(1.3.132.0.35),
        Curve::P256K => oid!(1.3.132.0.10),
    }
}
