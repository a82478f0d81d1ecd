//! `POST /api/auth/login`

use serde_json::{Value, json};

use crate::support::{
    PASSWORD, World,
    canary::{self, Canary},
};

fn body(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

#[tokio::test]
async fn the_right_password_opens_a_session() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let answer =
        world.client.anonymous().post("/api/auth/login", body(" Owner@Cora.example ", PASSWORD)).await;
    answer.is(200);
    assert_eq!(answer.body["organization"]["id"], cora.id.to_string());
    assert_eq!(answer.body["role"], "owner");
    assert!(answer.text("token").starts_with("mqs_"));
    let me = world.client.with_token(&answer.text("token")).get("/api/auth/whoami").await;
    assert_eq!(me.is(200).body["session_id"], answer.body["session_id"]);

    let filter = format!("action = auth.login AND target = {}", answer.text("session_id"));
    let entries = cora.owner.audit(&filter).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["outcome"], "allowed");
    assert_eq!(entries[0]["actor"], format!("user:{}", answer.text("user_id")));
    assert_eq!(entries[0]["address"], "127.0.0.1");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let wrong = world
        .client
        .anonymous()
        .post("/api/auth/login", body("owner@cora.example", "wrong horse battery"))
        .await;
    let unknown =
        world.client.anonymous().post("/api/auth/login", body("nobody@cora.example", PASSWORD)).await;
    wrong.is_problem(401, "unauthenticated");
    unknown.is_problem(401, "unauthenticated");
    assert_eq!(wrong.body["detail"], unknown.body["detail"]);

    let refused = cora.owner.audit("action = auth.login AND outcome = refused").await;
    assert_eq!(refused.len(), 1, "the wrong password is in the log of the organization");
    assert_eq!(refused[0]["actor"], "anonymous");
    assert_eq!(refused[0]["target"]["id"], cora.owner.user.unwrap().to_string());
    let events = world.database.superuser().await;
    let row = events.query_one("SELECT kind, subject FROM security_events", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "login.unknown");
    assert!(!row.get::<_, &str>(1).contains('@'), "the address itself is not kept");
}

#[tokio::test]
async fn five_wrong_passwords_slow_one_address_down_and_nobody_else() {
    let world = World::still().await;
    world.tenant("cora").await;
    let wrong = body("owner@cora.example", "wrong horse battery");
    let attacker = world.stranger_from([127, 0, 0, 66]);
    for _ in 0..5 {
        attacker.post("/api/auth/login", wrong.clone()).await.is_problem(401, "unauthenticated");
    }
    let limited = attacker.post("/api/auth/login", wrong.clone()).await;
    limited.is_problem(429, "rate_limited");
    assert_eq!(limited.headers["retry-after"], "30");
    world.client.anonymous().post("/api/auth/login", body("owner@cora.example", PASSWORD)).await.is(200);
    world.app.clock.advance(chrono::TimeDelta::seconds(31));
    attacker.post("/api/auth/login", body("owner@cora.example", PASSWORD)).await.is(200);
}

#[tokio::test]
async fn a_member_of_two_organizations_says_which() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let admin = world.database.superuser().await;
    let user = vera.owner.user.unwrap();
    let join = "INSERT INTO memberships (organization_id, user_id, role, created_at) VALUES ($1, $2, 'viewer', now())";
    admin.execute(join, &[&cora.id.uuid(), &user.uuid()]).await.unwrap();

    let mut request = body("owner@vera.example", PASSWORD);
    let answer = world.client.anonymous().post("/api/auth/login", request.clone()).await;
    answer.is_problem(409, "choose_organization");
    let detail = answer.text("detail");
    assert!(detail.contains(&cora.id.to_string()) && detail.contains("(vera)"), "{detail}");

    for (wanted, role) in [(cora.id.to_string(), "viewer"), ("vera".to_owned(), "owner")] {
        request["organization"] = wanted.into();
        let answer = world.client.anonymous().post("/api/auth/login", request.clone()).await;
        assert_eq!(answer.is(200).body["role"], role);
    }
    request["organization"] = "elsewhere".into();
    let answer = world.client.anonymous().post("/api/auth/login", request.clone()).await;
    answer.is_problem(422, "invalid");
    assert_eq!(answer.pointers(), ["/organization"]);
}

#[tokio::test]
async fn bad_bodies_are_named_and_never_repeat_the_password() {
    let world = World::still().await;
    let (secret, canary) = Canary::plant("the password sent");
    let cases = [
        (json!({ "email": "not an address", "password": secret }), "/email"),
        (json!({ "email": "a@b.example", "password": secret, "colour": "red" }), "/colour"),
        (json!({ "password": secret }), "/email"),
        (json!({ "email": "a@b.example", "password": [secret] }), "/password"),
    ];
    for (body, pointer) in cases {
        let answer = world.client.anonymous().post("/api/auth/login", body.clone()).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.pointers(), [pointer]);
        canary::assert_unseen(std::slice::from_ref(&canary), "the answer", answer.body.to_string());
    }
    let plain = world.client.post_empty("/api/auth/login").await;
    plain.is_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn neither_password_nor_token_is_kept_anywhere() {
    let world = World::still().await;
    world.tenant("cora").await;
    let answer = world.client.anonymous().post("/api/auth/login", body("owner@cora.example", PASSWORD)).await;
    let (wrong, wrong_canary) = Canary::plant("a mistyped password");
    world.client.anonymous().post("/api/auth/login", body("owner@cora.example", &wrong)).await.is(401);
    let canaries = [
        Canary::new("the password", PASSWORD),
        Canary::new("the token", &answer.text("token")),
        wrong_canary,
    ];
    canary::assert_unseen(&canaries, "the database", canary::dump(&world.database).await);
}
