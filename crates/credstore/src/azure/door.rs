//! One question to one service: with a token, within its time, again where that is right.
//!
//! A token goes to the address the door was made with and nowhere else: no redirect is followed, a link to
//! another page is cut down to its path on the same origin, a challenge is read and never obeyed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use credstore_protocol::Secret;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT, WWW_AUTHENTICATE};
use http::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::address::ServiceAddress;
use super::challenge::Challenge;
use super::error::{AzureError, Service, ServiceAnswer, ServiceRefusal, TokenRefusal, is_worth_another_try, shown};
use super::objects::ObjectKind;
use super::refusal::Refusal;
use super::retry::{self, PAUSE_AFTER_FAULT, PAUSE_WHEN_THROTTLED, When};
use super::token::{AccessToken, Origin, TokenSource};
use super::vault_answers::{VaultAnswer, VaultFacts, VaultRefusal};
use crate::diagnosis::Upstream;
use crate::transport::{AnswerMax, Body, Transport, TransportError};

/// Most pages of one list. With 25 items a page that is more than any vault holds. Ours.
pub(super) const PAGES_MAX: usize = 10_000;

/// Largest answer of ARM and Graph in bytes. A vault with all its 1,024 access policies has about 2 MB, and a page
/// holds many vaults; apps come by the thousand. Ours.
pub(super) const MANAGEMENT_ANSWER_MAX: usize = 16 * 1024 * 1024;

/// Most new tokens for one question: one for a token that was kept, one more for claims. Ours.
const RENEWALS_MAX: u32 = 2;

/// The way to one service.
pub(super) struct Door {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) tokens: Arc<TokenSource>,
    pub(super) address: ServiceAddress,
    pub(super) scope: String,
    pub(super) service: Service,
    /// Name of the vault, for messages.
    pub(super) vault: String,
}

