//! The canary: secrets planted into a full run are found nowhere they do not belong: not in the log at its most
//! talkative, not in any answer, not in the metrics, not in a dump of the database.

use std::process::Command;

use marquee_db::testing::TestDb;
use marquee_types::Clock;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{
    moto::Account,
    process::{KEY, OWNER, PASSWORD, Server},
};

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_stay_where_they_were_planted() {
    let database = TestDb::new(Clock::system()).await;
    let server = Server::start(&database).await;
    let owner = server.owner().await;
    let account = Account::take();
    let wrong = "wrongSecretCanaryX7kQ2mP9vL4tR8wZ1nB6";
    let mut said = Vec::new();

    // A full run: connect, mistype, sync, read everything, make a key and use it, fail in every way.
    let provider =
        owner.post("/api/cloud/providers", account.provider("production", &["eu-west-1"])).await.expect(201);
    let id = provider["id"].as_str().unwrap();
    let mut mistyped = account.provider("mistyped", &["eu-west-1"]);
    mistyped["credentials"]["secret_access_key"] = Value::from(wrong);
    said.push(owner.post("/api/cloud/providers", mistyped.clone()).await.body);
    mistyped["credentials"]["extra"] = Value::from(wrong);
    said.push(owner.post("/api/cloud/providers", mistyped.clone()).await.body);
    mistyped["credentials"] = Value::from(wrong);
    said.push(owner.post("/api/cloud/providers", mistyped).await.body);
    let broken = owner.request("POST", "/api/cloud/providers").header("content-type", "application/json");
    said.push(owner.send(broken.body(format!("{{\"credentials\": \"{wrong}"))).await.body);
    said.push(owner.post("/api/auth/login", json!({ "email": OWNER, "password": wrong })).await.body);
    said.push(owner.sync(id).await);
    let expiry = (Clock::system().now() + chrono::TimeDelta::days(1)).to_rfc3339();
    let new_key = json!({ "name": "canary", "scopes": ["providers.read"], "expires_at": expiry });
    let key = owner.post("/api/api-keys", new_key).await.expect(201);
    let token =
        key.as_object().unwrap().values().filter_map(Value::as_str).find(|v| v.starts_with("mq_")).unwrap();
    let service = owner.with_token(token);
    for client in [&owner, &service] {
        for path in [
            "/api/cloud/providers",
            "/api/cloud/resources",
            "/api/operations",
            "/api/cloud/syncs",
            "/api/audit",
            "/api/api-keys",
            "/api/sessions",
            "/api/members",
            "/api/auth/whoami",
        ] {
            said.push(client.get(path).await.body);
        }
    }
    said.push(owner.post_empty(&format!("/api/cloud/providers/{id}/test-connection")).await.body);
    said.push(server.client().with_token("scrape").get("/metrics").await.body);

    let session = owner.token.clone().unwrap();
    let secrets = [
        account.secret_access_key.as_str(),
        wrong,
        PASSWORD,
        KEY,
        token.rsplit('_').next().unwrap(),
        session.rsplit('_').next().unwrap(),
    ];
    let places = [
        ("the log", server.log()),
        ("an answer", said.iter().map(ToString::to_string).collect::<String>()),
        ("the database", dump(&database)),
    ];
    assert!(
        places[0].1.len() > 10_000 && places[2].1.contains("COPY public.cloud_providers"),
        "nothing was searched"
    );
    for (place, text) in &places {
        for secret in secrets {
            assert!(!text.contains(secret), "{place} holds the secret {secret}");
        }
    }
}

fn dump(database: &TestDb) -> String {
    let mut url = url::Url::parse(database.superuser_url().expose_secret()).unwrap();
    url.set_path(&database.name);
    let output = Command::new("pg_dump").arg(url.as_str()).output().expect("pg_dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
