//! Workers that die for real, that come back too late, and clocks that jump.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use marquee_db::{DatabaseUrls, Db, PoolSizes};
use marquee_jobs::{
    NewJob, OperationKind, Policy, Registry, StepContext, StepDone, StepError, lease_was_lost,
    testing::{end_leases, leftover_jobs, work_until_done, workers},
};
use marquee_types::{Clock, OperationState};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::{Mutex, Notify},
};
use tokio_util::sync::CancellationToken;

use crate::support::{AT_MOST, Bed, building, until};

/// Its first attempt waits, and then writes too late; the second one writes at once.
#[derive(Clone, Default)]
struct Late {
    waiting: Arc<Notify>,
    go_on: Arc<Notify>,
    late_answer: Arc<Mutex<Option<bool>>>,
}

#[async_trait]
impl OperationKind for Late {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        if ctx.attempt == 1 {
            self.waiting.notify_one();
            self.go_on.notified().await;
        }
        let mut tx = ctx.org()?;
        let outcome = match ctx.fence(&mut tx).await {
            Ok(()) => {
                ctx.progress(&mut tx, json!({ "written": 1 }));
                tx.commit().await
            }
            Err(error) => Err(error),
        };
        if ctx.attempt == 1 {
            *self.late_answer.lock().await = Some(outcome.as_ref().is_err_and(lease_was_lost));
        }
        outcome?;
        Ok(StepDone::default())
    }
}

#[tokio::test]
async fn a_worker_that_comes_back_late_cannot_commit() {
    let bed = Bed::new().await;
    let late = Late::default();
    let id = bed.start(building(Policy::Unwind, &[("a", json!({}))])).await.id();
    let (slow, quick) = (
        workers(&bed.db, &bed.clock, Registry::new().operation(late.clone())),
        workers(&bed.db, &bed.clock, Registry::new().operation(late.clone())),
    );
    let stop = CancellationToken::new();
    let racing = async {
        late.waiting.notified().await;
        end_leases(&bed.db).await.unwrap();
        let done = work_until_done(&quick, &bed.db, &bed.context, id, AT_MOST).await;
        assert_eq!(done.state, OperationState::Succeeded);
        assert_eq!(bed.steps(id).await[0].attempt, 2);
        late.go_on.notify_one();
        until("the late one has tried", || async { late.late_answer.lock().await.is_some() }).await;
        stop.cancel();
    };
    tokio::join!(slow.run(stop.clone()), racing);
    assert_eq!(
        *late.late_answer.lock().await,
        Some(true),
        "its commit was refused because the lease was lost"
    );
    assert_eq!(bed.operation(id).await.progress, json!({ "written": 1 }));
    bed.nothing_left().await;
}

/// Which attempt at the undo (0: it is done), and when the first of them began.
type Told = (u32, Option<DateTime<Utc>>);

/// Its only step is refused; the first attempt at undoing it waits. Each attempt says what it was told.
#[derive(Clone, Default)]
struct SlowUndo {
    waiting: Arc<Notify>,
    go_on: Arc<Notify>,
    told: Arc<Mutex<Vec<Told>>>,
}

