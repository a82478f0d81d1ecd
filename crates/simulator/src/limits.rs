//! How often an account may call: the limits that the vendors document, off unless they are switched on.
//!
//! A vendor counts by account, and by region or operation where it says so. A limit is a bucket of tokens, refilled
//! steadily, or a count for each minute of the clock. Time is the machine's own, whatever the simulated clock does: it
//! is the client that has to wait. For every bucket the simulator says how long its calls take at least, so that a
//! client can be held against it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{face::FaceName, faults::Call};

/// A limit as the vendor documents it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limit {
    /// The vendor.
    pub face: FaceName,
    /// The service it holds for; all of the vendor's, if none is named.
    pub service: Option<&'static str>,
    /// Which of its operations.
    pub operations: Operations,
    /// Whether each region counts for itself.
    pub by_region: bool,
    /// Whether each operation counts for itself.
    pub by_operation: bool,
    /// How much.
    pub allowance: Allowance,
    /// Where the vendor says so.
    pub source: &'static str,
}

/// Which operations a limit holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operations {
    /// All of them.
    All,
    /// Those that change nothing.
    Reads,
    /// Those that change something and delete nothing.
    Writes,
    /// Those that delete.
    Deletes,
    /// All that are no reads.
    Changes,
}

/// How much may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// A bucket of tokens.
    Bucket {
        /// How many it holds.
        tokens: u32,
        /// How many come back in a second.
        per_second: f64,
    },
    /// So many within a minute of the clock.
    Minute {
        /// How many.
        calls: u32,
    },
}

const EC2: &str = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html";
const ELB: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html";
const ROUTE53: &str =
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html";
const MANAGER: &str =
    "https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling";
const HETZNER: &str = "https://docs.hetzner.cloud/reference/cloud#rate-limiting";
const COMPUTE: &str = "https://cloud.google.com/compute/api-quota";

const fn bucket(tokens: u32, per_second: f64) -> Allowance {
    Allowance::Bucket { tokens, per_second }
}

const fn aws(
    service: &'static str,
    operations: Operations,
    allowance: Allowance,
    source: &'static str,
) -> Limit {
    let face = FaceName::Aws;
    Limit {
        face,
        service: Some(service),
        operations,
        by_region: true,
        by_operation: false,
        allowance,
        source,
    }
}

const fn azure(operations: Operations, allowance: Allowance) -> Limit {
    let face = FaceName::Azure;
    Limit {
        face,
        service: None,
        operations,
        by_region: false,
        by_operation: false,
        allowance,
        source: MANAGER,
    }
}

const fn google(operations: Operations) -> Limit {
    let (face, allowance) = (FaceName::Google, Allowance::Minute { calls: 1_500 });
    let service = Some("compute");
    Limit { face, service, operations, by_region: true, by_operation: false, allowance, source: COMPUTE }
}

/// 3,600 calls an hour for a project, of which one comes back each second.
const HETZNER_CLOUD: Limit = Limit {
    face: FaceName::Hetzner,
    service: None,
    operations: Operations::All,
    by_region: false,
    by_operation: false,
    allowance: bucket(3_600, 1.0),
    source: HETZNER,
};

/// What the vendors document with figures. What they do not is not limited here: RDS, S3's buckets, Auto Scaling.
pub const DOCUMENTED: &[Limit] = &[
    Limit { by_operation: true, ..aws("ec2", Operations::Reads, bucket(100, 20.0), EC2) },
    Limit { by_operation: true, ..aws("ec2", Operations::Changes, bucket(50, 5.0), EC2) },
    aws("elasticloadbalancing", Operations::Reads, bucket(40, 10.0), ELB),
    aws("route53", Operations::All, bucket(50, 10.0), ROUTE53),
    azure(Operations::Reads, bucket(250, 25.0)),
    azure(Operations::Writes, bucket(200, 10.0)),
    azure(Operations::Deletes, bucket(200, 10.0)),
    google(Operations::Reads),
    google(Operations::Changes),
    HETZNER_CLOUD,
];

/// The limits, and what was called under them.
#[derive(Debug, Default)]
pub struct Limits {
    on: AtomicBool,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    limit: usize,
    account: String,
    region: String,
    operation: String,
}

#[derive(Debug)]
struct Bucket {
    /// What is left; for a minute of the clock, what is left of it.
    tokens: f64,
    /// When that was counted; for a minute of the clock, when it began.
    since: Instant,
    first: Instant,
    last: Instant,
    let_through: u64,
    refused: u64,
}

