//! A full database: as many providers and resources in every organization as the figures speak of.

use std::time::{Duration, Instant};

use anyhow::Result;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::{Client, NoTls};

const PROVIDERS: &str = "
    INSERT INTO cloud_providers (organization_id, id, name, kind, settings, external_id, account, principal, verified_at,
                                 sync_interval_seconds, credentials, next_sync_at, created_at, updated_at, key_id, wrapped_key,
                                 nonce, ciphertext, binding_version, binding)
    SELECT o.organization_id, gen_random_uuid(), 'provider ' || n, 'aws', '{\"regions\": [\"eu-west-1\", \"us-east-1\"]}',
           'marquee-' || md5(o.organization_id::text || n), '123456789012', 'arn:aws:iam::123456789012:user/marquee',
           now(), 604800, '{\"type\": \"static\", \"access_key_id\": \"AKIA…MPLE\"}', now() + interval '30 days', now(), now(),
           'none', decode(repeat('00', 60), 'hex'), decode(repeat('00', 12), 'hex'), decode(repeat('00', 150), 'hex'), 1,
           '{\"kind\": \"aws\", \"endpoint_url\": null, \"role_arn\": null}'
      FROM organizations o, generate_series(1, 20) AS n WHERE o.name LIKE 'organization-%'";
/// As a sync writes them: ids that begin as their provider's does, in the order of the ids.
const RESOURCES: &str = "
    INSERT INTO cloud_resources (organization_id, id, provider_id, scope, kind, native_id, name, region, zone, state,
                                 native_state, size, vcpus, memory_mib, tags, attributes, raw, created_at, digest,
                                 first_seen_at, valid_from)
    SELECT p.organization_id, overlay(gen_random_uuid()::text placing left(p.id::text, 13) from 1)::uuid AS id, p.id,
           'ec2/instances@eu-west-1', 'compute_instance',
           'arn:aws:ec2:eu-west-1:123456789012:instance/i-' || md5(p.id::text || n), 'web-' || n, 'eu-west-1',
           'eu-west-1' || (ARRAY['a', 'b', 'c'])[1 + n % 3], (ARRAY['running', 'stopped'])[1 + n % 2], 'running',
           (ARRAY['m7g.large', 'm7g.xlarge', 'c7g.large', 'r7g.2xlarge'])[1 + n % 4], 2 + n % 30, 8192,
           json_build_object('Name', 'web-' || n, 'venue', 'venue-' || n % 50, 'environment', 'production'),
           '{\"vcpus\": 2, \"memory_mib\": 8192, \"private_address\": \"10.0.12.7\", \"public_address\": \"203.0.113.9\",
             \"architecture\": \"arm64\", \"lifecycle\": \"on_demand\"}',
           '{\"imageId\": \"ami-0abcdef1234567890\"}', now() - n * interval '1 minute', '\\x00', now(), now()
      FROM cloud_providers p, generate_series(1, $1::integer) AS n WHERE p.name LIKE 'provider %'
     ORDER BY 1, 2";
const SCOPES: &str = "
    INSERT INTO sync_scopes (organization_id, provider_id, scope, service, region, complete_at, attempted_at, resources)
    SELECT p.organization_id, p.id, service || '@' || region, service, region, now(), now(), 0
      FROM cloud_providers p, unnest(ARRAY['ec2/instances', 'ec2/volumes', 'ec2/snapshots', 'ec2/images', 'ec2/networks',
                                           'ec2/addresses', 'elb/load_balancers', 'autoscaling/groups', 'rds/databases',
                                           's3/buckets']) AS service, unnest(ARRAY['eu-west-1', 'us-east-1']) AS region
     WHERE p.name LIKE 'provider %'";
const TAGS: &str = "
    INSERT INTO cloud_resource_tags (organization_id, key, value, resource_id)
    SELECT r.organization_id, t.key, t.value, r.id FROM cloud_resources r, json_each_text(r.tags) AS t
     WHERE r.scope = 'ec2/instances@eu-west-1' AND r.digest = '\\x00'";
const NOW: &str = "SELECT pg_current_xact_id()::text::bigint";
const ROWS_WRITTEN: &str = "SELECT count(*) FROM cloud_resources WHERE xmin::text::bigint >= $1";

/// Of the fleet's good providers, how many have been synced, and how long ago the stalest of their scopes was complete.
const SYNCED: &str = "
    SELECT count(*) FROM cloud_providers WHERE name LIKE 'good %' AND last_sync_state = 'succeeded'";
const OLDEST: &str = "
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - s.complete_at)), 0)::float8
      FROM sync_scopes s
      JOIN cloud_providers p ON p.organization_id = s.organization_id AND p.id = s.provider_id
     WHERE p.name LIKE 'good %'";

/// Fills every organization but those of the inventories; how long that took.
pub async fn fill(admin: &SecretString, each: u32) -> Result<f64> {
    let began = Instant::now();
    let client = connect(admin).await?;
    for sql in [PROVIDERS, SCOPES] {
        client.execute(sql, &[]).await?;
    }
    let per_provider = i32::try_from(each / 20)?;
    client.execute(RESOURCES, &[&per_provider]).await?;
    client.execute(TAGS, &[]).await?;
    client
        .batch_execute("VACUUM ANALYZE cloud_resources, cloud_resource_tags, cloud_providers, sync_scopes")
        .await?;
    Ok(began.elapsed().as_secs_f64())
}

/// The present transaction, to count from.
pub async fn now(admin: &SecretString) -> Result<i64> {
    Ok(connect(admin).await?.query_one(NOW, &[]).await?.get(0))
}

/// Rows of the inventory that were inserted or updated since.
pub async fn rows_written(admin: &SecretString, since: i64) -> Result<i64> {
    Ok(connect(admin).await?.query_one(ROWS_WRITTEN, &[&since]).await?.get(0))
}

/// How many of the fleet's good providers have been synced.
pub async fn synced(admin: &SecretString) -> Result<usize> {
    let count: i64 = connect(admin).await?.query_one(SYNCED, &[]).await?.get(0);
    Ok(usize::try_from(count)?)
}

/// How old the oldest knowledge of the fleet's good providers is.
pub async fn oldest(admin: &SecretString) -> Result<Duration> {
    let seconds: f64 = connect(admin).await?.query_one(OLDEST, &[]).await?.get(0);
    Ok(Duration::from_secs_f64(seconds.max(0.0)))
}

async fn connect(admin: &SecretString) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(admin.expose_secret(), NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            crate::say_error(&format!("the benchmark's own connection: {error}"));
        }
    });
    Ok(client)
}
