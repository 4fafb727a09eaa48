//! The files of a data folder: modes, owners, the lock, and writes that are whole or not there.
//!
//! Everything that a Unix system decides about them is in this file. Modes are set on the open file, so the umask
//! has no say.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::error::OpenError;
use crate::seal::write_and_sync;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const FOREIGN_ACCESS: u32 = 0o077;

/// The exclusive lock of a data folder. Ends with the value, and with the process however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

/// Makes the folder, or checks that an existing one belongs to us and is closed to everybody else.
pub(crate) fn make_folder(path: &Path) -> Result<(), OpenError> {
    let made = fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(OpenError::NotAFolder(path.to_owned()));
        }
        Err(error) => return Err(io_error(path)(error)),
    }
    check_folder(path)
}

/// Checks that the folder is there, belongs to us and is closed to everybody else.
pub(crate) fn check_folder(path: &Path) -> Result<(), OpenError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing(path.to_owned()),
        io::ErrorKind::NotADirectory => OpenError::NotAFolder(path.to_owned()),
        _ => io_error(path)(error),
    })?;
    if !metadata.is_dir() {
        return Err(OpenError::NotAFolder(path.to_owned()));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(OpenError::ForeignOwner(path.to_owned()));
    }
    if metadata.mode() & FOREIGN_ACCESS != 0 {
        return Err(OpenError::Permissions { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

/// Takes the lock, or says who has it.
pub(crate) fn lock(path: &Path) -> Result<FolderLock, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let mut file = options.open(path).map_err(io_error(path))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            // Whoever has the lock may not have written its number yet; the message does without it then.
            let _ = file.take(20).read_to_string(&mut text);
            return Err(OpenError::InUse { pid: text.trim().parse().ok() });
        }
        Err(error) => return Err(io_error(path)(error.into())),
    }
    set_mode(&file).map_err(io_error(path))?;
    let written = file.set_len(0).and_then(|()| file.rewind());
    written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io_error(path))?;
    Ok(FolderLock(file))
}

fn set_mode(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(FILE_MODE))?)
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// The folder that `path` lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Makes names in the folder survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io_error(path))
}

fn write_temporary(path: &Path, content: &[u8]) -> Result<PathBuf, OpenError> {
    let temporary = temporary(path);
    remove(&temporary)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&temporary);
    let written = made.and_then(|file| set_mode(&file).and_then(|()| write_and_sync(&file, content)));
    written.map_err(io_error(&temporary))?;
    Ok(temporary)
}

/// Writes a file that must not exist: whole, synced and 0600, or not at all.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), OpenError> {
    let temporary = write_temporary(path, content)?;
    // A link, unlike a rename, does not replace what somebody else has put there meanwhile.
    let linked = fs::hard_link(&temporary, path).map_err(io_error(path));
    remove(&temporary)?;
    linked?;
    sync_folder(folder_of(path))
}

/// Writes a file, replacing what is there: whole, synced and 0600.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), OpenError> {
    let temporary = write_temporary(path, content)?;
    rename(&temporary, path)
}

/// Gives a synced file its final name.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    fs::rename(from, to).map_err(io_error(to))?;
    sync_folder(folder_of(to))
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(path)(error)),
    }
}

/// Reads a small file of ours. `Ok(None)`: it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<zeroize::Zeroizing<String>>, OpenError> {
    /// A private key and a certificate are a quarter of it.
    const MAX: u64 = 64 * 1024;
    let file = match OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    let mut text = zeroize::Zeroizing::new(String::with_capacity(8 * 1024));
    match file.take(MAX).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(io_error(path)(error)),
    }
}

/// Whether something has this name.
pub(crate) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(io_error(path))
}
