//! The embedded server: made, found again, killed, and refused where it should be.
//!
//! Where a test needs a process of its own, to be another user or to be killed, it runs this test binary again
//! with [`probe`], which serves a folder until its input ends.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use marquee_db::{
    DatabaseUrls, Db, PoolSizes,
    embedded::{self, EmbeddedError, Options, ServerState},
    migrate, provision,
};
use marquee_types::Clock;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

const SETTINGS: &str = "SELECT name, setting FROM pg_settings WHERE name IN
    ('listen_addresses', 'data_checksums', 'synchronous_commit', 'fsync', 'lc_collate', 'server_encoding')";
const NOBODY: u32 = 65534;
const FOLDER: &str = "MARQUEE_PROBE_FOLDER";

/// A folder that the unprivileged user of a root's server can enter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

fn options(folder: &Path) -> Options {
    Options { data_dir: folder.to_owned(), bin_dir: None }
}

async fn open(urls: &DatabaseUrls) -> Db {
    Db::connect(urls, PoolSizes::default(), Clock::system()).await.unwrap()
}

async fn count_migrations(db: &Db) -> usize {
    const SQL: &str = "SELECT version FROM schema_migrations";
    db.anonymous().read(SQL, &[]).await.unwrap().len()
}

fn postmaster(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

/// Whether a process runs; one that ended and that nobody has waited for has no command line any more.
fn runs(process: Pid) -> bool {
    fs::read(format!("/proc/{}/cmdline", process.as_raw_nonzero())).is_ok_and(|command| !command.is_empty())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_and_a_command_joins_the_server() {
    let folder = folder();
    // A long path with spaces: neither may reach the socket's address.
    let data_dir = folder.path().join("a folder with spaces").join("x".repeat(150));
    let server = embedded::start(&options(&data_dir)).await.unwrap();
    let report = migrate::run(&server.urls().admin).await.unwrap();
    assert_eq!(report.applied.len(), migrate::MIGRATIONS.len());
    let db = open(server.urls()).await;
    assert_eq!(count_migrations(&db).await, migrate::MIGRATIONS.len());

    match embedded::start(&options(&data_dir)).await {
        Err(EmbeddedError::AlreadyRunning { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("a second server must be refused: {other:?}"),
    }
    let session = embedded::connect_or_start(&options(&data_dir)).await.unwrap();
    let joined = open(session.urls()).await;
    assert_eq!(count_migrations(&joined).await, migrate::MIGRATIONS.len());
    joined.close().await;
    session.close().await.unwrap();
    db.ping().await.unwrap();
    db.close().await;
    server.stop().await.unwrap();
    assert!(!data_dir.join("runtime.json").exists());

    let session = embedded::connect_or_start(&options(&data_dir)).await.unwrap();
    let db = open(session.urls()).await;
    assert_eq!(count_migrations(&db).await, migrate::MIGRATIONS.len());
    assert_eq!(migrate::run(&session.urls().admin).await.unwrap().applied.len(), 0);
    db.close().await;
    session.close().await.unwrap();
    assert!(!data_dir.join("postgres/postmaster.pid").exists());
}

#[tokio::test]
async fn a_killed_server_is_started_again_and_the_pool_finds_it() {
    let folder = folder();
    let server = embedded::start(&options(folder.path())).await.unwrap();
    migrate::run(&server.urls().admin).await.unwrap();
    let db = open(server.urls()).await;
    let mut state = server.state();
    kill_process(postmaster(folder.path()), Signal::KILL).unwrap();
    state.wait_for(|now| matches!(now, ServerState::Restarting(_))).await.unwrap();
    let back = state.wait_for(|now| *now == ServerState::Running);
    timeout(Duration::from_mins(1), back).await.unwrap().unwrap();
    assert_eq!(count_migrations(&db).await, migrate::MIGRATIONS.len());
    db.close().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_has_no_network_address_and_its_files_are_closed() {
    let folder = folder();
    let server = embedded::start(&options(folder.path())).await.unwrap();
    let db = open(server.urls()).await;
    let rows = db.anonymous().read(SETTINGS, &[]).await.unwrap();
    for row in rows {
        let (name, setting): (String, String) = (row.get(0), row.get(1));
        let wanted = match name.as_str() {
            "listen_addresses" => "",
            "lc_collate" => "C.UTF-8",
            "server_encoding" => "UTF8",
            _ => "on",
        };
        assert_eq!(setting, wanted, "{name}");
    }
    for file in ["postgres.json", "runtime.json", "server.lock"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let socket = fs::read_to_string(folder.path().join("runtime.json")).unwrap();
    let socket: serde_json::Value = serde_json::from_str(&socket).unwrap();
    let mode = fs::metadata(socket["socket"].as_str().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let guess =
        format!("host={} user=marquee_app password=guess dbname=marquee", socket["socket"].as_str().unwrap());
    assert!(tokio_postgres::connect(&guess, tokio_postgres::NoTls).await.is_err());
    db.close().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_the_database_user_cannot_enter_is_named() {
    if !is_root() {
        return; // Only root's server runs as another user.
    }
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    match embedded::start(&options(&closed.join("data"))).await {
        Err(EmbeddedError::Untraversable { folder, .. }) => assert_eq!(folder, closed),
        other => panic!("must be refused: {other:?}"),
    }
}

#[tokio::test]
async fn binaries_that_are_missing_or_of_another_version_are_explained() {
    let folder = folder();
    let elsewhere = Options { bin_dir: Some("/nonexistent".into()), ..options(folder.path()) };
    assert!(matches!(embedded::start(&elsewhere).await, Err(EmbeddedError::BadBinaries { .. })));
    let cluster = folder.path().join("postgres");
    fs::create_dir(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "99\n").unwrap();
    if is_root() {
        chown(cluster.join("PG_VERSION"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let error = embedded::start(&options(folder.path())).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::WrongVersion { cluster_major: 99, .. }));
    assert!(error.to_string().contains("apt-get install postgresql-99"), "{error}");
}

#[tokio::test]
async fn a_login_that_may_make_roles_and_databases_is_enough_to_provision() {
    let folder = folder();
    let server = embedded::start(&options(folder.path())).await.unwrap();
    let json = |file: &str| -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(folder.path().join(file)).unwrap()).unwrap()
    };
    let (socket, password) =
        (json("runtime.json")["socket"].clone(), json("postgres.json")["superuser"].clone());
    let (socket, password) = (socket.as_str().unwrap(), password.as_str().unwrap());
    let address = format!("host={socket} user=postgres password={password} dbname=postgres");
    let (superuser, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio_util::task::TaskTracker::new().spawn(connection);
    // As on somebody's server: none of ours is there yet, and the login is no superuser.
    superuser.batch_execute("DROP DATABASE marquee WITH (FORCE)").await.unwrap();
    superuser
        .batch_execute(
            "DROP ROLE marquee_owner, marquee_app, marquee_system;
             CREATE ROLE landlord LOGIN CREATEROLE CREATEDB PASSWORD 'let''s see'",
        )
        .await
        .unwrap();
    let landlord = format!("postgresql://landlord:let's%20see@{}/postgres", socket.replace('/', "%2F"));
    let urls = provision::provision(&landlord.into(), "rented").await.unwrap();
    migrate::run(&urls.admin).await.unwrap();
    let db = open(&urls).await;
    assert_eq!(count_migrations(&db).await, migrate::MIGRATIONS.len());
    db.close().await;
    drop(superuser);
    connection.await.unwrap().unwrap();
    server.stop().await.unwrap();
}

/// Serves the folder named in the environment: says `ready`, and stops when its input ends.
#[tokio::test]
#[ignore = "run by the other tests of this file, in a process of its own"]
async fn probe() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test speaks to this one")]
    let folder = std::env::var(FOLDER).unwrap();
    let server = match embedded::start(&options(Path::new(&folder))).await {
        Ok(server) => server,
        Err(error) => {
            tell(&format!("refused {error}"));
            return;
        }
    };
    tell("ready");
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    end.await.unwrap().unwrap();
    server.stop().await.unwrap();
    tell("stopped");
}

#[expect(clippy::print_stdout, reason = "the pipe to the parent test")]
fn tell(what: &str) {
    println!("\nprobe: {what}");
}

struct Probe {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Probe {
    fn start(program: &Path, data_dir: &Path, user: Option<u32>) -> Self {
        let mut command = Command::new(program);
        command
            .args(["--exact", "embedded::probe", "--ignored", "--nocapture"])
            .env(FOLDER, data_dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn hear(&mut self) -> String {
        let next = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if let Some(said) = line.strip_prefix("probe: ") {
                    return said.to_owned();
                }
            }
            "nothing more".to_owned()
        };
        timeout(Duration::from_mins(1), next).await.unwrap()
    }

    /// Ends its input, upon which it stops its server.
    async fn stop(mut self) {
        drop(self.child.stdin.take());
        assert_eq!(self.hear().await, "stopped");
        assert!(self.child.wait().await.unwrap().success());
    }
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

#[tokio::test]
async fn a_killed_owner_leaves_nothing_the_next_start_cannot_clear() {
    let folder = folder();
    let mut owner = Probe::start(&this_program(), folder.path(), None);
    assert_eq!(owner.hear().await, "ready");
    let orphan = postmaster(folder.path());
    owner.child.kill().await.unwrap();
    assert!(runs(orphan));
    assert!(folder.path().join("runtime.json").exists());

    let server = embedded::start(&options(folder.path())).await.unwrap();
    assert_ne!(postmaster(folder.path()), orphan);
    assert!(!runs(orphan));
    open(server.urls()).await.close().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn of_two_that_start_at_once_one_serves_and_the_other_says_who_does() {
    let folder = folder();
    let mut probes = [
        Probe::start(&this_program(), folder.path(), None),
        Probe::start(&this_program(), folder.path(), None),
    ];
    let said = [probes[0].hear().await, probes[1].hear().await];
    let winner = usize::from(said[0] != "ready");
    assert_eq!(said[winner], "ready");
    let pid = probes[winner].child.id().unwrap();
    assert!(said[1 - winner].starts_with("refused"), "{said:?}");
    assert!(said[1 - winner].contains(&format!("process {pid}")), "{said:?}");
    let [first, second] = probes;
    if winner == 0 { first.stop().await } else { second.stop().await }
}

#[tokio::test]
async fn an_ordinary_user_runs_the_server_as_themselves() {
    if !is_root() {
        return; // Then every other test of this file shows it.
    }
    let folder = folder();
    // The test binary may lie where only root can go.
    let program = folder.path().join("probe");
    fs::copy(this_program(), &program).unwrap();
    let data_dir = folder.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    chown(&data_dir, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut probe = Probe::start(&program, &data_dir, Some(NOBODY));
    assert_eq!(probe.hear().await, "ready");
    let process = format!("/proc/{}", postmaster(&data_dir).as_raw_nonzero());
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(process).unwrap()), NOBODY);
    probe.stop().await;
}
