//! `GET` and `PATCH /api/organizations/current`

use marquee_types::Role;
use serde_json::json;

use crate::support::World;

const PATH: &str = "/api/organizations/current";

#[tokio::test]
async fn a_new_name_is_shown_and_audited_with_both_names() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let before = cora.owner.get(PATH).await;
    assert_eq!(before.is(200).body["name"], "cora");
    let changed = cora.owner.patch(PATH, json!({ "name": "  Villa Cora " })).await;
    assert_eq!(changed.is(200).body["name"], "Villa Cora");
    let after = cora.owner.get(PATH).await;
    assert_eq!(after.body["name"], "Villa Cora");
    assert_ne!(before.headers["etag"], after.headers["etag"]);
    assert_eq!(changed.headers["etag"], after.headers["etag"]);

    let request = changed.headers["x-request-id"].to_str().unwrap();
    let entries = cora.owner.audit(&format!("request_id = {request}")).await;
    let [entry] = entries.as_slice() else { panic!("one entry a change: {entries:#?}") };
    assert_eq!((&entry["origin"], &entry["action"]), (&json!("call"), &json!("organizations.update")));
    assert_eq!(
        (&entry["before"], &entry["after"]),
        (&json!({ "name": "cora" }), &json!({ "name": "Villa Cora" }))
    );
    assert_eq!(entry["actor"], format!("user:{}", cora.owner.user.unwrap()));
    assert_eq!(entry["address"], "127.0.0.1");
}

#[tokio::test]
async fn a_change_to_what_it_was_is_audited_all_the_same() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let changed = cora.owner.patch(PATH, json!({ "name": "cora" })).await;
    let request = changed.is(200).headers["x-request-id"].to_str().unwrap();
    let entries = cora.owner.audit(&format!("request_id = {request}")).await;
    let [entry] = entries.as_slice() else { panic!("one entry a change: {entries:#?}") };
    assert_eq!((&entry["action"], &entry["after"]), (&json!("organizations.update"), &json!(null)));
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let first = cora.owner.get(PATH).await.headers["etag"].to_str().unwrap().to_owned();
    let patch = |name: &str| {
        cora.owner.request("PATCH", PATH).header("if-match", &first).json(&json!({ "name": name }))
    };
    cora.owner.send(patch("Villa")).await.is(200);
    cora.owner.send(patch("Other")).await.is_problem(412, "stale");
    assert_eq!(cora.owner.get(PATH).await.body["name"], "Villa");
}

#[tokio::test]
async fn validate_only_changes_nothing() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let path = format!("{PATH}?validate_only=true");
    assert_eq!(cora.owner.patch(&path, json!({ "name": "Villa" })).await.is(200).body["name"], "Villa");
    assert_eq!(cora.owner.get(PATH).await.body["name"], "cora");
    cora.owner.patch(&path, json!({ "name": "" })).await.is_problem(422, "invalid");
}

#[tokio::test]
async fn engineers_read_and_may_not_rename() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let engineer = world.member(&cora, Role::Engineer).await;
    engineer.get(PATH).await.is(200);
    engineer.patch(PATH, json!({ "name": "x" })).await.is_problem(403, "forbidden");
    let refused = cora.owner.audit("action = organizations.update").await;
    assert_eq!(refused.len(), 1);
    assert_eq!((&refused[0]["outcome"], &refused[0]["reason"]), (&json!("refused"), &json!("forbidden")));
    assert_eq!(refused[0]["actor"], format!("user:{}", engineer.user.unwrap()));
}
