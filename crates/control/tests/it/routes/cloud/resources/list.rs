//! `GET /api/cloud/resources`: filters, orders, pages, and what is refused.

use std::collections::BTreeSet;

use crate::{
    ledgers::fixtures::id,
    support::{Account, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn pages_meet_without_gap_or_overlap_in_every_order() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    account.boto3(
        "
for i in range(7):
    client('ec2').create_volume(AvailabilityZone='eu-west-1a', Size=8 + i,
        TagSpecifications=[{'ResourceType': 'volume', 'Tags': [{'Key': 'Name', 'Value': f'disk-{i}'}]}])
",
    );
    let body = account.provider("production", &["eu-west-1"]);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    owner.sync(&provider).await;
    let all: BTreeSet<String> = owner.all("/api/cloud/resources").await.iter().map(id).collect();
    for order in ["id", "id%20desc", "created_at", "created_at%20desc"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = owner
                .get(&format!("/api/cloud/resources?limit=3&order_by={order}{cursor}"))
                .await
                .expect(200);
            seen.extend(page["items"].as_array().unwrap().iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), all.len(), "{order}");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all, "{order}");
    }
    let named = owner.all("/api/cloud/resources?filter=name%3Adisk-%2A%20AND%20NOT%20name%3Ddisk-3").await;
    assert_eq!(named.len(), 6);
    let either =
        owner.all("/api/cloud/resources?filter=name%3Ddisk-1%20OR%20name%3Ddisk-2%20kind%3Ddisk").await;
    assert_eq!(either.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_by_name() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let first = owner.get("/api/cloud/resources?limit=1").await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 0);
    for (query, pointer) in [
        ("limit=0", "?limit"),
        ("limit=201", "?limit"),
        ("limit=many", "?limit"),
        ("cursor=abc", "?cursor"),
        ("order_by=name", "?order_by"),
        ("filter=colour%3Dred", "?filter"),
        ("filter=kind%3D%22cow%22", "?filter"),
        ("filter=((((", "?filter"),
        ("as_of=2999-01-01T00:00:00Z", "?as_of"),
        ("as_of=yesterday", "?as_of"),
        ("colour=red", "?colour"),
    ] {
        let answer = owner.get(&format!("/api/cloud/resources?{query}")).await;
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{query}: {}", answer.body);
        assert_eq!(answer.problem(422), "invalid", "{query}");
    }
    let early = owner.get("/api/cloud/resources?as_of=2001-01-01T00:00:00Z").await;
    assert_eq!(early.problem(422), "horizon_exceeded");
    for path in
        ["res_x", "prv_0192f0c1a5b87c6f9d3e2b1a09f8e7d6", "res_0192f0c1a5b87c6f9d3e2b1a09f8e7d6", "%00"]
    {
        assert_eq!(
            owner.get(&format!("/api/cloud/resources/{path}")).await.problem(404),
            "not_found",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_belongs_to_its_query() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let other = world.tenant("lakeside").await.owner;
    for name in ["one", "two", "three"] {
        let mut body = Account::take().provider(name, &["eu-west-1"]);
        body["verify"] = false.into();
        owner.post("/api/cloud/providers", body).await.expect(201);
    }
    let page = owner.get("/api/cloud/providers?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    owner.get(&format!("/api/cloud/providers?limit=2&cursor={cursor}")).await.expect(200);
    let elsewhere = owner.get(&format!("/api/cloud/resources?cursor={cursor}")).await;
    assert_eq!(elsewhere.problem(422), "invalid");
    let strangers = other.get(&format!("/api/cloud/providers?cursor={cursor}")).await.expect(200);
    assert_eq!(strangers["items"].as_array().unwrap().len(), 0);
}
