//! How fast a vendor says that it may be called: kept from the first call on, so that nobody has to be refused first.
//!
//! The throttle beside this ([`Throttle`](super::Throttle)) learns from refusals, and needs some; where the vendor documents
//! its rates, there is no need to learn them. A little less than what is documented is asked for, since calls do not
//! arrive as evenly as they are sent. Others may call the same account: what they use up, the throttle still learns.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::CallSite;

/// A rate that the vendor documents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// The service; of several that begin alike and count together, how they begin.
    pub service: &'static str,
    /// Whether each region counts for itself.
    pub by_region: bool,
    /// Whether each operation counts for itself.
    pub by_operation: bool,
    /// How much.
    pub allowance: Allowance,
}

/// How much may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowance {
    /// A bucket of tokens.
    Bucket {
        /// How many it holds.
        tokens: u32,
        /// How many come back in a second.
        per_second: f64,
    },
    /// So many a minute, whenever it begins.
    Minute {
        /// How many.
        calls: u32,
    },
}

/// The part of a rate that is used.
const USED: f64 = 0.97;
/// The tenths of a bucket that are used at once.
const BURST_TENTHS: u32 = 9;
const MINUTE: Duration = Duration::from_mins(1);

/// Gives turns under all limits of a connection.
#[derive(Debug)]
pub(super) struct Pacer {
    limits: &'static [RateLimit],
    meters: Mutex<HashMap<Place, Meter>>,
}

/// A limit by its number, a region and an operation, as far as these count for themselves.
type Place = (usize, Option<String>, &'static str);

#[derive(Debug)]
enum Meter {
    Bucket { tokens: f64, filled_at: Instant },
    Minute(VecDeque<Instant>),
}

impl Pacer {
    pub(super) fn new(limits: &'static [RateLimit]) -> Self {
        Self { limits, meters: Mutex::default() }
    }

    /// Takes a turn under every limit and says how long to wait for it. Turns are given in the order of asking.
    pub(super) fn reserve(&self, site: CallSite<'_>, now: Instant) -> Duration {
        if self.limits.is_empty() {
            return Duration::ZERO;
        }
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned = self.limits.iter().enumerate().filter(|(_, limit)| limit.concerns(site));
        let waits = concerned.map(|(number, limit)| {
            let meter = meters.entry(limit.place(number, site));
            meter.or_insert_with(|| Meter::new(limit.allowance, now)).reserve(limit.allowance, now)
        });
        waits.max().unwrap_or_default()
    }
}

impl Pacer {
    /// Gives back a turn that was not used: the last one that was given, for whoever waits is behind it.
    pub(super) fn give_back(&self, site: CallSite<'_>) {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, limit) in self.limits.iter().enumerate().filter(|(_, limit)| limit.concerns(site)) {
            if let Some(meter) = meters.get_mut(&limit.place(number, site)) {
                meter.give_back();
            }
        }
    }
}

impl RateLimit {
    fn concerns(&self, site: CallSite<'_>) -> bool {
        site.service.starts_with(self.service)
    }

    /// Where a call counts.
    fn place(&self, number: usize, site: CallSite<'_>) -> Place {
        let region = site.region.filter(|_| self.by_region).map(str::to_owned);
        (number, region, if self.by_operation { site.operation } else { "" })
    }
}

impl Meter {
    fn new(allowance: Allowance, now: Instant) -> Self {
        match allowance {
            Allowance::Bucket { tokens, .. } => Self::Bucket { tokens: burst(tokens).into(), filled_at: now },
            Allowance::Minute { .. } => Self::Minute(VecDeque::new()),
        }
    }

    fn give_back(&mut self) {
        match self {
            Self::Bucket { tokens, .. } => *tokens += 1.0,
            Self::Minute(turns) => drop(turns.pop_back()),
        }
    }

