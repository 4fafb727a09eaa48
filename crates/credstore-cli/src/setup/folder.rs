//! The folder of the settings while it is being set up: one run at a time, nothing of a killed run left behind.

use std::fs::File;
use std::path::{Path, PathBuf};

use credstore::codes::{internal, server as codes};
use credstore::diagnosis::Diagnosis;
use rustix::fs::{FlockOperation, flock};

use crate::errors::CliError;
use crate::files;

/// The right to set up in a folder, until it is dropped.
pub(crate) struct Turn {
    /// The system's lock ends with the handle, also when the process is killed.
    _lock: File,
}

impl Turn {
    /// Takes the turn and removes what a killed run has left of `written`: files under temporary names, which may hold a
    /// key.
    ///
    /// # Errors
    /// CS6025 when another run has it; CS0106 when the folder cannot be read.
    pub(crate) fn take(folder: &Path, written: &[PathBuf]) -> Result<Turn, CliError> {
        let lock = File::open(folder).map_err(|error| files::unreadable(folder, &error.to_string()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            let message = format!("another set-up is under way in {}", folder.display());
            Diagnosis::error(&codes::SETUP_BUSY, message)
                .fix("wait until it has ended, then run this again")
                .retryable()
        })?;
        for file in written {
            files::remove_leftovers(file)?;
        }
        Ok(Turn { _lock: lock })
    }
}

/// CS9001: a thread of ours ended without its work.
pub(crate) fn stopped(error: &tokio::task::JoinError) -> CliError {
    Diagnosis::error(&internal::BUG, "the work ended before its result").cause(error.to_string()).into()
}
