//! The key of an encrypted file: 32 random bytes in a file of their own, or made from a passphrase.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{hkdf, rand};
use credstore_protocol::Secret;
use credstore_protocol::encoding::{base64_any, base64_standard};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::EncryptedFileError;

/// Argon2id memory in KiB, passes and lanes. Source: reliability goal C5; the same as for a vault's root key.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Most that a file may ask for. Ours: a changed file must not exhaust the machine.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
const PASSPHRASE_SALT_LENGTH: usize = 16;
const KEY_LENGTH: usize = 32;
const CHECK_LENGTH: usize = 16;

/// What opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A key file.
    KeyFile,
    /// A passphrase.
    Passphrase,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyFile => "a key file",
            Self::Passphrase => "a passphrase",
        })
    }
}

/// What the administrator has. Wiped when dropped.
pub enum Unlock {
    /// The content of a key file.
    KeyFile(Zeroizing<[u8; KEY_LENGTH]>),
    /// The passphrase.
    Passphrase(Secret),
}

impl Unlock {
    /// The key in the text of a key file: 32 bytes in base64, blanks around it. `None` when it is none.
    pub fn key_file(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(base64_any(text.trim())?);
        let key = <[u8; KEY_LENGTH]>::try_from(bytes.as_slice()).ok()?;
        Some(Self::KeyFile(Zeroizing::new(key)))
    }

    /// A file's text as `kind` reads it: a key, or a passphrase without its final newline.
    pub fn of_text(kind: KeyKind, text: &str) -> Option<Self> {
        match kind {
            KeyKind::KeyFile => Self::key_file(text),
            KeyKind::Passphrase => {
                let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
                Some(Self::Passphrase(Secret::from(Zeroizing::new(line.to_owned()))))
            }
        }
    }
}

/// How the key comes about, as the header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum StoredKey {
    KeyFile {},
    Passphrase {
        kdf: Kdf,
        #[serde(rename = "memoryKiB")]
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        #[serde(with = "base64_bytes")]
        salt: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kdf {
    Argon2id,
}

impl StoredKey {
    pub(super) fn kind(&self) -> KeyKind {
        match self {
            Self::KeyFile {} => KeyKind::KeyFile,
            Self::Passphrase { .. } => KeyKind::Passphrase,
        }
    }

    /// That a passphrase is not made cheaper to guess, nor dearer than the machine stands.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let Self::Passphrase { kdf: Kdf::Argon2id, memory_kib, passes, lanes, salt } = self else { return Ok(()) };
        let is_ours = (MEMORY_KIB..=MEMORY_KIB_MAX).contains(memory_kib)
            && (PASSES..=PASSES_MAX).contains(passes)
            && *lanes == LANES
            && salt.len() == PASSPHRASE_SALT_LENGTH;
        if is_ours { Ok(()) } else { Err("the parameters of the passphrase") }
    }

    /// The key that `unlock` gives for this header.
    pub(super) fn unlocked(&self, unlock: &Unlock) -> Result<FileKey, EncryptedFileError> {
        let bytes = match (self, unlock) {
            (Self::KeyFile {}, Unlock::KeyFile(key)) => key.clone(),
            (Self::Passphrase { memory_kib, passes, lanes, salt, .. }, Unlock::Passphrase(passphrase)) => {
                derived(passphrase, (*memory_kib, *passes, *lanes), salt).ok_or(EncryptedFileError::NotSealed)?
            }
            (stored, _) => return Err(EncryptedFileError::OtherKind(stored.kind())),
        };
        Ok(FileKey { bytes, stored: self.clone() })
    }
}

/// Source: RFC 9106.
fn derived(passphrase: &Secret, cost: (u32, u32, u32), salt: &[u8]) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
    let params = Params::new(cost.0, cost.1, cost.2, Some(KEY_LENGTH)).ok()?;
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passphrase.expose_secret().as_bytes(), salt, &mut key[..]).ok()?;
    Some(key)
}

/// A key with the way it came about. Wiped when dropped.
pub struct FileKey {
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
    stored: StoredKey,
}

impl FileKey {
    /// A new random key, and the text of its key file.
    ///
    /// # Errors
    /// [`EncryptedFileError::NotSealed`] when the system has no random bytes.
    pub fn random() -> Result<(Self, Zeroizing<String>), EncryptedFileError> {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        rand::fill(&mut bytes[..]).map_err(|_| EncryptedFileError::NotSealed)?;
        let mut text = Zeroizing::new(base64_standard(&bytes[..]));
        text.push('\n');
        Ok((Self { bytes, stored: StoredKey::KeyFile {} }, text))
    }

    /// The key for a new file, of what the administrator has. With a passphrase it takes about 150 ms and 64 MiB.
    ///
    /// # Errors
    /// [`EncryptedFileError::NotSealed`] when the cryptographic library refuses.
    pub fn of(unlock: &Unlock) -> Result<Self, EncryptedFileError> {
        let stored = match unlock {
            Unlock::KeyFile(_) => StoredKey::KeyFile {},
            Unlock::Passphrase(_) => {
                let mut salt = [0; PASSPHRASE_SALT_LENGTH];
                rand::fill(&mut salt).map_err(|_| EncryptedFileError::NotSealed)?;
                StoredKey::Passphrase {
                    kdf: Kdf::Argon2id,
                    memory_kib: MEMORY_KIB,
                    passes: PASSES,
                    lanes: LANES,
                    salt: salt.to_vec(),
                }
            }
        };
        stored.unlocked(unlock)
    }

    pub(super) fn stored(&self) -> &StoredKey {
        &self.stored
    }
}

/// The keys of one version of a file.
pub(super) struct Keys {
    pub(super) sealing: Zeroizing<[u8; KEY_LENGTH]>,
    pub(super) check: [u8; CHECK_LENGTH],
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Keys {
    /// HKDF-SHA-256 over the file's key, with the salt of the version. Source: RFC 5869.
    pub(super) fn of(key: &FileKey, salt: &[u8]) -> Option<Self> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&key.bytes[..]);
        let mut keys = Self { sealing: Zeroizing::new([0; KEY_LENGTH]), check: [0; CHECK_LENGTH] };
        extracted
            .expand(&[b"credstore encrypted file 1 seal"], Length(KEY_LENGTH))
            .ok()?
            .fill(&mut keys.sealing[..])
            .ok()?;
        extracted
            .expand(&[b"credstore encrypted file 1 check"], Length(CHECK_LENGTH))
            .ok()?
            .fill(&mut keys.check)
            .ok()?;
        Some(keys)
    }
}

/// Standard base64 with padding, in one spelling.
pub(super) mod base64_bytes {
    use credstore_protocol::encoding::{base64_any, base64_standard};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64_standard(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base64_any(&text).filter(|bytes| base64_standard(bytes) == text);
        bytes.ok_or_else(|| de::Error::custom("not base64"))
    }
}
