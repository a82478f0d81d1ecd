//! Reading the inventory, as it is and as it was.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::{ProviderId, ResourceId, filter::checked::Filter};
use serde_json::value::RawValue;
use tokio_postgres::{row::RowIndex, types::Json};
use uuid::Uuid;

use super::{
    super::wire::{Direction, Group, Related, RelatedResource, Resource, ResourceDetail, Version},
    filter,
};
use crate::http::filter::Statement;

/// The order of a list; its keys never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Id { descending: bool },
    CreatedAt { descending: bool },
}

/// The keys of the last row of a page.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Key {
    pub id: Uuid,
    /// Only under [`Order::CreatedAt`]; absent where the vendor gave no time.
    pub created_at: Option<DateTime<Utc>>,
}

/// What a list asks for.
#[derive(Debug)]
pub struct Query<'a> {
    pub filter: Option<&'a Filter>,
    pub as_of: Option<DateTime<Utc>>,
    pub order: Order,
    pub after: Option<&'a Key>,
    pub fetch: i64,
}

const COLUMNS: &str =
    "r.id, r.provider_id, r.kind, r.native_id, r.name, r.region, r.zone, r.state, r.native_state, r.size,
    r.tags, r.attributes, r.created_at, r.valid_from";

const FROM_CURRENT: &str = ", r.scope
      FROM cloud_resources r
     WHERE r.deleted_at IS NULL";

macro_rules! after_page {
    () => {
        "),
    fresh AS MATERIALIZED (
        SELECT one.provider_id, one.scope,
               (SELECT s.complete_at FROM sync_scopes s
                 WHERE s.provider_id = one.provider_id AND s.scope = one.scope) AS complete_at
          FROM (SELECT DISTINCT provider_id, scope FROM page) one)
    SELECT page.*, fresh.complete_at AS fresh_at
      FROM page LEFT JOIN fresh ON fresh.provider_id = page.provider_id AND fresh.scope = page.scope"
    };
}

/// Around a page: how fresh it is, in the same snapshot. A page is of few scopes, so they are asked for once each,
/// not with every row; and by their key, where a join would read all that the organization has.
const BEFORE_PAGE: &str = "WITH page AS MATERIALIZED ( ";
const AFTER_PAGE: &str = after_page!();

const CREATED: &str = "CASE WHEN r.created_at IS NULL THEN '-infinity'::timestamptz ELSE r.created_at END";

const CREATED_ON_PAGE: &str =
    "CASE WHEN page.created_at IS NULL THEN '-infinity'::timestamptz ELSE page.created_at END";

const GET: &str = "
    SELECT r.id, r.provider_id, r.kind, r.native_id, r.name, r.region, r.zone, r.state, r.native_state, r.size,
           r.tags, r.attributes, r.created_at, r.valid_from, s.complete_at AS fresh_at,
           r.raw, r.first_seen_at, r.missing_since, r.deleted_at
      FROM cloud_resources r
      LEFT JOIN sync_scopes s
        ON s.organization_id = r.organization_id AND s.provider_id = r.provider_id AND s.scope = r.scope
     WHERE r.id = $1";

const PRESENT: &str = "
    SELECT r.id, r.provider_id, r.kind, r.native_id, r.name, r.region, r.zone, r.state, r.native_state, r.size,
           r.tags, r.attributes, r.created_at, r.valid_from, r.scope, r.deleted_at IS NOT NULL AS deleted
      FROM cloud_resources r
     WHERE r.id = $1";

