//! Faults on demand, for whoever tests a client: answers that fail, answers that come late, connections that end, tokens
//! that have expired, a clock that is elsewhere.
//!
//! Off unless the process was started with them, and then the operator's alone. A plan is a list of rules; the operator
//! replaces it whole, and reads back how often each rule was asked. Nothing of it outlives the process. What the wire says
//! when nothing is injected is decided elsewhere.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use credstore_protocol::key_vault::{ErrorBody, ErrorDetail};
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::body::Content;
use crate::limits::{
    FAULT_CLOCK_OFFSET_MAX, FAULT_LATENCY_MAX, FAULT_PATH_MAX, FAULT_RETRY_AFTER_MAX, FAULT_RULES_MAX,
};
use crate::outcome::json_answer;
use crate::site::Place;

/// What goes wrong from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultPlan {
    /// Seconds that the server's clock is ahead of the real one; negative when it is behind.
    #[serde(default)]
    pub clock_offset_seconds: i64,
    /// Tried in this order. Latency is added up; the first rule of another kind decides.
    #[serde(default)]
    pub rules: Vec<FaultRule>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// On which host.
    pub host: FaultHost,
    /// With which HTTP method; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// On which path, in any case; one `*` stands for any text. Every path when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many requests pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// How many are harmed then; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What happens to them.
    pub fault: Fault,
    /// How many requests the rule was asked about. Answers only.
    #[serde(default)]
    pub asked: u64,
}

/// A host of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultHost {
    /// Every vault.
    Vault,
    /// The directory.
    Login,
    /// ARM, but not the faults themselves.
    Management,
    /// Graph.
    Graph,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// It is answered with an error and not looked at.
    Status {
        /// 400 to 599.
        status: u16,
        /// `Retry-After` in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u32>,
    },
    /// It waits, and is then treated as always.
    Latency {
        /// How long.
        milliseconds: u64,
    },
    /// Its connection ends without an answer.
    Drop,
    /// It is refused as if its token had expired; vaults only.
    ExpiredToken,
}

/// The plan cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadFaultPlan(Cow<'static, str>);

impl FaultPlan {
    fn check(&self) -> Result<(), BadFaultPlan> {
        let bad = |text: String| Err(BadFaultPlan(text.into()));
        if self.clock_offset_seconds.unsigned_abs() > FAULT_CLOCK_OFFSET_MAX.unsigned_abs() {
            return bad(format!("clockOffsetSeconds must be within {FAULT_CLOCK_OFFSET_MAX} seconds."));
        }
        if self.rules.len() > FAULT_RULES_MAX {
            return bad(format!("There must not be more than {FAULT_RULES_MAX} rules."));
        }
        for rule in &self.rules {
            if rule.path.as_ref().is_some_and(|path| path.len() > FAULT_PATH_MAX || path.matches('*').count() > 1) {
                return bad(format!("A path has at most {FAULT_PATH_MAX} bytes and one *."));
            }
            match &rule.fault {
                Fault::Status { status, .. } if !(400..=599).contains(status) => {
                    return bad("status must be from 400 to 599.".to_owned());
                }
                Fault::Status { retry_after_seconds: Some(after), .. } if *after > FAULT_RETRY_AFTER_MAX => {
                    return bad(format!("retryAfterSeconds must not exceed {FAULT_RETRY_AFTER_MAX}."));
                }
                Fault::Latency { milliseconds } if *milliseconds > FAULT_LATENCY_MAX => {
                    return bad(format!("milliseconds must not exceed {FAULT_LATENCY_MAX}."));
                }
                Fault::ExpiredToken if rule.host != FaultHost::Vault => {
                    return bad("expiredToken is for the host vault.".to_owned());
                }
                Fault::Status { .. } | Fault::Latency { .. } | Fault::Drop | Fault::ExpiredToken => {}
            }
        }
        Ok(())
    }
}

impl FaultRule {
    fn is_about(&self, host: FaultHost, parts: &Parts) -> bool {
        let method = self.method.as_deref().is_none_or(|method| parts.method.as_str().eq_ignore_ascii_case(method));
        let path = self.path.as_deref().is_none_or(|pattern| stands_for(pattern, parts.uri.path()));
        self.host == host && method && path
    }

