//! Why the embedded PostgreSQL cannot be had: each says what to do about it.

use std::{io, path::PathBuf};

use crate::error::DbError;

/// Why the embedded server could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No server binaries, or none new enough.
    #[error(
        "no PostgreSQL {least} or newer is installed{}; install one (Debian, Ubuntu: `apt-get install \
         postgresql`; Fedora: `dnf install postgresql-server`), name its folder with --postgres-bin-dir, or give \
         --database-url to use a server that runs elsewhere",
        list(found)
    )]
    NoBinaries {
        /// The least major version that is wanted.
        least: u32,
        /// What was found instead, e.g. `14.9 in /usr/lib/postgresql/14/bin`.
        found: Vec<String>,
    },
    /// The folder that was named holds no usable binaries.
    #[error("{folder} holds no PostgreSQL server binaries (postgres, initdb) of version {least} or newer: {reason}",
            folder = folder.display())]
    BadBinaries {
        /// The folder.
        folder: PathBuf,
        /// The least major version that is wanted.
        least: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "the database in {cluster} was made by PostgreSQL {cluster_major}, whose binaries are not installed{}; \
         install them (Debian, Ubuntu: `apt-get install postgresql-{cluster_major}`) or move the data to a newer \
         version with pg_upgrade",
        list(found),
        cluster = cluster.display()
    )]
    WrongVersion {
        /// The cluster's folder.
        cluster: PathBuf,
        /// The major version that made it.
        cluster_major: u32,
        /// What is installed.
        found: Vec<String>,
    },
    /// Another process serves this data folder.
    #[error("{folder} is in use by another Marquee{}; stop that one first, or choose another --data-dir",
            pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), folder = folder.display())]
    AlreadyRunning {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds it, if it said.
        pid: Option<u32>,
    },
    /// The user the database runs as cannot reach its files.
    #[error(
        "the folder {folder} cannot be entered by the user {user}, as whom the database runs because PostgreSQL \
         refuses to run as root; choose a --data-dir that everyone may reach, such as /var/lib/marquee, or permit \
         it: chmod o+x {folder}",
        folder = folder.display()
    )]
    Untraversable {
        /// The first folder on the way that is closed.
        folder: PathBuf,
        /// The user.
        user: String,
    },
    /// The cluster belongs to a user that this process cannot act as.
    #[error(
        "{cluster} belongs to the user with the number {owner}, so only that user or root can serve it; run \
         Marquee as before, or choose another --data-dir",
        cluster = cluster.display()
    )]
    ForeignCluster {
        /// The cluster's folder.
        cluster: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Neither `postgres` nor `nobody` exists.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as; create one: adduser --system --group postgres"
    )]
    NoUser,
    /// A server binary failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The binary.
        program: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// A server that this folder's last owner left behind could not be ended.
    #[error("a PostgreSQL (process {pid}) left behind by an earlier Marquee does not stop; end it by hand")]
    WillNotStop {
        /// Its process.
        pid: u32,
    },
    /// A file or folder could not be used.
    #[error("{what} {path}: {source}", path = path.display())]
    File {
        /// What was tried, e.g. `cannot write`.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The server runs but cannot be used.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl EmbeddedError {
    /// For `map_err`: says what was tried, and on what.
    pub(super) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

fn list(found: &[String]) -> String {
    if found.is_empty() { String::new() } else { format!(" (found: {})", found.join(", ")) }
}
