//! Whole requests, as anybody on the network may send them, and backups that somebody has changed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::world::{Sent, World};

/// `METHOD place path`, header lines, a blank line, the body. The place is `vault`, `login`, `management`, `graph` or
/// any host; a header line `operator` stands for a good token of the operator for that place.
pub(crate) fn request(bytes: &[u8]) {
    let (head, body) = match bytes.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.split('\n');
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let (Some(method), Some(place), Some(path)) = (words.next(), words.next(), words.next()) else { return };
    World::with(|world| {
        let mut request = Sent { method, place, path, headers: Vec::new(), body };
        let token = world.token(place);
        for line in lines {
            match line.split_once(": ") {
                Some((name, value)) => request.headers.push((name, value)),
                None if line == "operator" => request.headers.push(("authorization", &token)),
                None => {}
            }
        }
        world.answered(&request);
    });
}

/// The bytes of a backup, sent by somebody who may restore.
pub(crate) fn backup(bytes: &[u8]) {
    World::with(|world| {
        let body = format!("{{\"value\":\"{}\"}}", URL_SAFE_NO_PAD.encode(bytes));
        let token = world.token("vault");
        world.answered(&Sent {
            method: "POST",
            place: "vault",
            path: "/secrets/restore?api-version=7.4",
            headers: vec![("authorization", &token), ("content-type", "application/json")],
            body: body.as_bytes(),
        });
    });
}
