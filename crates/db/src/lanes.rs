//! [`Lanes`]: a few connections that many short reads share.
//!
//! A transaction of its own connection leaves both sides idle between its messages: the server process sleeps until
//! the next one comes, and is woken for it. A look-up by key costs less than that waking. So look-ups are put
//! on a connection one behind the other without waiting for the answers: the server process finds the next
//! when it has answered the last, and a hundred of them cost a handful of system calls.
//!
//! Two things make that safe for tenants. The messages of one look-up (BEGIN with its organization, the
//! statement, COMMIT) are handed to the driver without another's between them, under a lock; so each runs in
//! a transaction of its own, whose setting ends with it, whatever became of the one before. And nothing else is
//! ever sent on these connections but the preparing of statements, under the same lock, and their closing, which
//! no transaction minds. A caller who goes away
//! leaves nothing to clean up: all of a look-up is on its way before the first answer is awaited.
//!
//! What they are not for: anything that may run long (those behind it wait), and SQL made at run time. Their
//! plans are made once, for any value, which for a walk along an index is the only sensible plan. A look-up that
//! takes long all the same, or that meets a lock, is ended after a moment and sent again the ordinary way, where
//! it holds up nobody; and a connection that gives no answer at all is given up.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use deadpool::managed::Manager as _;
use tokio_postgres::{
    Client, Error, Row, Statement,
    error::{DbError as DbServerError, SqlState},
};

use crate::{
    connection::{Connector, address},
    error::{DbError, is_connection_loss, is_stale_statement},
    parameter::{Params, execute},
};

/// One plan for any value, since planning a look-up costs more than running it; and little patience.
const SETTINGS: &str =
    "SET plan_cache_mode=force_generic_plan;SET statement_timeout=1000;SET lock_timeout=100";

/// The connections.
#[derive(Debug)]
pub(crate) struct Lanes {
    connector: Connector,
    lanes: Box<[Lane]>,
    /// How long an answer may take.
    wait: Duration,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Lane {
    open: Mutex<Option<Arc<Open>>>,
    /// One caller connects, the others wait for that.
    connecting: tokio::sync::Mutex<()>,
    under_way: AtomicUsize,
}

struct Open {
    client: Client,
    /// Held while the messages of one look-up are handed to the driver.
    sending: Mutex<()>,
    statements: Mutex<HashMap<(usize, usize), Statement>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

/// Counts a look-up as under way, until it is dropped.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn start(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Lanes that are connected when they are first used.
    pub fn new(connector: Connector, count: usize, wait: Duration) -> Self {
        let lanes = (0..count.max(1)).map(|_| Lane::default()).collect();
        Self { connector, lanes, wait, closed: AtomicBool::new(false) }
    }

    /// Runs one short read-only statement in a transaction of its own that `opening` opens; its rows, or none if
    /// it is not as short as it should be and has to be sent the ordinary way.
    ///
    /// `sql` is tried once more if its connection was lost or its plan outlived a migration: it only reads.
    pub async fn look_up(
        &self,
        opening: &str,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Vec<Row>>, DbError> {
        let Some(lane) = self.lanes.iter().min_by_key(|lane| lane.under_way.load(Ordering::Relaxed)) else {
            return Err(DbError::misuse("there are no connections for look-ups"));
        };
        let _counted = UnderWay::start(&lane.under_way);
        let asked = tokio::time::timeout(self.wait, self.ask(lane, opening, sql, params));
        asked.await.unwrap_or_else(|_| {
            lock(&lane.open).take();
            Err(DbError::unavailable("the database gives no answer"))
        })
    }

    async fn ask(
        &self,
        lane: &Lane,
        opening: &str,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Vec<Row>>, DbError> {
        let open = self.open(lane).await?;
        let mut outcome = open.run(opening, sql, params).await;
        match &outcome {
            Err(error) if is_connection_loss(error) => {
                lane.forget(&open);
                outcome = self.open(lane).await?.run(opening, sql, params).await;
            }
            Err(error) if is_stale_statement(error) => {
                lock(&open.statements).clear();
                outcome = open.run(opening, sql, params).await;
            }
            _ => {}
        }
        match outcome {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if is_impatience(&error) => {
                tracing::debug!(sql, "not a look-up this time");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The lane's connection, made if there is none.
    async fn open(&self, lane: &Lane) -> Result<Arc<Open>, DbError> {
        if let Some(open) = lane.usable() {
            return Ok(open);
        }
        let _alone = lane.connecting.lock().await;
        if let Some(open) = lane.usable() {
            return Ok(open);
        }
        // Boxed: it is rare, and its future must not swell that of every look-up.
        let client = Box::pin(self.connector.create()).await?.client;
        client.batch_execute(SETTINGS).await?;
        let open = Arc::new(Open { client, sending: Mutex::default(), statements: Mutex::default() });
        let mut place = lock(&lane.open);
        if self.closed.load(Ordering::Acquire) {
            return Err(DbError::unavailable("the connections are closed"));
        }
        *place = Some(Arc::clone(&open));
        Ok(open)
    }

    /// Ends the connections once what is under way is answered.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for lane in &self.lanes {
            lock(&lane.open).take();
        }
    }
}

impl Lane {
    fn usable(&self) -> Option<Arc<Open>> {
        lock(&self.open).as_ref().filter(|open| !open.client.is_closed()).map(Arc::clone)
    }

    fn forget(&self, lost: &Arc<Open>) {
        let mut open = lock(&self.open);
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, lost)) {
            *open = None;
        }
    }
}

impl Open {
    async fn run(&self, opening: &str, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        let mut whole = pin!(futures::future::join3(
            self.client.batch_execute(opening),
            execute(&self.client, &statement, params),
            self.client.batch_execute("COMMIT"),
        ));
        // The driver takes a message when its future is first polled: all three are taken here, in this order.
        let first = std::future::poll_fn(|cx| {
            let _alone = lock(&self.sending);
            Poll::Ready(whole.as_mut().poll(cx))
        })
        .await;
        let (begun, reply, ended) = match first {
            Poll::Ready(all) => all,
            Poll::Pending => whole.await,
        };
        begun?;
        let reply = reply?;
        ended?;
        Ok(reply.rows)
    }

    /// The statement, prepared once for this connection.
    async fn statement(&self, sql: &'static str) -> Result<Statement, Error> {
        let known = lock(&self.statements).get(&address(sql)).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        // Preparing asks the server more than once: each of its messages may go between two look-ups, not into one.
        let mut preparing = pin!(self.client.prepare(sql));
        let statement = std::future::poll_fn(|cx| {
            let _alone = lock(&self.sending);
            preparing.as_mut().poll(cx)
        })
        .await?;
        lock(&self.statements).insert(address(sql), statement.clone());
        Ok(statement)
    }
}

/// Whether the server ended a statement because it ran into one of the [`SETTINGS`].
fn is_impatience(error: &Error) -> bool {
    let code = error.as_db_error().map(DbServerError::code);
    code == Some(&SqlState::QUERY_CANCELED) || code == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

/// What these locks hold is whole after every line, so one that a panic poisoned is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
