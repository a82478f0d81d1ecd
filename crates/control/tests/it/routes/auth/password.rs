//! `POST /api/auth/password`

use marquee_types::Role;
use serde_json::{Value, json};

use crate::support::{
    PASSWORD, World,
    canary::{self, Canary},
};

const PATH: &str = "/api/auth/password";

fn body(current: &str, new: &str) -> Value {
    json!({ "current_password": current, "new_password": new })
}

#[tokio::test]
async fn the_new_password_replaces_the_old_and_ends_other_sessions_everywhere() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let admin = world.database.superuser().await;
    let join = "INSERT INTO memberships (organization_id, user_id, role, created_at) VALUES ($1, $2, 'viewer', now())";
    admin.execute(join, &[&vera.id.uuid(), &cora.owner.user.unwrap().uuid()]).await.unwrap();
    let login = json!({ "email": "owner@cora.example", "password": PASSWORD, "organization": "vera" });
    let elsewhere =
        world.client.anonymous().post("/api/auth/login", login.clone()).await.is(200).text("token");
    world.client.with_token(&elsewhere).get("/api/auth/whoami").await.is(200);

    cora.owner.post(PATH, body(PASSWORD, "staple horse correct")).await.is(204);
    cora.owner.get("/api/auth/whoami").await.is(200);
    world.client.with_token(&elsewhere).get("/api/auth/whoami").await.is_problem(401, "unauthenticated");
    world.client.anonymous().post("/api/auth/login", login.clone()).await.is_problem(401, "unauthenticated");
    vera.owner.get("/api/auth/whoami").await.is(200);

    for log in [&cora.owner, &vera.owner] {
        let rows = log.audit("action = rows.update AND target:*").await;
        let row =
            rows.iter().find(|row| row["target"]["kind"] == "user").expect("both organizations are told");
        assert_eq!(row["after"]["password_hash"], "(masked)");
    }
    let canaries = [Canary::new("the new password", "staple horse correct")];
    canary::assert_unseen(&canaries, "the database", canary::dump(&world.database).await);
}

#[tokio::test]
async fn the_present_password_must_be_right_and_the_new_one_long() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let wrong = cora.owner.post(PATH, body("wrong horse battery", "staple horse correct")).await;
    wrong.is_problem(422, "invalid");
    assert_eq!(wrong.pointers(), ["/current_password"]);
    let short = cora.owner.post(PATH, body(PASSWORD, "short")).await;
    assert_eq!(short.pointers(), ["/new_password"]);
    world.login("owner@cora.example").await;
    let refused = cora.owner.audit("action = auth.change_password AND outcome = refused").await;
    assert_eq!(refused.len(), 2);
}

#[tokio::test]
async fn a_viewer_may_and_an_api_key_may_not() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let viewer = world.member(&cora, Role::Viewer).await;
    viewer.post(PATH, body(PASSWORD, "staple horse correct")).await.is(204);
    let key = world.api_key(&cora, &["providers.read"]).await;
    key.post(PATH, body(PASSWORD, "staple horse correct")).await.is_problem(403, "forbidden");
}
