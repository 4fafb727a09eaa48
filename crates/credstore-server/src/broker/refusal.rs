//! Why a request is refused, and how that is written: the table from decisions to status, code and words.
//!
//! What stands in an answer may be read by whoever can reach the socket, so nothing of the request is repeated in it but an
//! identifier that was well formed.

use credstore::codes::{Exit, broker as codes};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::Identifier;
use credstore_protocol::broker::{ErrorAnswer, Problem};
use http::{HeaderValue, Response, StatusCode};

use crate::body::Content;
use crate::outcome::{allow, json_answer, unstored};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is nothing at this path.
    NoSuchPath,
    /// The path takes other methods.
    Method(Vec<&'static str>),
    /// It was forwarded by somebody.
    Forwarded,
    /// It names another host, none, or several.
    ForeignHost,
    /// Its body is no JSON by its own word.
    NotJson,
    /// Query or body are not what the operation takes; the words repeat nothing of them.
    Malformed(String),
    /// The body could not be read; with the status that says why.
    Body(StatusCode),
    /// The rights do not give it.
    NotAllowed(Identifier),
    /// Only the broker's user and root may.
    OwnerOnly,
    /// The audit line is not written.
    NotAudited,
    /// It took longer than a request may.
    Late,
    /// What the store, the connection string or the new settings say.
    Diagnosed(Box<Diagnosis>),
}

