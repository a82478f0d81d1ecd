//! Every change leaves an audit entry, and so does every change that was refused.

use marquee_control::routes;
use marquee_types::Role;

use super::fixtures::Stock;
use crate::support::{Client, World};

#[tokio::test(flavor = "multi_thread")]
async fn every_change_and_every_refusal_leaves_its_entry() {
    let world = World::start().await;
    let tenant = world.staffed_tenant("orangery").await;
    let stock = Stock::make(&tenant).await;
    let changes = routes::all().into_iter().filter(|row| row.audit.is_some() && row.id != "auth.login");
    for row in changes.filter(|row| !Stock::spends_its_caller(row)) {
        let prepared = stock.prepare(&row, &tenant, &tenant.owner).await;
        let request = tenant
            .owner
            .request(row.method.as_str(), &prepared.path)
            .header("x-request-id", format!("ok-{}", row.id));
        let request = match &prepared.body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = tenant.owner.send(request).await;
        assert!((200..300).contains(&answer.status), "{row:?}: {}", answer.body);
        assert_entry(&tenant.owner, row.id, &format!("ok-{}", row.id), "allowed").await;

        let viewer = &tenant.members[&Role::Viewer];
        let request_id = format!("no-{}", row.id);
        let request = viewer.request(row.method.as_str(), &prepared.path).header("x-request-id", &request_id);
        let refused = viewer.send(request).await;
        if refused.status == 403 {
            assert_entry(&tenant.owner, row.id, &request_id, "refused").await;
        }
    }
}

async fn assert_entry(owner: &Client, action: &str, request_id: &str, outcome: &str) {
    let entries = owner.all(&format!("/api/audit?filter=action%3D%22{action}%22")).await;
    let found = entries.iter().any(|entry| entry["request_id"] == request_id && entry["outcome"] == outcome);
    assert!(found, "{action} ({request_id}) left no entry with outcome {outcome}: {entries:#?}");
}
