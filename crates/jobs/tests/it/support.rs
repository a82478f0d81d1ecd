//! A database and an organization for each test, and kinds of work that a test can steer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use marquee_db::{Db, DbError, Org, OrgContext, PoolSizes, Tx, testing::TestDb};
use marquee_jobs::{
    Backoff, Enqueued, JobError, JobHandler, JobRun, NewJob, NewOperation, NewStep, OperationKind,
    OperationOutcome, OperationRow, Policy, Registry, Started, StepContext, StepDone, StepError, StepRow,
    enqueue, find_operation, operation_steps, start_operation,
    testing::{work_until_done, workers},
};
use marquee_types::{Clock, OperationId, OrganizationId};
use serde_json::{Value, json};

/// Nothing here may take longer.
pub const AT_MOST: Duration = Duration::from_secs(20);

/// A database with one organization.
pub struct Bed {
    pub test: TestDb,
    pub db: Db,
    pub clock: Clock,
    pub context: OrgContext,
}

impl Bed {
    pub async fn new() -> Self {
        Self::at(Clock::system()).await
    }

    pub async fn at(clock: Clock) -> Self {
        let sizes = PoolSizes { app: 8, system: 4, lanes: 1, wait: Duration::from_secs(10) };
        let test = TestDb::with_sizes(clock.clone(), sizes).await;
        let db = test.db.clone();
        Self { test, db, clock, context: someone() }
    }

    pub fn org(&self) -> Tx<Org> {
        self.db.org(&self.context).unwrap()
    }

    pub async fn enqueue(&self, job: NewJob) -> Enqueued {
        enqueue_for(&self.db, &self.context, job).await
    }

    pub async fn start(&self, operation: NewOperation) -> Started {
        let mut tx = self.org();
        let started = start_operation(&mut tx, operation).await.unwrap();
        tx.commit().await.unwrap();
        started
    }

    pub async fn run(&self, kind: impl OperationKind, operation: NewOperation) -> OperationRow {
        let id = self.start(operation).await.id();
        self.finish(kind, id).await
    }

    pub async fn finish(&self, kind: impl OperationKind, id: OperationId) -> OperationRow {
        let workers = workers(&self.db, &self.clock, Registry::new().operation(kind));
        work_until_done(&workers, &self.db, &self.context, id, AT_MOST).await
    }

