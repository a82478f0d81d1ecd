//! A PostgreSQL of Marquee's own, for who has none: a private cluster in the data folder, served by whatever
//! server binaries are installed.
//!
//! `DIR/postgres` is the cluster, `DIR/postgres.json` its passwords, `DIR/server.lock` says which process serves
//! it, and `DIR/runtime.json` how other processes reach it. The server listens on one Unix socket in a folder of
//! its own and asks for a password there; it has no network address. Started as root, it runs as `postgres`.
//!
//! One process at a time serves a folder: [`start`] takes the lock or says who holds it. A command that only
//! needs the database for a moment uses [`connect_or_start`]: it joins the server that runs, or starts one and
//! stops it afterwards. The server is started again when it dies; one that outlived a killed Marquee is stopped
//! by the next, before it starts its own.

mod binaries;
mod cluster;
mod error;
mod files;
mod supervisor;
mod user;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{binaries::LEAST_MAJOR, error::EmbeddedError, supervisor::ServerState};
use self::{
    cluster::Cluster,
    files::{Layout, Lock, Runtime, Secrets, read_json, remove, write_json},
    user::ServerUser,
};
use crate::{
    connect::{self, Target},
    db::DatabaseUrls,
    provision,
};

/// The database's name in the cluster.
const DATABASE: &str = "marquee";

/// Where the cluster is, and whose binaries serve it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; made if it does not exist.
    pub data_dir: PathBuf,
    /// The folder of the server binaries; `None` finds the newest installed.
    pub bin_dir: Option<PathBuf>,
}

/// A server that this process runs.
#[derive(Debug)]
pub struct Embedded {
    urls: DatabaseUrls,
    version: String,
    layout: Layout,
    socket: PathBuf,
    lock: Option<Lock>,
    stop: CancellationToken,
    state: watch::Receiver<ServerState>,
    tasks: TaskTracker,
    postmaster_of: PathBuf,
}

/// Starts the server of a data folder and keeps it running. The first start makes the cluster (about two
/// seconds), later ones take some tenths of a second.
pub async fn start(options: &Options) -> Result<Embedded, EmbeddedError> {
    let layout = Layout::open(&options.data_dir)?;
    let lock = Lock::take(&layout)?;
    start_locked(options, layout, lock).await
}

async fn start_locked(options: &Options, layout: Layout, lock: Lock) -> Result<Embedded, EmbeddedError> {
    forget_predecessor(&layout)?;
    let folder = layout.cluster();
    let user = ServerUser::choose(&folder)?;
    user.must_reach(&layout.folder).await?;
    cluster::stop_leftover(&folder).await?;
    let major = cluster::major_of(&folder)?;
    let binaries = binaries::choose(options.bin_dir.as_deref(), &folder, major).await?;
    let socket = cluster::socket_folder(&user)?;
    let cluster = Cluster { layout: layout.clone(), binaries, user, socket: socket.clone() };
    let started = bring_up(&cluster, major.is_none()).await;
    let (child, urls) = match started {
        Ok(started) => started,
        Err(error) => {
            remove(&socket)?;
            return Err(error);
        }
    };
    tracing::info!(version = cluster.binaries.version, socket = %socket.display(), "PostgreSQL is running");
    let (sender, state) = watch::channel(ServerState::Running);
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let version = cluster.binaries.version.clone();
    tasks.spawn(supervisor::supervise(cluster, child, stop.clone(), sender));
    tasks.close();
    let postmaster_of = folder;
    Ok(Embedded { urls, version, layout, socket, lock: Some(lock), stop, state, tasks, postmaster_of })
}

/// Clears what a predecessor that was killed could not: its runtime file, and the folder of its socket.
fn forget_predecessor(layout: &Layout) -> Result<(), EmbeddedError> {
    if let Some(runtime) = read_json::<Runtime>(&layout.runtime())? {
        let ours =
            runtime.socket.file_name().is_some_and(|name| name.to_string_lossy().starts_with("marquee-"));
        if ours {
            remove(&runtime.socket)?;
        }
        remove(&layout.runtime())?;
    }
    Ok(())
}

/// Makes the cluster if it is new, starts the server, makes the roles, and says how to reach it.
async fn bring_up(
    cluster: &Cluster,
    new: bool,
) -> Result<(tokio::process::Child, DatabaseUrls), EmbeddedError> {
    let secrets_file = cluster.layout.secrets();
    let known = if new { None } else { read_json::<Secrets>(&secrets_file)? };
    let mut secrets = match known {
        Some(secrets) => secrets,
        None if new => Secrets::new(),
        None => {
            let lost = std::io::Error::other("it is missing, and with it the passwords of the database");
            return Err(EmbeddedError::file("cannot read", secrets_file)(lost));
        }
    };
    if new {
        // First, so that a cluster never exists without its passwords.
        write_json(&secrets_file, &secrets)?;
        tracing::info!(version = cluster.binaries.version, "making a database cluster");
        cluster.create(&secrets.superuser()).await?;
    }
    let child = supervisor::start(cluster).await?;
    let reached = reach(cluster, &mut secrets).await;
    match reached {
        Ok(urls) => Ok((child, urls)),
        Err(error) => {
            // What is reported is why it cannot be used.
            cluster::stop(child).await.ok();
            Err(error)
        }
    }
}

