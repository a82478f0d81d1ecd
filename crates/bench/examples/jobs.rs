//! Measures the durable engine on a durable PostgreSQL of its own: how soon a job starts, what a step costs,
//! how many jobs a second there are, and what idleness costs.
//!
//! `cargo run --release -p marquee-bench --example jobs` (nothing else should be running).

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use marquee_db::{
    Db, OrgContext, PoolSizes,
    embedded::{self, Options},
    migrate,
};
use marquee_jobs::{
    JobError, JobHandler, JobRun, Limits, NewJob, NewOperation, NewStep, OperationKind, Policy, Registry,
    StepContext, StepDone, StepError, Workers, enqueue, start_operation,
};
use marquee_types::{Clock, OperationId, OrganizationId};
use rand::RngExt as _;
use serde_json::json;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("marquee-bench-").tempdir_in("/var/lib")?;
    let server = embedded::start(&Options { data_dir: folder.path().to_owned(), bin_dir: None }).await?;
    migrate::run(&server.urls().admin).await?;
    let connect = || Db::connect(server.urls(), PoolSizes::default(), Clock::system());
    let (db, other) = (connect().await?, connect().await?);
    println!(
        "PostgreSQL {}, {} build",
        server.version(),
        if cfg!(debug_assertions) { "debug" } else { "release" }
    );

    start_delay("one process", &db, &db).await?;
    start_delay("two processes", &db, &other).await?;
    idle(&db).await?;
    steps(&db, 200).await?;
    steps(&db, 1000).await?;
    throughput(&db, 20_000).await?;

    db.close().await;
    other.close().await;
    server.stop().await?;
    Ok(())
}

fn somebody() -> OrgContext {
    OrgContext {
        organization: OrganizationId::new(),
        actor: "user:bench".into(),
        credential: None,
        request_id: "req_bench".into(),
        address: None,
    }
}

fn limits(concurrency: usize) -> Limits {
    Limits { concurrency, per_organization: concurrency, ..Limits::default() }
}

/// Runs `work` beside workers, then stops them.
async fn beside<T>(workers: Workers, work: impl Future<Output = Result<T>>) -> Result<T> {
    let stop = CancellationToken::new();
    let mut crew = JoinSet::new();
    let until = stop.clone();
    crew.spawn(async move { workers.run(until).await });
    let outcome = work.await;
    stop.cancel();
    crew.join_all().await;
    outcome
}

/// Signals when a job started.
#[derive(Clone, Default)]
struct Started(Arc<(Mutex<Option<Instant>>, Notify)>);

#[async_trait]
impl JobHandler for Started {
    fn kind(&self) -> &'static str {
        "started"
    }

    async fn run(&self, _run: &JobRun) -> Result<(), JobError> {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.1.notify_one();
        Ok(())
    }
}

async fn start_delay(name: &str, asks: &Db, works: &Db) -> Result<()> {
    let started = Started::default();
    let registry = Registry::new().job(started.clone());
    let workers = Workers::new(works.clone(), Clock::system(), registry, Limits::default());
    let context = somebody();
    let delays = beside(workers, async {
        let mut delays = Vec::new();
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(rand::rng().random_range(2..20))).await;
            let mut tx = asks.org(&context)?;
            enqueue(&mut tx, NewJob::new("started", json!(null))).await?;
            let asked = Instant::now();
            tx.commit().await?;
            started.0.1.notified().await;
            let at =
                started.0.0.lock().unwrap_or_else(PoisonError::into_inner).take().context("it started")?;
            delays.push(at - asked);
        }
        Ok(delays)
    })
    .await?;
    println!("enqueue (before its commit) to start, idle, {name}: {}", spread(delays));
    Ok(())
}

async fn idle(db: &Db) -> Result<()> {
    let workers = Workers::new(db.clone(), Clock::system(), Registry::new(), Limits::default());
    let (before, span) = (Cpu::now()?, Duration::from_secs(20));
    beside(workers, async {
        tokio::time::sleep(span).await;
        Ok(())
    })
    .await?;
    println!("idle for {} s: {}", span.as_secs(), Cpu::now()?.since(&before));
    Ok(())
}

/// Five steps of nothing. Notes the time between the end of a step and the start of the next one.
#[derive(Clone, Default)]
struct Nothing {
    ended: Arc<Mutex<HashMap<OperationId, Instant>>>,
    gaps: Arc<Mutex<Vec<Duration>>>,
    finished: Arc<(AtomicUsize, Notify)>,
}

#[async_trait]
impl OperationKind for Nothing {
    fn kind(&self) -> &'static str {
        "nothing"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).remove(&ctx.operation);
        if let Some(ended) = ended {
            self.gaps.lock().unwrap_or_else(PoisonError::into_inner).push(ended.elapsed());
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(ctx.operation, Instant::now());
        Ok(StepDone::default())
    }

    async fn finished(
        &self,
        tx: &mut marquee_db::Tx<marquee_db::Org>,
        _outcome: &marquee_jobs::OperationOutcome,
    ) -> Result<(), marquee_db::DbError> {
        let finished = Arc::clone(&self.finished);
        tx.after_commit(move || {
            finished.0.fetch_add(1, Ordering::SeqCst);
            finished.1.notify_one();
        });
        Ok(())
    }
}

