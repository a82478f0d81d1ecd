//! `PATCH /api/members/{id}`

use marquee_types::{Role, UserId};
use serde_json::{Value, json};

use crate::support::{Client, World};

fn path(member: &Client) -> String {
    format!("/api/members/{}", member.user.unwrap())
}

fn role(role: &str) -> Value {
    json!({ "role": role })
}

#[tokio::test]
async fn a_role_changes_once_per_version() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let ben = world.member(&cora, Role::Viewer).await;
    let tag = cora.owner.get(&path(&ben)).await.headers["etag"].to_str().unwrap().to_owned();
    let patch =
        |wanted: &str| cora.owner.request("PATCH", &path(&ben)).header("if-match", &tag).json(&role(wanted));
    let changed = cora.owner.send(patch("manager")).await;
    assert_eq!(changed.is(200).body["role"], "manager");
    let again = cora.owner.send(patch("admin")).await;
    again.is_problem(412, "stale");
    let rows = cora
        .owner
        .audit(&format!("action = members.update AND target = {} AND outcome = allowed", ben.user.unwrap()))
        .await;
    let [entry] = rows.as_slice() else { panic!("one entry a change: {rows:#?}") };
    assert_eq!((&entry["before"], &entry["after"]), (&role("viewer"), &role("manager")));
}

#[tokio::test]
async fn admins_leave_owners_alone() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let (admin, ben) = (world.member(&cora, Role::Admin).await, world.member(&cora, Role::Viewer).await);
    admin.patch(&path(&cora.owner), role("viewer")).await.is_problem(403, "forbidden");
    admin.patch(&path(&ben), role("owner")).await.is_problem(403, "forbidden");
    admin.patch(&path(&ben), role("admin")).await.is(200);
    cora.owner.patch(&path(&ben), role("owner")).await.is(200);
    cora.owner.patch(&path(&ben), role("viewer")).await.is(200);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    cora.owner.patch(&path(&cora.owner), role("admin")).await.is_problem(409, "last_owner");
    let second = world.member(&cora, Role::Owner).await;
    cora.owner.patch(&path(&cora.owner), role("admin")).await.is(200);
    second.patch(&path(&second), role("admin")).await.is_problem(409, "last_owner");
}

#[tokio::test]
async fn two_owners_who_demote_each_other_at_once_do_not_both_succeed() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let second = world.member(&cora, Role::Owner).await;
    for _ in 0..5 {
        let (to_second, to_first) = (path(&second), path(&cora.owner));
        let body = role("admin");
        let (one, two) =
            tokio::join!(cora.owner.patch(&to_second, body.clone()), second.patch(&to_first, body.clone()));
        let succeeded = [&one, &two].iter().filter(|answer| answer.status == 200).count();
        assert_eq!(succeeded, 1, "{one:?} {two:?}");
        let winner = if one.status == 200 { &cora.owner } else { &second };
        let loser = if one.status == 200 { &to_second } else { &to_first };
        winner.patch(loser, role("owner")).await.is(200);
    }
}

#[tokio::test]
async fn nobody_outside_is_found() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    cora.owner.patch(&path(&vera.owner), role("viewer")).await.is_problem(404, "not_found");
    let unknown = format!("/api/members/{}", UserId::new());
    cora.owner.patch(&unknown, role("viewer")).await.is_problem(404, "not_found");
    assert_eq!(vera.owner.get("/api/auth/whoami").await.body["role"], "owner");
}

#[tokio::test]
async fn a_demoted_creators_keys_lose_what_the_creator_lost() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let admin = world.member(&cora, Role::Admin).await;
    let body = json!({
        "name": "export",
        "scopes": ["audit.read", "members.read"],
        "expires_at": world.app.clock.now() + chrono::TimeDelta::days(1),
    });
    let key =
        world.client.with_token(&admin.post("/api/api-keys", body.clone()).await.is(201).text("secret"));
    key.get("/api/audit").await.is(200);
    cora.owner.patch(&path(&admin), role("viewer")).await.is(200);
    key.get("/api/audit").await.is_problem(403, "forbidden");
    key.get("/api/members").await.is(200);
}
