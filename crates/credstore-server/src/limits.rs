//! Every limit of the server, each with its source. Tests cross each of them.

use std::time::Duration;

/// Longest request target in bytes. Source: RFC 9110 section 4.1 asks for 8,000 at least.
pub const TARGET_MAX: usize = 8 * 1024;
/// Bytes of all header names and values together. Ours: four times what nginx allows a line.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Header lines of one request. Source: hyper's and Apache's default.
pub const HEADERS_MAX: usize = 100;
/// What the connection buffers while it reads a head: the target and every header.
pub const HEAD_BUFFER: usize = TARGET_MAX + HEADER_BYTES_MAX;
/// Largest body of an ordinary request. A secret of 25,600 bytes, each escaped as six, is 153,600 bytes in the
/// worst spelling; no client writes that, and 128 KiB holds 25,600 bytes with full tags and any usual escaping.
pub const BODY_MAX: usize = 128 * 1024;
/// Most versions that a backup holds. Source: Key Vault, "Azure Key Vault backup": 500.
pub const BACKUP_VERSIONS_MAX: usize = 500;
/// Largest body of a restore: 500 versions of 25,600 bytes with 10 KiB of properties each, in base64.
pub const RESTORE_BODY_MAX: usize = BACKUP_VERSIONS_MAX * (25_600 + 10_240) / 3 * 4 + 1024;
/// Deepest JSON. Ours: the deepest honest body, an ARM vault with network rules, has 6 levels.
pub const JSON_DEPTH_MAX: usize = 16;
/// Longest access token in bytes. Ours are about 1 KiB; Entra's stay under 8 KiB.
pub const TOKEN_MAX: usize = 16 * 1024;
/// Verified tokens that are remembered. Ours: one for each of ten thousand clients.
pub const TOKENS_KEPT: usize = 10_000;
/// A remembered token is checked again after this many seconds, so that a deleted application is out in five.
pub const TOKEN_RECHECK: i64 = 5;
/// Client assertions that are checked at once. An RSA signature takes a core for a millisecond.
pub const SIGN_INS_AT_ONCE: usize = 8;
/// How long a sign-in waits for its turn before it is told to come back.
pub const SIGN_IN_WAIT: Duration = Duration::from_secs(5);
/// Writes that wait for the disk at once. They share their syncs, so more of them is faster up to a point.
pub const WRITES_AT_ONCE: usize = 256;
/// Longest `x-ms-client-request-id` that is echoed. Source: ours, seven times a GUID.
pub const CLIENT_REQUEST_ID_MAX: usize = 256;
/// Most path segments that any route has, and some to spare.
pub const SEGMENTS_MAX: usize = 16;
/// Most parameters in a query or form.
pub const PARAMETERS_MAX: usize = 32;

/// What a listener allows each connection. The defaults are those of the reliability goals A5 and A6.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, before anybody has said who they are.
    pub connections: usize,
    /// From the accepted connection to the finished TLS handshake.
    pub tls: Duration,
    /// From the handshake to the first whole head, and from a head's first byte to its last.
    pub head: Duration,
    /// From the head to the last byte of the body.
    pub body: Duration,
    /// Between two requests on one connection.
    pub idle: Duration,
    /// The whole request, waiting included.
    pub request: Duration,
    /// How long the peer may leave an answer unread.
    pub write: Duration,
    /// How long open requests may go on after the listener was told to stop.
    pub drain: Duration,
    /// HTTP/2 streams at once on one connection.
    pub streams: u32,
    /// How often the background work looks whether there is something to do.
    pub upkeep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            tls: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            request: Duration::from_secs(60),
            write: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            streams: 128,
            upkeep: Duration::from_secs(60),
        }
    }
}
