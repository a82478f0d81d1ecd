//! `DELETE /api/api-keys/{id}`

use marquee_types::{ApiKeyId, Role};

use crate::support::World;

#[tokio::test]
async fn a_revoked_key_stops_at_once() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let key = world.api_key(&cora, &["members.read"]).await;
    key.get("/api/members").await.is(200);
    let id = cora.owner.get("/api/api-keys").await.items()[0]["id"].as_str().unwrap().to_owned();
    cora.owner.delete(&format!("/api/api-keys/{id}")).await.is(204);
    key.get("/api/members").await.is_problem(401, "unauthenticated");
    cora.owner.delete(&format!("/api/api-keys/{id}")).await.is_problem(404, "not_found");
    let entries =
        cora.owner.audit(&format!("target = {id} AND action = api_keys.delete AND outcome = allowed")).await;
    assert_eq!(entries.len(), 1);
}

#[tokio::test]
async fn no_tag_was_ever_given_so_none_matches() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let key = world.api_key(&cora, &["members.read"]).await;
    let id = cora.owner.get("/api/api-keys").await.items()[0]["id"].as_str().unwrap().to_owned();
    let delete = |tag| cora.owner.request("DELETE", &format!("/api/api-keys/{id}")).header("if-match", tag);
    cora.owner.send(delete("\"1\"")).await.is_problem(412, "stale");
    key.get("/api/members").await.is(200);
    cora.owner.send(delete("*")).await.is(204);
}

#[tokio::test]
async fn another_organizations_key_is_not_there() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let key = world.api_key(&cora, &["members.read"]).await;
    let id = cora.owner.get("/api/api-keys").await.items()[0]["id"].as_str().unwrap().to_owned();
    vera.owner.delete(&format!("/api/api-keys/{id}")).await.is_problem(404, "not_found");
    vera.owner.get(&format!("/api/api-keys/{id}")).await.is_problem(404, "not_found");
    key.get("/api/members").await.is(200);
    cora.owner.delete(&format!("/api/api-keys/{}", ApiKeyId::new())).await.is_problem(404, "not_found");
    let viewer = world.member(&cora, Role::Viewer).await;
    viewer.delete(&format!("/api/api-keys/{id}")).await.is_problem(403, "forbidden");
    cora.owner.delete(&format!("/api/api-keys/{id}?validate_only=true")).await.is(204);
    key.get("/api/members").await.is(200);
}
