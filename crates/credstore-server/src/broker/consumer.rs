//! Who is at the other end of a Unix socket, as the kernel says it: asked once, when the connection is accepted.
//!
//! The ids are those that the process had when it connected (`SO_PEERCRED`), so a process that changes its user later, or
//! passes the socket on, gains and loses nothing. Groups and executable are read from `/proc` a moment later: a process that
//! has another user by then gets neither. A program of the same user can make itself look like another one, so an
//! executable narrows a rule and never makes one. Linux; elsewhere groups and executable are not known.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::limits::GROUPS_MAX;

/// Longest `/proc/PID/status` that is read: every group in eleven characters, and the rest. Source: Linux, `NGROUPS_MAX`.
const STATUS_MAX: u64 = GROUPS_MAX as u64 * 11 + 8 * 1024;

/// A process that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
    /// Its process; `None` when the kernel does not say.
    pub pid: Option<i32>,
    /// The program it runs; `None` when the broker's user may not see that.
    pub executable: Option<PathBuf>,
}

impl Consumer {
    /// Who connected.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub(crate) fn of(stream: &UnixStream) -> io::Result<Self> {
        let said = stream.peer_cred()?;
        let (uid, gid, pid) = (said.uid(), said.gid(), said.pid());
        let process = pid.map(|pid| PathBuf::from(format!("/proc/{pid}")));
        // Looked at first, so that the check of its user comes after: another process may have got the number.
        let executable = process.as_deref().and_then(|at| std::fs::read_link(at.join("exe")).ok());
        let status = process.as_deref().and_then(status).unwrap_or_default();
        Ok(match groups(&status, uid) {
            Some(groups) => Self { uid, gid, groups, pid, executable },
            None => Self { uid, gid, groups: Vec::new(), pid, executable: None },
        })
    }

    /// Whether it is in the group.
    pub fn is_in(&self, group: u32) -> bool {
        self.gid == group || self.groups.contains(&group)
    }
}

fn status(process: &Path) -> Option<String> {
    use std::io::Read;
    let file = std::fs::File::open(process.join("status")).ok()?;
    let mut text = String::new();
    file.take(STATUS_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The supplementary groups in the text of `/proc/PID/status`; `None` when its effective user is another one.
/// Source: proc_pid_status(5), lines `Uid` (real, effective, saved, file system) and `Groups`.
fn groups(status: &str, uid: u32) -> Option<Vec<u32>> {
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
    let effective: u32 = line("Uid:")?.nth(1)?.parse().ok()?;
    if effective != uid {
        return None;
    }
    line("Groups:")?.take(GROUPS_MAX).map(|group| group.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6 writes it for a daemon of user 33 that was started as root.
    const STATUS: &str = "Name:\tjob\nUmask:\t0022\nPid:\t7\nUid:\t0\t33\t33\t33\nGid:\t33\t33\t33\t33\nGroups:\t4 24 1000 \nNStgid:\t7\n";

    #[test]
    fn groups_are_those_of_the_effective_user_and_of_no_other() {
        assert_eq!(groups(STATUS, 33), Some(vec![4, 24, 1000]));
        assert_eq!(groups(STATUS, 0), None, "the real user is another");
        assert_eq!(groups(&STATUS.replace("4 24 1000 ", ""), 33), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_the_text_of_a_process_gives_no_groups() {
        for text in ["", "Uid:\t33\n", "Uid:\t0\t33\n", "Groups:\t4\n", "Uid:\t0\tx\nGroups:\t4\n"] {
            assert_eq!(groups(text, 33), None, "{text:?}");
        }
        assert_eq!(groups("Uid:\t0\t33\nGroups:\t4 x\n", 33), None);
    }

    #[tokio::test]
    async fn the_kernel_says_who_we_are() {
        let (here, _there) = UnixStream::pair().unwrap();
        let consumer = Consumer::of(&here).unwrap();
        assert_eq!(consumer.pid, Some(std::process::id().cast_signed()));
        assert_eq!(consumer.executable, std::env::current_exe().ok());
        assert!(consumer.is_in(consumer.gid) && !consumer.is_in(u32::MAX));
    }
}
