//! Whatever way pages come, overlap, leave things out and fail, and whatever is made and ended between them: a disk that was
//! there all the time is never believed to be gone, and once it is quiet the inventory is what the simulator holds.

use std::collections::BTreeSet;

use marquee_simulator::{
    FaceName,
    estate::Cause,
    plan::{Group, Plan},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;
use tokio::runtime::Handle;

use super::bed::Season;

/// One sync, and what happens to its pages and during it.
#[derive(Debug, Clone)]
struct Round {
    /// Items on a page, at most.
    items: usize,
    doubled: bool,
    missing: bool,
    /// The share of calls that fail.
    failing: f64,
    /// What happens, each after so many further calls were answered.
    changes: Vec<(u64, Change)>,
}

#[derive(Debug, Clone)]
enum Change {
    /// Some more disks.
    Make(u32),
    /// One of those there are, by a number taken round.
    End(usize),
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let change = prop_oneof![(1_u32..4).prop_map(Change::Make), any::<usize>().prop_map(Change::End)];
    let changes = proptest::collection::vec((0_u64..6, change), 0..5);
    let round = (1_usize..8, any::<bool>(), any::<bool>(), prop_oneof![Just(0.0), 0.0..0.3], changes);
    let round = round.prop_map(|(items, doubled, missing, failing, changes)| Round {
        items,
        doubled,
        missing,
        failing,
        changes,
    });
    proptest::collection::vec(round, 1..4)
}

/// An account with a handful of disks in two regions.
fn plan(face: FaceName) -> Plan {
    let (face, id, regions, size) = match face {
        FaceName::Aws => ("aws", "310000000007", ["eu-west-1", "us-east-1"], "gp3"),
        FaceName::Azure => {
            ("azure", "70f5a1de-9d0b-4a9e-8a10-0c4b1d9f3e57", ["westeurope", "northeurope"], "Premium_LRS")
        }
        FaceName::Hetzner => ("hetzner", "1483921", ["nbg1", "hel1"], ""),
        FaceName::Google => ("google", "pages-project", ["europe-west1", "us-central1"], "pd-ssd"),
    };
    let zone = |region: &str| match face {
        "aws" => format!("{region}a"),
        "azure" => "1".to_owned(),
        "hetzner" => region.to_owned(),
        _ => format!("{region}-b"),
    };
    let region = |id: &str| format!("{{ id = \"{id}\", name = \"{id}\", zones = [\"{}\"] }}", zone(id));
    let text = format!(
        "name = \"pages\"\nseed = 11\nhistory_days = 30\n[[accounts]]\nface = \"{face}\"\nid = \"{id}\"\nname = \"pages\"\n\
         regions = [{}, {}]\n[[accounts.groups]]\nwhat = \"disk\"\nname = \"first-{{n}}-{{region}}\"\ncount = 6\n\
         size = \"{size}\"\ngib = 10\nage_days = [20, 1]\n",
        region(regions[0]),
        region(regions[1]),
    );
    Plan::parse(&text).unwrap()
}

/// Where the vendor's face keeps its disks.
pub fn shelf(face: FaceName) -> &'static str {
    match face {
        FaceName::Aws => "ec2/volume",
        FaceName::Azure => "Microsoft.Compute/disks",
        FaceName::Google => "compute.disks",
        FaceName::Hetzner => "volumes",
    }
}

/// The vendor's short id of a disk, as its native id ends.
pub fn short(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_lowercase()
}

impl Season {
    /// The disks that the simulator holds.
    fn held(&self) -> BTreeSet<String> {
        let (world, account) = (self.simulator.world(), self.account());
        let (estate, now) = (world.read(), world.clock.now());
        estate.all(&account.id, shelf(self.face), None, now).map(|thing| short(&thing.id)).collect()
    }

    /// The disks that the inventory has.
    async fn known(&self) -> BTreeSet<String> {
        let disks = self.owner.all("/api/cloud/resources?filter=kind%3Ddisk").await;
        disks.iter().map(|disk| short(disk["native_id"].as_str().unwrap())).collect()
    }

