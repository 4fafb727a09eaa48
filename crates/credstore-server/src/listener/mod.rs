//! The listener: accept, TLS, HTTP/1.1 and HTTP/2, deadlines, places, and the work that goes on by itself.
//!
//! An accept loop of our own, because axum's has no deadlines (reliability goal A5, measured): each connection has
//! a time for its handshake, its first head, each body, each pause and each unread answer. Places are given before
//! authentication; the module `places` says whom a full house turns out.

pub(crate) mod leftover;
pub(crate) mod paced;
mod places;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use http::header::EXPECT;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::app::{App, sendable};
use crate::limits::{ACCEPT_PAUSE, HEAD_BUFFER, HEADER_BYTES_MAX, HEADERS_MAX, Limits};

use paced::{Pace, Paced};
use places::{Place, Places};
use tls::Certificate;

pub use tls::Tls;

/// Where a listener listens.
#[derive(Debug)]
pub enum Listen {
    /// Address and port, taken when the serving begins.
    At(SocketAddr),
    /// A port that is taken already. Whoever lets the system choose one needs it before, since the names contain it.
    On(std::net::TcpListener),
}

impl Listen {
    /// Takes the port, unless that was done before.
    async fn bound(self) -> Result<(TcpListener, SocketAddr), ServeError> {
        let listener = match self {
            Self::At(address) => {
                TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })?
            }
            Self::On(listener) => {
                let own = |listener: std::net::TcpListener| {
                    listener.set_nonblocking(true)?;
                    TcpListener::from_std(listener)
                };
                own(listener).map_err(ServeError::Listener)?
            }
        };
        let address = listener.local_addr().map_err(ServeError::Listener)?;
        Ok((listener, address))
    }
}

/// How a listener is set up.
#[derive(Debug)]
pub struct ServeOptions {
    /// Where.
    pub listen: Listen,
    /// What each connection may take.
    pub limits: Limits,
    /// Where its certificate comes from.
    pub tls: Tls,
}

