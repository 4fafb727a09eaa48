//! The server as its clients see it: the contract on the wire, in process and over real sockets.

mod bodies;
mod directory;
mod graph;
mod management;
mod properties;
mod routes;
mod secrets;
mod sockets;
mod versions;
mod world;
