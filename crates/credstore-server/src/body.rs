//! Request bodies, read whole, within a size and a time, into memory that is wiped.

use std::pin::pin;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use zeroize::Zeroizing;

use crate::json::append;

/// A body that was read whole.
pub(crate) type Content = Zeroizing<Vec<u8>>;

/// Reads a body of at most `max` bytes within `limit`.
///
/// # Errors
/// 413 when it is larger, before it is read when it says so itself; 408 when it takes too long; 400 when it breaks off.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B, max: usize, limit: Duration) -> Result<Content, StatusCode>
where
    B: Body<Data = Bytes>,
{
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > max) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let whole = async {
        let mut body = pin!(body);
        // A length is a claim until the bytes are here: no more than a little is set aside for it.
        let mut content = Zeroizing::new(Vec::with_capacity(length.unwrap_or(0).min(crate::limits::BODY_SET_ASIDE)));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
            let Ok(chunk) = frame.into_data() else { continue };
            if content.len() + chunk.len() > max {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            append(&mut content, &chunk);
        }
        Ok(content)
    };
    tokio::time::timeout(limit, whole).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}
