//! Writing what a sync saw: compared first, in bulk, and nothing twice.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Tx};
use marquee_types::{ProviderId, ResourceKind};
use uuid::Uuid;

use super::super::model::{Counts, Missing, Prepared};

const COMPARE: &str = "
    SELECT id, digest, missing_since IS NOT NULL AS missing, deleted_at IS NOT NULL AS deleted
      FROM cloud_resources WHERE id = ANY($1)";

const CLOSE: &str = "
    INSERT INTO cloud_resource_versions
           (organization_id, id, provider_id, kind, native_id, name, region, zone, state, native_state, size,
            vcpus, memory_mib, tags, attributes, raw, created_at, valid_from, valid_to, ended)
    SELECT organization_id, id, provider_id, kind, native_id, name, region, zone, state, native_state, size,
           vcpus, memory_mib, tags, attributes, raw, created_at, valid_from, greatest($2, valid_from), $3
      FROM cloud_resources
     WHERE id = ANY($1) AND deleted_at IS NULL
     ORDER BY id
       FOR UPDATE
    ON CONFLICT (organization_id, id, valid_to) DO NOTHING";

const PUT: &str = "
    INSERT INTO cloud_resources
           (organization_id, id, provider_id, scope, kind, native_id, name, region, zone, state, native_state, size,
            vcpus, memory_mib, tags, attributes, raw, created_at, digest, first_seen_at, valid_from)
    SELECT current_organization(), id, $1, $2, kind, native_id, name, region, zone, state, native_state, size,
           vcpus, memory_mib, tags::json, attributes::jsonb, raw::json, created_at, digest, $3, $3
      FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                  $12::text[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::text[],
                  $18::timestamptz[], $19::bytea[])
           AS seen (id, kind, native_id, name, region, zone, state, native_state, size, vcpus, memory_mib, tags,
                    attributes, raw, created_at, digest)
    ON CONFLICT (organization_id, id) DO UPDATE
       SET scope = excluded.scope, name = excluded.name, region = excluded.region, zone = excluded.zone,
           state = excluded.state, native_state = excluded.native_state, size = excluded.size,
           vcpus = excluded.vcpus, memory_mib = excluded.memory_mib, tags = excluded.tags,
           attributes = excluded.attributes, raw = excluded.raw, created_at = excluded.created_at,
           digest = excluded.digest, valid_from = greatest(excluded.valid_from, cloud_resources.valid_from, cloud_resources.deleted_at),
           missing_since = NULL, deleted_at = NULL";

// By the whole key, from the tags as the row still has them: an index by resource would be written with every tag
// and read only here.
const DROP_TAGS: &str = "
    DELETE FROM cloud_resource_tags t
     USING (SELECT r.id, tag.key, tag.value
              FROM cloud_resources r, json_each_text(r.tags) AS tag WHERE r.id = ANY($1)) AS had
     WHERE t.resource_id = had.id AND t.key = had.key AND t.value = had.value";
const PUT_TAGS: &str = "
    INSERT INTO cloud_resource_tags (organization_id, key, value, resource_id)
    SELECT current_organization(), key, value, id
      FROM unnest($1::text[], $2::text[], $3::uuid[]) AS seen (key, value, id)
    ON CONFLICT DO NOTHING";

const DROP_RELATIONS: &str = "DELETE FROM cloud_resource_relationships WHERE resource_id = ANY($1)";
const PUT_RELATIONS: &str = "
    INSERT INTO cloud_resource_relationships (organization_id, resource_id, relation, target_id, target_native)
    SELECT current_organization(), id, relation, target_id, target_native
      FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) AS seen (id, relation, target_id, target_native)
    ON CONFLICT DO NOTHING";

const FOUND_AGAIN: &str = "
    UPDATE cloud_resources SET missing_since = NULL WHERE id = ANY($1) AND missing_since IS NOT NULL";

const IN_SCOPE: &str = "
    SELECT id, kind, native_id, missing_since
      FROM cloud_resources
     WHERE provider_id = $1 AND scope = $2 AND deleted_at IS NULL AND id > $3
     ORDER BY id
     LIMIT 5000";

const MARK_MISSING: &str = "
    UPDATE cloud_resources SET missing_since = $2 WHERE id = ANY($1) AND missing_since IS NULL AND deleted_at IS NULL";

const DELETE: &str = "
    UPDATE cloud_resources SET deleted_at = greatest($2, valid_from), missing_since = NULL
     WHERE id = ANY($1) AND deleted_at IS NULL";

