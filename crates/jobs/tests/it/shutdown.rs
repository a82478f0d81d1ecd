//! A shutdown finishes what it can, gives back the rest at once, and costs no attempt.

use std::time::Duration;

use marquee_jobs::{
    Limits, NewJob, Policy, Registry, Workers,
    testing::{hurried, leftover_jobs, work_until_idle, workers},
};
use marquee_types::OperationState;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, Builder, Notebook, Waiter, building, until};

#[tokio::test]
async fn an_operation_stops_at_a_step_boundary_and_another_process_goes_on() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let waiter = Waiter::default();
    let id = bed.start(building(Policy::Unwind, &[("wait", json!({})), ("b", json!({}))])).await.id();
    let crew = workers(&bed.db, &bed.clock, Registry::new().operation(waiter.clone()));
    let stop = CancellationToken::new();
    let stopping = async {
        waiter.waiting.notified().await;
        stop.cancel();
        // The step under way is let to its end, not cut off.
        waiter.release.notify_one();
    };
    tokio::join!(crew.run(stop.clone()), stopping);
    assert_eq!(bed.states(id).await, "wait=succeeded b=pending");
    assert_eq!(leftover_jobs(&bed.db).await.unwrap(), ["operation:build is ready: no error"]);
    assert_eq!(bed.finish(builder.clone(), id).await.state, OperationState::Succeeded);
    assert_eq!(builder.calls(), ["do b"]);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_given_back_without_costing_an_attempt() {
    let bed = Bed::new().await;
    bed.enqueue(NewJob { max_attempts: 1, ..NewJob::new("note", json!(1)) }).await;
    let id = bed.start(building(Policy::Unwind, &[("wait", json!({}))])).await.id();
    let waiter = Waiter::default();
    let limits = Limits { grace: Duration::from_millis(50), ..hurried() };
    let registry = Registry::new().operation(waiter.clone()).job(Hangs);
    let crew = Workers::new(bed.db.clone(), bed.clock.clone(), registry, limits);
    let stop = CancellationToken::new();
    let stopping = async {
        waiter.waiting.notified().await;
        until("both are under way", || async { crew.health().in_flight == 2 }).await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), stopping);
    let mut left = leftover_jobs(&bed.db).await.unwrap();
    left.sort();
    assert_eq!(left, ["note is ready: no error", "operation:build is ready: no error"]);
    let notes = Notebook::new("note");
    let registry = Registry::new().job(notes.clone()).operation(Builder::default());
    assert!(work_until_idle(&workers(&bed.db, &bed.clock, registry), &bed.db).await.unwrap().is_empty());
    assert_eq!(notes.ran().len(), 1);
    let steps = bed.steps(id).await;
    assert_eq!((steps[0].attempt, steps[0].state.as_str()), (2, "succeeded"));
}

struct Hangs;

#[async_trait::async_trait]
impl marquee_jobs::JobHandler for Hangs {
    fn kind(&self) -> &'static str {
        "note"
    }

    async fn run(&self, _run: &marquee_jobs::JobRun) -> Result<(), marquee_jobs::JobError> {
        std::future::pending().await
    }
}
