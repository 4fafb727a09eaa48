//! What only the operating system knows: who else may read a file, how much time has passed. One neutral function for
//! each question.
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

/// Time since the machine was started, the time in which it slept included: what a
/// [`SteadyClock`](credstore_protocol::SteadyClock) shows. Nobody can set it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn since_boot() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    std::time::Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

/// Time since the first call. Whether it goes on while the machine sleeps is up to the system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn since_boot() -> std::time::Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_the_start_of_the_machine_only_grows() {
        let times: Vec<_> = (0..1000).map(|_| since_boot()).collect();
        assert!(times.is_sorted());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_since_the_start_of_the_machine_is_that_of_the_kernel() {
        // proc_uptime(5): seconds since boot, time spent in suspend included.
        let before = since_boot().as_secs();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let kernel: u64 = uptime.split('.').next().unwrap().parse().unwrap();
        assert!((before..=since_boot().as_secs() + 1).contains(&kernel), "{kernel}");
    }
}
