//! Microsoft's Rust clients against `credstore serve`.
//!
//! Run below `testing/with_server.py`, which makes the vault and the apps and says so in `CREDSTORE_TEST_` variables.
//! Challenge verification stays on; only the authority host and the CA are configured.

mod assertion;
mod certificates;
mod keys;
mod secrets;
mod world;
