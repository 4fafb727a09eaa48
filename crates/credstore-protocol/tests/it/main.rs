//! The wire messages against the examples of the protocol: what Azure and `az` send is read, and what is written has
//! the members that clients look for.

mod graph;
mod key_vault;
mod resource_manager;
mod token;
