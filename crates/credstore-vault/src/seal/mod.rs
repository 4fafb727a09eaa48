//! Encryption at rest: root key, data keys, sealed records.
//!
//! The root key opens a wrapping key; the wrapping key opens one random data key for each vault and one for the
//! directory; a data key seals records. Every sealed record is bound to its store, vault, kind, name and version,
//! so a record that was changed, cut or put in another's place does not open. Names are not in the storage: a
//! row's key holds a keyed hash of the name. What is sealed and where it lies is decided by the callers.
//!
//! Cipher: AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D), at most [`USES_MAX`] records for a key.

mod data_key;
mod records;
mod root_key;

pub use data_key::{DataKey, Keyring, OwnerId, SealError, USES_MAX};
pub(crate) use data_key::{Place, hex16, kind};
pub(crate) use root_key::write_and_sync;
pub use root_key::{KeyDerivation, RootKey, RootKeySource};
