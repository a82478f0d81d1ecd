//! Operations: how they end, what they show, and what can be asked of them meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use marquee_jobs::{
    ApprovalOutcome, Backoff, CancelOutcome, NewOperation, OperationKind, PauseOutcome, Policy, Registry,
    Started, StepContext, StepDone, StepError, cancel_operation, pause_operation, propose_operation,
    refuse_operation, resume_operation, testing::workers,
};
use marquee_types::{OperationId, OperationState};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, Builder, building, quick, someone, until};

const PARTIAL: Policy = Policy::Partial { parallel: 4 };

fn plain(names: &[&'static str]) -> Vec<(&'static str, Value)> {
    names.iter().map(|name| (*name, json!({}))).collect()
}

#[tokio::test]
async fn all_steps_of_an_unwind_run_in_order_and_the_hook_closes_with_them() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let done = bed.run(builder.clone(), building(Policy::Unwind, &plain(&["a", "b", "c"]))).await;
    assert_eq!(done.state, OperationState::Succeeded);
    assert_eq!(builder.calls(), ["do a", "do b", "do c"]);
    assert_eq!(bed.states(done.id).await, "a=succeeded b=succeeded c=succeeded");
    assert_eq!(*builder.closed.lock().unwrap(), ["succeeded"]);
    assert!(done.started_at >= Some(done.created_at) && done.finished_at >= done.started_at);
    assert_eq!(bed.steps(done.id).await[1].output, Some(json!({ "built": "b" })));
    bed.nothing_left().await;
}

#[tokio::test]
async fn a_failure_under_unwind_undoes_what_was_started_in_reverse() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let steps = [("a", json!({})), ("b", json!({})), ("c", json!({ "fail": "never" })), ("d", json!({}))];
    let done = bed.run(builder.clone(), building(Policy::Unwind, &steps)).await;
    assert_eq!(done.state, OperationState::Undone);
    assert_eq!(builder.calls(), ["do a", "do b", "do c", "undo c", "undo b", "undo a"]);
    assert_eq!(bed.states(done.id).await, "a=undone b=undone c=undone d=skipped");
    assert_eq!(done.error, Some(json!({ "code": "refused", "detail": "c was refused.", "step": "c" })));
    assert!(builder.standing().is_empty());
}

#[tokio::test]
async fn a_step_is_tried_again_and_so_is_an_undo() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let steps = [
        ("a", json!({ "undo_fail": "backoff", "undo_times": 2 })),
        ("b", json!({ "fail": "backoff", "times": 2 })),
        ("c", json!({ "fail": "backoff" })),
    ];
    let done = bed.run(builder.clone(), building(Policy::Unwind, &steps)).await;
    assert_eq!(done.state, OperationState::Undone);
    let rows = bed.steps(done.id).await;
    assert_eq!(rows.iter().map(|step| step.attempt).collect::<Vec<_>>(), [1, 3, 3]);
    assert_eq!(builder.calls().iter().filter(|call| *call == "undo a").count(), 3);
}

#[tokio::test]
async fn what_could_not_be_undone_is_named() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let steps = [("a", json!({})), ("b", json!({ "undo_fail": "never" })), ("c", json!({ "fail": "never" }))];
    let done = bed.run(builder.clone(), building(Policy::Unwind, &steps)).await;
    assert_eq!(done.state, OperationState::Failed);
    assert_eq!(bed.states(done.id).await, "a=undone b=undo_failed c=undone");
    assert_eq!(builder.standing(), ["b"]);
    let error = done.error.unwrap();
    assert_eq!(error["code"], "refused");
    assert_eq!(error["step"], "c");
    let left =
        json!([{ "code": "refused", "detail": "b was refused.", "step": "b", "output": { "built": "b" } }]);
    assert_eq!(error["left"], left);
}

