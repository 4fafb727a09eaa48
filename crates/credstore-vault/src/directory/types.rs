//! The objects of the directory, as its callers see them.

use std::fmt;

use credstore_protocol::{ClientId, ObjectId, Timestamp};
use zeroize::Zeroizing;

use crate::access::Caller;

/// An app registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Object id of the registration; not the client id.
    pub id: ObjectId,
    /// The application (client) id.
    pub app_id: ClientId,
    /// For people.
    pub display_name: String,
    /// When it was registered.
    pub created: Timestamp,
    /// Public keys that may sign its assertions.
    pub keys: Vec<KeyCredential>,
}

/// A public key of an application: an X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCredential {
    /// GUID of the credential.
    pub key_id: String,
    /// SHA-1 of the certificate. It names the certificate and proves nothing.
    pub thumbprint_sha1: [u8; 20],
    /// SHA-256 of the certificate.
    pub thumbprint_sha256: [u8; 32],
    /// For people, at most 90 characters.
    pub display_name: Option<String>,
    /// Signs from then on.
    pub start: Timestamp,
    /// Signs until then.
    pub end: Timestamp,
    /// The certificate, DER.
    pub certificate_der: Vec<u8>,
}

/// A certificate to register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKeyCredential {
    /// The certificate, DER, at most 16 KiB. RSA of at least 2048 bits.
    pub certificate_der: Vec<u8>,
    /// Cut at 90 characters. Absent: the subject of the certificate.
    pub display_name: Option<String>,
    /// GUID of the credential; a new one when absent.
    pub key_id: Option<String>,
    /// Later start than the certificate's own.
    pub start: Option<Timestamp>,
    /// Earlier end than the certificate's own.
    pub end: Option<Timestamp>,
}

/// One entry of the list that replaces an application's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCredentialChange {
    /// The registered credential with this id stays as it is.
    Keep(String),
    /// A new one.
    Add(NewKeyCredential),
}

/// An application's identity in the tenant. Access policies name its `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Object id, the `oid` of its tokens.
    pub id: ObjectId,
    /// The application (client) id.
    pub app_id: ClientId,
    /// Name of the application.
    pub display_name: String,
    /// Whether it may sign in.
    pub enabled: bool,
}

/// A request for a token, in the words of the domain.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    /// `client_id` as it was sent.
    pub client_id: &'a str,
    /// `client_assertion` as it was sent.
    pub assertion: &'a str,
    /// Which `aud` the assertion may have: the spellings of this token endpoint.
    pub audiences: &'a [String],
    /// The resource asked for; becomes the token's `aud`.
    pub resource: &'a str,
    /// The token's `iss`.
    pub issuer: &'a str,
}

/// An access token.
pub struct IssuedToken {
    /// The signed JWT. It opens everything its client may open.
    pub token: Zeroizing<String>,
    /// Seconds that it lives.
    pub expires_in: u64,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// What a checked access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Who asks.
    pub caller: Caller,
    /// The token is refused from then on.
    pub expires_at: Timestamp,
    /// Which resource it is for, as it is spelled in the token.
    pub audience: String,
}
