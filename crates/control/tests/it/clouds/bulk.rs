//! One change of many resources: as many as are expected, each for itself.

use std::collections::BTreeSet;

use marquee_simulator::{FaceName, clock::ClockChange};
use serde_json::{Value, json};

use super::bed::Season;
use crate::{ledgers::fixtures::id, support::Answer};

/// A season with disks of its own: their names all begin alike.
async fn season(disks: usize) -> Season {
    let season = Season::of(FaceName::Aws).await;
    season.synced().await;
    let change = ClockChange { speed: Some(600.0), ..ClockChange::default() };
    season.simulator.world().clock.change(change).unwrap();
    let mut made = Vec::new();
    for number in 0..disks {
        let spec = json!({ "name": format!("confetti-{number}"), "zone": "eu-west-1a", "size_gib": 8 });
        let body =
            json!({ "provider_id": season.provider, "kind": "disk", "region": "eu-west-1", "spec": spec });
        made.push(id(&season.owner.post("/api/cloud/resources", body).await.expect(202)["operation"]));
    }
    for operation in made {
        assert_eq!(season.owner.ended(&operation).await["state"], "succeeded");
    }
    season
}

const OURS: &str = "kind = disk AND name:confetti-*";

async fn delete(season: &Season, expected: usize) -> Answer {
    let body = json!({ "filter": OURS, "expect_count": expected });
    season.owner.post("/api/cloud/resources/bulk/delete", body).await
}

