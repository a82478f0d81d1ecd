//! The demo's clouds: the simulator with the world `wedding-season`, its three accounts connected, and all of it the same
//! after a restart.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use marquee_simulator::{Options, Simulator, plan::Account, world::built_in};
use marquee_types::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keep;

const WORLD: &str = "wedding-season";

/// Where the ports of the demo's clouds are looked for: the control and the four vendors take five in a row.
const PORTS: std::ops::Range<u16> = 7470..7570;
const IN_A_ROW: u16 = 5;

/// What is kept of the clouds between two starts.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// When the world was entered for the first time.
    entered: DateTime<Utc>,
    /// The first of its ports: connected providers know them.
    port: u16,
}

/// The demo's clouds, running.
#[derive(Debug)]
pub struct Clouds {
    simulator: Simulator,
    state: PathBuf,
}

impl Clouds {
    /// Starts them, as they were when they were last stopped.
    pub async fn start(dir: &Path) -> Result<Self> {
        let kept = kept(&dir.join("demo-world.json"))?;
        let options =
            Options { port: kept.port, entered: Some(kept.entered), ..Options::new(built_in(WORLD)?) };
        let simulator = Simulator::start(options).await.with_context(|| {
            format!(
                "the demo's clouds listen on ports {} to {}",
                kept.port,
                kept.port.saturating_add(IN_A_ROW - 1)
            )
        })?;
        let state = dir.join("demo-world-state.json");
        match std::fs::read(&state) {
            Ok(text) => {
                let export = serde_json::from_slice(&text).with_context(|| {
                    format!("{} is damaged; without it the clouds begin anew", state.display())
                })?;
                simulator.world().import(export)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", state.display())),
        }
        Ok(Self { simulator, state })
    }

    /// Where their control listens.
    pub fn control(&self) -> &str {
        &self.simulator.addresses().control
    }

    /// What connects each of their accounts: bodies for `POST /api/cloud/providers`.
    pub fn providers(&self) -> Vec<Value> {
        let accounts = &self.simulator.world().plan.accounts;
        accounts.iter().filter_map(|account| self.provider(account)).collect()
    }

    fn provider(&self, account: &Account) -> Option<Value> {
        let mut body = self.simulator.provider(account)?;
        body["sync_interval_seconds"] = json!(60);
        Some(body)
    }

    /// Stops them, and keeps what was made in them.
    pub async fn stop(self) -> Result<()> {
        let text = serde_json::to_vec(&self.simulator.world().export())?;
        let written = keep(&self.state, &text);
        self.simulator.stop().await;
        written
    }
}

/// Made at the first start; the ports are free then, and the demo's own from then on.
fn kept(file: &Path) -> Result<Kept> {
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let kept = Kept { entered: Clock::system().now(), port: free_ports()? };
            let text = serde_json::to_vec(&kept)?;
            keep(file, &text)?;
            Ok(kept)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn free_ports() -> Result<u16> {
    let free = |port: u16| TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port)).is_ok();
    let mut starts = PORTS.step_by(10);
    match starts.find(|start| (*start..start + IN_A_ROW).all(free)) {
        Some(port) => Ok(port),
        None => bail!("no five ports in a row are free between {} and {}", PORTS.start, PORTS.end),
    }
}

/// Connects what is not connected yet, through the API like anyone else; gives the names of what it connected.
pub async fn connect(
    url: &str,
    email: &str,
    password: &SecretString,
    providers: Vec<Value>,
) -> Result<Vec<String>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let login = json!({ "email": email, "password": password.expose_secret() });
    let session = call(client.post(format!("{url}/api/auth/login")).json(&login)).await?;
    let token = session["token"].as_str().context("the login gave no token")?.to_owned();
    let at = format!("{url}/api/cloud/providers");
    let listed = call(client.get(format!("{at}?limit=200")).bearer_auth(&token)).await?;
    let known: Vec<&str> =
        listed["items"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    let mut connected = Vec::new();
    for body in providers {
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        if known.contains(&name.as_str()) {
            continue;
        }
        call(client.post(&at).bearer_auth(&token).json(&body))
            .await
            .with_context(|| format!("connecting {name}"))?;
        connected.push(name);
    }
    call(client.post(format!("{url}/api/auth/logout")).bearer_auth(&token)).await?;
    Ok(connected)
}

async fn call(request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    let answer: Value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
    if !status.is_success() {
        bail!("{}", answer["detail"].as_str().unwrap_or("refused"));
    }
    Ok(answer)
}
