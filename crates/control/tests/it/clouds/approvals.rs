//! Changes that a second person has to approve: nothing is begun before, and whoever asked cannot be that person.

use marquee_simulator::FaceName;
use marquee_types::Role;
use serde_json::{Value, json};

use super::bed::Season;
use crate::{
    ledgers::fixtures::id,
    support::{Client, PASSWORD},
};

/// A season in which stopping instances in production takes two.
struct Two {
    season: Season,
    engineer: Client,
    manager: Client,
    instance: String,
}

impl Two {
    async fn of(change: impl FnOnce(&mut Value)) -> Self {
        let season = Season::of(FaceName::Aws).await;
        season.synced().await;
        let found = season.owner.get(&list("kind = compute_instance AND state = running")).await;
        let instance = found.items().first().expect("an instance runs").clone();
        let mut policy = json!({
            "name": "two for the barn", "actions": ["stop_instance", "terminate_instance"],
            "filter": format!("name = {:?}", instance["name"].as_str().unwrap()), "approver_role": "manager",
        });
        change(&mut policy);
        season.owner.post("/api/approval-policies", policy).await.is(201);
        let engineer = member(&season, Role::Engineer).await;
        let manager = member(&season, Role::Manager).await;
        Self { season, engineer, manager, instance: id(&instance) }
    }

    /// Asks for the instance to be stopped: the operation that awaits approval.
    async fn stop(&self) -> String {
        let asked = self.engineer.post_empty(&self.verb("stop")).await.expect(202);
        assert_eq!(asked["operation"]["state"], "awaiting_approval", "{asked:#}");
        assert_eq!(asked["plan"]["approval"]["approver_role"], "manager");
        assert_eq!(asked["plan"]["approval"]["policies"], json!(["two for the barn"]));
        id(&asked["operation"])
    }

    fn verb(&self, verb: &str) -> String {
        format!("/api/cloud/resources/{}/{verb}", self.instance)
    }

    async fn state(&self) -> String {
        let found = self.engineer.get(&format!("/api/cloud/resources/{}", self.instance)).await;
        found.text("state")
    }

    async fn audited(&self, verb: &str) -> usize {
        self.season.owner.audit(&format!("action = {verb}")).await.len()
    }
}

async fn member(season: &Season, role: Role) -> Client {
    let email = format!("{role}-{}@members.example", marquee_types::UserId::new().uuid().as_simple());
    let member = json!({ "email": email, "role": role, "password": PASSWORD });
    season.owner.post("/api/members", member).await.is(201);
    season.world.login(&email).await
}

fn list(filter: &str) -> String {
    let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    format!("/api/cloud/resources?limit=1&filter={query}")
}

