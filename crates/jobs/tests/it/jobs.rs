//! Jobs: they exist if their transaction committed, run once, wait, fail, die and are tried again.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_jobs::{
    Enqueued, NewJob, Registry, Revived, StepError, dead_letters, drop_dead_letter, enqueue,
    retry_dead_letter,
    testing::{leftover_jobs, work_until_idle, workers},
};
use marquee_types::Clock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, Notebook, enqueue_for, someone, until};

fn job(payload: &str) -> NewJob {
    NewJob::new("note", json!(payload))
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_transaction_committed() {
    let bed = Bed::new().await;
    let notes = Notebook::new("note");
    let mut tx = bed.org();
    enqueue(&mut tx, job("rolled back")).await.unwrap();
    tx.rollback().await.unwrap();
    bed.enqueue(job("committed")).await;
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(notes.clone()));
    let left = work_until_idle(&workers, &bed.db).await.unwrap();
    assert_eq!(notes.ran(), [json!("committed")]);
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_unfinished_job_with_the_same_key_is_found_and_a_finished_one_is_not() {
    let bed = Bed::new().await;
    let keyed = |payload| NewJob { dedup_key: Some("k".into()), ..job(payload) };
    let first = bed.enqueue(keyed("first")).await;
    assert!(matches!(first, Enqueued::New(_)));
    assert_eq!(bed.enqueue(keyed("second")).await, Enqueued::Existing(first.id()));
    let other = enqueue_for(&bed.db, &someone(), keyed("another organization's")).await;
    assert!(matches!(other, Enqueued::New(_)));
    let notes = Notebook::new("note");
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(notes.clone()));
    work_until_idle(&workers, &bed.db).await.unwrap();
    assert_eq!(notes.ran().len(), 2);
    assert!(matches!(bed.enqueue(keyed("third")).await, Enqueued::New(_)));
}

#[tokio::test]
async fn higher_priority_goes_first_within_an_organization() {
    let bed = Bed::new().await;
    for (payload, priority) in [("low", -5), ("ordinary", 0), ("high", 5)] {
        bed.enqueue(NewJob { priority, ..job(payload) }).await;
    }
    let notes = Notebook::new("note");
    let limits =
        marquee_jobs::Limits { concurrency: 1, per_organization: 1, ..marquee_jobs::testing::hurried() };
    let registry = Registry::new().job(notes.clone());
    let one = marquee_jobs::Workers::new(bed.db.clone(), bed.clock.clone(), registry, limits);
    work_until_idle(&one, &bed.db).await.unwrap();
    assert_eq!(notes.ran(), [json!("high"), json!("ordinary"), json!("low")]);
}

#[tokio::test]
async fn a_job_waits_for_its_time_by_the_workers_clock() {
    let start: DateTime<Utc> = "2026-06-20T12:00:00Z".parse().unwrap();
    let clock = Clock::manual(start);
    let bed = Bed::at(clock.clone()).await;
    bed.enqueue(NewJob { run_at: Some(start + TimeDelta::minutes(5)), ..job("later") }).await;
    let notes = Notebook::new("note");
    let workers = workers(&bed.db, &clock, Registry::new().job(notes.clone()));
    assert_eq!(work_until_idle(&workers, &bed.db).await.unwrap(), ["note is waiting: no error"]);
    clock.advance(TimeDelta::minutes(4));
    assert_eq!(work_until_idle(&workers, &bed.db).await.unwrap().len(), 1);
    clock.advance(TimeDelta::minutes(1));
    crate::support::until("the job runs", || async {
        work_until_idle(&workers, &bed.db).await.unwrap();
        !notes.ran().is_empty()
    })
    .await;
    bed.nothing_left().await;
}

#[tokio::test]
async fn a_failing_job_is_tried_again_until_it_is_a_dead_letter_that_can_be_retried() {
    let bed = Bed::new().await;
    let notes = Notebook::answering("note", |run| {
        if run.payload == json!("works at last") && run.attempt == 3 {
            return Ok(());
        }
        Err(StepError::transient("busy", format!("attempt {}", run.attempt)))
    });
    bed.enqueue(NewJob { max_attempts: 3, ..job("works at last") }).await;
    let dead = bed.enqueue(NewJob { max_attempts: 2, ..job("never works") }).await.id();
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(notes.clone()));
    crate::support::until("both came to their end", || async {
        work_until_idle(&workers, &bed.db).await.unwrap();
        leftover_jobs(&bed.db).await.unwrap().iter().all(|line| line.starts_with("note is dead"))
    })
    .await;
    assert_eq!(notes.ran().len(), 5);

    let mut tx = bed.org();
    let letters = dead_letters(&mut tx, None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].id, letters[0].attempt), (dead, 2));
    assert_eq!(letters[0].error, Some(json!({ "code": "busy", "detail": "attempt 2" })));
    assert_eq!(retry_dead_letter(&mut tx, dead).await.unwrap(), Revived::Ready);
    tx.commit().await.unwrap();
    crate::support::until("it died again", || async {
        work_until_idle(&workers, &bed.db).await.unwrap();
        notes.ran().len() == 7
    })
    .await;
    let mut tx = bed.org();
    assert!(drop_dead_letter(&mut tx, dead).await.unwrap());
    assert_eq!(retry_dead_letter(&mut tx, dead).await.unwrap(), Revived::NotFound);
    tx.commit().await.unwrap();
    bed.nothing_left().await;
}