/// What was called under one limit.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The limit.
    #[serde(flatten)]
    pub limit: Limit,
    /// The account.
    pub account: String,
    /// The region, where regions count for themselves.
    pub region: String,
    /// The operation, where operations count for themselves.
    pub operation: String,
    /// Calls that were let through.
    pub let_through: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// How long the calls that were let through took, first to last, in seconds.
    pub took_seconds: f64,
    /// How long they take at least.
    pub least_seconds: f64,
}

impl Limits {
    /// Switches them on or off. What was counted is forgotten.
    pub fn switch(&self, on: bool) {
        self.lock().clear();
        self.on.store(on, Ordering::Relaxed);
    }

    /// Whether they are on.
    pub fn are_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Counts a call; false if it is one too many.
    pub fn admit(&self, call: Call<'_>, now: Instant) -> bool {
        if !self.are_on() {
            return true;
        }
        let mut buckets = self.lock();
        let concerned = DOCUMENTED.iter().enumerate().filter(|(_, limit)| limit.concerns(call));
        for (number, limit) in concerned {
            let key = Key {
                limit: number,
                account: call.account.to_owned(),
                region: if limit.by_region { call.region.to_owned() } else { String::new() },
                operation: if limit.by_operation { call.operation.to_owned() } else { String::new() },
            };
            let bucket = buckets.entry(key).or_insert_with(|| Bucket::full(limit.allowance, now));
            if !bucket.take(limit.allowance, now) {
                return false;
            }
        }
        true
    }

    /// What was called since they were switched on.
    pub fn rows(&self) -> Vec<Row> {
        let buckets = self.lock();
        let mut sorted: Vec<_> = buckets.iter().collect();
        sorted.sort_by_key(|(key, _)| *key);
        let row = |(key, bucket): (&Key, &Bucket)| {
            let limit = DOCUMENTED[key.limit];
            Row {
                limit,
                account: key.account.clone(),
                region: key.region.clone(),
                operation: key.operation.clone(),
                let_through: bucket.let_through,
                refused: bucket.refused,
                took_seconds: (bucket.last - bucket.first).as_secs_f64(),
                least_seconds: limit.allowance.least(bucket.let_through).as_secs_f64(),
            }
        };
        sorted.into_iter().map(row).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    fn concerns(&self, call: Call<'_>) -> bool {
        call.face == Some(self.face)
            && self.service.is_none_or(|service| service == call.service)
            // Tokens are not asked of the resource manager.
            && call.service != "Microsoft.Entra"
            && self.operations.have(Effect::of(self.face, call.operation))
    }
}

/// What an operation does, as far as limits tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
    Deletes,
}

impl Effect {
    /// By the vendor's way of naming operations: `DescribeInstances`, `virtualMachines_listAll`,
    /// `compute.instances.aggregatedList`.
    fn of(face: FaceName, operation: &str) -> Self {
        let verb = match face {
            FaceName::Aws => operation.rsplit(':').next(),
            FaceName::Azure => operation.rsplit('_').next(),
            FaceName::Google | FaceName::Hetzner => operation.rsplit('.').next(),
        };
        let verb = verb.unwrap_or_default().to_ascii_lowercase();
        let begins = |words: &[&str]| words.iter().any(|word| verb.starts_with(word));
        if begins(&[
            "get",
            "list",
            "describe",
            "aggregatedlist",
            "instanceview",
            "checkexistence",
            "wait",
            "status",
            "result",
        ]) {
            Self::Reads
        } else if begins(&["delete"]) {
            Self::Deletes
        } else {
            Self::Writes
        }
    }
}

impl Operations {
    fn have(self, effect: Effect) -> bool {
        match self {
            Self::All => true,
            Self::Reads => effect == Effect::Reads,
            Self::Writes => effect == Effect::Writes,
            Self::Deletes => effect == Effect::Deletes,
            Self::Changes => effect != Effect::Reads,
        }
    }
}

impl Allowance {
    /// How long so many calls take at least, from the first to the last.
    pub fn least(self, calls: u64) -> Duration {
        match self {
            Self::Bucket { tokens, per_second } => {
                let waited = calls.saturating_sub(tokens.into());
                #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
                let seconds = waited as f64 / per_second;
                Duration::from_secs_f64(seconds)
            }
            // The first minute may have just begun to end.
            Self::Minute { calls: most } => {
                let minutes = calls.saturating_sub(1) / u64::from(most.max(1));
                Duration::from_secs(minutes.saturating_sub(1) * 60)
            }
        }
    }
}

/// A minute of the clock.
const MINUTE: Duration = Duration::from_mins(1);

