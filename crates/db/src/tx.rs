//! [`Tx`]: the only way to run SQL.
//!
//! What costs is waiting for the network, so a transaction waits as rarely as it can: BEGIN and the settings
//! travel with the first statement, COMMIT with whatever was registered to go with it, and a plain read
//! ([`Tx::read`]) is sent whole, in one write. The driver puts a message on the wire when its future is first
//! polled, so futures polled in order are statements sent in order; every use of that is
//! in [`crate::wire`].
//!
//! What must never happen is that a connection is lent again while a transaction is open on it. Three things
//! see to that: a connection is `dirty` from before BEGIN is sent until its end is confirmed, and the pool
//! throws dirty ones away; dropping a transaction hands its connection to a task that rolls back first; and a
//! statement whose future was dropped half-way makes the transaction unusable, since nobody saw its answer.

use std::{fmt, marker::PhantomData, sync::Arc};

use marquee_types::Clock;
use tokio_postgres::{Row, types::ToSql};

use crate::{
    batch::Batch,
    connection::Sql,
    context::{Opening, OrgContext},
    db::{Around, Lender, Lent},
    error::{DbError, causes, is_connection_loss, is_stale_statement},
    notices::Notices,
    parameter::{Params, Reply},
    scope::Scope,
    wire::{self, Asked, Outcome},
};

