//! The folder of `quickstart`: made by it, marked as its own, removed by it, and never another one.
//!
//! The mark is a file that the running process holds locked. A folder with a mark that nobody holds was left by a
//! killed run: it is removed and made anew. A folder without a mark is somebody else's.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use credstore::codes::server as codes;
use credstore::diagnosis::Diagnosis;
use rustix::fs::{FlockOperation, flock};

use crate::errors::CliError;
use crate::files;

/// Name of the mark.
const MARK: &str = ".credstore-quickstart";
/// What is in it, for who finds it.
const MARK_TEXT: &str = "credstore quickstart made this folder and removes it.\n";

/// A folder of our own. Dropping it removes the folder.
pub(super) struct Throwaway {
    path: PathBuf,
    /// As it was written.
    shown: String,
    /// Held as long as the folder is in use; gone when the folder is kept or removed.
    mark: Option<File>,
}

impl Throwaway {
    /// Makes the folder with mode 0700.
    ///
    /// # Errors
    /// CS6020 when it exists and is no leftover of ours; CS0107 when it cannot be made.
    pub(super) fn make(path: &Path) -> Result<Throwaway, CliError> {
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(files::unwritable(path, &error.to_string())),
            Ok(found) if !found.is_dir() => return Err(foreign(path, "it is there and is no folder")),
            Ok(_) => remove_leftover(path)?,
        }
        let made = DirBuilder::new().mode(0o700).create(path);
        made.map_err(|error| files::unwritable(path, &error.to_string()))?;
        let marked = mark(&path.join(MARK));
        let shown = match path.to_str() {
            Some(text) if path.is_relative() && !text.starts_with('.') => format!("./{text}"),
            _ => path.display().to_string(),
        };
        match (marked, path.canonicalize()) {
            (Ok(mark), Ok(path)) => Ok(Throwaway { path, shown, mark: Some(mark) }),
            (Err(error), _) | (_, Err(error)) => {
                let _ = std::fs::remove_dir_all(path);
                Err(files::unwritable(path, &error.to_string()))
            }
        }
    }

    /// The folder, absolute: it is the same one when the working directory changes.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for people: `./credstore-demo`.
    pub(super) fn shown(&self) -> String {
        crate::output::plain(&self.shown)
    }

    /// The folder as one word for a shell.
    pub(super) fn as_argument(&self) -> String {
        // What begins with a hyphen keeps its `./`: it would be taken for an option.
        let text = self.shown.strip_prefix("./").filter(|text| !text.starts_with('-')).unwrap_or(&self.shown);
        let bare = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
        match text.chars().all(bare) {
            true => text.to_owned(),
            false => crate::output::plain(&format!("'{}'", text.replace('\'', r"'\''"))),
        }
    }

    /// Gives the folder away: it is nobody's throwaway any more.
    pub(super) fn keep(mut self) -> Result<(), CliError> {
        let mark = self.path.join(MARK);
        std::fs::remove_file(&mark).map_err(|error| files::unwritable(&mark, &error.to_string()))?;
        self.mark = None;
        Ok(())
    }

    /// Removes the folder with everything in it.
    ///
    /// # Errors
    /// CS0107 when something in it cannot be removed.
    pub(super) fn remove(mut self) -> Result<(), CliError> {
        let removed = std::fs::remove_dir_all(&self.path);
        self.mark = None;
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(files::unwritable(&self.path, &error.to_string())),
            _ => Ok(()),
        }
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if self.mark.is_some() {
            // On this way out another error is told already; the next run removes what stays.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes the mark and locks it.
fn mark(path: &Path) -> std::io::Result<File> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all(MARK_TEXT.as_bytes())?;
    Ok(file)
}

fn remove_leftover(folder: &Path) -> Result<(), CliError> {
    let mark = folder.join(MARK);
    if !mark.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Err(foreign(folder, "quickstart did not make it"));
    }
    let held = File::open(&mark).map_err(|error| files::unreadable(&mark, &error.to_string()))?;
    if flock(&held, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(foreign(folder, "another quickstart is running in it"));
    }
    std::fs::remove_dir_all(folder).map_err(|error| files::unwritable(folder, &error.to_string()))
}

fn foreign(folder: &Path, cause: &str) -> CliError {
    Diagnosis::error(&codes::FOREIGN_FOLDER, format!("{} exists", folder.display()))
        .cause(cause)
        .fix("run it in another folder, or name a new one with --keep DIR")
        .into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place() -> PathBuf {
        std::env::temp_dir().join(format!("credstore-throwaway-{}", uuid::Uuid::new_v4()))
    }

    fn code(result: Result<Throwaway, CliError>) -> Option<&'static str> {
        result.err().and_then(|error| error.code().map(|code| code.id))
    }

    #[test]
    fn the_folder_is_private_and_gone_when_dropped() {
        let path = place();
        let folder = Throwaway::make(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_somebody_else_made_is_left_alone() {
        let path = place();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(code(Throwaway::make(&path)), Some("CS6020"));
        std::fs::write(path.join("mine"), "x").unwrap();
        assert_eq!(code(Throwaway::make(&path)), Some("CS6020"));
        assert!(path.join("mine").exists());
        let link = place();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(code(Throwaway::make(&link)), Some("CS6020"));
        std::fs::remove_file(link).unwrap();
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_folder_in_use_is_left_alone_and_one_that_a_killed_run_left_is_made_anew() {
        let path = place();
        let mut running = Throwaway::make(&path).unwrap();
        assert_eq!(code(Throwaway::make(&path)), Some("CS6020"));
        std::fs::write(path.join("rest"), "x").unwrap();
        // As a kill does: the lock goes, the folder stays.
        running.mark = None;
        drop(running);
        assert!(path.join("rest").exists());
        let again = Throwaway::make(&path).unwrap();
        assert!(!path.join("rest").exists());
        again.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_kept_folder_is_nobodys_throwaway() {
        let path = place();
        Throwaway::make(&path).unwrap().keep().unwrap();
        assert_eq!(code(Throwaway::make(&path)), Some("CS6020"));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn the_folder_is_one_word_for_a_shell() {
        let named = |shown: &str| Throwaway { path: PathBuf::new(), shown: shown.to_owned(), mark: None }.as_argument();
        assert_eq!(named("./credstore-demo"), "credstore-demo");
        assert_eq!(named("/srv/a b"), "'/srv/a b'");
        assert_eq!(named("./it's"), r"'it'\''s'");
        assert_eq!(named("./-x"), "./-x");
    }
}
