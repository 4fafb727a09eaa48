//! `seen-versions.json`: the newest version of each encrypted file that was seen on this machine, apart from the files.
//!
//! It is a witness, not a lock: when it cannot be read or written, files are opened all the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use credstore::store::unsealing::SeenVersions;
use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use crate::files::{self, Existing};
use crate::world::World;

/// Most files that are remembered. Ours: the list must not grow for ever.
const FILES_MAX: usize = 1000;

/// The list in the state folder of the user.
pub(crate) struct SeenInFile(PathBuf);

impl SeenInFile {
    pub(crate) fn of(world: &World) -> Self {
        Self(world.state_folder().join("seen-versions.json"))
    }

    fn read(&self) -> BTreeMap<String, u64> {
        files::read(&self.0).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn note(&self, file: &str, generation: u64) -> Result<u64, crate::errors::CliError> {
        let folder = files::folder_of(&self.0);
        files::private_folder(&folder)?;
        let lock = std::fs::File::open(&folder).map_err(|error| files::unreadable(&folder, &error.to_string()))?;
        // Two at once would lose one of two notes.
        let _ = flock(&lock, FlockOperation::LockExclusive);
        let mut known = self.read();
        let newest = known.get(file).copied().unwrap_or_default().max(generation);
        if known.get(file) != Some(&newest) && (known.len() < FILES_MAX || known.contains_key(file)) {
            known.insert(file.to_owned(), newest);
            let text = serde_json::to_vec_pretty(&known).unwrap_or_default();
            files::write(&self.0, &text, 0o600, Existing::Replace)?;
        }
        Ok(newest)
    }
}

impl SeenVersions for SeenInFile {
    fn newest(&self, file: Uuid, generation: u64) -> u64 {
        let file = file.to_string();
        // Most reads find what was noted: nothing is locked or written for them.
        if let Some(&known) = self.read().get(&file).filter(|&&known| known >= generation) {
            return known;
        }
        self.note(&file, generation).unwrap_or_else(|error| {
            let code = error.code().map_or("", |code| code.id);
            tracing::warn!(code, "the version of the encrypted file is not remembered");
            generation
        })
    }
}
