//! `DELETE /api/members/{id}`

use marquee_types::Role;
use serde_json::json;

use crate::support::{PASSWORD, World};

#[tokio::test]
async fn sessions_and_keys_go_with_the_member_and_the_address_is_free_again() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let body = json!({ "email": "ben@cora.example", "role": "admin", "password": PASSWORD });
    let id = cora.owner.post("/api/members", body.clone()).await.is(201).text("id");
    let ben = world.login("ben@cora.example").await;
    let key = json!({
        "name": "ben's",
        "scopes": ["members.read"],
        "expires_at": world.app.clock.now() + chrono::TimeDelta::days(1),
    });
    let key = world.client.with_token(&ben.post("/api/api-keys", key.clone()).await.is(201).text("secret"));
    key.get("/api/members").await.is(200);

    cora.owner.delete(&format!("/api/members/{id}")).await.is(204);
    ben.get("/api/auth/whoami").await.is_problem(401, "unauthenticated");
    key.get("/api/members").await.is_problem(401, "unauthenticated");
    assert_eq!(cora.owner.get("/api/api-keys").await.items().len(), 0);
    let login = json!({ "email": "ben@cora.example", "password": PASSWORD });
    world.client.anonymous().post("/api/auth/login", login.clone()).await.is_problem(401, "unauthenticated");
    let gone = cora.owner.audit("action = members.delete AND outcome = allowed").await;
    assert_eq!((&gone[0]["target"]["id"], &gone[0]["before"]["role"]), (&json!(id), &json!("admin")));
    let rows = cora.owner.audit("action = rows.delete").await;
    let kinds: Vec<_> = rows.iter().map(|row| row["target"]["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"api_key"), "the cascade is in the log: {kinds:?}");
    cora.owner.post("/api/members", body.clone()).await.is(201);
}

#[tokio::test]
async fn whoever_belongs_elsewhere_keeps_their_account() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let ben = world.member(&cora, Role::Viewer).await;
    let admin = world.database.superuser().await;
    let join = "INSERT INTO memberships (organization_id, user_id, role, created_at) VALUES ($1, $2, 'viewer', now())";
    admin.execute(join, &[&vera.id.uuid(), &ben.user.unwrap().uuid()]).await.unwrap();
    cora.owner.delete(&format!("/api/members/{}", ben.user.unwrap())).await.is(204);
    ben.get("/api/auth/whoami").await.is_problem(401, "unauthenticated");
    vera.owner.get(&format!("/api/members/{}", ben.user.unwrap())).await.is(200);
}

#[tokio::test]
async fn the_last_owner_and_other_peoples_members_stay() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let admin = world.member(&cora, Role::Admin).await;
    let owner = format!("/api/members/{}", cora.owner.user.unwrap());
    cora.owner.delete(&owner).await.is_problem(409, "last_owner");
    admin.delete(&owner).await.is_problem(403, "forbidden");
    vera.owner.delete(&owner).await.is_problem(404, "not_found");
    cora.owner.delete(&format!("{owner}?validate_only=true")).await.is_problem(409, "last_owner");
    let engineer = world.member(&cora, Role::Engineer).await;
    engineer.delete(&format!("/api/members/{}", admin.user.unwrap())).await.is_problem(403, "forbidden");
    admin.get("/api/auth/whoami").await.is(200);
}
