//! The commands, one file each: arguments, then what is done with them.

pub(crate) mod app;
pub(crate) mod broker;
pub(crate) mod cert;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod directory;
pub(crate) mod expand;
pub(crate) mod explain;
pub(crate) mod file;
pub(crate) mod get;
pub(crate) mod identity_endpoint;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod quickstart;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod setup;
pub(crate) mod vault;
pub(crate) mod version;
