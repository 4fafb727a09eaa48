//! Encrypt and decrypt; wrap and unwrap are the same with another key as the text.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
};
use credstore_protocol::key_vault::keys::EncryptionAlgorithm;
use zeroize::Zeroizing;

use super::material::Pair;
use super::{KeyError, KeyMaterial};

enum Padding {
    Oaep(&'static OaepAlgorithm),
    Pkcs1,
}

fn padding(algorithm: EncryptionAlgorithm) -> Padding {
    match algorithm {
        EncryptionAlgorithm::RsaOaep => Padding::Oaep(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithm::RsaOaep256 => Padding::Oaep(&OAEP_SHA256_MGF1SHA256),
        EncryptionAlgorithm::Rsa15 => Padding::Pkcs1,
    }
}

impl KeyMaterial {
    /// `text`, encrypted for this key.
    ///
    /// # Errors
    /// [`KeyError::AlgorithmOfOtherKind`], [`KeyError::TooLong`], [`KeyError::Library`].
    pub fn encrypt(&self, algorithm: EncryptionAlgorithm, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.decrypting(algorithm)?.public_key();
        let mut sealed = vec![0; key.key_size_bytes()];
        let fits = |most: usize| {
            let found = text.len();
            if found <= most { Ok(()) } else { Err(KeyError::TooLong { algorithm: algorithm.as_str(), found, most }) }
        };
        let written = match padding(algorithm) {
            Padding::Oaep(oaep) => {
                let key = OaepPublicEncryptingKey::new(key).map_err(|_| KeyError::Library)?;
                fits(key.max_plaintext_size(oaep))?;
                key.encrypt(oaep, text, &mut sealed, None).map(|written| written.len())
            }
            Padding::Pkcs1 => {
                let key = Pkcs1PublicEncryptingKey::new(key).map_err(|_| KeyError::Library)?;
                fits(key.max_plaintext_size())?;
                key.encrypt(text, &mut sealed).map(|written| written.len())
            }
        };
        sealed.truncate(written.map_err(|_| KeyError::Library)?);
        Ok(sealed)
    }

    /// The text that `sealed` was made of.
    ///
    /// # Errors
    /// [`KeyError::AlgorithmOfOtherKind`], [`KeyError::Undecryptable`], [`KeyError::Library`].
    pub fn decrypt(&self, algorithm: EncryptionAlgorithm, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let key = self.decrypting(algorithm)?.clone();
        let mut text = Zeroizing::new(vec![0; key.key_size_bytes()]);
        let written = match padding(algorithm) {
            Padding::Oaep(oaep) => {
                let key = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Library)?;
                key.decrypt(oaep, sealed, &mut text, None).map(|written| written.len())
            }
            Padding::Pkcs1 => {
                let key = Pkcs1PrivateDecryptingKey::new(key).map_err(|_| KeyError::Library)?;
                key.decrypt(sealed, &mut text).map(|written| written.len())
            }
        };
        text.truncate(written.map_err(|_| KeyError::Undecryptable { algorithm: algorithm.as_str() })?);
        Ok(text)
    }

    fn decrypting(&self, algorithm: EncryptionAlgorithm) -> Result<&PrivateDecryptingKey, KeyError> {
        match &self.pair {
            Pair::Rsa { decrypting, .. } => Ok(decrypting),
            Pair::Ec { .. } => Err(self.other_kind(algorithm.as_str())),
        }
    }
}
