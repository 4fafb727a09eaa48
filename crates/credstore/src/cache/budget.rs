//! How often a vault may be asked, whoever asks and for whatever.
//!
//! A bucket that fills steadily, kept as the moment at which it would be full (the algorithm is known as GCRA). The
//! time is an argument and comes from a clock that never goes back.

use std::time::Duration;

/// Fetches that may go out at once. Ours, see [`INTERVAL`].
pub const BURST: u32 = 300;
/// The steady distance of fetches: 40 in a second. Within any 10 seconds at most 300 + 400 fetches go out, which is
/// 17.5 % of the 4,000 that a vault answers (Key Vault service limits); even when each of them takes all its three
/// tries it is little more than half, so that other clients of the vault are not pushed aside.
pub const INTERVAL: Duration = Duration::from_millis(25);
/// How long a fetch may wait for its turn before it is refused. Ours: half of the patience of a question.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// The fetches that are left.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// When the bucket is full again.
    full_at: Duration,
}

impl Budget {
    /// Takes one fetch and says how long to wait before it goes out. `None`, and nothing taken, when that were longer
    /// than `patience`.
    pub(super) fn take(&mut self, now: Duration, patience: Duration) -> Option<Duration> {
        let full_at = self.full_at.max(now) + INTERVAL;
        let wait = full_at.saturating_sub(INTERVAL * BURST).saturating_sub(now);
        (wait <= patience).then(|| {
            self.full_at = full_at;
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Source: Key Vault service limits, secret transactions per vault and region.
    const AZURE_IN_TEN_SECONDS: usize = 4_000;

    proptest! {
        #[test]
        fn no_ten_seconds_see_more_than_a_fifth_of_what_azure_allows(
            steps in proptest::collection::vec((0..200u64, 1..40usize, 0..3_000u64), 1..200),
        ) {
            let (mut budget, mut now, mut sent) = (Budget::default(), 0u64, Vec::new());
            for (pause, crowd, patience) in steps {
                now += pause;
                for _ in 0..crowd {
                    if let Some(wait) = budget.take(Duration::from_millis(now), Duration::from_millis(patience)) {
                        prop_assert!(wait <= Duration::from_millis(patience));
                        sent.push(now + u64::try_from(wait.as_millis()).unwrap());
                    }
                }
            }
            sent.sort_unstable();
            for (first, began) in sent.iter().enumerate() {
                let within = sent[first..].iter().take_while(|at| **at < began + 10_000).count();
                prop_assert!(within <= AZURE_IN_TEN_SECONDS / 5, "{within}");
            }
        }
    }

    #[test]
    fn the_burst_goes_out_at_once_and_one_more_waits() {
        let mut budget = Budget::default();
        for _ in 0..BURST {
            assert_eq!(budget.take(Duration::ZERO, Duration::ZERO), Some(Duration::ZERO));
        }
        assert_eq!(budget.take(Duration::ZERO, Duration::ZERO), None);
        assert_eq!(budget.take(Duration::ZERO, WAIT_MAX), Some(INTERVAL));
        assert_eq!(budget.take(INTERVAL * 2, Duration::ZERO), Some(Duration::ZERO));
    }

    #[test]
    fn what_waits_longer_than_the_limit_is_refused() {
        let mut budget = Budget::default();
        let mut last = Duration::ZERO;
        while let Some(wait) = budget.take(Duration::ZERO, WAIT_MAX) {
            last = wait;
        }
        assert_eq!(last, WAIT_MAX);
        assert_eq!(budget.take(INTERVAL, WAIT_MAX), Some(WAIT_MAX));
    }
}
