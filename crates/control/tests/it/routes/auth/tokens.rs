//! Which tokens are believed, and for how long: `Authorization: Bearer` on any route.

use chrono::TimeDelta;
use marquee_control::domains::identity;
use marquee_types::Role;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::World;

const WHOAMI: &str = "/api/auth/whoami";

#[tokio::test]
async fn nothing_but_a_token_of_ours_is_believed() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    world.client.anonymous().get(WHOAMI).await.is_problem(401, "unauthenticated");
    let real = cora.owner.token.clone().unwrap();
    let mut other = real.clone().into_bytes();
    let last = other.len() - 2;
    other[last] = if other[last] == b'A' { b'B' } else { b'A' };
    let other = String::from_utf8(other).unwrap();
    let long = "x".repeat(5000);
    for token in ["", "x", "mqs_", "null", other.as_str(), &real[1..], long.as_str(), &format!("{real}=")] {
        world.client.with_token(token).get(WHOAMI).await.is_problem(401, "unauthenticated");
    }
    let basic = world.client.request("GET", WHOAMI).header("authorization", "Basic b3duZXI6eA==");
    world.client.send(basic).await.is_problem(401, "unauthenticated");
    world.client.with_token(&real).get(WHOAMI).await.is(200);
}

#[tokio::test]
async fn a_session_ends_by_idleness() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    world.app.clock.advance(TimeDelta::hours(11));
    cora.owner.get(WHOAMI).await.is(200);
    world.app.identity.credentials().write_last_used().await.unwrap();
    world.app.clock.advance(TimeDelta::hours(11));
    cora.owner.get(WHOAMI).await.is(200);
    world.app.clock.advance(TimeDelta::hours(12));
    cora.owner.get(WHOAMI).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_session_ends_after_a_week_however_much_it_is_used() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    for _ in 0..20 {
        world.app.clock.advance(TimeDelta::hours(8));
        cora.owner.get(WHOAMI).await.is(200);
        world.app.identity.credentials().write_last_used().await.unwrap();
    }
    world.app.clock.advance(TimeDelta::hours(8));
    cora.owner.get(WHOAMI).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_key_ends_at_its_expiry_to_the_second() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let key = world.api_key(&cora, &["providers.read"]).await;
    key.get(WHOAMI).await.is(200);
    world.app.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    key.get(WHOAMI).await.is(200);
    world.app.clock.advance(TimeDelta::seconds(1));
    key.get(WHOAMI).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn another_process_forgets_a_revoked_token_in_seconds_even_if_it_is_never_told() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    // This process does not listen for notices at all.
    let deaf = world.second_process().await;
    let token = cora.owner.token.clone().unwrap();
    assert!(deaf.identity.credentials().recognize(&token).await.is_ok());
    cora.owner.post_empty("/api/auth/logout").await.is(204);
    assert!(
        deaf.identity.credentials().recognize(&token).await.is_ok(),
        "it still believes what it remembers"
    );
    world.app.clock.advance(TimeDelta::seconds(5));
    assert!(deaf.identity.credentials().recognize(&token).await.is_err());
    deaf.db.close().await;
}

#[tokio::test]
async fn another_process_that_listens_forgets_at_once() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let listening = world.second_process().await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let credentials = listening.identity.credentials().clone();
    tasks.spawn(identity::tend_credentials(credentials.clone(), stop.clone()));
    let token = cora.owner.token.clone().unwrap();
    assert!(credentials.recognize(&token).await.is_ok());
    cora.owner.post_empty("/api/auth/logout").await.is(204);
    // The clock stands still, so only the notice can end it.
    let heard = async {
        while credentials.recognize(&token).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), heard).await.expect("the notice arrives");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    listening.db.close().await;
}

#[tokio::test]
async fn a_remembered_token_costs_no_query() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let credentials = world.app.identity.credentials();
    credentials.recognize(cora.owner.token.as_deref().unwrap()).await.unwrap();
    // With the database closed, only what is remembered can be answered.
    world.app.db.close().await;
    for _ in 0..1000 {
        credentials.recognize(cora.owner.token.as_deref().unwrap()).await.unwrap();
    }
    world.app.clock.advance(TimeDelta::seconds(5));
    let stranger = credentials.recognize(cora.owner.token.as_deref().unwrap()).await.unwrap_err();
    assert!(matches!(stranger, identity::Stranger::Unasked(_)), "{stranger:?}");
}

#[tokio::test]
async fn a_changed_role_takes_effect_at_once() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let admin = world.member(&cora, Role::Admin).await;
    admin.get("/api/audit").await.is(200);
    let path = format!("/api/members/{}", admin.user.unwrap());
    cora.owner.patch(&path, json!({ "role": "viewer" })).await.is(200);
    admin.get("/api/audit").await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_of_another_organization_sees_only_its_own() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let key = world.api_key(&cora, &["members.read"]).await;
    let answer = key.get("/api/members").await;
    let members = answer.is(200).items();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["id"], cora.owner.user.unwrap().to_string());
    let path = format!("/api/members/{}", vera.owner.user.unwrap());
    key.get(&path).await.is_problem(404, "not_found");
}
