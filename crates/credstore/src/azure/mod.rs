//! Azure, or what speaks its protocol: sign in with a certificate, then ask the vault, ARM and Graph.
//!
//! From the outside in: [`address`] says where requests may go, [`https`] carries them, [`token`] signs in
//! with a [`certificate`] and an [`assertion`], `door` sends a request with its token and tries again where
//! that is right, [`key_vault`], [`keys`], [`objects`], [`arm`] and [`graph`] say what is asked. What answers mean is in two tables:
//! [`sign_in`] (AADSTS) and [`vault_answers`]. A token or an assertion goes to the configured hosts only.

pub mod address;
pub mod arm;
pub mod assertion;
pub mod certificate;
mod challenge;
mod door;
pub mod error;
pub mod graph;
pub mod https;
pub mod issuers;
pub mod key_form;
pub mod key_vault;
pub mod keys;
pub mod objects;
mod refusal;
pub mod retry;
pub mod rotation;
pub mod sign_in;
pub mod token;
pub mod vault_answers;

pub use address::{Authority, InvalidAddress, ServiceAddress, VaultAddress};
pub use arm::ArmClient;
pub use certificate::{CertificateError, CertificateFile, PublicCertificate, SigningCertificate};
pub use error::{AzureError, Concern};
pub use graph::GraphClient;
pub use https::{HttpsTransport, TransportOptions, Trust};
pub use key_vault::KeyVaultClient;
pub use keys::KeyCrypt;
pub use objects::{Certificates, Keys, ObjectKind, Secrets, VaultObject};
pub use retry::When;
pub use rotation::CertificateSource;
pub use sign_in::SignInError;
pub use token::{AccessToken, TokenSource};
