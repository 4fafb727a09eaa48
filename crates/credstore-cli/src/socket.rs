//! The socket of a broker: where it is, whose it may be, and how one process takes it.
//!
//! A consumer uses a socket that was named, or the usual one when it belongs to its own user or root. A broker takes a path
//! when nobody else could have put something there and nobody answers on it; a lock beside it keeps a second one out.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use credstore::codes::{broker as codes, usage};
use credstore::diagnosis::Diagnosis;
use rustix::fs::{FlockOperation, Gid, Mode, OFlags};

use crate::errors::CliError;
use crate::world::World;

/// The socket of a broker that serves the whole machine.
const OF_THE_MACHINE: &str = "/run/credstore/broker.sock";
/// The socket below `XDG_RUNTIME_DIR`, which is the user's own and gone with the session.
const OF_THE_USER: &str = "credstore/broker.sock";

/// The socket that was named: flag, then `CREDSTORE_SOCKET`. `--no-broker` takes both back.
fn named(world: &World) -> Option<PathBuf> {
    if world.globals.no_broker {
        return None;
    }
    world.globals.socket.clone().or_else(|| world.environment.path("CREDSTORE_SOCKET"))
}

fn usual(world: &World) -> Option<PathBuf> {
    if own_uid() == 0 {
        return Some(PathBuf::from(OF_THE_MACHINE));
    }
    world.environment.path("XDG_RUNTIME_DIR").map(|folder| folder.join(OF_THE_USER))
}

/// The user that this process acts as.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The socket that the commands of the broker are about: the named one, or the usual one.
///
/// # Errors
/// When none is named and there is no usual place.
pub(crate) fn place(world: &World) -> Result<PathBuf, CliError> {
    named(world).or_else(|| usual(world)).ok_or_else(|| {
        Diagnosis::error(&usage::COMMAND_LINE, "the socket of the broker has no usual place here")
            .cause("XDG_RUNTIME_DIR is not set")
            .fix("name it with --socket PATH or CREDSTORE_SOCKET")
            .into()
    })
}

/// The broker that a consumer goes through: the named one, whatever becomes of it; otherwise the one at the usual place, when
/// that is its own user's or root's, answers, and no settings were chosen that it might not have.
pub(crate) fn way(world: &World) -> Option<PathBuf> {
    if let Some(named) = named(world) {
        return Some(named);
    }
    if world.globals.no_broker || world.has_chosen_settings() {
        return None;
    }
    let found = usual(world)?;
    let metadata = found.symlink_metadata().ok()?;
    let trusted = metadata.file_type().is_socket() && [own_uid(), 0].contains(&metadata.uid());
    (trusted && UnixStream::connect(&found).is_ok()).then_some(found)
}

/// Stops a command that asks for `what`, which no broker gives, when a broker was named.
///
/// # Errors
/// CS5011.
pub(crate) fn refuse_named(world: &World, what: &str) -> Result<(), CliError> {
    match named(world) {
        None => Ok(()),
        Some(socket) => Err(Diagnosis::error(&codes::BROKER_CANNOT, format!("a broker gives no {what}"))
            .cause(format!("the broker at {} is named", socket.display()))
            .fix("--no-broker asks the credential store itself")
            .into()),
    }
}

/// A socket that this process listens on. The file goes when the value is dropped; the lock goes with the process.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    _lock: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // What is left behind answers nobody, and the next broker takes it away.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Takes `path` to listen on: for our user alone, or for `group` too.
///
/// # Errors
/// CS5002 when another broker has it, CS5003 when it is nobody's to take.
pub(crate) fn take(path: &Path, group: Option<u32>) -> Result<(UnixListener, Held), CliError> {
    let unusable = |cause: String| -> CliError {
        Diagnosis::error(&codes::SOCKET_UNUSABLE, format!("{} cannot be listened on", path.display()))
            .cause(cause)
            .fix("name another path with --socket PATH")
            .into()
    };
    let io = |error: io::Error| unusable(error.to_string());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    prepare(folder, group).map_err(unusable)?;
    let lock = locked(path).map_err(io)?.ok_or_else(|| running(path))?;
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(unusable("there is something that is no socket".to_owned()));
        }
        Ok(found) if found.uid() != own_uid() && own_uid() != 0 => {
            return Err(unusable("the socket there belongs to another user".to_owned()));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(running(path).into()),
        Ok(_) => std::fs::remove_file(path).map_err(io)?,
    }
    // The umask of this process leaves the new socket to its user alone.
    let listener = UnixListener::bind(path).map_err(io)?;
    let held = Held { path: path.to_owned(), _lock: lock };
    shared(path, group, 0o600, 0o660).map_err(io)?;
    Ok((listener, held))
}

