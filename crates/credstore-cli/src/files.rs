//! Files that hold a secret, a private key or settings: private, whole or not at all, never through a link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::errors::CliError;
use crate::time_text;

/// Largest file that is read into memory whole, in bytes: settings, certificates, backups.
pub(crate) const FILE_MAX: u64 = 16 << 20;

/// Most versions of one file that were last changed in the same second. Ours; more means that something is wrong.
const SAME_SECOND_MAX: u32 = 100;

/// Whether a file that is there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the write is refused.
    Keep,
    /// It is replaced at once and as a whole.
    Replace,
}

/// Writes `bytes` to `path` with mode `mode`: under a temporary name in the same folder, synced, then renamed.
///
/// # Errors
/// CS0108 when the file is there and stays; CS0107 when the path is a link or the system refuses.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, existing: Existing) -> Result<(), CliError> {
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_symlink() => return Err(unwritable(path, "it is a symbolic link")),
        Ok(found) if found.is_dir() => return Err(unwritable(path, "it is a folder")),
        Ok(_) if existing == Existing::Keep => return Err(exists(path)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unwritable(path, &error.to_string())),
    }
    let temporary = temporary_name(path);
    let written = write_new(&temporary, bytes, mode).and_then(|()| keep_owner(&temporary, path));
    let done = written.and_then(|()| match existing {
        Existing::Replace => std::fs::rename(&temporary, path),
        // A hard link does not replace, whatever appeared since the look above.
        Existing::Keep => std::fs::hard_link(&temporary, path).and_then(|()| std::fs::remove_file(&temporary)),
    });
    match done.and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            match error.kind() {
                io::ErrorKind::AlreadyExists => Err(exists(path)),
                _ => Err(unwritable(path, &error.to_string())),
            }
        }
    }
}

/// Replaces a file as a whole and keeps its permissions; a file that is not there gets `mode`.
pub(crate) fn replace_keeping_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let mode = path.metadata().map_or(mode, |found| found.permissions().mode() & 0o777);
    write(path, bytes, mode, Existing::Replace)
}

/// Keeps a file that is about to be replaced as `NAME.TIME.bak`, mode 0600, TIME being when it was last changed. Gives
/// the copy, or `None` when that version was kept before.
///
/// # Errors
/// CS0106 or CS0107 when it cannot be read or written.
pub(crate) fn keep_old(file: &Path) -> Result<Option<PathBuf>, CliError> {
    let bytes = read(file)?;
    let changed = file.metadata().and_then(|found| found.modified());
    let changed = changed.map_err(|error| unreadable(file, &error.to_string()))?;
    let stamp = time_text::compact(changed.into());
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for number in 1..=SAME_SECOND_MAX {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let kept = file.with_file_name(format!("{name}.{stamp}{again}.bak"));
        if kept.symlink_metadata().is_err() {
            write(&kept, &bytes, 0o600, Existing::Keep)?;
            return Ok(Some(kept));
        }
        if *read(&kept)? == *bytes {
            return Ok(None);
        }
    }
    Err(unwritable(file, "too many old versions of the same second are kept beside it"))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or_default();
    let mut file = File::options().write(true).create_new(true).mode(mode).custom_flags(flags).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a file the owner and group of the one that it will replace: root changes files of services. Others have no right
/// to, and the file is theirs then.
fn keep_owner(new: &Path, replaced: &Path) -> io::Result<()> {
    let Ok(theirs) = replaced.metadata() else { return Ok(()) };
    let ours = new.metadata()?;
    if (ours.uid(), ours.gid()) == (theirs.uid(), theirs.gid()) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    std::os::unix::fs::chown(new, Some(theirs.uid()), Some(theirs.gid()))
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", uuid::Uuid::new_v4().simple()))
}

/// Removes what killed writers of `path` have left beside it under temporary names. For whoever is its only writer.
///
/// # Errors
/// CS0106 when the folder cannot be read, CS0107 when a file in it cannot be removed.
pub(crate) fn remove_leftovers(path: &Path) -> Result<(), CliError> {
    let folder = folder_of(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &reason(&error)))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&folder, &reason(&error)))?;
        if is_temporary_name(&entry.file_name().to_string_lossy(), &name) {
            std::fs::remove_file(entry.path()).map_err(|error| unwritable(&entry.path(), &reason(&error)))?;
        }
    }
    Ok(())
}

/// Whether [`temporary_name`] gives such a name for a file called `name`.
fn is_temporary_name(candidate: &str, name: &str) -> bool {
    let middle =
        candidate.strip_prefix('.').and_then(|rest| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix('.'));
    let unique = middle.and_then(|rest| rest.strip_suffix(".tmp"));
    unique.is_some_and(|unique| unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The folder of `path`, `.` when it has none.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a folder that is for its owner alone, with those above it, unless it is there.
///
/// # Errors
/// CS0107 when the system refuses.
pub(crate) fn private_folder(folder: &Path) -> Result<(), CliError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unwritable(folder, &error.to_string()))
}

