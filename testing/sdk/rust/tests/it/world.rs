//! What the tests of every client share: who they are, and how they sign in.

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientAssertionCredential, ClientAssertionCredentialOptions};

use crate::assertion::SignedAssertion;

/// A test ends with the first error of the client.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// One of the variables that `testing/with_server.py` sets.
pub fn given(name: &str) -> String {
    let name = format!("CREDSTORE_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run this below testing/with_server.py"))
}

/// What a user configures: trust in the installation's CA, and the authority host.
pub fn client_options() -> ClientOptions {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ca = std::fs::read(given("CA")).expect("the CA file is there");
    let ca = reqwest::Certificate::from_pem(&ca).expect("the CA file is PEM");
    let http = reqwest::Client::builder().tls_certs_only([ca]).build().expect("an HTTP client");
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = given("AUTHORITY");
    ClientOptions {
        transport: Some(Transport::new(Arc::new(http))),
        cloud: Some(Arc::new(CloudConfiguration::from(cloud))),
        ..ClientOptions::default()
    }
}

/// Signs in as one app, with the certificate made for `key_of`.
pub fn credential_of(app: &str, key_of: &str) -> azure_core::Result<Arc<ClientAssertionCredential<SignedAssertion>>> {
    let endpoint = format!("{}/{}/oauth2/v2.0/token", given("AUTHORITY"), given("TENANT"));
    let assertion = SignedAssertion::new(&given(&format!("{key_of}_KEY")), &given(app), &endpoint);
    let options = ClientAssertionCredentialOptions { client_options: client_options() };
    ClientAssertionCredential::new(given("TENANT"), given(app), assertion, Some(options))
}
