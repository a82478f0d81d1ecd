//! The generic tests of operations, for changes: each step fails, each step is done twice, the worker dies before and after each step
//! and each undo. What happened is read from the simulator itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use marquee_control::domains::resources::ChangeOperation;
use marquee_db::OrgContext;
use marquee_jobs::{
    NewOperation, NewStep, Policy, Registry, start_operation,
    testing::{
        exercise::{Exercise, Tried, World},
        work_until_done, workers,
    },
};
use marquee_simulator::{FaceName, clock::ClockChange, estate::Cause};
use serde_json::{Value, json};

use super::{
    bed::Season,
    interleaving::{shelf, short},
};
use crate::ledgers::fixtures::id;

/// Simulated seconds in one: an instance starts within milliseconds.
const HASTE: f64 = 3_600.0;
const AT_MOST: Duration = Duration::from_secs(30);

/// A season without a server, whose operations the tests themselves drive.
async fn alone() -> Season {
    let mut season = Season::of(FaceName::Aws).await;
    season.synced().await;
    let change = ClockChange { speed: Some(HASTE), ..ClockChange::default() };
    season.simulator.world().clock.change(change).unwrap();
    season.world.halt().await;
    season
}

fn change(wish: &Value, worst: &str) -> NewOperation {
    NewOperation {
        kind: "change_resources",
        target: None,
        input: json!({ "wishes": [wish], "worst": worst }),
        policy: Policy::Unwind,
        steps: vec![NewStep::new("plan", json!({}))],
        dedup_key: None,
        requested_by: "user:test".to_owned(),
    }
}

fn context(season: &Season) -> OrgContext {
    OrgContext {
        organization: season.tenant,
        actor: "user:test".to_owned(),
        credential: None,
        request_id: "exercise".to_owned(),
        address: None,
    }
}

fn kind(season: &Season) -> ChangeOperation {
    // The simulator shows at once what was made.
    ChangeOperation::with_patience(season.world.app.clone(), Duration::ZERO)
}

async fn exercise(
    season: &Season,
    world: &dyn World,
    operation: impl Fn() -> NewOperation + Send + Sync,
) -> Tried {
    exercise_kind(season, kind(season), world, operation).await
}

async fn exercise_kind(
    season: &Season,
    kind: ChangeOperation,
    world: &dyn World,
    operation: impl Fn() -> NewOperation + Send + Sync,
) -> Tried {
    let app = &season.world.app;
    let exercise = Exercise {
        db: &app.db,
        clock: app.clock.clone(),
        context: context(season),
        kind: Arc::new(kind),
        operation: Box::new(operation),
        world,
    };
    exercise.all().await
}

/// One instance, which is given another size.
struct Instance<'a> {
    season: &'a Season,
    native_id: String,
    wish: Value,
    sizes: [String; 2],
}

impl Instance<'_> {
    /// Its size and state, as the simulator holds them.
    fn stands(&self) -> (String, String) {
        let (world, account) = (self.season.simulator.world(), self.season.account());
        let (estate, now) = (world.read(), world.clock.now());
        let wanted = short(&self.native_id);
        let mut all = estate.all(&account.id, "ec2/instance", None, now);
        let found = all.find(|thing| short(&thing.id) == wanted).expect("the instance");
        (found.size.to_string(), found.life.at(now).to_owned())
    }

    fn has(&self, size: &str) -> Result<(), String> {
        let stands = self.stands();
        if stands == (size.to_owned(), "running".to_owned()) {
            Ok(())
        } else {
            Err(format!("it is {stands:?}"))
        }
    }

    fn resize(&self, size: &str) -> NewOperation {
        let mut wish = self.wish.clone();
        wish["change"]["action"]["size"] = json!(size);
        change(&wish, "restart")
    }
}

