//! `GET /api/api-keys`

use chrono::TimeDelta;
use marquee_types::Role;

use crate::support::World;

#[tokio::test]
async fn last_use_is_written_in_bulk_and_shown() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let (used, _unused) =
        (world.api_key(&cora, &["members.read"]).await, world.api_key(&cora, &["members.read"]).await);
    world.app.clock.advance(TimeDelta::minutes(10));
    used.get("/api/members").await.is(200);
    let written = world.app.identity.credentials().write_last_used().await.unwrap();
    assert_eq!(written, 1, "the key alone: the owner was last seen when logging in, and that is known");
    let answer = world.member(&cora, Role::Viewer).await.get("/api/api-keys").await;
    let keys = answer.is(200).items();
    assert_eq!(keys[0]["last_used_at"], serde_json::json!(world.app.clock.now()));
    assert!(keys[1].get("last_used_at").is_none());
    let rows = cora.owner.audit("action = rows.update").await;
    assert!(rows.is_empty(), "use is not a change: {rows:?}");
}
