//! One connection: its prepared statements, and the pool's rules for making and reusing it.
//!
//! A connection goes back to the pool only when its last transaction is known to be over; `dirty` says so, and
//! a dirty one is thrown away rather than lent again. Its session settings are fixed when it is made:
//! transactions are read-only unless they say otherwise, so that a statement which for any reason ran outside a
//! transaction could not write; and nothing may run or idle for ever.

use std::{collections::HashMap, fmt, time::Duration};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use tokio_postgres::{Client, Statement};
use tokio_util::task::TaskTracker;

use crate::{
    connect::{self, Target},
    error::DbError,
};

/// Texts made at run time (compiled filters) that stay prepared per connection; the least recently used goes.
const DYNAMIC_STATEMENTS: usize = 64;

/// SQL as it is asked for: written in the program, or compiled from a filter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql<'a> {
    text: &'a str,
    fixed: bool,
}

impl<'a> Sql<'a> {
    pub fn fixed(text: &'static str) -> Self {
        Self { text, fixed: true }
    }

    pub fn dynamic(text: &'a str) -> Self {
        Self { text, fixed: false }
    }

    pub fn text(self) -> &'a str {
        self.text
    }

    /// Where a text of the program lies.
    fn address(self) -> Option<(usize, usize)> {
        self.fixed.then_some(address(self.text))
    }
}

/// Where a text lies. A text of the program never moves nor dies, and hashing two words beats hashing a page of SQL.
pub(crate) fn address(text: &str) -> (usize, usize) {
    (text.as_ptr() as usize, text.len())
}

/// A connection and what is prepared on it.
pub(crate) struct Connection {
    pub client: Client,
    /// True from before BEGIN is sent until COMMIT or ROLLBACK is confirmed.
    pub dirty: bool,
    fixed: HashMap<(usize, usize), Statement>,
    dynamic: HashMap<Box<str>, (Statement, u64)>,
    uses: u64,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("dirty", &self.dirty).finish_non_exhaustive()
    }
}

impl Connection {
    pub fn new(client: Client) -> Self {
        Self { client, dirty: false, fixed: HashMap::new(), dynamic: HashMap::new(), uses: 0 }
    }

    /// The prepared statement, if this connection has it.
    pub fn prepared(&mut self, sql: Sql<'_>) -> Option<Statement> {
        if let Some(address) = sql.address() {
            return self.fixed.get(&address).cloned();
        }
        self.uses += 1;
        let (statement, used) = self.dynamic.get_mut(sql.text)?;
        *used = self.uses;
        Some(statement.clone())
    }

    /// Keeps a statement for the next time.
    pub fn keep(&mut self, sql: Sql<'_>, statement: &Statement) {
        if let Some(address) = sql.address() {
            self.fixed.insert(address, statement.clone());
            return;
        }
        if self.dynamic.len() >= DYNAMIC_STATEMENTS {
            let oldest = self.dynamic.iter().min_by_key(|(_, (_, used))| *used).map(|(text, _)| text.clone());
            oldest.and_then(|text| self.dynamic.remove(&text));
        }
        self.uses += 1;
        self.dynamic.insert(sql.text.into(), (statement.clone(), self.uses));
    }

    /// Prepares a statement, or finds it prepared.
    pub async fn prepare(&mut self, sql: Sql<'_>) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.prepared(sql) {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql.text()).await?;
        self.keep(sql, &statement);
        Ok(statement)
    }

    /// Forgets every prepared statement: one was found stale, and what made it so rarely comes alone.
    pub fn forget_statements(&mut self) {
        self.fixed.clear();
        self.dynamic.clear();
    }
}

/// Which of the two logins a pool holds, and so what its sessions may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    App,
    System,
}

impl Login {
    fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::System => "system",
        }
    }

    /// Longest statement: a request must not outlive its caller's patience, a worker's bulk write may.
    fn statement_timeout(self) -> Duration {
        match self {
            Self::App => Duration::from_secs(30),
            Self::System => Duration::from_mins(5),
        }
    }

    fn session_settings(self) -> String {
        format!(
            "SET application_name='marquee {name}';SET default_transaction_read_only=on;SET search_path=public;\
             SET TimeZone='UTC';SET jit=off;SET statement_timeout={statement};SET lock_timeout=10000;\
             SET idle_in_transaction_session_timeout=60000",
            name = self.name(),
            statement = self.statement_timeout().as_millis(),
        )
    }
}

/// Makes and checks the connections of one pool.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub target: Target,
    pub login: Login,
    pub tasks: TaskTracker,
}

impl Manager for Connector {
    type Type = Connection;
    type Error = DbError;

    async fn create(&self) -> Result<Connection, DbError> {
        // Boxed: making a connection is rare, and its future must not swell that of every request.
        let client = Box::pin(connect::connect(&self.target, &self.tasks)).await.map_err(away)?;
        let settings = self.login.session_settings();
        let (settings, role) =
            futures::join!(client.batch_execute(&settings), refuse_powerful_role(&client, self.login));
        settings?;
        role?;
        Ok(Connection::new(client))
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<DbError> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("the server closed the connection"));
        }
        if connection.dirty {
            return Err(RecycleError::message("its last transaction may still be open"));
        }
        Ok(())
    }
}

/// A database that takes no connections (it is being dropped, restored or upgraded) is away.
fn away(error: DbError) -> DbError {
    if error.code() == Some("55000") { DbError::unavailable(error.to_string()) } else { error }
}

/// Row level security binds only those whom PostgreSQL does not exempt: superusers, BYPASSRLS, and (but for
/// FORCE) a table's owner. A login that is one of these, or can become one, would see every tenant.
async fn refuse_powerful_role(client: &Client, login: Login) -> Result<(), DbError> {
    const SQL: &str = "
        SELECT current_user::text, r.rolsuper, r.rolbypassrls, r.rolcreaterole,
               EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid),
               (SELECT min(c.oid::regclass::text) FROM pg_class c
                 WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                   AND c.relnamespace <> pg_my_temp_schema())
          FROM pg_roles r WHERE r.rolname = current_user";
    let messages = client.simple_query(SQL).await?;
    let row = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let Some(row) = row else {
        return Err(DbError::misuse("the database does not know its own current role"));
    };
    let is = |column: usize| row.get(column) == Some("t");
    let name = row.get(0).unwrap_or_default();
    let flaw = if is(1) {
        "is a superuser".to_owned()
    } else if is(2) {
        "has BYPASSRLS".to_owned()
    } else if is(3) {
        "has CREATEROLE".to_owned()
    } else if is(4) {
        "is a member of another role".to_owned()
    } else if let Some(table) = row.get(5) {
        format!("owns {table}")
    } else {
        return Ok(());
    };
    Err(DbError::misuse(format!(
        "the database role {name} {flaw}, so row level security would not bind it; connect the {} pool with a \
         login that owns nothing and has no such right (`marquee migrate --print-roles` shows how to make the \
         three roles)",
        login.name()
    )))
}
