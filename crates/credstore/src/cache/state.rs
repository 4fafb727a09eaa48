//! What is kept and what is under way, and the decision about each question. Pure: no clock, no waiting, no store.
//!
//! [`State::look`] decides, [`State::land`] takes in what a fetch brought. Every fetch begins with a [`Ticket`], and
//! an identifier has at most one at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use credstore_protocol::Identifier;
use tokio::sync::watch;

use super::budget::{self, Budget};
use super::policy::{CachePolicy, Life};
use super::trouble::{Kind, StoreHealth, Trouble};
use super::{CacheCounts, KeptValue, Moment};
use crate::codes::vault;
use crate::diagnosis::Diagnosis;
use crate::resolver::{Freshness, ResolveError, Resolved, StaleReason};
use crate::store::Fetched;

/// What an entry takes beside its texts: map slot, attributes, counters. Rounded up from their sizes.
const ENTRY_BYTES: usize = 512;

/// What the caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever may be served.
    Usable,
    /// A value for which the store was asked at this time or later.
    AskedSince(Duration),
}

/// A value and when the store was asked for it.
#[derive(Clone, Debug)]
pub(super) struct Landed {
    pub(super) fetched: Arc<Fetched>,
    pub(super) at: Moment,
}

pub(super) type Outcome = Result<Landed, ResolveError>;

/// The right to fetch one identifier. Whoever holds it must [`State::land`] or [`State::abandon`] it.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) identifier: Identifier,
    number: u64,
    /// How long to wait before asking.
    pub(super) pause: Duration,
    pub(super) outcome: watch::Sender<Option<Outcome>>,
}

/// A fetch to wait for.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) landing: watch::Receiver<Option<Outcome>>,
    /// A value for which the store was asked earlier will not do.
    pub(super) not_before: Duration,
    /// What is known already about why it may not work.
    pub(super) otherwise: Option<ResolveError>,
}

#[derive(Debug)]
pub(super) enum Look {
    Serve(Resolved),
    Wait(Waiting),
    Refuse(ResolveError),
}

/// The answer to a question, and the fetch that it sets off.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) look: Look,
    pub(super) start: Option<Ticket>,
}

enum Departure {
    Started(Ticket),
    UnderWay(watch::Receiver<Option<Outcome>>),
    Held(ResolveError),
}

#[derive(Debug)]
struct Kept {
    value: Landed,
    bytes: usize,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    landing: watch::Receiver<Option<Outcome>>,
}

#[derive(Debug)]
struct Entry {
    life: Life,
    kept: Option<Kept>,
    trouble: Option<Trouble>,
    flight: Option<Flight>,
    /// The value that was kept was too old and was wiped; when the store had been asked for it.
    too_old: Option<credstore_protocol::Timestamp>,
    /// A value for which the store was asked earlier is not kept.
    not_before: Duration,
    /// When somebody asked for it last. A refresh in the background does not count.
    read_at: Duration,
    used: u64,
}

impl Entry {
    fn new(life: Life, read_at: Duration, used: u64) -> Self {
        let not_before = Duration::ZERO;
        Self { life, kept: None, trouble: None, flight: None, too_old: None, not_before, read_at, used }
    }

    fn is_empty(&self) -> bool {
        self.kept.is_none() && self.trouble.is_none() && self.flight.is_none()
    }

    /// Wipes the value if it is too old; how many bytes that frees.
    fn expire(&mut self, now: Moment) -> usize {
        match &self.kept {
            Some(kept) if kept.value.age(now) >= self.life.served_for() => {
                self.too_old = Some(kept.value.at.wall);
                self.wipe()
            }
            _ => 0,
        }
    }

    /// In how much time the value is to be refreshed ahead; `None` when it need not be: it was not read within its fresh
    /// time, it is being refreshed, or a failure is remembered, which its readers get over.
    fn ahead_in(&self, now: Moment) -> Option<Duration> {
        let is_free = self.flight.is_none() && self.trouble.is_none();
        let value = &self.kept.as_ref().filter(|_| is_free)?.value;
        let due_at = value.at.elapsed + self.life.refreshed_from();
        (due_at.max(now.elapsed) <= self.read_at + self.life.fresh_for()).then(|| due_at.saturating_sub(now.elapsed))
    }

    fn wipe(&mut self) -> usize {
        self.kept.take().map_or(0, |kept| kept.bytes)
    }

    fn is_in_outage(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.kind == Kind::Outage)
    }
}

impl Landed {
    fn age(&self, now: Moment) -> Duration {
        now.elapsed.saturating_sub(self.at.elapsed)
    }

    /// Whether its owner's dates say something else now than when it was fetched: then the store has to judge anew.
    fn dates_passed(&self, now: Moment) -> bool {
        let passed = |date: Option<_>| date.is_some_and(|date| self.at.wall < date && date <= now.wall);
        passed(self.fetched.expires) || passed(self.fetched.not_before)
    }

