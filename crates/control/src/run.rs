//! How a process starts and ends: the database, the keys, the application, the listeners; and back again.

use std::{
    io::{IsTerminal as _, stderr},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use marquee_db::{DatabaseUrls, Db, PoolSizes, embedded, migrate, provision};
use marquee_types::Clock;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    app::{App, Parts},
    clouds::Clouds,
    config::{Config, Database, ENCRYPTION_KEY_VARIABLE, LogFormat, Storage},
    domains::{audit, identity, providers},
    http::{health::Readiness, limits::Limits, listen},
    vault::{KeySource, Vault},
    workers,
};

/// What this process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Answers requests and works.
    ServeAndWork,
    /// Only works; another process answers.
    Work,
}

/// Buckets of the latency histograms, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// How long a shutdown waits for what runs beside the requests.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sets up logging for the rest of the process. Lines go to standard error.
pub fn log(config: &Config) -> Result<()> {
    let filter =
        EnvFilter::try_new(&config.log_level).with_context(|| format!("--log-level {}", config.log_level))?;
    let registry = tracing_subscriber::registry().with(filter);
    match config.log {
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(stderr))
            .try_init(),
        LogFormat::Human => {
            registry.with(fmt::layer().with_ansi(stderr().is_terminal()).with_writer(stderr)).try_init()
        }
    }
    .context("logging was set up twice")
}

/// A database that is ready to be used, and whatever has to be ended after it.
#[derive(Debug)]
pub enum Ready {
    /// This process runs the server.
    Own(embedded::Embedded),
    /// Another process runs the embedded server, or this one until [`Ready::close`].
    Session(embedded::Session),
    /// It runs elsewhere.
    External(DatabaseUrls),
}

impl Ready {
    /// The logins of the three roles.
    pub fn urls(&self) -> &DatabaseUrls {
        match self {
            Self::Own(server) => server.urls(),
            Self::Session(session) => session.urls(),
            Self::External(urls) => urls,
        }
    }

    /// Stops what this process started.
    pub async fn close(self) -> Result<()> {
        match self {
            Self::Own(server) => server.stop().await?,
            Self::Session(session) => session.close().await?,
            Self::External(_) => {}
        }
        Ok(())
    }
}

/// The database for a server: started here if it is embedded. Its migrations are applied.
pub async fn database(storage: &Storage) -> Result<Ready> {
    let ready = match &storage.database {
        Database::Embedded { .. } => Ready::Own(embedded::start(&options(storage)?).await?),
        external @ Database::External { .. } => Ready::External(external_urls(external).await?),
    };
    migrate(&ready).await?;
    Ok(ready)
}

/// The database for a command that runs beside a server, or without one.
pub async fn database_for_command(storage: &Storage) -> Result<Ready> {
    let ready = match &storage.database {
        Database::Embedded { .. } => Ready::Session(embedded::connect_or_start(&options(storage)?).await?),
        external @ Database::External { .. } => Ready::External(external_urls(external).await?),
    };
    migrate(&ready).await?;
    Ok(ready)
}

async fn migrate(ready: &Ready) -> Result<()> {
    let report = migrate::run(&ready.urls().admin).await?;
    if !report.applied.is_empty() {
        tracing::info!(applied = ?report.applied, "the database was migrated");
    }
    Ok(())
}

fn options(storage: &Storage) -> Result<embedded::Options> {
    let Database::Embedded { bin_dir } = &storage.database else { bail!("the database is not embedded") };
    let data_dir = storage.data_dir.clone().context("an embedded database needs --data-dir DIR")?;
    Ok(embedded::Options { data_dir, bin_dir: bin_dir.clone() })
}

/// The three logins, if all are given. One login alone must be able to make the roles: it then does.
async fn external_urls(database: &Database) -> Result<DatabaseUrls> {
    let Database::External { url, system, admin } = database else { bail!("the database is embedded") };
    match (system, admin) {
        (Some(system), Some(admin)) => {
            Ok(DatabaseUrls { app: url.clone(), system: system.clone(), admin: admin.clone() })
        }
        _ => provision::for_one_login(url).await.context(
            "--database-url alone must be a login that may create roles (Marquee then makes its three roles); \
             otherwise give --database-system-url and --database-admin-url beside it, see \
             `marquee migrate --print-roles`",
        ),
    }
}

/// The keys, from the environment or the key file. A new key is made only where nothing is sealed yet, and a key that
/// stored credentials need and that is not there is refused now, not when they are first used.
async fn vault(config: &Config, db: &Db) -> Result<Vault> {
    let needed = providers::sealing_keys(db.system("keys: which ones the stored credentials need")).await?;
    let strict = !config.accept_lost_keys;
    let source = match (&config.encryption_key, &config.encryption_key_file) {
        (Some(value), _) => {
            KeySource::Value { name: ENCRYPTION_KEY_VARIABLE.to_owned(), value: value.clone() }
        }
        (None, Some(path)) => {
            let own = config.storage.data_dir.as_ref().is_some_and(|dir| path.starts_with(dir));
            ensure!(
                path.exists() || needed.is_empty() || !strict,
                "the key file {} is missing, and stored credentials are sealed with it: restore it from a backup, or start with \
                 --accept-lost-keys and enter them again",
                path.display()
            );
            KeySource::File { path: path.clone(), create: own }
        }
        (None, None) => {
            bail!("there is no encryption key: give --encryption-key-file or {ENCRYPTION_KEY_VARIABLE}")
        }
    };
    let vault = Vault::load(source)?;
    for id in needed {
        if !vault.has_key(&id) && !strict {
            tracing::warn!(
                key = id,
                "stored credentials are sealed with a lost key: they have to be entered again"
            );
            continue;
        }
        ensure!(
            vault.has_key(&id),
            "stored credentials are sealed with the key {id}, which is not among those given: add it as a further \
             line, or start with --accept-lost-keys and enter them again"
        );
    }
    Ok(vault)
}

