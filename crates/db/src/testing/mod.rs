//! A real, migrated database for every test, and the checks that hold for all of them.
//!
//! Tests run under cargo-nextest, which starts the test bed (`scripts/testbed`) first: one private PostgreSQL
//! for the whole run. [`TestDb::new`] copies a migrated template there, which takes some tens of
//! milliseconds, and drops the copy when the test is over. Everything a test does to it goes through the
//! application's own roles.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot have its database has nothing better to do than to panic"
)]

mod catalogue;
mod explain;
mod ledgers;
mod source;

use std::{fmt, time::Duration};

use marquee_types::Clock;
use rand::RngExt as _;
use secrecy::SecretString;
use tokio_postgres::Client;
use tokio_util::task::TaskTracker;

pub use self::{
    catalogue::{broken_rules, catalogue_violations},
    explain::{Plan, explain_as_app, pretend_rows},
    ledgers::{sql_ledger, statements, system_ledger},
};
use crate::{
    connect::{self, Target},
    db::{DatabaseUrls, Db, PoolSizes},
    migrate,
    provision::{self, Passwords},
};

/// Where the bed's server is: a superuser's URL, which only the harness uses.
const BED: &str = "MARQUEE_TEST_POSTGRES";

/// A database of one test. Dropped with it.
pub struct TestDb {
    /// Connected as the application is.
    pub db: Db,
    /// The three logins of this database.
    pub urls: DatabaseUrls,
    /// The database's name.
    pub name: String,
    bed: SecretString,
}

impl fmt::Debug for TestDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDb").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TestDb {
    /// A fresh database with all migrations.
    pub async fn new(clock: Clock) -> Self {
        Self::with_sizes(clock, PoolSizes { app: 4, system: 2, lanes: 1, wait: Duration::from_secs(10) })
            .await
    }

    /// As [`TestDb::new`], with pools of these sizes.
    pub async fn with_sizes(clock: Clock, sizes: PoolSizes) -> Self {
        let bed = bed();
        let tasks = TaskTracker::new();
        let admin = connect::connect(&Target::parse(&bed).unwrap(), &tasks).await.unwrap();
        let template = template(&admin, &bed).await;
        let name = format!("test_{}", hex::encode(rand::rng().random::<[u8; 8]>()));
        copy(&admin, &template, &name).await;
        let urls = urls(&bed, &name);
        let db = Db::connect(&urls, sizes, clock).await.unwrap();
        Self { db, urls, name, bed }
    }

    /// A client that is bound by nothing: to look behind row level security, or to break things on purpose.
    pub async fn superuser(&self) -> Client {
        let target = Target::parse(&self.bed).unwrap().with_database(&self.name);
        connect::connect(&target, &TaskTracker::new()).await.unwrap()
    }

    /// The bed's superuser, for provisioning.
    pub fn superuser_url(&self) -> SecretString {
        self.bed.clone()
    }

    /// A client with the login of one of the three URLs, outside any pool.
    pub async fn client(&self, url: &SecretString) -> Client {
        connect::connect(&Target::parse(url).unwrap(), &TaskTracker::new()).await.unwrap()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let bed = self.bed.clone();
        let name = self.name.clone();
        // Drop cannot wait for the test's own runtime, which may be the thread it blocks: it gets another.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let admin =
                    connect::connect(&Target::parse(&bed).unwrap(), &TaskTracker::new()).await.unwrap();
                admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
            });
        });
        let dropped = dropping.join();
        if !std::thread::panicking() {
            dropped.expect("the test's database is dropped");
        }
    }
}

fn bed() -> SecretString {
    #[expect(clippy::disallowed_methods, reason = "the test bed announces itself in the environment")]
    let url = std::env::var(BED).unwrap_or_else(|_| {
        panic!(
            "this test needs the test bed, which cargo-nextest starts: run `cargo nextest run` (or `make test`) \
             instead of `cargo test`; {BED} is not set"
        )
    });
    SecretString::from(url)
}

fn passwords() -> Passwords {
    // The bed lets everyone in who can reach its private socket; there is nothing to guess.
    let open = || SecretString::from("test".to_owned());
    Passwords { owner: open(), app: open(), system: open() }
}

fn urls(bed: &SecretString, name: &str) -> DatabaseUrls {
    provision::urls(bed, name, &passwords()).unwrap()
}

/// The template with this program's migrations, made by whoever comes first.
async fn template(admin: &Client, bed: &SecretString) -> String {
    let name = format!("template_{}", migrate::fingerprint());
    if is_ready(admin, &name).await {
        return name;
    }
    admin
        .batch_execute("SELECT pg_advisory_lock(hashtextextended('marquee.test_template', 0))")
        .await
        .unwrap();
    if !is_ready(admin, &name).await {
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        let urls = provision::provision_with(bed, &name, &passwords()).await.unwrap();
        migrate::run(&urls.admin).await.unwrap_or_else(|error| panic!("{error}"));
        close_template(admin, &name).await;
    }
    admin
        .batch_execute("SELECT pg_advisory_unlock(hashtextextended('marquee.test_template', 0))")
        .await
        .unwrap();
    name
}

async fn is_ready(admin: &Client, name: &str) -> bool {
    admin
        .query_one("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", &[&name])
        .await
        .unwrap()
        .get(0)
}

/// A template nobody can connect to is one that can always be copied.
async fn close_template(admin: &Client, name: &str) {
    admin
        .batch_execute(&format!("ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"))
        .await
        .unwrap();
    admin
        .execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", &[&name])
        .await
        .unwrap();
}

async fn copy(admin: &Client, template: &str, name: &str) {
    admin
        // Copying files costs half of what writing every page to the log does, where nothing is synced.
        .batch_execute(&format!(
            "CREATE DATABASE {name} TEMPLATE {template} OWNER marquee_owner STRATEGY file_copy"
        ))
        .await
        .unwrap();
    admin.batch_execute(&provision::database_grants(name)).await.unwrap();
}