/// Makes the names in a folder durable.
///
/// # Errors
/// CS0107 when the system refuses.
pub(crate) fn synced(folder: &Path) -> Result<(), CliError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, &error.to_string()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Reads a whole file, at most [`FILE_MAX`] bytes, into memory that is wiped.
///
/// # Errors
/// CS0106 when the file cannot be read or is larger.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    read_with_metadata(path).map(|(bytes, _)| bytes)
}

/// As [`read`], with what the system says about the very file that was read.
pub(crate) fn read_with_metadata(path: &Path) -> Result<(Zeroizing<Vec<u8>>, std::fs::Metadata), CliError> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|found| (file, found)));
    let (file, found) = opened.map_err(|error| unreadable(path, &reason(&error)))?;
    if found.is_dir() {
        return Err(unreadable(path, "it is a folder"));
    }
    // Room for the whole file and the look for its end, so that the vector never moves.
    let room = usize::try_from(found.len().min(FILE_MAX)).unwrap_or_default() + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &reason(&error)))?;
    match bytes.len() as u64 > FILE_MAX {
        true => Err(unreadable(path, "it is larger than 16 MiB")),
        false => Ok((bytes, found)),
    }
}

/// As [`read`], where `-` is standard input.
pub(crate) fn read_or_stdin(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    if path != Path::new("-") {
        return read(path);
    }
    let bytes = read_stream(&mut io::stdin().lock(), FILE_MAX)?;
    bytes.ok_or_else(|| unreadable(Path::new("standard input"), "it is larger than 16 MiB"))
}

/// Everything of a stream into memory that is wiped; `None` when it has more than `most` bytes.
///
/// # Errors
/// CS0103 when the system refuses.
pub(crate) fn read_stream(stream: &mut dyn Read, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>, CliError> {
    // All the room at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut piece = Zeroizing::new([0u8; 8192]);
    loop {
        let count = stream.read(&mut piece[..]).map_err(|error| {
            Diagnosis::error(&usage::INPUT_NEEDED, "standard input cannot be read").cause(error.to_string())
        })?;
        if count == 0 {
            return Ok(Some(bytes));
        }
        if (bytes.len() + count) as u64 > most {
            return Ok(None);
        }
        if bytes.len() + count > bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * bytes.capacity()));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(&piece[..count]);
    }
}

/// Reads a whole text file.
///
/// # Errors
/// As [`read`], and CS0106 when it is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<Zeroizing<String>, CliError> {
    text(path, read(path)?)
}

/// What was read from `path`, as text.
///
/// # Errors
/// CS0106 when it is not UTF-8.
pub(crate) fn text(path: &Path, bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, CliError> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(unreadable(path, "it is not UTF-8 text")),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        _ => error.to_string(),
    }
}

/// CS0106.
pub(crate) fn unreadable(path: &Path, cause: &str) -> CliError {
    Diagnosis::error(&usage::FILE_UNREADABLE, format!("cannot read {}", path.display())).cause(cause).into()
}

/// CS0107.
pub(crate) fn unwritable(path: &Path, cause: &str) -> CliError {
    Diagnosis::error(&usage::FILE_UNWRITABLE, format!("cannot write {}", path.display())).cause(cause).into()
}

fn exists(path: &Path) -> CliError {
    Diagnosis::error(&usage::FILE_EXISTS, format!("{} exists", path.display()))
        .cause("nothing is overwritten unasked")
        .fix("--yes replaces it, or choose another name with --out")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("credstore-files-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_is_private_whole_and_leaves_no_temporary_file() {
        let folder = folder();
        let path = folder.join("key.pem");
        write(&path, b"one", 0o600, Existing::Keep).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&path, b"two", 0o600, Existing::Keep).unwrap_err().exit(), 9);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"two", 0o600, Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_temporary_names_of_the_same_file_are_removed() {
        let folder = folder();
        let path = folder.join("key.pem");
        let unique = "0123456789abcdef0123456789abcdef";
        let left = temporary_name(&path);
        let others = [
            "key.pem".to_owned(),
            ".key.pem.x.tmp".to_owned(),
            format!(".other.pem.{unique}.tmp"),
            format!("key.pem.{unique}.tmp"),
        ];
        for file in others.iter().map(|name| folder.join(name)).chain([left.clone()]) {
            std::fs::write(file, "").unwrap();
        }
        remove_leftovers(&path).unwrap();
        assert!(!left.exists());
        assert!(others.iter().all(|name| folder.join(name).exists()));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_is_never_followed() {
        let folder = folder();
        let target = folder.join("target");
        std::fs::write(&target, "old").unwrap();
        let link = folder.join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for existing in [Existing::Keep, Existing::Replace] {
            assert_eq!(write(&link, b"new", 0o600, existing).unwrap_err().exit(), 3);
        }
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_version_is_kept_once_and_two_of_the_same_second_both() {
        let folder = folder();
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
