//! Client assertions in, access tokens out, access tokens checked.
//!
//! Rules: the algorithm is one of a fixed set per use and never chosen by the header alone; `none` and HMAC do
//! not exist; no key comes from the token itself; `crit` is refused; issuer, audience and tenant are compared
//! with what they must be. An assertion may be used again while it lives, as Entra allows.
//! Source: RFC 7523, RFC 8725, contract sections 11 to 13.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey};
use credstore_protocol::encoding::{base64_any, base64url, hex_any, hex_lower, hex_upper};
use credstore_protocol::token::{AccessTokenClaims, JsonWebKeySet, JwtHeader};
use credstore_protocol::{ClientId, ObjectId, Timestamp};
use serde_json::{Map, Number, Value};
use zeroize::Zeroizing;

use super::jwt::{self, Base64};
use super::state::{Registered, RegisteredKey};
use super::{Directory, IssuedToken, SignIn, VerifiedToken};
use crate::access::Caller;
use crate::error::{SignInError, TokenRejected};
use crate::random;

/// Seconds that an access token lives. Source: contract section 11.
pub const TOKEN_LIFETIME: u64 = 3599;
/// Seconds by which a client's clock may differ. Source: contract section 12.
pub const ASSERTION_SKEW: i64 = 300;
/// Seconds by which our own clock may have been set back since a token was issued. Ours.
pub const TOKEN_SKEW: i64 = 30;

/// What a client signed with a key of its application: an assertion, or the proof that it holds one.
pub(super) struct Statement<'a> {
    jwt: jwt::Unverified<'a>,
    algorithm: &'static RsaParameters,
}

/// From when, if it says so, until when a statement is valid, in seconds.
pub(super) struct Span {
    from: Option<f64>,
    until: f64,
}

impl Span {
    /// Seconds from start to end; `None` when it has no start.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.from.map(|from| self.until - from)
    }
}

fn malformed(reason: &'static str) -> SignInError {
    SignInError::Malformed { reason }
}

impl<'a> Statement<'a> {
    /// Takes it apart. Nothing of it is verified.
    pub(super) fn parse(text: &'a str) -> Result<Self, SignInError> {
        let jwt = jwt::parse(text, Base64::Tolerant).map_err(malformed)?;
        let algorithm = match jwt::text(&jwt.header, "alg").map_err(malformed)? {
            Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
            Some("PS256") => &RSA_PSS_2048_8192_SHA256,
            Some(_) | None => return Err(malformed("the algorithm must be RS256 or PS256")),
        };
        check_type(&jwt.header).map_err(malformed)?;
        Ok(Self { jwt, algorithm })
    }

    /// That a key of the application signed it which is valid now.
    pub(super) fn check_signature(&self, registered: &Registered, now: Timestamp) -> Result<(), SignInError> {
        let key = key_for(registered, &self.jwt.header)?;
        let thumbprint = || hex_upper(&key.credential.thumbprint_sha1);
        let public = UnparsedPublicKey::new(self.algorithm, &key.public_key);
        if public.verify(self.jwt.signed, &self.jwt.signature).is_err() {
            return Err(SignInError::InvalidSignature { thumbprint: thumbprint() });
        }
        let (start, end) = (key.credential.start, key.credential.end);
        if now < start || now > end {
            return Err(SignInError::KeyExpired { thumbprint: thumbprint(), start, end });
        }
        Ok(())
    }

    /// A claim that is a text; `None` when it is absent.
    pub(super) fn claim(&self, name: &str) -> Result<Option<&str>, SignInError> {
        jwt::text(&self.jwt.claims, name).map_err(malformed)
    }

    /// That it is valid now, give or take [`ASSERTION_SKEW`].
    pub(super) fn check_time(&self, now: Timestamp) -> Result<Span, SignInError> {
        let number =
            |name| jwt::number(&self.jwt.claims, name).map_err(malformed).map(|number| number.and_then(Number::as_f64));
        let until = number("exp")?.ok_or_else(|| malformed("no expiry"))?;
        let from = match number("nbf")? {
            Some(nbf) => Some(nbf),
            None => number("iat")?,
        };
        // Whole seconds below 2^53 are exact in an f64; anything larger saturates.
        let (skew, at) = (ASSERTION_SKEW as f64, now.0 as f64);
        if until <= at - skew || from.is_some_and(|from| from >= at + skew) {
            let whole = |seconds: f64| Timestamp(seconds.floor() as i64);
            return Err(SignInError::OutsideTimeRange { now, from: from.map(whole), until: whole(until) });
        }
        Ok(Span { from, until })
    }
}

/// A certificate named by an assertion's header.
enum Named {
    Sha1(Vec<u8>),
    Sha256(Vec<u8>),
}