fn decision(operation: &str, verb: &str) -> String {
    format!("/api/operations/{operation}/{verb}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_second_person_approves_is_done() {
    let two = Two::of(|_| {}).await;
    let operation = two.stop().await;
    // It has nothing in hand: others go on, and what no policy names needs nobody.
    let rebooted = two.engineer.post_empty(&two.verb("reboot")).await.expect(202);
    two.season.advance(60.0);
    assert_eq!(two.engineer.ended(&id(&rebooted["operation"])).await["state"], "succeeded");
    assert_eq!(two.state().await, "running");
    let open = two.engineer.get(&decision(&operation, "approval")).await.expect(200);
    assert_eq!(open["decision"], Value::Null, "{open:#}");
    let approved = two.manager.post(&decision(&operation, "approve"), json!({ "reason": "quiet day" })).await;
    assert_eq!(approved.expect(200)["decision"], "approved");
    let change = marquee_simulator::clock::ClockChange { speed: Some(600.0), ..Default::default() };
    two.season.simulator.world().clock.change(change).unwrap();
    let ended = two.engineer.ended(&operation).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!(two.state().await, "stopped");
    assert_eq!(two.audited("operations.approve").await, 1);
    two.manager.post(&decision(&operation, "approve"), json!({})).await.is_problem(409, "operation_state");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_cannot_approve_whatever_their_role_and_credential() {
    let two = Two::of(|_| {}).await;
    let asked = two.manager.post_empty(&two.verb("stop")).await.expect(202);
    let approve = decision(&id(&asked["operation"]), "approve");
    two.manager.post(&approve, json!({})).await.is_problem(403, "forbidden");
    two.engineer.post(&approve, json!({})).await.is_problem(403, "forbidden");
    // Nor an API key, not even of somebody else: a person has to.
    let expires_at = two.season.world.app.clock.now() + chrono::TimeDelta::days(1);
    let key = json!({ "name": "robot", "scopes": ["operations.approve"], "expires_at": expires_at });
    let key = two.season.owner.post("/api/api-keys", key).await.is(201).text("secret");
    two.season.owner.with_token(&key).post(&approve, json!({})).await.is_problem(403, "forbidden");
    assert_eq!(two.state().await, "running");
    assert_eq!(two.audited("operations.approve").await, 3, "refusals are audited");
    two.season.owner.post(&approve, json!({})).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_applies_together_takes_the_highest_role() {
    let two = Two::of(|_| {}).await;
    let every = json!({ "name": "all of it", "approver_role": "admin", "expires_after_seconds": 300 });
    two.season.owner.post("/api/approval-policies", every).await.is(201);
    let plan = format!("{}?validate_only=true", two.verb("stop"));
    let plan = two.engineer.post_empty(&plan).await.expect(200);
    let needed = json!({ "policies": ["two for the barn", "all of it"], "approver_role": "admin",
        "expires_after_seconds": 300 });
    assert_eq!(plan["plan"]["approval"], needed);
    let asked = two.engineer.post_empty(&two.verb("stop")).await.expect(202);
    let approve = decision(&id(&asked["operation"]), "approve");
    two.manager.post(&approve, json!({})).await.is_problem(403, "forbidden");
    two.season.owner.post(&approve, json!({})).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_withdrawn_or_overdue_ends_without_having_begun() {
    let two = Two::of(|_| {}).await;
    let ended = async |operation: &str| {
        let ended = two.engineer.ended(operation).await;
        assert_eq!((&ended["state"], &ended["started_at"]), (&json!("cancelled"), &Value::Null), "{ended:#}");
        let approval = two.engineer.get(&decision(operation, "approval")).await.expect(200);
        (approval["decision"].clone(), ended["error"]["code"].clone())
    };
    let refused = two.stop().await;
    two.manager.post(&decision(&refused, "reject"), json!({ "reason": "the band plays" })).await.is(200);
    assert_eq!(ended(&refused).await, (json!("rejected"), json!("rejected")));

    let withdrawn = two.stop().await;
    two.engineer.post_empty(&decision(&withdrawn, "cancel")).await.is(202);
    assert_eq!(ended(&withdrawn).await, (json!("withdrawn"), Value::Null));

    let overdue = two.stop().await;
    let past = "UPDATE operation_approvals SET expires_at = created_at WHERE decision IS NULL";
    two.season.world.database.superuser().await.execute(past, &[]).await.unwrap();
    // Whether or not anybody has looked since.
    let late = two.manager.post(&decision(&overdue, "approve"), json!({})).await;
    assert!(matches!(late.problem(409).as_str(), "approval_expired" | "operation_state"));
    two.season.world.app.nudge("approval_expiry");
    assert_eq!(ended(&overdue).await, (json!("expired"), json!("approval_expired")));
    assert_eq!(two.audited("operations.expire").await, 1);
    assert_eq!(two.audited("operations.reject").await, 1);
    assert_eq!(two.state().await, "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_while_another_is_at_it_comes_next() {
    let two = Two::of(|_| {}).await;
    let stop = two.stop().await;
    let reboot = id(&two.engineer.post_empty(&two.verb("reboot")).await.expect(202)["operation"]);
    two.manager.post(&decision(&stop, "approve"), json!({})).await.is(200);
    let change = marquee_simulator::clock::ClockChange { speed: Some(600.0), ..Default::default() };
    two.season.simulator.world().clock.change(change).unwrap();
    let (first, second) = (two.engineer.ended(&reboot).await, two.engineer.ended(&stop).await);
    assert_eq!((&first["state"], &second["state"]), (&json!("succeeded"), &json!("succeeded")), "{second:#}");
    assert!(first["finished_at"].as_str() <= second["finished_at"].as_str());
    assert_eq!(two.state().await, "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_yet_to_be_made_is_looked_at_as_it_is_wished() {
    let two = Two::of(|policy| {
        policy["actions"] = json!([]);
        policy["filter"] = json!("kind = disk AND zone = \"eu-west-1a\" AND tags.env = production");
    })
    .await;
    let make = async |tags: Value| {
        let spec = json!({ "name": "photos", "zone": "eu-west-1a", "size_gib": 8, "tags": tags });
        let body = json!({ "provider_id": two.season.provider, "kind": "disk", "region": "eu-west-1", "spec": spec });
        let asked = two.engineer.post("/api/cloud/resources?validate_only=true", body).await.expect(200);
        asked["plan"]["approval"]["approver_role"].clone()
    };
    assert_eq!(make(json!({ "env": "production" })).await, "manager");
    assert_eq!(make(json!({ "env": "staging" })).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_cannot_be_are_refused() {
    let two = Two::of(|_| {}).await;
    let make = async |change: Value| {
        let mut body = json!({ "name": "another", "approver_role": "manager" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        two.season.owner.post("/api/approval-policies", body).await
    };
    for (change, place) in [
        (json!({ "name": " " }), "/name"),
        (json!({ "approver_role": "viewer" }), "/approver_role"),
        (json!({ "filter": "colour = red" }), "/filter"),
        (json!({ "expires_after_seconds": 1 }), "/expires_after_seconds"),
    ] {
        let refused = make(change).await;
        refused.is_problem(422, "invalid");
        assert_eq!(refused.pointers(), [place]);
    }
    make(json!({ "name": "two for the barn" })).await.is_problem(409, "already_exists");
    two.engineer.get("/api/approval-policies").await.is(200);
    let body = json!({ "name": "mine", "approver_role": "manager" });
    two.engineer.post("/api/approval-policies", body).await.is_problem(403, "forbidden");
}
