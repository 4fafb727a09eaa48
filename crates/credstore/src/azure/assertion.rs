//! The client assertion: a short signed statement with which an app proves to the directory who it is.
//!
//! Source: RFC 7523 section 3, RFC 7515; contract section 12. Integer times, a fresh `jti` each, audience the
//! exact token endpoint. Nothing here reads the clock or draws random numbers.

use std::time::Duration;

use credstore_protocol::encoding::base64url;
use credstore_protocol::token::{AssertionClaims, JwtHeader};
use credstore_protocol::{ClientId, ObjectId, Timestamp};
use serde::Serialize;
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
    let claims = AssertionClaims {
        aud: audience.to_owned(),
        iss: client.as_str().to_owned(),
        sub: client.as_str().to_owned(),
        jti: Some(jti.to_owned()),
        exp: (now + LIFETIME).0.into(),
        nbf: Some(now.0.into()),
        iat: Some(now.0.into()),
    };
    signed(certificate, algorithm, &claims)
}

/// Whom a proof of possession is for. Source: Graph, "Generate proof-of-possession tokens for rolling keys".
const PROOF_AUDIENCE: &str = "00000002-0000-0000-c000-000000000000";

/// Claims of a proof of possession. Source: as [`PROOF_AUDIENCE`].
#[derive(Serialize)]
struct ProofClaims<'a> {
    aud: &'a str,
    iss: &'a str,
    nbf: i64,
    exp: i64,
}

/// Signs that the application with this object id holds the key of `certificate`, from `now` for [`LIFETIME`]. Graph wants
/// it from an application that exchanges its own keys. Whoever has it and a token of the application can do so too.
pub fn proof(
    certificate: &SigningCertificate,
    application: &ObjectId,
    now: Timestamp,
) -> Result<Zeroizing<String>, NotSigned> {
    let claims = ProofClaims { aud: PROOF_AUDIENCE, iss: application.as_str(), nbf: now.0, exp: (now + LIFETIME).0 };
    // The samples of the page sign so; whether another algorithm is read, it does not say.
    signed(certificate, SigningAlgorithm::Rs256, &claims)
}

fn signed(
    certificate: &SigningCertificate,
    algorithm: SigningAlgorithm,
    claims: &impl Serialize,
) -> Result<Zeroizing<String>, NotSigned> {
    let public = certificate.public();
    let (alg, x5t, x5t_s256) = match algorithm {
        SigningAlgorithm::Ps256 => ("PS256", None, Some(base64url(&public.thumbprint_sha256))),
        SigningAlgorithm::Rs256 => ("RS256", Some(base64url(&public.thumbprint_sha1)), None),
    };
    let header = JwtHeader { alg: alg.to_owned(), typ: Some("JWT".to_owned()), x5t, x5t_s256, kid: None };
    let header = serde_json::to_vec(&header).map_err(|_| NotSigned)?;
    let claims = serde_json::to_vec(&claims).map_err(|_| NotSigned)?;
    let statement = format!("{}.{}", base64url(&header), base64url(&claims));
    let signature = certificate.sign(algorithm, statement.as_bytes()).ok_or(NotSigned)?;
    Ok(Zeroizing::new(format!("{statement}.{}", base64url(&signature))))
}