type Callback = Box<dyn FnOnce() + Send>;
type Parting = (&'static str, Vec<Box<dyn ToSql + Sync + Send>>);

/// A transaction. Dropping it without [`Tx::commit`] rolls it back.
pub struct Tx<S: Scope> {
    lender: Arc<Lender>,
    /// Lent when the first statement is sent.
    connection: Option<Lent>,
    opening: Opening,
    phase: Phase,
    unwaited: bool,
    around: Around,
    before_commit: Vec<Parting>,
    after_commit: Vec<Callback>,
    scope: PhantomData<S>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was sent.
    Fresh,
    /// BEGIN and every statement so far succeeded.
    Open,
    /// A statement is on its way, or its future was dropped before it was answered.
    Busy,
    /// A statement failed: PostgreSQL refuses all further ones, and COMMIT would quietly roll back.
    Failed,
}

impl<S: Scope> fmt::Debug for Tx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl<S: Scope> Tx<S> {
    pub(crate) fn new(lender: Arc<Lender>, opening: Opening, around: Around) -> Self {
        Self {
            lender,
            connection: None,
            opening,
            phase: Phase::Fresh,
            unwaited: false,
            around,
            before_commit: Vec::new(),
            after_commit: Vec::new(),
            scope: PhantomData,
        }
    }

    /// For whom this transaction acts; `None` outside [`crate::Org`].
    pub fn context(&self) -> Option<&OrgContext> {
        self.opening.context()
    }

    /// Says which call this transaction is for (`providers.create`), before its first statement. The entry that a
    /// trigger writes about a row of that noun is then the call's.
    pub fn for_call(&mut self, action: &'static str) {
        self.opening.set_action(action);
    }

    /// The clock of the database this transaction belongs to.
    pub fn clock(&self) -> &Clock {
        &self.around.clock
    }

    /// Messages between processes, for use in [`Tx::after_commit`].
    pub fn notices(&self) -> Notices {
        self.around.notices.clone()
    }

    /// Runs a statement; all its rows.
    pub async fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        Ok(self.run(Sql::fixed(sql), params).await?.rows)
    }

    /// Runs a statement; its row, if it gave one. More than one is an error.
    pub async fn query_opt(&mut self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        let mut rows = self.query(sql, params).await?;
        if rows.len() > 1 {
            return Err(DbError::rows("at most one row", rows.len()));
        }
        Ok(rows.pop())
    }

    /// Runs a statement that gives exactly one row.
    pub async fn query_one(&mut self, sql: &'static str, params: Params<'_>) -> Result<Row, DbError> {
        self.query_opt(sql, params).await?.ok_or_else(|| DbError::rows("one row", 0))
    }

    /// Runs a statement; how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, params: Params<'_>) -> Result<u64, DbError> {
        Ok(self.run(Sql::fixed(sql), params).await?.affected)
    }

    /// As [`Tx::query`], for SQL that was compiled from a filter. Values are still bound, never written into it.
    pub async fn query_dynamic(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        Ok(self.run(Sql::dynamic(sql), params).await?.rows)
    }

    /// One read-only statement and the end of the transaction, sent together: one wait. The path of every plain
    /// GET. Only the organization is set, since nothing is written that could name the actor.
    pub async fn read(self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.read_whole(Sql::fixed(sql), params).await
    }

    /// As [`Tx::read`], for a statement that is a short walk along an index whatever its values: it shares a
    /// connection with others of its kind, which is the cheapest way there is. What may run long would hold
    /// those up for a moment, so it does not belong here.
    pub async fn look_up(self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        match &self.lender.lanes {
            Some(lanes) if self.untouched() => {
                if let Some(rows) = lanes.look_up(&self.opening.read(), sql, params).await? {
                    return Ok(rows);
                }
            }
            _ => {}
        }
        self.read(sql, params).await
    }

    /// As [`Tx::read`], for SQL that was compiled from a filter.
    pub async fn read_dynamic(self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.read_whole(Sql::dynamic(sql), params).await
    }

    /// Statements to be sent together: one wait for all of them.
    pub fn batch(&mut self) -> Batch<'_, '_, S> {
        Batch::new(self)
    }

    /// Registers a statement that travels with COMMIT, in the order of registering. If it fails, the transaction
    /// fails. A change whose statements need no answer is sent whole like this: one wait.
    pub fn before_commit(&mut self, sql: &'static str, params: Vec<Box<dyn ToSql + Sync + Send>>) {
        self.before_commit.push((sql, params));
    }

    /// Registers what to do once the commit is known to have succeeded. It must not block.
    pub fn after_commit(&mut self, f: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(f));
    }

    /// Does not wait for the disk when it commits. If PostgreSQL dies, the last moments of such commits may be lost,
    /// each as a whole and never one that a waiting commit came after: only for what may be lost with the answer.
    /// To be called before the first statement.
    pub fn commit_unwaited(&mut self) {
        self.unwaited = true;
    }

    /// Commits. Once started this runs to its end even if the caller goes away, so that what was registered by
    /// [`Tx::after_commit`] happens exactly if the change did.
    pub async fn commit(self) -> Result<(), DbError> {
        self.end("COMMIT").await.map(drop)
    }

    /// Runs a statement and commits, in one wait; the statement's rows.
    pub async fn commit_with(
        mut self,
        sql: &'static str,
        params: Vec<Box<dyn ToSql + Sync + Send>>,
    ) -> Result<Vec<Row>, DbError> {
        self.before_commit(sql, params);
        let last = self.end("COMMIT").await?.pop();
        Ok(last.map(|reply| reply.rows).unwrap_or_default())
    }

    /// Does all that [`Tx::commit`] would do, and takes it back: what fails there fails here.
    pub async fn rehearse(mut self) -> Result<(), DbError> {
        self.after_commit.clear();
        self.end("ROLLBACK").await.map(drop)
    }

    /// Sends what travels with the end, and the end.
    async fn end(mut self, closing: &'static str) -> Result<Vec<Reply>, DbError> {
        self.usable()?;
        let fresh = self.phase == Phase::Fresh;
        let callbacks = std::mem::take(&mut self.after_commit);
        if fresh && self.before_commit.is_empty() {
            run_all(callbacks);
            return Ok(Vec::new());
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.lender.lend().await?,
        };
        let opening = fresh.then(|| self.opening_of_write());
        let partings = std::mem::take(&mut self.before_commit);
        let task = self.lender.tasks.spawn_on(
            async move {
                let replies = finish(connection, opening, &partings, closing).await?;
                run_all(callbacks);
                Ok(replies)
            },
            &self.lender.runtime,
        );
        task.await.map_err(|error| DbError::Unavailable {
            reason: format!("the end of a transaction was interrupted: {error}"),
            outcome_unknown: true,
        })?
    }

    fn opening_of_write(&self) -> String {
        let mut words = self.opening.write();
        if self.unwaited {
            words.push_str(";SET LOCAL synchronous_commit=off");
        }
        words
    }

    /// Rolls back and waits until that is done. Dropping does the same without waiting.
    pub async fn rollback(mut self) -> Result<(), DbError> {
        match self.connection.take() {
            Some(mut connection) if connection.dirty => wire::roll_back(&mut connection).await,
            _ => Ok(()),
        }
    }

    pub(crate) fn usable(&self) -> Result<(), DbError> {
        match self.phase {
            Phase::Fresh | Phase::Open => Ok(()),
            Phase::Busy => Err(DbError::misuse(
                "a statement of this transaction was abandoned half-way, so the transaction cannot go on",
            )),
            Phase::Failed => Err(DbError::misuse(
                "a statement of this transaction failed, so the transaction cannot go on",
            )),
        }
    }

    /// Whether nothing was asked of this transaction yet.
    fn untouched(&self) -> bool {
        self.phase == Phase::Fresh && self.before_commit.is_empty() && self.after_commit.is_empty()
    }

    /// Takes a connection, unless there is one.
    async fn lend(&mut self) -> Result<(), DbError> {
        if self.connection.is_none() {
            self.connection = Some(self.lender.lend().await?);
        }
        Ok(())
    }

    async fn run(&mut self, sql: Sql<'_>, params: Params<'_>) -> Result<Reply, DbError> {
        let mut replies = self.run_together(&[(sql, params)]).await?;
        Ok(replies.pop().unwrap_or_default())
    }

    /// Sends statements together, with BEGIN in front if they are the first.
    pub(crate) async fn run_together(&mut self, statements: &[Asked<'_>]) -> Result<Vec<Reply>, DbError> {
        self.usable()?;
        self.lend().await?;
        let first = self.phase == Phase::Fresh;
        self.phase = Phase::Busy;
        let mut outcome = self.send(first, statements).await;
        if first && self.recover(&outcome).await? {
            outcome = self.send(true, statements).await;
        }
        self.phase = if outcome.is_ok() { Phase::Open } else { Phase::Failed };
        self.explain(outcome)
    }

    async fn send(&mut self, first: bool, statements: &[Asked<'_>]) -> Outcome {
        let opening = first.then(|| self.opening_of_write());
        let Some(connection) = self.connection.as_mut() else { return Outcome::Ok(Vec::new()) };
        wire::send(connection, opening.as_deref(), statements, None).await
    }

    async fn read_whole(mut self, sql: Sql<'_>, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        if !self.untouched() {
            let reply = self.run(sql, params).await?;
            self.commit().await?;
            return Ok(reply.rows);
        }
        self.lend().await?;
        self.phase = Phase::Busy;
        let mut outcome = self.send_whole(sql, params).await;
        if self.recover(&outcome).await? {
            outcome = self.send_whole(sql, params).await;
        }
        let mut replies = self.explain(outcome)?;
        Ok(replies.pop().unwrap_or_default().rows)
    }

    async fn send_whole(&mut self, sql: Sql<'_>, params: Params<'_>) -> Outcome {
        let Some(connection) = self.connection.as_mut() else { return Outcome::Ok(Vec::new()) };
        wire::send(connection, Some(&self.opening.read()), &[(sql, params)], Some("COMMIT")).await
    }

    /// Whether a transaction whose first statement failed can simply begin again, since nothing of it is done:
    /// on another connection if this one was dead (PostgreSQL was restarted), on the same with the statements
    /// prepared anew if a migration had changed a table under them.
    async fn recover(&mut self, outcome: &Outcome) -> Result<bool, DbError> {
        let Err(error) = outcome else { return Ok(false) };
        if is_stale_statement(error) {
            if let Some(mut connection) = self.connection.take() {
                connection.forget_statements();
                if connection.dirty {
                    wire::roll_back(&mut connection).await?;
                }
                self.connection = Some(connection);
            }
            return Ok(true);
        }
        if is_connection_loss(error) {
            self.connection = None;
            self.connection = Some(self.lender.lend().await?);
            return Ok(true);
        }
        Ok(false)
    }

    fn explain(&mut self, outcome: Outcome) -> Result<Vec<Reply>, DbError> {
        outcome.map_err(|error| {
            if is_stale_statement(&error)
                && let Some(connection) = self.connection.as_mut()
            {
                connection.forget_statements();
            }
            DbError::from(error)
        })
    }
}

