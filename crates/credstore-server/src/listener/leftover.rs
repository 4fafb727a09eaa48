//! The part of a request's body that nobody read, taken in before the answer goes out.
//!
//! Many requests are answered by their head: without a token, without the permission, on a path that is none. A connection
//! that closes while the client still sends its body resets it, and the client sees no answer at all (RFC 9112 section 9.6).
//! So a little is read and thrown away first. Only a little: whoever sends more has no claim to a connection that stays.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::limits::{LEFTOVER_MAX, LEFTOVER_TIME};

type Slot<B> = Arc<Mutex<Option<B>>>;

/// A body on loan to whoever answers; it comes back as far as it was not read.
pub(crate) struct Lent<B: Body + Unpin> {
    body: Option<B>,
    slot: Option<Slot<B>>,
}

/// Where it comes back to; nowhere when there is no body.
pub(crate) struct Leftover<B>(Option<Slot<B>>);

pub(crate) fn lend<B: Body + Unpin>(body: B) -> (Lent<B>, Leftover<B>) {
    let slot = (!body.is_end_stream()).then(Slot::default);
    (Lent { body: Some(body), slot: slot.clone() }, Leftover(slot))
}

impl<B: Body<Data = Bytes> + Unpin> Body for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, B::size_hint)
    }
}

impl<B: Body + Unpin> Drop for Lent<B> {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Leftover<B> {
    /// Reads what is left, up to the limits, and forgets it.
    pub(crate) async fn take_in(self) {
        let body = self.0.and_then(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(mut body) = body.filter(|body| !body.is_end_stream()) else { return };
        let reading = async {
            let mut taken = 0;
            while let Some(Ok(frame)) = body.frame().await {
                taken += frame.data_ref().map_or(0, Bytes::len);
                if taken > LEFTOVER_MAX {
                    return;
                }
            }
        };
        // When the time is over, the answer goes out as it is.
        let _ = tokio::time::timeout(LEFTOVER_TIME, reading).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A body of so many chunks of a kibibyte, which counts those that were read.
    struct Chunks(usize, Arc<AtomicUsize>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = left;
            self.1.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1024])))))
        }
    }

    fn chunks(count: usize) -> (Chunks, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        (Chunks(count, Arc::clone(&read)), read)
    }

    #[tokio::test]
    async fn what_was_not_read_is_taken_in_up_to_the_limit() {
        for (count, expected) in
            [(0, 0), (3, 3), (LEFTOVER_MAX / 1024, LEFTOVER_MAX / 1024), (5000, LEFTOVER_MAX / 1024 + 1)]
        {
            let (body, read) = chunks(count);
            let (lent, leftover) = lend(body);
            drop(lent);
            leftover.take_in().await;
            assert_eq!(read.load(Ordering::Relaxed), expected, "{count}");
        }
    }

    #[tokio::test]
    async fn what_was_read_is_not_read_again() {
        let (body, read) = chunks(3);
        let (mut lent, leftover) = lend(body);
        lent.frame().await.unwrap().unwrap();
        drop(lent);
        leftover.take_in().await;
        assert_eq!(read.load(Ordering::Relaxed), 3);
    }
}