#[async_trait]
impl OperationKind for SlowUndo {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        self.told.lock().await.push((0, ctx.undo_began_at));
        Err(StepError::permanent("refused", "It was refused."))
    }

    async fn undo_step(&self, ctx: &StepContext) -> Result<(), StepError> {
        self.told.lock().await.push((ctx.attempt, ctx.undo_began_at));
        if ctx.attempt == 1 {
            self.waiting.notify_one();
            self.go_on.notified().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn when_an_undo_began_outlives_the_worker_that_began_it() {
    let began = "2026-06-20T12:00:00Z".parse().unwrap();
    let clock = Clock::manual(began);
    let bed = Bed::at(clock.clone()).await;
    let kind = SlowUndo::default();
    let id = bed.start(building(Policy::Unwind, &[("a", json!({}))])).await.id();
    let registry = || Registry::new().operation(kind.clone());
    let (lost, next) = (workers(&bed.db, &clock, registry()), workers(&bed.db, &clock, registry()));
    let stop = CancellationToken::new();
    let going_on = async {
        kind.waiting.notified().await;
        clock.advance(TimeDelta::seconds(40));
        end_leases(&bed.db).await.unwrap();
        let done = work_until_done(&next, &bed.db, &bed.context, id, AT_MOST).await;
        assert_eq!(done.state, OperationState::Undone);
        kind.go_on.notify_one();
        stop.cancel();
    };
    tokio::join!(lost.run(stop.clone()), going_on);
    assert_eq!(*kind.told.lock().await, [(0, None), (1, Some(began)), (2, Some(began))]);
    bed.nothing_left().await;
}

#[tokio::test]
async fn a_jumping_clock_takes_no_work_away_and_loses_none() {
    let clock = Clock::manual("2026-06-20T12:00:00Z".parse().unwrap());
    let bed = Bed::at(clock.clone()).await;
    let late = Late::default();
    let id = bed.start(building(Policy::Unwind, &[("a", json!({}))])).await.id();
    let registry = || Registry::new().operation(late.clone());
    let (one, other) = (workers(&bed.db, &clock, registry()), workers(&bed.db, &clock, registry()));
    let stop = CancellationToken::new();
    let jumping = async {
        late.waiting.notified().await;
        for jump in [TimeDelta::days(400), -TimeDelta::days(800)] {
            clock.advance(jump);
            let polled = (one.health().last_poll, other.health().last_poll);
            until("both have looked since", || async {
                one.health().last_poll != polled.0 && other.health().last_poll != polled.1
            })
            .await;
        }
        late.go_on.notify_one();
        until("it is done", || async { bed.operation(id).await.state.is_done() }).await;
        stop.cancel();
    };
    tokio::join!(one.run(stop.clone()), other.run(stop.clone()), jumping);
    assert_eq!(bed.operation(id).await.state, OperationState::Succeeded);
    assert_eq!(bed.steps(id).await[0].attempt, 1, "no other worker took it");
    assert!(matches!(bed.enqueue(NewJob::new("note", json!(1))).await, marquee_jobs::Enqueued::New(_)));
}

/// Builds files. Before and after each it tells its parent, who answers or kills it there.
struct Files {
    folder: PathBuf,
}

impl Files {
    async fn tell(&self, what: &str, name: &str) {
        let mut out = std::io::stdout();
        out.write_all(format!("\nmarker {what} {name}\n").as_bytes()).unwrap();
        out.flush().unwrap();
        read_line().await;
    }
}

#[async_trait]
impl OperationKind for Files {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        self.tell("begin", &ctx.name).await;
        let path = self.folder.join(&*ctx.name);
        // The token says that what is there is ours: found, it is not made again.
        match tokio::fs::OpenOptions::new().write(true).create_new(true).open(&path).await {
            Ok(mut file) => {
                file.write_all(ctx.token().as_bytes()).await.map_err(failed)?;
                // Only then is it written: what dies at the next marker must have done its work.
                file.flush().await.map_err(failed)?;
            }
            Err(_) => assert_eq!(tokio::fs::read_to_string(&path).await.map_err(failed)?, ctx.token()),
        }
        self.tell("end", &ctx.name).await;
        Ok(StepDone { progress: json!({ "built": 1 }), ..StepDone::default() })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: std::io::Error) -> StepError {
    StepError::transient("file", error.to_string())
}

async fn read_line() -> String {
    let reading = || std::io::stdin().lines().next().and_then(Result::ok).unwrap_or_default();
    tokio::task::spawn_blocking(reading).await.unwrap()
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Orders {
    app: String,
    system: String,
    admin: String,
    folder: PathBuf,
}

/// Not a test of its own: the process that `a_killed_process_loses_nothing` kills.
#[tokio::test]
#[ignore = "is started, and killed, by another test"]
async fn worker_process() {
    let Ok(orders) = serde_json::from_str::<Orders>(&read_line().await) else { return };
    let urls = DatabaseUrls {
        app: SecretString::from(orders.app),
        system: SecretString::from(orders.system),
        admin: SecretString::from(orders.admin),
    };
    let sizes = PoolSizes { app: 3, system: 2, lanes: 1, wait: Duration::from_secs(10) };
    let db = Db::connect(&urls, sizes, Clock::system()).await.unwrap();
    let registry = Registry::new().operation(Files { folder: orders.folder });
    workers(&db, &Clock::system(), registry).run(CancellationToken::new()).await;
}

#[tokio::test]
async fn a_killed_process_loses_nothing() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<(&str, Value)> = ["a", "b", "c"].map(|name| (name, json!({}))).into();
    let id = bed.start(building(Policy::Unwind, &names)).await.id();
    let mut kills = 0;
    let mut begun = 0;
    loop {
        let mut process = Process::start(&bed, folder.path()).await;
        // The first process dies at its first marker, the second at its second, and so on: within and between.
        let mut survived = false;
        for _ in 0..=kills {
            match process.marker(&bed, id).await {
                Some(marker) => begun += i32::from(marker.starts_with("begin")),
                None => survived = true,
            }
            if survived {
                break;
            }
        }
        process.child.kill().await.unwrap();
        if survived {
            break;
        }
        kills += 1;
        end_leases(&bed.db).await.unwrap();
    }
    let done = bed.operation(id).await;
    assert_eq!(done.state, OperationState::Succeeded);
    assert!(kills >= 4, "killed {kills} times");
    let steps = bed.steps(id).await;
    assert_eq!(steps.iter().map(|step| step.attempt).sum::<i32>(), begun, "every start is counted");
    assert_eq!(done.progress, json!({ "built": 3 }), "every success is counted once");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    assert!(leftover_jobs(&bed.db).await.unwrap().is_empty());
}

struct Process {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    answers: u32,
}

impl Process {
    async fn start(bed: &Bed, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::worker_process", "--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let urls = &bed.test.urls;
        let orders = Orders {
            app: urls.app.expose_secret().into(),
            system: urls.system.expose_secret().into(),
            admin: urls.admin.expose_secret().into(),
            folder: folder.to_owned(),
        };
        let line = serde_json::to_string(&orders).unwrap() + "\n";
        child.stdin.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, answers: 0 }
    }

    /// Lets the process go on from the last marker to its next; `None` if the operation is done instead.
    async fn marker(&mut self, bed: &Bed, id: marquee_types::OperationId) -> Option<String> {
        if self.answers > 0 {
            self.child.stdin.as_mut().unwrap().write_all(b"\n").await.unwrap();
        }
        self.answers += 1;
        let reading = async {
            loop {
                let line = self.lines.next_line().await.unwrap().expect("the worker process talks");
                if let Some(marker) = line.strip_prefix("marker ") {
                    return Some(marker.to_owned());
                }
            }
        };
        let ending = async {
            until("a marker, or the end", || async { bed.operation(id).await.state.is_done() }).await;
        };
        tokio::select! {
            marker = reading => marker,
            () = ending => None,
        }
    }
}
