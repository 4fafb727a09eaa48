//! Where the current time comes from.

use std::time::Duration;

use crate::Timestamp;

/// The wall clock. Only `main`, the background loops and the doors of the server hold one; everybody else
/// is given `now`. The system's clock is made in the binary, the test's in `credstore-testing`.
pub trait Clock: Send + Sync {
    /// Wall-clock time. It may jump either way: never measure a duration with it.
    fn now(&self) -> Timestamp;
}

/// The wall clock, and beside it one that measures: for whoever keeps something for a limited time.
pub trait SteadyClock: Clock {
    /// Time since some fixed moment. It never goes back, nobody can set it, and it goes on while the machine sleeps.
    fn elapsed(&self) -> Duration;
}

/// A function that tells the time is a clock: `|| SystemTime::now().into()`, where somebody may read the system's.
impl<F: Fn() -> Timestamp + Send + Sync> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}
