//! Changes through the API, at every simulated cloud: what is asked for is planned, carried out, seen without a sync, and
//! taken back when it fails or is no longer wanted.

use marquee_simulator::{FaceName, clock::ClockChange, estate::Cause};
use serde_json::{Value, json};

use super::{
    bed::Season,
    interleaving::{shelf, short},
};
use crate::{ledgers::fixtures::id, support::Answer};

/// Simulated seconds in one.
const HASTE: f64 = 600.0;

/// A season whose clock runs, synced.
async fn season(face: FaceName) -> Season {
    let season = Season::of(face).await;
    season.synced().await;
    season.run(HASTE);
    season
}

impl Season {
    /// Lets the simulated clock run, so many times as fast as ours.
    fn run(&self, speed: f64) {
        let change = ClockChange { speed: Some(speed), ..ClockChange::default() };
        self.simulator.world().clock.change(change).unwrap();
    }

    /// A resource of a kind in a state.
    async fn one(&self, kind: &str, state: &str) -> Value {
        let filter = format!("kind%3D{kind}%20AND%20state%3D{state}");
        let found = self.owner.get(&format!("/api/cloud/resources?filter={filter}&limit=1")).await;
        found.items().first().unwrap_or_else(|| panic!("no {kind} is {state}")).clone()
    }

    async fn now(&self, id: &str) -> Value {
        self.owner.get(&format!("/api/cloud/resources/{id}")).await.expect(200)
    }

    /// Asks for a change.
    async fn ask(&self, id: &str, verb: &str, body: Value) -> Answer {
        let path = format!("/api/cloud/resources/{id}/{verb}");
        match body {
            Value::Null => self.owner.post_empty(&path).await,
            body => self.owner.post(&path, body).await,
        }
    }

    /// Asks for a change, and waits for its end.
    async fn done(&self, asked: Answer) -> Value {
        let operation = id(&asked.expect(202)["operation"]);
        self.owner.ended(&operation).await
    }

    /// The same of one that succeeds.
    async fn changed(&self, asked: Answer) -> Value {
        let operation = self.done(asked).await;
        assert_eq!(operation["state"], "succeeded", "{operation:#}");
        operation
    }

    /// Looks at an operation until it is as wanted.
    async fn until(&self, operation: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..60 {
            let path = format!("/api/operations/{operation}/wait?timeout_seconds=1");
            let now = self.owner.get(&path).await.expect(200);
            if wanted(&now) {
                return now;
            }
            assert_ne!(now["done"], true, "{now:#}");
        }
        panic!("{operation} does not come to it");
    }

    /// Ends a disk behind everybody's back.
    fn end_disk(&self, native_id: &str) {
        let (world, account) = (self.simulator.world(), self.account());
        let (mut estate, now) = (world.write(), world.clock.now());
        let shelf = shelf(self.face);
        let found =
            estate.all(&account.id, shelf, None, now).find(|thing| short(&thing.id) == short(native_id));
        let (place, id) = found.map(|thing| (thing.place.clone(), thing.id.clone())).unwrap();
        let cause = Cause { account: &account.id, operation: "test", token: None, now };
        assert!(estate.end(cause, shelf, &place, &id, now));
    }

    /// A size that other instances of its family and architecture have: Azure has no others in one cluster.
    async fn other_size(&self, instance: &Value) -> String {
        let found = self.owner.all("/api/cloud/resources?filter=kind%3Dcompute_instance").await;
        let other = found.iter().map(size).find(|other| fits(other, size(instance)));
        other.expect("an instance of another size").to_owned()
    }

    /// An instance that runs and for which there is another size.
    async fn resizable(&self) -> Value {
        let found = self.owner.all("/api/cloud/resources?filter=kind%3Dcompute_instance").await;
        let others = |one: &Value| found.iter().any(|other| fits(size(other), size(one)));
        let running = found.iter().filter(|one| one["state"] == "running");
        running.clone().find(|one| others(one)).expect("an instance of another size").clone()
    }
}

fn size(instance: &Value) -> &str {
    instance["size"].as_str().unwrap()
}