async fn disks(season: &Season) -> Vec<Value> {
    let query: String = url::form_urlencoded::byte_serialize(OURS.as_bytes()).collect();
    season.owner.all(&format!("/api/cloud/resources?filter={query}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_expected_are_changed_and_no_others() {
    let season = season(3).await;
    for wrong in [2, 4] {
        let refused = delete(&season, wrong).await;
        refused.is_problem(409, "count_differs");
        assert!(refused.text("detail").contains("finds 3 resources"), "{}", refused.body);
    }
    assert_eq!(disks(&season).await.len(), 3);
    let path = "/api/cloud/resources/bulk/delete?validate_only=true";
    let plan = season.owner.post(path, json!({ "filter": OURS, "expect_count": 3 })).await.expect(200);
    assert_eq!(plan["plan"]["steps"].as_array().map(Vec::len), Some(3), "{plan:#}");
    assert_eq!((&plan["plan"]["disturbs"], &plan["operation"]), (&json!("data_loss"), &Value::Null));
    assert_eq!(disks(&season).await.len(), 3);

    let operation = id(&delete(&season, 3).await.expect(202)["operation"]);
    let ended = season.owner.ended(&operation).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!((&ended["kind"], &ended["progress"]["changed"]), (&json!("change_in_bulk"), &json!(3)));
    assert!(disks(&season).await.is_empty());
    let entries = season.owner.audit("action = resources.bulk_delete").await;
    let allowed = entries.iter().filter(|entry| entry["outcome"] == "allowed");
    let targets: BTreeSet<_> = allowed.map(|entry| entry["target"]["id"].to_string()).collect();
    assert_eq!(targets.len(), 3, "an entry for each: {entries:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_succeeds_or_fails_for_itself() {
    let season = season(3).await;
    let kept = id(&disks(&season).await[1]);
    let protect = format!("/api/cloud/resources/{kept}/protect");
    season.owner.post(&protect, json!({ "reason": "the only copy" })).await.is(200);
    let operation = id(&delete(&season, 3).await.expect(202)["operation"]);
    let ended = season.owner.ended(&operation).await;
    assert_eq!(ended["state"], "partially_succeeded", "{ended:#}");
    assert_eq!(ended["error"]["steps"][0]["code"], "resource_protected", "{ended:#}");
    let left: Vec<_> = disks(&season).await.iter().map(id).collect();
    assert_eq!(left, [kept]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_cancelled_with_the_whole() {
    let season = season(2).await;
    season.simulator.fault(json!({ "kind": "hanging", "face": "aws" })).unwrap();
    let operation = id(&delete(&season, 2).await.expect(202)["operation"]);
    // Both have begun.
    let open = async || {
        let found =
            season.owner.get("/api/operations?filter=done%3Dfalse%20AND%20kind%3Dchange_resources").await;
        found.items().len()
    };
    while open().await < 2 {
        tokio::task::yield_now().await;
    }
    season.owner.post_empty(&format!("/api/operations/{operation}/cancel")).await.is(202);
    let ended = season.owner.ended(&operation).await;
    assert_eq!(ended["state"], "cancelled", "{ended:#}");
    season.no_faults();
    while open().await > 0 {
        tokio::task::yield_now().await;
    }
    // The plan of each was not made, so nothing was done.
    assert_eq!(disks(&season).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_together_than_there_are_workers_come_to_an_end() {
    // A whole that held a worker for each part would wait for ever: there are more wholes than workers.
    let season = season(2).await;
    let tag = async |number: usize| {
        let body = json!({ "filter": OURS, "expect_count": 2, "tags": { "round": number.to_string() } });
        id(&season.owner.post("/api/cloud/resources/bulk/tag", body).await.expect(202)["operation"])
    };
    let mut operations = Vec::new();
    for number in 0..40 {
        operations.push(tag(number).await);
    }
    for operation in operations {
        let ended = season.owner.ended(&operation).await;
        assert_eq!(ended["state"], "succeeded", "{ended:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_policy_applies_to_has_the_whole_approved() {
    let season = season(2).await;
    let policy = json!({ "name": "confetti", "filter": "name = \"confetti-1\"", "approver_role": "admin" });
    season.owner.post("/api/approval-policies", policy).await.is(201);
    let asked = delete(&season, 2).await.expect(202);
    assert_eq!(asked["operation"]["state"], "awaiting_approval", "{asked:#}");
    let operation = id(&asked["operation"]);
    season
        .owner
        .post(&format!("/api/operations/{operation}/approve"), json!({}))
        .await
        .is_problem(403, "forbidden");
    let member =
        json!({ "email": "second@members.example", "role": "admin", "password": crate::support::PASSWORD });
    season.owner.post("/api/members", member).await.is(201);
    let second = season.world.login("second@members.example").await;
    second.post(&format!("/api/operations/{operation}/approve"), json!({})).await.is(200);
    assert_eq!(season.owner.ended(&operation).await["state"], "succeeded");
    assert!(disks(&season).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_is_refused() {
    let season = season(0).await;
    let ask = async |filter: &str, expected: u32| {
        let body = json!({ "filter": filter, "expect_count": expected });
        season.owner.post("/api/cloud/resources/bulk/stop", body).await
    };
    for (filter, expected, place) in [
        (" ", 1, "/filter"),
        ("colour = red", 1, "/filter"),
        (OURS, 0, "/expect_count"),
        (OURS, 501, "/expect_count"),
    ] {
        let refused = ask(filter, expected).await;
        refused.is_problem(422, "invalid");
        assert_eq!(refused.pointers(), [place]);
    }
    let networks = season.owner.all("/api/cloud/resources?filter=kind%3Dnetwork").await.len();
    let refused = ask("kind = network", u32::try_from(networks).unwrap()).await;
    refused.is_problem(422, "unsupported_action");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tags_than_a_resource_has_are_refused() {
    // They are written down once for each resource: a small request would become a large one.
    let season = season(1).await;
    let tags = |count: usize| (0..count).map(|n| (format!("key-{n}"), json!("x"))).collect();
    for (tags, place) in [
        (tags(51), "/tags"),
        (serde_json::Map::from_iter([("k".repeat(513), json!("x"))]), "/tags"),
        (serde_json::Map::from_iter([("venue".to_owned(), json!("x".repeat(257)))]), "/tags/venue"),
    ] {
        let body = json!({ "filter": OURS, "expect_count": 1, "tags": tags });
        let refused = season.owner.post("/api/cloud/resources/bulk/tag", body).await;
        refused.is_problem(422, "invalid");
        assert_eq!(refused.pointers(), [place]);
    }
}
