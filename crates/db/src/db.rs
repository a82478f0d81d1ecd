//! [`Db`]: two pools that nobody else can reach, and the three ways to a transaction.

use std::{sync::Arc, time::Duration};

use deadpool::managed::{Object, Pool, PoolError, QueueMode, TimeoutType};
use marquee_types::Clock;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::{
    connect::Target,
    connection::{Connector, Login},
    context::{Opening, OrgContext},
    error::DbError,
    lanes::Lanes,
    notices::Notices,
    scope::{Anonymous, Org, System},
    tx::Tx,
};

/// The three logins of one database. See docs/tenancy.md for what each may do.
#[derive(Clone, Debug)]
pub struct DatabaseUrls {
    /// `marquee_app`: requests, under row level security.
    pub app: SecretString,
    /// `marquee_system`: workers that act across organizations.
    pub system: SecretString,
    /// `marquee_owner`: migrations only.
    pub admin: SecretString,
}

/// How many connections each pool may open, and how long a caller waits for one.
#[derive(Clone, Copy, Debug)]
pub struct PoolSizes {
    /// For requests.
    pub app: usize,
    /// For cross-tenant work.
    pub system: usize,
    /// Connections that short reads share ([`Tx::look_up`]), in addition.
    pub lanes: usize,
    /// After this a caller is told that the database is unavailable.
    pub wait: Duration,
}

impl Default for PoolSizes {
    /// Enough for two cores several times over: more connections than the server has cores to run them only
    /// queue inside PostgreSQL, where waiting costs more than here.
    fn default() -> Self {
        Self { app: 8, system: 6, lanes: 2, wait: Duration::from_secs(5) }
    }
}

pub(crate) type Lent = Object<Connector>;

/// One pool and what a transaction needs to give its connection back.
#[derive(Debug)]
pub(crate) struct Lender {
    pool: Pool<Connector>,
    wait: Duration,
    /// Only the application's login has them.
    pub lanes: Option<Lanes>,
    pub tasks: TaskTracker,
    pub runtime: Handle,
}

impl Lender {
    fn new(
        target: Target,
        login: Login,
        size: usize,
        lanes: Option<usize>,
        wait: Duration,
        tasks: &TaskTracker,
    ) -> Result<Arc<Self>, DbError> {
        let connector = Connector { target, login, tasks: tasks.clone() };
        let lanes = lanes.map(|count| Lanes::new(connector.clone(), count, wait));
        let pool = Pool::builder(connector)
            .max_size(size.max(1))
            .wait_timeout(Some(wait))
            .create_timeout(Some(crate::connect::CONNECT_TIMEOUT))
            // The most recently used connection has the warmest caches, here and in its server process.
            .queue_mode(QueueMode::Lifo)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| DbError::misuse(error.to_string()))?;
        Ok(Arc::new(Self { pool, wait, lanes, tasks: tasks.clone(), runtime: Handle::current() }))
    }

    pub async fn lend(&self) -> Result<Lent, DbError> {
        // Boxed: it is part of the future of every statement, and large.
        Box::pin(self.pool.get()).await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => DbError::no_connection_within(self.wait),
            PoolError::Timeout(_) => DbError::unavailable("connecting took too long"),
            PoolError::Closed => DbError::unavailable("the pool is closed"),
            other => DbError::unavailable(other.to_string()),
        })
    }
}

/// What a transaction hands on to those who work in it.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub notices: Notices,
    pub clock: Clock,
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: Arc<Lender>,
    system: Arc<Lender>,
    around: Around,
    tasks: TaskTracker,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Its connection would otherwise be kept for nobody.
        self.around.notices.stop();
    }
}

impl Db {
    /// Connects both pools and checks both logins: one that row level security would not bind is refused.
    pub async fn connect(urls: &DatabaseUrls, sizes: PoolSizes, clock: Clock) -> Result<Self, DbError> {
        let tasks = TaskTracker::new();
        let app_target = Target::parse(&urls.app)?;
        let system_target = Target::parse(&urls.system)?;
        if app_target.user() == system_target.user() {
            return Err(DbError::misuse(format!(
                "the app and the system pool must not share a login, but both are {}",
                app_target.user()
            )));
        }
        let app =
            Lender::new(app_target.clone(), Login::App, sizes.app, Some(sizes.lanes), sizes.wait, &tasks)?;
        let system = Lender::new(system_target, Login::System, sizes.system, None, sizes.wait, &tasks)?;
        let (first, second) = futures::join!(app.lend(), system.lend());
        drop((first?, second?));
        let notices = Notices::start(app_target, &tasks);
        Ok(Self(Arc::new(Inner { app, system, around: Around { notices, clock }, tasks })))
    }

    /// A transaction of one organization. Nothing is sent yet: BEGIN and the settings travel with the first
    /// statement.
    pub fn org(&self, context: &OrgContext) -> Result<Tx<Org>, DbError> {
        let opening = Opening::for_organization(context)?;
        Ok(Tx::new(Arc::clone(&self.0.app), opening, self.0.around.clone()))
    }

    /// A transaction across organizations, for workers. `reason` is a short constant that names the use; all of
    /// them stand in a ledger.
    pub fn system(&self, reason: &'static str) -> Tx<System> {
        tracing::debug!(reason, "system transaction");
        let opening = Opening::System(reason);
        Tx::new(Arc::clone(&self.0.system), opening, self.0.around.clone())
    }

    /// A transaction of the application before it knows the organization: every tenant table reads empty, and
    /// only look-ups that are SECURITY DEFINER functions can return rows.
    pub fn anonymous(&self) -> Tx<Anonymous> {
        Tx::new(Arc::clone(&self.0.app), Opening::Anonymous, self.0.around.clone())
    }

    /// Messages between processes; see [`Notices`].
    pub fn notices(&self) -> &Notices {
        &self.0.around.notices
    }

    /// The clock this database was opened with.
    pub fn clock(&self) -> &Clock {
        &self.0.around.clock
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        let connection = self.0.app.lend().await?;
        connection.client.batch_execute("").await?;
        Ok(())
    }

    /// Closes the pools and waits for open transactions to be rolled back and connections to end.
    pub async fn close(&self) {
        self.0.around.notices.stop();
        self.0.app.pool.close();
        if let Some(lanes) = &self.0.app.lanes {
            lanes.close();
        }
        self.0.system.pool.close();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}
