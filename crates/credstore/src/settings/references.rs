//! References in Server Settings.
