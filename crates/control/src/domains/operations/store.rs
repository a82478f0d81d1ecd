//! The SQL of operation lists; everything else about the tables is the engine's.

use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::{
    OperationId, OperationState,
    filter::{FieldSpec, Form, Schema, checked::Filter},
};
use uuid::Uuid;

use super::wire::Operation;
use crate::http::filter::{Column, Statement};

const STATES: &[&str] = &{
    let mut words = [""; OperationState::ALL.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = OperationState::ALL[index].as_str();
        index += 1;
    }
    words
};

/// The documented fields of the filter.
pub static SCHEMA: Schema = Schema::new(&[
    FieldSpec::id("id", "op"),
    FieldSpec::text("kind").only(&[Form::Equal, Form::NotEqual]),
    FieldSpec::text("target").only(&[Form::Equal, Form::NotEqual, Form::Present]),
    FieldSpec::word("state", STATES),
    FieldSpec::boolean("done"),
    FieldSpec::time("created_at"),
]);

const COLUMNS: &[Column] = &[
    Column::Plain("o.id"),
    Column::Plain("o.kind"),
    Column::Plain("o.target"),
    Column::Plain("o.state"),
    Column::Plain("o.done"),
    Column::Plain("o.created_at"),
];

/// A page of operations, newest first. Consumes the transaction.
pub async fn list(
    tx: Tx<Org>,
    filter: Option<&Filter>,
    before: Option<OperationId>,
    fetch: i64,
) -> Result<Vec<Operation>, DbError> {
    let mut statement = Statement::new(
        "SELECT o.id, o.kind, o.target, o.state, o.done, o.pause_reason, o.progress, o.error, o.requested_by, \
         o.created_at, o.started_at, o.finished_at FROM operations o WHERE o.id < ",
    );
    statement.bind(before.map_or(Uuid::max(), OperationId::uuid), "uuid");
    if let Some(filter) = filter {
        statement.push(" AND ").filter(filter, COLUMNS);
    }
    statement.push(" ORDER BY o.id DESC LIMIT ").bind(fetch, "bigint");
    let (sql, params) = statement.parts();
    Ok(tx.read_dynamic(sql, &params).await?.iter().map(operation).collect())
}

fn operation(row: &Row) -> Operation {
    let state: &str = row.get("state");
    Operation {
        id: OperationId::from(row.get::<_, Uuid>("id")),
        kind: row.get("kind"),
        target: row.get("target"),
        state: state
            .parse()
            .unwrap_or_else(|e| unreachable!("the domain of the column admits no other: {e}")),
        done: row.get("done"),
        pause_reason: row.get("pause_reason"),
        progress: row.get("progress"),
        error: row.get("error"),
        requested_by: row.get("requested_by"),
        created_at: row.get("created_at"),
        started_at: row.get("started_at"),
        finished_at: row.get("finished_at"),
    }
}
