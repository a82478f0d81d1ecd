//! Which metrics there are, and how each follows from what the world's instruments show.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    aws::{ask::Ask, ec2, elbv2, rds},
    estate::{Estate, Thing},
    face::FaceName,
    load::{self, Bucket, Measure},
};

/// A metric that a kind of things has.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    measure: Measure,
    scale: Scale,
}

/// How a sample becomes a value.
#[derive(Debug, Clone, Copy)]
enum Scale {
    Times(f64),
    /// A rate a second, as what it comes to in the time of a sample.
    Counted,
    /// The share that is left of the thing's memory, in bytes.
    MemoryLeft,
    /// The share that is left of the thing's storage, in bytes.
    StorageLeft,
}

/// The metrics of a kind of things.
#[derive(Debug)]
pub struct Source {
    pub namespace: &'static str,
    pub dimension: &'static str,
    kind: &'static str,
    running: &'static [&'static str],
    pub metrics: &'static [Metric],
}

const fn metric(name: &'static str, unit: &'static str, measure: Measure, scale: Scale) -> Metric {
    Metric { name, unit, measure, scale }
}

/// All there are.
pub const SOURCES: &[Source] = &[
    Source {
        namespace: "AWS/EC2",
        dimension: "InstanceId",
        kind: ec2::INSTANCES,
        running: &["running"],
        metrics: &[
            metric("CPUUtilization", "Percent", Measure::Processor, Scale::Times(100.0)),
            metric("NetworkIn", "Bytes", Measure::NetworkIn, Scale::Counted),
            metric("NetworkOut", "Bytes", Measure::NetworkOut, Scale::Counted),
            metric("EBSReadOps", "Count", Measure::DiskReads, Scale::Counted),
            metric("EBSWriteOps", "Count", Measure::DiskWrites, Scale::Counted),
        ],
    },
    Source {
        namespace: "AWS/RDS",
        dimension: "DBInstanceIdentifier",
        kind: rds::INSTANCES,
        running: &["available", "modifying", "backing-up"],
        metrics: &[
            metric("CPUUtilization", "Percent", Measure::Processor, Scale::Times(100.0)),
            metric("DatabaseConnections", "Count", Measure::Connections, Scale::Times(1.0)),
            metric("FreeableMemory", "Bytes", Measure::Memory, Scale::MemoryLeft),
            metric("FreeStorageSpace", "Bytes", Measure::Storage, Scale::StorageLeft),
            metric("ReadIOPS", "Count/Second", Measure::DiskReads, Scale::Times(1.0)),
            metric("WriteIOPS", "Count/Second", Measure::DiskWrites, Scale::Times(1.0)),
            metric("NetworkReceiveThroughput", "Bytes/Second", Measure::NetworkIn, Scale::Times(1.0)),
            metric("NetworkTransmitThroughput", "Bytes/Second", Measure::NetworkOut, Scale::Times(1.0)),
        ],
    },
    Source {
        namespace: "AWS/ApplicationELB",
        dimension: "LoadBalancer",
        kind: elbv2::BALANCERS,
        running: &["active"],
        metrics: &[
            metric("RequestCount", "Count", Measure::Requests, Scale::Counted),
            metric("TargetResponseTime", "Seconds", Measure::Latency, Scale::Times(1.0)),
            metric("ActiveConnectionCount", "Count", Measure::Connections, Scale::Times(1.0)),
        ],
    },
];

/// One value for a span, of each statistic.
#[derive(Debug)]
pub struct Point {
    pub at: DateTime<Utc>,
    bucket: Bucket,
    factor: f64,
    offset: f64,
}

impl Source {
    /// How a metric's dimension names a thing.
    pub fn named(&self, thing: &Thing) -> String {
        match self.kind {
            // The part of the ARN from the type on: `app/name/number`.
            elbv2::BALANCERS => {
                thing.id.split_once(":loadbalancer/").map_or(String::new(), |(_, name)| name.to_owned())
            }
            _ => thing.id.to_string(),
        }
    }

