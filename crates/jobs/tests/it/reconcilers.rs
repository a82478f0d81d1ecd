//! Reconcilers: by period, by nudge, one process at a time, and the engine's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use marquee_jobs::{
    Limits, Policy, ReconcileContext, Reconciler, Registry, StepError, Summary, Workers, nudge,
    testing::{hurried, workers},
};
use marquee_types::Clock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, Builder, building, until};

/// Counts its runs, and how many of it ran at once.
#[derive(Clone, Default)]
struct Counting {
    runs: Arc<AtomicUsize>,
    inside: Arc<AtomicUsize>,
    most_inside: Arc<AtomicUsize>,
    fails: bool,
}

impl Counting {
    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Reconciler for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(10)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        ctx.db.ping().await?;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        let runs = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        if self.fails {
            return Err(StepError::transient("busy", "It is busy."));
        }
        Ok(json!({ "runs": runs }))
    }
}

fn noon() -> DateTime<Utc> {
    "2026-06-20T12:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_reconciler_runs_by_period_and_by_nudge() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let counting = Counting::default();
    let crew = workers(&bed.db, &clock, Registry::new().reconciler(counting.clone()));
    let stop = CancellationToken::new();
    let watching = async {
        until("it runs at the start", || async { counting.runs() == 1 }).await;
        let mut tx = bed.org();
        nudge(&mut tx, "counting");
        tx.commit().await.unwrap();
        until("it runs when nudged", || async { counting.runs() == 2 }).await;
        crew.nudge("counting");
        until("it runs when nudged in the process", || async { counting.runs() == 3 }).await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), watching);

    // Within its period (less the tenth that is chance) a new process does not run it; after it, it does.
    clock.advance(TimeDelta::minutes(8));
    run_upkeep_once(&bed, &clock, &counting).await;
    assert_eq!(counting.runs(), 3);
    clock.advance(TimeDelta::minutes(4));
    run_upkeep_once(&bed, &clock, &counting).await;
    assert_eq!(counting.runs(), 4);
    // A clock that jumped far ahead and back again does not stop it for that long.
    clock.advance(TimeDelta::days(1));
    run_upkeep_once(&bed, &clock, &counting).await;
    assert_eq!(counting.runs(), 5);
    clock.advance(-TimeDelta::days(1));
    run_upkeep_once(&bed, &clock, &counting).await;
    assert_eq!(counting.runs(), 6);
}

/// Has workers tend every reconciler of theirs at least once.
async fn run_upkeep_once(bed: &Bed, clock: &Clock, counting: &Counting) {
    let probe = Probe::default();
    let registry = Registry::new().reconciler(counting.clone()).reconciler(probe.clone());
    let crew = workers(&bed.db, clock, registry);
    let stop = CancellationToken::new();
    let watching = async {
        // Nudged again and again, the probe runs after the other has had ample opportunity.
        for round in 1..=10 {
            crew.nudge("probe");
            until("the probe runs", || async { probe.0.load(Ordering::SeqCst) >= round }).await;
        }
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), watching);
}

#[derive(Clone, Default)]
struct Probe(Arc<AtomicUsize>);

#[async_trait]
impl Reconciler for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn period(&self) -> Duration {
        Duration::from_hours(1)
    }

    async fn reconcile(&self, _ctx: &ReconcileContext) -> Result<Summary, StepError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(json!({}))
    }
}

#[tokio::test]
async fn of_several_processes_one_runs_it_at_a_time() {
    let bed = Bed::new().await;
    let counting = Counting::default();
    let crews: Vec<Workers> =
        (0..3).map(|_| workers(&bed.db, &bed.clock, Registry::new().reconciler(counting.clone()))).collect();
    let stop = CancellationToken::new();
    let nudging = async {
        for round in 1..=10 {
            for crew in &crews {
                crew.nudge("counting");
            }
            until("it runs", || async { counting.runs() >= round }).await;
        }
        stop.cancel();
    };
    let running = futures::future::join_all(crews.iter().map(|crew| crew.run(stop.clone())));
    tokio::join!(running, nudging);
    assert_eq!(counting.most_inside.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failure_is_kept_and_tried_again_before_the_period_is_over() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let counting = Counting { fails: true, ..Counting::default() };
    let crew = workers(&bed.db, &clock, Registry::new().reconciler(counting.clone()));
    let stop = CancellationToken::new();
    let watching = async {
        until("it runs", || async { counting.runs() == 1 }).await;
        until("its failure is kept", || async { failures(&bed).await == 1 }).await;
        clock.advance(TimeDelta::seconds(2));
        until("it runs again", || async { counting.runs() == 2 }).await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), watching);
}

async fn failures(bed: &Bed) -> i32 {
    let tx = bed.db.system("test: look at a reconciler");
    let sql = "SELECT failures FROM reconcilers WHERE name = 'counting'";
    tx.read(sql, &[]).await.unwrap()[0].get(0)
}

#[tokio::test]
async fn the_engine_cleans_up_after_itself() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    bed.run(Builder::default(), building(Policy::Unwind, &[("old", json!({}))])).await;
    insert_key(&bed, "old", noon()).await;
    clock.advance(TimeDelta::days(2));
    let young = bed.run(Builder::default(), building(Policy::Unwind, &[("young", json!({}))])).await;
    insert_key(&bed, "young", clock.now()).await;
    clock.advance(TimeDelta::hours(5));

    let limits = Limits { keep_operations: Duration::from_hours(24), ..hurried() };
    let crew = Workers::new(bed.db.clone(), clock.clone(), Registry::new(), limits);
    let stop = CancellationToken::new();
    let watching = async {
        let count = "SELECT (SELECT count(*) FROM operations) + (SELECT count(*) FROM operation_steps)
                          + (SELECT count(*) FROM idempotency_keys)";
        until("the old is gone", || async {
            let tx = bed.db.system("test: count");
            tx.read(count, &[]).await.unwrap()[0].get::<_, i64>(0) == 3
        })
        .await;
        until("partitions are kept", || async {
            let sql = "SELECT summary ? 'created' FROM reconcilers WHERE name = 'partition_upkeep'";
            let tx = bed.db.system("test: look at a reconciler");
            tx.read(sql, &[]).await.unwrap().first().and_then(|row| row.get(0)) == Some(true)
        })
        .await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), watching);
    assert_eq!(bed.operation(young.id).await.id, young.id);
}

async fn insert_key(bed: &Bed, key: &str, at: DateTime<Utc>) {
    let organization = bed.context.organization.uuid();
    let sql = "INSERT INTO idempotency_keys
                   (organization_id, principal, method, path, key, fingerprint, locked_until, created_at, expires_at)
               VALUES ($1, 'user:test', 'POST', '/api/x', $2, '\\x00', $3, $3, $3::timestamptz + interval '1 day')";
    let mut tx = bed.org();
    tx.execute(sql, &[&organization, &key, &at]).await.unwrap();
    tx.commit().await.unwrap();
}
