//! When to try again: full jitter, and a budget that all calls of a connection share.
//!
//! Full jitter spreads the second attempts of many callers over the whole wait ("Exponential Backoff And Jitter",
//! AWS Architecture Blog, 2015). The budget is a bucket of tokens that failures empty and successes fill, so that
//! a cloud in trouble is not buried under retries; its figures are those of the AWS SDKs' standard retry mode.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Rolls numbers in `0.0..1.0` for the jitter.
#[derive(Clone)]
pub struct Dice(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Dice {
    /// Dice of the operating system's randomness.
    pub fn random() -> Self {
        Self(Arc::new(rand::random::<f64>))
    }

    /// Dice that roll what `roll` says.
    pub fn loaded(roll: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(roll))
    }

    /// The next number.
    pub fn roll(&self) -> f64 {
        (self.0)()
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice")
    }
}

/// How the longest wait before an attempt grows.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The longest wait after the first attempt.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(20) }
    }
}

impl Backoff {
    /// The wait after attempt `number` (from 1), `roll` in `0.0..1.0`: uniform between nothing and the doubled
    /// limit.
    pub fn wait(&self, number: u32, roll: f64) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.longest).mul_f64(roll.clamp(0.0, 1.0))
    }
}

/// How many retries all calls of a connection may make.
#[derive(Debug, Clone, Copy)]
pub struct BudgetPolicy {
    /// Tokens when full.
    pub capacity: u32,
    /// What a retry costs.
    pub retry_cost: u32,
    /// What a retry after a timeout costs.
    pub timeout_cost: u32,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self { capacity: 500, retry_cost: 5, timeout_cost: 10 }
    }
}

/// The bucket of tokens.
#[derive(Debug)]
pub struct RetryBudget {
    policy: BudgetPolicy,
    tokens: Mutex<u32>,
}

impl RetryBudget {
    /// A full bucket.
    pub fn new(policy: BudgetPolicy) -> Self {
        Self { policy, tokens: Mutex::new(policy.capacity) }
    }

    /// Takes the tokens of one retry and says how many; `None` if there are not enough.
    pub fn withdraw(&self, after_timeout: bool) -> Option<u32> {
        let cost = if after_timeout { self.policy.timeout_cost } else { self.policy.retry_cost };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = tokens.checked_sub(cost)?;
        Some(cost)
    }

    /// Gives back what the last retry of a call that succeeded had taken, or one token if it needed none.
    pub fn succeeded(&self, withdrawn: Option<u32>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = tokens.saturating_add(withdrawn.unwrap_or(1)).min(self.policy.capacity);
    }

    /// The tokens left.
    pub fn left(&self) -> u32 {
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
