//! How fast to call: a rate per service and region that falls when the cloud throttles and finds its way back.
//!
//! The curve is CUBIC (RFC 9438), as in the AWS SDKs' adaptive mode: after a cut the rate climbs quickly towards
//! where it was cut, lingers there, then probes beyond. Until the cloud throttles for the first time there is no
//! limit. Callers that were all throttled by one burst cut the rate once, not once each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The shape of the curve.
#[derive(Debug, Clone, Copy)]
pub struct ThrottlePolicy {
    /// The rate after a cut, as a part of the rate before.
    pub cut: f64,
    /// How steep the curve is, in calls per second per second cubed.
    pub scale: f64,
    /// The rate never falls below this, in calls per second.
    pub slowest: f64,
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self { cut: 0.7, scale: 0.4, slowest: 0.5 }
    }
}

/// The throttles of one connection, one a service and region, made when first asked for.
#[derive(Debug)]
pub struct Throttles {
    policy: ThrottlePolicy,
    by_place: Mutex<HashMap<Place, Arc<Throttle>>>,
}

/// A service, and a region of it if it has any.
type Place = (&'static str, Option<String>);

impl Throttles {
    /// No throttles yet.
    pub fn new(policy: ThrottlePolicy) -> Self {
        Self { policy, by_place: Mutex::default() }
    }

    /// The throttle of a service in a region.
    pub fn of(&self, service: &'static str, region: Option<&str>) -> Arc<Throttle> {
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (service, region.map(str::to_owned));
        Arc::clone(
            by_place.entry(key).or_insert_with(|| Arc::new(Throttle::new(self.policy, Instant::now()))),
        )
    }
}

/// One rate, and who may call when.
#[derive(Debug)]
pub struct Throttle {
    policy: ThrottlePolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` until the cloud throttles for the first time.
    limit: Option<Limit>,
    /// The rate at which calls were in fact let through, smoothed.
    measured: f64,
    bucket_since: Instant,
    bucket_count: f64,
}

#[derive(Debug)]
struct Limit {
    /// Calls per second now.
    rate: f64,
    /// The rate at the last cut; the curve's plateau.
    plateau: f64,
    cut_at: Instant,
    /// Calls that may be made now; below zero, so many are already waiting for their turn.
    tokens: f64,
    filled_at: Instant,
}

/// How long calls are counted before the measured rate takes them in.
const BUCKET: Duration = Duration::from_millis(500);
/// The weight of the newest bucket in the measured rate.
const SMOOTH: f64 = 0.8;

impl Throttle {
    /// A throttle without a limit.
    pub fn new(policy: ThrottlePolicy, now: Instant) -> Self {
        let state = State { limit: None, measured: 0.0, bucket_since: now, bucket_count: 0.0 };
        Self { policy, state: Mutex::new(state) }
    }

    /// Takes a turn and says how long to wait for it. Turns are given in the order of asking.
    pub fn reserve(&self, now: Instant) -> Duration {
        let mut state = self.lock();
        state.count(now);
        let Some(limit) = &mut state.limit else { return Duration::ZERO };
        limit.fill(now);
        limit.tokens -= 1.0;
        if limit.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-limit.tokens / limit.rate) }
    }

    /// Gives back a turn that was not used.
    pub fn give_back(&self) {
        if let Some(limit) = &mut self.lock().limit {
            limit.tokens += 1.0;
        }
    }

    /// The cloud throttled a call that was sent at `sent`.
    pub fn throttled(&self, sent: Instant, now: Instant) {
        let mut state = self.lock();
        let measured = state.measured.max(state.bucket_count / BUCKET.as_secs_f64());
        let before = match &state.limit {
            // Sent before the last cut: that cut already answered it.
            Some(limit) if sent <= limit.cut_at => return,
            Some(limit) => limit.rate.min(measured.max(self.policy.slowest)),
            None => measured.max(self.policy.slowest),
        };
        let rate = (before * self.policy.cut).max(self.policy.slowest);
        let tokens = state.limit.as_ref().map_or(0.0, |limit| limit.tokens.min(0.0));
        state.limit = Some(Limit { rate, plateau: before, cut_at: now, tokens, filled_at: now });
    }

    /// The cloud answered a call in whatever other way: the rate may rise.
    pub fn answered(&self, now: Instant) {
        let mut state = self.lock();
        let measured = state.measured;
        let Some(limit) = &mut state.limit else { return };
        limit.fill(now);
        let grown = self.policy.curve(limit.plateau, now.saturating_duration_since(limit.cut_at));
        // No faster than twice what is in fact asked for: a limit never tried proves nothing.
        limit.rate = grown.min((measured * 2.0).max(limit.rate)).max(self.policy.slowest);
    }

    /// The rate now, in calls per second; `None` without a limit.
    pub fn rate(&self) -> Option<f64> {
        self.lock().limit.as_ref().map(|limit| limit.rate)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThrottlePolicy {
    /// The rate `since` after a cut from `plateau`.
    pub fn curve(&self, plateau: f64, since: Duration) -> f64 {
        let back = (plateau * (1.0 - self.cut) / self.scale).cbrt();
        self.scale * (since.as_secs_f64() - back).powi(3) + plateau
    }
}

impl State {
    /// Counts a call into the measured rate.
    fn count(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.bucket_since);
        if since >= BUCKET {
            let rate = self.bucket_count / since.as_secs_f64();
            self.measured = rate * SMOOTH + self.measured * (1.0 - SMOOTH);
            self.bucket_since = now;
            self.bucket_count = 0.0;
        }
        self.bucket_count += 1.0;
    }
}

impl Limit {
    /// Adds the tokens of the time gone by; at most one second's worth is saved up.
    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.rate.max(1.0));
        self.filled_at = now;
    }
}
