//! The binary, as people and scripts use it: real processes, a data folder of its own for each test.

mod bench;
mod broker;
mod certificates;
mod child;
mod credential_files;
mod daily;
mod failures;
mod folders;
mod formats;
mod keys;
mod masking;
mod quickstart;
mod renewal;
mod samples;
mod seeding;
mod serving;
mod setup;
mod sign_in;
mod terminal;
mod values;
mod vaults;
mod vectors;
mod wrong_input;
