//! `GET /api/auth/whoami`

use marquee_types::Role;

use crate::support::World;

#[tokio::test]
async fn everybody_learns_who_they_are_and_what_they_may() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let viewer = world.member(&cora, Role::Viewer).await;
    let me = viewer.get("/api/auth/whoami").await;
    assert_eq!(me.is(200).body["role"], "viewer");
    assert_eq!(me.body["user"]["id"], viewer.user.unwrap().to_string());
    let permissions = me.body["permissions"].as_array().unwrap();
    assert!(permissions.contains(&"providers.read".into()) && !permissions.contains(&"audit.read".into()));
}

#[tokio::test]
async fn a_key_is_its_creators_and_has_only_its_scopes() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let key = world.api_key(&cora, &["providers.read", "audit.read"]).await;
    let me = key.get("/api/auth/whoami").await;
    assert_eq!(me.is(200).body["user"]["id"], cora.owner.user.unwrap().to_string());
    assert_eq!(me.body["permissions"], serde_json::json!(["providers.read", "audit.read"]));
    assert!(me.body.get("session_id").is_none() && me.body["api_key_id"].is_string());
}
