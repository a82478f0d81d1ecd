//! `POST /api/cloud/providers`: verified first, stored whole or not at all, and never shown again.

use serde_json::{Value, json};

use crate::{
    ledgers::fixtures::id,
    support::{Account, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_account_says_who_it_is_and_shows_no_secret() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let answer = owner.post("/api/cloud/providers", account.provider("production", &["eu-west-1"])).await;
    let location = answer.header("location").map(str::to_owned);
    let provider = answer.expect(201);
    assert_eq!(provider["account"], account.number);
    assert!(provider["verified_at"].is_string());
    assert_eq!(location, Some(format!("/api/cloud/providers/{}", id(&provider))));
    let shown = owner.get(&location.unwrap()).await.expect(200);
    assert_eq!(shown["settings"]["regions"], json!(["eu-west-1"]));
    for text in
        [provider.to_string(), shown.to_string(), owner.get("/api/audit").await.expect(200).to_string()]
    {
        assert!(!text.contains(&account.secret_access_key), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_in_the_clouds_own_words_and_nothing_is_stored() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let mut body = Account::take().provider("production", &["eu-west-1"]);
    body["credentials"]["secret_access_key"] = Value::from("notTheSecretOfThisKeyAtAll1234567890abcd");
    let answer = owner.post("/api/cloud/providers", body.clone()).await;
    assert_eq!(answer.body["cloud"]["kind"], "unauthenticated", "{}", answer.body);
    assert_eq!(answer.body["cloud"]["code"], "SignatureDoesNotMatch");
    assert_eq!(answer.body["cloud"]["retry_helps"], false);
    assert_eq!(answer.problem(422), "provider_verification_failed");
    assert_eq!(owner.get("/api/cloud/providers").await.expect(200)["items"], json!([]));
    body["verify"] = Value::from(false);
    let stored = owner.post("/api/cloud/providers", body).await.expect(201);
    assert_eq!(stored["verified_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_by_its_place() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let cases = [
        ("/kind", json!({ "kind": "azzure" })),
        ("/name", json!({ "name": " " })),
        ("/name", json!({ "name": "prv_production" })),
        ("/colour", json!({ "colour": "red" })),
        ("/sync_interval_seconds", json!({ "sync_interval_seconds": 5 })),
        (
            "/credentials/secret",
            json!({ "credentials": { "type": "static", "access_key_id": "AKIAAAAAAAAAAAAAAAAA", "secret_access_key": "s", "secret": 1 } }),
        ),
        ("/credentials/type", json!({ "credentials": { "type": "magic" } })),
        ("/settings/zones", json!({ "settings": { "zones": [] } })),
        (
            "/settings/endpoint_url",
            json!({ "settings": { "endpoint_url": "http://169.254.169.254/latest" } }),
        ),
    ];
    for (pointer, change) in cases {
        let mut body = account.provider("production", &["eu-west-1"]);
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = owner.post("/api/cloud/providers", body).await;
        let pointers: Vec<_> =
            answer.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
        assert!(pointers.iter().any(|e| e["pointer"] == pointer), "{pointer}: {}", answer.body);
        assert_eq!(answer.problem(422), "invalid", "{pointer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_identity_is_not_for_everybody() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    for credentials in [
        json!({ "type": "ambient" }),
        json!({ "type": "profile", "name": "default" }),
        json!({ "type": "assume_role", "role_arn": "arn:aws:iam::123456789012:role/marquee" }),
    ] {
        let body = json!({ "name": "own", "kind": "aws", "credentials": credentials, "settings": {} });
        let answer = owner.post("/api/cloud/providers", body).await;
        assert!(answer.body["detail"].as_str().unwrap().contains("credentials"), "{}", answer.body);
        assert_eq!(answer.problem(422), "invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once_and_free_again_afterwards() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let body = account.provider("Production", &["eu-west-1"]);
    let first = owner.post("/api/cloud/providers", body.clone()).await.expect(201);
    let same = account.provider("production", &["eu-west-1"]);
    assert_eq!(owner.post("/api/cloud/providers", same.clone()).await.problem(409), "already_exists");
    let dry = owner.post("/api/cloud/providers?validate_only=true", same.clone()).await;
    assert_eq!(dry.problem(409), "already_exists");
    owner.delete(&format!("/api/cloud/providers/{}", id(&first))).await.expect(204);
    let preview = owner.post("/api/cloud/providers?validate_only=true", same.clone()).await.expect(200);
    assert_eq!(owner.get("/api/cloud/providers").await.expect(200)["items"], json!([]), "{preview}");
    owner.post("/api/cloud/providers", same).await.expect(201);
}
