//! A thousand connected providers, of which one in twenty takes connections and never answers, and one in twenty refuses
//! them: whether the others stay fresh.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use marquee_db::embedded::Embedded;
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use serde_json::json;
use tokio::net::TcpListener;

use super::{server::Server, stock};
use crate::say;

const ORGANIZATIONS: usize = 10;
/// How often each provider is to be synced.
const INTERVAL: Duration = Duration::from_mins(5);
/// How often the oldest is looked for.
const LOOK: Duration = Duration::from_secs(5);

/// Connects them all, waits until each has been synced or failed, and watches them for an interval.
pub async fn run(marquee: &Path, database: &Embedded, providers: usize) -> Result<()> {
    let simulator = Simulator::start(Options::new(built_in("wedding-season")?)).await?;
    // Connections are taken by the system, and never looked at.
    let hanging = TcpListener::bind("127.0.0.1:0").await?;
    let refusing = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let endpoints = [
        simulator.addresses().aws.clone(),
        format!("http://{}", hanging.local_addr()?),
        format!("http://{refusing}"),
    ];
    let interval = INTERVAL.as_secs().to_string();
    let arguments =
        ["--log-level", "error", "--sync-interval-seconds", &interval, "--writes-per-minute", "1000000"];
    let server = Server::start(marquee, database.urls(), &arguments).await?;
    let account = simulator.world().plan.accounts_of(FaceName::Aws).next().context("no account of AWS")?;
    let mut body = simulator.provider(account).context("no credentials")?;
    body["verify"] = json!(false);
    body["settings"]["regions"] = json!(["eu-west-1"]);
    let began = Instant::now();
    let mut good = 0;
    for organization in 0..ORGANIZATIONS {
        let owner = server.organization(&format!("fleet-{organization}")).await?;
        for number in 0..providers / ORGANIZATIONS {
            let (name, endpoint) = match number % 20 {
                7 => ("hanging", &endpoints[1]),
                13 => ("refusing", &endpoints[2]),
                _ => ("good", &endpoints[0]),
            };
            good += usize::from(name == "good");
            body["name"] = json!(format!("{name} {number}"));
            body["settings"]["endpoint_url"] = json!(endpoint);
            owner.post("/api/cloud/providers", &body).await?;
        }
    }
    let connected = began.elapsed();
    let before = server.cost();
    while stock::synced(&database.urls().admin).await? < good {
        ensure!(began.elapsed() < INTERVAL * 4, "not every provider has been synced once");
        tokio::time::sleep(LOOK).await;
    }
    let all = began.elapsed();
    let (mut worst, watched) = (Duration::ZERO, Instant::now());
    while watched.elapsed() < INTERVAL {
        tokio::time::sleep(LOOK).await;
        worst = worst.max(stock::oldest(&database.urls().admin).await?);
    }
    let cost = server.cost() - before;
    let peak = cost.resident_peak.unwrap_or_default() / 1_000_000;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of some minutes")]
    let share =
        cost.cpu_micros as f64 / 1e4 / (all.saturating_sub(connected) + watched.elapsed()).as_secs_f64();
    say(&format!(
        "{providers} providers, synced every {} s, connected in {:.0} s: the {good} good ones were all synced after {:.0} s, and \
         for an interval from then on none was older than {:.0} s; server {share:.0} % of a core, at most {peak} MB",
        INTERVAL.as_secs(),
        connected.as_secs_f64(),
        all.as_secs_f64(),
        worst.as_secs_f64(),
    ));
    drop(hanging);
    server.stop()?;
    simulator.stop().await;
    Ok(())
}
