//! Doing one claimed job: with its handler, or, if it is the job of an operation, with its driver.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use marquee_db::{DbError, OrgContext};
use marquee_types::OperationId;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    change::later,
    driver::{Drive, Driver, guarded},
    failure::{JobError, Retry, StepError},
    job::{JobHandler, JobRun},
    kind::OperationKind,
    queue::{self, Claimed, PutOff},
    registry::Handler,
    workers::{Held, Inner, Stop},
};

/// The operation whose job this is, if it is one's.
pub(crate) fn operation_of(job: &Claimed) -> Option<OperationId> {
    job.kind.starts_with("operation:").then(|| job.payload["operation"].as_str()?.parse().ok()).flatten()
}

/// Does the job until it is done, failed, lost or to be given back.
pub(crate) async fn work(inner: &Arc<Inner>, job: Claimed, handler: Handler, held: Held, stop: &Stop) {
    let label = handler.label();
    let waited = (inner.clock.now() - job.due_at).to_std().unwrap_or_default();
    metrics::counter!("jobs_started_total", "kind" => label).increment(1);
    metrics::histogram!("jobs_start_delay_seconds", "kind" => label).record(waited.as_secs_f64());
    let lease = job.lease;
    let lost = held.lost.clone();
    let doing = async {
        match handler {
            Handler::Job(handler) => do_job(inner, job, &*handler, stop).await,
            Handler::Operation(kind) => drive(inner, job, kind, held, stop).await,
        }
    };
    let ended = tokio::select! {
        ended = doing => ended,
        () = lost.cancelled() => "lost",
        () = stop.abandon.cancelled() => {
            // If that fails too, the end of the lease gives it back.
            if let Err(error) = queue::put_off(&inner.db, &lease, &PutOff::GivenBack).await {
                tracing::warn!(job = %lease.job, %error, "a job could not be given back");
            }
            "given_back"
        }
    };
    if ended == "lost" {
        tracing::warn!(job = %lease.job, kind = label, "the lease was lost; another worker has the job");
    }
    metrics::counter!("jobs_finished_total", "kind" => label, "outcome" => ended).increment(1);
}

async fn do_job(inner: &Inner, job: Claimed, handler: &dyn JobHandler, stop: &Stop) -> &'static str {
    let finished = Arc::new(AtomicBool::new(false));
    let run = JobRun {
        db: inner.db.clone(),
        clock: inner.clock.clone(),
        organization: job.lease.organization,
        id: job.lease.job,
        payload: job.payload.clone(),
        attempt: job.attempt.unsigned_abs(),
        lease: job.lease,
        context: context(&job, handler.kind()),
        stopping: stop.draining.clone(),
        finished: Arc::clone(&finished),
    };
    let answer = guarded(handler.deadline(), handler.run(&run)).await;
    if finished.load(Ordering::Acquire) {
        return "done";
    }
    match answer {
        Ok(()) => settle(inner, "done", || queue::delete(&inner.db, &job.lease)).await,
        Err(error) => fail(inner, &job, &error, handler.kind(), handler.backoff()).await,
    }
}

async fn fail(
    inner: &Inner,
    job: &Claimed,
    error: &JobError,
    kind: &'static str,
    backoff: Backoff,
) -> &'static str {
    if let Retry::Later(wait) = error.retry {
        // It has not failed: a look is no attempt.
        let how = PutOff::Until(later(inner.clock.now(), wait));
        return settle(inner, "waiting", || queue::put_off(&inner.db, &job.lease, &how)).await;
    }
    let final_failure = matches!(error.retry, Retry::Never | Retry::Pause) || job.attempt >= job.max_attempts;
    let code = error.code.as_ref();
    if final_failure {
        tracing::error!(job = %job.lease.job, kind, code, detail = %error.detail, "a job became a dead letter");
        return settle(inner, "dead", || queue::bury(&inner.db, &job.lease, &inner.clock, error)).await;
    }
    let wait = match error.retry {
        Retry::After(wait) => wait,
        _ => backoff.delay(job.attempt.unsigned_abs(), &inner.jitter),
    };
    tracing::info!(job = %job.lease.job, kind, code, detail = %error.detail, ?wait, "a job failed and is tried again");
    let how = PutOff::Failed(later(inner.clock.now(), wait), error.clone());
    settle(inner, "failed", || queue::put_off(&inner.db, &job.lease, &how)).await
}

async fn drive(
    inner: &Arc<Inner>,
    job: Claimed,
    kind: Arc<dyn OperationKind>,
    held: Held,
    stop: &Stop,
) -> &'static str {
    let label = kind.kind();
    let Some(operation) = held.operation else {
        let error = StepError::permanent("payload", "The job does not name an operation.");
        return fail(inner, &job, &error, label, Backoff::default()).await;
    };
    let driver = Driver {
        kind,
        db: inner.db.clone(),
        clock: inner.clock.clone(),
        jitter: inner.jitter.clone(),
        lease: job.lease,
        operation,
        poke: held.poke,
        stopping: stop.draining.clone(),
        context: context(&job, label),
        cancelled: CancellationToken::new(),
        draining: false,
    };
    match driver.drive().await {
        Ok(Drive::Over) => "done",
        Ok(Drive::Paused) => "paused",
        Ok(Drive::Released) => "released",
        Ok(Drive::Lost) => "lost",
        Err(error) => {
            tracing::error!(%operation, kind = label, %error, "an operation cannot go on now");
            fail(inner, &job, &StepError::from(error), label, Backoff::default()).await
        }
    }
}

fn context(job: &Claimed, kind: &str) -> OrgContext {
    OrgContext {
        organization: job.lease.organization,
        actor: format!("worker:{kind}"),
        credential: None,
        request_id: job.request_id.clone(),
        address: None,
    }
}

/// Writes how a job ended, as often as the database is away. Meanwhile the lease may be lost, which ends this
/// from outside; any other failure leaves the job to the end of its lease.
async fn settle<F>(inner: &Inner, ended: &'static str, write: impl Fn() -> F) -> &'static str
where
    F: Future<Output = Result<(), DbError>>,
{
    let backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(5) };
    let mut failures = 0;
    loop {
        match write().await {
            Ok(()) => return ended,
            Err(error) if error.is_unavailable() || error.is_retryable() => {
                failures += 1;
                tokio::time::sleep(backoff.delay(failures, &inner.jitter)).await;
            }
            Err(error) => {
                tracing::error!(%error, "the end of a job could not be written; its lease will run out");
                return "unsettled";
            }
        }
    }
}
