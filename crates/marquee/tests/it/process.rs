//! `marquee` as a process: its arguments, its log, and its end by signal.

use std::{
    fs::File,
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use marquee_db::{DatabaseUrls, testing::TestDb};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tempfile::TempDir;

use crate::client::Client;

/// The owner's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// The owner's e-mail address.
pub const OWNER: &str = "owner@orangery.example";
/// The key-encryption key of the tests.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A server over a database of the test bed, on a port that stays the same when it is started again.
pub struct Server {
    pub folder: TempDir,
    pub port: u16,
    urls: DatabaseUrls,
    child: Option<Child>,
}

impl Server {
    /// Makes an organization with its owner, and starts.
    pub async fn start(database: &TestDb) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { folder, port, urls: database.urls.clone(), child: None };
        server.bootstrap("orangery", OWNER);
        server.restart().await;
        server
    }

    /// `marquee` with this server's settings in its environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_marquee"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("MARQUEE_DATABASE_URL", self.urls.app.expose_secret())
            .env("MARQUEE_DATABASE_SYSTEM_URL", self.urls.system.expose_secret())
            .env("MARQUEE_DATABASE_ADMIN_URL", self.urls.admin.expose_secret());
        command
    }

    /// `marquee admin bootstrap`.
    pub fn bootstrap(&self, organization: &str, email: &str) {
        let mut child = self
            .command()
            .args([
                "admin",
                "bootstrap",
                "--organization",
                organization,
                "--email",
                email,
                "--password-stdin",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Starts the server (again) and waits until it is ready.
    pub async fn restart(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let child = self
            .command()
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--allow-loopback-endpoints", "--log", "json", "--log-level", "debug,hyper=info,h2=info"])
            .args(["--worker-lease-seconds", "2"])
            .env("MARQUEE_ENCRYPTION_KEY", KEY)
            .env("MARQUEE_METRICS_TOKEN", "scrape")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let client = self.client();
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            let asked = client.http.get(format!("{}/readyz", client.base)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {ended:?}\n{}", self.log());
            assert!(tokio::time::Instant::now() < deadline, "the server is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Everything it has logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// A caller without a credential.
    pub fn client(&self) -> Client {
        // Another test of this process may have been first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        Client {
            http: reqwest::Client::new(),
            base: format!("http://127.0.0.1:{}", self.port),
            token: None,
            user: None,
        }
    }

    /// The owner, logged in.
    pub async fn owner(&self) -> Client {
        let client = self.client();
        let answer =
            client.post("/api/auth/login", json!({ "email": OWNER, "password": PASSWORD })).await.expect(200);
        client.with_token(answer["token"].as_str().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