impl From<Diagnosis> for Refusal {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::Diagnosed(Box::new(diagnosis))
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forwarded | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(status) => *status,
            Self::NotAllowed(_) | Self::OwnerOnly => StatusCode::FORBIDDEN,
            Self::NotAudited | Self::Late => StatusCode::SERVICE_UNAVAILABLE,
            Self::Diagnosed(diagnosis) => status(diagnosis.code.exit),
        }
    }

    /// As people and scripts get to see it.
    pub(crate) fn diagnosis(self) -> Diagnosis {
        let request = |message: &str| Diagnosis::error(&codes::BROKER_REQUEST, message);
        match self {
            Self::NoSuchPath => request("the broker has nothing at this path").fix("the paths are in docs/broker.md"),
            Self::Method(methods) => {
                request("this path takes another method").cause(format!("it takes {}", methods.join(", ")))
            }
            Self::Forwarded => request("a forwarded request is refused")
                .cause("it has a header of a proxy: Forwarded, Via or X-Forwarded-*")
                .fix("ask on the socket itself"),
            Self::ForeignHost => {
                request("the request names another host").cause("its header Host is not localhost, once")
            }
            Self::NotJson => request("the body is not declared as JSON").fix("send Content-Type: application/json"),
            Self::Malformed(why) => request("the request is not what this path takes").cause(why),
            Self::Body(status) => request("the body of the request cannot be taken")
                .cause(status.canonical_reason().unwrap_or_default().to_ascii_lowercase()),
            Self::NotAllowed(identifier) => {
                Diagnosis::error(&codes::NOT_ALLOWED, format!("the broker does not give {identifier} to this process"))
                    .fix("ask who administers the broker for a rule in its rights")
            }
            Self::OwnerOnly => Diagnosis::error(&codes::OWNER_ONLY, "this is for the broker's own user and root")
                .fix("run the command as that user"),
            Self::NotAudited => Diagnosis::error(&codes::NOT_AUDITED, "the audit line of this read cannot be written")
                .cause("a read that leaves no line is refused; the broker's log says more")
                .retryable(),
            Self::Late => Diagnosis::error(&codes::BROKER_AWAY, "the broker has no answer in time").retryable(),
            Self::Diagnosed(diagnosis) => *diagnosis,
        }
    }

    /// The answer on the wire.
    pub(crate) fn answer(self) -> Response<Content> {
        let status = self.status();
        let methods = if let Self::Method(methods) = &self { Some(allow(methods)) } else { None };
        let problem = problem(&self.diagnosis());
        let wait = problem.retry_after_seconds;
        let mut response = unstored(json_answer(status, &ErrorAnswer { error: problem }));
        response.headers_mut().extend(methods);
        if let Some(seconds) = wait {
            response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The status of what went wrong behind the broker. 403 is left to the broker's own rights.
fn status(exit: Exit) -> StatusCode {
    match exit {
        Exit::NotFound => StatusCode::NOT_FOUND,
        Exit::NotUsable | Exit::Conflict => StatusCode::CONFLICT,
        Exit::Usage | Exit::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Exit::SignIn | Exit::Permission => StatusCode::BAD_GATEWAY,
        Exit::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        Exit::Unexpected | Exit::Findings | Exit::Declined | Exit::Integrity => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The same for the wire. The place stays here: it is a path of the broker.
pub(crate) fn problem(diagnosis: &Diagnosis) -> Problem {
    let upstream = diagnosis.upstream.as_ref();
    let traced = upstream.and_then(|upstream| upstream.trace_id.as_deref()).map(|trace| format!("trace {trace}"));
    let cause = match (diagnosis.cause.clone(), traced) {
        (Some(cause), Some(trace)) => Some(format!("{cause}; {trace}")),
        (cause, trace) => cause.or(trace),
    };
    Problem {
        code: diagnosis.code.id.to_owned(),
        message: diagnosis.message.clone(),
        cause,
        fix: diagnosis.fix.clone(),
        retryable: diagnosis.retryable,
        retry_after_seconds: diagnosis.retry_after.map(|wait| wait.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use credstore::codes::{identifiers, vault};
    use credstore::diagnosis::Upstream;

    use super::*;

    #[test]
    fn what_the_store_says_arrives_with_code_trace_and_time_to_wait() {
        let upstream = Upstream { system: "vault", trace_id: Some("1f0c".to_owned()), ..Upstream::default() };
        let said = Diagnosis::error(&vault::TIMED_OUT, "no answer").cause("why").upstream(upstream).retryable();
        let said = Diagnosis { retry_after: Some(Duration::from_secs(7)), ..said };
        let answer = Refusal::from(said).answer();
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &HeaderValue::from(7)));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let error: ErrorAnswer = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(error.error.code, vault::TIMED_OUT.id);
        assert_eq!(error.error.cause.unwrap(), "why; trace 1f0c");
        assert_eq!((error.error.retryable, error.error.retry_after_seconds), (true, Some(7)));
    }

    #[test]
    fn each_refusal_has_its_status_and_its_code() {
        let unknown = Diagnosis::error(&identifiers::IDENTIFIER_UNKNOWN, "m");
        let invalid = Diagnosis::error(&identifiers::NOT_A_SECRET_NAME, "m");
        for (refusal, status, code) in [
            (Refusal::NoSuchPath, 404, "CS5007"),
            (Refusal::Method(vec!["GET"]), 405, "CS5007"),
            (Refusal::Forwarded, 400, "CS5007"),
            (Refusal::ForeignHost, 421, "CS5007"),
            (Refusal::NotJson, 415, "CS5007"),
            (Refusal::Malformed("m".to_owned()), 400, "CS5007"),
            (Refusal::Body(StatusCode::PAYLOAD_TOO_LARGE), 413, "CS5007"),
            (Refusal::NotAllowed("Db".parse().unwrap()), 403, "CS5004"),
            (Refusal::OwnerOnly, 403, "CS5009"),
            (Refusal::NotAudited, 503, "CS5006"),
            (Refusal::Late, 503, "CS5001"),
            (Refusal::from(unknown), 404, "CS2004"),
            (Refusal::from(invalid), 422, "CS2001"),
        ] {
            let answer = refusal.answer();
            let error: ErrorAnswer = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!((answer.status().as_u16(), error.error.code.as_str()), (status, code));
        }
        assert_eq!(Refusal::Method(vec!["GET", "POST"]).answer().headers()["allow"], "GET, POST");
    }
}