/// Whether an instance of a size can have another one.
fn fits(other: &str, size: &str) -> bool {
    // `m7g.` of `m7g.large`, `n2-standard-` of `n2-standard-4`, `Standard_D` of `Standard_D4s_v5`.
    let family = |size: &str| {
        let digit = |at: &usize| size.as_bytes()[*at].is_ascii_digit();
        let end = size.find('.').or_else(|| size.rfind('-')).or_else(|| (0..size.len()).find(digit));
        size[..end.unwrap_or(size.len())].to_owned()
    };
    other != size && family(other) == family(size)
}

/// The titles of an operation's steps after the first, with their states.
async fn steps(season: &Season, operation: &Value) -> Vec<(String, String)> {
    let path = format!("/api/operations/{}", id(operation));
    let detail = season.owner.get(&path).await.expect(200);
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
    let steps = detail["steps"].as_array().unwrap();
    let title = |step: &Value| text(step, "name").split(' ').next().unwrap().to_owned();
    steps.iter().skip(1).map(|step| (title(step), text(step, "state"))).collect()
}

async fn an_instance_is_changed(face: FaceName) {
    let season = season(face).await;
    let instance = season.resizable().await;
    let id = id(&instance);
    season.changed(season.ask(&id, "stop", Value::Null).await).await;
    assert_eq!(season.now(&id).await["state"], "stopped");
    season.changed(season.ask(&id, "start", Value::Null).await).await;
    assert_eq!(season.now(&id).await["state"], "running");
    let size = season.other_size(&instance).await;
    let resized = season.changed(season.ask(&id, "resize", json!({ "size": size })).await).await;
    let now = season.now(&id).await;
    assert_eq!((now["size"].as_str(), now["state"].as_str()), (Some(size.as_str()), Some("running")));
    assert!(steps(&season, &resized).await.iter().all(|(_, state)| state == "succeeded"));
    let path = format!("/api/cloud/resources/{id}");
    let request = season.owner.request("PATCH", &path).json(&json!({ "tags": { "venue": "barn" } }));
    season.changed(season.owner.send(request).await).await;
    assert_eq!(season.now(&id).await["tags"]["venue"], "barn");
    season.changed(season.owner.delete(&path).await).await;
    // AWS shows for a while what was terminated.
    let now = season.now(&id).await;
    assert!(now["deleted_at"].is_string() || now["state"] == "deleted", "{now:#}");
    // Each change was one version, and is told as what it was.
    let fields: Vec<String> = season
        .history(&id)
        .await
        .iter()
        .flat_map(|version| version["changes"].as_array().unwrap().clone())
        .map(|change| change["field"].as_str().unwrap().to_owned())
        .collect();
    for field in ["size", "state", "tags.venue"] {
        assert!(fields.iter().any(|known| known == field), "{field} is not in {fields:?}");
    }
    let entries = season.owner.all(&format!("/api/audit?filter=target%3D%22{id}%22")).await;
    for action in ["stop", "start", "resize", "update", "delete"] {
        let action = format!("resources.{action}");
        assert!(entries.iter().any(|entry| entry["action"] == action.as_str()), "{action} is not audited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_aws_is_changed() {
    an_instance_is_changed(FaceName::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_azure_is_changed() {
    an_instance_is_changed(FaceName::Azure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_google_is_changed() {
    an_instance_is_changed(FaceName::Google).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_would_happen_and_changes_nothing() {
    let season = season(FaceName::Aws).await;
    let instance = season.resizable().await;
    let size = season.other_size(&instance).await;
    let path = format!("/api/cloud/resources/{}/resize?validate_only=true", id(&instance));
    let plan = season.owner.post(&path, json!({ "size": size })).await.expect(200);
    assert_eq!(plan["operation"], Value::Null);
    let actions: Vec<_> =
        plan["plan"]["steps"].as_array().unwrap().iter().map(|step| &step["action"]).collect();
    assert_eq!(actions, ["stop_instance", "resize_instance", "start_instance"]);
    assert_eq!(
        (&plan["plan"]["disturbs"], &plan["plan"]["can_be_undone"]),
        (&json!("restart"), &json!(true))
    );
    let request =
        season.owner.request("DELETE", &format!("/api/cloud/resources/{}?validate_only=true", id(&instance)));
    let plan = season.owner.send(request).await.expect(200);
    assert_eq!(
        (&plan["plan"]["disturbs"], &plan["plan"]["can_be_undone"]),
        (&json!("data_loss"), &json!(false))
    );
    assert!(plan["plan"]["steps"][0]["undo"]["because"].as_str().unwrap().contains("image"), "{plan:#}");
    let operations = season.owner.all("/api/operations?filter=kind%3Dchange_resources").await;
    assert_eq!(operations, [Value::Null; 0]);
    // Nor does it keep the resource from others.
    season.changed(season.ask(&id(&instance), "reboot", Value::Null).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_change_is_refused_or_comes_next() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.run(0.0);
    let stop = season.ask(&instance, "stop", Value::Null).await.expect(202);
    let refused = season.ask(&instance, "reboot", Value::Null).await;
    refused.is_problem(409, "resource_busy");
    let next =
        season.owner.post_empty(&format!("/api/cloud/resources/{instance}/start?on_conflict=wait")).await;
    let next = next.expect(202);
    assert_eq!(next["operation"]["state"], "paused");
    // It cannot be made to push ahead.
    let resume = format!("/api/operations/{}/resume", id(&next["operation"]));
    season.owner.post_empty(&resume).await.is(202);
    assert_eq!(season.now(&instance).await["state"], "running");
    season.run(HASTE);
    let first = season.owner.ended(&id(&stop["operation"])).await;
    let second = season.owner.ended(&id(&next["operation"])).await;
    assert_eq!((&first["state"], &second["state"]), (&json!("succeeded"), &json!("succeeded")), "{second:#}");
    assert!(first["finished_at"].as_str() <= second["finished_at"].as_str());
    assert_eq!(season.now(&instance).await["state"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_protected_is_not_changed() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.ask(&instance, "protect", json!({ "reason": "the Hendersons' day" })).await.is(200);
    let refused = season.ask(&instance, "stop", Value::Null).await;
    refused.is_problem(409, "resource_protected");
    assert!(refused.body["detail"].as_str().unwrap().contains("the Hendersons' day"), "{}", refused.body);
    season.ask(&instance, "unprotect", Value::Null).await.is(204);
    season.ask(&instance, "unprotect", Value::Null).await.is_problem(409, "not_protected");
    season.changed(season.ask(&instance, "stop", Value::Null).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_half_way_is_taken_back() {
    let season = season(FaceName::Aws).await;
    let instance = season.resizable().await;
    let (id, size) = (id(&instance), instance["size"].as_str().unwrap());
    let other = season.other_size(&instance).await;
    season.fault(json!({ "kind": "no_capacity", "size": other }));
    let operation = season.done(season.ask(&id, "resize", json!({ "size": other })).await).await;
    assert_eq!(operation["state"], "undone", "{operation:#}");
    assert_eq!(operation["error"]["code"], "insufficient_capacity", "{operation:#}");
    let now = season.now(&id).await;
    assert_eq!((now["size"].as_str(), now["state"].as_str()), (Some(size), Some("running")));
    let states = steps(&season, &operation).await;
    assert!(states.iter().all(|(_, state)| state == "undone"), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_is_taken_back() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.run(0.0);
    let stop = id(&season.ask(&instance, "stop", Value::Null).await.expect(202)["operation"]);
    season.until(&stop, |operation| operation["progress"]["steps"].is_number()).await;
    season.owner.post_empty(&format!("/api/operations/{stop}/cancel")).await.is(202);
    season.run(HASTE);
    let operation = season.owner.ended(&stop).await;
    assert!(matches!(operation["state"].as_str(), Some("undone" | "cancelled")), "{operation:#}");
    season.synced().await;
    assert_eq!(season.now(&instance).await["state"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_revoked_pause_it_and_it_goes_on_when_they_are_back() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.fault(json!({ "kind": "revoked_credentials" }));
    let stop = id(&season.ask(&instance, "stop", Value::Null).await.expect(202)["operation"]);
    let paused = season.until(&stop, |operation| operation["state"] == "paused").await;
    assert!(paused["pause_reason"].as_str().unwrap().contains("credentials"), "{paused:#}");
    season.no_faults();
    season.owner.post_empty(&format!("/api/operations/{stop}/resume")).await.is(202);
    let operation = season.owner.ended(&stop).await;
    assert_eq!(operation["state"], "succeeded", "{operation:#}");
    assert_eq!(season.now(&instance).await["state"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_before_anything_is_done() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    let disk = season.one("disk", "in_use").await;
    season.ask(&id(&disk), "start", Value::Null).await.is_problem(422, "unsupported_action");
    season.ask(&id(&disk), "grow", json!({ "size_gib": 1 })).await.is_problem(422, "cannot_shrink");
    season.ask(&instance, "resize", json!({ "size": "" })).await.is_problem(422, "invalid");
    season.ask(&instance, "resize", json!({ "sise": "m7i.large" })).await.is_problem(422, "invalid");
    season.ask(&instance, "resize", json!({ "size": "a\u{0}b" })).await.is_problem(422, "invalid");
    let path = format!("/api/cloud/resources/{instance}");
    for tags in [json!({ "Marquee-Operation": "op_1-1" }), json!({ "marquee-operation": null })] {
        let request = season.owner.request("PATCH", &path).json(&json!({ "tags": tags }));
        assert_eq!(season.owner.send(request).await.pointers(), ["/tags"]);
    }
    let create = |spec: Value| json!({ "provider_id": season.provider, "kind": "disk", "region": "eu-west-1", "spec": spec });
    let wrong = season.owner.post("/api/cloud/resources", create(json!({ "name": "a", "size": 3 }))).await;
    assert_eq!(wrong.pointers(), ["/spec/size"], "{}", wrong.body);
    let wrong = season.owner.post("/api/cloud/resources", create(json!({ "size_gib": 3 }))).await;
    assert_eq!(wrong.pointers(), ["/spec/name"], "{}", wrong.body);
    let operations = season.owner.all("/api/operations?filter=kind%3Dchange_resources").await;
    assert_eq!(operations, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_behind_its_back_is_reported() {
    let season = season(FaceName::Aws).await;
    let disk = season.one("disk", "available").await;
    season.end_disk(disk["native_id"].as_str().unwrap());
    let operation = season.done(season.ask(&id(&disk), "grow", json!({ "size_gib": 16_000 })).await).await;
    assert_eq!(operation["error"]["code"], "resource_gone", "{operation:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_there_and_is_made_once() {
    let season = season(FaceName::Aws).await;
    let body = json!({ "provider_id": season.provider, "kind": "disk", "region": "eu-west-1",
        "spec": { "name": "photos", "zone": "eu-west-1a", "size_gib": 12, "tags": { "venue": "orangery" } } });
    // Half of the answers are lost on the way.
    season.fault(json!({ "kind": "cut_off", "share": 0.5, "times": 6 }));
    let operation = season.changed(season.owner.post("/api/cloud/resources", body).await).await;
    season.no_faults();
    let found = season.owner.all("/api/cloud/resources?filter=name%3Dphotos").await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["attributes"]["size_gib"], &found[0]["tags"]["venue"]),
        (&json!(12), &json!("orangery"))
    );
    let made = season.owner.get(&format!("/api/operations/{}", id(&operation))).await.expect(200);
    assert_eq!(made["steps"][1]["output"]["resource_id"], found[0]["id"]);
    season.synced().await;
    assert_eq!(season.owner.all("/api/cloud/resources?filter=name%3Dphotos").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_listed_with_its_own_kind() {
    let season = season(FaceName::Aws).await;
    let disk = season.one("disk", "in_use").await;
    let asked = season.ask(&id(&disk), "snapshot", json!({ "name": "before-saturday" })).await;
    let made = season.changed(asked).await;
    let path = "/api/cloud/resources?filter=kind%3Dsnapshot%20AND%20name%3D%22before-saturday%22";
    let found = season.owner.all(path).await;
    assert_eq!(found.len(), 1, "{made:#}");
    // A sync of the disks does not miss it, nor does that of the copies find another.
    season.synced().await;
    let again = season.owner.all(path).await;
    assert_eq!((again.len(), &again[0]["id"]), (1, &found[0]["id"]));
    let versions = season.history(&id(&found[0])).await;
    assert!(versions.iter().all(|version| version["ended"] != "deleted"), "{versions:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protection_that_comes_while_it_waits_holds() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.run(0.0);
    let first = season.ask(&instance, "reboot", Value::Null).await.expect(202);
    let path = format!("/api/cloud/resources/{instance}?on_conflict=wait");
    let next = season.owner.delete(&path).await.expect(202);
    season.ask(&instance, "protect", json!({ "reason": "serves Saturday" })).await.is(200);
    season.run(HASTE);
    season.owner.ended(&id(&first["operation"])).await;
    let refused = season.owner.ended(&id(&next["operation"])).await;
    assert_eq!(refused["error"]["code"], "resource_protected", "{refused:#}");
    assert_eq!(season.now(&instance).await["state"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_no_longer_waits_is_passed_over() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.run(0.0);
    let first = season.ask(&instance, "stop", Value::Null).await.expect(202);
    let wait = |verb: &str| format!("/api/cloud/resources/{instance}/{verb}?on_conflict=wait");
    let second = id(&season.owner.post_empty(&wait("reboot")).await.expect(202)["operation"]);
    let third = id(&season.owner.post_empty(&wait("start")).await.expect(202)["operation"]);
    season.owner.post_empty(&format!("/api/operations/{second}/cancel")).await.is(202);
    assert_eq!(season.owner.ended(&second).await["state"], "cancelled");
    season.run(HASTE);
    season.owner.ended(&id(&first["operation"])).await;
    assert_eq!(season.owner.ended(&third).await["state"], "succeeded");
    // Nobody has it in hand now.
    season.changed(season.ask(&instance, "reboot", Value::Null).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_instances_are_told_to_be_lost() {
    let season = season(FaceName::Aws).await;
    let found = season.owner.all("/api/cloud/resources?filter=kind%3Dscaling_group").await;
    let (group, size) = found
        .iter()
        .find_map(|group| {
            Some((id(group), group["attributes"]["desired_size"].as_u64().filter(|size| *size > 1)?))
        })
        .expect("a group of several");
    let disturbs = async |desired: u64| {
        let path = format!("/api/cloud/resources/{group}/scale?validate_only=true");
        let plan = season.owner.post(&path, json!({ "desired": desired })).await.expect(200);
        plan["plan"]["disturbs"].as_str().unwrap().to_owned()
    };
    assert_eq!((disturbs(size - 1).await, disturbs(size).await), ("data_loss".to_owned(), "none".to_owned()));
}

/// One that is told to go on while it waits does so when it is its turn, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn pushing_ahead_is_waiting_still() {
    let season = season(FaceName::Aws).await;
    let instance = id(&season.one("compute_instance", "running").await);
    season.run(0.0);
    let stop = id(&season.ask(&instance, "stop", Value::Null).await.expect(202)["operation"]);
    let path = format!("/api/cloud/resources/{instance}/start?on_conflict=wait");
    let start = id(&season.owner.post_empty(&path).await.expect(202)["operation"]);
    season.until(&start, |operation| operation["state"] == "paused").await;
    season.owner.post_empty(&format!("/api/operations/{start}/resume")).await.is(202);
    season.until(&start, |operation| operation["state"] == "running").await;
    season.run(HASTE);
    assert_eq!(season.owner.ended(&stop).await["state"], "succeeded");
    let start = season.owner.ended(&start).await;
    assert_eq!(start["state"], "succeeded", "{start:#}");
    assert_eq!(season.now(&instance).await["state"], "running");
}

/// A cloud that takes its time holds up nobody: more changes than there are workers wait, and another one ends meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_take_long_hold_no_worker() {
    let season = season(FaceName::Aws).await;
    let path = "/api/cloud/resources?filter=kind%3Dcompute_instance%20AND%20state%3Drunning";
    let running = season.owner.all(path).await;
    assert!(running.len() > 36, "{}", running.len());
    season.run(0.0);
    let (last, others) = running[..37].split_last().unwrap();
    let mut stops = Vec::new();
    for instance in others {
        let asked = season.ask(&id(instance), "stop", Value::Null).await.expect(202);
        stops.push(id(&asked["operation"]));
    }
    for stop in &stops {
        season.until(stop, |operation| operation["progress"]["steps"].is_number()).await;
    }
    let request = season.owner.request("PATCH", &format!("/api/cloud/resources/{}", id(last)));
    season.changed(season.owner.send(request.json(&json!({ "tags": { "venue": "barn" } }))).await).await;
    // One of them is cancelled while nobody is at it: it is let to its end, and taken back.
    season.owner.post_empty(&format!("/api/operations/{}/cancel", stops[0])).await.is(202);
    season.run(HASTE);
    let states = async |wanted: &str, stops: &[String]| {
        for stop in stops {
            let ended = season.owner.ended(stop).await;
            assert_eq!(ended["state"], wanted, "{ended:#}");
        }
    };
    states("undone", &stops[..1]).await;
    states("succeeded", &stops[1..]).await;
    assert_eq!(season.now(&id(&others[0])).await["state"], "running");
    assert_eq!(season.now(&id(&others[1])).await["state"], "stopped");
}

/// A season of two clouds: the second provider.
async fn second(season: &Season, face: FaceName) -> String {
    let account = season.simulator.world().plan.accounts.iter().find(|account| account.face == face).unwrap();
    let mut body = season.simulator.provider(account).unwrap();
    body["sync_interval_seconds"] = json!(604_800);
    let provider = id(&season.owner.post("/api/cloud/providers", body).await.expect(201));
    season.owner.sync(&provider).await;
    provider
}

async fn disks_named(season: &Season, name: &str) -> usize {
    season.owner.all(&format!("/api/cloud/resources?filter=kind%3Ddisk%20AND%20name%3D{name}")).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_made_in_two_clouds_or_in_none() {
    let season = season(FaceName::Aws).await;
    let google = second(&season, FaceName::Google).await;
    let zone = season.owner.all("/api/cloud/resources?filter=kind%3Ddisk").await;
    let zone = zone.iter().find(|disk| disk["provider_id"] == google.as_str() && disk["zone"].is_string());
    let (region, zone) = zone.map(|disk| (disk["region"].clone(), disk["zone"].clone())).unwrap();
    let both = |name: &str, zone: Value| {
        json!({ "kind": "disk", "spec": { "name": name, "size_gib": 10, "zone": "eu-west-1a" }, "targets": [
            { "provider_id": season.provider, "region": "eu-west-1" },
            { "provider_id": google, "region": region, "spec": { "zone": zone } },
        ] })
    };
    let plan =
        season.owner.post("/api/cloud/resources?validate_only=true", both("twins", zone.clone())).await;
    assert_eq!(plan.expect(200)["plan"]["steps"].as_array().map(Vec::len), Some(2));
    season.changed(season.owner.post("/api/cloud/resources", both("twins", zone)).await).await;
    assert_eq!(disks_named(&season, "twins").await, 2);
    // The second place cannot be: what was made in the first is taken back.
    let asked = season.owner.post("/api/cloud/resources", both("alone", json!("europe-west99-z"))).await;
    let operation = season.done(asked).await;
    assert_eq!(operation["state"], "undone", "{operation:#}");
    assert_eq!(disks_named(&season, "alone").await, 0);
    let twice = json!({ "kind": "disk", "spec": { "name": "x" }, "region": "eu-west-1",
        "targets": [{ "provider_id": season.provider, "region": "eu-west-1" }] });
    let refused = season.owner.post("/api/cloud/resources", twice).await;
    refused.is_problem(422, "invalid");
    assert_eq!(refused.pointers(), ["/targets"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_named_twice_is_refused() {
    let season = season(FaceName::Aws).await;
    let place = json!({ "provider_id": season.provider, "region": "eu-west-1" });
    let spec = json!({ "name": "twice", "size_gib": 10, "zone": "eu-west-1a" });
    let body = json!({ "kind": "disk", "spec": spec, "targets": [place, place] });
    let refused = season.owner.post("/api/cloud/resources", body).await;
    refused.is_problem(422, "invalid");
    assert_eq!(refused.pointers(), ["/targets/1"]);
    assert_eq!(disks_named(&season, "twice").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_places_share_where_it_is_an_id_overwrites_nothing() {
    let season = season(FaceName::Azure).await;
    let known = season.owner.all("/api/cloud/resources?filter=kind%3Ddisk").await;
    let (region, native_id) = (known[0]["region"].clone(), known[0]["native_id"].as_str().unwrap());
    let group = native_id.split("/resourcegroups/").nth(1).unwrap().split('/').next().unwrap();
    let place =
        |gib: u32| json!({ "provider_id": season.provider, "region": region, "spec": { "size_gib": gib } });
    let spec = json!({ "name": "shared", "zone": "1", "extensions": { "resource_group": group } });
    let body = json!({ "kind": "disk", "spec": spec, "targets": [place(16), place(32)] });
    let operation = season.done(season.owner.post("/api/cloud/resources", body).await).await;
    assert_eq!(operation["state"], "undone", "{operation:#}");
    assert_eq!(disks_named(&season, "shared").await, 0);
}
