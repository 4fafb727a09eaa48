//! The whole service without a socket: a request goes in, an answer comes out.
//!
//! The order is fixed: limits of the head, host name, then the surface, which checks the token before anything
//! else. A panic ends the request, not the process. One line is logged for each request, with the pattern of its
//! route; nothing a client wrote is in it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use credstore_protocol::{Clock, Timestamp};
use credstore_vault::{Caller, Installation};
use http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::body::{self, Content};
use crate::faults::{self, BadFaultPlan, End, FaultPlan, Faults, Harm};
use crate::limits::{
    CLIENT_REQUEST_ID_MAX, HEADER_BYTES_MAX, HEADERS_MAX, Limits, RESTORES_AT_ONCE, SIGN_INS_AT_ONCE, TARGET_MAX,
    WRITES_AT_ONCE,
};
use crate::names::{Audience, Names};
use crate::outcome::{Outcome, empty_answer};
use crate::site::{Place, Site};
use crate::tokens::{Tokens, Unauthenticated};
use crate::{arm, data_plane, directory, graph};

/// The whole service: data plane, directory, ARM and Graph of one installation. Cheap to clone.
///
/// Most writes run on the runtime's blocking threads, so every call needs a Tokio runtime around it.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    installation: Arc<Installation>,
    clock: Arc<dyn Clock>,
    site: Site,
    names: Names,
    tokens: Tokens,
    sign_ins: Semaphore,
    writes: Semaphore,
    restores: Semaphore,
    faults: Faults,
}

/// A request's body and how long it may take to arrive.
pub(crate) struct Incoming<B> {
    body: B,
    limit: Duration,
}

impl<B: Body<Data = Bytes>> Incoming<B> {
    /// Reads it whole, up to `max` bytes.
    pub(crate) async fn read(self, headers: &HeaderMap, max: usize) -> Result<Content, StatusCode> {
        body::read(headers, self.body, max, self.limit).await
    }
}

/// The work was lost to a panic. The peer learns nothing more.
#[derive(Debug)]
pub(crate) struct Lost;

impl App {
    /// The service of `installation` under the names of `site`.
    pub fn new(installation: Arc<Installation>, site: Site, clock: Arc<dyn Clock>) -> App {
        let names = Names::new(&site, installation.tenant());
        App(Arc::new(Shared {
            names,
            installation,
            clock,
            site,
            tokens: Tokens::new(),
            sign_ins: Semaphore::new(SIGN_INS_AT_ONCE),
            writes: Semaphore::new(WRITES_AT_ONCE),
            restores: Semaphore::new(RESTORES_AT_ONCE),
            faults: Faults::default(),
        }))
    }

    /// Answers one request. It never fails: what goes wrong is an answer.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
    {
        sendable(self.outcome(request, Limits::default().body).await.response)
    }

    /// The installation behind it.
    pub fn installation(&self) -> &Installation {
        &self.0.installation
    }

    /// The names it answers to.
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.names
    }

    /// Lets the operator inject faults: for a server that is there to test clients, never for one that people rely on.
    pub fn allow_faults(&self) {
        self.0.faults.allow();
    }

    /// Replaces the fault plan, as the operator may over the wire once faults are allowed.
    ///
    /// # Errors
    /// [`BadFaultPlan`]; the plan before it stays.
    pub fn inject(&self, plan: FaultPlan) -> Result<(), BadFaultPlan> {
        self.0.faults.replace(plan)
    }

    /// The fault plan, with how many requests each rule was asked about.
    pub fn fault_plan(&self) -> FaultPlan {
        self.0.faults.plan()
    }

    /// The time that everything about requests goes by.
    pub(crate) fn now(&self) -> Timestamp {
        let real = self.real_now();
        Timestamp(real.0.saturating_add(self.0.faults.clock_offset()))
    }

    /// The time without any injected offset: the certificate of the listener is for clients whose clocks are right.
    pub(crate) fn real_now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub(crate) fn sign_ins(&self) -> &Semaphore {
        &self.0.sign_ins
    }

    pub(crate) fn restores(&self) -> &Semaphore {
        &self.0.restores
    }

    /// The caller whose token for `audience` the request carries.
    pub(crate) fn caller(&self, audience: Audience, headers: &HeaderMap) -> Result<Caller, Unauthenticated> {
        self.caller_at(audience, headers, self.now())
    }

    fn caller_at(&self, audience: Audience, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Unauthenticated> {
        self.0.tokens.caller(self.0.installation.directory(), &self.0.names, audience, headers, now)
    }

    /// The caller for the fault plan: whoever set the clock off can set it back with the same token.
    pub(crate) fn caller_of_faults(&self, audience: Audience, headers: &HeaderMap) -> Result<Caller, Unauthenticated> {
        self.caller(audience, headers).or_else(|_| self.caller_at(audience, headers, self.real_now()))
    }

    /// A turn among the writes at once; its end is the end of the write.
    pub(crate) async fn turn_to_write(&self) -> Result<SemaphorePermit<'_>, Lost> {
        self.0.writes.acquire().await.map_err(|_| Lost)
    }

    /// Runs work that waits for the disk, or keeps a core busy, where it holds up nobody else.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Installation) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let _turn = self.turn_to_write().await?;
        let installation = Arc::clone(&self.0.installation);
        tokio::task::spawn_blocking(move || work(&installation)).await.map_err(|_| Lost)
    }

    /// Answers one request whose body may take `body_limit` to arrive.
    pub(crate) async fn outcome<B>(&self, request: Request<B>, body_limit: Duration) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let started = Instant::now();
        let request_id = request_id();
        let (parts, body) = request.into_parts();
        let work = pin!(self.routed(&parts, Incoming { body, limit: body_limit }));
        let mut outcome = Unwinding(work).await.unwrap_or_else(|Lost| {
            tracing::error!(%request_id, "a request ended in a panic");
            Outcome::new(empty_answer(StatusCode::INTERNAL_SERVER_ERROR), "panic", false)
        });
        finish(&parts, &mut outcome.response, request_id);
        tracing::debug!(
            method = known_method(&parts),
            route = outcome.route,
            status = outcome.response.status().as_u16(),
            micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            %request_id,
            "request"
        );
        outcome
    }

    async fn routed<B>(&self, parts: &Parts, body: Incoming<B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let place = match head_fits(parts).and_then(|()| self.0.site.place_of(parts)) {
            Err(status) => return Outcome::new(empty_answer(status), "refused", false),
            Ok(place) => place,
        };
        let Harm { delay, end } = self.0.faults.harm(&place, parts);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match end {
            None => {}
            Some(End::Drop) => return Outcome::dropped(),
            Some(End::Status(status, after)) => return Outcome::new(faults::failed(status, after), "fault", false),
            Some(End::ExpiredToken) => return Outcome::new(data_plane::expired(self), "fault", false),
        }
        match place {
            Place::Vault(vault) => data_plane::answer(self, vault, parts, body).await,
            Place::Login => directory::answer(self, parts, body).await,
            Place::Management => arm::answer(self, parts, body).await,
            Place::Graph => graph::answer(self, parts, body).await,
        }
    }
}

