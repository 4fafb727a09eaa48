//! Integration tests of the library.

mod azure_certificate;
mod azure_https;
mod azure_support;
mod azure_token;
mod azure_vault;
mod connection_string;
mod file_store;
mod resolver;
mod settings;
