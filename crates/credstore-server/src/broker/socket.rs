//! The broker on its socket: places, deadlines, and the end without a lost answer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{UnixListener, UnixStream};

use super::limits::{CONNECTIONS_OF_OWNER, HEAD_MAX, HEADERS_MAX};
use super::refusal::Refusal;
use super::{Broker, BrokerLimits, Consumer};
use crate::app::sendable;
use crate::limits::{ACCEPT_PAUSE, Limits};
use crate::listener::leftover;
use crate::listener::paced::{Pace, Paced};

/// Answers on `listener` until `end` completes or a request asks to stop. Requests under way have `limits.drain` to finish.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve_broker(
    broker: Broker,
    listener: std::os::unix::net::UnixListener,
    limits: BrokerLimits,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let limits = Arc::new(limits);
    let (places, graceful) = (Places::default(), GracefulShutdown::new());
    let mut tasks = tokio::task::JoinSet::new();
    let stopped = broker.clone();
    let mut end = pin!(async move {
        tokio::select! {
            () = end => {}
            () = stopped.told_to_stop() => {}
        }
    });
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Who connected and is gone again needs no answer.
                    let Ok(consumer) = Consumer::of(&stream) else { continue };
                    let Some(place) = places.take(&consumer, broker.is_owner(&consumer), &limits) else {
                        broker.0.reads.turned_away.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(uid = consumer.uid, "every place is taken; a connection is closed");
                        continue;
                    };
                    let (broker, limits, watcher) = (broker.clone(), Arc::clone(&limits), graceful.watcher());
                    tasks.spawn(async move {
                        connection(broker, limits, stream, consumer, watcher).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tasks.abort_all();
    }
    Ok(())
}

async fn connection(
    broker: Broker,
    limits: Arc<BrokerLimits>,
    stream: UnixStream,
    consumer: Consumer,
    watcher: Watcher,
) {
    let pace = Arc::new(Pace::new(false));
    let phases = Limits { head: limits.head, idle: limits.idle, write: limits.write, ..Limits::default() };
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace), &phases));
    let consumer = Arc::new(consumer);
    let answer = service_fn(move |request| {
        let (broker, limits, pace) = (broker.clone(), Arc::clone(&limits), Arc::clone(&pace));
        let consumer = Arc::clone(&consumer);
        async move { Ok::<_, Infallible>(one(&broker, &limits, &pace, &consumer, request).await) }
    });
    let mut http = http1::Builder::new();
    // The deadlines are in `Paced`, which every byte passes.
    http.header_read_timeout(None).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    // What ends a connection is the peer's business.
    let _ = watcher.watch(http.serve_connection(io, answer)).await;
}

async fn one(
    broker: &Broker,
    limits: &BrokerLimits,
    pace: &Arc<Pace>,
    consumer: &Consumer,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let _busy = pace.begin();
    let (parts, body) = request.into_parts();
    let (body, leftover) = leftover::lend(body);
    let answer = broker.answer(consumer, Request::from_parts(parts, body), limits.body);
    let response = match tokio::time::timeout(limits.request, answer).await {
        Ok(response) => response,
        Err(_) => Refusal::Late.answer(),
    };
    leftover.take_in().await;
    sendable(response)
}

/// How many connections there are, and of whom.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<HashMap<u32, usize>>>);

struct Place {
    places: Places,
    uid: u32,
}

impl Places {
    /// A place for the consumer, when there is one for somebody like it.
    fn take(&self, consumer: &Consumer, is_owner: bool, limits: &BrokerLimits) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&consumer.uid).copied().unwrap_or_default();
        let free = match is_owner {
            true => all < limits.connections,
            false => all + CONNECTIONS_OF_OWNER < limits.connections && own < limits.connections_of_user,
        };
        if !free {
            return None;
        }
        taken.insert(consumer.uid, own + 1);
        Some(Place { places: self.clone(), uid: consumer.uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get(&self.uid).copied() {
            Some(count) if count > 1 => taken.insert(self.uid, count - 1),
            Some(_) | None => taken.remove(&self.uid),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::limits::{CONNECTIONS_MAX, CONNECTIONS_OF_USER_MAX};

    fn user(uid: u32) -> Consumer {
        Consumer { uid, gid: uid, groups: Vec::new(), pid: None, executable: None }
    }

    #[test]
    fn one_user_cannot_take_the_places_of_others_nor_all_users_those_of_the_owner() {
        let (places, limits) = (Places::default(), BrokerLimits::default());
        let take = |uid, is_owner| places.take(&user(uid), is_owner, &limits);
        let mut held: Vec<Place> = (0..CONNECTIONS_OF_USER_MAX).map(|_| take(1, false).unwrap()).collect();
        assert!(take(1, false).is_none());
        let others = CONNECTIONS_MAX - CONNECTIONS_OF_OWNER - CONNECTIONS_OF_USER_MAX;
        held.extend((0..others).map(|_| take(2, false).unwrap()));
        assert!(take(3, false).is_none());
        held.extend((0..CONNECTIONS_OF_OWNER).map(|_| take(0, true).unwrap()));
        assert!(take(0, true).is_none());
        held.clear();
        assert!(places.0.lock().unwrap().is_empty());
        assert!(take(1, false).is_some());
    }
}
