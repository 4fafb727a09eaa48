//! Access tokens: get one, keep it, renew it before it expires.
//!
//! A token is kept per scope, in memory only. Signing is in [`assertion`], sending in
//! [`transport`](crate::transport), what a refusal means in [`super::sign_in`]. Nothing here reads the clock.
//! Source: RFC 6749 section 4.4 (client credentials), RFC 7523 section 2.2 (client assertion).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use credstore_protocol::encoding::base64_any;
use credstore_protocol::token::{CLIENT_CREDENTIALS, JWT_BEARER, TokenErrorBody, TokenResponse};
use credstore_protocol::{ClientId, TenantId, Timestamp};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::address::Authority;
use super::assertion;
use super::certificate::{CertificateError, PublicCertificate, SigningAlgorithm, SigningCertificate};
use super::door::object_in;
use super::retry::{self, When};
use super::rotation::{CertificateSource, Rotation, is_recent};
use super::sign_in::{self, SignInError, SignInFacts, SignInRefusal};
use crate::single_flight::SingleFlight;
use crate::transport::{Body, Transport, TransportError};

/// A token is renewed from this long before it expires. Source: the habit of Microsoft's SDKs, 5 minutes.
pub const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// A renewal that could not be had in the background is not tried again before this time is over. Ours: a directory that
/// is away is asked twice a minute, and the last fifth of a token's life has room for some twenty tries.
pub const RENEWAL_SPACING: Duration = Duration::from_secs(30);

/// The name we go by in logs of the other side.
pub(super) const USER_AGENT: &str = concat!("credstore/", env!("CARGO_PKG_VERSION"));

/// An access token. Whoever has it may do what its app may: it prints as nothing and is wiped when dropped.
pub struct AccessToken {
    value: Zeroizing<String>,
    expires: Timestamp,
    /// From here on it is renewed in the background: 80 % of its life. Source: requirement of the product.
    renewed_from: Timestamp,
}

impl AccessToken {
    /// When the directory says it ends.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The token itself, for somebody else's request.
    pub fn expose_secret(&self) -> &str {
        &self.value
    }

    /// The value of the `Authorization` header, marked sensitive and wiped with its last copy.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = Zeroizing::new(format!("Bearer {}", self.value.as_str()).into_bytes());
        let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.expires - RENEW_BEFORE
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.renewed_from
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken(until {})", self.expires.0)
    }
}

/// Whether a token was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Kept,
    Fresh,
}

/// What one sign-in asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted {
    scope: String,
    /// JSON that the vault demands to be in the request.
    claims: Option<String>,
}

type Outcome = Result<Arc<AccessToken>, Arc<SignInError>>;

/// Signs in one app at one directory and keeps the tokens.
pub struct TokenSource {
    transport: Arc<dyn Transport>,
    authority: Authority,
    client: ClientId,
    rotation: Rotation,
    algorithm: SigningAlgorithm,
    kept: Mutex<HashMap<String, Arc<AccessToken>>>,
    flights: SingleFlight<Wanted, Outcome>,
    /// When a renewal in the background was begun last, by scope.
    renewals: Mutex<HashMap<String, Timestamp>>,
}