    /// Counts the request, and says whether it is one of those that are harmed.
    fn ask(&mut self) -> bool {
        let before = self.asked;
        self.asked = before.saturating_add(1);
        before >= self.skip && self.times.is_none_or(|times| before - self.skip < times)
    }
}

fn stands_for(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.to_ascii_lowercase(), path.to_ascii_lowercase());
    match pattern.split_once('*') {
        Some((start, end)) => path.len() >= start.len() + end.len() && path.starts_with(start) && path.ends_with(end),
        None => pattern == path,
    }
}

/// What is done to one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Harm {
    pub(crate) delay: Duration,
    pub(crate) end: Option<End>,
}

/// How a request ends that is not answered as always.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Status(StatusCode, Option<u32>),
    Drop,
    ExpiredToken,
}

/// The plan of a process.
#[derive(Default)]
pub(crate) struct Faults {
    allowed: AtomicBool,
    /// Whether there is a rule, so that a server without faults looks at one flag.
    armed: AtomicBool,
    clock_offset: AtomicI64,
    rules: Mutex<Vec<FaultRule>>,
}

impl Faults {
    pub(crate) fn allow(&self) {
        self.allowed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn are_allowed(&self) -> bool {
        self.allowed.load(Ordering::Relaxed)
    }

    /// Seconds to add to the real time.
    pub(crate) fn clock_offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    pub(crate) fn plan(&self) -> FaultPlan {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
        FaultPlan { clock_offset_seconds: self.clock_offset(), rules }
    }

    pub(crate) fn replace(&self, plan: FaultPlan) -> Result<(), BadFaultPlan> {
        plan.check()?;
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        *rules = plan.rules.into_iter().map(|rule| FaultRule { asked: 0, ..rule }).collect();
        self.armed.store(!rules.is_empty(), Ordering::Relaxed);
        self.clock_offset.store(plan.clock_offset_seconds, Ordering::Relaxed);
        Ok(())
    }

    /// What is to be done to this request; nothing, nearly always.
    pub(crate) fn harm(&self, place: &Place, parts: &Parts) -> Harm {
        let mut harm = Harm::default();
        if !self.armed.load(Ordering::Relaxed) {
            return harm;
        }
        let host = match place {
            Place::Vault(_) => FaultHost::Vault,
            Place::Login => FaultHost::Login,
            Place::Management if is_faults_path(parts.uri.path()) => return harm,
            Place::Management => FaultHost::Management,
            Place::Graph => FaultHost::Graph,
        };
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules.iter_mut().filter(|rule| rule.is_about(host, parts)) {
            if !rule.ask() {
                continue;
            }
            match &rule.fault {
                Fault::Latency { milliseconds } => harm.delay += Duration::from_millis(*milliseconds),
                Fault::Status { status, retry_after_seconds } => {
                    let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    harm.end = Some(End::Status(status, *retry_after_seconds));
                    break;
                }
                Fault::Drop => {
                    harm.end = Some(End::Drop);
                    break;
                }
                Fault::ExpiredToken => {
                    harm.end = Some(End::ExpiredToken);
                    break;
                }
            }
        }
        harm
    }
}

/// Where the operator reads and replaces the plan, on the host of ARM.
const FAULTS_PATH: &str = "/credstore/faults";

/// Whether a path of ARM is that of the plan, which no rule harms and no injected clock locks.
pub(crate) fn is_faults_path(path: &str) -> bool {
    path.trim_end_matches('/').eq_ignore_ascii_case(FAULTS_PATH)
}

/// The answer of an injected status; its body has the form that every surface has.
pub(crate) fn failed(status: StatusCode, retry_after: Option<u32>) -> Response<Content> {
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => "Throttled",
        StatusCode::INTERNAL_SERVER_ERROR => "InternalServerError",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        _ => "FaultInjected",
    };
    let message = "The fault plan of this server asks for this answer.".to_owned();
    let error = ErrorDetail { code: code.to_owned(), message, innererror: None };
    let mut response = json_answer(status, &ErrorBody { error });
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(method: &str, path: &str) -> Parts {
        http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0
    }

    fn faults(plan: serde_json::Value) -> Result<Faults, BadFaultPlan> {
        let faults = Faults::default();
        faults.replace(serde_json::from_value(plan).unwrap()).map(|()| faults)
    }

    fn vault() -> Place {
        Place::Vault("acme-kv".parse().unwrap())
    }

