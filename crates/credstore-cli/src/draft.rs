//! Server Settings that are about to change: drafted, shown, saved, and put back when what they say does not work.

use std::path::{Path, PathBuf};

use credstore::codes::server as codes;
use credstore::diagnosis::{Diagnosis, Place};
use credstore::settings::{self, DiffLine, Edited};
use zeroize::Zeroizing;

use crate::errors::CliError;
use crate::files;

/// The settings before and after, not saved yet.
pub(crate) struct Draft {
    file: PathBuf,
    before: Option<Zeroizing<String>>,
    edited: Edited,
}

impl Draft {
    /// What `edit` makes of the settings in `file`; it gets an empty text when there is no such file.
    ///
    /// # Errors
    /// CS10xx with the place in the file: a broken file is mended first.
    pub(crate) fn new(
        file: &Path,
        edit: impl FnOnce(&str) -> Result<Edited, Box<Diagnosis>>,
    ) -> Result<Self, CliError> {
        let before = read(file)?;
        let edited = edit(before.as_deref().map_or("", |text| text)).map_err(|mut error| {
            error.place = Some(Place { file: Some(file.to_owned()), ..error.place.unwrap_or_default() });
            CliError::from(error)
        })?;
        Ok(Self { file: file.to_owned(), before, edited })
    }

    /// Whether the entry is there already as it is to be.
    pub(crate) fn is_saved(&self) -> bool {
        self.before.is_some() && self.edited.diff.is_empty()
    }

    /// Whether another entry is replaced.
    pub(crate) fn replaces(&self) -> bool {
        self.edited.diff.iter().any(|line| !matches!(line, DiffLine::Added(_)))
    }

    /// The entry before and after.
    pub(crate) fn diff(&self) -> &[DiffLine] {
        &self.edited.diff
    }

    /// Saves it; the old version stays beside it.
    ///
    /// # Errors
    /// CS6026 when somebody saved since the draft was made; CS0107 when the file cannot be written.
    pub(crate) fn save(self) -> Result<Saved, CliError> {
        if read(&self.file)?.as_deref() != self.before.as_deref() {
            let message = format!("{} was changed by somebody else", self.file.display());
            return Err(Diagnosis::error(&codes::SETTINGS_CHANGED, message).fix("run it again").retryable().into());
        }
        let kept = match &self.before {
            Some(_) => files::keep_old(&self.file)?,
            None => None,
        };
        files::replace_keeping_mode(&self.file, self.edited.text.as_bytes(), 0o600)?;
        Ok(Saved { file: self.file, before: self.before, kept })
    }
}

/// Saved settings that can still be put back.
pub(crate) struct Saved {
    file: PathBuf,
    before: Option<Zeroizing<String>>,
    kept: Option<PathBuf>,
}

impl Saved {
    /// Puts the old text back, because of `error`, which then says so.
    pub(crate) fn put_back(self, error: CliError) -> CliError {
        let done = match &self.before {
            Some(text) => files::replace_keeping_mode(&self.file, text.as_bytes(), 0o600),
            None => std::fs::remove_file(&self.file).map_err(|error| files::unwritable(&self.file, &error.to_string())),
        };
        match done {
            Ok(()) => {
                // Only what this run kept: the same text is in the file again.
                let _ = self.kept.map(std::fs::remove_file);
                let note = match self.before {
                    Some(_) => format!("{} is as it was before", self.file.display()),
                    None => format!("{} was not kept", self.file.display()),
                };
                error.map(|diagnosis| diagnosis.note(note))
            }
            Err(other) => other,
        }
    }
}

/// The text of the settings; `None` when there is no such file.
pub(crate) fn read(file: &Path) -> Result<Option<Zeroizing<String>>, CliError> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Ok(_) | Err(_) => Ok(Some(settings::read(file)?)),
    }
}