impl TokenSource {
    /// A source for `client` at `authority`. Nothing is read or sent yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        authority: Authority,
        client: ClientId,
        certificate: CertificateSource,
    ) -> Self {
        let (kept, renewals) = (Mutex::default(), Mutex::default());
        let algorithm = SigningAlgorithm::default();
        let (rotation, flights) = (Rotation::new(certificate), SingleFlight::new());
        Self { transport, authority, client, rotation, algorithm, kept, flights, renewals }
    }

    /// The same with another way to sign, for directories that do not know PS256.
    pub fn with_algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The tenant as the settings write it.
    pub fn tenant(&self) -> &str {
        self.authority.tenant()
    }

    /// The app that signs in.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// Where the certificate comes from.
    pub fn certificate(&self) -> &CertificateSource {
        self.rotation.source()
    }

    /// The certificate that the directory accepted last; `None` before the first sign-in. While a new one in the file is
    /// not yet accepted, this is the former.
    pub fn accepted_certificate(&self) -> Option<PublicCertificate> {
        self.rotation.proven().map(|certificate| certificate.public().clone())
    }

    /// The certificate that signs: the accepted one, or before the first sign-in what the source has.
    pub fn signing_certificate(&self) -> Option<PublicCertificate> {
        let unproven = || self.certificate().current().ok().map(|certificate| certificate.public().clone());
        self.accepted_certificate().or_else(unproven)
    }

    /// A token for `scope`, kept or new.
    ///
    /// Callers that come while a new one is asked for wait for it. From 80 % of its life on a token is renewed in the
    /// background, a task of the runtime in which this is called, and used on meanwhile; only from [`RENEW_BEFORE`] its
    /// end on somebody waits. A token that is still valid is used when the directory cannot answer.
    ///
    /// # Errors
    /// [`SignInError`]; waiting callers share it.
    pub async fn token(self: &Arc<Self>, scope: &str, when: When) -> Result<Arc<AccessToken>, Arc<SignInError>> {
        self.token_with_origin(scope, when).await.map(|(token, _)| token)
    }

    pub(super) async fn token_with_origin(
        self: &Arc<Self>,
        scope: &str,
        when: When,
    ) -> Result<(Arc<AccessToken>, Origin), Arc<SignInError>> {
        if let Some(token) = self.kept_for(scope).filter(|token| token.is_fresh(when.now)) {
            if token.is_due(when.now) || self.rotation.is_exchanged(when.now) {
                self.renew_aside(scope, when.now);
            }
            return Ok((token, Origin::Kept));
        }
        let wanted = Wanted { scope: scope.to_owned(), claims: None };
        let work = async {
            // Somebody else may have finished between our look and our turn.
            if let Some(token) = self.kept_for(scope).filter(|token| token.is_fresh(when.now)) {
                return Ok(token);
            }
            self.sign_in(&wanted, when).await
        };
        match self.flights.run(&wanted, work).await {
            Ok(token) => Ok((token, Origin::Fresh)),
            Err(error) => match self.kept_for(scope) {
                Some(token) if error.is_temporary() && when.now < token.expires => {
                    tracing::warn!(%error, "the directory cannot answer; the token at hand is used on");
                    Ok((token, Origin::Kept))
                }
                _ => Err(error),
            },
        }
    }

    /// Begins to renew the token of `scope` in a task of its own, unless that was tried a moment ago.
    fn renew_aside(self: &Arc<Self>, scope: &str, now: Timestamp) {
        let mut renewals = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
        if renewals.get(scope).is_some_and(|at| is_recent(*at, RENEWAL_SPACING, now)) {
            return;
        }
        renewals.insert(scope.to_owned(), now);
        drop(renewals);
        let (source, scope) = (self.clone(), scope.to_owned());
        tokio::spawn(async move { source.renew(scope, When::at(now)).await });
    }

    async fn renew(&self, scope: String, when: When) {
        let wanted = Wanted { scope, claims: None };
        let work = async {
            match self.kept_for(&wanted.scope) {
                Some(token) if !token.is_due(when.now) && !self.rotation.differs(when.now) => Ok(token),
                _ => self.sign_in(&wanted, when).await,
            }
        };
        if let Err(error) = self.flights.run(&wanted, work).await {
            tracing::warn!(%error, "the access token is not renewed; the one at hand is used on");
        }
    }

    /// A new token in place of `refused`, which the vault did not accept; `claims` is what it demands, base64.
    pub(super) async fn instead_of(
        &self,
        refused: &Arc<AccessToken>,
        scope: &str,
        claims: Option<&str>,
        when: When,
    ) -> Result<Arc<AccessToken>, Arc<SignInError>> {
        let claims = claims.and_then(base64_any).and_then(|json| String::from_utf8(json).ok());
        let wanted = Wanted { scope: scope.to_owned(), claims };
        let work = async {
            match self.kept_for(scope) {
                Some(token) if !Arc::ptr_eq(&token, refused) && token.is_fresh(when.now) => Ok(token),
                _ => self.sign_in(&wanted, when).await,
            }
        };
        self.flights.run(&wanted, work).await
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Arc<AccessToken>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept_for(&self, scope: &str) -> Option<Arc<AccessToken>> {
        self.kept().get(scope).cloned()
    }

    async fn sign_in(&self, wanted: &Wanted, when: When) -> Outcome {
        let token = Arc::new(self.sign_in_by_turns(wanted, when).await.map_err(Arc::new)?);
        self.kept().insert(wanted.scope.clone(), token.clone());
        Ok(token)
    }

    fn certificate_error(&self, error: CertificateError) -> SignInError {
        SignInError::Certificate { error, file: self.certificate().path() }
    }

    /// Signs in with the certificate of the source; refused, with what the source has then; refused again, with the one
    /// that was accepted last. Dates are not judged here: our clock may be the wrong one, and the directory's answer is
    /// explained with both.
    async fn sign_in_by_turns(&self, wanted: &Wanted, when: When) -> Result<AccessToken, SignInError> {
        let unusable = |error| self.certificate_error(error);
        let mut last = self.rotation.first(when.now).map_err(unusable)?;
        let mut refusal = match self.sign_in_with(wanted, &last, when).await {
            Err(SignInError::Refused(refusal)) if refusal.problem.wants_reload() => refusal,
            outcome => return outcome,
        };
        if let Some(again) = self.rotation.again(&last).map_err(unusable)? {
            refusal = match self.sign_in_with(wanted, &again, when).await {
                Err(SignInError::Refused(refusal)) if refusal.problem.wants_reload() => refusal,
                outcome => return outcome,
            };
            last = again;
        }
        let Some(former) = self.rotation.refused(&last, when.now) else { return Err(SignInError::Refused(refusal)) };
        match self.sign_in_with(wanted, &former, when).await {
            // What is wrong with the file is what its owner can mend.
            Err(SignInError::Refused(too)) => {
                if too.problem.wants_reload() {
                    self.rotation.refused(&former, when.now);
                }
                Err(SignInError::Refused(refusal))
            }
            outcome => {
                let error = SignInError::Refused(refusal);
                tracing::warn!(%error, "the directory refuses the certificate in the file; the former signs on");
                outcome
            }
        }
    }

    async fn sign_in_with(
        &self,
        wanted: &Wanted,
        certificate: &Arc<SigningCertificate>,
        when: When,
    ) -> Result<AccessToken, SignInError> {
        let token = self.ask(wanted, certificate, when).await?;
        self.rotation.accepted(certificate);
        Ok(token)
    }

    /// Asks with pauses until there is an answer that counts, or tries and time are used up.
    async fn ask(
        &self,
        wanted: &Wanted,
        certificate: &SigningCertificate,
        when: When,
    ) -> Result<AccessToken, SignInError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.ask_once(wanted, certificate, when).await {
                Err(error) if error.is_temporary() => error,
                outcome => return outcome,
            };
            let hint = error.retry_after();
            match retry::pause(tries, hint, retry::PAUSE_AFTER_FAULT, retry::jitter(), when.remaining()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    async fn ask_once(
        &self,
        wanted: &Wanted,
        certificate: &SigningCertificate,
        when: When,
    ) -> Result<AccessToken, SignInError> {
        let correlation = Uuid::new_v4().to_string();
        let request = self.request(wanted, certificate, when.now, &correlation)?;
        let host = || self.authority.host().to_owned();
        let answer = tokio::time::timeout_at(when.deadline, self.transport.send(request))
            .await
            .unwrap_or_else(|_| Err(TransportError::TimedOut { host: host() }))
            .map_err(|source| SignInError::Unreachable { source })?;
        if answer.status().is_success() {
            return read_token(&answer, when.now)
                .ok_or_else(|| SignInError::Unusable { host: host(), reason: "it is not a token".to_owned() });
        }
        let body = serde_json::from_slice::<TokenErrorBody>(answer.body()).unwrap_or_default();
        let status = answer.status().as_u16();
        if body.error.is_empty() && body.error_codes.is_empty() && !retry::is_temporary(status) {
            let reason = format!("HTTP status {status} without an error of a directory");
            return Err(SignInError::Unusable { host: host(), reason });
        }
        Err(self.refusal(&answer, &body, certificate, when, correlation).await)
    }

    fn request(
        &self,
        wanted: &Wanted,
        certificate: &SigningCertificate,
        now: Timestamp,
        correlation: &str,
    ) -> Result<Request<Body>, SignInError> {
        let endpoint = self.authority.token_endpoint();
        let jti = Uuid::new_v4().to_string();
        let assertion = assertion::sign(certificate, self.algorithm, &self.client, &endpoint, now, &jti)
            .map_err(|_| SignInError::NotSigned)?;
        let mut fields = vec![
            ("client_id", self.client.as_str()),
            ("grant_type", CLIENT_CREDENTIALS),
            ("scope", wanted.scope.as_str()),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion.as_str()),
        ];
        fields.extend(wanted.claims.as_deref().map(|claims| ("claims", claims)));
        Request::builder()
            .method(Method::POST)
            .uri(endpoint)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(http::header::USER_AGENT, USER_AGENT)
            .header("client-request-id", correlation)
            .header("return-client-request-id", "true")
            .body(form(&fields))
            .map_err(|_| SignInError::NotSigned)
    }

    async fn refusal(
        &self,
        answer: &Response<Body>,
        body: &TokenErrorBody,
        certificate: &SigningCertificate,
        when: When,
        correlation: String,
    ) -> SignInError {
        let problem = sign_in::problem_of(answer.status().as_u16(), body);
        let swapped = problem.may_be_swapped_ids() && self.client_is_a_tenant(when).await;
        let facts = SignInFacts {
            host: self.authority.host().to_owned(),
            tenant: self.authority.tenant().to_owned(),
            client: self.client.clone(),
            certificate: certificate.public().clone(),
            file: self.certificate().path(),
            now: when.now,
            directory_clock: retry::date(answer.headers()),
            swapped,
        };
        let retry_after = retry::retry_after(answer.headers(), when.now);
        SignInError::Refused(Box::new(SignInRefusal::new(problem, body, facts, retry_after, correlation)))
    }

    /// Whether the directory knows our client ID as a tenant: then the two IDs are swapped in the settings.
    /// The question holds no assertion and goes to the configured directory.
    async fn client_is_a_tenant(&self, when: When) -> bool {
        if self.authority.tenant().parse::<TenantId>().is_err() {
            return false;
        }
        let uri = self.authority.metadata_of(self.client.as_str());
        let Ok(request) = Request::get(uri).header(ACCEPT, "application/json").body(Body::default()) else {
            return false;
        };
        let answer = tokio::time::timeout_at(when.deadline, self.transport.send(request)).await;
        matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
    }
}

