//! Partitions by time: made ahead, taken over from the default, dropped by retention, closed to direct access.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_db::{OrgContext, testing::TestDb};
use marquee_types::Clock;

use crate::support::somebody;

const UPKEEP: &str = "SELECT created, dropped FROM upkeep_partitions($1) WHERE parent = 'samples'::regclass";
const PARTITIONS: &str =
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'samples'::regclass ORDER BY 1";
const INSERT: &str =
    "INSERT INTO samples (organization_id, id, at) VALUES (current_organization(), gen_random_uuid(), $1)";

async fn samples(span: &str, keep: &str) -> TestDb {
    let test = TestDb::new(Clock::system()).await;
    let owner = test.client(&test.urls.admin).await;
    // A session in another time zone must make the same partitions.
    owner
        .batch_execute(&format!(
            "SET timezone = 'America/New_York';
             CREATE TABLE samples (organization_id uuid NOT NULL, id uuid NOT NULL, at timestamptz NOT NULL,
                 value bigint, PRIMARY KEY (organization_id, id, at)) PARTITION BY RANGE (at);
             COMMENT ON TABLE samples IS 'A test.';
             CREATE INDEX samples_at ON samples (organization_id, at);
             SELECT protect_tenant_table('samples');
             SELECT register_partitioned('samples', '{span}', 3, interval '{keep}')"
        ))
        .await
        .unwrap();
    test
}

async fn partitions(test: &TestDb) -> Vec<String> {
    let rows = test.db.system("test").read(PARTITIONS, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn insert(test: &TestDb, context: &OrgContext, at: DateTime<Utc>) {
    let mut tx = test.db.org(context).unwrap();
    tx.execute(INSERT, &[&at]).await.unwrap();
    tx.commit().await.unwrap();
}

fn now(test: &TestDb) -> DateTime<Utc> {
    test.db.clock().now()
}

async fn upkeep(test: &TestDb, at: DateTime<Utc>) -> (i32, i32) {
    let mut tx = test.db.system("test");
    let row = tx.query_one(UPKEEP, &[&at]).await.unwrap();
    tx.commit().await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_by_retention() {
    let test = samples("month", "3 months").await;
    let context = somebody();
    let now = now(&test);
    assert_eq!(partitions(&test).await.len(), 5);
    insert(&test, &context, now).await;
    assert_eq!(upkeep(&test, now).await, (0, 0));

    // Half a year later, without any upkeep in between, rows have landed in the default partition.
    let later = now + TimeDelta::days(185);
    insert(&test, &context, later).await;
    let (created, dropped) = upkeep(&test, later).await;
    assert!(created >= 3, "{created}");
    assert!(dropped >= 1, "{dropped}");
    let rows = test.db.org(&context).unwrap().read("SELECT at, tableoid::regclass::text FROM samples", &[]);
    let rows = rows.await.unwrap();
    assert_eq!(rows.len(), 1, "the old row went with its partition");
    assert_ne!(rows[0].get::<_, String>(1), "samples_default");
    assert_eq!(upkeep(&test, later).await, (0, 0));
}

#[tokio::test]
async fn a_partition_asked_for_by_name_is_refused_and_the_catalogue_holds() {
    let test = samples("day", "30 days").await;
    insert(&test, &somebody(), now(&test)).await;
    for partition in partitions(&test).await {
        let sql = format!("SELECT * FROM {partition}");
        let asked = test.db.anonymous().read_dynamic(&sql, &[]).await;
        assert!(asked.unwrap_err().is_denied(), "{partition}");
    }
    let violations = marquee_db::testing::catalogue_violations(&test).await;
    assert!(!violations.iter().any(|violation| violation.contains("samples")), "{violations:#?}");
}

#[tokio::test]
async fn only_the_system_may_keep_partitions_up() {
    let test = samples("day", "30 days").await;
    let mut tx = test.db.org(&somebody()).unwrap();
    let future = now(&test) + TimeDelta::days(36_500);
    assert!(tx.query(UPKEEP, &[&future]).await.unwrap_err().is_denied());
}
