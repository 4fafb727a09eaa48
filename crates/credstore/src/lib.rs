//! Identifiers in, passwords out, at the moment of use: the library.
//!
//! Settings and connection strings hold identifiers; a [`store`] gives the password for one. Start at
//! `settings` for what is written, at `resolver` for what is fetched. Nothing here prints, listens,
//! or reads the environment or the clock: `now`, the transport and the paths are arguments.

pub mod azure;
pub mod cache;
pub mod codes;
pub mod connection_string;
pub mod diagnosis;
pub mod encrypted_file;
pub mod masking;
pub mod nearest;
pub mod platform;
mod position;
pub mod reference;
pub mod resolver;
pub mod settings;
mod single_flight;
pub mod store;
pub mod transport;

pub use credstore_protocol as protocol;
pub use diagnosis::Diagnosis;
