//! What is sent: the scenarios, and their requests as bytes that are ready to go.

use std::{fmt::Write as _, str::FromStr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::http1::Connection;

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Plan {
    /// The server.
    pub url: Target,
    /// Who asks; the connections take turns.
    pub tokens: Vec<String>,
    /// What is asked.
    pub scenario: Scenario,
    /// How many connections.
    pub connections: usize,
    /// Not measured.
    pub warmup: Duration,
    /// Measured.
    pub measure: Duration,
    /// The server's process.
    pub server_pid: Option<u32>,
    /// The database's first process.
    pub database_pid: Option<u32>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The first page of 20 providers
    ProvidersList,
    /// One provider by its id, in turn
    ProviderGet,
    /// The first page of 50 resources
    ResourcesPage,
    /// Connect a provider without asking its cloud, each under a new name
    ProviderCreate,
    /// The same, each with an `Idempotency-Key` of its own
    ProviderCreateKeyed,
}

/// Where a server is: `http://HOST:PORT`.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host and port.
    pub address: String,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let rest = text.strip_prefix("http://").context("the URL must begin with http://")?;
        let address = rest.trim_end_matches('/');
        if address.is_empty() || address.contains('/') {
            bail!("the URL must be http://HOST:PORT");
        }
        let port = address.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
        Ok(Self { address: if port { address.to_owned() } else { format!("{address}:80") } })
    }
}

/// The requests of a scenario, for every connection.
#[derive(Debug)]
pub struct Requests {
    host: String,
    tokens: Vec<String>,
    scenario: Scenario,
    /// The prepared requests of each token.
    prepared: Vec<Arc<Vec<Vec<u8>>>>,
}

/// The requests of one connection, one after the other.
#[derive(Debug)]
pub enum Stream {
    /// The same ones in turn.
    Prepared {
        /// All of them.
        requests: Arc<Vec<Vec<u8>>>,
        /// Which is next.
        next: usize,
    },
    /// A new one each time.
    Created {
        /// Whether each has an idempotency key.
        keyed: bool,
        /// Host header.
        host: String,
        /// Who asks.
        token: String,
        /// Unique to this run and connection.
        prefix: String,
        /// How many there were.
        count: u64,
        /// The bytes of the last one.
        buffer: Vec<u8>,
    },
}

impl Requests {
    /// Asks the server for what the scenario needs to know beforehand.
    pub async fn prepare(plan: &Plan) -> anyhow::Result<Self> {
        if plan.tokens.is_empty() {
            bail!("no token: use --token or --token-file");
        }
        let host = plan.url.address.clone();
        let mut prepared = Vec::new();
        for token in &plan.tokens {
            let paths = match plan.scenario {
                Scenario::ProvidersList => vec!["/api/cloud/providers?limit=20".to_owned()],
                Scenario::ResourcesPage => vec!["/api/cloud/resources?limit=50".to_owned()],
                Scenario::ProviderGet => provider_paths(&plan.url, token).await?,
                Scenario::ProviderCreate | Scenario::ProviderCreateKeyed => Vec::new(),
            };
            prepared.push(Arc::new(paths.iter().map(|path| get(&host, token, path)).collect()));
        }
        Ok(Self { host, tokens: plan.tokens.clone(), scenario: plan.scenario, prepared })
    }

    /// The requests of the connection with this number.
    pub fn of_connection(&self, number: usize) -> Stream {
        let who = number % self.tokens.len();
        match self.scenario {
            Scenario::ProviderCreate | Scenario::ProviderCreateKeyed => Stream::Created {
                keyed: self.scenario == Scenario::ProviderCreateKeyed,
                host: self.host.clone(),
                token: self.tokens[who].clone(),
                prefix: uuid::Uuid::new_v4().simple().to_string(),
                count: 0,
                buffer: Vec::new(),
            },
            _ => Stream::Prepared { requests: Arc::clone(&self.prepared[who]), next: number },
        }
    }
}

impl Stream {
    /// The bytes of the next request.
    pub fn next(&mut self) -> &[u8] {
        match self {
            Self::Prepared { requests, next } => {
                *next += 1;
                &requests[*next % requests.len()]
            }
            Self::Created { keyed, host, token, prefix, count, buffer } => {
                *count += 1;
                *buffer = create(host, token, &format!("{prefix}-{count}"), *keyed);
                buffer
            }
        }
    }
}

async fn provider_paths(target: &Target, token: &str) -> anyhow::Result<Vec<String>> {
    let request = get(&target.address, token, "/api/cloud/providers?limit=200");
    let body = Connection::open(&target.address).await?.fetch(&request).await?;
    let page: Value = serde_json::from_slice(&body).context("the list of providers is not JSON")?;
    let items = page["items"].as_array().context("the list of providers has no items")?;
    let ids = items.iter().filter_map(|item| item["id"].as_str());
    let paths: Vec<String> = ids.map(|id| format!("/api/cloud/providers/{id}")).collect();
    if paths.is_empty() {
        bail!("there is no provider to get");
    }
    Ok(paths)
}

fn get(host: &str, token: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\naccept: application/json\r\n\r\n")
        .into_bytes()
}

fn create(host: &str, token: &str, name: &str, keyed: bool) -> Vec<u8> {
    let body = json!({
        "name": name, "kind": "aws", "verify": false,
        "credentials": {
            "type": "static", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        },
        "settings": { "regions": ["us-east-1"] }
    })
    .to_string();
    let key = if keyed { format!("idempotency-key: {name}\r\n") } else { String::new() };
    let mut request = String::with_capacity(700);
    let _ = write!(
        request,
        "POST /api/cloud/providers HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{key}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    request.into_bytes()
}
