//! `POST /api/api-keys`

use chrono::TimeDelta;
use marquee_types::Role;
use serde_json::{Value, json};

use crate::support::{
    World,
    canary::{self, Canary},
};

const PATH: &str = "/api/api-keys";

fn body(world: &World, scopes: &[&str], days: i64) -> Value {
    json!({ "name": "export", "scopes": scopes, "expires_at": world.app.clock.now() + TimeDelta::days(days) })
}

#[tokio::test]
async fn the_secret_is_shown_once_and_works() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let request = body(&world, &["members.read"], 365);
    let create = || cora.owner.request("POST", PATH).header("idempotency-key", "k1").json(&request);
    let created = cora.owner.send(create()).await;
    let secret = created.is(201).text("secret");
    assert!(
        secret.starts_with(&format!("mq_{}_", created.text("id").trim_start_matches("key_"))),
        "{secret}"
    );
    world.client.with_token(&secret).get("/api/members").await.is(200);

    let replayed = cora.owner.send(create()).await;
    assert_eq!(replayed.is(201).body["id"], created.body["id"]);
    assert!(replayed.body.get("secret").is_none());
    let shown = cora.owner.get(&format!("{PATH}/{}", created.text("id"))).await;
    let canaries = [Canary::new("the key", &secret), Canary::new("its secret part", &secret[36..])];
    canary::assert_unseen(&canaries, "the key as shown", shown.is(200).body.to_string());
    canary::assert_unseen(&canaries, "the database", canary::dump(&world.database).await);

    let filter = format!("target = {}", created.text("id"));
    let entries = cora.owner.audit(&filter).await;
    let [entry] = entries.as_slice() else { panic!("one entry a change: {entries:#?}") };
    assert_eq!(entry["action"], "api_keys.create");
    assert_eq!(
        (&entry["after"]["secret_hash"], &entry["after"]["name"]),
        (&json!("(masked)"), &json!("export"))
    );
}

#[tokio::test]
async fn a_key_gets_no_more_than_its_maker_has_and_never_manages_people() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let admin = world.member(&cora, Role::Admin).await;
    let answer =
        admin.post(PATH, body(&world, &["providers.read", "owners.manage", "members.manage"], 1)).await;
    answer.is_problem(422, "invalid");
    assert_eq!(answer.pointers(), ["/scopes/1", "/scopes/2"]);
    let answer = cora.owner.post(PATH, body(&world, &["api_keys.manage"], 1)).await;
    assert_eq!(answer.pointers(), ["/scopes/0"]);
    let key = world.api_key(&cora, &["audit.read", "api_keys.read", "members.read"]).await;
    key.post(PATH, body(&world, &["audit.read"], 1)).await.is_problem(403, "forbidden");
    let member = json!({ "email": "a@b.example", "role": "viewer", "password": "correct horse battery" });
    key.post("/api/members", member.clone()).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_expires_within_a_year() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    for days in [-1, 0, 367, 10_000] {
        let answer = cora.owner.post(PATH, body(&world, &["members.read"], days)).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.pointers(), ["/expires_at"], "{days} days");
    }
    let missing = json!({ "name": "export", "scopes": ["members.read"] });
    assert_eq!(cora.owner.post(PATH, missing.clone()).await.pointers(), ["/expires_at"]);
    let unknown = cora.owner.post(PATH, body(&world, &["members.eat"], 1)).await;
    assert_eq!(unknown.pointers(), ["/scopes/0"]);
    assert_eq!(cora.owner.post(PATH, body(&world, &[], 1)).await.pointers(), ["/scopes"]);
}

#[tokio::test]
async fn names_are_unique_within_the_organization() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let request = body(&world, &["members.read"], 1);
    cora.owner.post(PATH, request.clone()).await.is(201);
    cora.owner.post(PATH, request.clone()).await.is_problem(409, "already_exists");
    vera.owner.post(PATH, request.clone()).await.is(201);
}

#[tokio::test]
async fn managers_may_not() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let manager = world.member(&cora, Role::Manager).await;
    manager.post(PATH, body(&world, &["members.read"], 1)).await.is_problem(403, "forbidden");
    assert_eq!(cora.owner.audit("action = api_keys.create AND outcome = refused").await.len(), 1);
}