    /// The value as it is handed out, when nothing is known against the store.
    pub(super) fn resolved(&self, life: Life, cached: bool, now: Moment) -> Resolved {
        let age = self.age(now);
        let freshness = if !cached || (age < life.fresh_for() && !self.dates_passed(now)) {
            Freshness::Fresh
        } else {
            Freshness::Stale { reason: StaleReason::Aged, since: self.at.wall + life.fresh_for().min(age) }
        };
        Resolved::new(self.fetched.clone(), self.at.wall, age, freshness, cached)
    }
}

/// Everything that the cache knows.
#[derive(Debug)]
pub(super) struct State {
    policy: CachePolicy,
    entries: HashMap<Identifier, Entry>,
    /// Of the kept values.
    bytes: usize,
    store: StoreHealth,
    budget: Budget,
    used: u64,
    fetches: u64,
    counts: CacheCounts,
}

impl State {
    pub(super) fn new(policy: CachePolicy) -> Self {
        Self {
            policy,
            entries: HashMap::new(),
            bytes: 0,
            store: StoreHealth::default(),
            budget: Budget::default(),
            used: 0,
            fetches: 0,
            counts: CacheCounts::default(),
        }
    }

    pub(super) fn counts(&self) -> CacheCounts {
        CacheCounts { entries: self.entries.len(), bytes: self.bytes, ..self.counts }
    }

    /// What is kept and not too old, by identifier. Nobody asked for it: nothing is counted, and nothing counts as read.
    pub(super) fn kept(&self, now: Moment) -> Vec<KeptValue> {
        let shown = |(identifier, entry): (&Identifier, &Entry)| {
            let resolved = entry.kept.as_ref()?.value.resolved(entry.life, true, now);
            (resolved.age < entry.life.served_for()).then(|| KeptValue {
                identifier: identifier.clone(),
                version: resolved.version().copied(),
                fetched_at: resolved.fetched_at,
                age: resolved.age,
                is_fresh: resolved.freshness.is_fresh(),
            })
        };
        let mut kept: Vec<KeptValue> = self.entries.iter().filter_map(shown).collect();
        kept.sort_by(|one, other| one.identifier.cmp(&other.identifier));
        kept
    }

    pub(super) fn life_of(&self, identifier: &Identifier) -> Life {
        self.policy.life_of(identifier)
    }

    /// Decides about one question.
    pub(super) fn look(&mut self, identifier: &Identifier, wanted: Wanted, now: Moment) -> Looked {
        let served = match (self.served(identifier, now), wanted) {
            (Some((resolved, _)), Wanted::Usable) if resolved.freshness.is_fresh() => {
                return self.hit(resolved, identifier, now);
            }
            (Some((resolved, asked)), Wanted::AskedSince(moment)) if asked >= moment => {
                return self.hit(resolved, identifier, now);
            }
            (Some((resolved, _)), Wanted::Usable) => Some(resolved),
            (Some(_), Wanted::AskedSince(_)) | (None, _) => None,
        };
        let otherwise = self.known_outage(identifier);
        let departure = self.depart(identifier, served.is_some(), now);
        if let Some(resolved) = served {
            self.counts.stale += 1;
            let start = if let Departure::Started(ticket) = departure { Some(ticket) } else { None };
            return Looked { look: Look::Serve(resolved), start };
        }
        let (start, landing) = match departure {
            Departure::Held(error) => {
                self.counts.refused += 1;
                return Looked { look: Look::Refuse(self.explained(identifier, error)), start: None };
            }
            Departure::UnderWay(landing) => {
                self.counts.joined += 1;
                (None, landing)
            }
            Departure::Started(ticket) => {
                let landing = ticket.outcome.subscribe();
                (Some(ticket), landing)
            }
        };
        let floor = self.entries.get(identifier).map_or(Duration::ZERO, |entry| entry.not_before);
        let not_before = match wanted {
            Wanted::Usable => floor,
            Wanted::AskedSince(moment) => moment.max(floor),
        };
        Looked { look: Look::Wait(Waiting { landing, not_before, otherwise }), start }
    }

    /// A fresh value. The reader who comes when it is due to be refreshed sets that off, should the clock of the
    /// background have slept.
    fn hit(&mut self, resolved: Resolved, identifier: &Identifier, now: Moment) -> Looked {
        self.counts.hits += 1;
        let start = if self.is_due(identifier, now) { self.depart_ahead(identifier, now) } else { None };
        Looked { look: Look::Serve(resolved), start }
    }

    fn is_due(&self, identifier: &Identifier, now: Moment) -> bool {
        self.entries.get(identifier).is_some_and(|entry| entry.ahead_in(now) == Some(Duration::ZERO))
    }

