//! The processes: one server and some workers, each started again as soon as it is killed, and the database under them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use marquee_db::DatabaseUrls;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret as _;
use tokio_postgres::NoTls;

use super::Plan;
use crate::suite::{self, Owner};

/// Steps that a process was on: its jobs are leased to it until their leases end, though it is dead.
const IN_WORK: &str = "
    SELECT EXISTS (SELECT FROM jobs j
                     JOIN operation_steps s ON s.organization_id = j.organization_id
                      AND 'op_' || replace(s.operation_id::text, '-', '') = replace(j.payload->>'operation', '-', '')
                    WHERE j.worker LIKE $1 AND s.state IN ('running', 'undoing'))";

/// All of them. The first is the server.
pub struct Crew {
    marquee: PathBuf,
    urls: DatabaseUrls,
    data: PathBuf,
    port: u16,
    log: Option<File>,
    members: Mutex<Vec<Child>>,
}

impl Crew {
    /// Starts all, and waits for the server.
    pub async fn start(plan: &Plan, urls: DatabaseUrls, data: &Path) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = plan.log.as_ref().map(File::create).transpose()?;
        let crew = Self {
            marquee: plan.marquee.clone(),
            urls,
            data: data.to_owned(),
            port,
            log,
            members: Mutex::default(),
        };
        for number in 0..=plan.workers {
            let child = crew.spawn(number)?;
            crew.members.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        }
        let http = reqwest::Client::new();
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let asked = http.get(format!("{}/readyz", crew.url())).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(crew);
            }
            ensure!(Instant::now() < deadline, "the server is not ready after a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An organization's owner.
    pub async fn owner(&self, name: &str) -> Result<Owner> {
        suite::organization(&self.marquee, &self.urls, &self.url(), name).await
    }

    fn spawn(&self, number: usize) -> Result<Child> {
        let mut command = suite::command(&self.marquee, &self.urls);
        if number == 0 {
            command.args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)]);
            command.args(["--reads-per-minute", "1000000", "--writes-per-minute", "1000000"]);
            command.args(["--cloud-calls-per-minute", "1000000"]);
        } else {
            command.arg("work");
        }
        command.args(["--allow-loopback-endpoints", "--worker-lease-seconds", "2", "--log-level", "info"]);
        self.start_process(&mut command)
    }

    fn start_process(&self, command: &mut Command) -> Result<Child> {
        let log = match &self.log {
            Some(file) => Stdio::from(file.try_clone()?),
            None => Stdio::null(),
        };
        command.env("MARQUEE_ENCRYPTION_KEY", suite::KEY).stdout(Stdio::null()).stderr(log);
        command.spawn().with_context(|| format!("cannot start {}", self.marquee.display()))
    }

    /// `kill -9`, and another in its place at once; whether it was on a step.
    pub async fn kill(&self, number: usize) -> Result<bool> {
        let pid = {
            let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            let dead = members.get_mut(number).context("no such process")?;
            let pid = dead.id();
            dead.kill()?;
            dead.wait()?;
            *dead = self.spawn(number)?;
            pid
        };
        // The database may be away just now: then it is not told, and not counted.
        Ok(self.was_in_work(pid).await.unwrap_or(false))
    }

    async fn was_in_work(&self, pid: u32) -> Result<bool> {
        let (client, connection) = tokio_postgres::connect(self.urls.system.expose_secret(), NoTls).await?;
        let worker = format!("{pid}-%");
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&worker];
        let row = tokio::select! {
            row = client.query_one(IN_WORK, &values) => row?,
            ended = connection => { ended?; anyhow::bail!("the connection ended") }
        };
        Ok(row.get(0))
    }

    /// Has PostgreSQL end, in good order or at once; its supervisor starts it again.
    pub async fn restart_database(&self, at_once: bool) -> Result<()> {
        let pid = suite::postmaster(&self.data).context("PostgreSQL is not there")?;
        let process =
            i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process without a number")?;
        kill_process(process, if at_once { Signal::QUIT } else { Signal::INT })?;
        let deadline = Instant::now() + Duration::from_mins(1);
        while suite::postmaster(&self.data).is_none_or(|now| now == pid) {
            ensure!(Instant::now() < deadline, "PostgreSQL does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for child in self.members.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            drop(child.kill().and_then(|()| child.wait()));
        }
    }
}
