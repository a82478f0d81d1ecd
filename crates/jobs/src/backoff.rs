//! How long to wait before the next attempt. Time and chance are parameters: the same seed waits the same.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Exponential back-off: doubles from `first` up to `most`; half of each wait is chance, so that what failed
/// together does not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_mins(5) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row (1 is the first).
    pub fn delay(&self, failures: u32, jitter: &Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        full.mul_f64(jitter.unit().mul_add(0.5, 0.5))
    }
}

/// A source of chance that can be seeded. Clones share it.
#[derive(Clone)]
pub struct Jitter(Arc<Mutex<SmallRng>>);

impl Jitter {
    /// Chance that nobody can repeat: for production.
    pub fn random() -> Self {
        Self(Arc::new(Mutex::new(rand::make_rng())))
    }

    /// Chance that a test can repeat.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))))
    }

    /// A number in `[0, 1)`.
    pub fn unit(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// `span`, at most `share` of it longer or shorter.
    pub fn around(&self, span: Duration, share: f64) -> Duration {
        span.mul_f64((self.unit() * 2.0 - 1.0).mul_add(share, 1.0).max(0.0))
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_grows_to_its_limit_and_is_at_least_half_of_it(failures in 1_u32..100, seed: u64) {
            let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_mins(1) };
            let full = Duration::from_millis(100).saturating_mul(1 << (failures - 1).min(31)).min(backoff.most);
            let wait = backoff.delay(failures, &Jitter::seeded(seed));
            prop_assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }

        #[test]
        fn the_same_seed_waits_the_same(seed: u64) {
            let (one, other) = (Jitter::seeded(seed), Jitter::seeded(seed));
            for failures in 1..10 {
                prop_assert_eq!(Backoff::default().delay(failures, &one), Backoff::default().delay(failures, &other));
            }
        }
    }
}
