//! A connection that must keep going: each phase of it has a deadline.
//!
//! hyper's own header timeout also runs while a kept-alive connection is idle, so one figure would have to serve
//! two purposes. Here the phases are told apart: waiting for the first head, reading a head, answering, idle.
//! HTTP/2 frames are not heads: there, only the first request has a deadline of its own, then silence counts.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::limits::Limits;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No request has come yet, since then.
    Opening(Instant),
    /// A head has begun, then.
    Head(Instant),
    /// This many requests are being answered.
    Busy(usize),
    /// Nothing is asked, since then.
    Idle(Instant),
}

/// Where a connection is, shared by its bytes and its requests.
pub(crate) struct Pace {
    phase: Mutex<Phase>,
    http2: bool,
}

impl Pace {
    pub(crate) fn new(http2: bool) -> Self {
        Self { phase: Mutex::new(Phase::Opening(Instant::now())), http2 }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole head is here. The request lasts until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        let mut phase = self.phase();
        *phase = match *phase {
            Phase::Busy(count) => Phase::Busy(count + 1),
            _ => Phase::Busy(1),
        };
        Busy(Arc::clone(self))
    }

    fn bytes_came(&self) {
        let mut phase = self.phase();
        match *phase {
            Phase::Idle(_) if self.http2 => *phase = Phase::Idle(Instant::now()),
            Phase::Idle(_) => *phase = Phase::Head(Instant::now()),
            Phase::Opening(_) | Phase::Head(_) | Phase::Busy(_) => {}
        }
    }

    fn deadline(&self, head: Duration, idle: Duration) -> Option<Instant> {
        match *self.phase() {
            Phase::Opening(since) | Phase::Head(since) => Some(since + head),
            Phase::Idle(since) => Some(since + idle),
            Phase::Busy(_) => None,
        }
    }
}

/// A request that is being answered.
pub(crate) struct Busy(Arc<Pace>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut phase = self.0.phase();
        *phase = match *phase {
            Phase::Busy(count) if count > 1 => Phase::Busy(count - 1),
            _ => Phase::Idle(Instant::now()),
        };
    }
}

/// A stream whose reads and writes fail when their phase has taken too long.
pub(crate) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    head: Duration,
    idle: Duration,
    write: Duration,
    /// Set for the deadline or earlier; looked at again when it goes off, so a request need not reset it.
    read_alarm: Option<Pin<Box<Sleep>>>,
    write_alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, pace: Arc<Pace>, limits: &Limits) -> Self {
        let (head, idle, write) = (limits.head, limits.idle, limits.write);
        Self { stream, pace, head, idle, write, read_alarm: None, write_alarm: None }
    }

    fn read_is_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(deadline) = self.pace.deadline(self.head, self.idle) else {
                return Poll::Pending;
            };
            match &mut self.read_alarm {
                None => self.read_alarm = Some(Box::pin(tokio::time::sleep_until(deadline))),
                Some(alarm) if alarm.deadline() > deadline => alarm.as_mut().reset(deadline),
                Some(_) => {}
            }
            if let Some(alarm) = &mut self.read_alarm {
                ready!(alarm.as_mut().poll(context));
            }
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.read_alarm = None;
        }
    }

    fn written<T>(&mut self, result: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_alarm = None;
            return result;
        }
        let write = self.write;
        let alarm = self.write_alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(write)));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.bytes_came();
        }
        if result.is_pending() {
            ready!(self.read_is_late(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(result, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.written(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.written(result, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(result, context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn limits() -> Limits {
        Limits {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            ..Limits::default()
        }
    }

    async fn seconds_until_late(stream: &mut Paced<tokio::io::DuplexStream>) -> u64 {
        let start = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_has_the_time_of_a_head() {
        let (near, _far) = tokio::io::duplex(64);
        let mut stream = Paced::new(near, Arc::new(Pace::new(false)), &limits());
        assert_eq!(seconds_until_late(&mut stream).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn dripping_bytes_win_no_time() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Paced::new(near, Arc::new(Pace::new(false)), &limits());
        let start = Instant::now();
        let drip = tokio::spawn(async move {
            while far.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        while stream.read_u8().await.is_ok() {}
        assert_eq!(start.elapsed().as_secs(), 10);
        drop(stream);
        drip.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_has_longer_until_a_head_begins() {
        let (near, mut far) = tokio::io::duplex(64);
        let pace = Arc::new(Pace::new(false));
        let mut stream = Paced::new(near, Arc::clone(&pace), &limits());
        drop(pace.begin());
        assert_eq!(seconds_until_late(&mut stream).await, 60);
        drop(pace.begin());
        far.write_u8(b'G').await.unwrap();
        stream.read_u8().await.unwrap();
        assert_eq!(seconds_until_late(&mut stream).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (near, _far) = tokio::io::duplex(64);
        let mut stream = Paced::new(near, Arc::new(Pace::new(false)), &limits());
        let start = Instant::now();
        let error = stream.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }
}
