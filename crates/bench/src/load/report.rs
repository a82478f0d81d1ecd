//! What came of a run, in figures.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

use super::{Plan, Tally, process::Cost};

/// The figures of a run.
#[derive(Debug)]
pub struct Report {
    scenario: String,
    connections: usize,
    seconds: f64,
    tally: Tally,
    costs: Vec<(&'static str, Cost)>,
}

impl Report {
    pub(super) fn new(plan: &Plan, mut tally: Tally, costs: Vec<(&'static str, Cost)>) -> Self {
        tally.latencies.sort_unstable();
        Self {
            scenario: format!("{:?}", plan.scenario),
            connections: plan.connections,
            seconds: plan.measure.as_secs_f64(),
            tally,
            costs,
        }
    }

    /// As one JSON object.
    pub fn to_json(&self) -> String {
        let costs: BTreeMap<&str, Value> = self
            .costs
            .iter()
            .map(|(name, cost)| {
                let value = json!({
                    "cpu_micros_per_request": self.per_request(cost), "cores": self.cores(cost),
                    "resident_bytes": cost.resident, "resident_peak_bytes": cost.resident_peak
                });
                (*name, value)
            })
            .collect();
        json!({
            "scenario": self.scenario, "connections": self.connections, "seconds": self.seconds,
            "requests_per_second": self.rate(), "requests": self.tally.latencies.len(),
            "p50_ms": self.quantile(0.50), "p95_ms": self.quantile(0.95), "p99_ms": self.quantile(0.99),
            "max_ms": self.quantile(1.0), "mean_answer_bytes": self.mean_bytes(),
            "refused_by_status": self.tally.refused, "broken_by_reason": self.tally.broken, "processes": costs
        })
        .to_string()
    }

    /// Successful requests a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    fn rate(&self) -> f64 {
        self.tally.latencies.len() as f64 / self.seconds
    }

    /// The latency under which this share of the successful requests stays, in milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    fn quantile(&self, share: f64) -> f64 {
        let count = self.tally.latencies.len();
        let rank = (share * count as f64).ceil() as usize;
        let micros = self.tally.latencies.get(rank.max(1) - 1).copied().unwrap_or_default();
        f64::from(micros) / 1_000.0
    }

    fn answered(&self) -> u64 {
        self.tally.latencies.len() as u64 + self.tally.refused.values().sum::<u64>()
    }

    fn mean_bytes(&self) -> u64 {
        self.tally.bytes.checked_div(self.answered()).unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    fn per_request(&self, cost: &Cost) -> f64 {
        let answered = self.answered();
        if answered == 0 { 0.0 } else { cost.cpu_micros as f64 / answered as f64 }
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^52")]
    fn cores(&self, cost: &Cost) -> f64 {
        cost.cpu_micros as f64 / 1e6 / self.seconds
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} connections, {:.0} s", self.scenario, self.connections, self.seconds)?;
        writeln!(f, "  requests a second  {:.0}", self.rate())?;
        let [p50, p95, p99, max] = [0.50, 0.95, 0.99, 1.0].map(|share| self.quantile(share));
        writeln!(f, "  latency in ms      p50 {p50:.2}  p95 {p95:.2}  p99 {p99:.2}  max {max:.2}")?;
        writeln!(f, "  mean answer        {} bytes", self.mean_bytes())?;
        for (status, count) in &self.tally.refused {
            writeln!(f, "  refused with {status}   {count}")?;
        }
        for (reason, count) in &self.tally.broken {
            writeln!(f, "  broken             {count}: {reason}")?;
        }
        if self.tally.refused.is_empty() && self.tally.broken.is_empty() {
            writeln!(f, "  errors             none")?;
        }
        for (name, cost) in &self.costs {
            write!(
                f,
                "  {name:<18} {:.1} µs of CPU a request, {:.2} cores",
                self.per_request(cost),
                self.cores(cost)
            )?;
            if let (Some(now), Some(peak)) = (cost.resident, cost.resident_peak) {
                write!(f, ", {} MiB resident (peak {})", now >> 20, peak >> 20)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