/// Why the listener does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The port that was taken before is of no use.
    #[error("the listener cannot be used")]
    Listener(#[source] io::Error),
    /// The given certificate and key cannot be used.
    #[error("the TLS certificate and key cannot be used: {reason}")]
    Certificate {
        /// Why; it holds no key.
        reason: String,
    },
    /// The local CA did not issue a certificate.
    #[error("the local CA did not issue a certificate")]
    Authority(#[source] credstore_vault::AuthorityError),
}

/// Serves `app` until `shutdown` completes. `ready` is told the address once requests are answered.
///
/// After `shutdown` no connection is accepted; requests that are under way have `limits.drain` to finish. Every
/// last-read time that was collected is written before this returns.
///
/// # Errors
/// See [`ServeError`]; all of them before `ready` is called.
pub async fn serve(
    app: App,
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ServeOptions { listen, limits, tls } = options;
    let certificate = Arc::new(Certificate::new(&app, tls)?);
    let acceptor = TlsAcceptor::from(tls::configuration(Arc::clone(&certificate))?);
    let (listener, address) = listen.bound().await?;
    ready(address);
    let (stopping, stop) = watch::channel(false);
    let service = Arc::new(Service { http: builders(&limits), app, acceptor, limits, stop });
    let places = Places::new(service.limits.connections);
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    let mut upkeep = tokio::time::interval(service.limits.upkeep);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = upkeep.tick() => keep_up(&service.app, &certificate),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => admit(&service, &places, &graceful, stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    places.turn_out_oldest();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // Handshakes are nobody's request: they end at once, so that only what was asked holds the end up.
    let _ = stopping.send(true);
    if tokio::time::timeout(service.limits.drain, graceful.shutdown()).await.is_err() {
        places.turn_out_all();
    }
    let flushed = service.app.aside(|installation| installation.flush_usage()).await;
    if flushed.is_err() {
        tracing::error!("the last-read times could not be written");
    }
    Ok(())
}

struct Service {
    app: App,
    acceptor: TlsAcceptor,
    limits: Limits,
    http: [Builder<TokioExecutor>; 2],
    /// True from the moment that the listener was told to stop.
    stop: watch::Receiver<bool>,
}

/// HTTP/1.1 and HTTP/2, with their limits. Which one a connection speaks is settled by ALPN.
fn builders(limits: &Limits) -> [Builder<TokioExecutor>; 2] {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The deadlines are in `paced`, which every byte passes; hyper's own would set a timer for each request.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BUFFER)
        .max_headers(HEADERS_MAX)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.idle / 2)
        .keep_alive_timeout(limits.head);
    [builder.clone().http1_only(), builder.http2_only()]
}

/// Work that is nobody's request. It holds no connection up: what waits for the disk runs aside.
fn keep_up(app: &App, certificate: &Arc<Certificate>) {
    certificate.renew_when_due(app);
    let app = app.clone();
    let now = app.now();
    tokio::spawn(async move {
        let work = move |installation: &credstore_vault::Installation| {
            installation.flush_usage();
            match installation.vaults().purge_expired(now) {
                Ok(0) => {}
                Ok(purged) => tracing::info!(purged, "retention has passed"),
                Err(error) => tracing::error!(%error, "what has outlived its retention could not be purged"),
            }
            match installation.vaults().rotate_due_keys(now) {
                Ok(0) => {}
                Ok(rotated) => tracing::info!(rotated, "keys were rotated by their policies"),
                Err(error) => tracing::error!(%error, "the keys that are due could not be rotated"),
            }
            match installation.vaults().renew_due_certificates(now) {
                Ok(0) => {}
                Ok(renewed) => tracing::info!(renewed, "certificates were renewed by their policies"),
                Err(error) => tracing::error!(%error, "the certificates that are due could not be renewed"),
            }
        };
        if app.aside(work).await.is_err() {
            tracing::error!("the upkeep ended in a panic");
        }
    });
}

fn admit(service: &Arc<Service>, places: &Places, graceful: &GracefulShutdown, stream: TcpStream) {
    let Some(place) = places.take() else {
        tracing::warn!("every place is held by an authenticated connection; one more is refused");
        return;
    };
    let (service, watcher, seat) = (Arc::clone(service), graceful.watcher(), place.clone());
    let task = tokio::spawn(async move { connection(service, stream, seat, watcher).await });
    place.occupy(task.abort_handle());
}

async fn connection(
    service: Arc<Service>,
    stream: TcpStream,
    place: Place,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // An answer is one small write: waiting to fill a packet only delays it.
    let _ = stream.set_nodelay(true);
    let mut stop = service.stop.clone();
    let stream = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => return,
        done = tokio::time::timeout(service.limits.tls, service.acceptor.accept(stream)) => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let pace = Arc::new(Pace::new(http2));
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace), &service.limits));
    let (answering, requests) = (Arc::clone(&service), Arc::clone(&pace));
    let answer = service_fn(move |request| one(Arc::clone(&answering), Arc::clone(&requests), place.clone(), request));
    let builder = &service.http[usize::from(http2)];
    // What ends a connection is the peer's business; the requests have had their log lines.
    let _ = watcher.watch(builder.serve_connection(io, answer).into_owned()).await;
}

/// The connection, or the stream of HTTP/2, ends without an answer, because a fault was injected.
#[derive(Debug, thiserror::Error)]
#[error("dropped by the fault plan")]
struct Dropped;

async fn one(
    service: Arc<Service>,
    pace: Arc<Pace>,
    place: Place,
    request: http::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let _busy = pace.begin();
    // Whoever waits for 100 Continue has not begun to send, and is told the answer instead.
    let waits = request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let (body, leftover) = leftover::lend(body);
    let work = service.app.outcome(http::Request::from_parts(parts, body), service.limits.body);
    let Ok(outcome) = tokio::time::timeout(service.limits.request, work).await else {
        let mut late = Response::new(Full::default());
        *late.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(late);
    };
    if outcome.dropped {
        return Err(Dropped);
    }
    if outcome.proven {
        place.keep();
    }
    if !waits {
        leftover.take_in().await;
    }
    Ok(sendable(outcome.response))
}
