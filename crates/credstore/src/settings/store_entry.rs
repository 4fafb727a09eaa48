//! The CredentialStore entry.
