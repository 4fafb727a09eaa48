//! Who answers: the domain of the embedded vault.
//!
//! Vaults and their secrets, the directory with its app registrations and tokens, permissions, sealing and
//! storage. Calls wait for the disk; the set of a secret can be awaited too. There is no HTTP here, no clock
//! (`now` is an argument), no environment and no printing; the server puts the wire around it. Start at
//! [`installation`].

pub mod access;
pub mod authority;
pub mod certificates;
pub mod directory;
pub mod error;
pub mod installation;
pub mod keys;
pub mod objects;
mod random;
pub mod seal;
pub mod secrets;
pub mod storage;
pub mod vaults;

pub use access::Caller;
pub use authority::CertificateAuthority;
pub use certificates::{CertificateRecord, Certificates};
pub use directory::Directory;
pub use error::{
    AuthorityError, DeniedPlace, DirectoryError, GroupError, KeyRefusal, OpenError, PendingRefusal,
    RoleAssignmentError, SignInError, StorageError, StoreFailure, TokenRejected, VaultError,
};
pub use installation::{Installation, Operator};
pub use keys::{KeyRecord, Keys};
pub use objects::{DeletedRecord, ObjectRecord, PageToken, Retention};
pub use seal::RootKeySource;
pub use secrets::{OpenSecret, SecretRecord, Secrets};
pub use vaults::{Vault, VaultRecord, VaultSpec, Vaults};
