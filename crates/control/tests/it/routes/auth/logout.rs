//! `POST /api/auth/logout`

use crate::support::World;

#[tokio::test]
async fn the_session_ends_at_once_and_no_other() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let other = world.login("owner@cora.example").await;
    cora.owner.post_empty("/api/auth/logout").await.is(204);
    cora.owner.get("/api/auth/whoami").await.is_problem(401, "unauthenticated");
    other.get("/api/auth/whoami").await.is(200);
    let entries = other.audit("action = auth.logout").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["target"]["kind"], "session");
}

#[tokio::test]
async fn an_api_key_cannot_log_out() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let key = world.api_key(&cora, &["providers.read"]).await;
    key.post_empty("/api/auth/logout").await.is_problem(403, "forbidden");
    key.get("/api/auth/whoami").await.is(200);
}
