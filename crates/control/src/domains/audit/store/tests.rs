//! Every documented filter of the audit log reaches its index, as the application role, under row level security.

use marquee_db::{OrgContext, testing::TestDb};
use marquee_types::{Clock, OrganizationId};

use super::*;

/// Two organizations of 20,000 entries each, one in a hundred refused, by a hundred actors.
async fn filled(database: &TestDb, organizations: [OrganizationId; 2]) {
    let admin = database.superuser().await;
    let insert = "
        INSERT INTO audit_logs (organization_id, at, id, origin, actor, action, target_kind, target_id, outcome, request_id)
        SELECT $1, now() - n * interval '1 second', gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'call' ELSE 'row' END,
               'user:' || n % 100, 'things.verb' || n % 50, 'thing', 'thing_' || n % 5000,
               CASE WHEN n % 100 = 0 THEN 'refused' ELSE 'allowed' END, 'req_' || n
          FROM generate_series(1, 20000) n";
    for organization in organizations {
        admin.execute(insert, &[&organization.uuid()]).await.expect("entries");
    }
    admin.batch_execute("ANALYZE audit_logs").await.expect("statistics");
}

async fn plan(database: &TestDb, organization: OrganizationId, filter: Option<&str>) -> String {
    let filter = filter.map(|text| SCHEMA.parse(text).expect("a valid filter"));
    let before = Some((database.db.clock().now(), AuditEntryId::new()));
    let statement = page_statement(filter.as_ref(), before, 51);
    let (sql, params) = statement.parts();
    let context = OrgContext {
        organization,
        actor: "test".to_owned(),
        credential: None,
        request_id: "req-1".to_owned(),
        address: None,
    };
    let tx = database.db.org(&context).expect("a transaction");
    let rows = tx.read_dynamic(&format!("EXPLAIN {sql}"), &params).await.expect("a plan");
    let lines: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn every_filter_is_served_by_an_index_in_the_order_of_the_list() {
    let database = TestDb::new(Clock::system()).await;
    let organizations = [OrganizationId::new(), OrganizationId::new()];
    filled(&database, organizations).await;
    let cases = [
        (None, "pkey"),
        (Some("actor = \"user:7\""), "_actor_"),
        (Some("actor = \"user:7\" AND at >= 2026-01-01T00:00:00Z"), "_actor_"),
        (Some("action = things.verb3"), "_action_"),
        (Some("target = thing_77"), "_target_id_"),
        (Some("request_id = req_77"), "_request_id_"),
        (Some("outcome = refused"), "_outcome_"),
        (Some("origin = row"), "pkey"),
        (Some("at > 2026-01-01T00:00:00Z"), "pkey"),
    ];
    for (filter, index) in cases {
        let plan = plan(&database, organizations[0], filter).await;
        // Partitions without a page (next month's) cost nothing however they are read.
        let scanned = |line: &&str| line.contains("Seq Scan") && !line.contains("cost=0.00..0.00");
        assert_eq!(plan.lines().find(scanned), None, "{filter:?}\n{plan}");
        assert!(plan.contains(index), "{filter:?} should use an index with {index}\n{plan}");
    }
}