    pub async fn operation(&self, id: OperationId) -> OperationRow {
        let mut tx = self.org();
        let row = find_operation(&mut tx, id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        row
    }

    pub async fn steps(&self, id: OperationId) -> Vec<StepRow> {
        let mut tx = self.org();
        let steps = operation_steps(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        steps
    }

    pub async fn states(&self, id: OperationId) -> String {
        let steps = self.steps(id).await;
        let words: Vec<String> = steps.iter().map(|step| format!("{}={}", step.name, step.state)).collect();
        words.join(" ")
    }

    pub async fn nothing_left(&self) {
        let left = marquee_jobs::testing::leftover_jobs(&self.db).await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

pub fn someone() -> OrgContext {
    OrgContext {
        organization: OrganizationId::new(),
        actor: "user:test".into(),
        credential: None,
        request_id: "req_test".into(),
        address: None,
    }
}

pub async fn enqueue_for(db: &Db, context: &OrgContext, job: NewJob) -> Enqueued {
    let mut tx = db.org(context).unwrap();
    let enqueued = enqueue(&mut tx, job).await.unwrap();
    tx.commit().await.unwrap();
    enqueued
}

/// Waits for something to become true, however long the machine takes.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AT_MOST, looking).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

type Answer = dyn Fn(&JobRun) -> Result<(), JobError> + Send + Sync;

/// A job handler that notes what it runs and answers what it is told.
#[derive(Clone)]
pub struct Notebook {
    pub kind: &'static str,
    pub ran: Arc<Mutex<Vec<Value>>>,
    pub answer: Arc<Answer>,
}

impl Notebook {
    pub fn new(kind: &'static str) -> Self {
        Self::answering(kind, |_| Ok(()))
    }

    pub fn answering(
        kind: &'static str,
        answer: impl Fn(&JobRun) -> Result<(), JobError> + Send + Sync + 'static,
    ) -> Self {
        Self { kind, ran: Arc::default(), answer: Arc::new(answer) }
    }

    pub fn ran(&self) -> Vec<Value> {
        self.ran.lock().unwrap().clone()
    }
}

#[async_trait]
impl JobHandler for Notebook {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn run(&self, run: &JobRun) -> Result<(), JobError> {
        self.ran.lock().unwrap().push(run.payload.clone());
        (self.answer)(run)
    }

    fn backoff(&self) -> Backoff {
        quick()
    }
}

pub fn quick() -> Backoff {
    Backoff { first: Duration::from_millis(1), most: Duration::from_millis(5) }
}

/// An operation that builds things in memory. Each step's input says what it does:
/// `{"fail": "never"|"backoff"|"pause", "times": n, "undo_fail": …, "undo_times": n, "then": ["name"], "counts": {…}}`.
#[derive(Clone, Default)]
pub struct Builder {
    /// How often each thing was built, less how often it was removed: 1 if it stands.
    pub things: Arc<Mutex<BTreeMap<String, i64>>>,
    /// Every call, in order: `do a`, `undo a`.
    pub calls: Arc<Mutex<Vec<String>>>,
    pub closed: Arc<Mutex<Vec<String>>>,
}

impl Builder {
    pub fn standing(&self) -> Vec<String> {
        self.things
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn note(&self, what: &str, ctx: &StepContext) {
        self.calls.lock().unwrap().push(format!("{what} {}", ctx.name));
    }

    fn failure(ctx: &StepContext, how: &str, times: &str) -> Result<(), StepError> {
        let Some(how) = ctx.input[how].as_str() else { return Ok(()) };
        let times = ctx.input[times].as_u64().unwrap_or(u64::MAX);
        if u64::from(ctx.attempt) > times {
            return Ok(());
        }
        Err(match how {
            "backoff" => StepError::transient("busy", "It is busy."),
            "pause" => StepError::pause("credentials", "The credentials were revoked."),
            _ => StepError::permanent("refused", format!("{} was refused.", ctx.name)),
        })
    }
}

#[async_trait]
impl OperationKind for Builder {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        self.note("do", ctx);
        Self::failure(ctx, "fail", "times")?;
        self.things.lock().unwrap().insert(ctx.name.to_string(), 1);
        let names = ctx.input["then"].as_array().cloned().unwrap_or_default();
        let then = names.iter().map(|name| NewStep::new(name.as_str().unwrap(), json!({}))).collect();
        Ok(StepDone { output: json!({ "built": &*ctx.name }), then, progress: ctx.input["counts"].clone() })
    }

    async fn undo_step(&self, ctx: &StepContext) -> Result<(), StepError> {
        self.note("undo", ctx);
        Self::failure(ctx, "undo_fail", "undo_times")?;
        self.things.lock().unwrap().remove(&*ctx.name);
        Ok(())
    }

    async fn finished(&self, tx: &mut Tx<Org>, outcome: &OperationOutcome) -> Result<(), DbError> {
        let closed = Arc::clone(&self.closed);
        let state = outcome.state.to_string();
        tx.after_commit(move || closed.lock().unwrap().push(state));
        Ok(())
    }

    fn backoff(&self, _step: &str) -> Backoff {
        quick()
    }

    fn attempts(&self, _step: &str) -> u16 {
        3
    }
}

/// An operation of these steps, by name and input.
pub fn building(policy: Policy, steps: &[(&str, Value)]) -> NewOperation {
    NewOperation {
        kind: "build",
        target: Some("thing".into()),
        input: json!({ "all": true }),
        policy,
        steps: steps.iter().map(|(name, input)| NewStep::new(*name, input.clone())).collect(),
        dedup_key: None,
        requested_by: "user:test".into(),
    }
}

/// An operation whose step `wait` ends when the operation is cancelled or the step released.
#[derive(Clone, Default)]
pub struct Waiter {
    pub waiting: Arc<tokio::sync::Notify>,
    pub release: Arc<tokio::sync::Notify>,
}

#[async_trait]
impl OperationKind for Waiter {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        if &*ctx.name == "wait" {
            self.waiting.notify_one();
            tokio::select! {
                () = ctx.until_cancelled() => {}
                () = self.release.notified() => {}
            }
        }
        Ok(StepDone::default())
    }
}
