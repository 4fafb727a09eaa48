//! The resolver that keeps: crowds, outages, rotations and clocks, in simulated time.
//!
//! The runtime's clock stands still and is moved by the tests, so that an hour takes no time and nothing is awaited
//! by chance.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use credstore::cache::{
    CachePolicy, CachingResolver, FETCH_MAX, FRESH_FOR, Life, PREFETCHED_AT_ONCE, PROBE_WAIT, SERVED_FOR, SWEEP_EVERY,
};
use credstore::codes::{identifiers, vault as codes};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::{Clock, Identifier, Secret, SteadyClock, Timestamp};
use credstore::resolver::{Freshness, ResolveError, Resolved, StaleReason};
use credstore::store::azure_key_vault::AzureKeyVaultStore;
use credstore::store::{Fetched, Fetching, Store, StoreError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::azure_support::{Fake, Folder, NOW, bundle, reply};
use crate::resolver::settings;

/// The runtime's clock, and a wall clock that can be set.
struct RuntimeClock {
    began: Instant,
    set_by: AtomicI64,
}

impl RuntimeClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), set_by: AtomicI64::new(0) })
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp((NOW + self.elapsed()).0.saturating_add(self.set_by.load(Ordering::SeqCst)))
    }
}

impl SteadyClock for RuntimeClock {
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// What the upstream does with a question.
#[derive(Clone)]
enum Doing {
    Gives(&'static str),
    /// To everybody but this identifier, which is unknown.
    GivesExcept(&'static str),
    Unknown,
    Fails(Option<Duration>),
    Hangs,
    Panics,
}

/// A store that is counted: how often it was asked, and by how many at the same time.
struct Upstream {
    doing: Mutex<Doing>,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    at_once_max: AtomicUsize,
    /// Each answer takes one permit; closed when answers come at once.
    gate: Semaphore,
}

/// Counts one question out again, also when it is dropped half-way.
struct Asking<'a>(&'a Upstream);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream {
    fn new(doing: Doing) -> Arc<Self> {
        let upstream = Self::gated(doing);
        upstream.gate.close();
        upstream
    }

    fn gated(doing: Doing) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        let (asked, at_once, at_once_max) = (zero(), zero(), zero());
        Arc::new(Self { doing: Mutex::new(doing), asked, at_once, at_once_max, gate: Semaphore::new(0) })
    }

    fn now_does(&self, doing: Doing) {
        *self.doing.lock().unwrap() = doing;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn most_at_once(&self) -> usize {
        self.at_once_max.load(Ordering::SeqCst)
    }

    async fn answer(&self, identifier: &Identifier) -> Result<Fetched, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once_max.fetch_max(at_once, Ordering::SeqCst);
        let _asking = Asking(self);
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
        let doing = self.doing.lock().unwrap().clone();
        match doing {
            Doing::Gives(value) => Ok(Fetched::bare(Secret::from(value.to_owned()))),
            Doing::GivesExcept(unknown) if identifier.as_str() != unknown => {
                Ok(Fetched::bare(Secret::from("given".to_owned())))
            }
            Doing::GivesExcept(_) | Doing::Unknown => {
                Err(StoreError::not_among(identifier, self.describe(), std::iter::empty()))
            }
            Doing::Fails(retry_after) => {
                Err(Diagnosis { retry_after, ..Diagnosis::error(&codes::VAULT_FAULT, "500") }.into())
            }
            Doing::Hangs => std::future::pending().await,
            Doing::Panics => panic!("the upstream of a test"),
        }
    }
}

impl Store for Upstream {
    fn fetch<'a>(&'a self, identifier: &'a Identifier, _: Timestamp) -> Fetching<'a> {
        Box::pin(self.answer(identifier))
    }

