//! What every answer has, and what every malformed request gets.

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_what_the_conventions_promise() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let request = owner
        .request("GET", "/api/cloud/providers")
        .header("x-request-id", "build-7")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = owner.send(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-request-id"), Some("build-7"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("server-timing").unwrap().starts_with("app;dur="));
    assert!(answer.header("ratelimit-policy").unwrap().starts_with("\"read\";q="));
    assert!(answer.header("ratelimit").unwrap().starts_with("\"read\";r="));
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(answer.header("strict-transport-security"), None);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_with_the_right_status() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let post = |content_type: &str, body: String| {
        owner.send(
            owner.request("POST", "/api/cloud/providers").header("content-type", content_type).body(body),
        )
    };
    assert_eq!(post("application/json", "{".into()).await.problem(400), "malformed");
    assert_eq!(post("application/json", String::new()).await.problem(400), "malformed");
    assert_eq!(post("text/plain", "{}".into()).await.problem(415), "unsupported_media_type");
    assert_eq!(post("application/json", "{}".into()).await.problem(422), "invalid");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(300 * 1024));
    assert_eq!(post("application/json", large).await.problem(413), "too_large");
    let deep = format!("{{\"settings\":{}", "[".repeat(100_000));
    assert_eq!(post("application/json", deep).await.problem(400), "malformed");
    assert_eq!(owner.get("/api/nothing/here").await.problem(404), "not_found");
    let wrong = owner.delete("/api/cloud/resources").await;
    assert!(wrong.header("allow").unwrap().contains("GET"));
    assert_eq!(wrong.problem(405), "method_not_allowed");
    let with_body = owner.request("GET", "/api/cloud/providers").json(&json!({}));
    assert_eq!(owner.send(with_body).await.problem(400), "malformed");
    let key = owner.request("POST", "/api/cloud/providers").header("idempotency-key", "a b").json(&json!({
        "name": "n", "kind": "aws", "credentials": {} }));
    assert_eq!(owner.send(key).await.problem(400), "malformed");
    let long = format!("/api/cloud/providers/{}/sync", "x".repeat(1000));
    let long = owner.request("POST", &long).header("idempotency-key", "a").json(&json!({}));
    assert_eq!(owner.send(long).await.problem(400), "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_with_its_reader_and_needs_no_other_host() {
    let world = World::start().await;
    let document = world.client.get("/api/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let page = world.client.get("/api/docs").await;
    let csp = page.header("content-security-policy").unwrap().to_owned();
    assert!(csp.contains("script-src 'self'"), "{csp}");
    let html = page.expect(200);
    let html = html.as_str().unwrap();
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    for file in html.split("\"/api/docs/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(world.client.get(&format!("/api/docs/{file}")).await.status, 200, "{file}");
    }
    assert_eq!(world.client.get("/api/docs/%2e%2e/%2e%2e/etc/passwd").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_public_and_metrics_are_not() {
    let world = World::with(marquee_types::Clock::system(), |settings| {
        settings.metrics_token = Some("a token for the scraper".into());
    })
    .await;
    let tenant = world.tenant("orangery").await;
    assert_eq!(world.client.get("/healthz").await.expect(200)["status"], "ok");
    let ready = world.client.get("/readyz").await.expect(200);
    assert_eq!(ready["checks"], json!({ "database": "ok", "migrations": "ok", "workers": "ok" }));
    assert_eq!(world.client.get("/metrics").await.problem(404), "not_found");
    assert_eq!(tenant.owner.get("/metrics").await.problem(404), "not_found");
    tenant.owner.get("/api/cloud/providers").await.expect(200);
    let text = world.client.with_token("a token for the scraper").get("/metrics").await.expect(200);
    let text = text.as_str().unwrap();
    assert!(
        text.contains("marquee_http_requests_total{operation=\"providers.list\",status=\"2xx\"}"),
        "{text}"
    );
    assert!(!text.contains("org_"), "metrics name an organization");
}
