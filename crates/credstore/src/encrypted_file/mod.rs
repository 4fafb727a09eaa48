//! The encrypted credential file: `credential_store.json` sealed, so that it may lie in a backup or a repository.
//!
//! The file is three lines of ASCII: a fixed one that names the format, a header in JSON, and the sealed text in base64.
//! `docs/encrypted-file.md` describes it byte by byte. Nothing of it is believed before the seal is checked, and no
//! program is ever started because of what it says. Nothing here reads files or the clock.

mod key;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::constant_time;
use aws_lc_rs::rand;
use credstore_protocol::encoding::{base64_any, base64_standard};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use key::{FileKey, KeyKind, Unlock};
use key::{Keys, StoredKey};

/// The first line.
const MAGIC: &str = "credstore-encrypted-file 1";
/// What the first line of this and every later version begins with.
const NAME: &str = "credstore-encrypted-file ";
/// Longest header in bytes. Ours: a real one has some 300.
const HEADER_MAX: usize = 4096;
/// The sealed text is filled with blanks up to a multiple of this, in bytes, so that its size tells little. Ours.
pub const PADDING: usize = 1024;
/// Length of the salt that makes the keys of one version of a file. Ours: as long as the keys.
const SALT_LENGTH: usize = 32;

/// Why an encrypted file was not opened or made. A variant is a decision of the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptedFileError {
    /// It is no encrypted file: plain JSON, perhaps.
    #[error("it is not encrypted")]
    NotEncrypted,
    /// A later version of the format.
    #[error("it is of a later version of the format")]
    Newer,
    /// The form is not that of a whole encrypted file.
    #[error("it is cut off or was edited: {0}")]
    Malformed(&'static str),
    /// The key is not the one that it was sealed with.
    #[error("the key does not open it")]
    WrongKey,
    /// A key file was given where a passphrase is needed, or the other way round.
    #[error("it was sealed with {0}")]
    OtherKind(KeyKind),
    /// The key is the right one, and what is sealed was changed.
    #[error("it was changed after it was sealed")]
    Damaged,
    /// The cryptographic library refused.
    #[error("it cannot be sealed")]
    NotSealed,
}

/// The second line. The order of the members is that of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Header {
    /// GUID of the file; it stays when the content changes.
    #[serde(with = "guid")]
    id: Uuid,
    /// Counts the versions, from 1.
    generation: u64,
    key: StoredKey,
    /// New for every version.
    #[serde(with = "key::base64_bytes")]
    salt: Vec<u8>,
    /// Tells a wrong key from a damaged file.
    #[serde(with = "key::base64_bytes")]
    check: Vec<u8>,
}

/// Lower case with hyphens, in one spelling.
mod guid {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&id.as_hyphenated())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("not a GUID"))
    }
}

/// An encrypted file that has the right form. Nothing about it is verified.
#[derive(Clone, Debug)]
pub struct EncryptedFile {
    header: Header,
    /// The first two lines with their newlines: what is authenticated besides the text.
    head: String,
    sealed: Vec<u8>,
}

/// The content of a file whose seal was checked.
pub struct Content {
    /// The text of a plain `credential_store.json`, blanks behind it.
    pub text: Zeroizing<String>,
    /// What the next version is sealed with.
    pub next: Sealer,
}

/// Everything that the next version of a file needs. Has the key: wiped when dropped.
pub struct Sealer {
    id: Uuid,
    generation: u64,
    key: FileKey,
}

/// Whether bytes say that they are an encrypted file of any version.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(NAME.as_bytes())
}

impl EncryptedFile {
    /// Reads the form.
    ///
    /// # Errors
    /// [`EncryptedFileError::NotEncrypted`], [`EncryptedFileError::Newer`], [`EncryptedFileError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EncryptedFileError> {
        use EncryptedFileError::Malformed;
        if !is_encrypted(bytes) {
            return Err(EncryptedFileError::NotEncrypted);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("it is not ASCII"))?;
        let mut lines = text.split('\n');
        if lines.next() != Some(MAGIC) {
            return Err(if text.starts_with(MAGIC) { Malformed("the first line") } else { EncryptedFileError::Newer });
        }
        let (Some(header), Some(sealed), Some(""), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Malformed("it has not three lines, each with its newline"));
        };
        if header.len() > HEADER_MAX {
            return Err(Malformed("the header is too long"));
        }
        let read: Header = serde_json::from_str(header).map_err(|_| Malformed("the header"))?;
        // One way to write a header: nothing can be hidden in blanks, numbers or the order of members.
        if serde_json::to_string(&read).ok().as_deref() != Some(header) || read.salt.len() != SALT_LENGTH {
            return Err(Malformed("the header"));
        }
        read.key.check().map_err(Malformed)?;
        let bytes = base64_any(sealed).filter(|bytes| base64_standard(bytes) == sealed);
        let head = format!("{MAGIC}\n{header}\n");
        Ok(Self { header: read, head, sealed: bytes.ok_or(Malformed("the sealed text is no base64"))? })
    }

    /// What kind of key opens it, as it says.
    pub fn key_kind(&self) -> KeyKind {
        self.header.key.kind()
    }

    /// The file's id and which version of it this is, as it says: trust it after [`open`](Self::open) only.
    pub fn claimed_version(&self) -> (Uuid, u64) {
        (self.header.id, self.header.generation)
    }

    /// Checks the seal and gives the content. With a passphrase it takes about 150 ms and 64 MiB.
    ///
    /// # Errors
    /// [`EncryptedFileError::OtherKind`], [`EncryptedFileError::WrongKey`], [`EncryptedFileError::Damaged`].
    pub fn open(&self, unlock: &Unlock) -> Result<Content, EncryptedFileError> {
        let Header { id, generation, salt, check, .. } = &self.header;
        let key = self.header.key.unlocked(unlock)?;
        let keys = Keys::of(&key, salt).ok_or(EncryptedFileError::NotSealed)?;
        if constant_time::verify_slices_are_equal(&keys.check, check).is_err() {
            return Err(EncryptedFileError::WrongKey);
        }
        let mut bytes = Zeroizing::new(self.sealed.clone());
        let aad = Aad::from(self.head.as_bytes());
        let opened = aead(&keys)?.open_in_place(Nonce::assume_unique_for_key([0; 12]), aad, &mut bytes);
        let opened = opened.map_err(|_| EncryptedFileError::Damaged)?;
        let text = std::str::from_utf8(opened).map_err(|_| EncryptedFileError::Damaged)?;
        let text = Zeroizing::new(text.to_owned());
        Ok(Content { text, next: Sealer { id: *id, generation: *generation, key } })
    }
}

