//! Telling systemd how far a service is. Source: sd_notify(3): a datagram to the socket that `NOTIFY_SOCKET` names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use crate::world::World;

/// Requests are answered.
pub(super) const READY: &str = "READY=1";
/// The last ones are.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Says it, when somebody wants to know. A service goes on whether it was heard or not.
pub(super) fn tell(world: &World, state: &str) {
    if let Some(socket) = world.environment.path("NOTIFY_SOCKET") {
        let _ = sent(&socket, state);
    }
}

fn sent(socket: &Path, state: &str) -> std::io::Result<usize> {
    let address = match socket.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_with_a_path_and_one_without_hear_it() {
        let folder = std::env::temp_dir().join(format!("credstore-notify-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("notify");
        let name = format!("credstore-notify-{}", uuid::Uuid::new_v4());
        let abstracted = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (heard, socket) in [(UnixDatagram::bind(&path).unwrap(), path), (abstracted, format!("@{name}").into())] {
            assert_eq!(sent(&socket, READY).unwrap(), READY.len());
            let mut text = [0; 64];
            let length = heard.recv(&mut text).unwrap();
            assert_eq!(&text[..length], b"READY=1");
        }
        std::fs::remove_dir_all(folder).unwrap();
        assert!(sent(Path::new("/nowhere/notify"), READY).is_err());
    }
}
