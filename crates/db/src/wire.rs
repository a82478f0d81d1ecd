//! Statements on the wire: sent together, answered together, and cleaned up after.

use std::{future::Future, pin::Pin, task::Poll, time::Duration};

use tokio_postgres::Statement;

use crate::{
    connection::{Connection, Sql},
    db::Lent,
    error::DbError,
    parameter::{Params, Reply, execute},
};

/// How long a dropped transaction's statement may still run by itself before the server is told to cancel it.
const CANCEL_AFTER: Duration = Duration::from_millis(250);
/// How long the rollback of a dropped transaction may take before its connection is given up.
const ROLLBACK_WITHIN: Duration = Duration::from_secs(5);

/// A statement and its values.
pub(crate) type Asked<'a> = (Sql<'a>, Params<'a>);
pub(crate) type Outcome = Result<Vec<Reply>, tokio_postgres::Error>;

/// Sends BEGIN (if asked), the statements and COMMIT (if asked) in one write and awaits all answers. Statements
/// that this connection has not prepared yet cost one more wait: they are prepared along with BEGIN.
///
/// The first failure is returned. PostgreSQL refuses what follows a failed statement and turns the COMMIT into
/// a rollback, so the transaction is over whenever COMMIT was answered.
pub(crate) async fn send(
    connection: &mut Connection,
    opening: Option<&str>,
    statements: &[Asked<'_>],
    closing: Option<&str>,
) -> Outcome {
    connection.dirty = true;
    let mut opening = opening;
    let missing = missing(connection, statements);
    if !missing.is_empty() {
        let client = &connection.client;
        let prepares = missing.iter().map(|sql| client.prepare(sql.text()));
        let (begun, prepared) = futures::join!(simple(connection, opening.take()), in_order(prepares));
        begun?;
        for (sql, statement) in missing.iter().zip(prepared) {
            connection.keep(*sql, &statement?);
        }
    }
    let mut prepared: Vec<Statement> = Vec::with_capacity(statements.len());
    for (sql, _) in statements {
        prepared.push(connection.prepare(*sql).await?);
    }
    let client = &connection.client;
    let sends =
        statements.iter().zip(&prepared).map(|((_, params), statement)| execute(client, statement, params));
    let (begun, replies, ended) =
        futures::join!(simple(connection, opening), in_order(sends), simple(connection, closing));
    if closing.is_some()
        && (ended.is_ok() || ended.as_ref().is_err_and(|error| error.as_db_error().is_some()))
    {
        connection.dirty = connection.client.is_closed();
    }
    begun?;
    let replies = replies.into_iter().collect::<Result<Vec<_>, _>>()?;
    ended?;
    Ok(replies)
}

fn missing<'a>(connection: &mut Connection, statements: &[Asked<'a>]) -> Vec<Sql<'a>> {
    let mut missing: Vec<Sql<'a>> = Vec::new();
    for (sql, _) in statements {
        if connection.prepared(*sql).is_none() && !missing.iter().any(|other| other.text() == sql.text()) {
            missing.push(*sql);
        }
    }
    missing
}

async fn simple(connection: &Connection, sql: Option<&str>) -> Result<(), tokio_postgres::Error> {
    match sql {
        Some(sql) => connection.client.batch_execute(sql).await,
        None => Ok(()),
    }
}

/// Polls every future once, in order, so that their messages are written in this order; then awaits each.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<futures::future::MaybeDone<F>>>> =
        futures.map(|future| Box::pin(futures::future::maybe_done(future))).collect();
    std::future::poll_fn(|cx| {
        for future in &mut waiting {
            // Not ready is what is expected here: the answer is awaited below.
            let _sent = future.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    let mut outputs = Vec::with_capacity(waiting.len());
    for mut future in waiting {
        future.as_mut().await;
        outputs.extend(future.as_mut().take_output());
    }
    outputs
}

/// Ends whatever transaction is open, and says so on the connection.
pub(crate) async fn roll_back(connection: &mut Connection) -> Result<(), DbError> {
    connection.client.batch_execute("ROLLBACK").await?;
    connection.dirty = false;
    Ok(())
}

/// Rolls back what a dropped transaction left, then lets the pool have the connection. A statement that is
/// still running gets a moment, then the server is told to cancel it; a connection that was told so is not
/// reused, because a cancellation that arrives late would hit its next user.
pub(crate) async fn clean_up(mut connection: Lent) {
    let cancel = connection.client.cancel_token();
    let target = deadpool::managed::Object::pool(&connection).map(|pool| pool.manager().target.clone());
    let mut cancelled = false;
    let outcome = {
        let mut rollback = std::pin::pin!(roll_back(&mut connection));
        if let Ok(outcome) = tokio::time::timeout(CANCEL_AFTER, rollback.as_mut()).await {
            outcome
        } else {
            cancelled = true;
            if let Some(target) = target {
                target.cancel(&cancel).await;
            }
            tokio::time::timeout(ROLLBACK_WITHIN, rollback)
                .await
                .unwrap_or_else(|_| Err(DbError::unavailable("a rollback took too long")))
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a dropped transaction's connection is given up");
    }
    if cancelled {
        connection.dirty = true;
    }
}
