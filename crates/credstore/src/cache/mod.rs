//! A resolver that keeps what it fetched, for programs that run on: fresh for minutes, served while it is refreshed,
//! refused when it is too old.
//!
//! What a reader may rely on:
//! - A value that is read at least once in its fresh time is refreshed in the background at 80 % of that time, so a
//!   rotated password is seen within it. The first read after a longer rest gets the old value at once, marked stale,
//!   and sets off the refresh.
//! - While the store cannot be asked, a kept value is served, marked stale, up to the hard limit of 8 hours. An answer
//!   of a vault's firewall counts as such an outage. That there is no such secret, or that we may not have it, is a
//!   verdict: it wipes the kept value.
//! - Past the hard limit, as without a value, a reader waits for the store: [`PROBE_WAIT`] while it is known to be away,
//!   else up to [`FETCH_MAX`], and is refused with the store's error.
//! - Identifiers are told apart as they are written. For a credential file case matters; a vault ignores it, and asking
//!   for `Db` and `db` keeps two values.
//!
//! The decisions are in `cache/state.rs`, pure and without a clock; here are the tasks and the waiting. Each fetch is a task
//! of its own, so that no caller who goes away takes it along. Nothing is written to a disk. A command that asks once
//! needs none of this: that is [`Resolver`].

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use credstore_protocol::{Identifier, SecretVersion, SteadyClock, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;

mod budget;
mod policy;
mod state;
mod trouble;

pub use budget::{BURST, INTERVAL, WAIT_MAX};
pub use policy::{BYTES_MAX, CachePolicy, ENTRIES_MAX, FRESH_FOR, InvalidLife, Life, SERVED_FOR, SERVED_FOR_MAX};
pub use trouble::{REMEMBERED_FIRST, REMEMBERED_MAX, RETRY_AFTER_MAX};

use self::state::{Landed, Look, Looked, Outcome, State, Ticket, Waiting, Wanted};
use crate::azure::retry;
use crate::codes::{internal, vault};
use crate::diagnosis::Diagnosis;
use crate::resolver::{ResolveError, Resolved, Resolver};
use crate::store::Store;

/// The longest that a store may take for one secret. Ours: [`retry::PATIENCE`] and half as much again; a store that
/// hangs for longer would hang for ever.
pub const FETCH_MAX: Duration = Duration::from_secs(90);
/// How long a caller waits for the next try of a store that was away at the last one. Ours: half of the two seconds in
/// which an answer must be there during an outage.
pub const PROBE_WAIT: Duration = Duration::from_secs(1);
/// A value for which the store was asked within this time counts as refreshed. Ours: a program that reports login
/// failures in a loop asks the vault once a second.
pub const REFRESH_SPACING: Duration = Duration::from_secs(1);
/// How often values that nobody asks for are looked through for those that are too old. Ours: a value is in memory for
/// at most this long after it was last served.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// The shortest pause between two looks for values that are due to be refreshed ahead. Ours.
pub const AHEAD_EVERY: Duration = Duration::from_secs(1);
/// Most identifiers that a prefetch asks for at the same time. Ours: a start is quick and no vault is stormed.
pub const PREFETCHED_AT_ONCE: usize = 16;
/// How often one question waits for fetches that end without a usable outcome. Ours; two are the rule, one that began
/// too early and the next.
const ROUNDS_MAX: usize = 8;

/// One moment on both clocks: the wall clock is for people and for dates, the steady one for durations.
#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: Timestamp,
    elapsed: Duration,
}

/// What happened so far, and what is kept now. None of it is secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Answers from memory that were fresh.
    pub hits: u64,
    /// Answers from memory that were stale and said so.
    pub stale: u64,
    /// Questions that waited for the fetch of another.
    pub joined: u64,
    /// Questions put to the store.
    pub fetches: u64,
    /// Of those, how many brought no secret.
    pub failures: u64,
    /// Questions answered by the memory of a failure.
    pub refused: u64,
    /// Fetches that did not go out because the vault's budget was used up.
    pub over_budget: u64,
    /// What was let go to make room.
    pub evicted: u64,
    /// Identifiers that are remembered.
    pub entries: usize,
    /// Bytes of the kept secrets, bookkeeping included.
    pub bytes: usize,
}

/// One value that is kept, without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptValue {
    /// Under which it is kept.
    pub identifier: Identifier,
    /// Its version, where the store has versions.
    pub version: Option<SecretVersion>,
    /// When the store was asked for it, as the wall clock showed it then.
    pub fetched_at: Timestamp,
    /// How long ago that was.
    pub age: Duration,
    /// Whether it would be served as fresh now.
    pub is_fresh: bool,
}

