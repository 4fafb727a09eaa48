//! Encryption at rest.

use std::path::PathBuf;

use credstore_protocol::Secret;

/// Where the root key comes from.
#[derive(Debug)]
pub enum RootKeySource {
    /// A file with 32 random bytes in base64. It is made with the store and never later.
    File(PathBuf),
    /// A passphrase; the key is derived with Argon2id.
    Passphrase(Secret),
}
