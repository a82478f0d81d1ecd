//! The layers every vendor call goes through, whatever the adapter: throttle, timeout, retry, redaction,
//! tracing and metrics, as one value.
//!
//! An adapter hands [`Layers::call`] a [`CallSite`] (which call, where) and a function that makes one attempt;
//! everything between "the cloud did not answer well" and "the caller gets an error" happens here, so that no
//! adapter has a retry loop of its own. Timers are tokio's, so that a test with paused time is exact; the dice
//! of the jitter are a parameter ([`Dice`]).

mod pace;
mod redact;
mod retry;
mod throttle;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tracing::Instrument as _;

pub use pace::{Allowance, RateLimit};
pub use redact::Redactor;
pub use retry::{Backoff, BudgetPolicy, Dice, RetryBudget};
pub use throttle::{Throttle, ThrottlePolicy, Throttles};

use self::pace::Pacer;
use crate::{CloudError, ErrorKind, Retry};

/// Which call is made, and where.
#[derive(Debug, Clone, Copy)]
pub struct CallSite<'a> {
    /// The vendor: `aws`.
    pub cloud: &'static str,
    /// The vendor's service: `ec2`. With the region it names the throttle.
    pub service: &'static str,
    /// The vendor's operation: `DescribeInstances`.
    pub operation: &'static str,
    /// The region asked; `None` for a service without regions.
    pub region: Option<&'a str>,
}

/// How patient the layers are.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The longest one attempt may take, its body included.
    pub attempt_timeout: Duration,
    /// The longest a call may take with all its attempts and waits.
    pub call_timeout: Duration,
    /// Attempts at most, the first included.
    pub max_attempts: u32,
    /// How the waits between attempts grow.
    pub backoff: Backoff,
    /// How many retries all calls together may make.
    pub budget: BudgetPolicy,
    /// How the rate falls and rises again.
    pub throttle: ThrottlePolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_mins(3),
            max_attempts: 6,
            backoff: Backoff::default(),
            budget: BudgetPolicy::default(),
            throttle: ThrottlePolicy::default(),
        }
    }
}

/// Counts what happened to the calls of one piece of work, e.g. one listing.
#[derive(Debug, Default)]
pub struct Tally {
    throttled: AtomicU32,
}

impl Tally {
    /// How many attempts were throttled since this was last asked.
    pub fn take_throttled(&self) -> u32 {
        self.throttled.swap(0, Ordering::Relaxed)
    }
}

/// The layers of one connection. Clones share throttles, budget and redaction.
#[derive(Debug, Clone)]
pub struct Layers {
    policy: Arc<Policy>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pacer: Pacer,
    throttles: Throttles,
    budget: RetryBudget,
    redactor: Redactor,
    dice: Dice,
}

impl Layers {
    /// Layers with dice of the operating system's randomness, for a vendor that documents no rates.
    pub fn new(policy: Policy) -> Self {
        Self::with_dice(policy, Dice::random())
    }

    /// The same for a vendor that does.
    pub fn paced(policy: Policy, limits: &'static [RateLimit]) -> Self {
        Self::with(policy, limits, Dice::random())
    }

    /// Layers with given dice: a test that knows them knows every wait.
    pub fn with_dice(policy: Policy, dice: Dice) -> Self {
        Self::with(policy, &[], dice)
    }

    fn with(policy: Policy, limits: &'static [RateLimit], dice: Dice) -> Self {
        let shared = Shared {
            pacer: Pacer::new(limits),
            throttles: Throttles::new(policy.throttle),
            budget: RetryBudget::new(policy.budget),
            redactor: Redactor::default(),
            dice,
        };
        Self { policy: Arc::new(policy), shared: Arc::new(shared) }
    }

    /// The same layers with less patience: one retry, for questions a person waits for.
    #[must_use]
    pub fn hurried(&self, attempt_timeout: Duration) -> Self {
        let policy = Policy {
            attempt_timeout,
            call_timeout: attempt_timeout,
            max_attempts: self.policy.max_attempts.min(2),
            ..(*self.policy).clone()
        };
        Self { policy: Arc::new(policy), shared: Arc::clone(&self.shared) }
    }

    /// Where secrets are named that must not appear in an error.
    pub fn redactor(&self) -> &Redactor {
        &self.shared.redactor
    }

    /// Makes a call; see [`Layers::call_counted`].
    pub async fn call<T, F, Fut>(&self, site: CallSite<'_>, attempt: F) -> Result<T, CloudError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        self.call_counted(site, &Tally::default(), attempt).await
    }