    fn depart_ahead(&mut self, identifier: &Identifier, now: Moment) -> Option<Ticket> {
        match self.depart(identifier, true, now) {
            Departure::Started(ticket) => Some(ticket),
            Departure::UnderWay(_) | Departure::Held(_) => None,
        }
    }

    /// Begins to refresh what is in use and soon no longer fresh, as far as the budget reaches.
    pub(super) fn refresh_ahead(&mut self, now: Moment) -> Vec<Ticket> {
        let due = |(identifier, entry): (&Identifier, &Entry)| {
            (entry.ahead_in(now) == Some(Duration::ZERO)).then(|| identifier.clone())
        };
        let due: Vec<Identifier> = self.entries.iter().filter_map(due).collect();
        due.iter().map_while(|identifier| self.depart_ahead(identifier, now)).collect()
    }

    /// In how much time [`Self::refresh_ahead`] has something to do.
    pub(super) fn next_ahead(&self, now: Moment) -> Option<Duration> {
        self.entries.values().filter_map(|entry| entry.ahead_in(now)).min()
    }

    /// What can be served, and when the store was asked for it.
    fn served(&mut self, identifier: &Identifier, now: Moment) -> Option<(Resolved, Duration)> {
        self.used += 1;
        let entry = self.entries.get_mut(identifier)?;
        (entry.used, entry.read_at) = (self.used, now.elapsed);
        self.bytes -= entry.expire(now);
        let value = &entry.kept.as_ref()?.value;
        let mut resolved = value.resolved(entry.life, true, now);
        if !resolved.freshness.is_fresh() {
            let known = match &entry.trouble {
                Some(trouble) => Some((&trouble.error, trouble.since)),
                None => self.store.away(),
            };
            if let Some((error, since)) = known {
                let reason = StaleReason::NotRefreshed(error.diagnosis.clone());
                resolved.freshness = Freshness::Stale { reason, since };
            }
        }
        Some((resolved, value.at.elapsed))
    }

    /// The error that is known when the store was away at the last try, be it with this identifier or another.
    fn known_outage(&self, identifier: &Identifier) -> Option<ResolveError> {
        let own = self.entries.get(identifier).filter(|entry| entry.is_in_outage());
        let own = own.and_then(|entry| entry.trouble.as_ref()).map(|trouble| trouble.error.clone());
        own.or_else(|| self.store.away().map(|(error, _)| error.clone()))
    }

    /// Begins a fetch, if none is under way and nothing speaks against it.
    fn depart(&mut self, identifier: &Identifier, in_background: bool, now: Moment) -> Departure {
        if let Some(entry) = self.entries.get(identifier) {
            if let Some(flight) = &entry.flight {
                return Departure::UnderWay(flight.landing.clone());
            }
            if let Some(trouble) = entry.trouble.as_ref().filter(|trouble| trouble.holds(now.elapsed, &self.store)) {
                return Departure::Held(trouble.error.clone());
            }
        }
        if let Some(error) = self.store.holds(now.elapsed) {
            return Departure::Held(error.clone());
        }
        let patience = if in_background { Duration::ZERO } else { budget::WAIT_MAX };
        let Some(pause) = self.budget.take(now.elapsed, patience) else {
            self.counts.over_budget += 1;
            return Departure::Held(over_budget());
        };
        self.fetches += 1;
        self.counts.fetches += 1;
        let number = self.fetches;
        self.store.began(number);
        let (outcome, landing) = watch::channel(None);
        let life = self.policy.life_of(identifier);
        let (read_at, used) = (now.elapsed, self.used);
        let entry = self.entries.entry(identifier.clone()).or_insert_with(|| Entry::new(life, read_at, used));
        entry.flight = Some(Flight { number, landing });
        Departure::Started(Ticket { identifier: identifier.clone(), number, pause, outcome })
    }

    /// The error, with what became of the value that was there.
    pub(super) fn explained(&self, identifier: &Identifier, error: ResolveError) -> ResolveError {
        let Some(entry) = self.entries.get(identifier) else { return error };
        match entry.too_old {
            Some(fetched_at) => {
                let fetched_at = crate::azure::error::moment(fetched_at);
                let note = format!("the password fetched at {fetched_at} is too old to be used on");
                let diagnosis = Arc::unwrap_or_clone(error.diagnosis).note(note);
                ResolveError { diagnosis: Arc::new(diagnosis) }
            }
            None => error,
        }
    }