async fn steps(db: &Db, operations: usize) -> Result<()> {
    let organizations: Vec<OrgContext> = (0..20).map(|_| somebody()).collect();
    let starting = stream::iter(0..operations).map(|n| {
        let context = &organizations[n % organizations.len()];
        async move {
            let mut tx = db.org(context)?;
            start_operation(&mut tx, nothing()).await?;
            tx.commit().await?;
            Ok(())
        }
    });
    let started: Vec<Result<()>> = starting.buffer_unordered(8).collect().await;
    started.into_iter().collect::<Result<()>>()?;
    let kind = Nothing::default();
    let workers = Workers::new(
        db.clone(),
        Clock::system(),
        Registry::new().operation(kind.clone()),
        limits(operations),
    );
    let (before, begun) = (Cpu::now()?, Instant::now());
    beside(workers, async {
        while kind.finished.0.load(Ordering::SeqCst) < operations {
            kind.finished.1.notified().await;
        }
        Ok(())
    })
    .await?;
    let (took, cpu) = (begun.elapsed(), Cpu::now()?.since(&before));
    let gaps = std::mem::take(&mut *kind.gaps.lock().unwrap_or_else(PoisonError::into_inner));
    let count = operations * 5;
    println!(
        "{operations} operations at once, five steps each: {took:.2?}, {:.0} steps/s, {cpu}",
        rate(count, took)
    );
    println!("  from the end of a step to the start of the next: {}", spread(gaps));
    Ok(())
}

fn nothing() -> NewOperation {
    NewOperation {
        kind: "nothing",
        target: None,
        input: json!({}),
        policy: Policy::Unwind,
        steps: (0..5).map(|n| NewStep::new(format!("step {n}"), json!({}))).collect(),
        dedup_key: None,
        requested_by: "user:bench".into(),
    }
}

/// Counts.
#[derive(Clone, Default)]
struct Count(Arc<(AtomicUsize, Notify)>);

#[async_trait]
impl JobHandler for Count {
    fn kind(&self) -> &'static str {
        "count"
    }

    async fn run(&self, _run: &JobRun) -> Result<(), JobError> {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.notify_one();
        Ok(())
    }
}

async fn throughput(db: &Db, jobs: usize) -> Result<()> {
    let organizations: Vec<OrgContext> = (0..100).map(|_| somebody()).collect();
    for context in &organizations {
        let mut tx = db.org(context)?;
        for _ in 0..jobs / organizations.len() {
            enqueue(&mut tx, NewJob::new("count", json!(null))).await?;
        }
        tx.commit().await?;
    }
    let count = Count::default();
    let registry = Registry::new().job(count.clone());
    let workers = Workers::new(db.clone(), Clock::system(), registry, Limits::default());
    let (before, begun) = (Cpu::now()?, Instant::now());
    beside(workers, async {
        while count.0.0.load(Ordering::SeqCst) < jobs {
            count.0.1.notified().await;
        }
        Ok(())
    })
    .await?;
    let took = begun.elapsed();
    println!(
        "{jobs} jobs of 100 organizations: {took:.2?}, {:.0}/s, {}",
        rate(jobs, took),
        Cpu::now()?.since(&before)
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let show = |percent| at(percent).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    format!("p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms (n = {})", show(50), show(95), show(99), times.len())
}

/// Processor seconds of this process, and of the database under it.
struct Cpu {
    own: f64,
    database: f64,
    at: Instant,
}

impl Cpu {
    fn now() -> Result<Self> {
        let own_pid = i32::try_from(std::process::id())?;
        let processes = processes()?;
        let children = |of: i32| processes.iter().filter(move |process| process.parent == of);
        let own = processes.iter().find(|process| process.pid == own_pid).map_or(0.0, |process| process.own);
        let database = children(own_pid)
            .map(|server| {
                server.own + server.reaped + children(server.pid).map(|child| child.own).sum::<f64>()
            })
            .sum();
        Ok(Self { own, database, at: Instant::now() })
    }

    fn since(&self, before: &Self) -> String {
        let span = (self.at - before.at).as_secs_f64();
        let (own, database) = (self.own - before.own, self.database - before.database);
        format!(
            "own CPU {own:.2} s ({:.2} % of a core), database {database:.2} s ({:.2} %)",
            100.0 * own / span,
            100.0 * database / span
        )
    }
}

struct Process {
    pid: i32,
    parent: i32,
    /// Seconds of its own.
    own: f64,
    /// Seconds of its children that ended.
    reaped: f64,
}

fn processes() -> Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        // A process that ended meanwhile is not there to be read.
        let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
        found.extend(parse(&stat));
    }
    Ok(found)
}

/// `/proc/PID/stat`: see proc(5); times are in hundredths of a second.
fn parse(stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Process {
        pid: head.split(' ').next()?.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        own: (ticks(11)? + ticks(12)?) / 100.0,
        reaped: (ticks(13)? + ticks(14)?) / 100.0,
    })
}