    fn reserve(&mut self, allowance: Allowance, now: Instant) -> Duration {
        match (self, allowance) {
            (Self::Bucket { tokens, filled_at }, Allowance::Bucket { tokens: most, per_second }) => {
                let rate = per_second * USED;
                let gained = now.saturating_duration_since(*filled_at).as_secs_f64() * rate;
                *tokens = (*tokens + gained).min(burst(most).into()) - 1.0;
                *filled_at = now;
                Duration::from_secs_f64((-*tokens).max(0.0) / rate)
            }
            (Self::Minute(turns), Allowance::Minute { calls }) => {
                // A minute after the turn that would be one too many with it. Twice as many are remembered, so that turns that
                // are given back leave the earlier ones to be counted.
                let fits = usize::try_from(burst(calls)).unwrap_or(usize::MAX);
                let before = turns.len().checked_sub(fits).and_then(|at| turns.get(at));
                let turn = before.map_or(now, |before| (*before + MINUTE).max(now));
                turns.push_back(turn);
                if turns.len() > fits.saturating_mul(2) {
                    turns.pop_front();
                }
                turn.saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        }
    }
}

/// What of a bucket, or of a minute, is used.
fn burst(tokens: u32) -> u32 {
    (tokens * BURST_TENTHS / 10).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static LIMITS: &[RateLimit] = &[
        RateLimit {
            service: "dns",
            by_region: false,
            by_operation: false,
            allowance: Allowance::Bucket { tokens: 50, per_second: 10.0 },
        },
        RateLimit {
            service: "compute",
            by_region: true,
            by_operation: true,
            allowance: Allowance::Bucket { tokens: 100, per_second: 20.0 },
        },
        RateLimit {
            service: "storage",
            by_region: false,
            by_operation: false,
            allowance: Allowance::Minute { calls: 100 },
        },
    ];

    fn site(service: &'static str, operation: &'static str, region: &'static str) -> CallSite<'static> {
        CallSite { cloud: "test", service, operation, region: Some(region) }
    }

    #[test]
    fn a_service_without_a_documented_rate_does_not_wait() {
        let (pacer, now) = (Pacer::new(LIMITS), Instant::now());
        assert!((0..1_000).all(|_| pacer.reserve(site("database", "List", "r-1"), now).is_zero()));
    }

    #[test]
    fn what_counts_for_itself_waits_for_itself() {
        let (pacer, now) = (Pacer::new(LIMITS), Instant::now());
        for _ in 0..90 {
            assert!(pacer.reserve(site("compute", "ListDisks", "r-1"), now).is_zero());
        }
        assert!(!pacer.reserve(site("compute", "ListDisks", "r-1"), now).is_zero());
        assert!(pacer.reserve(site("compute", "ListDisks", "r-2"), now).is_zero());
        assert!(pacer.reserve(site("compute", "ListImages", "r-1"), now).is_zero());
        for _ in 0..45 {
            assert!(pacer.reserve(site("dns", "ListZones", "r-1"), now).is_zero());
        }
        assert!(!pacer.reserve(site("dns", "ListRecords", "r-2"), now).is_zero(), "they count together");
    }

    #[test]
    fn a_turn_that_is_given_back_costs_nobody_anything() {
        for service in ["dns", "storage"] {
            let (pacer, now) = (Pacer::new(LIMITS), Instant::now());
            let call = site(service, "List", "r-1");
            for _ in 0..95 {
                pacer.reserve(call, now);
            }
            let wait = pacer.reserve(call, now);
            assert!(!wait.is_zero());
            for _ in 0..1_000 {
                pacer.give_back(call);
                assert_eq!(pacer.reserve(call, now), wait, "{service}");
            }
        }
    }

    proptest! {
        /// Whoever keeps the turns it is given is never refused by a vendor who counts as documented.
        #[test]
        fn turns_keep_a_bucket(gaps in proptest::collection::vec(0_u64..400, 1..400)) {
            let pacer = Pacer::new(LIMITS);
            let (start, mut now) = (Instant::now(), Instant::now());
            let (mut tokens, mut counted) = (50.0_f64, start);
            let mut sent = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                sent.push(now + pacer.reserve(site("dns", "ListZones", "r-1"), now));
            }
            prop_assert!(sent.is_sorted(), "in the order of asking");
            for at in sent {
                let passed = at.saturating_duration_since(counted).as_secs_f64();
                tokens = (tokens + passed * 10.0).min(50.0);
                counted = at.max(counted);
                prop_assert!(tokens >= 1.0, "refused");
                tokens -= 1.0;
            }
        }

        #[test]
        fn turns_keep_a_minute_wherever_it_begins(calls in 1_usize..500, begins in 0_u64..60_000) {
            let (pacer, now) = (Pacer::new(LIMITS), Instant::now());
            let turns: Vec<u64> = (0..calls)
                .map(|_| pacer.reserve(site("storage", "List", "r-1"), now).as_secs() * 1_000)
                .collect();
            prop_assert!(turns.is_sorted());
            let within = |minute: u64| {
                let from = begins + minute * 60_000;
                turns.iter().filter(|turn| (from..from + 60_000).contains(turn)).count()
            };
            prop_assert!((0..8).all(|minute| within(minute) <= 100));
            // And no slower than nine tenths of what is allowed.
            prop_assert!(turns[calls - 1] <= (calls as u64 / 90) * 60_000);
        }
    }
}
