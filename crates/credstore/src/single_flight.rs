//! One piece of work per key at a time; whoever comes meanwhile waits and gets the same outcome.
//!
//! When the one who works is cancelled, one of the waiting takes over with its own copy of the work. An
//! outcome is handed to those who waited for it and then forgotten: nothing is kept here.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

struct Flight<V> {
    turn: tokio::sync::Mutex<()>,
    outcome: OnceLock<V>,
}

/// Work in progress, by key.
pub(crate) struct SingleFlight<K: Eq + Hash + Clone, V: Clone> {
    flights: Mutex<HashMap<K, Arc<Flight<V>>>>,
}

/// Takes the flight out of the map when it is over, or when nobody is left to finish it.
struct Seat<'a, K: Eq + Hash + Clone, V: Clone> {
    home: &'a SingleFlight<K, V>,
    key: &'a K,
    flight: Arc<Flight<V>>,
}

impl<K: Eq + Hash + Clone, V: Clone> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.home.flights();
        let ours = flights.get(self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // Two holders are the map and this seat: nobody waits.
        if ours && (self.flight.outcome.get().is_some() || Arc::strong_count(&self.flight) == 2) {
            flights.remove(self.key);
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> SingleFlight<K, V> {
    pub(crate) fn new() -> Self {
        Self { flights: Mutex::new(HashMap::new()) }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<K, Arc<Flight<V>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome of `work`, or of somebody else's work for the same key that is under way.
    pub(crate) async fn run(&self, key: &K, work: impl Future<Output = V>) -> V {
        let flight = {
            let mut flights = self.flights();
            let fresh = || Arc::new(Flight { turn: tokio::sync::Mutex::new(()), outcome: OnceLock::new() });
            flights.entry(key.clone()).or_insert_with(fresh).clone()
        };
        let seat = Seat { home: self, key, flight };
        let _turn = seat.flight.turn.lock().await;
        if let Some(outcome) = seat.flight.outcome.get() {
            return outcome.clone();
        }
        let outcome = work.await;
        seat.flight.outcome.get_or_init(|| outcome).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_thousand_callers_cause_one_piece_of_work() {
        let flights = Arc::new(SingleFlight::<u8, usize>::new());
        let runs = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let (flights, runs, gate) = (flights.clone(), runs.clone(), gate.clone());
                tokio::spawn(async move {
                    let work = async {
                        gate.notified().await;
                        runs.fetch_add(1, Ordering::SeqCst)
                    };
                    flights.run(&1, work).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.notify_one();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), 0);
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert!(flights.flights().is_empty());
    }

    #[tokio::test]
    async fn a_waiting_caller_takes_over_from_a_cancelled_one() {
        let flights = Arc::new(SingleFlight::<u8, &'static str>::new());
        let started = Arc::new(Notify::new());
        let leader = {
            let (flights, started) = (flights.clone(), started.clone());
            tokio::spawn(async move {
                let work = async {
                    started.notify_one();
                    std::future::pending::<&'static str>().await
                };
                flights.run(&1, work).await
            })
        };
        started.notified().await;
        let follower = {
            let flights = flights.clone();
            tokio::spawn(async move { flights.run(&1, async { "follower" }).await })
        };
        tokio::task::yield_now().await;
        leader.abort();
        assert_eq!(follower.await.unwrap(), "follower");
        assert!(flights.flights().is_empty());
    }

    #[tokio::test]
    async fn cancelled_work_that_nobody_waits_for_leaves_nothing_behind() {
        let flights = SingleFlight::<u8, u8>::new();
        {
            let work = flights.run(&1, std::future::pending());
            tokio::pin!(work);
            assert!(futures_now(work).is_none());
        }
        assert!(flights.flights().is_empty());
        assert_eq!(flights.run(&1, async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn keys_do_not_wait_for_each_other_and_outcomes_are_not_kept() {
        let flights = SingleFlight::<u8, u8>::new();
        assert_eq!(flights.run(&1, async { flights.run(&2, async { 2 }).await + 1 }).await, 3);
        assert_eq!(flights.run(&1, async { 9 }).await, 9);
    }

    fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
