//! `kill -9` in the middle of a sync, twenty times at random moments: it completes, nothing is doubled, nothing is
//! deleted that exists, and no change is without its audit entry.

use std::time::Duration;

use marquee_db::testing::TestDb;
use marquee_types::Clock;
use serde_json::Value;

use crate::{client::Client, moto::Account, process::Server};

const ESTATE: &str = "
ec2 = client('ec2')
image = ec2.describe_images(Owners=['amazon'])['Images'][0]['ImageId']
ec2.run_instances(ImageId=image, MinCount=40, MaxCount=40, InstanceType='m5.large')
for i in range(10):
    client('s3').create_bucket(Bucket=f'crash-{i}-' + client('sts').get_caller_identity()['Account'],
                               CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
";
const ROUNDS: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_survives_twenty_kills() {
    let database = TestDb::new(Clock::system()).await;
    let mut server = Server::start(&database).await;
    let account = Account::take();
    account.boto3(ESTATE);
    let owner = server.owner().await;
    let seed = rand::random::<u64>();
    let mut interrupted = 0;
    let mut totals = Vec::new();
    for round in 0..ROUNDS {
        let provider = connect(&owner, &account, round).await;
        let started = owner.post_empty(&format!("/api/cloud/providers/{provider}/sync")).await.expect(202);
        let operation = started["operation"]["id"].as_str().unwrap().to_owned();
        // Not to wait for anything: the moment of the kill is what the test varies.
        tokio::time::sleep(moment(seed, round)).await;
        server.kill();
        server.restart().await;
        if owner.get(&format!("/api/operations/{operation}")).await.expect(200)["done"] == false {
            interrupted += 1;
        }
        let ended = owner.ended(&operation).await;
        assert_eq!(ended["state"], "succeeded", "round {round} of seed {seed}: {ended:#}");
        let filter = format!("/api/cloud/resources/summary?filter=provider_id%3D{provider}");
        totals.push(owner.get(&filter).await.expect(200)["total"].clone());
    }
    assert!(
        interrupted >= 5,
        "only {interrupted} of {ROUNDS} kills came in the middle of a sync (seed {seed})"
    );
    assert!(totals.iter().all(|total| *total == totals[0] && *total != 0), "seed {seed}: {totals:?}");
    the_tables_agree(&database).await;
}

async fn connect(owner: &Client, account: &Account, round: u32) -> String {
    let body = account.provider(&format!("round-{round}"), &["eu-west-1"]);
    let provider = owner.post("/api/cloud/providers", body).await.expect(201);
    provider["id"].as_str().unwrap().to_owned()
}

/// From nothing to two seconds, evenly.
fn moment(seed: u64, round: u32) -> Duration {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (seed, round).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % 2_000)
}

async fn the_tables_agree(database: &TestDb) {
    let superuser = database.superuser().await;
    let count = async |sql: &str| -> i64 { superuser.query_one(sql, &[]).await.unwrap().get(0) };
    let doubled = "SELECT count(*) FROM (SELECT FROM cloud_resources GROUP BY provider_id, kind, native_id HAVING count(*) > 1) d";
    assert_eq!(count(doubled).await, 0, "resources are doubled");
    assert_eq!(
        count("SELECT count(*) FROM cloud_resources WHERE deleted_at IS NOT NULL").await,
        0,
        "falsely deleted"
    );
    assert_eq!(count("SELECT count(*) FROM cloud_resource_versions WHERE ended = 'deleted'").await, 0);
    let unaudited = "
        SELECT count(*) FROM cloud_providers p
         WHERE NOT EXISTS (SELECT FROM audit_logs a WHERE a.organization_id = p.organization_id
                              AND a.action = 'providers.create' AND a.target_id = 'prv_' || replace(p.id::text, '-', ''))";
    assert_eq!(count(unaudited).await, 0, "a provider without its audit entry");
    let unsynced = "
        SELECT count(*) FROM sync_runs r
         WHERE r.requested_by LIKE 'user:%' AND NOT EXISTS (SELECT FROM audit_logs a WHERE a.action = 'providers.sync'
           AND a.target_id = 'prv_' || replace(r.provider_id::text, '-', ''))";
    assert_eq!(count(unsynced).await, 0, "a sync without its audit entry");
    let left: Value = superuser
        .query_one("SELECT coalesce(jsonb_agg(kind), '[]') FROM jobs WHERE kind LIKE 'operation:%'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, Value::Array(Vec::new()), "jobs are left");
}