#[async_trait]
impl World for Instance<'_> {
    async fn reset(&self) {
        if self.has(&self.sizes[0]).is_ok() {
            return;
        }
        let (app, context) = (&self.season.world.app, context(self.season));
        let mut tx = app.db.org(&context).unwrap();
        let started = start_operation(&mut tx, self.resize(&self.sizes[0])).await.unwrap();
        tx.commit().await.unwrap();
        let workers = workers(&app.db, &app.clock, Registry::new().operation(kind(self.season)));
        let ended = work_until_done(&workers, &app.db, &context, started.id(), AT_MOST).await;
        assert_eq!(self.has(&self.sizes[0]), Ok(()), "{ended:?}");
    }

    async fn is_untouched(&self) -> Result<(), String> {
        self.has(&self.sizes[0])
    }

    async fn is_complete(&self) -> Result<(), String> {
        self.has(&self.sizes[1])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resize_survives_whatever_happens_to_its_worker() {
    a_resize_survives(|kind| kind).await;
}

/// The same where every look but the first is left to another worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_resize_that_is_left_and_taken_up_survives_whatever_happens_to_its_worker() {
    a_resize_survives(|kind| kind.in_hand(Duration::ZERO)).await;
}

async fn a_resize_survives(with: impl FnOnce(ChangeOperation) -> ChangeOperation) {
    let mut season = Season::of(FaceName::Aws).await;
    season.synced().await;
    let path = "/api/cloud/resources?filter=kind%3Dcompute_instance%20AND%20state%3Drunning";
    let found = season.owner.all(path).await;
    let architecture = |found: &Value| found["attributes"]["architecture"].clone();
    let text = |found: &Value, name: &str| found[name].as_str().unwrap().to_owned();
    let alike = |one: &Value, other: &&Value| {
        other["size"] != one["size"] && architecture(other) == architecture(one)
    };
    let pair = |one| Some((one, found.iter().find(|other| alike(one, other))?));
    let (instance, other) = found.iter().find_map(pair).expect("two sizes of one architecture");
    let region = text(instance, "region");
    let wish = json!({
        "provider_id": season.provider, "resource_id": id(instance), "name": instance["name"],
        "scope": format!("ec2/instances@{region}"),
        "change": { "region": region, "target": { "kind": "compute_instance", "native_id": instance["native_id"] },
            "action": { "do": "resize_instance", "size": other["size"] } },
    });
    let sizes = [text(instance, "size"), text(other, "size")];
    let native_id = text(instance, "native_id");
    let change = ClockChange { speed: Some(HASTE), ..ClockChange::default() };
    season.simulator.world().clock.change(change).unwrap();
    season.world.halt().await;
    let world = Instance { season: &season, native_id, wish, sizes };
    let kind = with(kind(&season));
    let tried = exercise_kind(&season, kind, &world, || world.resize(&world.sizes[1])).await;
    // Four steps fail before and after their work; all of them twice; four deaths before and after a step, and of the
    // undoing of the last step's failure as many.
    assert_eq!(tried, Tried { runs: 8 + 1 + 8 + 8 });
}

/// Disks of one name.
struct Disks<'a>(&'a Season);

impl Disks<'_> {
    fn there(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let (world, account) = (self.0.simulator.world(), self.0.account());
        let (estate, now) = (world.read(), world.clock.now());
        let all = estate.all(&account.id, shelf(FaceName::Aws), None, now);
        let named = all.filter(|thing| thing.tags.get("Name").is_some_and(|name| &**name == "exercised"));
        named.map(|thing| (Arc::clone(&thing.place), Arc::clone(&thing.id))).collect()
    }

    fn are(&self, count: usize) -> Result<(), String> {
        let there = self.there();
        if there.len() == count { Ok(()) } else { Err(format!("there are {there:?}")) }
    }
}

#[async_trait]
impl World for Disks<'_> {
    async fn reset(&self) {
        for (place, id) in self.there() {
            let world = self.0.simulator.world();
            let (mut estate, now) = (world.write(), world.clock.now());
            let cause = Cause { account: &self.0.account().id, operation: "test", token: None, now };
            assert!(estate.end(cause, shelf(FaceName::Aws), &place, &id, now));
        }
    }

    async fn is_untouched(&self) -> Result<(), String> {
        self.are(0)
    }

    async fn is_complete(&self) -> Result<(), String> {
        self.are(1)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_made_once_whatever_happens_to_its_worker() {
    let season = alone().await;
    let wish = json!({
        "provider_id": season.provider, "resource_id": null, "name": "exercised", "scope": null,
        "change": { "region": "eu-west-1",
            "action": { "do": "create_disk", "name": "exercised", "zone": "eu-west-1a", "size_gib": 8 } },
    });
    let tried = exercise(&season, &Disks(&season), || change(&wish, "none")).await;
    assert_eq!(tried, Tried { runs: 4 + 1 + 4 + 4 });
}
