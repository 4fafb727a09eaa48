//! What only the operating system knows: who else may read a file. One neutral function for each question.
//!
//! Unix is answered from the mode bits. Elsewhere the answer is "not known", which no caller takes for "nobody".

use std::fs::Metadata;

/// The permission bits of a file that people other than its owner may read, change or run, for messages as
/// `mode 0644`. `None` when only the owner may, or when the system cannot tell.
#[cfg(unix)]
pub fn others_may_read(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Not known on this system: access lists are not read.
#[cfg(not(unix))]
pub fn others_may_read(_metadata: &Metadata) -> Option<u32> {
    None
}

/// The command that takes everybody else's rights to the file away.
pub fn private_command(path: &str) -> String {
    if cfg!(windows) {
        format!("icacls \"{path}\" /inheritance:r /grant:r \"%USERNAME%:F\"")
    } else {
        format!("chmod 600 {path}")
    }
}

/// What tells one content of a file from another without reading it: device and inode, size, time of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    identity: Option<(u64, u64)>,
    size: u64,
    modified: Option<std::time::SystemTime>,
    changed: Option<(i64, i64)>,
}

impl Fingerprint {
    /// The fingerprint that these metadata give.
    pub fn of(metadata: &Metadata) -> Self {
        let (identity, changed) = identity(metadata);
        Self { identity, size: metadata.len(), modified: metadata.modified().ok(), changed }
    }
}

type Identity = (Option<(u64, u64)>, Option<(i64, i64)>);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (Some((metadata.dev(), metadata.ino())), Some((metadata.ctime(), metadata.ctime_nsec())))
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> Identity {
    (None, None)
}

/// Opens a file for reading without waiting for the other end of a pipe, which a plain open does.
#[cfg(unix)]
pub fn open_without_waiting(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    std::fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Opens a file for reading.
#[cfg(not(unix))]
pub fn open_without_waiting(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}