/// The folder of a socket: ours or root's, and nobody else may put anything there. Made when it is not there.
fn prepare(folder: &Path, group: Option<u32>) -> Result<(), String> {
    let made = match std::fs::create_dir(folder) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    let metadata = folder.metadata().map_err(|error| format!("{}: {error}", folder.display()))?;
    if !metadata.is_dir() {
        return Err(format!("{} is no folder", folder.display()));
    }
    if ![own_uid(), 0].contains(&metadata.uid()) {
        return Err(format!("{} belongs to another user", folder.display()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(format!("others may write to {} (mode {:04o})", folder.display(), metadata.mode() & 0o7777));
    }
    if made { shared(folder, group, 0o700, 0o750).map_err(|error| error.to_string()) } else { Ok(()) }
}

/// Gives what we made its mode: `alone`, or `grouped` with the group.
fn shared(path: &Path, group: Option<u32>, alone: u32, grouped: u32) -> io::Result<()> {
    if let Some(group) = group {
        rustix::fs::chown(path, None, Some(Gid::from_raw(group)))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(if group.is_some() { grouped } else { alone }))
}

/// The lock beside the socket; `None` when somebody has it. Its file stays: taking it away would let two in.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = rustix::fs::open(Path::new(&name), flags, Mode::RUSR | Mode::WUSR)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(File::from(lock))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn running(path: &Path) -> Diagnosis {
    Diagnosis::error(&codes::BROKER_RUNNING, format!("another broker answers at {}", path.display()))
        .fix("credstore broker stop, or name another path with --socket PATH")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Globals;
    use crate::world::Environment;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("credstore-socket-test-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
            Self(folder)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("in/broker.sock")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn code(taken: Result<(UnixListener, Held), CliError>) -> &'static str {
        taken.err().and_then(|error| error.code()).map_or("taken", |code| code.id)
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn a_socket_is_for_its_user_alone_or_for_the_group_that_was_named() {
        for (group, folder_mode, socket_mode) in
            [(None, 0o700, 0o600), (Some(rustix::process::getegid().as_raw()), 0o750, 0o660)]
        {
            let folder = Folder::new();
            let held = take(&folder.socket(), group).unwrap();
            assert_eq!((mode(&folder.0.join("in")), mode(&folder.socket())), (folder_mode, socket_mode));
            drop(held);
            assert!(!folder.socket().exists());
        }
    }

    #[test]
    fn a_second_broker_is_refused_and_a_socket_that_nobody_answers_on_is_replaced() {
        let folder = Folder::new();
        let (listener, held) = take(&folder.socket(), None).unwrap();
        assert_eq!(code(take(&folder.socket(), None)), "CS5002");
        // Killed: the file stays, listener and lock are gone.
        drop(listener);
        rustix::fs::flock(&held._lock, FlockOperation::Unlock).unwrap();
        assert!(folder.socket().exists());
        assert_eq!(code(take(&folder.socket(), None)), "taken");
    }

    #[test]
    fn somebody_who_answers_without_the_lock_is_left_alone() {
        let folder = Folder::new();
        std::fs::create_dir(folder.0.join("in")).unwrap();
        std::fs::set_permissions(folder.0.join("in"), std::fs::Permissions::from_mode(0o700)).unwrap();
        let _other = UnixListener::bind(folder.socket()).unwrap();
        assert_eq!(code(take(&folder.socket(), None)), "CS5002");
    }

    #[test]
    fn links_files_and_folders_that_others_can_write_to_are_refused() {
        let prepared = |prepare: &dyn Fn(&Path, &Path)| {
            let folder = Folder::new();
            let inside = folder.0.join("in");
            std::fs::create_dir(&inside).unwrap();
            std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o700)).unwrap();
            prepare(&inside, &folder.socket());
            code(take(&folder.socket(), None))
        };
        assert_eq!(prepared(&|_, _| {}), "taken");
        assert_eq!(prepared(&|_, socket| std::os::unix::fs::symlink("/run/other.sock", socket).unwrap()), "CS5003");
        assert_eq!(prepared(&|_, socket| std::fs::write(socket, "").unwrap()), "CS5003");
        assert_eq!(prepared(&|_, socket| std::fs::create_dir(socket).unwrap()), "CS5003");
        let lock = |socket: &Path| PathBuf::from(format!("{}.lock", socket.display()));
        assert_eq!(prepared(&|_, socket| std::os::unix::fs::symlink("/tmp/x", lock(socket)).unwrap()), "CS5003");
        for open in [0o770, 0o707, 0o1777] {
            let opened = |inside: &Path, _: &Path| {
                std::fs::set_permissions(inside, std::fs::Permissions::from_mode(open)).unwrap();
            };
            assert_eq!(prepared(&opened), "CS5003", "{open:o}");
        }
    }

    #[test]
    fn a_named_socket_is_gone_through_whether_it_is_there_or_not_unless_it_is_taken_back() {
        let world = |globals: Globals, variables: &[(&str, &str)]| {
            let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            World::bare(globals, Environment::new(pairs))
        };
        let flag = |no_broker| Globals { socket: Some("/by/flag".into()), no_broker, ..Globals::default() };
        let variable = [("CREDSTORE_SOCKET", "/by/variable")];
        assert_eq!(way(&world(flag(false), &variable)), Some("/by/flag".into()));
        assert_eq!(way(&world(Globals::default(), &variable)), Some("/by/variable".into()));
        let without = Globals { no_broker: true, ..Globals::default() };
        assert_eq!(way(&world(without.clone(), &variable)), None);
        assert!(refuse_named(&world(without, &variable), "lists").is_ok());
        assert_eq!(refuse_named(&world(Globals::default(), &variable), "lists").unwrap_err().exit(), 2);
        assert_eq!(way(&world(Globals::default(), &[])), None);
    }
}
