//! Migrations: forward only, each in a transaction of its own, under a lock, with a checksum.
//!
//! The files are part of the program. A file that was applied is never run again, and one that was changed
//! afterwards is refused: databases that were made from the same files stay the same.

use std::{fmt, time::Instant};

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, error::ErrorPosition};
use tokio_util::task::TaskTracker;

use crate::{
    connect::{self, Target},
    db::Db,
    error::{DbError, causes},
};

/// Every migration: file name and SQL, in order.
pub const MIGRATIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Any constant would do; it must be the same in every process.
const LOCK: i64 = 0x6d61_7271_7565_6501;

/// Why the database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The database could not be reached or refused something of the migrator itself.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A migration failed; it was rolled back, the ones before it stand.
    #[error("migration {file} failed{}: {message}", .line.map(|line| format!(" at line {line}")).unwrap_or_default())]
    Failed {
        /// The file.
        file: String,
        /// Where in it, if the server said.
        line: Option<usize>,
        /// What the server said.
        message: String,
    },
    /// A file differs from what was applied under its number.
    #[error(
        "migration {file} was changed after it had been applied; restore it and add a new migration instead"
    )]
    Changed {
        /// The file as it is called now.
        file: String,
    },
    /// The database has migrations that this program does not know.
    #[error(
        "the database is at migration {database}, newer than this program, which ends at {program}; run the newer program"
    )]
    TooNew {
        /// The highest version applied.
        database: i32,
        /// The highest version this program knows.
        program: i32,
    },
    /// A file of this program is not named `NNNN_<domain>_<what>.sql`, or two share a number.
    #[error("migration file {0} has no number of its own in front")]
    BadName(String),
}

impl From<tokio_postgres::Error> for MigrateError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The files that were applied now, in order.
    pub applied: Vec<String>,
    /// The version the database is at.
    pub version: i32,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} migrations applied, now at version {}", self.applied.len(), self.version)
    }
}

struct Migration {
    version: i32,
    file: &'static str,
    sql: &'static str,
    checksum: String,
}

fn all(files: &[(&'static str, &'static str)]) -> Result<Vec<Migration>, MigrateError> {
    let mut migrations: Vec<Migration> = Vec::with_capacity(files.len());
    for (file, sql) in files {
        let number = file.split_once('_').and_then(|(number, _)| number.parse::<i32>().ok());
        let version = number.filter(|version| *version > migrations.last().map_or(0, |last| last.version));
        let version = version.ok_or_else(|| MigrateError::BadName((*file).to_owned()))?;
        migrations.push(Migration { version, file, sql, checksum: hex::encode(Sha256::digest(sql)) });
    }
    Ok(migrations)
}

/// A name for exactly this set of migrations.
pub fn fingerprint() -> String {
    let mut digest = Sha256::new();
    for (file, sql) in MIGRATIONS {
        digest.update(file);
        digest.update([0]);
        digest.update(sql);
        digest.update([0]);
    }
    hex::encode(&digest.finalize()[..8])
}

/// Applies what is missing, as the owner. Two that run at once wait for each other.
pub async fn run(admin: &SecretString) -> Result<Report, MigrateError> {
    let tasks = TaskTracker::new();
    let client = connect::connect(&Target::parse(admin)?, &tasks).await?;
    client.batch_execute("SET application_name='marquee migrate';SET TimeZone='UTC';SET jit=off").await?;
    // The lock is the session's, and the session ends with this function.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let migrations = all(MIGRATIONS)?;
    let missing = missing(&client, &migrations).await?;
    let mut applied = Vec::new();
    for migration in missing {
        apply(&client, migration).await?;
        tracing::info!(file = migration.file, "migration applied");
        applied.push(migration.file.to_owned());
    }
    let version = migrations.last().map_or(0, |last| last.version);
    Ok(Report { applied, version })
}

