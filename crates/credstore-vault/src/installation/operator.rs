//! The built-in application that administers everything, and the file it signs in with.
//!
//! `operator.pem` holds its private key and certificate, readable by the owner of the folder only: whoever can
//! read it is the administrator, as is whoever can read the root key. It is made anew when it is missing, damaged,
//! not registered, or about to expire.

use std::time::Duration;

use credstore_protocol::{ClientId, ObjectId, Timestamp};

use crate::directory::Directory;

/// How long before its end it is made anew.
pub const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// The built-in application that may administer everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Client id of its application.
    pub client_id: ClientId,
    /// Object id of its service principal.
    pub object_id: ObjectId,
}

/// Whether the file's certificate is the registered one and lives long enough.
pub(super) fn is_good(pem: &str, directory: &Directory, now: Timestamp) -> bool {
    let has_key = pem.contains("-----BEGIN PRIVATE KEY-----");
    let mut blocks = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok);
    let certificate = blocks.find(|block| block.label == "CERTIFICATE");
    has_key && certificate.is_some_and(|block| directory.operator_has_key(&block.contents, now + RENEW_BEFORE))
}