/// Resolves identifiers from one store and keeps what it gave. Clones share everything.
///
/// It starts tasks: its methods are called within a tokio runtime. The clock is the program's; its steady side is
/// [`since_boot`](crate::platform::since_boot).
///
/// ```
/// # use std::{sync::Arc, time::{Duration, SystemTime, UNIX_EPOCH}};
/// use credstore::cache::{CachePolicy, CachingResolver, Life};
/// use credstore::protocol::{Clock, Secret, SteadyClock, Timestamp};
/// # use credstore::store::file::FileStore;
///
/// struct SystemClock;
/// impl Clock for SystemClock {
///     fn now(&self) -> Timestamp {
///         let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
///         Timestamp(since.as_secs() as i64)
///     }
/// }
/// impl SteadyClock for SystemClock {
///     fn elapsed(&self) -> Duration {
///         credstore::platform::since_boot()
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = FileStore::new("credential_store.json");
/// let often = Life::new(Duration::from_secs(60), Duration::from_secs(3600))?;
/// let policy = CachePolicy::default().with_life_of("SmtpRelay".parse()?, often);
/// let resolver = CachingResolver::new(Arc::new(store), Arc::new(SystemClock), policy);
/// let resolved = resolver.resolve(&"SmtpRelay".parse()?).await?;
/// if !resolved.freshness.is_fresh() {
///     eprintln!("the password is {} s old", resolved.age.as_secs());
/// }
/// # let _: &Secret = resolved.secret();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CachingResolver {
    shared: Arc<Shared>,
}

struct Shared {
    resolver: Resolver,
    clock: Arc<dyn SteadyClock>,
    state: Mutex<State>,
    /// Whether the task that keeps the house is there.
    is_kept: AtomicBool,
    /// Wakes it: there is a new value.
    landed: Arc<Notify>,
}

impl CachingResolver {
    /// A resolver for what `store` holds. Nothing is asked yet.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn SteadyClock>, policy: CachePolicy) -> Self {
        let (resolver, state) = (Resolver::new(store), Mutex::new(State::new(policy)));
        let (is_kept, landed) = (AtomicBool::new(false), Arc::default());
        Self { shared: Arc::new(Shared { resolver, clock, state, is_kept, landed }) }
    }

    /// The store that is asked.
    pub fn store(&self) -> &dyn Store {
        self.shared.resolver.store()
    }

    /// The secret behind `identifier`, with its age and whether it is fresh.
    ///
    /// A stale one is answered at once, and one fetch goes out to refresh it. Callers without any value wait for one
    /// fetch together, whatever becomes of the one who came first.
    ///
    /// # Errors
    /// What the store said, now or a moment ago: failures are remembered for at most [`REMEMBERED_MAX`], or for as long
    /// as the vault asks to wait. A value that is too old is not served in place of an error.
    pub async fn resolve(&self, identifier: &Identifier) -> Result<Resolved, ResolveError> {
        self.wanted(identifier, Wanted::Usable).await
    }

    /// The secret as the store has it now: for a caller whose login was refused with the kept one, and for an
    /// administrator. The kept one stays when the store cannot be asked.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn refresh(&self, identifier: &Identifier) -> Result<Resolved, ResolveError> {
        let since = self.shared.now().elapsed.saturating_sub(REFRESH_SPACING);
        self.wanted(identifier, Wanted::AskedSince(since)).await
    }

    /// Resolves identifiers before anybody asks for them, each once, [`PREFETCHED_AT_ONCE`] at a time.
    ///
    /// Answers those that have no value, in their order, each with why. They hold the others up no longer than their
    /// own questions take.
    pub async fn prefetch(&self, identifiers: impl IntoIterator<Item = Identifier>) -> Vec<(Identifier, ResolveError)> {
        let mut known = HashSet::new();
        let each = identifiers.into_iter().filter(|identifier| known.insert(identifier.clone()));
        let (mut asked, mut failed) = (JoinSet::new(), Vec::new());
        for (at, identifier) in each.enumerate() {
            if asked.len() == PREFETCHED_AT_ONCE {
                failed.extend(asked.join_next().await);
            }
            let resolver = self.clone();
            asked.spawn(async move {
                let failure = resolver.resolve(&identifier).await.err();
                failure.map(|error| (at, identifier, error))
            });
        }
        while let Some(done) = asked.join_next().await {
            failed.push(done);
        }
        // A task that did not end was cut off with its runtime, and nobody is told anything any more.
        let mut failed: Vec<_> = failed.into_iter().filter_map(Result::ok).flatten().collect();
        failed.sort_by_key(|(at, ..)| *at);
        failed.into_iter().map(|(_, identifier, error)| (identifier, error)).collect()
    }

    /// Wipes the value of one identifier, and what is remembered of its failures.
    pub fn forget(&self, identifier: &Identifier) {
        let now = self.shared.now();
        self.shared.state().forget(identifier, now);
    }

    /// Wipes all values, and what is remembered of failures.
    pub fn clear(&self) {
        let now = self.shared.now();
        self.shared.state().clear(now);
    }

    /// What is kept, by identifier.
    pub fn kept(&self) -> Vec<KeptValue> {
        let now = self.shared.now();
        self.shared.state().kept(now)
    }

    /// What happened so far.
    pub fn counts(&self) -> CacheCounts {
        self.shared.state().counts()
    }

    async fn wanted(&self, identifier: &Identifier, wanted: Wanted) -> Result<Resolved, ResolveError> {
        for _ in 0..ROUNDS_MAX {
            let now = self.shared.now();
            let Looked { look, start } = self.shared.state().look(identifier, wanted, now);
            if let Some(ticket) = start {
                tokio::spawn(self.shared.clone().fly(ticket));
            }
            let waiting = match look {
                Look::Serve(resolved) => return Ok(resolved),
                Look::Refuse(error) => return Err(error),
                Look::Wait(waiting) => waiting,
            };
            if let Some(outcome) = waiting.outcome().await {
                let (state, now) = (self.shared.state(), self.shared.now());
                return match outcome {
                    Ok(landed) => Ok(landed.resolved(state.life_of(identifier), false, now)),
                    Err(error) => Err(state.explained(identifier, error)),
                };
            }
        }
        Err(bug("fetches ended without an outcome, one after the other"))
    }
}

