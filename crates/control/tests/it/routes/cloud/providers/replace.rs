//! `PUT` and `DELETE /api/cloud/providers/{id}`: conditions, and credentials that cannot be aimed elsewhere.

use serde_json::{Value, json};

use crate::{
    ledgers::fixtures::id,
    support::{Account, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_may_stay_unless_what_they_are_bound_to_changes() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let body = account.provider("production", &["eu-west-1"]);
    let path = format!(
        "/api/cloud/providers/{}",
        id(&owner.post("/api/cloud/providers", body.clone()).await.expect(201))
    );
    let mut without = body.clone();
    without.as_object_mut().unwrap().remove("credentials");
    without["settings"]["regions"] = json!(["eu-west-1", "us-east-1"]);
    let changed = owner.put(&path, without.clone()).await.expect(200);
    assert_eq!(changed["settings"]["regions"], json!(["eu-west-1", "us-east-1"]));
    assert_eq!(changed["account"], account.number);

    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    without["settings"]["endpoint_url"] = Value::from(format!("http://{}", elsewhere.local_addr().unwrap()));
    assert_eq!(owner.put(&path, without.clone()).await.problem(422), "credentials_required");
    without["settings"].as_object_mut().unwrap().remove("endpoint_url");
    assert_eq!(owner.put(&path, without).await.problem(422), "credentials_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_tampered_with_gives_no_credentials_away() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let body = Account::take().provider("production", &["eu-west-1"]);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    let superuser = world.database.superuser().await;
    superuser
        .batch_execute("UPDATE cloud_providers SET binding = jsonb_set(binding, '{endpoint_url}', '\"http://127.0.0.1:1\"')")
        .await
        .unwrap();
    superuser.batch_execute("UPDATE cloud_providers SET version = version + 1").await.unwrap();
    let answer = owner.post_empty(&format!("/api/cloud/providers/{provider}/test-connection")).await;
    assert_eq!(answer.problem(500), "internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_were_changed_in_the_database_aim_the_credentials_nowhere() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let body = Account::take().provider("production", &["eu-west-1"]);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", elsewhere.local_addr().unwrap());
    let superuser = world.database.superuser().await;
    let aim =
        "UPDATE cloud_providers SET settings = jsonb_set(settings::jsonb, '{endpoint_url}', to_jsonb($1::text)),
                                          version = version + 1";
    superuser.execute(aim, &[&endpoint]).await.unwrap();
    let answer = owner.post_empty(&format!("/api/cloud/providers/{provider}/test-connection")).await;
    assert_eq!(answer.problem(422), "credentials_required");
    assert!(elsewhere.accept().is_err(), "somebody called the other endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_whose_key_is_lost_have_to_be_entered_again() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let mut body = Account::take().provider("production", &["eu-west-1"]);
    let provider = id(&owner.post("/api/cloud/providers", body.clone()).await.expect(201));
    let superuser = world.database.superuser().await;
    superuser.execute("UPDATE cloud_providers SET key_id = 'lost'", &[]).await.unwrap();
    superuser.execute("UPDATE cloud_providers SET version = version + 1", &[]).await.unwrap();
    let path = format!("/api/cloud/providers/{provider}");
    let test = format!("{path}/test-connection");
    assert_eq!(owner.post_empty(&test).await.problem(422), "credentials_required");
    owner.get(&path).await.expect(200);
    let credentials = body.as_object_mut().unwrap().remove("credentials").unwrap();
    assert_eq!(owner.put(&path, body.clone()).await.problem(422), "credentials_required");
    body["credentials"] = credentials;
    owner.put(&path, body).await.expect(200);
    assert_eq!(owner.post_empty(&test).await.expect(200)["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_based_on_an_old_version_is_refused() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let body = Account::take().provider("production", &["eu-west-1"]);
    let created = owner.post("/api/cloud/providers", body.clone()).await;
    let etag = created.header("etag").unwrap().to_owned();
    let path = format!("/api/cloud/providers/{}", id(&created.body));
    let put = |tag: String| owner.send(owner.request("PUT", &path).header("if-match", tag).json(&body));
    let second = put(etag.clone()).await;
    assert_eq!(second.status, 200, "{}", second.body);
    let newer = second.header("etag").unwrap().to_owned();
    assert_ne!(etag, newer);
    assert_eq!(put(etag.clone()).await.problem(412), "stale");
    assert_eq!(put("nonsense".into()).await.problem(412), "stale");
    let delete = |tag: String| owner.send(owner.request("DELETE", &path).header("if-match", tag));
    assert_eq!(delete(etag).await.problem(412), "stale");
    delete(newer).await.expect(204);
    assert_eq!(owner.get(&path).await.problem(404), "not_found");
    assert_eq!(owner.delete(&path).await.problem(404), "not_found");
}
