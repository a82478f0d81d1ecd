//! The whole of `make bench`: a fresh database, the server as it is released, and every figure of
//! docs/performance.md, one after the other.

mod fleet;
mod server;
mod simulated;
mod stock;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use marquee_db::{embedded, migrate};
use serde_json::{Value, json};

pub use self::server::{KEY, Owner, command, folder, machine, organization, postmaster};
use self::server::{Replay, Server};
use crate::{
    load::{self, Scenario},
    say,
};

/// What to measure, and with how much.
#[derive(Debug)]
pub struct Plan {
    /// The released binary.
    pub marquee: PathBuf,
    /// Over all organizations.
    pub resources: u32,
    /// With the same number of resources each.
    pub organizations: u32,
    /// How long each kind of request is sent.
    pub seconds: f64,
    /// Instances of the first inventory, and of the large one; none are left out.
    pub inventories: Vec<usize>,
    /// Resources of each simulated cloud, in turn; none leave these out.
    pub simulated: Vec<usize>,
    /// Whether to sync under the vendors' documented rates.
    pub limits: bool,
    /// Providers of the fleet, some of which are in trouble; none leaves it out.
    pub fleet: usize,
    /// Connections of the load generator, in turn; none leave the API out.
    pub connections: Vec<usize>,
}

/// Measures, and prints as it goes.
pub async fn run(plan: &Plan) -> Result<()> {
    let folder = server::folder()?;
    let options = embedded::Options { data_dir: folder.path().join("data"), bin_dir: None };
    let database = embedded::start(&options).await.context("the benchmark's PostgreSQL")?;
    let outcome = async {
        migrate::run(&database.urls().admin).await?;
        say(&format!("PostgreSQL {}, {}", database.version(), server::machine()));
        inventory(plan, &database).await?;
        for resources in &plan.simulated {
            simulated::run(&plan.marquee, &database, *resources).await?;
        }
        if plan.limits {
            simulated::limits(&plan.marquee, &database).await?;
        }
        if plan.fleet > 0 {
            fleet::run(&plan.marquee, &database, plan.fleet).await?;
        }
        if !plan.connections.is_empty() {
            requests(plan, &database, &options.data_dir).await?;
        }
        Ok(())
    };
    let outcome = outcome.await;
    database.stop().await?;
    outcome
}

/// First, second and large sync, each against an account that answers at once.
async fn inventory(plan: &Plan, database: &embedded::Embedded) -> Result<()> {
    for instances in &plan.inventories {
        let server = Server::start(&plan.marquee, database.urls(), &["--log-level", "warn"]).await?;
        let owner = server.organization(&format!("inventory-{instances}")).await?;
        let replay = Replay::start(*instances)?;
        let provider = owner.post("/api/cloud/providers", &replay.provider()).await?;
        let id = provider["id"].as_str().context("a provider without an id")?;
        for round in ["first", "second"] {
            let before = stock::now(&database.urls().admin).await?;
            let seconds = owner.sync(id).await?;
            let written = stock::rows_written(&database.urls().admin, before).await?;
            let cost = server.cost();
            let peak = cost.resident_peak.unwrap_or_default() / 1_000_000;
            say(&format!(
                "sync of {instances} instances, {round}: {seconds:.2} s, {written} resource rows written, \
                 server at most {peak} MB"
            ));
        }
        idle(&server).await;
        server.stop()?;
    }
    Ok(())
}

/// What the server costs when nothing is asked of it.
async fn idle(server: &Server) {
    const SPAN: Duration = Duration::from_secs(20);
    let before = server.cost();
    tokio::time::sleep(SPAN).await;
    let cost = server.cost() - before;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of some seconds")]
    let share = cost.cpu_micros as f64 / 1e4 / SPAN.as_secs_f64();
    let resident = cost.resident.unwrap_or_default() / 1_000_000;
    say(&format!("idle afterwards: {share:.2} % of a core, {resident} MB resident"));
}

/// Every scenario at every number of connections, over a full database.
async fn requests(plan: &Plan, database: &embedded::Embedded, data: &Path) -> Result<()> {
    let limits = [
        "--reads-per-minute",
        "1000000000",
        "--writes-per-minute",
        "1000000000",
        "--logins-per-minute",
        "1000000",
        "--log-level",
        "warn",
    ];
    let server = Server::start(&plan.marquee, database.urls(), &limits).await?;
    let mut owners = Vec::new();
    for number in 0..plan.organizations {
        owners.push(server.organization(&format!("organization-{number}")).await?);
    }
    let each = plan.resources / plan.organizations.max(1);
    let seconds = stock::fill(&database.urls().admin, each).await?;
    say(&format!(
        "{} resources over {} organizations, made in {seconds:.0} s",
        plan.resources, plan.organizations
    ));
    let tokens: Vec<String> = owners.into_iter().map(|owner| owner.token).collect();
    for connections in &plan.connections {
        for scenario in [
            Scenario::ProvidersList,
            Scenario::ProviderGet,
            Scenario::ResourcesPage,
            Scenario::ProviderCreate,
            Scenario::ProviderCreateKeyed,
        ] {
            let report = load::run(&load::Plan {
                url: server.url.parse()?,
                tokens: tokens.clone(),
                scenario,
                connections: *connections,
                warmup: Duration::from_secs(3),
                measure: Duration::from_secs_f64(plan.seconds),
                server_pid: Some(server.pid()),
                database_pid: server::postmaster(data),
            })
            .await?;
            say(&report.to_string());
        }
    }
    server.stop()
}

/// A JSON body that connects the replayed account, without the clouds being asked first.
fn provider(endpoint: &str) -> Value {
    json!({
        "name": "replay", "kind": "aws", "verify": false, "sync_interval_seconds": 604_800,
        "credentials": { "type": "static", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "replayed" },
        "settings": { "regions": ["us-east-1"], "endpoint_url": endpoint },
    })
}

/// Fails with what the server said, unless it is a success.
fn success(status: u16, body: Value) -> Result<Value> {
    if (200..300).contains(&status) {
        return Ok(body);
    }
    bail!("the server answered {status}: {body}")
}
