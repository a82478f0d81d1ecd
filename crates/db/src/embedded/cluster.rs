//! The cluster on disk: made once, and served with settings that are given anew at every start.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::{Child, Command};

use super::{
    binaries::Binaries,
    error::EmbeddedError,
    files::{Layout, remove},
    user::ServerUser,
};

/// Only who reaches the socket and knows a password comes in.
const HBA: &str = "# Written by Marquee: nobody comes in but by the private socket and with a password.\n\
                   local all all scram-sha-256\n";

/// How the server starts, stops and is found.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub layout: Layout,
    pub binaries: Binaries,
    pub user: ServerUser,
    /// The folder of the socket. Short, because a socket's path may have 107 bytes, whatever the data folder is
    /// called.
    pub socket: PathBuf,
}

/// The major version a cluster was made by, if there is one.
pub(super) fn major_of(cluster: &Path) -> Result<Option<u32>, EmbeddedError> {
    let path = cluster.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            EmbeddedError::file("cannot understand", &path)(std::io::Error::other("it holds no version"))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::file("cannot read", &path)(error)),
    }
}

/// A private folder for the socket, in the first of /run and /tmp that lets us.
pub(super) fn socket_folder(user: &ServerUser) -> Result<PathBuf, EmbeddedError> {
    let make = |parent: &str| {
        tempfile::Builder::new()
            .prefix("marquee-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map(tempfile::TempDir::keep)
    };
    let folder = make("/run")
        .or_else(|_| make("/tmp"))
        .map_err(EmbeddedError::file("cannot make a folder for the socket in", "/tmp"))?;
    user.give(&folder)?;
    Ok(folder)
}

impl Cluster {
    /// Makes the cluster: under another name first, so that a start that was interrupted leaves nothing that
    /// looks like one.
    pub async fn create(&self, superuser: &SecretString) -> Result<(), EmbeddedError> {
        let folder = self.layout.unfinished_cluster();
        remove(&folder)?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(EmbeddedError::file("cannot make", &folder))?;
        self.user.give(&folder)?;
        let password_file = self.password_file(superuser)?;
        let output = self
            .user
            .command(&self.binaries.program("initdb"))
            .arg("--pgdata")
            .arg(&folder)
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--data-checksums", "--no-instructions"])
            .output()
            .await
            .map_err(EmbeddedError::file("cannot run", self.binaries.program("initdb")))?;
        remove(&password_file)?;
        if !output.status.success() {
            return Err(EmbeddedError::Failed { program: "initdb", output: tail(&output.stderr) });
        }
        let hba = folder.join("pg_hba.conf");
        fs::write(&hba, HBA).map_err(EmbeddedError::file("cannot write", &hba))?;
        let cluster = self.layout.cluster();
        fs::rename(&folder, &cluster).map_err(EmbeddedError::file("cannot make", &cluster))
    }

    fn password_file(&self, password: &SecretString) -> Result<PathBuf, EmbeddedError> {
        let path = self.socket.join("password");
        let failed = || EmbeddedError::file("cannot write", &path);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed())?;
        std::io::Write::write_all(&mut file, password.expose_secret().as_bytes()).map_err(failed())?;
        self.user.give(&path)?;
        Ok(path)
    }

    /// Starts the server process. It is not ready yet.
    pub fn spawn(&self) -> Result<Child, EmbeddedError> {
        let log = self.layout.startup_log();
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&log)
            .map_err(EmbeddedError::file("cannot write", &log))?;
        let program = self.binaries.program("postgres");
        let mut command = self.user.command(&program);
        command.arg("-D").arg(self.layout.cluster()).stdout(Stdio::null()).stderr(Stdio::from(file));
        self.configure(&mut command);
        command.spawn().map_err(EmbeddedError::file("cannot run", &program))
    }

    fn configure(&self, command: &mut Command) {
        let mut set = |name: &str, value: &str| {
            command.arg("-c").arg(format!("{name}={value}"));
        };
        set("listen_addresses", "");
        set("unix_socket_directories", &self.socket.to_string_lossy());
        set("unix_socket_permissions", "0700");
        let memory = memory_mb();
        set("shared_buffers", &format!("{}MB", (memory / 8).clamp(64, 1024)));
        set("effective_cache_size", &format!("{}MB", (memory / 2).max(128)));
        for (name, value) in SETTINGS {
            set(name, value);
        }
    }

    /// Whether the server whose process id stands in the cluster's pid file says that it accepts connections.
    pub fn is_ready(&self, pid: u32) -> bool {
        postmaster(&self.layout.cluster()).is_some_and(|found| found.pid == pid && found.ready)
    }

    /// The end of what the server said while starting, for an error message.
    pub fn last_words(&self) -> String {
        fs::read(self.layout.startup_log()).map(|log| tail(&log)).unwrap_or_default()
    }
}

