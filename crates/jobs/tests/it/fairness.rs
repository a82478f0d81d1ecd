//! No organization waits for another's backlog, and no job is done by two.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use marquee_jobs::{
    JobError, JobHandler, JobRun, Limits, NewJob, Registry, Workers,
    testing::{hurried, leftover_jobs, work_until_idle, workers},
};
use marquee_types::OrganizationId;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, enqueue_for, someone, until};

/// Notes who started, in order; ends when a permit is there.
#[derive(Clone)]
struct Gate {
    started: Arc<Mutex<Vec<OrganizationId>>>,
    permits: Arc<Semaphore>,
}

impl Gate {
    fn with(permits: usize) -> Self {
        Self { started: Arc::default(), permits: Arc::new(Semaphore::new(permits)) }
    }

    fn started(&self) -> Vec<OrganizationId> {
        self.started.lock().unwrap().clone()
    }
}

#[async_trait]
impl JobHandler for Gate {
    fn kind(&self) -> &'static str {
        "gate"
    }

    async fn run(&self, run: &JobRun) -> Result<(), JobError> {
        self.started.lock().unwrap().push(run.organization);
        self.permits.acquire().await.unwrap().forget();
        Ok(())
    }

    fn parallel(&self) -> usize {
        6
    }
}

fn job() -> NewJob {
    NewJob::new("gate", json!(null))
}

#[tokio::test]
async fn organizations_take_turns_however_much_one_has_enqueued() {
    let bed = Bed::new().await;
    let organizations = [someone(), someone(), someone()];
    for _ in 0..30 {
        enqueue_for(&bed.db, &organizations[0], job()).await;
    }
    for organization in &organizations[1..] {
        enqueue_for(&bed.db, organization, job()).await;
    }
    let gate = Gate::with(1000);
    let limits = Limits { concurrency: 1, per_organization: 1, ..hurried() };
    let one = Workers::new(bed.db.clone(), bed.clock.clone(), Registry::new().job(gate.clone()), limits);
    work_until_idle(&one, &bed.db).await.unwrap();
    let first: BTreeSet<OrganizationId> = gate.started()[..3].iter().copied().collect();
    assert_eq!(first.len(), 3, "each has had a turn after three: {:?}", gate.started());
}

#[tokio::test]
async fn a_batch_is_shared_and_no_organization_holds_every_slot() {
    let bed = Bed::new().await;
    let (hog, other) = (someone(), someone());
    for _ in 0..20 {
        enqueue_for(&bed.db, &hog, job()).await;
    }
    let gate = Gate::with(0);
    let lease = Duration::from_millis(600);
    let limits = Limits { concurrency: 5, per_organization: 3, lease, ..hurried() };
    let crew = Workers::new(bed.db.clone(), bed.clock.clone(), Registry::new().job(gate.clone()), limits);
    let stop = CancellationToken::new();
    let watching = async {
        until("the hog has its share", || async { gate.started().len() == 3 }).await;
        enqueue_for(&bed.db, &other, job()).await;
        until("the other starts beside it", || async { gate.started().len() == 4 }).await;
        assert_eq!(gate.started()[3], other.organization);
        let health = || async {
            let health = crew.health();
            let (depth, at_work) = (health.depth, health.in_flight);
            health.live
                && at_work == 4
                && (depth.ready, depth.running) == (17, 4)
                && depth.oldest_ready.is_some()
        };
        until("the health tells so", health).await;
        gate.permits.add_permits(100);
        until("all is done", || async { leftover_jobs(&bed.db).await.unwrap().is_empty() }).await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), watching);
    assert_eq!(gate.started().len(), 21);
}

#[tokio::test]
async fn a_kind_runs_no_more_than_its_own_limit_at_once() {
    let bed = Bed::new().await;
    for _ in 0..12 {
        enqueue_for(&bed.db, &someone(), job()).await;
    }
    let gate = Gate::with(0);
    let crew = workers(&bed.db, &bed.clock, Registry::new().job(gate.clone()));
    let stop = CancellationToken::new();
    let watching = async {
        until("its limit is reached", || async { gate.started().len() >= 6 }).await;
        // Several looks into the queue later there are no more.
        let polled = crew.health().last_poll;
        until("the queue was read again", || async { crew.health().last_poll > polled }).await;
        assert_eq!(gate.started().len(), 6);
        gate.permits.add_permits(100);
        until("all is done", || async { leftover_jobs(&bed.db).await.unwrap().is_empty() }).await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), watching);
    assert_eq!(gate.started().len(), 12);
}

/// Counts how often each payload ran.
#[derive(Clone, Default)]
struct Count(Arc<Mutex<HashMap<i64, usize>>>);

#[async_trait]
impl JobHandler for Count {
    fn kind(&self) -> &'static str {
        "count"
    }

    async fn run(&self, run: &JobRun) -> Result<(), JobError> {
        *self.0.lock().unwrap().entry(run.payload.as_i64().unwrap()).or_default() += 1;
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[tokio::test]
async fn processes_that_race_for_the_queue_do_each_job_once() {
    let bed = Bed::new().await;
    let organizations = [someone(), someone(), someone()];
    for n in 0..120 {
        enqueue_for(&bed.db, &organizations[n % 3], NewJob::new("count", json!(n))).await;
    }
    let count = Count::default();
    let stop = CancellationToken::new();
    let crews: Vec<Workers> =
        (0..4).map(|_| workers(&bed.db, &bed.clock, Registry::new().job(count.clone()))).collect();
    let running = join_all(crews.iter().map(|crew| crew.run(stop.clone())));
    let watching = async {
        until("all is done", || async { leftover_jobs(&bed.db).await.unwrap().is_empty() }).await;
        stop.cancel();
    };
    tokio::join!(running, watching);
    let counts = count.0.lock().unwrap();
    assert_eq!(counts.len(), 120);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
}