const OF_PROVIDER: &str = "
    SELECT id FROM cloud_resources
     WHERE provider_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR scope = $2)
     ORDER BY id LIMIT 5000";

/// What of a page was new or changed.
struct Sorted<'a> {
    written: Vec<&'a Prepared>,
    /// Ids of what was there and changed.
    changed: Vec<Uuid>,
    /// Ids of what was there, unchanged, but had been missed.
    found_again: Vec<Uuid>,
    created: i64,
}

/// Writes one page of one scope: what is unchanged is not touched.
pub async fn page(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scope: &str,
    page: &[Prepared],
    now: DateTime<Utc>,
) -> Result<Counts, DbError> {
    let ids: Vec<Uuid> = page.iter().map(|resource| resource.id).collect();
    let known = tx.query(COMPARE, &[&ids]).await?;
    let known: HashMap<Uuid, (Vec<u8>, bool, bool)> = known
        .iter()
        .map(|row| (row.get("id"), (row.get("digest"), row.get("missing"), row.get("deleted"))))
        .collect();
    let sorted = sort(page, &known);
    if !sorted.found_again.is_empty() {
        tx.execute(FOUND_AGAIN, &[&sorted.found_again]).await?;
    }
    if !sorted.written.is_empty() {
        write(tx, provider, scope, &sorted, now).await?;
    }
    Ok(Counts {
        seen: i64::try_from(page.len()).unwrap_or(i64::MAX),
        created: sorted.created,
        changed: i64::try_from(sorted.changed.len()).unwrap_or(i64::MAX),
        ..Counts::default()
    })
}

fn sort<'a>(page: &'a [Prepared], known: &HashMap<Uuid, (Vec<u8>, bool, bool)>) -> Sorted<'a> {
    let mut sorted = Sorted { written: Vec::new(), changed: Vec::new(), found_again: Vec::new(), created: 0 };
    // In the order of ids, as all writers do, so that none waits for another in a circle.
    let mut page: Vec<&Prepared> = page.iter().collect();
    page.sort_by_key(|resource| resource.id);
    for resource in page {
        match known.get(&resource.id) {
            Some((digest, missing, false)) if *digest == resource.digest => {
                if *missing {
                    sorted.found_again.push(resource.id);
                }
            }
            Some(_) => {
                sorted.changed.push(resource.id);
                sorted.written.push(resource);
            }
            None => {
                sorted.created += 1;
                sorted.written.push(resource);
            }
        }
    }
    sorted
}

/// The columns of a page, as a statement takes them.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    native_ids: Vec<&'a str>,
    names: Vec<&'a str>,
    regions: Vec<&'a str>,
    zones: Vec<Option<&'a str>>,
    states: Vec<&'static str>,
    native_states: Vec<Option<&'a str>>,
    sizes: Vec<Option<&'a str>>,
    vcpus: Vec<Option<i64>>,
    memory: Vec<Option<i64>>,
    tags: Vec<&'a str>,
    attributes: Vec<&'a str>,
    raw: Vec<&'a str>,
    created_at: Vec<Option<DateTime<Utc>>>,
    digests: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(resources: &[&'a Prepared]) -> Self {
        let mut columns = Self::default();
        for resource in resources {
            let observed = &resource.observed;
            columns.ids.push(resource.id);
            columns.kinds.push(observed.kind.as_str());
            columns.native_ids.push(&observed.native_id);
            columns.names.push(&observed.name);
            columns.regions.push(&observed.region);
            columns.zones.push(observed.zone.as_deref());
            columns.states.push(observed.state.as_str());
            columns.native_states.push(observed.native_state.as_deref());
            columns.sizes.push(observed.size.as_deref());
            columns.vcpus.push(resource.number("vcpus"));
            columns.memory.push(resource.number("memory_mib"));
            columns.tags.push(&resource.tags);
            columns.attributes.push(&resource.attributes);
            columns.raw.push(&resource.raw);
            columns.created_at.push(observed.created_at);
            columns.digests.push(&resource.digest);
        }
        columns
    }
}

