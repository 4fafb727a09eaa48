//! Places: how many connections there may be, and who goes when one more comes.
//!
//! A place is given before anybody has said who they are, so silent connections could take them all. Therefore a
//! connection that has not shown a valid token or assertion yet may be turned out, the oldest first; one that has
//! keeps its place. Honest clients authenticate within milliseconds and are young; those that only wait are old.
//! Source: reliability goal A5 (an agent that counted before the token check refused 289 of 289 honest requests).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places(Arc<House>);

struct House {
    limit: usize,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    /// By arrival. `None` until the task has been started.
    strangers: BTreeMap<u64, Option<AbortHandle>>,
    known: HashMap<u64, Option<AbortHandle>>,
}

/// One place; free again when its last clone is dropped.
#[derive(Clone)]
pub(super) struct Place(Arc<Seat>);

struct Seat {
    number: u64,
    house: Arc<House>,
}

impl House {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    fn turn_out_oldest(&mut self) -> bool {
        let Some((_, task)) = self.strangers.pop_first() else { return false };
        if let Some(task) = task {
            task.abort();
        }
        true
    }
}

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(House { limit, seats: Mutex::default() }))
    }

    /// A place, at the cost of the oldest stranger when all are taken. `None`: there is no stranger.
    pub(super) fn take(&self) -> Option<Place> {
        let mut seats = self.0.seats();
        if seats.strangers.len() + seats.known.len() >= self.0.limit && !seats.turn_out_oldest() {
            return None;
        }
        let number = seats.next;
        seats.next += 1;
        seats.strangers.insert(number, None);
        drop(seats);
        Some(Place(Arc::new(Seat { number, house: Arc::clone(&self.0) })))
    }

    /// Makes room when the system has none left.
    pub(super) fn turn_out_oldest(&self) {
        self.0.seats().turn_out_oldest();
    }

    /// Ends every connection.
    pub(super) fn turn_out_all(&self) {
        let seats = self.0.seats();
        for task in seats.strangers.values().chain(seats.known.values()).flatten() {
            task.abort();
        }
    }

    #[cfg(test)]
    fn taken(&self) -> (usize, usize) {
        let seats = self.0.seats();
        (seats.strangers.len(), seats.known.len())
    }
}

impl Place {
    /// Which task ends when the place is taken away. If that has happened already, it ends now.
    pub(super) fn occupy(&self, task: AbortHandle) {
        let mut seats = self.0.house.seats();
        let number = self.0.number;
        let seats = &mut *seats;
        match seats.strangers.get_mut(&number).or_else(|| seats.known.get_mut(&number)) {
            Some(seat) => *seat = Some(task),
            None => task.abort(),
        }
    }

    /// The peer has shown who it is.
    pub(super) fn keep(&self) {
        let mut seats = self.0.house.seats();
        if let Some(task) = seats.strangers.remove(&self.0.number) {
            seats.known.insert(self.0.number, task);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.house.seats();
        seats.strangers.remove(&self.number);
        seats.known.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> tokio::task::JoinHandle<()> {
        tokio::spawn(std::future::pending())
    }

    #[tokio::test]
    async fn the_oldest_stranger_makes_room_and_the_known_stay() {
        let places = Places::new(3);
        let (first, second, third) = (places.take().unwrap(), places.take().unwrap(), places.take().unwrap());
        let (one, two, three) = (waiting(), waiting(), waiting());
        first.occupy(one.abort_handle());
        second.occupy(two.abort_handle());
        third.occupy(three.abort_handle());
        first.keep();
        let fourth = places.take().expect("the second is turned out");
        assert!(two.await.unwrap_err().is_cancelled());
        assert!(!one.is_finished() && !three.is_finished());
        assert_eq!(places.taken(), (2, 1));
        third.keep();
        fourth.keep();
        assert!(places.take().is_none(), "all are known");
        drop(fourth);
        assert!(places.take().is_some());
        places.turn_out_all();
        assert!(one.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn a_task_that_comes_late_to_a_lost_place_ends_at_once() {
        let places = Places::new(1);
        let lost = places.take().unwrap();
        let _taken = places.take().unwrap();
        let task = waiting();
        lost.occupy(task.abort_handle());
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
