//! The server as its clients see it: the contract on the wire, in process and over real sockets.

mod directory;
mod graph;
mod management;
mod routes;
mod secrets;
mod sockets;
mod world;
