//! The way to another machine, as a trait: HTTPS in real life, an in-process router, a fault in a test.

use std::future::Future;
use std::pin::Pin;

use zeroize::Zeroizing;

/// A body in memory. Passwords travel in it, so it is wiped when dropped.
pub type Body = Zeroizing<Vec<u8>>;

/// What [`Transport::send`] gives.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, TransportError>> + Send + 'a>>;

/// Sends one request and reads the whole answer, within a bounded time and size. No retries: those are
/// decided by who knows what the request means.
pub trait Transport: Send + Sync {
    /// Sends `request`, whose URI is absolute and https.
    fn send(&self, request: http::Request<Body>) -> Answer<'_>;
}

/// How many bytes the answer to one request may have, where that is more than the transport takes of any other.
///
/// Goes into the extensions of the request. It says what an honest answer can have; nothing is set aside for it
/// before the bytes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerMax(pub usize);

/// Why no answer came. A variant is a decision: each has its own cause and fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host name has no address.
    #[error("the name {host} does not resolve")]
    Resolve {
        /// The name that was looked up.
        host: String,
    },
    /// Nothing accepted the connection.
    #[error("{host} does not accept connections")]
    Connect {
        /// Host and port.
        host: String,
        /// The proxy that was asked, without its credentials.
        proxy: Option<String>,
        /// What the operating system said.
        reason: String,
    },
    /// The server's certificate is not trusted, or not for this name.
    #[error("the TLS certificate of {host} is not trusted")]
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS library said, and the issuer where it is known.
        reason: String,
    },
    /// The time was up.
    #[error("{host} did not answer in time")]
    TimedOut {
        /// Host and port.
        host: String,
    },
    /// The answer was larger than any honest one, or broken off.
    #[error("the answer of {host} is not usable")]
    BadAnswer {
        /// Host and port.
        host: String,
        /// What was wrong with it; never its content.
        reason: String,
    },
}