/// The page that is asked for most: everything there is, in the order of the ids.
pub(super) const PAGE: &str = concat!(
    "
    WITH page AS MATERIALIZED (
        SELECT r.id, r.provider_id, r.kind, r.native_id, r.name, r.region, r.zone, r.state, r.native_state, r.size,
               r.tags, r.attributes, r.created_at, r.valid_from, r.scope
          FROM cloud_resources r
         WHERE r.deleted_at IS NULL AND r.id > $1
         ORDER BY r.id
         LIMIT $2",
    after_page!(),
    " ORDER BY page.id"
);

// Newest first. The current version is the row itself, unless the resource is gone: then its last version
// stands among the closed ones.
const HISTORY: &str = "
    SELECT * FROM (
        SELECT id, provider_id, kind, native_id, name, region, zone, state, native_state, size, tags, attributes,
               created_at, valid_from, NULL::timestamptz AS valid_to,
               NULL::text AS ended
          FROM cloud_resources
         WHERE id = $1 AND deleted_at IS NULL AND $2::timestamptz IS NULL
        UNION ALL
        SELECT id, provider_id, kind, native_id, name, region, zone, state, native_state, size, tags, attributes,
               created_at, valid_from, valid_to, ended
          FROM cloud_resource_versions
         WHERE id = $1 AND valid_to < coalesce($2, 'infinity'::timestamptz)
    ) versions
    ORDER BY valid_to DESC NULLS FIRST
    LIMIT $3";

const RELATED: &str = "
    SELECT 'out' AS direction, l.relation, l.target_native AS native_id,
           r.id, r.kind, r.name, r.region, r.state
      FROM cloud_resource_relationships l
      LEFT JOIN cloud_resources r
        ON r.organization_id = l.organization_id AND r.id = l.target_id AND r.deleted_at IS NULL
     WHERE l.resource_id = $1
    UNION ALL
    SELECT 'in', l.relation, r.native_id, r.id, r.kind, r.name, r.region, r.state
      FROM cloud_resource_relationships l
      JOIN cloud_resources r
        ON r.organization_id = l.organization_id AND r.id = l.resource_id AND r.deleted_at IS NULL
     WHERE l.target_id = $1
    ORDER BY 1, 2, 3
    LIMIT 1000";

const EXISTS: &str = "SELECT true FROM cloud_resources WHERE id = $1";

/// A page of resources. Consumes the transaction.
pub async fn list(tx: Tx<Org>, query: &Query<'_>) -> Result<Vec<Resource>, DbError> {
    let plain = query.filter.is_none() && query.as_of.is_none();
    let rows = if plain && query.order == (Order::Id { descending: false }) {
        let after = query.after.map_or(Uuid::nil(), |key| key.id);
        tx.look_up(PAGE, &[&after, &query.fetch]).await?
    } else {
        let statement = list_statement(query);
        let (sql, params) = statement.parts();
        tx.read_dynamic(sql, &params).await?
    };
    Ok(rows.iter().map(|row| Resource { fresh_at: row.get(15), ..resource(row) }).collect())
}

/// The statement of a list; also what the ledger of query plans looks at.
pub fn list_statement(query: &Query<'_>) -> Statement {
    let mut statement = Statement::new(BEFORE_PAGE);
    statement.push("SELECT ").push(COLUMNS);
    let columns = match query.as_of {
        None => {
            statement.push(FROM_CURRENT);
            filter::CURRENT
        }
        Some(at) => {
            as_of(&mut statement, at);
            filter::AS_OF
        }
    };
    if let Some(filter) = query.filter {
        statement.push(" AND ").filter(filter, columns);
    }
    after(&mut statement, query);
    order_by(&mut statement, query.order, "r.id", CREATED);
    statement.push(" LIMIT ").bind(query.fetch, "bigint").push(AFTER_PAGE);
    order_by(&mut statement, query.order, "page.id", CREATED_ON_PAGE);
    statement
}

fn order_by(statement: &mut Statement, order: Order, id: &'static str, created: &'static str) {
    let (by, descending) = match order {
        Order::Id { descending } => (None, descending),
        Order::CreatedAt { descending } => (Some(created), descending),
    };
    statement.push(" ORDER BY ");
    for key in by.into_iter().chain([id]) {
        statement.push(key).push(if descending { " DESC" } else { "" });
        statement.push(if key == id { "" } else { ", " });
    }
}

/// The inventory as it was: rows that have not changed since, and versions that were open then. What is gone has
/// its last version among the closed ones.
fn as_of(statement: &mut Statement, at: DateTime<Utc>) {
    let columns = "id, provider_id, kind, native_id, name, region, zone, state, native_state, size, tags, \
                   attributes, created_at, valid_from, vcpus, memory_mib";
    statement
        .push(", NULL::text AS scope FROM (SELECT ")
        .push(columns)
        .push(" FROM cloud_resources WHERE valid_from <= ")
        .bind(at, "timestamptz")
        .push(" AND deleted_at IS NULL UNION ALL SELECT ")
        .push(columns)
        .push(" FROM cloud_resource_versions WHERE valid_from <= ")
        .bind(at, "timestamptz")
        .push(" AND valid_to > ")
        .bind(at, "timestamptz")
        .push(") r WHERE true");
}

fn after(statement: &mut Statement, query: &Query<'_>) {
    let Some(key) = query.after else { return };
    match query.order {
        Order::Id { descending } => {
            let sign = if descending { " < " } else { " > " };
            statement.push(" AND r.id").push(sign).bind(key.id, "uuid");
        }
        Order::CreatedAt { descending } => {
            let sign = if descending { " < (" } else { " > (" };
            statement.push(" AND (").push(CREATED).push(", r.id)").push(sign);
            match key.created_at {
                Some(at) => statement.bind(at, "timestamptz"),
                None => statement.push("'-infinity'::timestamptz"),
            };
            statement.push(", ").bind(key.id, "uuid").push(")");
        }
    }
}

/// One resource with everything the vendor said; also one that is gone. Consumes the transaction.
pub async fn get(tx: Tx<Org>, id: ResourceId) -> Result<Option<ResourceDetail>, DbError> {
    let rows = tx.look_up(GET, &[&id.uuid()]).await?;
    Ok(rows.first().map(|row| ResourceDetail {
        resource: Resource { fresh_at: row.get("fresh_at"), ..resource(row) },
        raw: row.get::<_, Json<Box<RawValue>>>("raw").0,
        first_seen_at: row.get("first_seen_at"),
        missing_since: row.get("missing_since"),
        deleted_at: row.get("deleted_at"),
    }))
}

/// A resource as it was last seen, and where it was listed.
#[derive(Debug)]
pub struct Present {
    pub resource: Resource,
    /// The part of the inventory it was listed by.
    pub scope: String,
    /// Whether it is gone.
    pub deleted: bool,
}

/// The same of one that may be changed. Consumes the transaction.
pub async fn present(tx: Tx<Org>, id: ResourceId) -> Result<Option<Present>, DbError> {
    let rows = tx.look_up(PRESENT, &[&id.uuid()]).await?;
    Ok(rows.first().map(|row| Present {
        resource: resource(row),
        scope: row.get("scope"),
        deleted: row.get("deleted"),
    }))
}

/// Those that a filter finds and that exist, with the part of the inventory each was listed by. Consumes the transaction.
pub async fn matching(tx: Tx<Org>, filter: &Filter, fetch: i64) -> Result<Vec<Present>, DbError> {
    let order = Order::Id { descending: false };
    let statement = list_statement(&Query { filter: Some(filter), as_of: None, order, after: None, fetch });
    let (sql, params) = statement.parts();
    let rows = tx.read_dynamic(sql, &params).await?;
    let present = |row: &Row| Present { resource: resource(row), scope: row.get("scope"), deleted: false };
    Ok(rows.iter().map(present).collect())
}

/// Whether there is, or was, such a resource.
pub async fn exists(tx: &mut Tx<Org>, id: ResourceId) -> Result<bool, DbError> {
    Ok(tx.query_opt(EXISTS, &[&id.uuid()]).await?.is_some())
}

/// Versions, newest first, from before `before`; their changes are not yet worked out.
pub async fn history(
    tx: &mut Tx<Org>,
    id: ResourceId,
    before: Option<DateTime<Utc>>,
    fetch: i64,
) -> Result<Vec<Version>, DbError> {
    let rows = tx.query(HISTORY, &[&id.uuid(), &before, &fetch]).await?;
    let version = |row: &Row| Version {
        valid_from: row.get("valid_from"),
        valid_to: row.get("valid_to"),
        ended: row.get("ended"),
        resource: resource(row),
        changes: Vec::new(),
    };
    Ok(rows.iter().map(version).collect())
}

/// The relations of a resource, both ways.
pub async fn related(tx: &mut Tx<Org>, id: ResourceId) -> Result<Vec<Related>, DbError> {
    let rows = tx.query(RELATED, &[&id.uuid()]).await?;
    Ok(rows
        .iter()
        .map(|row| Related {
            direction: if row.get::<_, &str>("direction") == "out" { Direction::Out } else { Direction::In },
            relation: word(row, "relation"),
            native_id: row.get("native_id"),
            resource: row.get::<_, Option<Uuid>>("id").map(|id| RelatedResource {
                id: ResourceId::from(id),
                kind: word(row, "kind"),
                name: row.get("name"),
                region: row.get("region"),
                state: word(row, "state"),
            }),
        })
        .collect())
}

/// What a summary groups by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupField {
    Provider,
    Kind,
    Region,
    State,
    Tag(String),
}

