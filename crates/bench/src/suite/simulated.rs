//! The three simulated clouds: how fast they are synced, each alone and all at once, and how well the rates that their
//! vendors document are kept.

use std::{fmt::Write as _, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use marquee_db::embedded::Embedded;
use marquee_simulator::{FaceName, Options, Simulator, plan::Plan};
use serde_json::json;

use super::server::{Owner, Server};
use crate::say;

/// One vendor in a world of many resources: as world files and Marquee name it, its regions with their zones, and the
/// sizes of its instances and disks.
struct Vendor {
    face: FaceName,
    kind: &'static str,
    account: &'static str,
    regions: [(&'static str, &'static str, &'static str); 2],
    size: &'static str,
    disk: &'static str,
}

const VENDORS: &[Vendor] = &[
    Vendor {
        face: FaceName::Aws,
        kind: "aws",
        account: "310000000001",
        regions: [
            ("eu-west-1", "Europe (Ireland)", r#""eu-west-1a", "eu-west-1b""#),
            ("us-east-1", "US East (N. Virginia)", r#""us-east-1a", "us-east-1b""#),
        ],
        size: "m7g.large",
        disk: "gp3",
    },
    Vendor {
        face: FaceName::Azure,
        kind: "azure",
        account: "70f5a1de-9d0b-4a9e-8a10-0c4b1d9f3e55",
        regions: [
            ("westeurope", "West Europe", r#""1", "2", "3""#),
            ("northeurope", "North Europe", r#""1", "2", "3""#),
        ],
        size: "Standard_D2s_v5",
        disk: "Premium_LRS",
    },
    Vendor {
        face: FaceName::Google,
        kind: "gcp",
        account: "large-project",
        regions: [
            ("europe-west1", "St. Ghislain, Belgium", r#""europe-west1-b", "europe-west1-c""#),
            ("us-central1", "Council Bluffs, Iowa", r#""us-central1-a", "us-central1-b""#),
        ],
        size: "n2-standard-2",
        disk: "pd-ssd",
    },
];

/// Groups of a world: what, and how many in each region.
type Groups<'a> = &'a [(&'a str, usize)];

/// Syncs of each cloud alone, of all at once, and again.
pub async fn run(marquee: &Path, database: &Embedded, resources: usize) -> Result<()> {
    // In two regions, and each instance has a boot disk; more of them than this have no addresses in one network.
    let instances = (resources / 4).min(5_000);
    let disks = resources / 2 - instances * 2 + 20;
    let world = Season::start(&[("network", 1), ("instance", instances), ("disk", disks)]).await?;
    let server = Server::start(marquee, database.urls(), &["--log-level", "warn"]).await?;
    let owner = server.organization(&format!("simulated-{resources}")).await?;
    let mut ids = Vec::new();
    for vendor in VENDORS {
        let id = world.connect(&owner, vendor, "alone").await?;
        let began = Instant::now();
        let seen = synced(&owner, &id).await?;
        report(&server, &format!("first sync of {seen} resources of {}", vendor.kind), began);
        ids.push(id);
    }
    for id in &ids {
        let began = Instant::now();
        let seen = synced(&owner, id).await?;
        report(&server, &format!("second sync of {seen}"), began);
    }
    server.stop()?;

    let server = Server::start(marquee, database.urls(), &["--log-level", "warn"]).await?;
    let owner = server.organization(&format!("simulated-at-once-{resources}")).await?;
    let mut ids = Vec::new();
    for vendor in VENDORS {
        ids.push(world.connect(&owner, vendor, "at once").await?);
    }
    let began = Instant::now();
    let seen = try_join_all(ids.iter().map(|id| synced(&owner, id))).await?;
    report(
        &server,
        &format!("first sync of {} resources of three clouds at once", seen.iter().sum::<i64>()),
        began,
    );
    server.stop()
}

/// Syncs of accounts whose many buckets, databases and zones have to be asked for one by one, with the vendors' documented
/// rates on.
pub async fn limits(marquee: &Path, database: &Embedded) -> Result<()> {
    let groups = [("network", 1), ("instance", 400), ("bucket", 400), ("dns_zone", 150)];
    let world = Season::start(&groups).await?;
    let server = Server::start(marquee, database.urls(), &["--log-level", "warn"]).await?;
    let owner = server.organization("limits").await?;
    for vendor in VENDORS {
        let id = world.connect(&owner, vendor, "limited").await?;
        world.0.world().limits.switch(true);
        let began = Instant::now();
        let seen = synced(&owner, &id).await?;
        let seconds = began.elapsed().as_secs_f64();
        let rows = world.0.world().limits.rows();
        let refused: u64 = rows.iter().map(|row| row.refused).sum();
        let calls = refused + rows.iter().map(|row| row.let_through).sum::<u64>();
        let least = rows.iter().map(|row| row.least_seconds).fold(0.0, f64::max);
        say(&format!(
            "sync of {seen} resources of {} under the documented rates: {seconds:.1} s, at least {least:.1} s are \
             needed; of {calls} limited calls {refused} were refused",
            vendor.kind,
        ));
    }
    server.stop()
}

fn report(server: &Server, what: &str, began: Instant) {
    let peak = server.cost().resident_peak.unwrap_or_default() / 1_000_000;
    say(&format!("{what}: {:.2} s, server at most {peak} MB", began.elapsed().as_secs_f64()));
}

async fn synced(owner: &Owner, id: &str) -> Result<i64> {
    let operation = owner.operation(id).await?;
    operation["progress"]["resources_seen"].as_i64().context("a sync that does not say what it saw")
}

/// A simulator of accounts with many things.
struct Season(Simulator);

impl Season {
    async fn start(groups: Groups<'_>) -> Result<Self> {
        let options = Options { speed: 0.0, ..Options::new(Plan::parse(&plan(groups)?)?) };
        Ok(Self(Simulator::start(options).await?))
    }

    /// Connects a vendor's account; the provider's id.
    async fn connect(&self, owner: &Owner, vendor: &Vendor, name: &str) -> Result<String> {
        let account = self
            .0
            .world()
            .plan
            .account(vendor.face, vendor.account)
            .context("an account that is not there")?;
        let mut body = self.0.provider(account).context("an account without credentials")?;
        body["name"] = json!(format!("{} {name}", vendor.kind));
        body["verify"] = json!(false);
        body["sync_interval_seconds"] = json!(604_800);
        let provider = owner.post("/api/cloud/providers", &body).await?;
        Ok(provider["id"].as_str().context("a provider without an id")?.to_owned())
    }
}

/// A world file with the same groups at every vendor.
fn plan(groups: Groups<'_>) -> Result<String> {
    let mut text = "name = \"bench\"\nseed = 7\nhistory_days = 400\n".to_owned();
    for vendor in VENDORS {
        let regions = vendor
            .regions
            .map(|(id, name, zones)| format!("{{ id = \"{id}\", name = \"{name}\", zones = [{zones}] }}"));
        write!(
            text,
            "[[accounts]]\nface = \"{}\"\nid = \"{}\"\nname = \"bench\"\nregions = [{}]\n",
            vendor.face.as_str(),
            vendor.account,
            regions.join(", ")
        )?;
        for (what, count) in groups {
            // What stands in it cannot be older than a network.
            let oldest = if *what == "network" { 390 } else { 380 };
            let size = match *what {
                "instance" => vendor.size,
                "disk" => vendor.disk,
                _ => "",
            };
            write!(
                text,
                "[[accounts.groups]]\nwhat = \"{what}\"\nname = \"{}\"\ncount = {count}\nsize = \"{size}\"\ngib = 30\n\
                 tags = {{ app = \"bench\", env = \"production\" }}\nage_days = [{oldest}, 1]\n",
                name_of(what)
            )?;
        }
    }
    Ok(text)
}

/// What its things are called; names of buckets and zones are the world's own.
fn name_of(what: &str) -> String {
    match what {
        "network" => "main".to_owned(),
        "dns_zone" => "zone-{n}-{region}.example".to_owned(),
        other => format!("{}-{{n}}-{{region}}", other.replace('_', "-")),
    }
}
