//! `/api/sessions`

use chrono::TimeDelta;
use marquee_types::{Role, SessionId};

use crate::support::World;

#[tokio::test]
async fn one_sees_ones_own_and_which_is_this() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    world.login("owner@cora.example").await;
    let viewer = world.member(&cora, Role::Viewer).await;
    let answer = cora.owner.get("/api/sessions").await;
    let sessions = answer.is(200).items();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    assert_eq!(viewer.get("/api/sessions").await.items().len(), 1);
    assert_eq!(cora.owner.get("/api/sessions?everyone=true").await.items().len(), 3);
    viewer.get("/api/sessions?everyone=true").await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn no_tag_was_ever_given_so_none_matches() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let viewer = world.member(&cora, Role::Viewer).await;
    let session = viewer.get("/api/sessions").await.items()[0]["id"].as_str().unwrap().to_owned();
    let delete =
        |tag| cora.owner.request("DELETE", &format!("/api/sessions/{session}")).header("if-match", tag);
    cora.owner.send(delete("\"1\"")).await.is_problem(412, "stale");
    viewer.get("/api/auth/whoami").await.is(200);
    cora.owner.send(delete("*")).await.is(204);
}

#[tokio::test]
async fn ended_sessions_are_not_listed() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    world.app.clock.advance(TimeDelta::hours(13));
    let again = world.login("owner@cora.example").await;
    assert_eq!(again.get("/api/sessions").await.is(200).items().len(), 1);
    cora.owner.get("/api/sessions").await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn members_end_their_own_and_admins_end_anybodys() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let (ben, ann) = (world.member(&cora, Role::Viewer).await, world.member(&cora, Role::Viewer).await);
    let session = ann.get("/api/sessions").await.items()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/sessions/{session}");
    ben.delete(&path).await.is_problem(404, "not_found");
    vera.owner.delete(&path).await.is_problem(404, "not_found");
    ann.get("/api/auth/whoami").await.is(200);
    cora.owner.delete(&path).await.is(204);
    ann.get("/api/auth/whoami").await.is_problem(401, "unauthenticated");
    cora.owner.delete(&path).await.is_problem(404, "not_found");
    cora.owner.delete(&format!("/api/sessions/{}", SessionId::new())).await.is_problem(404, "not_found");
    let entries = cora.owner.audit(&format!("target = {session} AND action = sessions.revoke")).await;
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["refused", "allowed", "refused"], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_over_is_removed() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    world.api_key(&cora, &["members.read"]).await;
    let superuser = world.database.superuser().await;
    let count = async |table: &str| -> i64 {
        superuser.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
    };
    world.app.clock.advance(TimeDelta::days(45));
    let again = world.login("owner@cora.example").await;
    world.app.nudge("identity_clean_up");
    // The key expired a fortnight ago and is still shown; the sessions of then are gone.
    while count("sessions").await > 1 {}
    assert_eq!(count("api_keys").await, 1);
    again.get("/api/auth/whoami").await.is(200);

    world.app.clock.advance(TimeDelta::days(20));
    world.app.nudge("identity_clean_up");
    while count("api_keys").await > 0 {}
}