impl GroupField {
    /// The field as it was asked for.
    pub fn name(&self) -> String {
        match self {
            Self::Provider => "provider".to_owned(),
            Self::Kind => "kind".to_owned(),
            Self::Region => "region".to_owned(),
            Self::State => "state".to_owned(),
            Self::Tag(key) => format!("tags.{key}"),
        }
    }
}

/// Counts by group, the largest first, at most 1,000 groups; and the count of all. Consumes the transaction.
pub async fn summary(
    tx: Tx<Org>,
    fields: &[GroupField],
    filter: Option<&Filter>,
) -> Result<(Vec<Group>, i64), DbError> {
    let mut statement = Statement::new("SELECT count(*) AS count, (sum(count(*)) OVER ())::bigint AS total");
    for (index, field) in fields.iter().enumerate() {
        statement.push(", ").push(match field {
            GroupField::Provider => "r.provider_id::text",
            GroupField::Kind => "r.kind::text",
            GroupField::Region => "r.region",
            GroupField::State => "r.state::text",
            GroupField::Tag(_) => ["t0.value", "t1.value", "t2.value"][index],
        });
    }
    statement.push(" FROM cloud_resources r");
    for (index, field) in fields.iter().enumerate() {
        if let GroupField::Tag(key) = field {
            let alias = ["t0", "t1", "t2"][index];
            statement.push(" LEFT JOIN cloud_resource_tags ").push(alias);
            statement.push(" ON ").push(alias).push(".organization_id = r.organization_id AND ");
            statement
                .push(alias)
                .push(".resource_id = r.id AND ")
                .push(alias)
                .push(".key = ")
                .bind(key.clone(), "text");
        }
    }
    statement.push(" WHERE r.deleted_at IS NULL");
    if let Some(filter) = filter {
        statement.push(" AND ").filter(filter, filter::CURRENT);
    }
    if !fields.is_empty() {
        let places = ["3", "3, 4", "3, 4, 5"][fields.len() - 1];
        statement.push(" GROUP BY ").push(places).push(" ORDER BY 1 DESC, ").push(places).push(" LIMIT 1000");
    }
    let (sql, params) = statement.parts();
    let rows = tx.read_dynamic(sql, &params).await?;
    let total = rows.first().map_or(0, |row| row.get("total"));
    Ok((rows.iter().map(|row| group(row, fields)).collect(), total))
}