/// What differs from PostgreSQL's own choice, and why.
const SETTINGS: &[(&str, &str)] = &[
    ("max_connections", "100"),
    ("work_mem", "8MB"),
    ("maintenance_work_mem", "64MB"),
    // A commit that was answered is on disk.
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    // Fewer, larger checkpoints: a first sync of an inventory writes much at once.
    ("max_wal_size", "1GB"),
    ("checkpoint_timeout", "15min"),
    // Compiling a plan costs more than any query here runs.
    ("jit", "off"),
    // A page of a list does not gain from a second process, and a small machine has none to spare.
    ("max_parallel_workers_per_gather", "0"),
    ("random_page_cost", "1.1"),
    ("autovacuum_vacuum_scale_factor", "0.05"),
    ("autovacuum_analyze_scale_factor", "0.05"),
    ("password_encryption", "scram-sha-256"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    // A week of logs beside the data. Statements may hold personal data and are not repeated in them.
    ("logging_collector", "on"),
    ("log_directory", "log"),
    ("log_filename", "postgresql-%a.log"),
    ("log_truncate_on_rotation", "on"),
    ("log_rotation_age", "1d"),
    ("log_rotation_size", "0"),
    ("log_min_error_statement", "panic"),
    ("log_statement", "none"),
];

/// The machine's memory; a small machine's if it cannot be told.
fn memory_mb() -> u64 {
    fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| text.lines().next()?.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(1024, |kilobytes| kilobytes / 1024)
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("; ")
}

/// What `postmaster.pid` says.
struct Postmaster {
    pid: u32,
    ready: bool,
}

fn postmaster(cluster: &Path) -> Option<Postmaster> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
    Some(Postmaster { pid, ready })
}

/// How long a server gets to end its sessions, and then, told more rudely, to end at all.
const FAST: Duration = Duration::from_secs(15);
const IMMEDIATE: Duration = Duration::from_secs(10);

/// Ends a server that an earlier Marquee left running when it was killed. It could be adopted, but not waited
/// for, since it is nobody's child; a clean stop and a start take less than a second.
pub(super) async fn stop_leftover(cluster: &Path) -> Result<(), EmbeddedError> {
    let Some(found) = postmaster(cluster) else { return Ok(()) };
    if !serves(found.pid, cluster) {
        return Ok(());
    }
    tracing::warn!(pid = found.pid, "stopping a PostgreSQL that an earlier Marquee left running");
    for (signal, patience) in
        [(rustix::process::Signal::INT, FAST), (rustix::process::Signal::QUIT, IMMEDIATE)]
    {
        signal_to(found.pid, signal);
        let gone = async {
            while serves(found.pid, cluster) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(patience, gone).await.is_ok() {
            return Ok(());
        }
    }
    Err(EmbeddedError::WillNotStop { pid: found.pid })
}

/// Whether a process is a server of this cluster, and not one that happens to have a dead server's number.
fn serves(pid: u32, cluster: &Path) -> bool {
    let Ok(command) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let mut arguments = command.split(|byte| *byte == 0);
    arguments.any(|argument| argument == b"-D")
        && arguments.next().is_some_and(|folder| folder == cluster.as_os_str().as_encoded_bytes())
}

pub(super) fn signal_to(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = rustix::process::kill_process(pid, signal)
    {
        tracing::debug!(%error, "a server process could not be signalled");
    }
}

/// Stops a server that is our child: sessions are ended, what was committed is kept.
pub(super) async fn stop(mut child: Child) -> std::io::Result<()> {
    for (signal, patience) in
        [(rustix::process::Signal::INT, FAST), (rustix::process::Signal::QUIT, IMMEDIATE)]
    {
        if let Some(pid) = child.id() {
            signal_to(pid, signal);
        }
        if let Ok(ended) = tokio::time::timeout(patience, child.wait()).await {
            return ended.map(drop);
        }
    }
    child.kill().await
}

/// Asks whatever serves this cluster to stop, without waiting.
pub(super) fn ask_to_stop(cluster: &Path) {
    if let Some(found) = postmaster(cluster)
        && serves(found.pid, cluster)
    {
        signal_to(found.pid, rustix::process::Signal::INT);
    }
}