    /// Makes a call: waits for the throttle, gives each attempt its time, tries again while the error's verdict,
    /// the budget and the policy allow, and counts throttled attempts in `tally`. `attempt` must be safe to make
    /// again.
    pub async fn call_counted<T, F, Fut>(
        &self,
        site: CallSite<'_>,
        tally: &Tally,
        attempt: F,
    ) -> Result<T, CloudError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        let span = tracing::debug_span!(
            "cloud_call",
            cloud = site.cloud,
            service = site.service,
            operation = site.operation,
            region = site.region,
            attempts = tracing::field::Empty,
            outcome = tracing::field::Empty,
            cloud_request_id = tracing::field::Empty,
        );
        let started = Instant::now();
        let result = self.attempts(site, tally, attempt, &span).instrument(span.clone()).await;
        let outcome = result.as_ref().map_or_else(|error| error.kind.as_str(), |_| "ok");
        span.record("outcome", outcome);
        observe_call(site, outcome, started.elapsed());
        result.map_err(|error| {
            if let Some(id) = &error.request_id {
                span.record("cloud_request_id", id.as_str());
            }
            let error = self.place(site, error);
            span.in_scope(|| tracing::debug!(%error, "the call failed"));
            error
        })
    }

    async fn attempts<T, F, Fut>(
        &self,
        site: CallSite<'_>,
        tally: &Tally,
        mut attempt: F,
        span: &tracing::Span,
    ) -> Result<T, CloudError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        let throttle = self.shared.throttles.of(site.service, site.region);
        let deadline = Instant::now() + self.policy.call_timeout;
        let mut withdrawn = None;
        for number in 1.. {
            span.record("attempts", number);
            let error = match self.one_attempt(site, &throttle, deadline, &mut attempt).await {
                Ok(value) => {
                    self.shared.budget.succeeded(withdrawn);
                    return Ok(value);
                }
                Err(error) => error,
            };
            // Without a code it is we who had no turn to give.
            if error.kind == ErrorKind::Throttled && error.code.is_some() {
                tally.throttled.fetch_add(1, Ordering::Relaxed);
            }
            let Some(wait) = self.verdict(number, &error, deadline) else { return Err(error) };
            withdrawn = match self.shared.budget.withdraw(error.kind == ErrorKind::Timeout) {
                Some(tokens) => Some(tokens),
                None => return Err(error),
            };
            tracing::debug!(attempt = number, kind = error.kind.as_str(), ?wait, "trying again");
            tokio::time::sleep(wait).await;
        }
        unreachable!("the attempts end by returning")
    }

    /// One attempt under the throttle and its own time limit.
    async fn one_attempt<T, F, Fut>(
        &self,
        site: CallSite<'_>,
        throttle: &Throttle,
        deadline: Instant,
        attempt: &mut F,
    ) -> Result<T, CloudError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        let now = Instant::now();
        let held = self.shared.pacer.reserve(site, now).max(throttle.reserve(now));
        // Given back if it comes too late, or if whoever waits for it gives up.
        let turn = Turn { pacer: &self.shared.pacer, throttle, site, used: false };
        if now + held >= deadline {
            let message = "the cloud limits how often it may be called; no turn within the time given";
            let mut error = CloudError::new(site.cloud, site.operation, ErrorKind::Throttled, message);
            error.retry = Retry::After(held);
            return Err(error);
        }
        if !held.is_zero() {
            tokio::time::sleep(held).await;
        }
        turn.take();
        let started = Instant::now();
        let limit = self.policy.attempt_timeout.min(deadline.saturating_duration_since(started));
        let result = tokio::time::timeout(limit, attempt()).await.unwrap_or_else(|_| {
            let message = format!("no complete answer within {:.1} s", limit.as_secs_f64());
            Err(CloudError::new(site.cloud, site.operation, ErrorKind::Timeout, message))
        });
        match &result {
            Err(error) if error.kind == ErrorKind::Throttled => {
                observe_throttled(site);
                throttle.throttled(started, Instant::now());
            }
            _ => throttle.answered(Instant::now()),
        }
        result
    }

    /// How long to wait before the next attempt; `None` if there must be none.
    fn verdict(&self, number: u32, error: &CloudError, deadline: Instant) -> Option<Duration> {
        if number >= self.policy.max_attempts {
            return None;
        }
        let jittered = self.policy.backoff.wait(number, self.shared.dice.roll());
        let wait = match error.retry {
            Retry::Never => return None,
            Retry::Now => jittered,
            Retry::After(asked) => asked.saturating_add(jittered),
        };
        // A cloud may ask for more time than there is.
        Instant::now().checked_add(wait).filter(|again| *again < deadline).map(|_| wait)
    }

    /// Names the call in the error, unless a call within the call already did, and takes secrets out of it.
    fn place(&self, site: CallSite<'_>, mut error: CloudError) -> CloudError {
        if !error.operation.contains(':') {
            error.operation = format!("{}:{}", site.service, site.operation);
        }
        if error.region.is_none() {
            error.region = site.region.map(str::to_owned);
        }
        self.shared.redactor.clean_error(&mut error);
        error
    }
}

/// A turn that was taken under limits and throttle, and is given back unless it is used.
struct Turn<'a> {
    pacer: &'a Pacer,
    throttle: &'a Throttle,
    site: CallSite<'a>,
    used: bool,
}

impl Turn<'_> {
    fn take(mut self) {
        self.used = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.used {
            self.pacer.give_back(self.site);
            self.throttle.give_back();
        }
    }
}

fn observe_call(site: CallSite<'_>, outcome: &'static str, took: Duration) {
    let labels = [("cloud", site.cloud), ("service", site.service), ("operation", site.operation)];
    metrics::histogram!("marquee_cloud_call_seconds", &labels).record(took.as_secs_f64());
    metrics::counter!("marquee_cloud_calls_total", "cloud" => site.cloud, "service" => site.service,
        "operation" => site.operation, "outcome" => outcome)
    .increment(1);
}

fn observe_throttled(site: CallSite<'_>) {
    metrics::counter!("marquee_cloud_throttled_total", "cloud" => site.cloud, "service" => site.service,
        "operation" => site.operation)
    .increment(1);
}

#[cfg(test)]
mod tests;
