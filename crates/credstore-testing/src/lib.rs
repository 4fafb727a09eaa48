//! For tests only: a clock that stands still, a storage that fails on demand, a search for planted values, and
//! numbers in a data folder for the tests that kill a writer.

pub mod canary;
pub mod clock;
pub mod failing_storage;
pub mod numbers;
