//! What is remembered of a fetch that brought no secret, and for how long: of one identifier, and of the store.
//!
//! Pure: times and chance are arguments. What a failure means for a secret that is kept is in `Kind`.

use std::time::Duration;

use credstore_protocol::Timestamp;

use super::Moment;
use crate::codes::{Exit, vault};
use crate::diagnosis::Diagnosis;
use crate::resolver::ResolveError;

/// How long a first failure is remembered at most; it doubles. Source: Key Vault throttling guidance, 1, 2, 4, 8, 16 s.
pub const REMEMBERED_FIRST: Duration = Duration::from_secs(1);
/// How long any failure is remembered at most, unless the vault itself asks for more. Ours: an identifier that was
/// just created, or a permission that was just given, is seen after half a minute.
pub const REMEMBERED_MAX: Duration = Duration::from_secs(30);
/// The longest wait that a vault can ask for. Ours: Azure asks for seconds, and a mistake must not last for a day.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// What a failure is about. A variant is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The store answered: there is no such secret, it is not usable, or we may not have it. A kept value is wiped:
    /// what was deleted, disabled or taken from us is not served on.
    Verdict,
    /// The store cannot be asked now, or not from this network. A kept value is served on, up to its limit.
    Outage,
    /// Something on our side, a file or a name. A kept value is served on; the store's health is not touched.
    Mistake,
}

impl Kind {
    pub(super) fn of(diagnosis: &Diagnosis) -> Self {
        // A firewall says nothing about the secret, nor about our permission to have it.
        if [vault::DENIED_BY_FIREWALL.id, vault::DENIED_BY_CONNECTION.id].contains(&diagnosis.code.id) {
            return Self::Outage;
        }
        match diagnosis.code.exit {
            Exit::NotFound | Exit::NotUsable | Exit::Permission => Self::Verdict,
            Exit::Unreachable | Exit::SignIn => Self::Outage,
            Exit::Unexpected
            | Exit::Usage
            | Exit::Invalid
            | Exit::Conflict
            | Exit::Findings
            | Exit::Declined
            | Exit::Integrity => Self::Mistake,
        }
    }
}

/// How long the nth failure in a row is remembered. `jitter` spreads the tries of many clients: 0 halves the time, 255
/// leaves it whole. The vault's own wish is never undercut.
pub(super) fn remembered(failures: u32, hint: Option<Duration>, jitter: u8) -> Duration {
    let doubled = REMEMBERED_FIRST.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1))).min(REMEMBERED_MAX);
    let spread = doubled / 2 + doubled.mul_f64(f64::from(jitter) / 510.0);
    spread.max(hint.unwrap_or_default().min(RETRY_AFTER_MAX))
}

/// The last fetch of an identifier brought no secret.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) error: ResolveError,
    pub(super) kind: Kind,
    /// When the first of these failures was seen.
    pub(super) since: Timestamp,
    failures: u32,
    at: Duration,
    until: Duration,
}

impl Trouble {
    pub(super) fn after(previous: Option<&Trouble>, error: ResolveError, now: Moment, jitter: u8) -> Self {
        let kind = Kind::of(&error.diagnosis);
        let previous = previous.filter(|previous| previous.kind == kind);
        let failures = previous.map_or(1, |previous| previous.failures.saturating_add(1));
        let since = previous.map_or(now.wall, |previous| previous.since);
        let until = now.elapsed + remembered(failures, error.diagnosis.retry_after, jitter);
        Self { error, kind, since, failures, at: now.elapsed, until }
    }

    /// Whether nobody asks yet. A store that came back ends the trouble that its absence made.
    pub(super) fn holds(&self, now: Duration, store: &StoreHealth) -> bool {
        let over = self.kind == Kind::Outage && store.recovered_at.is_some_and(|recovered| self.at <= recovered);
        now < self.until && !over
    }

    /// Whether it is over for so long that the next failure counts as the first again.
    pub(super) fn is_forgotten(&self, now: Duration) -> bool {
        self.until + REMEMBERED_MAX * 2 <= now
    }
}

/// Whether the store can be asked at all. While it cannot, one fetch at a time tries it, for whatever identifier.
///
/// One identifier that fails again and again says nothing about the others; two different ones without a success
/// between them do, and a vault that asks to wait does.
#[derive(Debug, Default)]
pub(super) struct StoreHealth {
    last: Option<Outage>,
    /// The fetch that tries a store that is away.
    probe: Option<u64>,
    recovered_at: Option<Duration>,
}

