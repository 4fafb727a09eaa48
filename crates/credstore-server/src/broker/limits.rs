//! Every limit of the broker, each with its source. Tests cross each of them.

use std::time::Duration;

use credstore::cache::FETCH_MAX;
use credstore_protocol::broker::CONNECTION_STRING_MAX;

/// Largest body: the longest connection string, every byte of it in the longest spelling that JSON has, six bytes, and room
/// for the frame. It holds 100 identifiers of 1,024 bytes too.
pub const BODY_MAX: usize = CONNECTION_STRING_MAX * 6 + 1024;
/// What a connection buffers while it reads a head. Source: four times the longest identifier, percent-encoded, and hyper's own
/// least buffer.
pub const HEAD_MAX: usize = 16 * 1024;
/// Header lines of one request. Ours: an honest client sends five.
pub const HEADERS_MAX: usize = 32;
/// Connections at once. Ours: each costs the buffers of a head, so all of them stay below 8 MB.
pub const CONNECTIONS_MAX: usize = 256;
/// Of those, how many of one user other than the broker's own and root. Ours: one user cannot keep the others out.
pub const CONNECTIONS_OF_USER_MAX: usize = 128;
/// Connections that are kept free for the broker's own user and root. Source: the AWS Secrets Manager Agent keeps two for
/// health checks; ours are for `broker status` and `stop` as well.
pub const CONNECTIONS_OF_OWNER: usize = 8;
/// Most bytes of a file of rights. Ours.
pub const RIGHTS_BYTES_MAX: usize = 1024 * 1024;
/// Most rules in it. Ours.
pub const RULES_MAX: usize = 1_000;
/// Most patterns of one rule. Ours.
pub const PATTERNS_MAX: usize = 1_000;
/// Most supplementary groups of a consumer that are looked at. Source: Linux, `NGROUPS_MAX`.
pub const GROUPS_MAX: usize = 65_536;

/// What the broker allows each connection.
#[derive(Clone, Debug)]
pub struct BrokerLimits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one user other than the broker's own and root.
    pub connections_of_user: usize,
    /// To the first whole head, and from a head's first byte to its last.
    pub head: Duration,
    /// From the head to the last byte of the body.
    pub body: Duration,
    /// Between two requests on one connection.
    pub idle: Duration,
    /// How long the peer may leave an answer unread.
    pub write: Duration,
    /// The whole request, waiting for the store included.
    pub request: Duration,
    /// How long open requests may go on after the broker was told to stop.
    pub drain: Duration,
}

impl Default for BrokerLimits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            connections_of_user: CONNECTIONS_OF_USER_MAX,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(10),
            request: FETCH_MAX + Duration::from_secs(5),
            drain: Duration::from_secs(10),
        }
    }
}
