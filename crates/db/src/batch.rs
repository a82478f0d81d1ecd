//! [`Batch`]: several statements in one wait.

use tokio_postgres::{Row, types::ToSql};

use crate::{connection::Sql, error::DbError, parameter::Params, scope::Scope, tx::Tx, wire::Asked};

/// Statements of one transaction that are sent together. They run in the order they were added; if one fails,
/// none after it runs and the transaction fails.
#[derive(Debug)]
#[must_use = "a batch does nothing until it is run"]
pub struct Batch<'t, 'p, S: Scope> {
    tx: &'t mut Tx<S>,
    statements: Vec<(&'static str, Vec<Value<'p>>)>,
}

type Value<'p> = &'p (dyn ToSql + Sync);

impl<'t, 'p, S: Scope> Batch<'t, 'p, S> {
    pub(crate) fn new(tx: &'t mut Tx<S>) -> Self {
        Self { tx, statements: Vec::new() }
    }

    /// Adds a statement.
    pub fn add(&mut self, sql: &'static str, params: &[Value<'p>]) -> &mut Self {
        self.statements.push((sql, params.to_vec()));
        self
    }

    /// Sends all; how many rows each touched.
    pub async fn run(self) -> Result<Vec<u64>, DbError> {
        let replies = self.replies().await?;
        Ok(replies.into_iter().map(|reply| reply.affected).collect())
    }

    /// Sends all; the rows each gave.
    pub async fn rows(self) -> Result<Vec<Vec<Row>>, DbError> {
        let replies = self.replies().await?;
        Ok(replies.into_iter().map(|reply| reply.rows).collect())
    }

    async fn replies(self) -> Result<Vec<crate::parameter::Reply>, DbError> {
        let asked: Vec<Asked<'_>> = self
            .statements
            .iter()
            .map(|(sql, params)| (Sql::fixed(sql), params.as_slice() as Params<'_>))
            .collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        self.tx.run_together(&asked).await
    }
}
