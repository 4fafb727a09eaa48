//! The binary, as people and scripts use it: real processes, a data folder of its own for each test.

mod bench;
mod daily;
mod failures;
mod quickstart;
mod samples;
mod serving;
mod setup;
mod vaults;