#[tokio::test]
async fn under_partial_each_step_succeeds_or_fails_alone() {
    let bed = Bed::new().await;
    for (steps, state) in [
        (vec![], OperationState::Succeeded),
        (plain(&["a", "b", "c", "d", "e", "f"]), OperationState::Succeeded),
        (
            vec![("a", json!({})), ("b", json!({ "fail": "never" })), ("c", json!({}))],
            OperationState::PartiallySucceeded,
        ),
        (
            vec![("a", json!({ "fail": "never" })), ("b", json!({ "fail": "backoff" }))],
            OperationState::Failed,
        ),
    ] {
        let done = bed.run(Builder::default(), building(PARTIAL, &steps)).await;
        assert_eq!(done.state, state, "{steps:?}");
        assert_eq!(done.error.is_some(), state != OperationState::Succeeded);
        if state == OperationState::PartiallySucceeded {
            assert_eq!(
                done.error.unwrap()["steps"],
                json!([{ "code": "refused", "detail": "b was refused.", "step": "b" }])
            );
        }
    }
}

#[tokio::test]
async fn steps_add_steps_and_counters_add_up() {
    let bed = Bed::new().await;
    for policy in [Policy::Unwind, PARTIAL] {
        let counts = json!({ "seen": 2, "by": { "x": 1 } });
        let steps = [
            ("a", json!({ "then": ["d", "e"], "counts": counts })),
            ("b", json!({ "counts": counts, "then": ["f"] })),
            ("c", json!({ "counts": { "seen": 0.5, "last": "c" } })),
        ];
        let done = bed.run(Builder::default(), building(policy, &steps)).await;
        assert_eq!(done.state, OperationState::Succeeded);
        assert_eq!(bed.steps(done.id).await.len(), 6);
        assert_eq!(done.progress, json!({ "seen": 4.5, "by": { "x": 2 }, "last": "c" }));
    }
}

#[tokio::test]
async fn starting_with_the_key_of_one_under_way_joins_it() {
    let bed = Bed::new().await;
    let keyed = || NewOperation { dedup_key: Some("k".into()), ..building(PARTIAL, &plain(&["a"])) };
    let first = bed.start(keyed()).await;
    assert_eq!(bed.start(keyed()).await, Started::Joined(first.id()));
    bed.finish(Builder::default(), first.id()).await;
    assert!(matches!(bed.start(keyed()).await, Started::New(_)));
}

async fn cancel(bed: &Bed, id: OperationId) -> CancelOutcome {
    let mut tx = bed.org();
    let outcome = cancel_operation(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    outcome
}

#[tokio::test]
async fn an_operation_cancelled_before_it_began_does_nothing() {
    let bed = Bed::new().await;
    for policy in [Policy::Unwind, PARTIAL] {
        let builder = Builder::default();
        let id = bed.start(building(policy, &plain(&["a", "b"]))).await.id();
        assert_eq!(cancel(&bed, id).await, CancelOutcome::Cancelling);
        assert_eq!(bed.finish(builder.clone(), id).await.state, OperationState::Cancelled);
        assert!(builder.calls().is_empty());
        assert_eq!(bed.states(id).await, "a=skipped b=skipped");
        assert_eq!(cancel(&bed, id).await, CancelOutcome::Done(OperationState::Cancelled));
    }
    assert_eq!(cancel(&bed, OperationId::new()).await, CancelOutcome::NotFound);
    let mut stranger = bed.db.org(&someone()).unwrap();
    let id = bed.start(building(PARTIAL, &[])).await.id();
    assert_eq!(cancel_operation(&mut stranger, id).await.unwrap(), CancelOutcome::NotFound);
}

#[tokio::test]
async fn a_cancel_reaches_the_step_under_way_and_stops_at_its_boundary() {
    let bed = Bed::new().await;
    for (policy, state, states) in [
        (Policy::Unwind, OperationState::Undone, "a=undone wait=undone c=skipped"),
        (Policy::Partial { parallel: 1 }, OperationState::Cancelled, "a=succeeded wait=succeeded c=skipped"),
    ] {
        let waiter = crate::support::Waiter::default();
        let id = bed.start(building(policy, &plain(&["a", "wait", "c"]))).await.id();
        let workers = workers(&bed.db, &bed.clock, Registry::new().operation(waiter.clone()));
        let ask = async {
            waiter.waiting.notified().await;
            assert_eq!(cancel(&bed, id).await, CancelOutcome::Cancelling);
        };
        let done = marquee_jobs::testing::work_until_done(
            &workers,
            &bed.db,
            &bed.context,
            id,
            crate::support::AT_MOST,
        );
        let ((), done) = tokio::join!(ask, done);
        assert_eq!(done.state, state);
        assert_eq!(bed.states(id).await, states);
    }
}

#[tokio::test]
async fn a_step_can_pause_the_operation_and_a_person_resume_it() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let steps = [("a", json!({})), ("b", json!({ "fail": "pause", "times": 1 })), ("c", json!({}))];
    let id = bed.start(building(Policy::Unwind, &steps)).await.id();
    let crew = workers(&bed.db, &bed.clock, Registry::new().operation(builder.clone()));
    let stop = CancellationToken::new();
    let pausing = async {
        until("it pauses", || async { bed.operation(id).await.state == OperationState::Paused }).await;
        let paused = bed.operation(id).await;
        assert_eq!(paused.pause_reason.as_deref(), Some("The credentials were revoked."));
        assert_eq!(bed.states(id).await, "a=succeeded b=pending c=pending");
        bed.nothing_left().await;
        let mut tx = bed.org();
        assert_eq!(resume_operation(&mut tx, id).await.unwrap(), PauseOutcome::Accepted);
        tx.commit().await.unwrap();
        until("it is done", || async { bed.operation(id).await.state.is_done() }).await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), pausing);
    assert_eq!(bed.operation(id).await.state, OperationState::Succeeded);
    assert_eq!(builder.calls(), ["do a", "do b", "do b", "do c"]);
}

