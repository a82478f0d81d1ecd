//! All SQL of the audit log.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use marquee_db::{Anonymous, DbError, Org, Row, Tx};
use marquee_types::{
    AuditEntryId,
    filter::{FieldSpec, Form, Schema, checked::Filter},
};
use uuid::Uuid;

use super::{
    model::{Entry, Origin, Outcome},
    wire::{AuditEntry, Target},
};
use crate::http::filter::{Column, Statement};

// Nothing to write if the changed row has left this entry already: see record_change().
const RECORD: &str = "
    SELECT record_call($1, $2, $3, $4, $5, $6, $7, $8)
     WHERE $4::text IS NULL OR coalesce(current_setting('marquee.recorded', true), '') <> $4";

const SECURITY_EVENT: &str = "SELECT record_security_event($1, $2, $3, $4, $5)";

const PAGE: &str = "
    SELECT l.id, l.at, l.origin, l.actor, l.credential, l.action, l.target_kind, l.target_id, l.outcome, l.reason,
           l.before, l.after, l.request_id,
           (SELECT p.value FROM audit_personal p
             WHERE p.organization_id = l.organization_id AND p.at = l.at AND p.entry_id = l.id
               AND p.field = 'address') AS address
      FROM audit_logs l WHERE ";

/// The documented fields of the filter. Each is served by an index that ends in the order of the list.
pub static SCHEMA: Schema = Schema::new(&[
    FieldSpec::text("actor").only(WHOLE_OR_PREFIX),
    FieldSpec::text("action").only(WHOLE_OR_PREFIX),
    FieldSpec::text("target").only(&[Form::Equal, Form::NotEqual, Form::Present]),
    FieldSpec::text("request_id").only(&[Form::Equal]),
    FieldSpec::word("outcome", &["allowed", "refused", "failed"]),
    FieldSpec::word("origin", &["call", "row"]),
    FieldSpec::time("at"),
]);

const WHOLE_OR_PREFIX: &[Form] = &[Form::Equal, Form::NotEqual, Form::StartsWith];

const COLUMNS: &[Column] = &[
    Column::Plain("l.actor"),
    Column::Plain("l.action"),
    Column::Plain("l.target_id"),
    Column::Plain("l.request_id"),
    Column::Plain("l.outcome"),
    Column::Plain("l.origin"),
    Column::Plain("l.at"),
];

/// Sends the entry along with COMMIT, so that it costs no wait.
pub fn insert(tx: &mut Tx<Org>, entry: Entry) {
    let (kind, id) = entry.target.map_or((None, None), |(kind, id)| (Some(kind), Some(id)));
    tx.before_commit(
        RECORD,
        vec![
            Box::new(entry.id.uuid()),
            Box::new(entry.action),
            Box::new(kind),
            Box::new(id),
            Box::new(entry.outcome.as_str()),
            Box::new(entry.reason),
            Box::new(entry.before),
            Box::new(entry.after),
        ],
    );
}

/// Notes a refusal of an unknown caller.
pub async fn insert_security_event(
    mut tx: Tx<Anonymous>,
    kind: &'static str,
    address: Option<IpAddr>,
    request_id: &str,
    subject: Option<&str>,
    suppressed: i32,
) -> Result<(), DbError> {
    tx.execute(SECURITY_EVENT, &[&kind, &address, &request_id, &subject, &suppressed]).await?;
    tx.commit().await
}

/// A page of entries, newest first. Consumes the transaction.
pub async fn page(
    tx: Tx<Org>,
    filter: Option<&Filter>,
    before: Option<(DateTime<Utc>, AuditEntryId)>,
    fetch: i64,
) -> Result<Vec<AuditEntry>, DbError> {
    let statement = page_statement(filter, before, fetch);
    let (sql, params) = statement.parts();
    Ok(tx.read_dynamic(sql, &params).await?.iter().map(entry).collect())
}

fn page_statement(
    filter: Option<&Filter>,
    before: Option<(DateTime<Utc>, AuditEntryId)>,
    fetch: i64,
) -> Statement {
    let mut statement = Statement::new(PAGE);
    match before {
        Some((at, id)) => statement
            .push("(l.at, l.id) < (")
            .bind(at, "timestamptz")
            .push(", ")
            .bind(id.uuid(), "uuid")
            .push(")"),
        None => statement.push("true"),
    };
    if let Some(filter) = filter {
        statement.push(" AND ").filter(filter, COLUMNS);
    }
    statement.push(" ORDER BY l.at DESC, l.id DESC LIMIT ").bind(fetch, "bigint");
    statement
}

fn entry(row: &Row) -> AuditEntry {
    let target = row.get::<_, Option<String>>("target_kind").zip(row.get("target_id"));
    AuditEntry {
        id: AuditEntryId::from(row.get::<_, Uuid>("id")),
        at: row.get("at"),
        // The columns' domains admit no other words.
        origin: row.get::<_, &str>("origin").parse().unwrap_or(Origin::Call),
        actor: row.get("actor"),
        credential: row.get("credential"),
        action: row.get("action"),
        target: target.map(|(kind, id)| Target { kind, id }),
        outcome: row.get::<_, &str>("outcome").parse().unwrap_or(Outcome::Failed),
        reason: row.get("reason"),
        before: row.get("before"),
        after: row.get("after"),
        request_id: row.get("request_id"),
        address: row.get::<_, Option<&str>>("address").and_then(|text| text.parse().ok()),
    }
}

#[cfg(test)]
mod tests;
