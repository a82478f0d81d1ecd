//! Every notice is lost, and all work is done all the same.

use std::time::Duration;

use marquee_jobs::{
    CancelOutcome, Limits, NewJob, Policy, Registry, cancel_operation,
    testing::{deaf_workers, hurried, leftover_jobs},
    wait_operation,
};
use marquee_types::OperationState;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{AT_MOST, Bed, Builder, Notebook, Waiter, building, until};

#[tokio::test]
async fn jobs_are_found_by_looking() {
    let bed = Bed::new().await;
    let (notes, builder) = (Notebook::new("note"), Builder::default());
    let registry = Registry::new().job(notes.clone()).operation(builder.clone());
    let deaf = deaf_workers(&bed.db, &bed.clock, registry, hurried());
    let stop = CancellationToken::new();
    let working = async {
        // The workers look before there is anything, so that nothing but a later look can find it.
        until("they look", || async { deaf.health().last_poll.is_some() }).await;
        for n in 0..10 {
            bed.enqueue(NewJob::new("note", json!(n))).await;
        }
        let id = bed.start(building(Policy::Unwind, &[("a", json!({})), ("b", json!({}))])).await.id();
        until("all is done", || async { leftover_jobs(&bed.db).await.unwrap().is_empty() }).await;
        assert_eq!(bed.operation(id).await.state, OperationState::Succeeded);
        stop.cancel();
    };
    tokio::join!(deaf.run(stop.clone()), working);
    assert_eq!(notes.ran().len(), 10);
}

#[tokio::test]
async fn a_cancel_is_found_by_the_heartbeat() {
    let bed = Bed::new().await;
    let waiter = Waiter::default();
    let limits = Limits { lease: Duration::from_millis(600), ..hurried() };
    let deaf = deaf_workers(&bed.db, &bed.clock, Registry::new().operation(waiter.clone()), limits);
    let stop = CancellationToken::new();
    let asking = async {
        let policy = Policy::Partial { parallel: 1 };
        let id = bed.start(building(policy, &[("wait", json!({})), ("b", json!({}))])).await.id();
        waiter.waiting.notified().await;
        let mut tx = bed.org();
        assert_eq!(cancel_operation(&mut tx, id).await.unwrap(), CancelOutcome::Cancelling);
        tx.commit().await.unwrap();
        until("it is done", || async { bed.operation(id).await.state.is_done() }).await;
        assert_eq!(bed.operation(id).await.state, OperationState::Cancelled);
        stop.cancel();
    };
    tokio::join!(deaf.run(stop.clone()), asking);
}

#[tokio::test]
async fn whoever_waits_for_an_operation_looks_for_himself() {
    let bed = Bed::new().await;
    let id = bed.start(building(Policy::Unwind, &[])).await.id();
    let ending = async {
        // Straight in the database, where nobody tells anybody.
        let mut tx = bed.db.system("test: end an operation silently");
        tx.execute("UPDATE operations SET state = 'succeeded', finished_at = now()", &[]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (waited, ()) = tokio::join!(wait_operation(&bed.db, &bed.context, id, AT_MOST), ending);
    assert_eq!(waited.unwrap().unwrap().state, OperationState::Succeeded);
    let waited = wait_operation(&bed.db, &bed.context, id, Duration::ZERO).await.unwrap();
    assert!(waited.is_some(), "a wait of no time is a look");
}
