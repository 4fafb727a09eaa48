//! What both sides say: names, secrets and the messages of Key Vault, the directory, ARM, Graph and the broker.
//!
//! Pure: nothing here waits, reads the clock, or touches a file, a socket or the environment. A name that
//! exists as one of these types has been checked; inside the house nobody checks it again.

pub mod api_version;
pub mod arm;
pub mod broker;
pub mod clock;
pub mod encoding;
pub mod graph;
pub mod guid;
pub mod key_vault;
pub mod name;
pub mod pem;
pub mod secret;
pub mod timestamp;
pub mod token;

pub use api_version::ApiVersion;
pub use clock::{Clock, SteadyClock};
pub use guid::{ClientId, ObjectId, TenantId};
pub use name::{Identifier, InvalidName, ObjectName, ObjectVersion, SecretName, SecretVersion, VaultName};
pub use secret::Secret;
pub use timestamp::Timestamp;
