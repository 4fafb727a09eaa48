//! Sealed records by key.
