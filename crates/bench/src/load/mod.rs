//! The load generator: a closed loop over keep-alive connections.
//!
//! One thread and no HTTP library, so that on a machine shared with the server the measured one is the server.
//! Reading order: [`plan`] is what to do, [`http1`] one connection, [`report`] what came of it, [`process`] what it
//! cost the server.

mod http1;
mod plan;
pub mod process;
mod report;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::task::JoinSet;

pub use plan::{Plan, Scenario, Target};
pub use report::Report;

use http1::Connection;
use plan::Requests;
use process::{Cost, Meter};

/// What one connection counted.
#[derive(Debug, Default)]
struct Tally {
    /// Of the requests that were answered with success, in microseconds.
    latencies: Vec<u32>,
    /// Answers that were no success, by status.
    refused: BTreeMap<u16, u64>,
    /// Requests that were not answered, by reason.
    broken: BTreeMap<String, u64>,
    /// Bytes of the answers.
    bytes: u64,
}

/// Carries out a plan.
pub async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let requests = Requests::prepare(plan).await?;
    let begin = Instant::now() + plan.warmup;
    let end = begin + plan.measure;
    let mut tasks = JoinSet::new();
    for number in 0..plan.connections {
        tasks.spawn(drive(plan.url.clone(), requests.of_connection(number), begin, end));
    }
    let meters = Meters::new(plan);
    tokio::time::sleep_until(begin.into()).await;
    let before = meters.read();
    tokio::time::sleep_until(end.into()).await;
    let after = meters.read();
    let mut total = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        total.add(tally.context("a connection's task failed")?);
    }
    let costs =
        before.into_iter().zip(after).map(|((name, before), (_, after))| (name, after - before)).collect();
    Ok(Report::new(plan, total, costs))
}

/// One connection: a request as soon as the one before is answered, until `end`. Counted is what begins after
/// `begin` and is answered by `end`.
async fn drive(target: Target, mut requests: plan::Stream, begin: Instant, end: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut connection = None;
    loop {
        let request = requests.next();
        let started = Instant::now();
        if started >= end {
            return tally;
        }
        let exchanged = exchange(&mut connection, &target, request, end).await;
        let now = Instant::now();
        let counts = started >= begin && now <= end;
        match exchanged {
            Ok(answer) if counts => {
                tally.bytes += answer.bytes;
                if (200..300).contains(&answer.status) {
                    let micros = (now - started).as_micros();
                    tally.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
                } else {
                    *tally.refused.entry(answer.status).or_default() += 1;
                }
            }
            Ok(_) => {}
            Err(error) => {
                connection = None;
                if counts {
                    *tally.broken.entry(error.to_string()).or_default() += 1;
                }
                // A server that refuses connections must not be hammered by a loop without a pause.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn exchange(
    connection: &mut Option<Connection>,
    target: &Target,
    request: &[u8],
    end: Instant,
) -> anyhow::Result<http1::Answer> {
    let limit = end + Duration::from_secs(5);
    let work = async {
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open(&target.address).await?,
        };
        let answer = open.exchange(request).await?;
        if !answer.closes {
            *connection = Some(open);
        }
        Ok(answer)
    };
    tokio::time::timeout_at(limit.into(), work).await.context("no answer within 5 s of the end")?
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.bytes += other.bytes;
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
        for (reason, count) in other.broken {
            *self.broken.entry(reason).or_default() += count;
        }
    }
}

/// The processes whose cost is measured.
struct Meters(Vec<(&'static str, Meter)>);

impl Meters {
    fn new(plan: &Plan) -> Self {
        let mut meters = vec![("load generator", Meter::of_process(std::process::id()))];
        meters.extend(plan.server_pid.map(|pid| ("server", Meter::of_process(pid))));
        meters.extend(plan.database_pid.map(|pid| ("database", Meter::of_family(pid))));
        Self(meters)
    }

    fn read(&self) -> Vec<(&'static str, Cost)> {
        self.0.iter().map(|(name, meter)| (*name, meter.read())).collect()
    }
}