/// One question.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Path and query, beginning with a slash.
    pub(super) path: String,
    pub(super) body: Option<Body>,
    /// The value in the body. No error repeats it.
    pub(super) value: Option<&'a Secret>,
    /// What it is about, for messages: a secret's name, or `app registration …`.
    pub(super) subject: Option<String>,
    /// The permission it needs, as the portal writes it.
    pub(super) permission: &'static str,
    /// The kind of object that it is about, for messages.
    pub(super) kind: ObjectKind,
    /// One header more than usual. Not secret.
    pub(super) header: Option<(&'static str, &'static str)>,
    /// Bytes that an honest answer can have, where that is more than usual.
    pub(super) answer_max: Option<usize>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, path: String, permission: &'static str) -> Self {
        Self {
            method,
            path,
            body: None,
            value: None,
            subject: None,
            permission,
            kind: ObjectKind::Secret,
            header: None,
            answer_max: None,
        }
    }

    /// It is about another kind of object than a secret.
    pub(super) fn of(self, kind: ObjectKind) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn with(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// A body that holds `value`.
    pub(super) fn with_value(self, body: Body, value: &'a Secret) -> Self {
        Self { value: Some(value), ..self.with(body) }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(super) fn answered_with_up_to(mut self, bytes: usize) -> Self {
        self.answer_max = Some(bytes);
        self
    }

    /// A body without secrets.
    pub(super) fn with_json(self, body: &impl Serialize) -> Self {
        // Our own messages have string keys and finite numbers: serialising them cannot go wrong.
        self.with(Zeroizing::new(serde_json::to_vec(body).unwrap_or_default()))
    }

    /// Whether it may be sent again when nobody knows if it was carried out: a second Set would be a second
    /// version.
    fn changes_nothing(&self) -> bool {
        self.method == Method::GET
    }
}

/// What to do after a try that brought no answer.
struct Setback {
    error: AzureError,
    may_repeat: bool,
    hint: Option<Duration>,
    first_pause: Duration,
}

/// A list that comes in pages.
pub(super) trait Paged: DeserializeOwned {
    type Item;
    /// The items, and where the next page is.
    fn take(self) -> (Vec<Self::Item>, Option<String>);
}

impl Door {
    /// Asks and reads the answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, ask: Ask<'_>, when: When) -> Result<T, AzureError> {
        let answer = self.send(&ask, when).await?;
        object_in(answer.body()).ok_or_else(|| self.unusable("it is not what the protocol says"))
    }

    /// Asks and wants no content.
    pub(super) async fn nothing(&self, ask: Ask<'_>, when: When) -> Result<(), AzureError> {
        self.send(&ask, when).await.map(|_| ())
    }

    /// Every item of a list. An empty page is not the end; the end is where no next page is named.
    pub(super) async fn list<P: Paged>(&self, first: Ask<'_>, when: When) -> Result<Vec<P::Item>, AzureError> {
        let (permission, kind, subject, header) = (first.permission, first.kind, first.subject.clone(), first.header);
        let mut found = Vec::new();
        let mut ask = first;
        for _ in 0..PAGES_MAX {
            let page: P = self.json(ask, when).await?;
            let (items, next) = page.take();
            found.extend(items);
            let Some(link) = next.filter(|link| !link.is_empty()) else { return Ok(found) };
            let path = self.address.path_of(&link);
            let path = path.ok_or_else(|| self.unusable("it names a next page on another host"))?;
            ask = Ask { subject: subject.clone(), header, kind, ..Ask::new(Method::GET, path, permission) };
        }
        Err(self.unusable("the list does not end"))
    }

    pub(super) fn unusable(&self, reason: impl Into<String>) -> AzureError {
        AzureError::Unusable { host: self.address.host().to_owned(), reason: reason.into() }
    }

    /// Asks until there is an answer that counts, or tries and time are used up.
    pub(super) async fn send(&self, ask: &Ask<'_>, when: When) -> Result<Response<Body>, AzureError> {
        let signed_in = self.tokens.token_with_origin(&self.scope, when).await;
        let (mut token, mut origin) = signed_in.map_err(AzureError::SignIn)?;
        let (mut tries, mut renewals) = (0, 0);
        loop {
            tries += 1;
            let correlation = Uuid::new_v4().to_string();
            let setback = match self.once(ask, &token, &correlation, when).await {
                Err(source) => self.not_answered(ask, source),
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) if answer.status().as_u16() == 401 => {
                    let may_renew = renewals < RENEWALS_MAX;
                    token =
                        self.token_after_401(&answer, (ask, &token), (origin, may_renew), correlation, when).await?;
                    (origin, renewals, tries) = (Origin::Fresh, renewals + 1, tries - 1);
                    continue;
                }
                Ok(answer) => self.refused(ask, &answer, correlation, when),
            };
            let Setback { error, may_repeat, hint, first_pause } = setback;
            let pause = retry::pause(tries, hint, first_pause, retry::jitter(), when.remaining());
            match pause.filter(|_| may_repeat) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    async fn once(
        &self,
        ask: &Ask<'_>,
        token: &AccessToken,
        correlation: &str,
        when: When,
    ) -> Result<Response<Body>, TransportError> {
        let host = || self.address.host().to_owned();
        let not_sendable =
            || TransportError::BadAnswer { host: host(), reason: "the request is not sendable".to_owned() };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("{}{}", self.address.as_str(), ask.path))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, super::token::USER_AGENT)
            .header("x-ms-client-request-id", correlation)
            .header("client-request-id", correlation)
            .header("x-ms-return-client-request-id", "true")
            .header(AUTHORIZATION, token.header().ok_or_else(not_sendable)?);
        let usual = match self.service {
            Service::Vault => None,
            Service::ResourceManager | Service::Graph => Some(MANAGEMENT_ANSWER_MAX),
        };
        if let Some(bytes) = ask.answer_max.or(usual) {
            request = request.extension(AnswerMax(bytes));
        }
        if let Some((name, value)) = ask.header {
            request = request.header(name, value);
        }
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(ask.body.clone().unwrap_or_default()).map_err(|_| not_sendable())?;
        tracing::debug!(method = %ask.method, host = self.address.host(), correlation, "asking");
        tokio::time::timeout_at(when.deadline, self.transport.send(request))
            .await
            .unwrap_or_else(|_| Err(TransportError::TimedOut { host: host() }))
    }

    fn not_answered(&self, ask: &Ask<'_>, source: TransportError) -> Setback {
        // A connection that was never made carried nothing out.
        let not_sent = matches!(source, TransportError::Connect { .. });
        let may_repeat = is_worth_another_try(&source) && (not_sent || ask.changes_nothing());
        let error = AzureError::Unreachable { service: self.service, source };
        Setback { error, may_repeat, hint: None, first_pause: PAUSE_AFTER_FAULT }
    }

    /// A new token after a 401, when that can help: once for a token that was kept, or when the vault demands
    /// claims (continuous access evaluation).
    async fn token_after_401(
        &self,
        answer: &Response<Body>,
        (ask, refused): (&Ask<'_>, &Arc<AccessToken>),
        (origin, may_renew): (Origin, bool),
        correlation: String,
        when: When,
    ) -> Result<Arc<AccessToken>, AzureError> {
        let header = answer.headers().get(WWW_AUTHENTICATE).and_then(|header| header.to_str().ok());
        let challenge = header.and_then(Challenge::read).unwrap_or_default();
        if self.service == Service::Vault && !challenge.belongs_to(&self.address) {
            let resource = shown(challenge.resource.as_deref().unwrap_or_default());
            return Err(AzureError::ForeignChallenge { host: self.address.host().to_owned(), resource });
        }
        let demands = challenge.claims.is_some() || challenge.insufficient_claims;
        if may_renew && (origin == Origin::Kept || demands) {
            let claims = challenge.claims.as_deref();
            let renewed = self.tokens.instead_of(refused, &self.scope, claims, when).await;
            return renewed.map_err(AzureError::SignIn);
        }
        let Refusal { code, text, words, .. } = Refusal::read(answer.body(), self.service, ask.value);
        let wanted_tenant = challenge.tenant.map(|tenant| shown(&tenant));
        Err(AzureError::TokenRefused(Box::new(TokenRefusal {
            service: self.service,
            host: self.address.host().to_owned(),
            tenant: self.tokens.tenant().to_owned(),
            wanted_tenant,
            misdirected: speaks_of_audience_or_issuer(&text),
            words,
            upstream: self.upstream(401, &code, "", answer, correlation),
        })))
    }

    fn refused(&self, ask: &Ask<'_>, answer: &Response<Body>, correlation: String, when: When) -> Setback {
        let status = answer.status().as_u16();
        let hint = retry::retry_after(answer.headers(), when.now);
        // 429 says that nothing was carried out; after 5xx nobody knows.
        let may_repeat = status == 429 || (retry::is_temporary(status) && ask.changes_nothing());
        let first_pause = if status == 429 { PAUSE_WHEN_THROTTLED } else { PAUSE_AFTER_FAULT };
        if (300..400).contains(&status) {
            let error = self.unusable("it leads to another address, which is not followed");
            return Setback { error, may_repeat: false, hint, first_pause };
        }
        let Refusal { code, inner, text, words } = Refusal::read(answer.body(), self.service, ask.value);
        let upstream = self.upstream(status, &code, &inner, answer, correlation);
        let error = match self.service {
            Service::Vault => AzureError::Vault(Box::new(VaultRefusal {
                answer: VaultAnswer::of(status, &code, &inner, &text),
                facts: VaultFacts {
                    vault: self.vault.clone(),
                    client: self.tokens.client().clone(),
                    secret: ask.subject.clone(),
                    permission: ask.permission,
                    kind: ask.kind,
                    retry_after: hint,
                    client_address: client_address(&text),
                    words,
                    upstream,
                },
            })),
            Service::ResourceManager | Service::Graph => AzureError::Service(Box::new(ServiceRefusal {
                service: self.service,
                answer: ServiceAnswer::of(status, &code),
                subject: ask.subject.clone().unwrap_or_else(|| "the list".to_owned()),
                words,
                upstream,
            })),
        };
        Setback { error, may_repeat, hint, first_pause }
    }

    fn upstream(&self, status: u16, code: &str, inner: &str, answer: &Response<Body>, correlation: String) -> Upstream {
        let header =
            |name| answer.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(shown);
        let code = match (code, inner) {
            ("", _) => format!("HTTP {status}"),
            (code, "") => code.to_owned(),
            (code, inner) => format!("{code}/{inner}"),
        };
        Upstream {
            system: self.service.system(),
            code,
            trace_id: header("x-ms-request-id").or_else(|| header("request-id")),
            correlation_id: Some(correlation),
            timestamp: header("date"),
        }
    }
}

/// The message in a body, which is one JSON object. Without looking, `[]` would pass for an object without members.
pub(super) fn object_in<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let begins_as_object = body.trim_ascii_start().first() == Some(&b'{');
    begins_as_object.then(|| serde_json::from_slice(body).ok()).flatten()
}

/// AKV10022 is a wrong audience, AKV10032 a wrong issuer. Source: contract section 2.
fn speaks_of_audience_or_issuer(text: &str) -> bool {
    text.contains("AKV10022") || text.contains("AKV10032")
}

/// The address that a firewall saw. Source: contract section 5, ForbiddenByFirewall.
fn client_address(text: &str) -> Option<IpAddr> {
    let (_, rest) = text.split_once("Client address:")?;
    rest.split_whitespace().next()?.parse().ok()
}