#[derive(Debug)]
struct Outage {
    error: ResolveError,
    identifier: credstore_protocol::Identifier,
    since: Timestamp,
    /// Failures in a row, those of fetches that were under way together counted once.
    failures: u32,
    at: Duration,
    until: Duration,
    /// Whether it is the store's and not one identifier's.
    general: bool,
}

impl StoreHealth {
    /// Why the store is away and since when, if it is.
    pub(super) fn away(&self) -> Option<(&ResolveError, Timestamp)> {
        self.last.as_ref().filter(|outage| outage.general).map(|outage| (&outage.error, outage.since))
    }

    /// Why nobody asks the store now.
    pub(super) fn holds(&self, now: Duration) -> Option<&ResolveError> {
        let outage = self.last.as_ref().filter(|outage| outage.general)?;
        (now < outage.until || self.probe.is_some()).then_some(&outage.error)
    }

    pub(super) fn began(&mut self, fetch: u64) {
        if self.away().is_some() {
            self.probe = Some(fetch);
        }
    }

    pub(super) fn ended(&mut self, fetch: u64) {
        if self.probe == Some(fetch) {
            self.probe = None;
        }
    }

    /// The store answered.
    pub(super) fn answered(&mut self, now: Duration) {
        if self.last.take().is_some_and(|outage| outage.general) {
            self.recovered_at = Some(now);
        }
    }