/// The files this database has not had yet; none means that it is ready for this program.
pub async fn pending(db: &Db) -> Result<Vec<String>, MigrateError> {
    let rows = match db.anonymous().read(APPLIED, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some("42P01") => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let applied = rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(i32, String)>>();
    let migrations = all(MIGRATIONS)?;
    Ok(compare(&migrations, &applied)?.iter().map(|migration| migration.file.to_owned()).collect())
}

const APPLIED: &str = "SELECT version, checksum FROM public.schema_migrations ORDER BY version";

async fn missing<'m>(
    client: &Client,
    migrations: &'m [Migration],
) -> Result<Vec<&'m Migration>, MigrateError> {
    let exists: bool =
        client.query_one("SELECT to_regclass('public.schema_migrations') IS NOT NULL", &[]).await?.get(0);
    let mut applied = Vec::new();
    if exists {
        for row in client.query(APPLIED, &[]).await? {
            applied.push((row.get(0), row.get(1)));
        }
    }
    compare(migrations, &applied)
}

fn compare<'m>(
    migrations: &'m [Migration],
    applied: &[(i32, String)],
) -> Result<Vec<&'m Migration>, MigrateError> {
    let program = migrations.last().map_or(0, |last| last.version);
    let mut missing = Vec::new();
    for migration in migrations {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, checksum)) if *checksum != migration.checksum => {
                return Err(MigrateError::Changed { file: migration.file.to_owned() });
            }
            Some(_) => {}
            None => missing.push(migration),
        }
    }
    match applied.iter().find(|(version, _)| migrations.iter().all(|known| known.version != *version)) {
        Some((version, _)) => Err(MigrateError::TooNew { database: *version, program }),
        None => Ok(missing),
    }
}

async fn apply(client: &Client, migration: &Migration) -> Result<(), MigrateError> {
    let failed = |error: tokio_postgres::Error| {
        let line = error.as_db_error().and_then(|server| match server.position() {
            Some(ErrorPosition::Original(at)) => Some(line_of(migration.sql, *at as usize)),
            _ => None,
        });
        let message = causes(&error);
        MigrateError::Failed { file: migration.file.to_owned(), line, message }
    };
    let began = Instant::now();
    client.batch_execute("BEGIN;SET LOCAL search_path=public").await?;
    let outcome = client.batch_execute(migration.sql).await;
    if let Err(error) = outcome {
        client.batch_execute("ROLLBACK").await?;
        return Err(failed(error));
    }
    let duration = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    client
        .execute(
            "INSERT INTO public.schema_migrations (version, name, checksum, duration_ms) VALUES ($1, $2, $3, $4)",
            &[&migration.version, &migration.file, &migration.checksum, &duration],
        )
        .await?;
    client.batch_execute("COMMIT").await.map_err(failed)
}

/// The line of the `at`-th character, both counted from one.
fn line_of(sql: &str, at: usize) -> usize {
    1 + sql.chars().take(at.saturating_sub(1)).filter(|c| *c == '\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(migrations: &[Migration]) -> Vec<(i32, String)> {
        migrations.iter().map(|migration| (migration.version, migration.checksum.clone())).collect()
    }

    #[test]
    fn every_file_has_a_number_of_its_own() {
        assert!(all(MIGRATIONS).is_ok_and(|migrations| !migrations.is_empty()));
        assert!(matches!(all(&[("0001_a.sql", ""), ("0001_b.sql", "")]), Err(MigrateError::BadName(_))));
        assert!(matches!(all(&[("base.sql", "")]), Err(MigrateError::BadName(_))));
    }

    #[test]
    fn a_changed_or_unknown_migration_is_refused() {
        let known = all(&[("0001_a.sql", "SELECT 1"), ("0002_b.sql", "SELECT 2")]).unwrap();
        let mut had = applied(&known);
        assert_eq!(compare(&known, &had).unwrap().len(), 0);
        assert_eq!(compare(&known, &had[..1]).unwrap()[0].file, "0002_b.sql");
        had.push((3, String::new()));
        assert!(matches!(compare(&known, &had), Err(MigrateError::TooNew { database: 3, program: 2 })));
        had[0].1 = "other".to_owned();
        assert!(matches!(compare(&known, &had), Err(MigrateError::Changed { .. })));
    }

    #[test]
    fn a_position_becomes_a_line() {
        assert_eq!(line_of("a\nb\nc", 1), 1);
        assert_eq!(line_of("a\nb\nc", 3), 2);
        assert_eq!(line_of("a\nb\nc", 5), 3);
    }
}