impl Waiting {
    /// What the fetch brought; `None` when that will not do and another is needed.
    async fn outcome(mut self) -> Option<Outcome> {
        let landed = async {
            let outcome = self.landing.wait_for(Option::is_some).await.ok()?;
            outcome.clone()
        };
        let outcome = match self.otherwise {
            None => landed.await,
            Some(known) => tokio::time::timeout(PROBE_WAIT, landed).await.unwrap_or(Some(Err(known))),
        };
        outcome.filter(|outcome| outcome.as_ref().map_or(true, |landed| landed.at.elapsed >= self.not_before))
    }
}

/// A fetch on its way. Dropped without an outcome it clears the way for the next.
struct Flying {
    shared: Arc<Shared>,
    ticket: Option<Ticket>,
    at: Moment,
}

impl Flying {
    fn land(&mut self, outcome: Result<Arc<crate::store::Fetched>, ResolveError>) {
        let Some(ticket) = self.ticket.take() else { return };
        let landed = outcome.clone().map(|fetched| Landed { fetched, at: self.at });
        let now = self.shared.now();
        self.shared.state().land(&ticket, self.at, now, outcome, retry::jitter());
        ticket.outcome.send_replace(Some(landed));
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.land(Err(bug("the credential store panicked")));
        } else if let Some(ticket) = self.ticket.take() {
            self.shared.state().abandon(&ticket);
        }
    }
}

impl Shared {
    fn now(&self) -> Moment {
        Moment { wall: self.clock.now(), elapsed: self.clock.elapsed() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fly(self: Arc<Self>, ticket: Ticket) {
        let (identifier, pause) = (ticket.identifier.clone(), ticket.pause);
        let at = self.now();
        let mut flying = Flying { shared: self.clone(), ticket: Some(ticket), at };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
            flying.at = self.now();
        }
        let fetch = self.resolver.fetch(&identifier, flying.at.wall);
        let outcome = tokio::time::timeout(FETCH_MAX, fetch).await.unwrap_or_else(|_| Err(self.hangs()));
        flying.land(outcome);
        self.landed.notify_one();
        self.keep_house();
    }

    fn hangs(&self) -> ResolveError {
        let diagnosis = Diagnosis::error(&vault::TIMED_OUT, "the credential store does not answer")
            .cause(format!("{} gave no answer in {} s", self.resolver.store().describe(), FETCH_MAX.as_secs()))
            .fix("try again later")
            .retryable();
        ResolveError { diagnosis: Arc::new(diagnosis) }
    }

    /// Wipes what is too old and refreshes ahead what is in use, as long as somebody holds the resolver.
    fn keep_house(self: &Arc<Self>) {
        if self.is_kept.swap(true, Ordering::AcqRel) {
            return;
        }
        let (housekeeping, landed) = (Housekeeping(Arc::downgrade(self)), self.landed.clone());
        tokio::spawn(async move {
            while let Some(pause) = housekeeping.round() {
                tokio::time::sleep(AHEAD_EVERY.min(pause)).await;
                let rest = pause.saturating_sub(AHEAD_EVERY);
                let _ = tokio::time::timeout(rest, landed.notified()).await;
            }
        });
    }
}

/// The task of one runtime that keeps the house; when that runtime ends first, the next fetch starts another.
struct Housekeeping(Weak<Shared>);

impl Housekeeping {
    /// Does what is to be done now, and says how long nothing is; `None` when nobody holds the resolver any more.
    fn round(&self) -> Option<Duration> {
        let shared = self.0.upgrade()?;
        let now = shared.now();
        let (tickets, next) = {
            let mut state = shared.state();
            state.sweep(now);
            (state.refresh_ahead(now), state.next_ahead(now))
        };
        for ticket in tickets {
            tokio::spawn(shared.clone().fly(ticket));
        }
        Some(next.unwrap_or(SWEEP_EVERY).clamp(AHEAD_EVERY, SWEEP_EVERY))
    }
}

impl Drop for Housekeeping {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.is_kept.store(false, Ordering::Release);
        }
    }
}

fn bug(cause: &str) -> ResolveError {
    let diagnosis = Diagnosis::error(&internal::BUG, "the credential store was not asked to the end")
        .cause(cause)
        .fix("report it: credstore explain CS9001");
    ResolveError { diagnosis: Arc::new(diagnosis) }
}