    /// Takes in what the fetch of `ticket` brought, for which the store was asked at `at`.
    pub(super) fn land(
        &mut self,
        ticket: &Ticket,
        at: Moment,
        now: Moment,
        outcome: Result<Arc<Fetched>, ResolveError>,
        jitter: u8,
    ) {
        if !self.flown(ticket) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&ticket.identifier) else { return };
        let mut freed = 0;
        match outcome {
            Ok(fetched) => {
                entry.trouble = None;
                entry.too_old = None;
                freed += entry.wipe();
                let bytes = ENTRY_BYTES + ticket.identifier.as_str().len() + weight(&fetched);
                let value = Landed { fetched, at };
                let wanted = at.elapsed >= entry.not_before && value.age(now) < entry.life.served_for();
                if wanted && bytes <= self.policy.bytes_max {
                    entry.kept = Some(Kept { value, bytes });
                    self.bytes += bytes;
                }
                self.store.answered(now.elapsed);
            }
            Err(error) => {
                self.counts.failures += 1;
                match Kind::of(&error.diagnosis) {
                    Kind::Verdict => {
                        freed += entry.wipe();
                        self.store.answered(now.elapsed);
                    }
                    Kind::Outage => self.store.failed(&ticket.identifier, &error, (at.elapsed, now), jitter),
                    Kind::Mistake => {}
                }
                entry.trouble = Some(Trouble::after(entry.trouble.as_ref(), error, now, jitter));
            }
        }
        self.bytes -= freed;
        self.forget_if_empty(&ticket.identifier);
        self.make_room();
    }

    /// The fetch of `ticket` ended without an outcome: nobody is there any more to finish it.
    pub(super) fn abandon(&mut self, ticket: &Ticket) {
        self.flown(ticket);
        self.forget_if_empty(&ticket.identifier);
    }

    /// Takes the flight of `ticket` out of its entry; whether it was there.
    fn flown(&mut self, ticket: &Ticket) -> bool {
        self.store.ended(ticket.number);
        let entry = self.entries.get_mut(&ticket.identifier);
        entry.is_some_and(|entry| entry.flight.take_if(|flight| flight.number == ticket.number).is_some())
    }

    fn forget_if_empty(&mut self, identifier: &Identifier) {
        if self.entries.get(identifier).is_some_and(Entry::is_empty) {
            self.entries.remove(identifier);
        }
    }

    /// Lets go of the least recently used until the limits hold: first of what holds no value, so that a crowd of
    /// unknown identifiers pushes no value out. What is under way stays.
    fn make_room(&mut self) {
        while self.entries.len() > self.policy.entries_max || self.bytes > self.policy.bytes_max {
            let for_bytes = self.bytes > self.policy.bytes_max;
            let least = self
                .entries
                .iter()
                .filter(|(_, entry)| if for_bytes { entry.kept.is_some() } else { entry.flight.is_none() })
                .min_by_key(|(_, entry)| (entry.kept.is_some(), entry.used))
                .map(|(identifier, _)| identifier.clone());
            let Some(least) = least else { return };
            self.counts.evicted += 1;
            self.wipe(&least);
            if self.entries.get(&least).is_some_and(|entry| entry.flight.is_none()) {
                self.entries.remove(&least);
            }
        }
    }

    fn wipe(&mut self, identifier: &Identifier) {
        if let Some(entry) = self.entries.get_mut(identifier) {
            self.bytes -= entry.wipe();
        }
    }

    /// Wipes what is too old to be served and forgets what is long over.
    pub(super) fn sweep(&mut self, now: Moment) {
        let mut freed = 0;
        self.entries.retain(|_, entry| {
            freed += entry.expire(now);
            entry.trouble.take_if(|trouble| trouble.is_forgotten(now.elapsed));
            !entry.is_empty()
        });
        self.bytes -= freed;
    }

    /// Wipes the value of `identifier` and what is remembered of its failures. A fetch that is under way answers those
    /// who wait for it, and is not kept.
    pub(super) fn forget(&mut self, identifier: &Identifier, now: Moment) {
        self.wipe(identifier);
        if let Some(entry) = self.entries.get_mut(identifier) {
            (entry.trouble, entry.too_old, entry.not_before) = (None, None, now.elapsed);
        }
        self.forget_if_empty(identifier);
    }

    /// [`Self::forget`] for every identifier.
    pub(super) fn clear(&mut self, now: Moment) {
        let all: Vec<Identifier> = self.entries.keys().cloned().collect();
        all.iter().for_each(|identifier| self.forget(identifier, now));
    }
}

/// Bytes of the texts that a fetched secret holds.
fn weight(fetched: &Fetched) -> usize {
    let warnings: usize =
        fetched.warnings.iter().map(|warning| std::mem::size_of_val(warning) + warning.message.len()).sum();
    fetched.secret.expose_secret().len() + fetched.content_type.as_deref().map_or(0, str::len) + warnings
}

fn over_budget() -> ResolveError {
    let diagnosis = Diagnosis::error(&vault::THROTTLED, "too many identifiers are asked for at once")
        .cause("credstore asks a vault 40 times in a second at most, and the queue is full")
        .fix("wait half a minute, and ask for fewer identifiers")
        .retryable();
    ResolveError { diagnosis: Arc::new(diagnosis) }
}

