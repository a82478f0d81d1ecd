//! The processes that are measured: the released server, and the replayed account.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use marquee_db::DatabaseUrls;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load::process::{Cost, Meter};

const PASSWORD: &str = "a password for the benchmark";
/// The key-encryption key.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A folder that the unprivileged user of PostgreSQL can reach, gone afterwards.
pub fn folder() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("marquee-bench-").tempdir_in("/var/tmp")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// The machine, for the record.
pub fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{cores} cores of {}", model.trim_start_matches([' ', '\t', ':']))
}

/// The first process of the embedded server.
pub fn postmaster(data: &Path) -> Option<u32> {
    let file = fs::read_to_string(data.join("postgres").join("postmaster.pid")).ok()?;
    file.lines().next()?.parse().ok()
}

/// The server as it is released.
#[derive(Debug)]
pub struct Server {
    pub url: String,
    child: Child,
    http: reqwest::Client,
    urls: DatabaseUrls,
    marquee: std::path::PathBuf,
}

/// The owner of an organization, logged in.
#[derive(Debug)]
pub struct Owner {
    pub token: String,
    url: String,
    http: reqwest::Client,
}

impl Server {
    /// Starts it on a free port and waits until it is ready.
    pub async fn start(marquee: &Path, urls: &DatabaseUrls, arguments: &[&str]) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = command(marquee, urls)
            .args(["serve", "--allow-loopback-endpoints", "--listen", &format!("127.0.0.1:{port}")])
            .args(arguments)
            .env("MARQUEE_ENCRYPTION_KEY", KEY)
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", marquee.display()))?;
        let url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::new();
        let server = Self { url, child, http, urls: urls.clone(), marquee: marquee.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !server.ready().await {
            ensure!(Instant::now() < deadline, "the server is not ready after 30 seconds");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    async fn ready(&self) -> bool {
        let asked = self.http.get(format!("{}/readyz", self.url)).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has cost so far.
    pub fn cost(&self) -> Cost {
        Meter::of_process(self.pid()).read()
    }

    /// Makes an organization and logs its owner in.
    pub async fn organization(&self, name: &str) -> Result<Owner> {
        organization(&self.marquee, &self.urls, &self.url, name).await
    }

    /// Ends it.
    pub fn stop(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Makes an organization at a server and logs its owner in.
pub async fn organization(marquee: &Path, urls: &DatabaseUrls, url: &str, name: &str) -> Result<Owner> {
    let email = format!("owner@{name}.example");
    let mut bootstrap = command(marquee, urls)
        .args(["admin", "bootstrap", "--organization", name, "--email", &email, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    bootstrap.stdin.take().context("no standard input")?.write_all(PASSWORD.as_bytes())?;
    ensure!(bootstrap.wait()?.success(), "bootstrap failed");
    let anybody = Owner { token: String::new(), url: url.to_owned(), http: reqwest::Client::new() };
    let answer = anybody.post("/api/auth/login", &json!({ "email": email, "password": PASSWORD })).await?;
    let token = answer["token"].as_str().context("a login without a token")?.to_owned();
    Ok(Owner { token, ..anybody })
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended by `stop`, or ended here because the suite failed: either way there is nothing to tell.
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

impl Owner {
    /// Sends a body; the answer's.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await?;
        super::success(answer.status().as_u16(), answer.json().await?)
    }

    /// Sends whatever method, with an idempotency key if it changes something; the status and the answer, whatever they are.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let changes = method != reqwest::Method::GET;
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(body) };
        let request = match key.filter(|_| changes) {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        let answer = request.timeout(Duration::from_secs(40)).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Gets.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await?;
        super::success(answer.status().as_u16(), answer.json().await?)
    }

    /// Syncs a provider; the seconds from the request to the committed end.
    pub async fn sync(&self, provider: &str) -> Result<f64> {
        let began = Instant::now();
        self.operation(provider).await?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Syncs a provider; the operation at its end.
    pub async fn operation(&self, provider: &str) -> Result<Value> {
        let started = self.post(&format!("/api/cloud/providers/{provider}/sync"), &Value::Null).await?;
        let id = started["operation"]["id"].as_str().context("a sync without an operation")?.to_owned();
        loop {
            let operation = self.get(&format!("/api/operations/{id}/wait?timeout_seconds=60")).await?;
            if operation["done"] == true {
                ensure!(operation["state"] == "succeeded", "the sync ended so: {operation}");
                return Ok(operation);
            }
        }
    }
}

/// The replayed account, as a process of its own.
#[derive(Debug)]
pub struct Replay {
    child: Child,
    endpoint: String,
}

impl Replay {
    /// Starts it on a free port.
    pub fn start(instances: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["replay-ec2", "--listen", "127.0.0.1:0", "--instances", &instances.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        Ok(Self { child, endpoint: line.trim().to_owned() })
    }

    /// The body that connects it.
    pub fn provider(&self) -> Value {
        super::provider(&self.endpoint)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// `marquee` with the database in its environment.
pub fn command(marquee: &Path, urls: &DatabaseUrls) -> Command {
    let mut command = Command::new(marquee);
    command
        .env("MARQUEE_DATABASE_URL", urls.app.expose_secret())
        .env("MARQUEE_DATABASE_SYSTEM_URL", urls.system.expose_secret())
        .env("MARQUEE_DATABASE_ADMIN_URL", urls.admin.expose_secret());
    command
}
