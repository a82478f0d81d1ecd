//! `POST /api/members`

use marquee_types::Role;
use serde_json::{Value, json};

use crate::support::{
    PASSWORD, World,
    canary::{self, Canary},
};

const PATH: &str = "/api/members";

fn body(email: &str, role: &str) -> Value {
    json!({ "email": email, "name": "Ben", "role": role, "password": PASSWORD })
}

#[tokio::test]
async fn a_member_can_log_in_and_is_audited() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let created = cora.owner.post(PATH, body("Ben@Cora.example", "engineer")).await;
    created.is(201);
    assert_eq!(
        (&created.body["email"], &created.body["role"]),
        (&json!("ben@cora.example"), &json!("engineer"))
    );
    assert_eq!(created.headers["location"], format!("{PATH}/{}", created.text("id")));
    let ben = world.login("ben@cora.example").await;
    assert_eq!(ben.get("/api/auth/whoami").await.body["user"]["name"], "Ben");
    let entries = cora.owner.audit(&format!("target = {}", created.text("id"))).await;
    let entry = entries.iter().find(|entry| entry["action"] == "members.create").unwrap();
    assert_eq!((&entry["origin"], &entry["after"]["role"]), (&json!("call"), &json!("engineer")));
    let canaries = [Canary::new("the first password", PASSWORD)];
    canary::assert_unseen(&canaries, "the answer", created.body.to_string());
    canary::assert_unseen(&canaries, "the database", canary::dump(&world.database).await);
}

#[tokio::test]
async fn an_address_has_one_account_in_the_whole_installation() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    cora.owner.post(PATH, body("ben@example.com", "viewer")).await.is(201);
    cora.owner.post(PATH, body("BEN@example.com", "viewer")).await.is_problem(409, "already_exists");
    vera.owner.post(PATH, body("ben@example.com", "viewer")).await.is_problem(409, "already_exists");
    assert_eq!(vera.owner.get(PATH).await.items().len(), 1);
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let cases = [
        (json!({ "email": "x", "role": "viewer", "password": PASSWORD }), "/email"),
        (json!({ "email": "a@b.c", "name": "", "role": "viewer", "password": PASSWORD }), "/name"),
        (json!({ "email": "a@b.c", "role": "king", "password": PASSWORD }), "/role"),
        (json!({ "email": "a@b.c", "role": "viewer", "password": "too short" }), "/password"),
        (json!({ "email": "a@b.c", "role": "viewer" }), "/password"),
    ];
    for (body, pointer) in cases {
        let answer = cora.owner.post(PATH, body.clone()).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.pointers(), [pointer]);
    }
}

#[tokio::test]
async fn admins_make_admins_and_only_owners_make_owners() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let admin = world.member(&cora, Role::Admin).await;
    admin.post(PATH, body("one@example.com", "admin")).await.is(201);
    admin.post(PATH, body("two@example.com", "owner")).await.is_problem(403, "forbidden");
    cora.owner.post(PATH, body("two@example.com", "owner")).await.is(201);
    let manager = world.member(&cora, Role::Manager).await;
    manager.post(PATH, body("three@example.com", "viewer")).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn validate_only_makes_nobody() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let path = format!("{PATH}?validate_only=true");
    cora.owner.post(&path, body("ben@example.com", "viewer")).await.is(201);
    assert_eq!(cora.owner.get(PATH).await.items().len(), 1);
    cora.owner.post(&path, body("owner@cora.example", "viewer")).await.is_problem(409, "already_exists");
}