    #[test]
    fn a_rule_harms_the_requests_that_it_is_about_as_often_as_it_says() {
        let fault = json!({"kind": "status", "status": 429, "retryAfterSeconds": 2});
        let rule =
            json!({"host": "vault", "method": "GET", "path": "/secrets/db*", "skip": 1, "times": 2, "fault": fault});
        let faults = faults(json!({"rules": [rule]})).unwrap();
        let hit = Some(End::Status(StatusCode::TOO_MANY_REQUESTS, Some(2)));
        for (place, method, path, expected) in [
            (vault(), "GET", "/secrets/db", None),
            (vault(), "PUT", "/secrets/db", None),
            (vault(), "GET", "/secrets/other", None),
            (Place::Graph, "GET", "/secrets/db", None),
            (vault(), "get", "/SECRETS/db/1", hit),
            (vault(), "GET", "/secrets/db", Some(End::Status(StatusCode::TOO_MANY_REQUESTS, Some(2)))),
            (vault(), "GET", "/secrets/db", None),
        ] {
            assert_eq!(faults.harm(&place, &parts(method, path)).end, expected, "{method} {path}");
        }
        assert_eq!(faults.plan().rules[0].asked, 4);
    }

    #[test]
    fn latency_adds_up_and_the_first_other_rule_decides() {
        let late = json!({"host": "login", "fault": {"kind": "latency", "milliseconds": 300}});
        let rules = json!([late, late, {"host": "login", "fault": {"kind": "drop"}},
            {"host": "login", "fault": {"kind": "status", "status": 500}}, late]);
        let faults = faults(json!({"rules": rules})).unwrap();
        let harm = faults.harm(&Place::Login, &parts("POST", "/t/oauth2/v2.0/token"));
        assert_eq!(harm, Harm { delay: Duration::from_millis(600), end: Some(End::Drop) });
    }

    #[test]
    fn the_plan_itself_is_out_of_its_own_reach() {
        let rule = json!({"host": "management", "fault": {"kind": "drop"}});
        let faults = faults(json!({"rules": [rule]})).unwrap();
        assert_eq!(faults.harm(&Place::Management, &parts("PUT", "/credstore/FAULTS")), Harm::default());
        assert_eq!(faults.harm(&Place::Management, &parts("PUT", "/subscriptions")).end, Some(End::Drop));
    }

    #[test]
    fn a_plan_is_checked_at_its_limits() {
        let of = |fault: serde_json::Value| json!({"rules": [{"host": "vault", "fault": fault}]});
        let many = |count: usize| json!({"rules": vec![json!({"host": "vault", "fault": {"kind": "drop"}}); count]});
        let at = |path: String| json!({"rules": [{"host": "vault", "path": path, "fault": {"kind": "drop"}}]});
        for (plan, accepted) in [
            (many(FAULT_RULES_MAX), true),
            (many(FAULT_RULES_MAX + 1), false),
            (at("x".repeat(FAULT_PATH_MAX)), true),
            (at("x".repeat(FAULT_PATH_MAX + 1)), false),
            (at("/a*b*".to_owned()), false),
            (of(json!({"kind": "status", "status": 400})), true),
            (of(json!({"kind": "status", "status": 399})), false),
            (of(json!({"kind": "status", "status": 600})), false),
            (of(json!({"kind": "status", "status": 429, "retryAfterSeconds": FAULT_RETRY_AFTER_MAX})), true),
            (of(json!({"kind": "status", "status": 429, "retryAfterSeconds": FAULT_RETRY_AFTER_MAX + 1})), false),
            (of(json!({"kind": "latency", "milliseconds": FAULT_LATENCY_MAX})), true),
            (of(json!({"kind": "latency", "milliseconds": FAULT_LATENCY_MAX + 1})), false),
            (of(json!({"kind": "expiredToken"})), true),
            (json!({"rules": [{"host": "graph", "fault": {"kind": "expiredToken"}}]}), false),
            (json!({"clockOffsetSeconds": -FAULT_CLOCK_OFFSET_MAX}), true),
            (json!({"clockOffsetSeconds": FAULT_CLOCK_OFFSET_MAX + 1}), false),
            (json!({"clockOffsetSeconds": i64::MIN}), false),
        ] {
            assert_eq!(faults(plan.clone()).is_ok(), accepted, "{plan}");
        }
    }
}