async fn write(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scope: &str,
    sorted: &Sorted<'_>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let provider = provider.uuid();
    let c = Columns::of(&sorted.written);
    let (tag_keys, tag_values, tag_ids) = tags(&sorted.written);
    let (from, relations, targets, natives) = relations(&sorted.written);
    let mut batch = tx.batch();
    if !sorted.changed.is_empty() {
        batch.add(CLOSE, &[&sorted.changed, &now, &"changed"]);
        batch.add(DROP_TAGS, &[&sorted.changed]);
        batch.add(DROP_RELATIONS, &[&sorted.changed]);
    }
    batch.add(
        PUT,
        &[
            &provider,
            &scope,
            &now,
            &c.ids,
            &c.kinds,
            &c.native_ids,
            &c.names,
            &c.regions,
            &c.zones,
            &c.states,
            &c.native_states,
            &c.sizes,
            &c.vcpus,
            &c.memory,
            &c.tags,
            &c.attributes,
            &c.raw,
            &c.created_at,
            &c.digests,
        ],
    );
    batch.add(PUT_TAGS, &[&tag_keys, &tag_values, &tag_ids]);
    batch.add(PUT_RELATIONS, &[&from, &relations, &targets, &natives]);
    batch.run().await.map(|_| ())
}

fn tags<'a>(resources: &[&'a Prepared]) -> (Vec<&'a str>, Vec<&'a str>, Vec<Uuid>) {
    let mut all = (Vec::new(), Vec::new(), Vec::new());
    for resource in resources {
        for (key, value) in &resource.observed.tags {
            // A btree entry holds 2,700 bytes; a longer tag is shown but cannot be filtered by.
            if key.len() + value.len() <= 2_000 && !key.contains('\0') && !value.contains('\0') {
                all.0.push(key.as_str());
                all.1.push(value.as_str());
                all.2.push(resource.id);
            }
        }
    }
    all
}

fn relations<'a>(resources: &[&'a Prepared]) -> (Vec<Uuid>, Vec<&'static str>, Vec<Uuid>, Vec<&'a str>) {
    let mut all = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for resource in resources {
        for relation in &resource.relations {
            all.0.push(resource.id);
            all.1.push(relation.relation);
            all.2.push(relation.target_id);
            all.3.push(relation.target_native.as_str());
        }
    }
    all
}

/// What the inventory has in a scope after `after`, at most 5,000, in the order of ids.
pub async fn in_scope(
    tx: Tx<Org>,
    provider: ProviderId,
    scope: &str,
    after: Uuid,
) -> Result<Vec<Missing>, DbError> {
    let rows = tx.read(IN_SCOPE, &[&provider.uuid(), &scope, &after]).await?;
    let kind = |text: &str| {
        text.parse::<ResourceKind>().unwrap_or_else(|e| unreachable!("the domain admits no other: {e}"))
    };
    Ok(rows
        .iter()
        .map(|row| Missing {
            id: row.get("id"),
            kind: kind(row.get("kind")),
            native_id: row.get("native_id"),
            since: row.get("missing_since"),
        })
        .collect())
}

/// Notes that a complete listing lacked these.
pub async fn mark_missing(tx: &mut Tx<Org>, ids: &[Uuid], now: DateTime<Utc>) -> Result<(), DbError> {
    tx.execute(MARK_MISSING, &[&ids, &now]).await.map(|_| ())
}

/// Takes these out of the inventory: their last version is closed, their tags and relations go.
pub async fn delete(tx: &mut Tx<Org>, ids: &[Uuid], now: DateTime<Utc>) -> Result<(), DbError> {
    let mut batch = tx.batch();
    batch.add(CLOSE, &[&ids, &now, &"deleted"]);
    batch.add(DELETE, &[&ids, &now]);
    batch.add(DROP_TAGS, &[&ids]);
    batch.add(DROP_RELATIONS, &[&ids]);
    batch.run().await.map(|_| ())
}

/// Takes all of one of a provider's scopes out of the inventory; the history stays.
pub async fn retire(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scope: &str,
    now: DateTime<Utc>,
) -> Result<i64, DbError> {
    let mut retired = 0;
    loop {
        let some = retire_some(tx, provider, Some(scope), now).await?;
        if some == 0 {
            return Ok(retired);
        }
        retired += some;
    }
}

/// Takes at most 5,000 of a provider's resources out of the inventory, or of one of its scopes; how many. The history
/// stays.
pub async fn retire_some(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scope: Option<&str>,
    now: DateTime<Utc>,
) -> Result<i64, DbError> {
    let rows = tx.query(OF_PROVIDER, &[&provider.uuid(), &scope]).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    if !ids.is_empty() {
        delete(tx, &ids, now).await?;
    }
    Ok(i64::try_from(ids.len()).unwrap_or(i64::MAX))
}