#[cfg(test)]
mod tests {
    use credstore_protocol::{Secret, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::codes::{Code, identifiers};

    const FRESH: u64 = 300;
    const SERVED: u64 = 3_600;
    /// The wall clock at the start.
    const WALL: i64 = 1_000_000;

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment { wall: Timestamp(WALL + seconds.cast_signed()), elapsed: Duration::from_secs(seconds) }
    }

    fn state_with_room(entries: usize, bytes: usize) -> State {
        let life = Life::new(Duration::from_secs(FRESH), Duration::from_secs(SERVED)).unwrap();
        State::new(CachePolicy::default().with_life(life).with_room(entries, bytes))
    }

    fn state() -> State {
        state_with_room(16, 1 << 20)
    }

    fn value(length: usize) -> Result<Arc<Fetched>, ResolveError> {
        Ok(Arc::new(Fetched::bare(Secret::from("x".repeat(length)))))
    }

    fn failure(code: &'static Code) -> Result<Arc<Fetched>, ResolveError> {
        Err(ResolveError { diagnosis: Arc::new(Diagnosis::error(code, "no")) })
    }

    fn start(state: &mut State, name: &str, seconds: u64) -> Option<Ticket> {
        state.look(&id(name), Wanted::Usable, at(seconds)).start
    }

    /// Fetches at once, which must be possible.
    fn fetch(state: &mut State, name: &str, seconds: u64, outcome: Result<Arc<Fetched>, ResolveError>) {
        let ticket = start(state, name, seconds).unwrap();
        state.land(&ticket, at(seconds), at(seconds), outcome, 255);
    }

    /// `fresh`, `aged`, `not refreshed`, `wait`, or the code of the refusal; and whether it set off a fetch.
    fn seen(state: &mut State, name: &str, now: Moment) -> (&'static str, bool) {
        let Looked { look, start } = state.look(&id(name), Wanted::Usable, now);
        let words = match look {
            Look::Serve(resolved) => match resolved.freshness {
                Freshness::Fresh => "fresh",
                Freshness::Stale { reason: StaleReason::Aged, .. } => "aged",
                Freshness::Stale { reason: StaleReason::NotRefreshed(_), .. } => "not refreshed",
            },
            Look::Wait(_) => "wait",
            Look::Refuse(error) => error.diagnosis.code.id,
        };
        (words, start.map(|ticket| state.abandon(&ticket)).is_some())
    }