/// The service as a function, for callers in the same process: same host check, same routes, no socket.
#[derive(Clone)]
pub struct InProcess(pub App);

impl InProcess {
    /// Answers a request whose URI is absolute and https, as if it had come over the wire.
    pub async fn answer(&self, request: Request<Zeroizing<Vec<u8>>>) -> Response<Zeroizing<Vec<u8>>> {
        let (mut parts, body) = request.into_parts();
        if let (None, Some(authority)) = (parts.headers.get(http::header::HOST), parts.uri.authority())
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            parts.headers.insert(http::header::HOST, host);
        }
        let request = Request::from_parts(parts, Full::new(Bytes::from_owner(body)));
        self.0.outcome(request, Limits::default().body).await.response
    }
}

/// The answer with a body that hyper can send. The bytes are wiped when the last reference to them goes.
pub(crate) fn sendable(response: Response<Content>) -> Response<Full<Bytes>> {
    response.map(|content| Full::new(if content.is_empty() { Bytes::new() } else { Bytes::from_owner(content) }))
}

fn head_fits(parts: &Parts) -> Result<(), StatusCode> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if target > TARGET_MAX {
        return Err(StatusCode::URI_TOO_LONG);
    }
    if bytes > HEADER_BYTES_MAX || parts.headers.len() > HEADERS_MAX {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    Ok(())
}

fn finish(parts: &Parts, response: &mut Response<Content>, request_id: uuid::Uuid) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
    const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
    const RETURN_IT: HeaderName = HeaderName::from_static("x-ms-return-client-request-id");
    let headers = response.headers_mut();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    if let Ok(id) = HeaderValue::from_str(request_id.hyphenated().encode_lower(&mut text)) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000;includeSubDomains"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let wanted = parts.headers.get(RETURN_IT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    if let Some(id) = parts.headers.get(CLIENT_REQUEST_ID).filter(|id| wanted && id.len() <= CLIENT_REQUEST_ID_MAX) {
        headers.insert(CLIENT_REQUEST_ID, id.clone());
    }
}

/// Random, from the process's own generator: a system call for each request would cost more than the rest of the head.
fn request_id() -> uuid::Uuid {
    let mut bytes = [0; 16];
    // An id of zeros is still an id; requests are not refused for it.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The method as one of our own words: a client may write any text there, and the log is no place for it.
fn known_method(parts: &Parts) -> &'static str {
    ["GET", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| parts.method == *known)
        .unwrap_or("other")
}

/// A future whose panics are its result.
struct Unwinding<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for Unwinding<'_, F> {
    type Output = Result<F::Output, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // After a panic the future is dropped and never polled again; what it shares is behind locks that
        // do not poison, or in the vault, whose own writes are all or nothing.
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Lost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_result_of_its_future() {
        let work = pin!(async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        });
        let result: Result<(), Lost> = Unwinding(work).await;
        assert!(result.is_err());
    }

    #[test]
    fn the_head_has_limits() {
        let parts = |target: usize, headers: usize, bytes: usize| {
            let mut request = Request::builder().uri(format!("/{}", "a".repeat(target - 1)));
            for n in 0..headers {
                request = request.header(format!("h{n:03}"), "");
            }
            let rest = bytes - 4 * headers - 1;
            request.header("x", "v".repeat(rest)).body(()).unwrap().into_parts().0
        };
        assert_eq!(head_fits(&parts(TARGET_MAX, 99, HEADER_BYTES_MAX)), Ok(()));
        assert_eq!(head_fits(&parts(TARGET_MAX + 1, 1, 99)), Err(StatusCode::URI_TOO_LONG));
        let too_large = Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(head_fits(&parts(10, 100, 4096)), too_large);
        assert_eq!(head_fits(&parts(10, 1, HEADER_BYTES_MAX + 1)), too_large);
    }
}
