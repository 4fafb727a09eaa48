//! The root key: where it comes from and what its file must look like.
//!
//! It lies in its own file with 32 random bytes in base64, or is derived from a passphrase. It is never made
//! for a store that exists: a new key would not open it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credstore_protocol::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::OpenError;
use crate::installation::files::{self, FOREIGN_ACCESS};
use crate::random;

/// Largest root key file that is read, in bytes: 44 characters and some white space.
const FILE_MAX: u64 = 256;
/// Argon2id memory in KiB. Source: reliability goal C5, rust-stack section 5: 64 MiB, three passes.
const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 1;
/// Most memory that a store may ask for, in KiB. Ours: a changed store must not exhaust the machine.
const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 64;
const SALT_MIN: usize = 16;

/// Where the root key comes from.
#[derive(Debug)]
pub enum RootKeySource {
    /// A file with 32 random bytes in base64, readable by its owner only. It is made with the store, never later.
    /// A file that belongs to root, such as a systemd credential, may be readable by a group.
    File(PathBuf),
    /// A passphrase; the key is derived with Argon2id by the parameters in the store.
    Passphrase(Secret),
}

/// The key that opens everything else. Wiped when dropped.
pub struct RootKey(Zeroizing<[u8; 32]>);

/// How a passphrase becomes a root key. Kept in clear with the store, and authenticated by the key check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDerivation {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "super::data_key::hex_bytes")]
    salt: Vec<u8>,
}

impl KeyDerivation {
    /// Today's parameters with a new salt.
    pub fn fresh() -> Self {
        Self {
            algorithm: "argon2id".to_owned(),
            memory_kib: ARGON2_MEMORY_KIB,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            salt: random::bytes::<SALT_MIN>().to_vec(),
        }
    }

    /// Parameters below today's, above all reason, or of another algorithm are refused before any work is done.
    fn is_acceptable(&self) -> bool {
        self.algorithm == "argon2id"
            && (ARGON2_MEMORY_KIB..=ARGON2_MEMORY_KIB_MAX).contains(&self.memory_kib)
            && (ARGON2_PASSES..=ARGON2_PASSES_MAX).contains(&self.passes)
            && self.lanes == ARGON2_LANES
            && self.salt.len() >= SALT_MIN
    }
}

impl RootKey {
    /// A new key, for a store that is being made.
    pub fn random() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// The key that `passphrase` and `derivation` give. Takes about 150 ms and 64 MiB.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] when the parameters are none that this program would have chosen.
    pub fn derive(passphrase: &Secret, derivation: &KeyDerivation) -> Result<Self, OpenError> {
        let refused = || OpenError::Damaged { what: "the parameters of the passphrase".to_owned() };
        if !derivation.is_acceptable() {
            return Err(refused());
        }
        let params = Params::new(derivation.memory_kib, derivation.passes, derivation.lanes, Some(32));
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| refused())?);
        let mut key = Zeroizing::new([0; 32]);
        let derived = argon2.hash_password_into(passphrase.expose_secret().as_bytes(), &derivation.salt, &mut key[..]);
        derived.map_err(|_| refused())?;
        Ok(Self(key))
    }

    /// Reads the key from its file. Symbolic links are not followed.
    ///
    /// # Errors
    /// [`OpenError::RootKeyMissing`], [`OpenError::Permissions`], [`OpenError::ForeignOwner`],
    /// [`OpenError::RootKeyMalformed`].
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let file = files::reading_no_link().open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => OpenError::RootKeyMissing(path.to_owned()),
            _ => OpenError::Io { path: path.to_owned(), source },
        })?;
        check_access(path, &file)?;
        let mut text = Zeroizing::new(String::with_capacity(FILE_MAX as usize + 1));
        let malformed = || OpenError::RootKeyMalformed(path.to_owned());
        file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => malformed(),
            _ => OpenError::Io { path: path.to_owned(), source },
        })?;
        let bytes = Zeroizing::new(STANDARD.decode(text.trim().as_bytes()).map_err(|_| malformed())?);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| malformed())?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Writes a new key to `path`, which must not exist: complete, synced and 0600, or not at all.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn write_new(path: &Path) -> Result<Self, OpenError> {
        let key = Self::random();
        let mut text = Zeroizing::new(STANDARD.encode(&key.0[..]));
        text.push('\n');
        files::write_new(path, text.as_bytes())?;
        Ok(key)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Refuses a key file that others may read. Judged on the open file, so that nobody can swap it in between.
fn check_access(path: &Path, file: &File) -> Result<(), OpenError> {
    let metadata = file.metadata().map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    if !metadata.is_file() {
        return Err(OpenError::RootKeyMalformed(path.to_owned()));
    }
    let ours = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    if owner != ours && owner != 0 {
        return Err(OpenError::ForeignOwner(path.to_owned()));
    }
    // systemd gives a service read access to its credentials by an ACL, which shows as the group's read bit.
    let forbidden = if owner == 0 && ours != 0 { FOREIGN_ACCESS & !0o040 } else { FOREIGN_ACCESS };
    if metadata.mode() & forbidden != 0 {
        return Err(OpenError::Permissions { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

/// Writes `content` and syncs it. For the files of an installation.
pub(crate) fn write_and_sync(mut file: &File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn the_same_passphrase_and_salt_give_the_same_key_and_others_do_not() {
        let derivation = KeyDerivation::fresh();
        let key = |text: &str, derivation: &KeyDerivation| *RootKey::derive(&passphrase(text), derivation).unwrap().0;
        let first = key("correct horse", &derivation);
        assert_eq!(first, key("correct horse", &derivation));
        assert_ne!(first, key("correct horsf", &derivation));
        assert_ne!(first, key("correct horse", &KeyDerivation::fresh()));
    }

    #[test]
    fn weaker_or_absurd_parameters_are_refused_before_any_work() {
        let good = KeyDerivation::fresh();
        let bad = [
            KeyDerivation { memory_kib: ARGON2_MEMORY_KIB - 1, ..good.clone() },
            KeyDerivation { memory_kib: ARGON2_MEMORY_KIB_MAX + 1, ..good.clone() },
            KeyDerivation { passes: ARGON2_PASSES - 1, ..good.clone() },
            KeyDerivation { passes: ARGON2_PASSES_MAX + 1, ..good.clone() },
            KeyDerivation { lanes: 2, ..good.clone() },
            KeyDerivation { algorithm: "argon2i".to_owned(), ..good.clone() },
            KeyDerivation { salt: vec![0; 15], ..good.clone() },
        ];
        for derivation in bad {
            assert!(RootKey::derive(&passphrase("p"), &derivation).is_err(), "{derivation:?}");
        }
    }
}