impl Named {
    fn names(&self, key: &RegisteredKey) -> bool {
        match self {
            Self::Sha1(thumbprint) => key.credential.thumbprint_sha1 == thumbprint.as_slice(),
            Self::Sha256(thumbprint) => key.credential.thumbprint_sha256 == thumbprint.as_slice(),
        }
    }

    fn hex(&self) -> String {
        match self {
            Self::Sha1(thumbprint) | Self::Sha256(thumbprint) => hex_upper(thumbprint),
        }
    }
}

impl Directory {
    /// Checks a client assertion and issues an access token for `request.resource`.
    ///
    /// Order: form of the assertion, client, certificate, signature, validity of the certificate, subject,
    /// audience, time. What is not signed is not judged.
    ///
    /// # Errors
    /// See [`SignInError`]; the texts of the wire are the server's.
    pub fn sign_in(&self, request: &SignIn<'_>, now: Timestamp) -> Result<IssuedToken, SignInError> {
        let assertion = Statement::parse(request.assertion)?;
        let unknown =
            || SignInError::ClientUnknown { client_id: request.client_id.chars().take(64).collect::<String>() };
        let client: ClientId = request.client_id.parse().map_err(|_| unknown())?;
        let state = self.state();
        let registered = state.of_client(&client).ok_or_else(unknown)?;
        let principal = registered.principal.as_ref().ok_or_else(unknown)?;
        if !principal.enabled {
            return Err(SignInError::ClientDisabled { client_id: client.to_string() });
        }
        assertion.check_signature(registered, now)?;
        check_claims(&assertion, &client, request.audiences, now)?;
        self.issue(&client, &principal.id, request, now).ok_or(SignInError::Signing)
    }

    fn issue(&self, client: &ClientId, oid: &ObjectId, request: &SignIn<'_>, now: Timestamp) -> Option<IssuedToken> {
        let header = JwtHeader {
            alg: "RS256".to_owned(),
            typ: Some("JWT".to_owned()),
            kid: Some(self.signing.public.kid.clone()),
            ..JwtHeader::default()
        };
        let claims = AccessTokenClaims {
            aud: request.resource.to_owned(),
            iss: request.issuer.to_owned(),
            iat: now.0,
            nbf: now.0,
            exp: now.0.saturating_add_unsigned(TOKEN_LIFETIME),
            appid: client.to_string(),
            appidacr: "2".to_owned(),
            idp: request.issuer.to_owned(),
            oid: oid.to_string(),
            sub: oid.to_string(),
            tid: self.tenant.to_string(),
            uti: hex_lower(&random::bytes::<16>()),
            ver: "1.0".to_owned(),
        };
        let mut token = Zeroizing::new(base64url(&serde_json::to_vec(&header).ok()?));
        token.push('.');
        token.push_str(&base64url(&serde_json::to_vec(&claims).ok()?));
        let signature = self.signing.sign(token.as_bytes())?;
        // The parts before the signature open nothing, so growing here leaves nothing of use behind.
        token.push('.');
        token.push_str(&base64url(&signature));
        Some(IssuedToken { token, expires_in: TOKEN_LIFETIME })
    }