    fn describe(&self) -> String {
        "an upstream".to_owned()
    }
}

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

fn caching(upstream: &Arc<Upstream>) -> CachingResolver {
    CachingResolver::new(upstream.clone(), RuntimeClock::new(), CachePolicy::default())
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
    settle().await;
}

/// Lets every task go as far as it can without time passing.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn value_of(resolver: &CachingResolver, name: &str) -> String {
    resolver.resolve(&id(name)).await.unwrap().secret().expose_secret().to_owned()
}

fn code(outcome: Result<Resolved, ResolveError>) -> &'static str {
    outcome.unwrap_err().diagnosis.code.id
}

fn crowd(resolver: &CachingResolver, count: usize) -> Vec<tokio::task::JoinHandle<Result<Resolved, ResolveError>>> {
    let ask = |_| {
        let resolver = resolver.clone();
        tokio::spawn(async move { resolver.resolve(&id("Db")).await })
    };
    (0..count).map(ask).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_readers_make_one_call_and_later_ones_none() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    for reader in crowd(&resolver, 1000) {
        let resolved = reader.await.unwrap().unwrap();
        assert_eq!(resolved.secret().expose_secret(), "s3cret");
        assert!(resolved.freshness.is_fresh());
    }
    pass(239).await;
    let resolved = resolver.resolve(&id("Db")).await.unwrap();
    assert_eq!((resolved.age.as_secs(), resolved.cached, resolved.fetched_at), (239, true, NOW));
    assert!(resolved.freshness.is_fresh());
    assert_eq!(upstream.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_whose_first_callers_go_away_still_makes_one_call() {
    let upstream = Upstream::gated(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    let mut readers = crowd(&resolver, 1000);
    settle().await;
    readers.drain(..500).for_each(|reader| reader.abort());
    settle().await;
    upstream.gate.add_permits(1);
    for reader in readers {
        assert!(reader.await.unwrap().is_ok());
    }
    assert_eq!(upstream.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_goes_away_whole_leaves_a_value_for_the_next() {
    let upstream = Upstream::gated(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    let readers = crowd(&resolver, 100);
    settle().await;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    upstream.gate.add_permits(1);
    settle().await;
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    assert_eq!(upstream.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_answers_the_whole_crowd_with_one_call() {
    let upstream = Upstream::gated(Doing::Panics);
    let resolver = caching(&upstream);
    let readers = crowd(&resolver, 100);
    settle().await;
    upstream.gate.add_permits(1);
    for reader in readers {
        assert_eq!(code(reader.await.unwrap()), "CS9001");
    }
    assert_eq!(code(resolver.resolve(&id("Db")).await), "CS9001");
    assert_eq!(upstream.asked(), 1);
    upstream.now_does(Doing::Gives("s3cret"));
    upstream.gate.add_permits(1);
    pass(1).await;
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
}

#[tokio::test(start_paused = true)]
async fn an_error_answers_the_whole_crowd_with_one_call() {
    let upstream = Upstream::new(Doing::Unknown);
    let resolver = caching(&upstream);
    for reader in crowd(&resolver, 1000) {
        assert_eq!(code(reader.await.unwrap()), identifiers::IDENTIFIER_UNKNOWN.id);
    }
    assert_eq!(upstream.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_ends_with_the_fetch_under_way_leaves_it_to_the_next() {
    let upstream = Upstream::gated(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    let elsewhere = resolver.clone();
    let short_lived = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(async move { elsewhere.resolve(&id("Db")).await });
            settle().await;
        });
    });
    short_lived.join().unwrap();
    assert_eq!(upstream.asked(), 1);
    let reader = crowd(&resolver, 1).remove(0);
    settle().await;
    upstream.gate.add_permits(2);
    assert_eq!(reader.await.unwrap().unwrap().secret().expose_secret(), "s3cret");
}

#[tokio::test(start_paused = true)]
async fn readers_past_the_fresh_time_are_answered_at_once_while_one_refresh_runs() {
    let upstream = Upstream::new(Doing::Gives("old"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "old");
    upstream.now_does(Doing::Hangs);
    pass(FRESH_FOR.as_secs()).await;
    let before = Instant::now();
    for reader in crowd(&resolver, 60) {
        let resolved = reader.await.unwrap().unwrap();
        let Freshness::Stale { reason: StaleReason::Aged, since } = resolved.freshness else { panic!() };
        assert_eq!((since, resolved.age), (NOW + FRESH_FOR, FRESH_FOR));
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!((upstream.asked(), upstream.most_at_once()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn after_a_long_rest_the_old_password_is_answered_once_and_the_rotated_one_from_then_on() {
    let upstream = Upstream::new(Doing::Gives("old"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "old");
    upstream.now_does(Doing::Gives("new"));
    pass(FRESH_FOR.as_secs() + 1).await;
    assert_eq!(value_of(&resolver, "Db").await, "old");
    settle().await;
    assert_eq!(value_of(&resolver, "Db").await, "new");
}

#[tokio::test(start_paused = true)]
async fn in_steady_use_a_rotated_password_is_seen_within_the_fresh_time_and_nothing_is_ever_stale() {
    for pause in [1, 7, 60, 299] {
        let upstream = Upstream::new(Doing::Gives("old"));
        let resolver = caching(&upstream);
        assert_eq!(value_of(&resolver, "Db").await, "old");
        upstream.now_does(Doing::Gives("new"));
        let mut passed = 0;
        while passed < 3_000 {
            for _ in 0..pause {
                pass(1).await;
            }
            passed += pause;
            let resolved = resolver.resolve(&id("Db")).await.unwrap();
            assert!(resolved.freshness.is_fresh(), "{passed}");
            let value = resolved.secret().expose_secret();
            assert!(value == "new" || passed < 300 && value == "old", "{value} after {passed} s");
        }
        // One at the start, then one in 240 seconds; none is asked for twice.
        assert!((12..=14).contains(&upstream.asked()), "{} with {pause}", upstream.asked());
        assert_eq!(upstream.most_at_once(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_refreshed_once_and_then_left_alone() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    for _ in 0..3_600 {
        pass(1).await;
    }
    assert_eq!(upstream.asked(), 2);
    let resolved = resolver.resolve(&id("Db")).await.unwrap();
    assert!(matches!(resolved.freshness, Freshness::Stale { reason: StaleReason::Aged, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_nobody_holds_asks_no_more() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    settle().await;
    drop(resolver);
    pass(300).await;
    assert_eq!((upstream.asked(), Arc::strong_count(&upstream)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_password_is_there_at_once_after_a_clear_or_a_refresh() {
    let upstream = Upstream::new(Doing::Gives("old"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "old");
    pass(2).await;
    upstream.now_does(Doing::Gives("new"));
    assert_eq!(value_of(&resolver, "Db").await, "old");
    let refreshed = resolver.refresh(&id("Db")).await.unwrap();
    assert_eq!((refreshed.secret().expose_secret(), refreshed.cached), ("new", false));
    assert_eq!(value_of(&resolver, "Db").await, "new");
    upstream.now_does(Doing::Gives("newer"));
    resolver.clear();
    assert_eq!(value_of(&resolver, "Db").await, "newer");
    assert_eq!(upstream.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_take_the_answer_of_a_question_that_was_put_before_it() {
    let upstream = Upstream::gated(Doing::Gives("old"));
    let resolver = caching(&upstream);
    let reader = crowd(&resolver, 1).remove(0);
    settle().await;
    pass(2).await;
    let refreshing = {
        let resolver = resolver.clone();
        tokio::spawn(async move { resolver.refresh(&id("Db")).await })
    };
    settle().await;
    upstream.gate.add_permits(1);
    assert_eq!(reader.await.unwrap().unwrap().secret().expose_secret(), "old");
    upstream.now_does(Doing::Gives("new"));
    upstream.gate.add_permits(1);
    assert_eq!(refreshing.await.unwrap().unwrap().secret().expose_secret(), "new");
    assert_eq!((upstream.asked(), upstream.most_at_once()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_refreshes_in_a_loop_asks_once_a_second() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    for _ in 0..1000 {
        resolver.refresh(&id("Db")).await.unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert!((9..=11).contains(&upstream.asked()), "{}", upstream.asked());
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_upstream_fails_no_reader_and_ends_with_one_refresh() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    upstream.now_does(Doing::Fails(None));
    for second in 1..=3_600 {
        pass(1).await;
        for _ in 0..20 {
            let before = Instant::now();
            let resolved = resolver.resolve(&id("Db")).await.unwrap();
            assert_eq!((resolved.freshness.is_fresh(), before.elapsed()), (second < 300, Duration::ZERO));
        }
    }
    // 3,300 seconds of trouble with pauses of up to 30 seconds, none shorter than half of that in the long run.
    assert!((100..=230).contains(&upstream.asked()), "{}", upstream.asked());
    assert_eq!(upstream.most_at_once(), 1);
    upstream.now_does(Doing::Gives("s3cret"));
    pass(30).await;
    resolver.resolve(&id("Db")).await.unwrap();
    settle().await;
    assert!(resolver.resolve(&id("Db")).await.unwrap().freshness.is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_value_is_refused_from_its_limit_on_and_the_error_says_so() {
    for doing in [Doing::Fails(None), Doing::Hangs] {
        let upstream = Upstream::new(Doing::Gives("s3cret"));
        let resolver = caching(&upstream);
        assert_eq!(value_of(&resolver, "Db").await, "s3cret");
        upstream.now_does(doing);
        let minutes = SERVED_FOR.as_secs() / 60;
        for _ in 1..minutes {
            pass(60).await;
            assert!(resolver.resolve(&id("Db")).await.is_ok());
        }
        pass(60).await;
        let before = Instant::now();
        let error = resolver.resolve(&id("Db")).await.unwrap_err();
        assert!(before.elapsed() <= PROBE_WAIT);
        assert!(error.diagnosis.note.as_deref().unwrap().contains("too old"), "{error:?}");
        // Whoever asks next is answered without any waiting.
        let before = Instant::now();
        resolver.resolve(&id("Db")).await.unwrap_err();
        assert!(before.elapsed() <= PROBE_WAIT);
        upstream.now_does(Doing::Gives("s3cret"));
        // The question under way ends at last, and its failure is remembered for half a minute.
        pass(FETCH_MAX.as_secs()).await;
        pass(30).await;
        assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up() {
    let upstream = Upstream::new(Doing::Hangs);
    let resolver = caching(&upstream);
    let before = Instant::now();
    assert_eq!(code(resolver.resolve(&id("Db")).await), codes::TIMED_OUT.id);
    assert_eq!(before.elapsed(), FETCH_MAX);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_one_question_at_a_time_goes_out_for_all_identifiers() {
    let upstream = Upstream::new(Doing::Fails(None));
    let resolver = caching(&upstream);
    resolver.resolve(&id("A")).await.unwrap_err();
    resolver.resolve(&id("B")).await.unwrap_err();
    upstream.now_does(Doing::Hangs);
    pass(5).await;
    let before = Instant::now();
    for number in 0..100 {
        assert_eq!(code(resolver.resolve(&id(&format!("New{number}"))).await), codes::VAULT_FAULT.id);
    }
    assert_eq!((upstream.asked(), upstream.most_at_once()), (3, 1));
    assert!(before.elapsed() <= PROBE_WAIT);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_identifier_is_asked_for_with_growing_pauses_and_seen_when_it_is_there() {
    let upstream = Upstream::new(Doing::Unknown);
    let resolver = caching(&upstream);
    for _ in 0..600 {
        assert_eq!(code(resolver.resolve(&id("Db")).await), "CS2004");
        pass(1).await;
    }
    assert!((20..=60).contains(&upstream.asked()), "{}", upstream.asked());
    upstream.now_does(Doing::Gives("s3cret"));
    pass(30).await;
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_asks_to_wait_is_not_asked_before_for_any_identifier() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    upstream.now_does(Doing::Fails(Some(Duration::from_secs(120))));
    assert_eq!(code(resolver.resolve(&id("Other")).await), codes::VAULT_FAULT.id);
    for second in 0..120 {
        assert_eq!(upstream.asked(), 2, "{second}");
        assert!(resolver.resolve(&id(&format!("New{second}"))).await.is_err());
        assert_eq!(value_of(&resolver, "Db").await, "s3cret");
        pass(1).await;
    }
    upstream.now_does(Doing::Gives("s3cret"));
    assert_eq!(value_of(&resolver, "New1").await, "s3cret");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_secret_is_not_served_on() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    upstream.now_does(Doing::Unknown);
    pass(FRESH_FOR.as_secs() + 1).await;
    assert_eq!(value_of(&resolver, "Db").await, "s3cret");
    settle().await;
    assert_eq!(code(resolver.resolve(&id("Db")).await), "CS2004");
    assert_eq!(resolver.counts().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_changes_nothing() {
    let (upstream, clock) = (Upstream::new(Doing::Gives("s3cret")), RuntimeClock::new());
    let resolver = CachingResolver::new(upstream.clone(), clock.clone(), CachePolicy::default());
    resolver.resolve(&id("Db")).await.unwrap();
    for set_by in [86_400, -86_400, 366 * 86_400, -NOW.0, i64::MAX, i64::MIN] {
        clock.set_by.store(set_by, Ordering::SeqCst);
        let resolved = resolver.resolve(&id("Db")).await.unwrap();
        assert!(resolved.freshness.is_fresh(), "{set_by}");
    }
    assert_eq!(upstream.asked(), 1);
    pass(FRESH_FOR.as_secs() + 1).await;
    assert!(!resolver.resolve(&id("Db")).await.unwrap().freshness.is_fresh());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_nobody_asks_for_is_wiped_after_its_limit() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let life = Life::new(Duration::from_secs(10), Duration::from_secs(20)).unwrap();
    let policy = CachePolicy::default().with_life_of(id("Db"), life);
    let resolver = CachingResolver::new(upstream, RuntimeClock::new(), policy);
    resolver.resolve(&id("Db")).await.unwrap();
    resolver.resolve(&id("Other")).await.unwrap();
    settle().await;
    pass(SWEEP_EVERY.as_secs()).await;
    assert_eq!(resolver.counts().entries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hurry_of_identifiers_waits_for_its_turn_and_is_answered() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    let readers: Vec<_> = (0..1_000)
        .map(|number| {
            let resolver = resolver.clone();
            tokio::spawn(async move { resolver.resolve(&id(&format!("A{number}"))).await.is_ok() })
        })
        .collect();
    let before = Instant::now();
    for reader in readers {
        assert!(reader.await.unwrap());
    }
    // 700 more at 40 in a second.
    let took = before.elapsed().as_millis();
    assert!((17_000..18_000).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_prefetch_asks_for_each_identifier_once_and_for_some_at_a_time() {
    let upstream = Upstream::gated(Doing::Gives("kept"));
    let resolver = caching(&upstream);
    let identifiers: Vec<_> = (0..2 * PREFETCHED_AT_ONCE + 3).map(|at| id(&format!("Db{at}"))).collect();
    let (asking, twice) = (resolver.clone(), [identifiers.clone(), identifiers.clone()].concat());
    let prefetch = tokio::spawn(async move { asking.prefetch(twice).await });
    settle().await;
    assert_eq!((upstream.asked(), upstream.most_at_once()), (PREFETCHED_AT_ONCE, PREFETCHED_AT_ONCE));
    upstream.gate.close();
    assert!(prefetch.await.unwrap().is_empty());
    assert_eq!((upstream.asked(), upstream.most_at_once()), (identifiers.len(), PREFETCHED_AT_ONCE));
    assert!(resolver.resolve(&id("Db0")).await.unwrap().cached);
    assert_eq!(upstream.asked(), identifiers.len());
}

#[tokio::test(start_paused = true)]
async fn a_prefetch_tells_what_has_no_value_and_keeps_the_rest() {
    let upstream = Upstream::new(Doing::GivesExcept("Missing"));
    let resolver = caching(&upstream);
    let failed = resolver.prefetch(["First", "Missing", "Last"].map(id)).await;
    let told: Vec<_> = failed.iter().map(|(of, error)| (of.as_str(), error.diagnosis.code.id)).collect();
    assert_eq!(told, [("Missing", "CS2004")]);
    let mut kept: Vec<_> = resolver.kept().into_iter().map(|kept| kept.identifier.to_string()).collect();
    kept.sort();
    assert_eq!(kept, ["First", "Last"]);
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_counted() {
    let upstream = Upstream::new(Doing::Gives("s3cret"));
    let resolver = caching(&upstream);
    for reader in crowd(&resolver, 10) {
        reader.await.unwrap().unwrap();
    }
    resolver.resolve(&id("Db")).await.unwrap();
    pass(FRESH_FOR.as_secs() + 1).await;
    upstream.now_does(Doing::Unknown);
    resolver.resolve(&id("Db")).await.unwrap();
    settle().await;
    resolver.resolve(&id("Db")).await.unwrap_err();
    let counts = resolver.counts();
    assert_eq!((counts.hits, counts.stale, counts.joined, counts.refused), (1, 1, 9, 1));
    assert_eq!((counts.fetches, counts.failures, counts.entries, counts.bytes), (2, 1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_readers_of_a_vault_make_one_get_and_one_sign_in() {
    let folder = Folder::new();
    let fake = Fake::signed_in(|_, _| bundle("s3cret"));
    let store = AzureKeyVaultStore::new(&settings(&folder), fake.clone()).unwrap();
    let resolver = CachingResolver::new(Arc::new(store), RuntimeClock::new(), CachePolicy::default());
    for reader in crowd(&resolver, 1000) {
        let resolved = reader.await.unwrap().unwrap();
        assert_eq!(resolved.version().unwrap().to_string(), "4387e9f3d6e14c459867679a90fd0f79");
    }
    assert_eq!((fake.asked().len(), fake.tokens_asked()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_throttles_is_left_alone_for_as_long_as_it_asks() {
    let folder = Folder::new();
    let body = r#"{"error":{"code":"Throttled","message":"Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"}}"#;
    let fake = Fake::signed_in(|_, _| reply(429, &[("retry-after", "90")], body));
    let store = AzureKeyVaultStore::new(&settings(&folder), fake.clone()).unwrap();
    let resolver = CachingResolver::new(Arc::new(store), RuntimeClock::new(), CachePolicy::default());
    for second in 0..90 {
        assert_eq!(code(resolver.resolve(&id(&format!("A{second}"))).await), codes::THROTTLED.id);
        assert_eq!(fake.asked().len(), 1, "{second}");
        pass(1).await;
    }
    resolver.resolve(&id("A1")).await.unwrap_err();
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_holds_the_value() {
    let upstream = Upstream::new(Doing::Gives("planted-value"));
    let resolver = caching(&upstream);
    let resolved = resolver.resolve(&id("Db")).await.unwrap();
    upstream.now_does(Doing::Fails(None));
    pass(FRESH_FOR.as_secs()).await;
    let stale = resolver.resolve(&id("Db")).await.unwrap();
    let error = resolver.refresh(&id("Db")).await.unwrap_err();
    let said = format!("{resolved:?} {stale:?} {error:?} {:?}", resolver.counts());
    assert!(!said.contains("planted"), "{said}");
}
