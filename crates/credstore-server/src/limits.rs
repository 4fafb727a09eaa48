//! Every limit of the server, each with its source. Tests cross each of them.

use std::time::Duration;

use credstore_protocol::key_vault::{BACKUP_TEXT_MAX, CONTENT_TYPE_MAX, SECRET_VALUE_MAX, TAG_TEXT_MAX, TAGS_MAX};
use credstore_vault::directory::KEYS_MAX;
use credstore_vault::directory::certificate::CERTIFICATE_MAX;
use credstore_vault::vaults::{ACCESS_POLICIES_MAX, KEPT_MAX};

/// Longest request target in bytes. Source: RFC 9110 section 4.1 asks for 8,000 at least.
pub const TARGET_MAX: usize = 8 * 1024;
/// Bytes of all header names and values together. Ours: four times what nginx allows a line.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Header lines of one request. Source: hyper's and Apache's default.
pub const HEADERS_MAX: usize = 100;
/// What the connection buffers while it reads a head: the target and every header.
pub const HEAD_BUFFER: usize = TARGET_MAX + HEADER_BYTES_MAX;
/// Longest spelling of one byte of ASCII in JSON: `\u0001`. Source: RFC 8259 section 7.
const ESCAPED_BYTE: usize = 6;
/// Longest spelling of one character in JSON: `\ud834\udd1e`, two surrogates. Source: RFC 8259 section 7.
const ESCAPED_CHARACTER: usize = 12;
/// Room for braces, names of members, numbers and white space.
const BODY_FRAME: usize = 4 * 1024;
/// Largest body that sets or changes a secret: every member at its limit, in the longest spelling JSON has.
///
/// It is read after the token and the permission were checked, as are the three below: nobody else makes the server
/// hold one.
pub const BODY_MAX: usize =
    SECRET_VALUE_MAX * ESCAPED_BYTE + (CONTENT_TYPE_MAX + TAGS_MAX * 2 * TAG_TEXT_MAX) * ESCAPED_CHARACTER + BODY_FRAME;
/// Largest body of a restore: the longest backup there is, which has nothing to escape.
pub const RESTORE_BODY_MAX: usize = BACKUP_TEXT_MAX + BODY_FRAME;
/// Restores at once. Each may hold [`RESTORE_BODY_MAX`] and what is inside; the next one waits.
pub const RESTORES_AT_ONCE: usize = 2;
/// Bytes of one access policy: four GUIDs and every permission of each kind by its name, with room to spare.
const ACCESS_POLICY_MAX: usize = 2 * 1024;
/// Largest body of ARM: a vault with every policy it may have, as `az keyvault set-policy` puts it back.
pub const MANAGEMENT_BODY_MAX: usize = ACCESS_POLICIES_MAX * ACCESS_POLICY_MAX + 2 * KEPT_MAX;
/// Largest body of Graph: an application with every key it may have, each in base64 with room for its other members.
pub const GRAPH_BODY_MAX: usize = KEYS_MAX * (CERTIFICATE_MAX / 3 * 4 + BODY_FRAME);
/// Largest form of a token request. Anybody may send one, so it is no larger than the longest assertion that is
/// looked at, 16 KiB, with every byte of it percent-encoded, and 16 KiB for the rest.
pub const FORM_MAX: usize = 64 * 1024;
/// What is set aside for a body on its word, before the bytes are here.
pub const BODY_SET_ASIDE: usize = 64 * 1024;
/// Deepest JSON. Ours: the deepest honest body, an ARM vault with network rules, has 6 levels.
pub const JSON_DEPTH_MAX: usize = 16;
/// Longest access token in bytes. Ours are about 1 KiB; Entra's stay under 8 KiB.
pub const TOKEN_MAX: usize = 16 * 1024;
/// Verified tokens that are remembered. Ours: one for each of ten thousand clients.
pub const TOKENS_KEPT: usize = 10_000;
/// Client assertions that are checked at once. An RSA signature takes a core for a millisecond.
pub const SIGN_INS_AT_ONCE: usize = 8;
/// How long a sign-in waits for its turn before it is told to come back.
pub const SIGN_IN_WAIT: Duration = Duration::from_secs(5);
/// Writes that wait for the disk at once. They share their syncs, so more of them is faster up to a point.
pub const WRITES_AT_ONCE: usize = 256;
/// A pause after an accept that failed for want of file descriptors or memory. Source: hyper-util's examples use a
/// second; a tenth lets an honest client in sooner.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most bytes of an unread body that are taken in before the answer. Ours: more than any honest request has.
pub const LEFTOVER_MAX: usize = 256 * 1024;
/// Longest that they are waited for. Source: nginx, `lingering_timeout`, takes five seconds; half is enough for a body that is
/// under way.
pub const LEFTOVER_TIME: Duration = Duration::from_millis(2_500);
/// Longest `x-ms-client-request-id` that is echoed. Source: ours, seven times a GUID.
pub const CLIENT_REQUEST_ID_MAX: usize = 256;
/// Most path segments that any route has, and some to spare.
pub const SEGMENTS_MAX: usize = 16;
/// Most parameters in a query or form.
pub const PARAMETERS_MAX: usize = 32;

/// Most rules of a plan. Ours.
pub const FAULT_RULES_MAX: usize = 64;
/// Longest path pattern of a rule in bytes. Ours.
pub const FAULT_PATH_MAX: usize = 1_024;
/// Longest injected latency in milliseconds. Ours: below the time that a request may take.
pub const FAULT_LATENCY_MAX: u64 = 20_000;
/// Longest injected Retry-After in seconds. Ours.
pub const FAULT_RETRY_AFTER_MAX: u32 = 3_600;
/// How far the clock may be set off in seconds, either way. Ours: a hundred years.
pub const FAULT_CLOCK_OFFSET_MAX: i64 = 100 * 366 * 86_400;

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