    /// Checks an access token: ours, for one of `audiences` (with or without a slash at the end), issued by
    /// `issuer`, valid now, and its application and service principal still there and enabled.
    ///
    /// # Errors
    /// See [`TokenRejected`]; the peer learns only that the token is not accepted.
    pub fn verify_token(
        &self,
        token: &str,
        audiences: &[&str],
        issuer: &str,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenRejected> {
        let malformed = TokenRejected::Malformed;
        let token = jwt::parse(token, Base64::Exact).map_err(malformed)?;
        if jwt::text(&token.header, "alg").map_err(malformed)? != Some("RS256") {
            return Err(malformed("the algorithm must be RS256"));
        }
        if jwt::text(&token.header, "typ").map_err(malformed)? != Some("JWT") {
            return Err(malformed("the type must be JWT"));
        }
        if jwt::text(&token.header, "kid").map_err(malformed)? != Some(self.signing.public.kid.as_str()) {
            return Err(TokenRejected::UnknownKey);
        }
        if !self.signing.verifies(token.signed, &token.signature) {
            return Err(TokenRejected::Signature);
        }
        let claims: AccessTokenClaims = serde_json::from_value(Value::Object(token.claims))
            .map_err(|_| TokenRejected::Malformed("a claim is missing or has the wrong type"))?;
        if claims.iss != issuer || claims.tid != self.tenant.as_str() {
            return Err(TokenRejected::Issuer { found: cut(&claims.iss) });
        }
        if !audiences.iter().any(|audience| same_url(audience, &claims.aud)) {
            return Err(TokenRejected::Audience { found: cut(&claims.aud) });
        }
        if now.0 >= claims.exp {
            return Err(TokenRejected::Expired);
        }
        if claims.nbf.max(claims.iat) > now.0.saturating_add(TOKEN_SKEW) {
            return Err(TokenRejected::NotYetValid);
        }
        let caller = self.caller(&claims).ok_or(TokenRejected::PrincipalGone)?;
        Ok(VerifiedToken { caller, expires_at: Timestamp(claims.exp), audience: claims.aud })
    }

    /// Whether the caller of a token that was verified before is still there and enabled. Cheap: for servers that
    /// keep the answers of [`verify_token`](Self::verify_token).
    pub fn is_active(&self, caller: &Caller) -> bool {
        let state = self.state();
        let principal = state.of_client(&caller.app_id).and_then(|registered| registered.principal.as_ref());
        principal.is_some_and(|principal| principal.enabled && principal.id == caller.object_id)
    }

    fn caller(&self, claims: &AccessTokenClaims) -> Option<Caller> {
        let caller = Caller {
            tenant: self.tenant.clone(),
            object_id: claims.oid.parse().ok()?,
            app_id: claims.appid.parse().ok()?,
        };
        self.is_active(&caller).then_some(caller)
    }

    /// The public keys that tokens are signed with.
    pub fn key_set(&self) -> JsonWebKeySet {
        JsonWebKeySet { keys: vec![self.signing.public.clone()] }
    }
}

/// A claim as a refusal repeats it: its first 256 characters.
pub(super) fn cut(claim: &str) -> String {
    claim.chars().take(256).collect()
}

fn same_url(one: &str, other: &str) -> bool {
    one.strip_suffix('/').unwrap_or(one) == other.strip_suffix('/').unwrap_or(other)
}

/// `JWT`, or the explicit type of RFC 7523's update; absent is what RFC 7519 allows.
fn check_type(header: &Map<String, Value>) -> Result<(), &'static str> {
    match jwt::text(header, "typ")? {
        None => Ok(()),
        Some(kind) if kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("client-authentication+jwt") => {
            Ok(())
        }
        Some(_) => Err("the type is not JWT"),
    }
}

/// The registered key that the header names: by `x5t#S256` and `x5t`, each that is there, else by `kid`.
fn key_for<'a>(registered: &'a Registered, header: &Map<String, Value>) -> Result<&'a RegisteredKey, SignInError> {
    let mut named = Vec::new();
    if let Some(thumbprint) = jwt::text(header, "x5t#S256").map_err(malformed)? {
        let bytes = base64_any(thumbprint).filter(|bytes| bytes.len() == 32);
        named.push(Named::Sha256(bytes.ok_or_else(|| malformed("x5t#S256 is no thumbprint"))?));
    }
    if let Some(thumbprint) = jwt::text(header, "x5t").map_err(malformed)? {
        let bytes = base64_any(thumbprint).filter(|bytes| bytes.len() == 20);
        named.push(Named::Sha1(bytes.ok_or_else(|| malformed("x5t is no thumbprint"))?));
    }
    if named.is_empty() {
        let kid = jwt::text(header, "kid").map_err(malformed)?.ok_or(SignInError::NoThumbprint)?;
        let bytes = hex_any(kid).or_else(|| base64_any(kid)).unwrap_or_default();
        named.push(match bytes.len() {
            20 => Named::Sha1(bytes),
            32 => Named::Sha256(bytes),
            _ => return Err(SignInError::NoThumbprint),
        });
    }
    let found = registered.keys.iter().find(|key| named.iter().all(|name| name.names(key)));
    found.ok_or_else(|| {
        let thumbprint = named.last().map(Named::hex).unwrap_or_default();
        SignInError::CertificateNotRegistered { thumbprint }
    })
}

fn check_claims(
    assertion: &Statement<'_>,
    client: &ClientId,
    audiences: &[String],
    now: Timestamp,
) -> Result<(), SignInError> {
    let is_client = |claim: Option<&str>| claim.is_some_and(|claim| claim.eq_ignore_ascii_case(client.as_str()));
    if !is_client(assertion.claim("iss")?) || !is_client(assertion.claim("sub")?) {
        return Err(SignInError::SubjectMismatch);
    }
    let audience = assertion.claim("aud")?.ok_or_else(|| malformed("no audience"))?;
    if !audiences.iter().any(|accepted| same_url(accepted, audience)) {
        return Err(SignInError::AudienceWrong { found: cut(audience) });
    }
    assertion.check_time(now).map(|_| ())
}
