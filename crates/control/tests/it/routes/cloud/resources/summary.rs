//! `GET /api/cloud/resources/summary`.

use serde_json::json;

use crate::{
    ledgers::fixtures::id,
    support::{Account, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn of_more_than_a_thousand_groups_the_largest_are_told_and_the_total_counts_all() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let mut body = Account::take().provider("production", &["eu-west-1"]);
    body["verify"] = json!(false);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    // 1,200 disks, each for a table of its own but the last three, which share one.
    world
        .database
        .superuser()
        .await
        .batch_execute(
            "INSERT INTO cloud_resources (organization_id, id, provider_id, scope, kind, native_id, name, region, state,
                                          tags, attributes, raw, digest, first_seen_at, valid_from)
             SELECT p.organization_id, gen_random_uuid(), p.id, 'ec2/volumes@eu-west-1', 'disk', 'disk-' || n, 'disk', 'eu-west-1',
                    'available', json_build_object('table', 't' || least(n, 1198)), '{}', '{}', '\\x00', now(), now()
               FROM cloud_providers p, generate_series(1, 1200) n;
             INSERT INTO cloud_resource_tags (organization_id, key, value, resource_id)
             SELECT organization_id, 'table', tags ->> 'table', id FROM cloud_resources",
        )
        .await
        .unwrap();
    let summary = owner.get("/api/cloud/resources/summary?group_by=tags.table").await.expect(200);
    assert_eq!((&summary["total"], summary["groups"].as_array().unwrap().len()), (&json!(1200), 1000));
    assert_eq!(summary["groups"][0], json!({ "by": { "tags.table": "t1198" }, "count": 3 }));
    let filtered = "/api/cloud/resources/summary?group_by=provider&filter=tags.table%3Dt1198";
    let filtered = owner.get(filtered).await.expect(200);
    assert_eq!(filtered, json!({ "total": 3, "groups": [{ "by": { "provider": provider }, "count": 3 }] }));
}
