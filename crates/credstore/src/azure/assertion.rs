//! The client assertion: a short signed statement with which an app proves to the directory who it is.
//!
//! Source: RFC 7523 section 3, RFC 7515; contract section 12. Integer times, a fresh `jti` each, audience the
//! exact token endpoint. Nothing here reads the clock or draws random numbers.

use std::time::Duration;

use credstore_protocol::encoding::base64url;
use credstore_protocol::token::{AssertionClaims, JwtHeader};
use credstore_protocol::{ClientId, Timestamp};
use zeroize::Zeroizing;

use super::certificate::{SigningAlgorithm, SigningCertificate};

/// How long an assertion is valid. Source: Entra's documentation, 5 to 10 minutes at most.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// The statement is not signed. Only a defect of the TLS library gets here: a loaded key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not sign")]
pub struct NotSigned;

/// Signs that `client` is who asks `audience` for a token, from `now` for [`LIFETIME`].
///
/// `jti` must be unique. Whoever has the assertion can sign in with it: it is wiped like a secret.
pub fn sign(
    certificate: &SigningCertificate,
    algorithm: SigningAlgorithm,
    client: &ClientId,
    audience: &str,
    now: Timestamp,
    jti: &str,
) -> Result<Zeroizing<String>, NotSigned> {
    let public = certificate.public();
    let (alg, x5t, x5t_s256) = match algorithm {
        SigningAlgorithm::Ps256 => ("PS256", None, Some(base64url(&public.thumbprint_sha256))),
        SigningAlgorithm::Rs256 => ("RS256", Some(base64url(&public.thumbprint_sha1)), None),
    };
    let header = JwtHeader { alg: alg.to_owned(), typ: Some("JWT".to_owned()), x5t, x5t_s256, kid: None };
    let claims = AssertionClaims {
        aud: audience.to_owned(),
        iss: client.as_str().to_owned(),
        sub: client.as_str().to_owned(),
        jti: Some(jti.to_owned()),
        exp: (now + LIFETIME).0.into(),
        nbf: Some(now.0.into()),
        iat: Some(now.0.into()),
    };
    let header = serde_json::to_vec(&header).map_err(|_| NotSigned)?;
    let claims = serde_json::to_vec(&claims).map_err(|_| NotSigned)?;
    let statement = format!("{}.{}", base64url(&header), base64url(&claims));
    let signature = certificate.sign(algorithm, statement.as_bytes()).ok_or(NotSigned)?;
    Ok(Zeroizing::new(format!("{statement}.{}", base64url(&signature))))
}
