//! The folder of the settings while it is being set up: one run at a time, nothing of a killed run left behind, old
//! versions kept.

use std::fs::File;
use std::path::{Path, PathBuf};

use credstore::codes::{internal, server as codes};
use credstore::diagnosis::Diagnosis;
use rustix::fs::{FlockOperation, flock};

use super::Job;
use super::state::STATE_FILE;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::time_text;

/// Most versions of one file that were last changed in the same second. Ours; more means that something is wrong.
const SAME_SECOND_MAX: u32 = 100;

/// The right to set up in a folder, until it is dropped.
pub(crate) struct Turn {
    /// The system's lock ends with the handle, also when the process is killed.
    _lock: File,
}

impl Turn {
    /// Takes the turn and removes what a killed run has left: files under temporary names, which may hold a key.
    ///
    /// # Errors
    /// CS6025 when another run has it; CS0106 when the folder cannot be read.
    pub(crate) fn take(job: &Job) -> Result<Turn, CliError> {
        let folder = job.folder();
        let lock = File::open(&folder).map_err(|error| files::unreadable(&folder, &error.to_string()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            let message = format!("another set-up is under way in {}", folder.display());
            Diagnosis::error(&codes::SETUP_BUSY, message)
                .fix("wait until it has ended, then run this again")
                .retryable()
        })?;
        for file in [job.certificate(), job.public(), job.settings.clone(), folder.join(STATE_FILE)] {
            files::remove_leftovers(&file)?;
        }
        Ok(Turn { _lock: lock })
    }
}

/// Keeps a file that is about to be replaced as `NAME.TIME.bak`, mode 0600, TIME being when it was last changed. Gives
/// the copy, or `None` when that version was kept before.
///
/// # Errors
/// CS0106 or CS0107 when it cannot be read or written.
pub(crate) fn keep_old(file: &Path) -> Result<Option<PathBuf>, CliError> {
    let bytes = files::read(file)?;
    let changed = file.metadata().and_then(|found| found.modified());
    let changed = changed.map_err(|error| files::unreadable(file, &error.to_string()))?;
    let stamp = time_text::compact(changed.into());
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for number in 1..=SAME_SECOND_MAX {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let kept = file.with_file_name(format!("{name}.{stamp}{again}.bak"));
        if kept.symlink_metadata().is_err() {
            files::write(&kept, &bytes, 0o600, Existing::Keep)?;
            return Ok(Some(kept));
        }
        if *files::read(&kept)? == *bytes {
            return Ok(None);
        }
    }
    Err(files::unwritable(file, "too many old versions of the same second are kept beside it"))
}

/// CS9001: a thread of ours ended without its work.
pub(crate) fn stopped(error: &tokio::task::JoinError) -> CliError {
    Diagnosis::error(&internal::BUG, "the work ended before its result").cause(error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_kept_once_and_two_of_the_same_second_both() {
        let folder = std::env::temp_dir().join(format!("credstore-keep-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("server-settings.json");
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_430_527);
        let write = |text: &str| {
            std::fs::write(&file, text).unwrap();
            File::options().write(true).open(&file).unwrap().set_modified(at).unwrap();
        };
        write("one");
        let first = keep_old(&file).unwrap().unwrap();
        assert_eq!(first.file_name().unwrap(), "server-settings.json.20261123T104207Z.bak");
        assert_eq!(keep_old(&file).unwrap(), None);
        write("two");
        let second = keep_old(&file).unwrap().unwrap();
        assert_eq!(second.file_name().unwrap(), "server-settings.json.20261123T104207Z-2.bak");
        assert_eq!(std::fs::read(&first).unwrap(), b"one");
        assert_eq!(std::fs::read(&second).unwrap(), b"two");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