/// A form body (WHATWG URL, urlencoded) in a buffer that never grows, so that no unwiped copy is left.
fn form(fields: &[(&str, &str)]) -> Body {
    let room = fields.iter().map(|(name, value)| name.len() + value.len() * 3 + 2).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for part in utf8_percent_encode(value, NON_ALPHANUMERIC) {
            body.extend_from_slice(part.as_bytes());
        }
    }
    body
}

fn read_token(answer: &Response<Body>, now: Timestamp) -> Option<AccessToken> {
    let response: TokenResponse = object_in(answer.body())?;
    let value = Zeroizing::new(response.access_token);
    let usable = response.token_type.eq_ignore_ascii_case("bearer") && !value.is_empty();
    // A header must be made of it later: find out now.
    let life = Duration::from_secs(response.expires_in);
    let token = AccessToken { value, expires: now + life, renewed_from: now + life / 5 * 4 };
    (usable && token.header().is_some()).then_some(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_form_is_read_back_as_it_was_written(name in "[a-z_]{1,9}", value in "\\PC{0,30}") {
            let body = form(&[(&name, &value), ("last", "1")]);
            let read: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
            prop_assert_eq!(read, [(name, value), ("last".to_owned(), "1".to_owned())]);
        }
    }

    fn token(expires: i64) -> AccessToken {
        AccessToken {
            value: Zeroizing::new("planted".to_owned()),
            expires: Timestamp(expires),
            renewed_from: Timestamp(0),
        }
    }

    #[test]
    fn a_token_is_renewed_from_five_minutes_before_it_expires() {
        assert!(token(1_000_000).is_fresh(Timestamp(999_699)));
        assert!(!token(1_000_000).is_fresh(Timestamp(999_700)));
    }

    #[test]
    fn a_token_shows_its_value_in_no_debug_text() {
        let header = token(0).header().unwrap();
        assert_eq!(header.as_bytes(), b"Bearer planted");
        assert!(!format!("{header:?}{:?}", token(0)).contains("planted"));
    }

    #[test]
    fn a_form_is_percent_encoded_without_growing() {
        let body = form(&[("a", "x y"), ("b", "https://v/.default"), ("c", "ä")]);
        assert_eq!(body.as_slice(), b"a=x%20y&b=https%3A%2F%2Fv%2F%2Edefault&c=%C3%A4");
    }

    #[test]
    fn only_a_bearer_token_is_a_token() {
        let read = |text: &str| read_token(&Response::new(Zeroizing::new(text.as_bytes().to_vec())), Timestamp(10));
        let token = read(r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"a.b.c"}"#);
        assert_eq!(token.unwrap().expires(), Timestamp(3609));
        for text in [
            "",
            "<html>",
            r#"{"token_type":"pop","expires_in":1,"access_token":"a"}"#,
            r#"{"token_type":"Bearer","expires_in":1,"access_token":""}"#,
            r#"{"token_type":"Bearer","expires_in":1,"access_token":"a\nb"}"#,
            r#"{"token_type":"Bearer","expires_in":1}"#,
            r#"["Bearer",1,1,"a.b.c"]"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