/// The application over a database.
pub async fn application(config: Config, urls: &DatabaseUrls, clock: Clock) -> Result<App> {
    let sizes = PoolSizes { app: config.database_connections, ..PoolSizes::default() };
    let db = Db::connect(urls, sizes, clock.clone()).await?;
    let vault = vault(&config, &db).await?;
    let identity = identity::Identity::new(db.clone(), clock.clone())?;
    Ok(App::new(Parts {
        limits: Limits::new(&config.rates),
        clouds: Clouds::all(&clock)?,
        security_events: audit::SecurityEvents::default(),
        metrics: metrics(),
        tasks: TaskTracker::new(),
        readiness: Readiness::default(),
        inventory_writers: Semaphore::new((config.database_connections * 3 / 8).max(1)),
        workers: OnceLock::new(),
        db,
        clock,
        vault,
        config,
        identity,
    }))
}

/// The recorder of this process; made once, however many applications there are.
fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let make = || {
        let builder =
            PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics stays empty");
        }
        handle
    };
    HANDLE.get_or_init(make).clone()
}

/// Runs the application until `stop`: workers, listeners, and the small things that recur.
pub async fn run(
    app: App,
    duty: Duty,
    listener: Option<std::net::TcpListener>,
    stop: CancellationToken,
) -> Result<()> {
    let workers = workers::workers(&app);
    let _first = app.workers.set(workers.clone());
    let working = app.tasks.spawn({
        let stop = stop.clone();
        async move { workers.run(stop).await }
    });
    app.tasks.spawn(tend(app.clone(), stop.clone()));
    app.tasks.spawn(identity::tend_credentials(app.identity.credentials().clone(), stop.clone()));
    if let Some(address) = app.config.metrics_listen {
        let listener = listen::bind(address)?;
        app.tasks.spawn(report(listen::metrics(app.clone(), listener, stop.clone()), "the metrics listener"));
    }
    if let (Some(address), Duty::ServeAndWork) = (app.config.redirect_listen, duty) {
        let (tasks, port) = (app.tasks.clone(), app.config.listen.port());
        let (listener, stop) = (listen::bind(address)?, stop.clone());
        app.tasks.spawn(report(
            async move { listen::redirect(&tasks, listener, port, stop).await },
            "the redirect listener",
        ));
    }
    let served = if let Some(listener) = listener {
        listen::serve(app.clone(), listener, stop.clone()).await
    } else {
        stop.cancelled().await;
        Ok(())
    };
    stop.cancel();
    working.await.context("the workers ended by a panic")?;
    app.tasks.close();
    if tokio::time::timeout(PATIENCE, app.tasks.wait()).await.is_err() {
        tracing::warn!("some tasks did not end in {} seconds and are left", PATIENCE.as_secs());
    }
    app.db.close().await;
    served
}

/// Forgets idle callers and lets the histograms of the metrics settle.
async fn tend(app: App, stop: CancellationToken) {
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = minute.tick() => {
                app.limits.forget_idle();
                app.metrics.run_upkeep();
            }
        }
    }
}

async fn report(work: impl Future<Output = Result<()>>, what: &'static str) {
    if let Err(error) = work.await {
        tracing::error!("{what} ended: {error:#}");
    }
}

/// Cancelled by SIGTERM or SIGINT.
pub fn stop_on_signals(tasks: &TaskTracker) -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    });
    Ok(stop)
}

/// A whole server from start to end. `started` runs once the port is bound and the application stands.
pub async fn serve(
    config: Config,
    duty: Duty,
    started: impl AsyncFnOnce(&App, &str) -> Result<()>,
) -> Result<()> {
    let signals = TaskTracker::new();
    let stop = stop_on_signals(&signals)?;
    // The port first: a taken one should be known before a database is started.
    let listener = match duty {
        Duty::ServeAndWork => Some(listen::bind(config.listen)?),
        Duty::Work => None,
    };
    let ready = database(&config.storage).await?;
    let result = async {
        let app = application(config, ready.urls(), Clock::system()).await?;
        let address = listener.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
        if let Some(address) = address {
            let scheme = if app.config.tls.is_some() { "https" } else { "http" };
            let url = format!("{scheme}://{address}");
            started(&app, &url).await?;
            tracing::info!("listening on {url}");
        }
        run(app, duty, listener, stop).await
    };
    let result = result.await;
    ready.close().await?;
    result
}