async fn reach(cluster: &Cluster, secrets: &mut Secrets) -> Result<DatabaseUrls, EmbeddedError> {
    let superuser = superuser_url(&cluster.socket, &secrets.superuser());
    let passwords = secrets.passwords();
    if !secrets.provisioned {
        provision::provision_with(&superuser, DATABASE, &passwords).await?;
        secrets.provisioned = true;
        write_json(&cluster.layout.secrets(), secrets)?;
    }
    let runtime = Runtime {
        pid: std::process::id(),
        socket: cluster.socket.clone(),
        database: DATABASE.to_owned(),
        roles: provision::ROLES.map(str::to_owned),
        secrets: cluster.layout.secrets(),
    };
    write_json(&cluster.layout.runtime(), &runtime)?;
    Ok(provision::urls(&superuser, DATABASE, &passwords)?)
}

fn superuser_url(socket: &Path, password: &SecretString) -> SecretString {
    let host =
        url::form_urlencoded::byte_serialize(socket.as_os_str().as_encoded_bytes()).collect::<String>();
    SecretString::from(format!("postgresql://postgres:{}@{host}/postgres", password.expose_secret()))
}

impl Embedded {
    /// The three logins.
    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// The server's version, e.g. `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the server is doing, and every change of it.
    pub fn state(&self) -> watch::Receiver<ServerState> {
        self.state.clone()
    }

    /// Stops the server cleanly and lets go of the data folder. Close the pools first: their sessions are ended.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        self.stop.cancel();
        self.tasks.wait().await;
        remove(&self.layout.runtime())?;
        remove(&self.socket)?;
        match self.lock.take() {
            Some(lock) => lock.release().map_err(EmbeddedError::file("cannot unlock", self.layout.lock())),
            None => Ok(()),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // Not stopped in good order, perhaps in a panic: at least ask the server to end, and do not start it
        // again. The next start waits for it and clears the rest.
        self.stop.cancel();
        if self.lock.is_some() {
            cluster::ask_to_stop(&self.postmaster_of);
        }
    }
}

/// The database of a data folder, for a command that needs it for a moment.
#[derive(Debug)]
pub struct Session {
    urls: DatabaseUrls,
    own: Option<Embedded>,
}

/// Joins the server that runs on a data folder, or starts one for the time of this session.
pub async fn connect_or_start(options: &Options) -> Result<Session, EmbeddedError> {
    let layout = Layout::open(&options.data_dir)?;
    let deadline = Instant::now() + JOIN_WITHIN;
    loop {
        let refused = match Lock::take(&layout) {
            Ok(lock) => {
                let own = start_locked(options, layout, lock).await?;
                return Ok(Session { urls: own.urls.clone(), own: Some(own) });
            }
            Err(refused @ EmbeddedError::AlreadyRunning { .. }) => refused,
            Err(error) => return Err(error),
        };
        if let Some(urls) = join(&layout).await? {
            return Ok(Session { urls, own: None });
        }
        // It is starting, or stopping: either way this ends.
        if Instant::now() > deadline {
            return Err(refused);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// How long a command waits for another process's server to be ready.
const JOIN_WITHIN: Duration = Duration::from_mins(1);

/// The logins of the running server, if it is ready.
async fn join(layout: &Layout) -> Result<Option<DatabaseUrls>, EmbeddedError> {
    let Some(runtime) = read_json::<Runtime>(&layout.runtime())? else { return Ok(None) };
    if files::holder(layout) != Some(runtime.pid) {
        return Ok(None);
    }
    let Some(secrets) = read_json::<Secrets>(&runtime.secrets)? else { return Ok(None) };
    let superuser = superuser_url(&runtime.socket, &secrets.superuser());
    let urls = provision::urls(&superuser, &runtime.database, &secrets.passwords())?;
    match connect::connect(&Target::parse(&urls.app)?, &TaskTracker::new()).await {
        Ok(_client) => Ok(Some(urls)),
        Err(error) if error.is_unavailable() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Session {
    /// The three logins.
    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// Stops the server if this session started it.
    pub async fn close(self) -> Result<(), EmbeddedError> {
        match self.own {
            Some(own) => own.stop().await,
            None => Ok(()),
        }
    }
}
