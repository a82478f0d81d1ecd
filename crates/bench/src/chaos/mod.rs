//! Chaos: operations over three simulated clouds that throttle, fail and lose answers, while workers are killed and PostgreSQL is
//! restarted. Afterwards the simulator's own ledger and estate are asked whether everything was done once, or wholly taken back.
//!
//! The seed makes the choices the same: what is asked for, on what, which process is killed after which wait, which calls a fault
//! hits. When a process gets to run it cannot choose, so two runs of a seed are alike and not the same.
//!
//! Reading order: [`script`] (what is asked), [`crew`] (the processes, and their deaths), [`ask`] (one who asks), [`judge`].

mod ask;
mod crew;
mod judge;
mod script;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use marquee_db::{embedded, migrate};
use marquee_simulator::{Options, Simulator, clock::ClockChange, plan};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    ask::{Asked, Asker},
    crew::Crew,
    script::{Script, VENDORS},
};
use crate::{say, suite};

/// How much of it.
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// The server
    #[arg(long, default_value = "target/release/marquee")]
    pub marquee: PathBuf,
    /// Changes that are asked for
    #[arg(long, default_value_t = 500)]
    pub operations: usize,
    /// How often a process is killed, if the operations last that long
    #[arg(long, default_value_t = 200)]
    pub kills: usize,
    /// How often PostgreSQL is restarted
    #[arg(long, default_value_t = 5)]
    pub restarts: usize,
    /// Makes the choices the same
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Processes that only work, beside the server, which works too
    #[arg(long, default_value_t = 3)]
    pub workers: usize,
    /// Scripts under way at once
    #[arg(long, default_value_t = 40)]
    pub at_once: usize,
    /// Milliseconds between two kills, on the average
    #[arg(long, default_value_t = 300)]
    pub every_ms: u64,
    /// Simulated seconds a second
    #[arg(long, default_value_t = 600.0)]
    pub speed: f64,
    /// When the killing ends, however often it was done by then
    #[arg(long, default_value_t = 360)]
    pub mayhem_seconds: u64,
    /// How long an operation may take to end, and all of them once nothing goes wrong any more
    #[arg(long, default_value_t = 120)]
    pub patience_seconds: u64,
    /// Write the counts there
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Keep the logs of the processes there
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// Shares of all calls: throttled, failed, and answered in vain.
const SHARES: [f64; 3] = [0.05, 0.05, 0.03];

/// Runs it; an error if a promise was not kept.
pub async fn run(plan: &Plan) -> Result<()> {
    let folder = suite::folder()?;
    let data = folder.path().join("data");
    let options = embedded::Options { data_dir: data.clone(), bin_dir: None };
    let database = embedded::start(&options).await.context("the PostgreSQL of the chaos")?;
    let work = async {
        migrate::run(&database.urls().admin).await?;
        say(&format!("seed {}, PostgreSQL {}, {}", plan.seed, database.version(), suite::machine()));
        chaos(plan, &database, &data).await
    };
    // Whoever ends it has its processes ended too: they are dropped with the work.
    let outcome = tokio::select! {
        outcome = work => outcome,
        signal = told_to_end() => signal.and_then(|name| bail!("ended by {name}")),
    };
    database.stop().await?;
    let violations = outcome?;
    ensure!(violations == 0, "{violations} promises were not kept");
    Ok(())
}

/// Waits for a signal that ends it.
async fn told_to_end() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

async fn chaos(plan: &Plan, database: &embedded::Embedded, data: &std::path::Path) -> Result<usize> {
    let began = Instant::now();
    let world = plan::Plan::parse(&script::world(plan.seed)?)?;
    let simulator = Simulator::start(Options { speed: 0.0, ..Options::new(world) }).await?;
    let crew = Crew::start(plan, database.urls().clone(), data).await?;
    let patience = Duration::from_secs(plan.patience_seconds);
    let asker = Arc::new(Asker::new(crew.owner("chaos").await?, plan.operations, patience));
    let mut providers = Vec::new();
    for vendor in VENDORS {
        let account =
            simulator.world().plan.account(vendor.face, vendor.account).context("no such account")?;
        let mut body = simulator.provider(account).context("an account without credentials")?;
        body["name"] = json!(vendor.kind);
        body["verify"] = json!(false);
        body["sync_interval_seconds"] = json!(604_800);
        let provider = asker.owner.post("/api/cloud/providers", &body).await?;
        let id = provider["id"].as_str().context("a provider without an id")?.to_owned();
        asker.owner.operation(&id).await?;
        providers.push(id);
    }
    let stock = asker.stock(&providers).await?;
    let before = judge::present(&simulator);
    let first = simulator.world().read().ledger.after(0).count();
    simulator.world().clock.change(ClockChange { speed: Some(plan.speed), ..ClockChange::default() })?;
    let [throttled, failing, lost] = SHARES;
    for fault in [
        json!({ "kind": "throttled", "retry_after_seconds": 1, "share": throttled / 2.0 }),
        json!({ "kind": "throttled", "share": throttled / 2.0 }),
        json!({ "kind": "failing", "status": 500, "share": failing / 2.0 }),
        json!({ "kind": "failing", "status": 503, "share": failing / 2.0 }),
        json!({ "kind": "cut_off", "share": lost }),
    ] {
        simulator.fault(fault)?;
    }
    for vendor in VENDORS {
        simulator.fault(json!({ "kind": "no_capacity", "face": vendor.face, "size": vendor.never }))?;
    }
    simulator.world().calls.clear();

    let scripts = script::scripts(plan.seed, plan.operations, &stock, &providers)?;
    let over = CancellationToken::new();
    let (asked, kills) = tokio::join!(act(plan, &asker, scripts, &over), mayhem(plan, &crew, &over));
    let (asked, kills) = (asked?, kills?);
    let faults = simulator.world().faults.list();
    let calls = simulator.world().calls.rows();
    simulator.world().faults.clear();
    say(&format!("{:.0} s: quiet from here on; waiting for the rest", began.elapsed().as_secs_f64()));
    let operations = asker.all_ended(patience).await?;
    for provider in &providers {
        asker.owner.operation(provider).await?;
    }
    let inventory = asker.stock(&providers).await?;
    let case = judge::Case {
        simulator: &simulator,
        before,
        first,
        asked: &asked,
        operations: &operations,
        inventory: &inventory,
    };
    let violations = judge::judge(&case);
    let report = report(plan, &operations, &kills, &faults, &calls, began.elapsed());
    say(&serde_json::to_string_pretty(&report)?);
    if let Some(file) = &plan.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    for violation in &violations {
        say(&format!("VIOLATED: {violation}"));
    }
    drop(crew);
    simulator.stop().await;
    Ok(violations.len())
}