    fn make(&self, prefix: &str, count: u32) {
        let (world, account) = (self.simulator.world(), self.account());
        let like = &account.groups[0];
        let group =
            Group { name: format!("{prefix}-{{n}}-{{region}}"), count, age_days: [9, 1], ..like.clone() };
        let faces = marquee_simulator::faces();
        let face = faces.iter().find(|face| face.name() == self.face).unwrap();
        face.grow(world, &mut world.write(), account, &group).unwrap();
    }

    /// Ends one; which one that was.
    fn end(&self, number: usize) -> Option<String> {
        let (world, account) = (self.simulator.world(), self.account());
        let (mut estate, now) = (world.write(), world.clock.now());
        let all: Vec<_> = estate
            .all(&account.id, shelf(self.face), None, now)
            .map(|thing| (thing.place.clone(), thing.id.clone()))
            .collect();
        let (place, id) = all.get(number % all.len().max(1))?;
        let cause = Cause { account: &account.id, operation: "test", token: None, now };
        assert!(estate.end(cause, shelf(self.face), place, id, now));
        Some(short(id))
    }

    fn answered(&self) -> u64 {
        let rows = self.simulator.world().calls.rows();
        rows.iter().map(|row| row.count.succeeded + row.count.refused + row.count.failed).sum()
    }

    /// Makes the changes, each after its calls.
    async fn meanwhile(&self, name: &str, changes: &[(u64, Change)]) {
        for (number, (calls, change)) in changes.iter().enumerate() {
            let due = self.answered() + calls;
            while self.answered() < due {
                tokio::task::yield_now().await;
            }
            match change {
                Change::Make(count) => self.make(&format!("{name}-{number}"), *count),
                Change::End(number) => drop(self.end(*number)),
            }
        }
    }

    async fn round(&self, name: &str, round: &Round) -> Result<(), TestCaseError> {
        let there_before = self.held();
        let known_before = self.known().await;
        self.fault(json!({ "kind": "short_pages", "items": round.items }));
        for (wrong, kind) in [(round.doubled, "doubled_items"), (round.missing, "missing_items")] {
            if wrong {
                self.fault(json!({ "kind": kind }));
            }
        }
        self.fault(json!({ "kind": "failing", "share": round.failing, "times": 8 }));
        // The changes end with the sync: it may make fewer calls than they wait for.
        tokio::select! {
            biased;
            operation = self.sync() => { operation["done"].as_bool(); }
            () = async {
                self.meanwhile(name, &round.changes).await;
                std::future::pending::<()>().await;
            } => {}
        }
        self.no_faults();
        let known = self.known().await;
        let stayed: BTreeSet<_> = there_before.intersection(&self.held()).cloned().collect();
        let lost: Vec<_> = known_before.intersection(&stayed).filter(|id| !known.contains(*id)).collect();
        prop_assert!(lost.is_empty(), "believed to be gone: {:?}", lost);
        Ok(())
    }
}

async fn pages_in_any_way(face: FaceName) {
    let season = Season::in_world(face, plan(face)).await;
    season.synced().await;
    assert_eq!((season.held().len(), season.known().await), (12, season.held()));
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let number = std::cell::Cell::new(0);
    let outcome = runner.run(&rounds(), |rounds| {
        tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                for round in &rounds {
                    number.set(number.get() + 1);
                    season.round(&format!("more-{}", number.get()), round).await?;
                }
                // Quiet: one listing to see what is there, and a second for what is missing.
                season.synced().await;
                season.synced().await;
                prop_assert_eq!(season.known().await, season.held());
                Ok(())
            })
        })
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_aws_come_in_any_way() {
    pages_in_any_way(FaceName::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_azure_come_in_any_way() {
    pages_in_any_way(FaceName::Azure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_google_come_in_any_way() {
    pages_in_any_way(FaceName::Google).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_hetzner_come_in_any_way() {
    pages_in_any_way(FaceName::Hetzner).await;
}

/// More is left out than is looked up by id, twice in a row, and all of it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_is_caught_leaving_things_out_deletes_nothing() {
    let season = Season::in_world(FaceName::Google, plan(FaceName::Google)).await;
    season.make("many", 60);
    season.synced().await;
    assert_eq!(season.known().await.len(), 132);
    let round = Round { items: 2, doubled: false, missing: true, failing: 0.0, changes: Vec::new() };
    for name in ["once", "twice", "thrice"] {
        season.round(name, &round).await.unwrap();
    }
    season.synced().await;
    assert_eq!(season.known().await, season.held());
}