    /// The things that have these metrics.
    pub fn things<'e>(&'e self, ask: &'e Ask<'_>, estate: &'e Estate) -> impl Iterator<Item = &'e Thing> {
        ask.all(estate, self.kind)
    }

    /// The thing of a name, also one that is gone.
    pub fn find<'e>(&self, ask: &Ask<'_>, estate: &'e Estate, name: &str) -> Option<&'e Thing> {
        let present = if self.kind == elbv2::BALANCERS { None } else { ask.find(estate, self.kind, name) };
        present.or_else(|| {
            estate
                .ever(ask.owner())
                .find(|(kind, thing)| {
                    *kind == self.kind && &*thing.place == ask.place() && self.named(thing) == name
                })
                .map(|(_, thing)| thing)
        })
    }

    /// What a metric of a thing was in a time.
    pub fn points(
        &self,
        ask: &Ask<'_>,
        thing: &Thing,
        metric: &Metric,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        period: i64,
    ) -> Vec<Point> {
        // What was before the thing has no samples, and need not be gone through. Samples of less than a minute are
        // kept for three hours.
        let kept = if period < 60 { ask.now - TimeDelta::hours(3) } else { thing.born - TimeDelta::days(1) };
        let (world, until) = (ask.world, until.min(ask.now));
        let from = from.max(kept).max(thing.born - TimeDelta::days(1));
        let period = TimeDelta::seconds(period);
        let span = (from, until);
        let buckets =
            load::buckets(&world.plan, world.began(), thing, metric.measure, self.running, span, period);
        buckets
            .into_iter()
            .filter(|bucket| bucket.from >= from)
            .map(|bucket| {
                let (factor, offset) = metric.scale.of(ask, thing, bucket.seconds_a_sample);
                Point { at: bucket.from, bucket, factor, offset }
            })
            .collect()
    }
}

impl Scale {
    /// A sample times the first plus the second is the value.
    fn of(self, ask: &Ask<'_>, thing: &Thing, seconds: f64) -> (f64, f64) {
        let left = |bytes: f64| (-bytes, bytes);
        match self {
            Self::Times(factor) => (factor, 0.0),
            Self::Counted => (seconds, 0.0),
            Self::MemoryLeft => {
                let size = ask.world.plan.size(FaceName::Aws, &thing.size);
                #[expect(clippy::cast_precision_loss, reason = "a size in MiB")]
                left(size.map_or(8192.0, |size| size.memory_mib as f64) * 1_048_576.0)
            }
            Self::StorageLeft => {
                left(thing.body.get("AllocatedStorage").as_f64().unwrap_or(20.0) * 1_073_741_824.0)
            }
        }
    }
}

impl Point {
    /// A statistic's value; none for one that `CloudWatch` does not know.
    pub fn value(&self, statistic: &str) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "some hundred samples")]
        let count = self.bucket.count() as f64;
        let scaled = |sample: f64| sample * self.factor + self.offset;
        // Where little stands for much, the least sample is the greatest value.
        let turned = self.factor < 0.0;
        Some(match statistic {
            "Average" => scaled(self.bucket.average()),
            "Sum" => self.bucket.sum() * self.factor + self.offset * count,
            "SampleCount" => count,
            "Minimum" if turned => scaled(self.bucket.maximum()),
            "Maximum" if turned => scaled(self.bucket.minimum()),
            "Minimum" => scaled(self.bucket.minimum()),
            "Maximum" => scaled(self.bucket.maximum()),
            other => {
                let percent: f64 = other
                    .strip_prefix('p')?
                    .parse()
                    .ok()
                    .filter(|percent| (0.0..=100.0).contains(percent))?;
                scaled(self.bucket.percentile(if turned { 100.0 - percent } else { percent }))
            }
        })
    }
}