/// Plays the scripts, so many at once, until as many operations were asked for as wanted.
async fn act(
    plan: &Plan,
    asker: &Arc<Asker>,
    scripts: Vec<Script>,
    over: &CancellationToken,
) -> Result<Vec<Asked>> {
    let _over = over.clone().drop_guard();
    let seats = Arc::new(Semaphore::new(plan.at_once.max(1)));
    let mut playing = JoinSet::new();
    let (mut asked, mut scripts) = (Vec::new(), scripts.into_iter());
    loop {
        // One that was refused is asked for again, as another.
        let Some(script) = asker.wants_more().then(|| scripts.next()).flatten() else {
            let Some(played) = playing.join_next().await else { break };
            asked.extend(played??);
            continue;
        };
        let seat = Arc::clone(&seats).acquire_owned().await?;
        let asker = Arc::clone(asker);
        playing.spawn(async move {
            let played = asker.play(script).await;
            drop(seat);
            played
        });
    }
    Ok(asked)
}

/// What was killed and restarted.
#[derive(Debug, Default)]
struct Kills {
    kills: usize,
    in_work: usize,
    restarts: usize,
}

/// Kills and restarts until both were done often enough, or there is nothing left to disturb, or the time is over.
async fn mayhem(plan: &Plan, crew: &Crew, over: &CancellationToken) -> Result<Kills> {
    let mut chance = StdRng::seed_from_u64(plan.seed ^ 0x0dea_d000);
    let mut done = Kills::default();
    let spread = (plan.kills / (plan.restarts + 1)).max(1);
    let until = Instant::now() + Duration::from_secs(plan.mayhem_seconds);
    while done.kills < plan.kills || done.restarts < plan.restarts {
        let wait = chance.random_range(plan.every_ms / 2..=plan.every_ms * 3 / 2);
        let victim = chance.random_range(0..=plan.workers);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            () = over.cancelled() => break,
        }
        if Instant::now() > until {
            break;
        }
        if done.kills < plan.kills {
            done.in_work += usize::from(crew.kill(victim).await?);
            done.kills += 1;
        }
        let due = done.kills.is_multiple_of(spread) || done.kills >= plan.kills;
        if due && done.restarts < plan.restarts {
            crew.restart_database(done.restarts.is_multiple_of(2)).await?;
            done.restarts += 1;
        }
    }
    say(&format!(
        "killed {} times, restarted the database {} times; no more of it",
        done.kills, done.restarts
    ));
    Ok(done)
}

fn report(
    plan: &Plan,
    operations: &[Value],
    kills: &Kills,
    faults: &[marquee_simulator::faults::Active],
    calls: &[marquee_simulator::calls::Row],
    took: Duration,
) -> Value {
    let mut by_kind: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let (mut again, mut longest) = (0, 0.0_f64);
    for operation in operations {
        let state = operation["state"].as_str().unwrap_or_default().to_owned();
        *by_kind.entry(judge::kind_of(operation)).or_default().entry(state).or_default() += 1;
        let steps = operation["steps"].as_array().into_iter().flatten();
        again += steps.filter(|step| step["attempt"].as_i64() > Some(1)).count();
        longest = longest.max(judge::seconds(operation));
    }
    let happened = |kind: &str| -> u64 {
        let is = |active: &&marquee_simulator::faults::Active| json!(active.fault.kind)["kind"] == kind;
        faults.iter().filter(is).map(|active| active.happened).sum()
    };
    let ok: u64 = calls.iter().map(|row| row.count.succeeded).sum();
    let refused: u64 = calls.iter().map(|row| row.count.refused).sum();
    let failed: u64 = calls.iter().map(|row| row.count.failed).sum();
    json!({
        "seed": plan.seed, "seconds": took.as_secs(), "operations": operations.len(), "by_kind": by_kind,
        "kills": kills.kills, "kills_in_a_step": kills.in_work, "database_restarts": kills.restarts,
        "calls": { "ok": ok, "refused": refused, "failed": failed, "throttled_by_fault": happened("throttled"),
            "failed_by_fault": happened("failing"), "answers_lost": happened("cut_off") },
        "steps_started_more_than_once": again, "longest_operation_seconds": longest,
    })
}
