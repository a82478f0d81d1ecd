//! Rate limits, and a database that goes away.

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let world = World::with(marquee_types::Clock::system(), |settings| {
        settings.reads_per_minute = 5.try_into().ok();
    })
    .await;
    let tenant = world.staffed_tenant("orangery").await;
    for _ in 0..5 {
        tenant.owner.get("/api/cloud/providers").await.expect(200);
    }
    let answer = tenant.owner.get("/api/cloud/providers").await;
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(answer.problem(429), "rate_limited");
    // Others of the organization have limits of their own, and other organizations anyway.
    let viewer = &tenant.members[&marquee_types::Role::Viewer];
    viewer.get("/api/cloud/providers").await.expect(200);
    world.tenant("lakeside").await.owner.get("/api/cloud/providers").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_ins_are_limited_by_address() {
    let world = World::with(marquee_types::Clock::system(), |settings| {
        settings.logins_per_minute = 3.try_into().ok();
    })
    .await;
    let login = json!({ "email": "nobody@example.com", "password": "not the password at all" });
    for _ in 0..3 {
        assert_eq!(world.client.post("/api/auth/login", login.clone()).await.problem(401), "unauthenticated");
    }
    assert_eq!(world.client.post("/api/auth/login", login).await.problem(429), "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_is_503_and_comes_back_by_itself() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    owner.get("/api/cloud/providers").await.expect(200);
    let superuser = world.database.client(&world.database.superuser_url()).await;
    let name = &world.database.name;
    superuser.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false")).await.unwrap();
    superuser
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", &[name])
        .await
        .unwrap();
    let answer = owner.get("/api/cloud/providers").await;
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.problem(503), "unavailable");
    assert_eq!(world.client.get("/readyz").await.status, 503);
    superuser.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true")).await.unwrap();
    owner.get("/api/cloud/providers").await.expect(200);
}