impl Bucket {
    fn full(allowance: Allowance, now: Instant) -> Self {
        let tokens = match allowance {
            Allowance::Bucket { tokens, .. } => f64::from(tokens),
            Allowance::Minute { calls } => f64::from(calls),
        };
        Self { tokens, since: now, first: now, last: now, let_through: 0, refused: 0 }
    }

    fn take(&mut self, allowance: Allowance, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        match allowance {
            Allowance::Bucket { tokens, per_second } => {
                self.tokens = f64::from(tokens).min(self.tokens + passed.as_secs_f64() * per_second);
                self.since = now;
            }
            Allowance::Minute { calls } if passed >= MINUTE => {
                self.tokens = f64::from(calls);
                self.since += MINUTE * u32::try_from(passed.as_secs() / 60).unwrap_or(u32::MAX);
            }
            Allowance::Minute { .. } => {}
        }
        if self.tokens < 1.0 {
            self.refused += 1;
            return false;
        }
        self.tokens -= 1.0;
        self.let_through += 1;
        self.last = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(face: FaceName, service: &'static str, operation: &'static str) -> Call<'static> {
        Call { face: Some(face), account: "1", region: "r-1", service, operation, ..Call::default() }
    }

    fn on() -> Limits {
        let limits = Limits::default();
        limits.switch(true);
        limits
    }

    #[test]
    fn nothing_is_limited_unless_asked_for() {
        let (limits, now) = (Limits::default(), Instant::now());
        let call = call(FaceName::Aws, "route53", "route53:ListHostedZones");
        assert!((0..1_000).all(|_| limits.admit(call, now)));
        assert!(limits.rows().is_empty());
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (limits, now) = (on(), Instant::now());
        let call = call(FaceName::Aws, "route53", "route53:ListHostedZones");
        assert_eq!((0..200).filter(|_| limits.admit(call, now)).count(), 50);
        assert_eq!((0..200).filter(|_| limits.admit(call, now + Duration::from_secs(2))).count(), 20);
        let row = &limits.rows()[0];
        assert_eq!((row.let_through, row.refused), (70, 330));
        assert!((row.least_seconds - 2.0).abs() < 1e-9 && (row.took_seconds - 2.0).abs() < 1e-9);
    }

    #[test]
    fn operations_and_regions_count_for_themselves_where_the_vendor_says_so() {
        let (limits, now) = (on(), Instant::now());
        let volumes = call(FaceName::Aws, "ec2", "ec2:DescribeVolumes");
        assert_eq!((0..200).filter(|_| limits.admit(volumes, now)).count(), 100);
        assert!(limits.admit(call(FaceName::Aws, "ec2", "ec2:DescribeSnapshots"), now));
        assert!(limits.admit(Call { region: "r-2", ..volumes }, now));
        assert_eq!(
            (0..200).filter(|_| limits.admit(call(FaceName::Aws, "ec2", "ec2:RunInstances"), now)).count(),
            50
        );
        assert!(limits.admit(call(FaceName::Aws, "rds", "rds:DescribeDBInstances"), now), "not documented");
    }

    #[test]
    fn azure_counts_reads_writes_and_deletes_of_all_services_together() {
        let (limits, now) = (on(), Instant::now());
        let reads = ["virtualMachines_ListAll", "Disks_Get", "servers_listByResourceGroup"];
        let asked = reads.iter().cycle().take(600).filter(|operation| {
            limits.admit(Call { operation, ..call(FaceName::Azure, "Microsoft.Compute", "") }, now)
        });
        assert_eq!(asked.count(), 250);
        let delete = call(FaceName::Azure, "Microsoft.Compute", "Disks_Delete");
        let write = call(FaceName::Azure, "Microsoft.Compute", "Disks_CreateOrUpdate");
        for other in [delete, write] {
            assert_eq!((0..300).filter(|_| limits.admit(other, now)).count(), 200);
        }
        let token = call(FaceName::Azure, "Microsoft.Entra", "token");
        assert!((0..300).all(|_| limits.admit(token, now)));
    }

    #[test]
    fn a_minute_of_the_clock_begins_anew() {
        let (limits, now) = (on(), Instant::now());
        let call = call(FaceName::Google, "compute", "compute.instances.aggregatedList");
        assert_eq!((0..2_000).filter(|_| limits.admit(call, now)).count(), 1_500);
        assert!(!limits.admit(call, now + Duration::from_secs(59)));
        assert!(limits.admit(call, now + Duration::from_secs(61)));
    }
}
