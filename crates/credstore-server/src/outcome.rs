//! Answers as the surfaces make them, before they are put on a wire.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::body::Content;
use crate::json;

/// An answer and what the log and the listener should know of its request.
pub(crate) struct Outcome {
    pub(crate) response: Response<Content>,
    /// Pattern of the route, never the path.
    pub(crate) route: &'static str,
    /// Whether the peer has shown a valid token or assertion: its connection keeps its place.
    pub(crate) proven: bool,
    /// Whether the connection ends instead of an answer.
    pub(crate) dropped: bool,
}

impl Outcome {
    pub(crate) fn new(response: Response<Content>, route: &'static str, proven: bool) -> Self {
        Self { response, route, proven, dropped: false }
    }

    /// No answer at all. In the same process, where there is no connection to end, it is an empty one.
    pub(crate) fn dropped() -> Self {
        Self { dropped: true, ..Self::new(empty_answer(StatusCode::SERVICE_UNAVAILABLE), "fault", false) }
    }
}

/// An answer with a JSON body and the headers that all surfaces share.
pub(crate) fn json_answer<T: Serialize>(status: StatusCode, body: &T) -> Response<Content> {
    let mut response = Response::new(json::write(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    uncached(headers, "no-cache");
    response
}

/// An answer without a body.
pub(crate) fn empty_answer(status: StatusCode) -> Response<Content> {
    let mut response = Response::new(Content::default());
    *response.status_mut() = status;
    uncached(response.headers_mut(), "no-cache");
    response
}

fn uncached(headers: &mut http::HeaderMap, control: &'static str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(control));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// As RFC 6749 section 5.1 wants it for tokens.
pub(crate) fn unstored(mut response: Response<Content>) -> Response<Content> {
    uncached(response.headers_mut(), "no-store");
    response
}

/// `Allow` of a 405.
pub(crate) fn allow(methods: &[&str]) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::try_from(methods.join(", ")).unwrap_or(HeaderValue::from_static(""));
    (http::header::ALLOW, value)
}