#[tokio::test]
async fn a_person_can_pause_an_operation_and_cancel_it_while_it_is_paused() {
    let bed = Bed::new().await;
    let builder = Builder::default();
    let id = bed.start(building(Policy::Unwind, &plain(&["a", "b"]))).await.id();
    let mut tx = bed.org();
    assert_eq!(pause_operation(&mut tx, id, "A freeze is on.").await.unwrap(), PauseOutcome::Accepted);
    tx.commit().await.unwrap();
    let crew = workers(&bed.db, &bed.clock, Registry::new().operation(builder.clone()));
    marquee_jobs::testing::work_until_idle(&crew, &bed.db).await.unwrap();
    let paused = bed.operation(id).await;
    assert_eq!(paused.state, OperationState::Paused);
    assert_eq!(paused.pause_reason.as_deref(), Some("A freeze is on."));
    assert_eq!(cancel(&bed, id).await, CancelOutcome::Cancelling);
    assert_eq!(bed.finish(builder.clone(), id).await.state, OperationState::Cancelled);
    let mut tx = bed.org();
    assert_eq!(
        resume_operation(&mut tx, id).await.unwrap(),
        PauseOutcome::Refused(OperationState::Cancelled)
    );
    assert!(builder.calls().is_empty());
}

#[tokio::test]
async fn an_operation_that_is_not_approved_ends_with_the_reason() {
    let bed = Bed::new().await;
    for policy in [Policy::Unwind, PARTIAL] {
        let builder = Builder::default();
        let reason = json!({ "code": "rejected", "detail": "The band plays." });
        let mut tx = bed.org();
        let id = propose_operation(&mut tx, building(policy, &plain(&["a", "b"]))).await.unwrap().id();
        assert_eq!(refuse_operation(&mut tx, id, reason.clone()).await.unwrap(), ApprovalOutcome::Accepted);
        tx.commit().await.unwrap();
        let done = bed.finish(builder.clone(), id).await;
        assert_eq!((done.state, done.error), (OperationState::Cancelled, Some(reason)), "{policy:?}");
        assert!(builder.calls().is_empty());
    }
}

/// Waits for something, and every second look at it fails.
#[derive(Clone, Default)]
struct Looker(Arc<AtomicUsize>);

#[async_trait]
impl OperationKind for Looker {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, _: &StepContext) -> Result<StepDone, StepError> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            20.. => Ok(StepDone::default()),
            look if look % 2 == 0 => Err(StepError::transient("busy", "It is busy.")),
            _ => Err(StepError::later(Duration::from_millis(1), "It waits.")),
        }
    }

    fn backoff(&self, _: &str) -> Backoff {
        quick()
    }

    fn attempts(&self, _: &str) -> u16 {
        3
    }
}

#[tokio::test]
async fn failures_between_looks_that_succeeded_do_not_add_up() {
    let bed = Bed::new().await;
    let done = bed.run(Looker::default(), building(PARTIAL, &plain(&["a"]))).await;
    assert_eq!(done.state, OperationState::Succeeded, "{:?}", done.error);
}
