//! How long a secret may be used, and how much is kept.

use std::collections::HashMap;
use std::time::Duration;

use credstore_protocol::Identifier;

/// How long a secret is fresh when nothing else is said. Source: requirement of the product, 5 minutes.
pub const FRESH_FOR: Duration = Duration::from_secs(5 * 60);
/// How long a secret may be served when it cannot be refreshed. Source: requirement of the product, 8 hours, which is
/// Microsoft's advice for caching secrets too (Key Vault throttling guidance).
pub const SERVED_FOR: Duration = Duration::from_secs(8 * 60 * 60);
/// The longest [`Life::served_for`] that can be asked for. Ours: a value that nobody could confirm for a day is no
/// longer worth its risk.
pub const SERVED_FOR_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Most identifiers that are remembered, with or without a secret. Ours: four times what one server was seen to use.
pub const ENTRIES_MAX: usize = 4_096;
/// Most bytes that the kept secrets take, their bookkeeping included. Ours: half of the 15 MB that a broker may have.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long one secret may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    fresh_for: Duration,
    served_for: Duration,
}

/// Why there is no such [`Life`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLife {
    /// It would be fresh for longer than it may be served.
    #[error("a secret cannot be fresh for longer than it is served")]
    FreshLongerThanServed,
    /// More than [`SERVED_FOR_MAX`].
    #[error("a secret is served for at most 24 hours after it was fetched")]
    ServedTooLong,
}

impl Life {
    /// Fresh for `fresh_for`, then served while it is refreshed, and refused from `served_for` on. Both count from the
    /// moment at which the store was asked. With two zeros a secret is not kept at all.
    ///
    /// # Errors
    /// When the first is longer than the second, or the second longer than [`SERVED_FOR_MAX`].
    pub fn new(fresh_for: Duration, served_for: Duration) -> Result<Self, InvalidLife> {
        if served_for > SERVED_FOR_MAX {
            Err(InvalidLife::ServedTooLong)
        } else if fresh_for > served_for {
            Err(InvalidLife::FreshLongerThanServed)
        } else {
            Ok(Self { fresh_for, served_for })
        }
    }

    /// For how long it is fresh.
    pub fn fresh_for(self) -> Duration {
        self.fresh_for
    }

    /// From which age on a value in use is refreshed ahead, so that its readers see a new one while it counts as fresh.
    pub fn refreshed_from(self) -> Duration {
        self.fresh_for / 5 * 4
    }

    /// From which age on it is refused.
    pub fn served_for(self) -> Duration {
        self.served_for
    }
}

impl Default for Life {
    fn default() -> Self {
        Self { fresh_for: FRESH_FOR, served_for: SERVED_FOR }
    }
}

/// What a [`CachingResolver`](super::CachingResolver) keeps, and for how long.
#[derive(Clone, Debug)]
pub struct CachePolicy {
    life: Life,
    each: HashMap<Identifier, Life>,
    pub(super) entries_max: usize,
    pub(super) bytes_max: usize,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self { life: Life::default(), each: HashMap::new(), entries_max: ENTRIES_MAX, bytes_max: BYTES_MAX }
    }
}

impl CachePolicy {
    /// With another life for every identifier that has none of its own.
    pub fn with_life(mut self, life: Life) -> Self {
        self.life = life;
        self
    }

    /// With a life of its own for `identifier`.
    pub fn with_life_of(mut self, identifier: Identifier, life: Life) -> Self {
        self.each.insert(identifier, life);
        self
    }

    /// With room for at most this many identifiers and bytes. More than [`ENTRIES_MAX`] and [`BYTES_MAX`] is cut down
    /// to those.
    pub fn with_room(mut self, entries: usize, bytes: usize) -> Self {
        (self.entries_max, self.bytes_max) = (entries.min(ENTRIES_MAX), bytes.min(BYTES_MAX));
        self
    }

    /// The life of the secret of `identifier`.
    pub fn life_of(&self, identifier: &Identifier) -> Life {
        self.each.get(identifier).copied().unwrap_or(self.life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_at_most_a_day_and_never_fresh_beyond_its_end() {
        let second = Duration::from_secs(1);
        assert!(Life::new(SERVED_FOR_MAX, SERVED_FOR_MAX).is_ok());
        assert_eq!(Life::new(second, SERVED_FOR_MAX + second), Err(InvalidLife::ServedTooLong));
        assert!(Life::new(second, second).is_ok() && Life::new(Duration::ZERO, Duration::ZERO).is_ok());
        assert_eq!(Life::new(second * 2, second), Err(InvalidLife::FreshLongerThanServed));
    }

    #[test]
    fn five_minutes_and_eight_hours_are_meant_when_nothing_is_said() {
        let life = CachePolicy::default().life_of(&"Db".parse().unwrap());
        assert_eq!((life.fresh_for().as_secs(), life.served_for().as_secs()), (300, 28_800));
    }

    #[test]
    fn an_identifier_may_have_a_life_of_its_own() {
        let short = Life::new(Duration::from_secs(1), Duration::from_secs(2)).unwrap();
        let long = Life::new(Duration::from_secs(60), Duration::from_secs(600)).unwrap();
        let policy = CachePolicy::default().with_life(long).with_life_of("Db".parse().unwrap(), short);
        assert_eq!(policy.life_of(&"Db".parse().unwrap()), short);
        assert_eq!(policy.life_of(&"Other".parse().unwrap()), long);
    }

    #[test]
    fn a_value_in_use_is_refreshed_from_four_fifths_of_its_fresh_time_on() {
        assert_eq!(Life::default().refreshed_from(), Duration::from_secs(240));
        assert_eq!(Life::new(Duration::ZERO, FRESH_FOR).unwrap().refreshed_from(), Duration::ZERO);
    }

    #[test]
    fn room_is_never_more_than_the_limits() {
        let policy = CachePolicy::default().with_room(ENTRIES_MAX + 1, BYTES_MAX + 1);
        assert_eq!((policy.entries_max, policy.bytes_max), (ENTRIES_MAX, BYTES_MAX));
        let policy = CachePolicy::default().with_room(ENTRIES_MAX, BYTES_MAX - 1);
        assert_eq!((policy.entries_max, policy.bytes_max), (ENTRIES_MAX, BYTES_MAX - 1));
    }
}
