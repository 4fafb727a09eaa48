//! How often, how long and after which pause a request is tried again.
//!
//! Pure but for the deadline, which is measured on the runtime's own clock so that a wall clock that jumps
//! changes nothing. What may be repeated at all is decided where the request is made.

use std::time::Duration;

use credstore_protocol::Timestamp;
use http::HeaderMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::Instant;

/// Most tries of one request. Ours: with the pauses below a short outage is bridged and nobody waits long.
pub const TRIES: u32 = 3;
/// Time for one question with all its tries, sign-in included. Ours: two full time-outs of the transport.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// First pause after a fault; it doubles. Ours.
pub const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(500);
/// First pause after 429 without a hint; it doubles. Source: Key Vault throttling guidance, 1, 2, 4, 8, 16 s.
pub const PAUSE_WHEN_THROTTLED: Duration = Duration::from_secs(1);

/// The moment of a question: the time of day it is asked at, and until when an answer is of use.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Wall-clock time, for validity of certificates, tokens and secrets.
    pub now: Timestamp,
    /// Until when to go on trying.
    pub deadline: Instant,
}

impl When {
    /// Now, with [`PATIENCE`].
    pub fn at(now: Timestamp) -> Self {
        Self::within(now, PATIENCE)
    }

    /// Now, with at most `patience` for everything.
    pub fn within(now: Timestamp, patience: Duration) -> Self {
        Self { now, deadline: Instant::now() + patience }
    }

    /// What is left of the time.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Whether the status says that the same request may succeed later.
///
/// Source: azure-core `pipeline/policies/_retry.py`: 408, 429, 500, 502, 503, 504 and above 505.
pub fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=504 | 506..=599)
}

/// How long the other side asks us to wait: `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3),
/// or Azure's `retry-after-ms` and `x-ms-retry-after-ms`.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        if let Some(milliseconds) = text(headers, name).and_then(|text| text.parse().ok()) {
            return Some(Duration::from_millis(milliseconds));
        }
    }
    let hint = text(headers, "retry-after")?;
    if let Ok(seconds) = hint.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(hint)?.seconds_since(date(headers).unwrap_or(now));
    Some(Duration::from_secs(wait.try_into().unwrap_or(0)))
}

/// The `Date` header: the clock of the other side.
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    text(headers, "date").and_then(http_date)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn http_date(text: &str) -> Option<Timestamp> {
    OffsetDateTime::parse(text, &Rfc2822).ok().map(|moment| Timestamp(moment.unix_timestamp()))
}

/// The pause before the next try, or `None` when there is none: the tries or the time are used up.
///
/// `jitter` spreads the tries of many clients: 0 halves the pause, 255 leaves it whole. A hint of the other
/// side is never undercut.
pub fn pause(tries: u32, hint: Option<Duration>, first: Duration, jitter: u8, remaining: Duration) -> Option<Duration> {
    if tries >= TRIES {
        return None;
    }
    let doubled = first * 2u32.saturating_pow(tries.saturating_sub(1));
    let spread = doubled / 2 + doubled.mul_f64(f64::from(jitter) / 510.0);
    let wait = hint.map_or(spread, |hint| hint.max(spread));
    (wait < remaining).then_some(wait)
}

/// One random byte for [`pause`].
pub(crate) fn jitter() -> u8 {
    uuid::Uuid::new_v4().as_bytes()[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_is_within_the_time_and_never_shorter_than_the_hint(
            tries in 1..10u32, hint in proptest::option::of(0..100u64), jitter: u8, remaining in 0..100u64,
        ) {
            let (hint, remaining) = (hint.map(Duration::from_secs), Duration::from_secs(remaining));
            if let Some(pause) = pause(tries, hint, PAUSE_AFTER_FAULT, jitter, remaining) {
                prop_assert!(pause < remaining && pause >= hint.unwrap_or_default() && tries < TRIES);
                prop_assert!(pause >= PAUSE_AFTER_FAULT / 2);
            }
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_wait_is_read_in_seconds_milliseconds_and_as_a_date() {
        let now = Timestamp(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110 section 5.6.7.
        let wait = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs), now);
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")]), Some(Duration::from_secs(10)));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("x-ms-retry-after-ms", "1500")]), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_date_is_measured_on_the_clock_of_who_wrote_it() {
        let late = Timestamp(0);
        let both =
            headers(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")]);
        assert_eq!(retry_after(&both, late), Some(Duration::from_secs(10)));
    }

    #[test]
    fn the_temporary_statuses_are_those_of_azure_core() {
        let temporary: Vec<u16> = (100..=510).filter(|status| is_temporary(*status)).collect();
        assert_eq!(temporary, [408, 429, 500, 502, 503, 504, 506, 507, 508, 509, 510]);
    }

    #[test]
    fn pauses_double_and_never_undercut_the_hint() {
        let long = Duration::from_secs(3600);
        let first = Duration::from_secs(1);
        assert_eq!(pause(1, None, first, 255, long), Some(Duration::from_secs(1)));
        assert_eq!(pause(2, None, first, 255, long), Some(Duration::from_secs(2)));
        assert_eq!(pause(1, None, first, 0, long), Some(Duration::from_millis(500)));
        assert_eq!(pause(1, Some(Duration::from_secs(9)), first, 0, long), Some(Duration::from_secs(9)));
    }

    #[test]
    fn the_last_try_and_the_deadline_end_it() {
        let second = Duration::from_secs(1);
        assert!(pause(TRIES - 1, None, second, 0, second * 60).is_some());
        assert_eq!(pause(TRIES, None, second, 0, second * 60), None);
        assert_eq!(pause(1, Some(second * 60), second, 0, second * 60), None);
        assert_eq!(pause(1, Some(second * 59), second, 0, second * 60), Some(second * 59));
    }
}