fn group(row: &Row, fields: &[GroupField]) -> Group {
    let mut by = IndexMap::new();
    for (index, field) in fields.iter().enumerate() {
        let mut value: Option<String> = row.get(index + 2);
        if *field == GroupField::Provider {
            let id = value.as_deref().and_then(|text| Uuid::parse_str(text).ok());
            value = id.map(|id| ProviderId::from(id).to_string());
        }
        by.insert(field.name(), value);
    }
    Group { by, count: row.get("count") }
}

fn resource(row: &Row) -> Resource {
    Resource {
        id: ResourceId::from(row.get::<_, Uuid>(0)),
        provider_id: ProviderId::from(row.get::<_, Uuid>(1)),
        kind: word(row, 2),
        native_id: row.get(3),
        name: row.get(4),
        region: row.get(5),
        zone: row.get(6),
        state: word(row, 7),
        native_state: row.get(8),
        size: row.get(9),
        tags: row.get::<_, Json<Box<RawValue>>>(10).0,
        attributes: row.get::<_, Json<Box<RawValue>>>(11).0,
        created_at: row.get(12),
        valid_from: row.get(13),
        fresh_at: None,
    }
}

/// A word of a closed set; the column's domain admits no other.
fn word<T, C>(row: &Row, column: C) -> T
where
    T: std::str::FromStr<Err = marquee_types::words::UnknownWord>,
    C: RowIndex + Display,
{
    match row.get::<_, &str>(&column).parse() {
        Ok(word) => word,
        Err(error) => unreachable!("{column} holds a word that its domain does not admit: {error}"),
    }
}