impl<S: Scope> Drop for Tx<S> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.dirty
        {
            self.lender.tasks.spawn_on(wire::clean_up(connection), &self.lender.runtime);
        }
    }
}

fn run_all(callbacks: Vec<Callback>) {
    for callback in callbacks {
        callback();
    }
}

/// Sends what travels with COMMIT, and COMMIT, or what else is to end the transaction.
async fn finish(
    mut connection: Lent,
    opening: Option<String>,
    partings: &[Parting],
    closing: &str,
) -> Result<Vec<Reply>, DbError> {
    let params: Vec<Vec<&(dyn ToSql + Sync)>> = partings
        .iter()
        .map(|(_, params)| params.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect())
        .collect();
    let statements: Vec<Asked<'_>> =
        partings.iter().zip(&params).map(|((sql, _), params)| (Sql::fixed(sql), params.as_slice())).collect();
    let mut outcome = wire::send(&mut connection, opening.as_deref(), &statements, Some(closing)).await;
    if opening.is_some() && !connection.dirty && outcome.as_ref().is_err_and(is_stale_statement) {
        // A migration changed a table under the prepared statements; nothing was done, so it is asked again.
        connection.forget_statements();
        outcome = wire::send(&mut connection, opening.as_deref(), &statements, Some(closing)).await;
    }
    let failure = match outcome {
        Ok(replies) => return Ok(replies),
        Err(error) if is_connection_loss(&error) => {
            DbError::Unavailable { reason: causes(&error), outcome_unknown: true }
        }
        Err(error) => {
            if is_stale_statement(&error) {
                connection.forget_statements();
            }
            DbError::from(error)
        }
    };
    if connection.dirty {
        wire::clean_up(connection).await;
    }
    Err(failure)
}
