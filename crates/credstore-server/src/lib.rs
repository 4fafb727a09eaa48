//! What listens: the embedded vault over HTTP, and the broker over a Unix socket.
//!
//! One listener speaks four surfaces, told apart by host name: the Key Vault data plane, the directory, ARM and
//! Graph. [`App`] is all of it without a socket; [`listener`] puts TCP and TLS around it. What a request may do
//! is decided in `credstore-vault`; here are bytes, limits, routes and the tables from errors to the wire.
//! Start at [`app`], then [`routes`]; for the broker at [`broker`]. Test suites take a [`LocalVault`].

pub mod app;
mod arm;
mod body;
pub mod broker;
mod data_plane;
mod directory;
mod faults;
mod graph;
pub mod identity;
mod json;
pub mod limits;
pub mod listener;
pub mod local;
mod names;
mod outcome;
pub mod routes;
pub mod site;
mod store;
mod tokens;
mod uri;

pub use app::{App, InProcess};
pub use faults::{BadFaultPlan, Fault, FaultHost, FaultPlan, FaultRule};
pub use limits::Limits;
pub use listener::{Listen, ServeError, ServeOptions, Tls, serve};
pub use local::{LocalApp, LocalVault, LocalVaultError};
pub use site::Site;
