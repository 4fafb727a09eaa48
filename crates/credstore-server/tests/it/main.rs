//! The server as its clients see it: the contract on the wire, in process and over real sockets.

mod assertions;
mod az;
mod backups;
mod bodies;
mod certificates;
mod directory;
mod errors;
mod faults;
mod graph;
mod groups;
mod kept;
mod keys;
mod local;
mod management;
mod names;
mod paging;
mod permissions;
mod properties;
mod roles;
mod routes;
mod secrets;
mod sockets;
mod soft_delete;
mod token_endpoint;
mod versions;
mod world;
