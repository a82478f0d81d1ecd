//! The ledger of query plans: every documented filter of the inventory reaches an index as the application role,
//! under row level security, on a table with real statistics.

use marquee_db::{
    OrgContext,
    testing::{TestDb, explain_as_app},
};
use marquee_types::{Clock, OrganizationId, RequestId};

use super::{
    filter::SCHEMA,
    read::{Order, PAGE, Query, list_statement},
};

/// Ten organizations of 2,000 resources each, as unlike each other as resources are.
const ESTATE: &str = "
    INSERT INTO cloud_resources (organization_id, id, provider_id, scope, kind, native_id, name, region, zone, state,
                                 size, vcpus, memory_mib, tags, attributes, raw, created_at, digest, first_seen_at, valid_from)
    SELECT ('00000000-0000-7000-8000-00000000000' || n % 10)::uuid, gen_random_uuid(),
           ('00000000-0000-7000-9000-0000000000' || lpad((n % 40)::text, 2, '0'))::uuid, 'ec2/instances@r' || n % 20,
           (ARRAY['compute_instance', 'disk', 'snapshot', 'bucket', 'subnet'])[1 + n / 10 % 5],
           'arn:aws:ec2:r:1:instance/i-' || n, 'web-' || n, 'r' || n / 10 % 20, 'z' || n / 10 % 60,
           (ARRAY['running', 'stopped', 'available', 'deleted'])[1 + n / 10 % 4], 'm' || n / 10 % 100, n / 10 % 64,
           n / 10 % 64 * 1024, '{}', '{}', '{}', now() - n * interval '1 minute', '\\x00', now(),
           now() - n * interval '1 minute'
      FROM generate_series(1, 20000) AS n";
const TAGS: &str = "
    INSERT INTO cloud_resource_tags (organization_id, key, value, resource_id)
    SELECT organization_id, 'venue', 'v' || vcpus, id FROM cloud_resources";

/// One of each form of each field.
const FILTERS: &[&str] = &[
    "id = res_0192f0c1a5b87c6f9d3e2b1a09f8e7d6",
    "provider_id = prv_00000000000070009000000000000007",
    "kind = disk",
    "kind = disk AND state = available",
    "state = stopped",
    "native_id = \"arn:aws:ec2:r:1:instance/i-77\"",
    "name = \"web-77\"",
    "name:web-77*",
    "region = r7",
    "region = r7 AND kind = disk",
    "zone = z7",
    "size = m7",
    "vcpus >= 63",
    "memory_mib >= 64512",
    "created_at > \"2999-01-01T00:00:00Z\"",
    "valid_from > \"2999-01-01T00:00:00Z\"",
    "tags.venue = v7",
    "tags.venue:v7*",
    "kind = compute_instance AND vcpus >= 8 AND tags.venue = v7 AND state = running",
];

#[tokio::test]
async fn every_documented_filter_reaches_an_index() {
    let test = TestDb::new(Clock::system()).await;
    let superuser = test.superuser().await;
    superuser.batch_execute(ESTATE).await.unwrap();
    superuser.batch_execute(TAGS).await.unwrap();
    superuser.batch_execute("ANALYZE cloud_resources; ANALYZE cloud_resource_tags").await.unwrap();
    let context = OrgContext {
        organization: OrganizationId::from(uuid::uuid!("00000000-0000-7000-8000-000000000007")),
        actor: "user:test".to_owned(),
        credential: None,
        request_id: RequestId::new().to_string(),
        address: None,
    };
    let mut whole = Vec::new();
    for text in FILTERS {
        let filter = SCHEMA.parse(text).unwrap();
        let order = Order::Id { descending: false };
        let query = Query { filter: Some(&filter), as_of: None, order, after: None, fetch: 51 };
        let statement = list_statement(&query);
        let (sql, params) = statement.parts();
        let mut tx = test.db.org(&context).unwrap();
        let plan = explain_as_app(&mut tx, sql, &params).await;
        if plan.scans_whole_tenant("cloud_resources") || plan.scans_whole_tenant("cloud_resource_tags") {
            whole.push(format!("{text}\n{sql}\n{}", plan.json()));
        }
    }
    let mut tx = test.db.org(&context).unwrap();
    let plan = explain_as_app(&mut tx, PAGE, &[&uuid::Uuid::nil(), &51_i64]).await;
    if plan.scans_whole_tenant("cloud_resources") || !plan.json().contains("cloud_resources_present") {
        whole.push(format!("the page without a filter\n{}", plan.json()));
    }
    assert!(whole.is_empty(), "{} filters read the whole tenant:\n{}", whole.len(), whole.join("\n\n"));
}