fn aead(keys: &Keys) -> Result<LessSafeKey, EncryptedFileError> {
    let key = UnboundKey::new(&AES_256_GCM, &keys.sealing[..]).map_err(|_| EncryptedFileError::NotSealed)?;
    Ok(LessSafeKey::new(key))
}

impl Sealer {
    /// For a file that is new.
    pub fn new(key: FileKey) -> Self {
        Self { id: Uuid::new_v4(), generation: 0, key }
    }

    /// The id of the file, and which version of it was opened; 0 for a new one.
    pub fn version(&self) -> (Uuid, u64) {
        (self.id, self.generation)
    }

    /// The same with another key from the next version on.
    pub fn with_key(self, key: FileKey) -> Self {
        Self { key, ..self }
    }

    /// The same with the next version above `generation`, for a file that was put back to an older one.
    pub fn above(self, generation: u64) -> Self {
        Self { generation: self.generation.max(generation), ..self }
    }

    /// Seals the next version of the file.
    ///
    /// # Errors
    /// [`EncryptedFileError::NotSealed`] when the cryptographic library refuses.
    pub fn seal(&self, text: &str) -> Result<Vec<u8>, EncryptedFileError> {
        let failed = |_| EncryptedFileError::NotSealed;
        let mut salt = [0; SALT_LENGTH];
        rand::fill(&mut salt).map_err(failed)?;
        self.seal_with(text, &salt)
    }

    fn seal_with(&self, text: &str, salt: &[u8]) -> Result<Vec<u8>, EncryptedFileError> {
        let keys = Keys::of(&self.key, salt).ok_or(EncryptedFileError::NotSealed)?;
        let header = Header {
            id: self.id,
            generation: self.generation.saturating_add(1),
            key: self.key.stored().clone(),
            salt: salt.to_vec(),
            check: keys.check.to_vec(),
        };
        let header = serde_json::to_string(&header).map_err(|_| EncryptedFileError::NotSealed)?;
        let head = format!("{MAGIC}\n{header}\n");
        let padded = text.len().max(1).next_multiple_of(PADDING);
        // Room for the tag: a buffer that grows would leave a copy of the text behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(padded + AES_256_GCM.tag_len()));
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(padded, b' ');
        let (nonce, aad) = (Nonce::assume_unique_for_key([0; 12]), Aad::from(head.as_bytes()));
        let tag = aead(&keys)?.seal_in_place_separate_tag(nonce, aad, &mut bytes);
        bytes.extend_from_slice(tag.map_err(|_| EncryptedFileError::NotSealed)?.as_ref());
        Ok(format!("{head}{}\n", base64_standard(&bytes)).into_bytes())
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("next", &self.next).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("id", &self.id).field("generation", &self.generation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of `testing/vectors/encrypted-file`, which another implementation made.
    #[test]
    fn the_same_key_salt_and_text_give_the_bytes_of_the_vector() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/vectors/encrypted-file");
        let read = |name: &str| std::fs::read(format!("{folder}/{name}")).unwrap();
        let file = EncryptedFile::parse(&read("key-file.sealed")).unwrap();
        let key = Unlock::key_file(std::str::from_utf8(&read("key-file.key")).unwrap()).unwrap();
        let content = file.open(&key).unwrap();
        assert_eq!(content.text.trim_end().as_bytes(), read("key-file.json"));
        let again = Sealer { generation: content.next.generation - 1, ..content.next };
        let sealed = again.seal_with(content.text.trim_end(), &file.header.salt).unwrap();
        assert_eq!(sealed, read("key-file.sealed"));
    }
}