    /// A fetch for `identifier` that began at `began` did not reach the store.
    pub(super) fn failed(
        &mut self,
        identifier: &credstore_protocol::Identifier,
        error: &ResolveError,
        (began, now): (Duration, Moment),
        jitter: u8,
    ) {
        let hint = error.diagnosis.retry_after;
        let (mut failures, mut since, mut general, mut until) = (1, now.wall, hint.is_some(), Duration::ZERO);
        if let Some(last) = &self.last {
            let together = began < last.at;
            failures = if together { last.failures } else { last.failures.saturating_add(1) };
            since = last.since;
            general |= last.general || last.identifier != *identifier;
            // A late failure of the same crowd must not shorten what the vault asked for.
            until = last.until;
        }
        self.last = Some(Outage {
            error: error.clone(),
            identifier: identifier.clone(),
            since,
            failures,
            at: now.elapsed,
            until: until.max(now.elapsed + remembered(failures, hint, jitter)),
            general,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use credstore_protocol::Identifier;
    use proptest::prelude::*;

    use super::*;
    use crate::codes::{Code, directory, identifiers, settings, vault};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(seconds: u64) -> Moment {
        Moment { wall: Timestamp(1_000_000 + seconds.cast_signed()), elapsed: Duration::from_secs(seconds) }
    }

    fn error(code: &'static Code, retry_after: Option<Duration>) -> ResolveError {
        ResolveError { diagnosis: Arc::new(Diagnosis { retry_after, ..Diagnosis::error(code, "no") }) }
    }

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_failure_is_remembered_no_longer_than_stated(
            failures: u32, hint in proptest::option::of(0..10_000_000u64), jitter: u8,
        ) {
            let hint = hint.map(Duration::from_secs);
            let pause = remembered(failures, hint, jitter);
            prop_assert!(pause >= hint.unwrap_or_default().min(RETRY_AFTER_MAX));
            prop_assert!(pause <= REMEMBERED_MAX.max(hint.unwrap_or_default().min(RETRY_AFTER_MAX)));
            prop_assert!(pause >= REMEMBERED_FIRST / 2);
        }
    }

    #[test]
    fn the_pauses_are_those_of_the_guidance_and_end_at_the_limit() {
        let whole: Vec<u64> = (1..8).map(|failures| remembered(failures, None, 255).as_secs()).collect();
        assert_eq!(whole, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(remembered(1, None, 0), Duration::from_millis(500));
    }

    #[test]
    fn a_wait_that_the_vault_asks_for_is_kept_up_to_an_hour() {
        assert_eq!(remembered(1, Some(RETRY_AFTER_MAX), 0), RETRY_AFTER_MAX);
        assert_eq!(remembered(1, Some(RETRY_AFTER_MAX + seconds(1)), 0), RETRY_AFTER_MAX);
    }

    #[test]
    fn what_the_store_answered_is_told_from_what_kept_it_from_answering() {
        for (code, kind) in [
            (&identifiers::IDENTIFIER_UNKNOWN, Kind::Verdict),
            (&identifiers::PASSWORD_EMPTY, Kind::Verdict),
            (&vault::DENIED_BY_POLICY, Kind::Verdict),
            (&vault::DENIED_BY_ROLE, Kind::Verdict),
            (&vault::SECRET_DISABLED, Kind::Verdict),
            (&vault::SECRET_EXPIRED, Kind::Verdict),
            (&vault::DENIED, Kind::Verdict),
            (&vault::DENIED_BY_FIREWALL, Kind::Outage),
            (&vault::DENIED_BY_CONNECTION, Kind::Outage),
            (&vault::VAULT_FAULT, Kind::Outage),
            (&vault::THROTTLED, Kind::Outage),
            (&vault::TIMED_OUT, Kind::Outage),
            (&vault::TLS_NOT_TRUSTED, Kind::Outage),
            (&directory::DIRECTORY_BUSY, Kind::Outage),
            (&directory::CERTIFICATE_NOT_REGISTERED, Kind::Outage),
            (&identifiers::NOT_A_SECRET_NAME, Kind::Mistake),
            (&settings::CERTIFICATE_MISSING, Kind::Mistake),
        ] {
            assert_eq!(Kind::of(&Diagnosis::error(code, "no")), kind, "{}", code.id);
        }
    }

    #[test]
    fn another_kind_of_failure_begins_to_count_anew() {
        let first = Trouble::after(None, error(&vault::VAULT_FAULT, None), at(0), 255);
        let second = Trouble::after(Some(&first), error(&vault::TIMED_OUT, None), at(10), 255);
        assert_eq!((second.failures, second.since), (2, at(0).wall));
        let other = Trouble::after(Some(&second), error(&identifiers::IDENTIFIER_UNKNOWN, None), at(20), 255);
        assert_eq!((other.failures, other.since), (1, at(20).wall));
    }

    #[test]
    fn one_identifier_that_fails_is_not_the_store() {
        let mut store = StoreHealth::default();
        for round in 0..9 {
            store.failed(&id("A"), &error(&vault::VAULT_FAULT, None), (seconds(round), at(round)), 255);
            assert!(store.holds(seconds(round)).is_none());
        }
        store.failed(&id("B"), &error(&vault::VAULT_FAULT, None), (seconds(9), at(9)), 255);
        assert!(store.holds(seconds(9)).is_some());
    }

    #[test]
    fn a_wait_that_the_vault_asks_for_holds_for_every_identifier() {
        let mut store = StoreHealth::default();
        store.failed(&id("A"), &error(&vault::THROTTLED, Some(seconds(20))), (seconds(0), at(1)), 0);
        assert!(store.holds(seconds(20)).is_some());
        assert!(store.holds(seconds(21)).is_none());
        // A request that was under way already fails without a hint: the wait is still on.
        store.failed(&id("B"), &error(&vault::VAULT_FAULT, None), (seconds(0), at(2)), 0);
        assert!(store.holds(seconds(20)).is_some());
    }

    #[test]
    fn a_crowd_of_failures_counts_once() {
        let mut store = StoreHealth::default();
        for number in 0..100 {
            store.failed(&id(&format!("A{number}")), &error(&vault::TIMED_OUT, None), (seconds(0), at(5)), 255);
        }
        // Failed together at 5: the first pause is one second, the doubled one two.
        assert!(store.holds(seconds(5)).is_some() && store.holds(seconds(7)).is_none());
    }

    #[test]
    fn a_store_that_is_away_is_tried_by_one_fetch_at_a_time() {
        let mut store = StoreHealth::default();
        store.failed(&id("A"), &error(&vault::TIMED_OUT, None), (seconds(0), at(0)), 255);
        store.failed(&id("B"), &error(&vault::TIMED_OUT, None), (seconds(0), at(0)), 255);
        assert!(store.holds(seconds(60)).is_none());
        store.began(7);
        assert!(store.holds(seconds(60)).is_some());
        store.ended(6);
        assert!(store.holds(seconds(60)).is_some());
        store.ended(7);
        assert!(store.holds(seconds(60)).is_none());
    }

    #[test]
    fn a_store_that_came_back_ends_the_trouble_that_it_made_and_no_other() {
        let mut store = StoreHealth::default();
        let outage = Trouble::after(None, error(&vault::TIMED_OUT, Some(seconds(20))), at(0), 255);
        let verdict = Trouble::after(None, error(&vault::DENIED_BY_ROLE, Some(seconds(20))), at(0), 255);
        store.failed(&id("A"), &outage.error, (seconds(0), at(0)), 255);
        assert!(outage.holds(seconds(1), &store) && verdict.holds(seconds(1), &store));
        store.answered(seconds(1));
        assert!(!outage.holds(seconds(1), &store) && verdict.holds(seconds(1), &store));
        assert!(store.away().is_none());
    }
}