    #[test]
    fn a_value_is_fresh_then_stale_then_gone_to_the_second() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        assert_eq!(seen(&mut state, "Db", at(FRESH - 1)).0, "fresh");
        assert_eq!(seen(&mut state, "Db", at(FRESH)), ("aged", true));
        assert_eq!(seen(&mut state, "Db", at(SERVED - 1)), ("aged", true));
        assert_eq!(seen(&mut state, "Db", at(SERVED)), ("wait", true));
        assert_eq!(state.counts().bytes, 0);
    }

    #[test]
    fn what_is_kept_is_listed_by_identifier_until_it_is_too_old_and_listing_is_no_read() {
        let mut state = state();
        fetch(&mut state, "Smtp", 0, value(8));
        fetch(&mut state, "Db", 0, value(8));
        fetch(&mut state, "Gone", 0, failure(&identifiers::IDENTIFIER_UNKNOWN));
        let counts = state.counts();
        let listed = |seconds: u64| {
            let kept = state.kept(at(seconds)).into_iter();
            kept.map(|kept| (kept.identifier.to_string(), kept.age.as_secs(), kept.is_fresh)).collect::<Vec<_>>()
        };
        assert_eq!(listed(FRESH - 1), [("Db".to_owned(), FRESH - 1, true), ("Smtp".to_owned(), FRESH - 1, true)]);
        assert_eq!(listed(SERVED - 1)[1], ("Smtp".to_owned(), SERVED - 1, false));
        assert_eq!(listed(SERVED), []);
        assert_eq!(state.counts(), counts);
        assert_eq!(state.next_ahead(at(FRESH * 2)), None, "nobody read it");
    }

    /// What is refreshed ahead at this second, and in how many seconds there is more of it.
    fn ahead(state: &mut State, seconds: u64) -> (Vec<Ticket>, Option<u64>) {
        let tickets = state.refresh_ahead(at(seconds));
        (tickets, state.next_ahead(at(seconds)).map(|wait| wait.as_secs()))
    }

    #[test]
    fn a_value_in_use_is_refreshed_at_four_fifths_of_its_fresh_time() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        assert_eq!(ahead(&mut state, 0).1, Some(240));
        assert!(ahead(&mut state, 239).0.is_empty());
        let (mut tickets, next) = ahead(&mut state, 240);
        assert_eq!((tickets.len(), next), (1, None));
        assert!(ahead(&mut state, 241).0.is_empty(), "it is under way");
        state.land(&tickets.remove(0), at(240), at(241), value(8), 255);
        assert_eq!(seen(&mut state, "Db", at(479)), ("fresh", false));
    }

    #[test]
    fn a_value_that_was_not_read_within_its_fresh_time_is_left_alone() {
        for (read_at, refreshed) in [(180, true), (179, false)] {
            let mut state = state();
            fetch(&mut state, "Db", 0, value(8));
            assert_eq!(seen(&mut state, "Db", at(read_at)), ("fresh", false));
            let ticket = ahead(&mut state, 240).0.remove(0);
            state.land(&ticket, at(240), at(240), value(8), 255);
            // The next is due at 480, and only a read counts as one.
            assert_eq!(ahead(&mut state, 480).0.len(), usize::from(refreshed), "{read_at}");
        }
    }

    #[test]
    fn the_reader_who_comes_when_a_refresh_is_due_sets_it_off_and_is_answered() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        assert_eq!(seen(&mut state, "Db", at(239)), ("fresh", false));
        assert_eq!(seen(&mut state, "Db", at(240)), ("fresh", true));
    }

    #[test]
    fn a_refresh_ahead_that_fails_leaves_the_value_fresh_to_its_end() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        let ticket = ahead(&mut state, 240).0.remove(0);
        state.land(&ticket, at(240), at(240), failure(&vault::VAULT_FAULT), 255);
        assert_eq!(ahead(&mut state, 241).1, None, "its readers try again");
        assert_eq!(seen(&mut state, "Db", at(299)), ("fresh", false));
        assert_eq!(seen(&mut state, "Db", at(300)), ("not refreshed", true));
    }

    #[test]
    fn refreshes_ahead_keep_to_the_budget() {
        let mut state = state_with_room(1_000, 1 << 20);
        for number in 0..400u64 {
            // The budget of these is not what is tested.
            fetch(&mut state, &format!("A{number}"), 0, value(8));
            state.budget = Budget::default();
        }
        assert_eq!(ahead(&mut state, 240).0.len(), usize::try_from(budget::BURST).unwrap());
        assert_eq!(ahead(&mut state, 241).0.len(), 40, "in a second the budget has room for as many");
    }

    #[test]
    fn one_refresh_is_under_way_at_a_time() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        let ticket = start(&mut state, "Db", FRESH).unwrap();
        for _ in 0..60 {
            assert_eq!(seen(&mut state, "Db", at(FRESH)), ("aged", false));
        }
        state.land(&ticket, at(FRESH), at(FRESH + 1), value(8), 255);
        assert_eq!(seen(&mut state, "Db", at(2 * FRESH - 1)).0, "fresh");
        // The age counts from the question, not from the answer.
        assert_eq!(seen(&mut state, "Db", at(2 * FRESH)), ("aged", true));
    }

    #[test]
    fn the_wall_clock_neither_keeps_a_value_nor_ends_it() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        for wall in [0, i64::MIN, i64::MAX, WALL - 86_400, WALL + 366 * 86_400] {
            let shown = |seconds| Moment { wall: Timestamp(wall), ..at(seconds) };
            assert_eq!(seen(&mut state, "Db", shown(FRESH - 1)).0, "fresh", "{wall}");
            assert_eq!(seen(&mut state, "Db", shown(FRESH)), ("aged", true), "{wall}");
        }
        let back = Moment { wall: Timestamp(0), ..at(SERVED) };
        assert_eq!(seen(&mut state, "Db", back).0, "wait");
    }

    #[test]
    fn a_value_that_its_owner_lets_expire_is_judged_anew() {
        let mut state = state();
        let expires = Some(at(100).wall);
        let fetched = Fetched { expires, ..Fetched::bare(Secret::from("s3cret".to_owned())) };
        fetch(&mut state, "Db", 0, Ok(Arc::new(fetched)));
        assert_eq!(seen(&mut state, "Db", at(99)), ("fresh", false));
        assert_eq!(seen(&mut state, "Db", at(100)), ("aged", true));
    }

    #[test]
    fn what_the_store_says_about_a_secret_wipes_the_kept_value() {
        for code in [&identifiers::IDENTIFIER_UNKNOWN, &vault::DENIED_BY_POLICY, &vault::SECRET_DISABLED] {
            let mut state = state();
            fetch(&mut state, "Db", 0, value(8));
            fetch(&mut state, "Db", FRESH, failure(code));
            assert_eq!(state.counts().bytes, 0);
            assert_eq!(seen(&mut state, "Db", at(FRESH)), (code.id, false));
            assert_eq!(seen(&mut state, "Db", at(FRESH + 1)), ("wait", true));
        }
    }

    #[test]
    fn a_store_that_cannot_answer_leaves_the_kept_value_up_to_its_limit() {
        for code in [&vault::VAULT_FAULT, &vault::TIMED_OUT, &identifiers::NOT_A_SECRET_NAME] {
            let mut state = state();
            fetch(&mut state, "Db", 0, value(8));
            fetch(&mut state, "Db", FRESH, failure(code));
            assert_eq!(seen(&mut state, "Db", at(FRESH)), ("not refreshed", false));
            assert_eq!(seen(&mut state, "Db", at(FRESH + 1)), ("not refreshed", true));
            fetch(&mut state, "Db", SERVED - 1, failure(code));
            assert_eq!(seen(&mut state, "Db", at(SERVED)), (code.id, false));
        }
    }

    #[test]
    fn a_refusal_says_that_the_kept_value_is_too_old() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        fetch(&mut state, "Db", SERVED - 1, failure(&vault::TIMED_OUT));
        fetch(&mut state, "Db", SERVED, failure(&vault::TIMED_OUT));
        let Look::Refuse(error) = state.look(&id("Db"), Wanted::Usable, at(SERVED)).look else { panic!() };
        let note = "the password fetched at 1970-01-12T13:46:40Z is too old to be used on";
        assert_eq!(error.diagnosis.note.as_deref(), Some(note));
    }

    #[test]
    fn stale_says_since_when_and_why() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        let since = |state: &mut State, seconds| match state.look(&id("Db"), Wanted::Usable, at(seconds)).look {
            Look::Serve(Resolved { freshness: Freshness::Stale { since, .. }, .. }) => since.0 - WALL,
            other => panic!("{other:?}"),
        };
        fetch(&mut state, "Db", FRESH + 50, failure(&vault::VAULT_FAULT));
        fetch(&mut state, "Db", FRESH + 100, failure(&vault::TIMED_OUT));
        assert_eq!(since(&mut state, FRESH + 101), 350);
        let mut calm = self::state();
        fetch(&mut calm, "Db", 0, value(8));
        assert_eq!(since(&mut calm, FRESH + 70), 300);
    }

    #[test]
    fn unknown_identifiers_push_no_value_out() {
        let mut state = state_with_room(4, 1 << 20);
        fetch(&mut state, "Db", 0, value(8));
        for number in 0..100 {
            fetch(&mut state, &format!("No{number}"), 1 + number, failure(&identifiers::IDENTIFIER_UNKNOWN));
        }
        let counts = state.counts();
        assert_eq!((counts.entries, counts.evicted), (4, 97));
        assert_eq!(seen(&mut state, "Db", at(101)), ("fresh", false));
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut state = state_with_room(2, 1 << 20);
        fetch(&mut state, "A", 0, value(8));
        fetch(&mut state, "B", 0, value(8));
        assert_eq!(seen(&mut state, "A", at(1)), ("fresh", false));
        fetch(&mut state, "C", 2, value(8));
        assert_eq!(seen(&mut state, "A", at(3)), ("fresh", false));
        assert_eq!(seen(&mut state, "B", at(3)), ("wait", true));
    }

    #[test]
    fn room_in_bytes_holds_to_the_byte() {
        let one = ENTRY_BYTES + 1 + 100;
        for (room, kept) in [(2 * one, 2), (2 * one - 1, 1), (one, 1), (one - 1, 0)] {
            let mut state = state_with_room(16, room);
            fetch(&mut state, "A", 0, value(100));
            fetch(&mut state, "B", 0, value(100));
            assert_eq!(state.counts().bytes, kept * one, "{room}");
        }
    }

    #[test]
    fn a_value_without_a_life_is_handed_out_and_not_kept() {
        let none = Life::new(Duration::ZERO, Duration::ZERO).unwrap();
        let mut state = State::new(CachePolicy::default().with_life(none));
        fetch(&mut state, "Db", 0, value(8));
        assert_eq!((state.counts().bytes, state.counts().entries), (0, 0));
        assert_eq!(seen(&mut state, "Db", at(0)), ("wait", true));
    }

    #[test]
    fn what_was_under_way_when_the_cache_was_cleared_is_not_kept() {
        let mut state = state();
        let ticket = start(&mut state, "Db", 5).unwrap();
        state.clear(at(6));
        let Look::Wait(waiting) = state.look(&id("Db"), Wanted::Usable, at(7)).look else { panic!() };
        assert_eq!(waiting.not_before, Duration::from_secs(6));
        state.land(&ticket, at(5), at(8), value(8), 0);
        assert_eq!(seen(&mut state, "Db", at(8)), ("wait", true));
    }

    #[test]
    fn forgetting_ends_the_memory_of_a_failure() {
        let mut state = state();
        fetch(&mut state, "Db", 0, failure(&identifiers::IDENTIFIER_UNKNOWN));
        assert_eq!(seen(&mut state, "Db", at(0)), ("CS2004", false));
        state.forget(&id("Db"), at(0));
        assert_eq!(seen(&mut state, "Db", at(0)), ("wait", true));
    }

    #[test]
    fn sweeping_wipes_what_nobody_asked_for_again() {
        let mut state = state();
        fetch(&mut state, "Db", 0, value(8));
        fetch(&mut state, "No", 0, failure(&identifiers::IDENTIFIER_UNKNOWN));
        state.sweep(at(SERVED - 1));
        assert_eq!(state.counts().entries, 1);
        state.sweep(at(SERVED));
        assert_eq!((state.counts().entries, state.counts().bytes), (0, 0));
    }

    /// One step of the simulation: what happens, to which of four identifiers.
    #[derive(Clone, Debug)]
    enum Step {
        Pass(u64),
        Wall(i64),
        Look(u8),
        Refresh(u8),
        /// The oldest fetch under way ends so: 0 to 3 a value, then verdict, outage, mistake, abandoned.
        End(u8),
        Forget(u8),
        Clear,
        Sweep,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..400u64).prop_map(Step::Pass),
            1 => any::<i64>().prop_map(Step::Wall),
            8 => (0..4u8).prop_map(Step::Look),
            2 => (0..4u8).prop_map(Step::Refresh),
            6 => (0..8u8).prop_map(Step::End),
            1 => (0..4u8).prop_map(Step::Forget),
            1 => Just(Step::Clear),
            1 => Just(Step::Sweep),
        ]
    }

    /// A state, the clock, and the fetches under way with the time at which the store was asked.
    struct World {
        state: State,
        now: Moment,
        under_way: Vec<(Ticket, Moment)>,
        /// For each value, by its length: when the store was asked for it.
        asked: Vec<Duration>,
    }

    impl World {
        fn look(&mut self, name: u8, wanted: Wanted) {
            let Looked { look, start } = self.state.look(&id(&format!("A{name}")), wanted, self.now);
            if let Look::Serve(resolved) = look {
                let asked = self.asked[resolved.secret().expose_secret().len() - 1];
                let age = self.now.elapsed - asked;
                assert_eq!(resolved.age, age, "the age is told");
                assert!(age < Duration::from_secs(SERVED), "never served beyond the hard limit");
                let fresh = resolved.freshness.is_fresh();
                assert!(!fresh || age < Duration::from_secs(FRESH), "never fresh beyond");
            }
            if let Some(ticket) = start {
                let same = self.under_way.iter().any(|(other, _)| other.identifier == ticket.identifier);
                assert!(!same, "at most one fetch of an identifier is under way");
                self.under_way.push((ticket, self.now));
            }
        }

        fn end(&mut self, how: u8) {
            if self.under_way.is_empty() {
                return;
            }
            let (ticket, at) = self.under_way.remove(0);
            let outcome = match how {
                0..4 => {
                    self.asked.push(at.elapsed);
                    value(self.asked.len())
                }
                4 => failure(&identifiers::IDENTIFIER_UNKNOWN),
                5 => failure(&vault::VAULT_FAULT),
                6 => failure(&identifiers::NOT_A_SECRET_NAME),
                _ => return self.state.abandon(&ticket),
            };
            self.state.land(&ticket, at, self.now, outcome, how * 30);
        }

        fn does(&mut self, step: &Step) {
            match *step {
                Step::Pass(seconds) => self.now.elapsed += Duration::from_secs(seconds),
                Step::Wall(wall) => self.now.wall = Timestamp(wall),
                Step::Look(name) => self.look(name, Wanted::Usable),
                Step::Refresh(name) => self.look(name, Wanted::AskedSince(self.now.elapsed)),
                Step::End(how) => self.end(how),
                Step::Forget(name) => self.state.forget(&id(&format!("A{name}")), self.now),
                Step::Clear => self.state.clear(self.now),
                Step::Sweep => self.state.sweep(self.now),
            }
            let kept: usize =
                self.state.entries.values().filter_map(|entry| entry.kept.as_ref()).map(|k| k.bytes).sum();
            assert_eq!(self.state.bytes, kept, "the bytes are counted right");
            assert!(self.state.bytes <= self.state.policy.bytes_max);
            assert!(self.state.entries.len() <= self.state.policy.entries_max + self.under_way.len());
            let flights = self.state.entries.values().filter(|entry| entry.flight.is_some()).count();
            assert_eq!(flights, self.under_way.len(), "what is under way is known");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn the_laws_hold_whatever_happens(steps in proptest::collection::vec(step(), 1..200)) {
            let state = state_with_room(3, 2 * ENTRY_BYTES + 200);
            let mut world = World { state, now: at(0), under_way: Vec::new(), asked: Vec::new() };
            steps.iter().for_each(|step| world.does(step));
        }
    }
}
