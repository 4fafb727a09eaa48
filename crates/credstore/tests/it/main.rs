//! Integration tests of the library.

mod azure_addresses;
mod azure_certificate;
mod azure_certificate_dates;
mod azure_https;
mod azure_key_form;
mod azure_management;
mod azure_paging;
mod azure_pem_mutations;
mod azure_retrying;
mod azure_rotation;
mod azure_support;
mod azure_token;
mod azure_vault;
mod cache;
mod cancellation;
mod codes_reached;
mod connection_string;
mod connection_string_adversarial;
mod encrypted_file;
mod file_store;
mod masking;
mod no_value_is_shown;
mod readings;
mod resolver;
mod settings;