/// It looks as often as it has to, though it may be tried twice only.
#[tokio::test]
async fn a_job_that_waits_uses_up_no_attempt() {
    let bed = Bed::new().await;
    let looks = AtomicUsize::new(0);
    let notes = Notebook::answering("note", move |run| {
        assert_eq!(run.attempt, 1, "a look was counted");
        match looks.fetch_add(1, Ordering::SeqCst) {
            0..6 => Err(StepError::later(Duration::from_millis(1), "It is not there yet.")),
            _ => Ok(()),
        }
    });
    bed.enqueue(NewJob { max_attempts: 2, ..job("wait") }).await;
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(notes.clone()));
    let stop = CancellationToken::new();
    let watching = async {
        until("it is done", || async { leftover_jobs(&bed.db).await.unwrap().is_empty() }).await;
        stop.cancel();
    };
    tokio::join!(workers.run(stop.clone()), watching);
    assert_eq!(notes.ran().len(), 7);
}

#[tokio::test]
async fn a_dead_letter_whose_work_a_newer_job_does_is_left_alone() {
    let bed = Bed::new().await;
    let notes = Notebook::answering("note", |_| Err(StepError::permanent("no", "No.")));
    let keyed = || NewJob { dedup_key: Some("k".into()), ..job("x") };
    let dead = bed.enqueue(keyed()).await.id();
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(notes));
    work_until_idle(&workers, &bed.db).await.unwrap();
    assert!(matches!(bed.enqueue(keyed()).await, Enqueued::New(_)));
    let mut tx = bed.org();
    assert_eq!(retry_dead_letter(&mut tx, dead).await.unwrap(), Revived::Superseded);
}

#[tokio::test]
async fn a_panic_and_an_overrun_are_failures_like_any_other() {
    let bed = Bed::new().await;
    let panics = Notebook::answering("panics", |_| panic!("out of cheese"));
    bed.enqueue(NewJob { max_attempts: 1, ..NewJob::new("panics", json!(1)) }).await;
    bed.enqueue(NewJob { max_attempts: 1, ..NewJob::new("hangs", json!(1)) }).await;
    let registry = Registry::new().job(panics).job(Hangs);
    let workers = workers(&bed.db, &bed.clock, registry);
    let mut left = work_until_idle(&workers, &bed.db).await.unwrap();
    left.sort();
    assert!(left[0].contains("hangs is dead") && left[0].contains("deadline"), "{left:?}");
    assert!(left[1].contains("panics is dead") && left[1].contains("out of cheese"), "{left:?}");
}

struct Hangs;

#[async_trait::async_trait]
impl marquee_jobs::JobHandler for Hangs {
    fn kind(&self) -> &'static str {
        "hangs"
    }

    async fn run(&self, _run: &marquee_jobs::JobRun) -> Result<(), StepError> {
        std::future::pending().await
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(20)
    }
}

#[tokio::test]
async fn a_job_can_be_done_in_the_commit_of_its_effect() {
    let bed = Bed::new().await;
    bed.enqueue(NewJob::new("chains", json!(null))).await;
    let notes = Notebook::new("note");
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(Chains).job(notes.clone()));
    assert!(work_until_idle(&workers, &bed.db).await.unwrap().is_empty());
    assert_eq!(notes.ran(), [json!("chained")]);
}

/// Enqueues another job in the commit that makes itself done, then answers with a failure that no longer counts.
struct Chains;

#[async_trait::async_trait]
impl marquee_jobs::JobHandler for Chains {
    fn kind(&self) -> &'static str {
        "chains"
    }

    async fn run(&self, run: &marquee_jobs::JobRun) -> Result<(), StepError> {
        let mut tx = run.org()?;
        enqueue(&mut tx, job("chained")).await?;
        run.finish_with(&mut tx);
        tx.commit().await?;
        Err(StepError::transient("late", "This comes too late."))
    }
}

#[tokio::test]
async fn an_organization_sees_only_its_own_dead_letters() {
    let bed = Bed::new().await;
    let dead = bed.enqueue(NewJob { max_attempts: 1, ..job("x") }).await.id();
    let notes = Notebook::answering("note", |_| Err(StepError::transient("no", "No.")));
    let workers = workers(&bed.db, &bed.clock, Registry::new().job(notes));
    work_until_idle(&workers, &bed.db).await.unwrap();
    let mut tx = bed.db.org(&someone()).unwrap();
    assert_eq!(dead_letters(&mut tx, None, 10).await.unwrap(), []);
    assert_eq!(retry_dead_letter(&mut tx, dead).await.unwrap(), Revived::NotFound);
}
