//! Messages of the directory's token endpoint and its metadata.
//!
//! Source: RFC 6749 sections 4.4 and 5, RFC 7523, OpenID Connect Discovery; contract sections 11 to 13.

use serde::{Deserialize, Serialize};

/// `client_assertion_type` of a signed assertion. Source: RFC 7523 section 2.2.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The grant of this product. Source: RFC 6749 section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// Header of a JWT (RFC 7515 section 4.1) as client assertions and access tokens carry it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JwtHeader {
    /// `RS256` or `PS256`.
    pub alg: String,
    /// `JWT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// SHA-1 thumbprint of the certificate, base64url (Python pads it, Rust's SDK uses standard base64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    /// SHA-256 thumbprint of the certificate, base64url.
    #[serde(rename = "x5t#S256", default, skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<String>,
    /// Id of the signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

/// Claims of a client assertion (RFC 7523 section 3). Times may have fractions: MSAL for Python sends floats.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The token endpoint.
    pub aud: String,
    /// The client.
    pub iss: String,
    /// The client again.
    pub sub: String,
    /// Unique id. Entra accepts the same one again while the assertion lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Expiry, Unix seconds.
    pub exp: serde_json::Number,
    /// Start, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<serde_json::Number>,
    /// When it was signed, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<serde_json::Number>,
}

/// Claims of an access token in Entra's v1 form, the one Key Vault gets. Contract section 11.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The resource, for example `https://vault.azure.net`.
    pub aud: String,
    /// `https://sts.windows.net/{tenant}/` at Azure, our own authority here.
    pub iss: String,
    /// When it was issued.
    pub iat: i64,
    /// Valid from.
    pub nbf: i64,
    /// Valid until.
    pub exp: i64,
    /// Client id.
    pub appid: String,
    /// `"2"`: signed in with a certificate.
    pub appidacr: String,
    /// Identity provider, the same as `iss`.
    pub idp: String,
    /// Object id of the service principal.
    pub oid: String,
    /// The same object id.
    pub sub: String,
    /// Tenant id.
    pub tid: String,
    /// Unique id of the token.
    pub uti: String,
    /// `"1.0"`.
    pub ver: String,
}

/// Answer of the token endpoint (RFC 6749 section 5.1).
#[derive(Serialize, Deserialize)]
pub struct TokenResponse {
    /// `Bearer`.
    pub token_type: String,
    /// Seconds from now.
    pub expires_in: u64,
    /// Seconds from now, in an outage. Entra always sends it.
    #[serde(default)]
    pub ext_expires_in: u64,
    /// The token. It opens everything its client may open: treat it as a secret.
    pub access_token: String,
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Error of the token endpoint (RFC 6749 section 5.2) with Entra's additions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TokenErrorBody {
    /// For example `invalid_client`.
    pub error: String,
    /// `AADSTSnnnnn: …` with trace id, correlation id and time at the end.
    #[serde(default)]
    pub error_description: String,
    /// The numbers of the AADSTS codes.
    #[serde(default)]
    pub error_codes: Vec<u64>,
    /// `2026-01-02 03:04:05Z`.
    #[serde(default)]
    pub timestamp: String,
    /// Trace id to give to the operator of the directory.
    #[serde(default)]
    pub trace_id: String,
    /// Echo of the request's `client-request-id`.
    #[serde(default)]
    pub correlation_id: String,
    /// A page about the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_uri: Option<String>,
}

/// `/.well-known/openid-configuration`, as far as clients of this grant read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenIdConfiguration {
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// How a client may prove who it is.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Where the signing keys are.
    pub jwks_uri: String,
    /// Scheme, host and port must equal the authority's, or MSAL for JavaScript refuses it.
    pub issuer: String,
    /// Not served; clients want the member.
    pub authorization_endpoint: String,
    /// Not served; clients want the member.
    pub device_authorization_endpoint: String,
    /// `code`, `token`.
    pub response_types_supported: Vec<String>,
    /// `pairwise`.
    pub subject_types_supported: Vec<String>,
    /// `RS256`.
    pub id_token_signing_alg_values_supported: Vec<String>,
}

/// A set of public keys (RFC 7517 section 5).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JsonWebKeySet {
    /// The keys.
    pub keys: Vec<JsonWebKey>,
}

/// An RSA public key (RFC 7517 section 4, RFC 7518 section 6.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JsonWebKey {
    /// `RSA`.
    pub kty: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub use_: String,
    /// Id of the key.
    pub kid: String,
    /// `RS256`.
    pub alg: String,
    /// Modulus, base64url.
    pub n: String,
    /// Exponent, base64url.
    pub e: String,
}
