//! Every endpoint that takes `Idempotency-Key`: done once, answered twice, refused with another body.

use marquee_control::routes;
use serde_json::json;

use super::fixtures::Stock;
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_answered_and_not_done_again() {
    let world = World::start().await;
    let tenant = world.staffed_tenant("orangery").await;
    let stock = Stock::make(&tenant).await;
    for row in routes::all().into_iter().filter(|row| row.idempotent) {
        let prepared = stock.prepare(&row, &tenant, &tenant.owner).await;
        let send = |body: Option<serde_json::Value>| {
            let request = tenant
                .owner
                .request(row.method.as_str(), &prepared.path)
                .header("idempotency-key", format!("k-{}", row.id));
            let request = match body {
                Some(body) => request.json(&body),
                None => request,
            };
            tenant.owner.send(request)
        };
        let first = send(prepared.body.clone()).await;
        assert_eq!(first.status, row.success.as_u16(), "{row:?}: {}", first.body);
        let second = send(prepared.body.clone()).await;
        assert_eq!(second.status, first.status, "{row:?}: {}", second.body);
        assert_eq!(second.header("idempotency-replayed"), Some("true"), "{row:?}");
        assert_eq!(first.body["id"], second.body["id"], "{row:?}");
        if let Some(mut body) = prepared.body.clone() {
            body["name"] = json!("another body");
            assert_eq!(send(Some(body)).await.problem(409), "idempotency_key_reused", "{row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_shown_again() {
    let world = World::start().await;
    let tenant = world.staffed_tenant("orangery").await;
    let stock = Stock::make(&tenant).await;
    let row = routes::all().into_iter().find(|row| row.id == "api_keys.create").unwrap();
    let body = stock.prepare(&row, &tenant, &tenant.owner).await.body.unwrap();
    let send = || {
        let request = tenant.owner.request("POST", row.path).header("idempotency-key", "once").json(&body);
        tenant.owner.send(request)
    };
    let first = send().await.expect(201);
    let secret = first["key"].as_str().or(first["secret"].as_str()).expect("the secret, once").to_owned();
    let second = send().await.expect(201);
    assert_eq!(first["id"], second["id"]);
    assert!(!second.to_string().contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_one() {
    let world = World::start().await;
    let tenant = world.tenant("orangery").await;
    let stock = Stock::make(&tenant).await;
    let row = routes::all().into_iter().find(|row| row.id == "providers.create").unwrap();
    let body = stock.prepare(&row, &tenant, &tenant.owner).await.body.unwrap();
    let send = || {
        let request = tenant.owner.request("POST", row.path).header("idempotency-key", "both").json(&body);
        tenant.owner.send(request)
    };
    let answers = futures::future::join_all((0..8).map(|_| send())).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!created.is_empty());
    assert!(created.iter().all(|answer| answer.body["id"] == created[0].body["id"]));
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        assert!(answer.header("retry-after").is_some(), "{}", answer.body);
        assert_eq!(answer.problem(409), "idempotency_key_in_use");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_on_its_way_is_waited_for_and_then_told_to_be_lost() {
    let world = World::start().await;
    let tenant = world.tenant("orangery").await;
    let send = || {
        let body = serde_json::json!({ "name": "another", "approver_role": "manager" });
        let request = tenant.owner.request("POST", "/api/approval-policies");
        tenant.owner.send(request.header("idempotency-key", "slow").json(&body))
    };
    let made = send().await.expect(201);
    let database = world.database.superuser().await;
    // Between the commit of the change and that of the answer.
    let between = "UPDATE idempotency_keys SET state = 'committed', locked_until = now() + interval '1 hour'";
    database.execute(between, &[]).await.unwrap();
    let early = send().await;
    assert!(early.header("retry-after").is_some(), "{}", early.body);
    assert_eq!(early.problem(409), "idempotency_key_in_use");
    // The server died there.
    database.execute("UPDATE idempotency_keys SET locked_until = now()", &[]).await.unwrap();
    send().await.is_problem(409, "idempotency_answer_lost");
    let policies = tenant.owner.get("/api/approval-policies").await.expect(200);
    assert_eq!(policies["items"].as_array().unwrap().len(), 1);
    assert_eq!(policies["items"][0]["id"], made["id"]);
}
