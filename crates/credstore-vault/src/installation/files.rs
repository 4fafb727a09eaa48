//! The files of a data folder: modes, owners, the lock, and writes that are whole or not there.
//!
//! Everything that a Unix system decides about them is in this file. Modes are set on the open file, so the umask
//! has no say. The folder may be reached through a symbolic link; the files in it may not be links.

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
/// Every access by group and others.
pub(crate) const FOREIGN_ACCESS: u32 = 0o077;

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

/// Checks that the folder is there, belongs to us and is closed to everybody else. A symbolic link to it is followed,
/// unless another user has made it: the folder that it leads to is what is checked.
pub(crate) fn check_folder(path: &Path) -> Result<(), OpenError> {
    let unusable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing(path.to_owned()),
        io::ErrorKind::NotADirectory => OpenError::NotAFolder(path.to_owned()),
        _ => io_error(path)(error),
    };
    let named = fs::symlink_metadata(path).map_err(unusable)?;
    if named.is_symlink() && named.uid() != 0 {
        check_owner(path, &named)?;
    }
    let metadata = fs::metadata(path).map_err(unusable)?;
    if !metadata.is_dir() {
        return Err(OpenError::NotAFolder(path.to_owned()));
    }
    check_owner(path, &metadata)?;
    check_mode(path, &metadata)
}

fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), OpenError> {
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if ours { Ok(()) } else { Err(OpenError::ForeignOwner(path.to_owned())) }
}

fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), OpenError> {
    if metadata.mode() & FOREIGN_ACCESS == 0 {
        return Ok(());
    }
    Err(OpenError::Permissions { path: path.to_owned(), mode: metadata.mode() & 0o7777 })
}

/// Who may reach a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner only, and that is us; anything else is refused.
    Owner,
    /// Whoever likes: it holds nothing secret, and is compared with the store before it is used.
    Public,
}

/// Opens for reading, without following a link and without waiting for the other end of a pipe.
pub(crate) fn reading_no_link() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Opens a file of ours for reading. `Ok(None)`: it is not there. Links are not followed, and what is not a file
/// (a pipe would hang whoever reads it) is refused; judged on the open file, so that nobody can swap it in between.
pub(crate) fn open(path: &Path, access: Access) -> Result<Option<File>, OpenError> {
    let file = match reading_no_link().open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(no_file(path, error)),
    };
    let metadata = file.metadata().map_err(io_error(path))?;
    if !metadata.is_file() {
        return Err(OpenError::NotAFile(path.to_owned()));
    }
    if access == Access::Owner {
        check_owner(path, &metadata)?;
        check_mode(path, &metadata)?;
    }
    Ok(Some(file))
}

/// What the system says about a link that is not followed, and about a socket, in our words.
fn no_file(path: &Path, error: io::Error) -> OpenError {
    let not_a_file = [Errno::LOOP, Errno::NXIO].iter().any(|no| error.raw_os_error() == Some(no.raw_os_error()));
    if not_a_file { OpenError::NotAFile(path.to_owned()) } else { io_error(path)(error) }
}

/// Takes the lock, or says who has it.
pub(crate) fn lock(path: &Path) -> Result<FolderLock, OpenError> {
    let mut options = reading_no_link();
    options.write(true).create(true).truncate(false).mode(FILE_MODE);
    let mut file = options.open(path).map_err(|error| no_file(path, error))?;
    if !file.metadata().map_err(io_error(path))?.is_file() {
        return Err(OpenError::NotAFile(path.to_owned()));
    }
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

/// Whether somebody has the lock. Shared, so that looks do not disturb each other; it ends with the open file.
pub(crate) fn is_locked(path: &Path) -> bool {
    reading_no_link()
        .open(path)
        .is_ok_and(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK))
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

/// Reads a small file of ours. `Ok(None)`: it is not there, or no text.
pub(crate) fn read(path: &Path, access: Access) -> Result<Option<zeroize::Zeroizing<String>>, OpenError> {
    /// A private key and a certificate are a quarter of it.
    const MAX: u64 = 64 * 1024;
    let Some(file) = open(path, access)? else { return Ok(None) };
    let mut text = zeroize::Zeroizing::new(String::with_capacity(8 * 1024));
    match file.take(MAX).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(io_error(path)(error)),
    }
}

/// Whether something has this name, be it a link that leads nowhere.
pub(crate) fn exists(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error(path)(error)),
    }
}
