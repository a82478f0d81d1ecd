//! `marquee simulate`: a small cloud on this machine, to try Marquee with and to rehearse what goes wrong.

use std::{net::IpAddr, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use marquee_simulator::{
    Options, Simulator,
    plan::Plan,
    world::{BUILT_IN, built_in},
};
use serde_json::{Map, Value, json};

use crate::server::say;

/// Where the control listens unless said otherwise; the faces take the three ports after it.
const PORT: u16 = 7470;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SimulateArgs {
    #[command(subcommand)]
    command: Option<SimulateCommand>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The world: one that is built in (wedding-season, large, staging), or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "wedding-season")]
    world: String,
    /// The loopback address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port of the control; AWS, Azure, Google and Hetzner take the four after it. 0: any that are free
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,
    /// Simulated seconds a second
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    speed: f64,
    /// The time at which the world is entered, in RFC 3339; now, unless said
    #[arg(long, value_name = "TIME")]
    now: Option<chrono::DateTime<chrono::Utc>>,
    /// Write the certificate that clients of Azure must trust here
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Take up what was exported
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum SimulateCommand {
    /// Switch faults on and off in a simulator that runs
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Show the clock of a simulator that runs, or set it
    Clock(ClockArgs),
    /// Switch the rate limits that the vendors document on or off in a simulator that runs, or show what was called
    Limits(LimitsArgs),
    /// Show the accounts of a simulator that runs, with credentials
    Accounts(ControlArgs),
    /// Show what was created and deleted in a simulator that runs
    Ledger(ControlArgs),
    /// Write everything that exists in a simulator that runs to a file
    Export(ExportArgs),
}

#[derive(Debug, Subcommand)]
enum FaultCommand {
    /// Switch a fault on
    Add(Box<FaultArgs>),
    /// List the faults that are on
    List(ControlArgs),
    /// Switch a fault off, or all of them
    Clear(ClearArgs),
}

#[derive(Debug, Args)]
struct ControlArgs {
    /// The control address of the simulator
    #[arg(long, env = "MARQUEE_SIMULATOR", value_name = "URL", default_value = "http://127.0.0.1:7470")]
    control: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "kebab-case")]
enum FaultKind {
    /// Too many calls
    Throttled,
    /// Answered late
    Slow,
    /// Never answered
    Hanging,
    /// Answered with an internal error
    Failing,
    /// The connection ends within the answer
    CutOff,
    /// Pages after the first fail
    FailingPage,
    /// Pages overlap
    DoubledItems,
    /// Items slip out between pages
    MissingItems,
    /// Pages are shorter than asked for
    ShortPages,
    /// What is made is not seen for a while
    Unseen,
    /// No capacity for instances
    NoCapacity,
    /// A quota is used up
    Quota,
    /// The credentials are not known any more
    RevokedCredentials,
    /// The credentials are too old
    ExpiredCredentials,
    /// Callers lack permissions
    Denied,
    /// The region does not answer
    RegionLost,
    /// What runs there is not healthy
    Unhealthy,
}

#[derive(Debug, Args)]
struct FaultArgs {
    /// What goes wrong
    kind: FaultKind,
    /// Only at this vendor: aws, azure, google or hetzner
    #[arg(long, value_name = "VENDOR")]
    face: Option<String>,
    /// Only in this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only in this region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Only in this zone
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Only at this service of the vendor
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only at this operation of the vendor
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// The share of calls it happens to, 0 to 1
    #[arg(long, value_name = "SHARE")]
    share: Option<f64>,
    /// How many calls it happens to before it is over
    #[arg(long, value_name = "COUNT")]
    times: Option<u64>,
    /// When it is over, in simulated time
    #[arg(long, value_name = "TIME")]
    until: Option<chrono::DateTime<chrono::Utc>>,
    /// throttled: what Retry-After says
    #[arg(long, value_name = "SECONDS")]
    retry_after_seconds: Option<u64>,
    /// slow: how late
    #[arg(long, value_name = "MILLISECONDS")]
    milliseconds: Option<u64>,
    /// failing: the status, 500 to 599
    #[arg(long, value_name = "STATUS")]
    status: Option<u16>,
    /// unseen: how long, in simulated time
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// no-capacity: only for this size
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// quota: what may be had
    #[arg(long, value_name = "UNITS")]
    limit: Option<u64>,
    /// short-pages: how many items a page has at most
    #[arg(long, value_name = "COUNT")]
    items: Option<usize>,
    /// denied: a permission that is lacking, in the vendor's spelling; all of them, if none is named
    #[arg(long, value_name = "PERMISSION")]
    permission: Vec<String>,
    /// denied: a permission that is not; together with no --permission, the only ones that callers have
    #[arg(long, value_name = "PERMISSION")]
    except: Vec<String>,
    #[command(flatten)]
    at: ControlArgs,
}

#[derive(Debug, Args)]
struct ClearArgs {
    /// The fault's number; all of them, if it is left out
    id: Option<u64>,
    #[command(flatten)]
    at: ControlArgs,
}

#[derive(Debug, Args)]
struct ClockArgs {
    /// Simulated seconds a second; 0 stands still
    #[arg(long, value_name = "FACTOR")]
    speed: Option<f64>,
    /// Move forward by so many seconds
    #[arg(long, value_name = "SECONDS")]
    advance_seconds: Option<f64>,
    /// Move forward to a time
    #[arg(long, value_name = "TIME")]
    now: Option<chrono::DateTime<chrono::Utc>>,
    #[command(flatten)]
    at: ControlArgs,
}

#[derive(Debug, Args)]
struct LimitsArgs {
    /// On or off; only shown, if it is left out. Switching forgets what was called before
    #[arg(value_name = "on|off")]
    switch: Option<Switch>,
    #[command(flatten)]
    at: ControlArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Calls beyond the documented rates are refused
    On,
    /// Calls are not counted
    Off,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The file to write
    file: PathBuf,
    #[command(flatten)]
    at: ControlArgs,
}

impl SimulateArgs {
    /// Does it.
    pub async fn run(self) -> Result<()> {
        match self.command {
            None => self.run.run().await,
            Some(SimulateCommand::Fault(FaultCommand::Add(args))) => args.add().await,
            Some(SimulateCommand::Fault(FaultCommand::List(at))) => show(&at.get("/faults").await?),
            Some(SimulateCommand::Fault(FaultCommand::Clear(args))) => {
                let path = args.id.map_or_else(|| "/faults".to_owned(), |id| format!("/faults/{id}"));
                show(&args.at.call(reqwest::Method::DELETE, &path, None).await?)
            }
            Some(SimulateCommand::Clock(args)) => args.show_or_set().await,
            Some(SimulateCommand::Limits(args)) => args.show_or_switch().await,
            Some(SimulateCommand::Accounts(at)) => show(&at.get("/accounts").await?),
            Some(SimulateCommand::Ledger(at)) => at.ledger().await,
            Some(SimulateCommand::Export(args)) => {
                let state = args.at.get("/state").await?;
                std::fs::write(&args.file, state.to_string())
                    .with_context(|| format!("cannot write {}", args.file.display()))
            }
        }
    }
}

impl RunArgs {
    async fn run(self) -> Result<()> {
        let options = Options {
            host: self.host,
            port: self.port,
            speed: self.speed,
            now: self.now,
            certificate: self.certificate,
            ..Options::new(world(&self.world)?)
        };
        let simulator = Simulator::start(options).await?;
        if let Some(file) = &self.state {
            let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let export = serde_json::from_slice(&text)
                .with_context(|| format!("{} is no export of a simulator", file.display()))?;
            simulator.world().import(export)?;
        }
        say(&welcome(&simulator))?;
        stopped().await?;
        simulator.stop().await;
        Ok(())
    }
}

/// A world that is built in, or else a file.
fn world(name: &str) -> Result<Plan> {
    if BUILT_IN.iter().any(|(known, _)| *known == name) {
        return Ok(built_in(name)?);
    }
    match std::fs::read_to_string(name) {
        Ok(text) => Plan::parse(&text).with_context(|| format!("{name} is no world")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let known: Vec<_> = BUILT_IN.iter().map(|(known, _)| *known).collect();
            bail!("no world is called {name}, and there is no such file; built in are {}", known.join(", "))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {name}")),
    }
}

fn welcome(simulator: &Simulator) -> String {
    let at = simulator.addresses();
    let plan = &simulator.world().plan;
    let accounts: Vec<String> = plan
        .accounts
        .iter()
        .map(|account| format!("  {:<8} {}  {}", account.face.as_str(), account.id, account.name))
        .collect();
    format!(
        "The world `{}` is running.

  control  {}
  AWS      {}
  Azure    {}
  Google   {}
  Hetzner  {}

Accounts (`marquee simulate accounts` shows their credentials):
{}

Ctrl-C ends it; what was made in it is gone unless it was exported.
",
        plan.name,
        at.control,
        at.aws,
        at.azure,
        at.google,
        at.hetzner,
        accounts.join("\n"),
    )
}

/// Until Ctrl-C or SIGTERM.
async fn stopped() -> Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
    }
}

impl FaultArgs {
    async fn add(self) -> Result<()> {
        let fault = self.fault();
        show(&self.at.call(reqwest::Method::POST, "/faults", Some(&fault)).await?)
    }

    fn fault(&self) -> Value {
        let kind =
            self.kind.to_possible_value().map_or_else(String::new, |word| word.get_name().replace('-', "_"));
        let members = [
            ("kind", json!(kind)),
            ("face", json!(self.face)),
            ("account", json!(self.account)),
            ("region", json!(self.region)),
            ("zone", json!(self.zone)),
            ("service", json!(self.service)),
            ("operation", json!(self.operation)),
            ("share", json!(self.share)),
            ("times", json!(self.times)),
            ("until", json!(self.until)),
            ("retry_after_seconds", json!(self.retry_after_seconds)),
            ("milliseconds", json!(self.milliseconds)),
            ("status", json!(self.status)),
            ("seconds", json!(self.seconds)),
            ("size", json!(self.size)),
            ("limit", json!(self.limit)),
            ("items", json!(self.items)),
            ("permissions", several(&self.permission)),
            ("except", several(&self.except)),
        ];
        let given = members.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// A list, or nothing where nothing was given.
fn several(given: &[String]) -> Value {
    if given.is_empty() { Value::Null } else { json!(given) }
}

impl ClockArgs {
    async fn show_or_set(self) -> Result<()> {
        let members = [
            ("speed", json!(self.speed)),
            ("advance_seconds", json!(self.advance_seconds)),
            ("now", json!(self.now)),
        ];
        let given = members.into_iter().filter(|(_, value)| !value.is_null());
        let change: Map<String, Value> = given.map(|(name, value)| (name.to_owned(), value)).collect();
        if change.is_empty() {
            return show(&self.at.get("/clock").await?);
        }
        show(&self.at.call(reqwest::Method::PUT, "/clock", Some(&Value::Object(change))).await?)
    }
}

impl LimitsArgs {
    async fn show_or_switch(self) -> Result<()> {
        let answer = match self.switch {
            None => self.at.get("/limits").await?,
            Some(switch) => {
                let body = json!({ "on": switch == Switch::On });
                self.at.call(reqwest::Method::PUT, "/limits", Some(&body)).await?
            }
        };
        show(&answer)
    }
}

impl ControlArgs {
    async fn get(&self, path: &str) -> Result<Value> {
        self.call(reqwest::Method::GET, path, None).await
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let control = self.control.trim_end_matches('/');
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut request = client.request(method, format!("{control}/_control{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("no simulator answers at {control}; `marquee simulate` starts one"))?;
        let failed = !response.status().is_success();
        let answer: Value =
            response.json().await.with_context(|| format!("what answers at {control} is no simulator"))?;
        if failed {
            bail!("{}", answer["detail"].as_str().unwrap_or("refused"));
        }
        Ok(answer)
    }

    /// All of it, page by page.
    async fn ledger(&self) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.get(&format!("/ledger?after={after}")).await?;
            for entry in page["entries"].as_array().into_iter().flatten() {
                say(&format!("{entry}\n"))?;
            }
            let next = page["next"].as_u64().unwrap_or(after);
            if next == after {
                return Ok(());
            }
            after = next;
        }
    }
}

fn show(answer: &Value) -> Result<()> {
    say(&format!("{}\n", serde_json::to_string_pretty(answer)?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use marquee_simulator::faults::Fault;

    use super::*;

    #[derive(Debug, Parser)]
    struct Shell {
        #[command(flatten)]
        fault: FaultArgs,
    }

    #[test]
    fn every_kind_of_fault_can_be_switched_on() {
        for kind in FaultKind::value_variants() {
            let word = kind.to_possible_value().unwrap();
            let needs: &[&str] = match kind {
                FaultKind::Slow => &["--milliseconds", "5"],
                FaultKind::Unseen => &["--seconds", "5"],
                FaultKind::ShortPages => &["--items", "3"],
                FaultKind::Denied => &["--permission", "ec2:DescribeVpcs", "--except", "ec2:DescribeVolumes"],
                _ => &[],
            };
            let arguments = ["fault", word.get_name(), "--face", "aws", "--share", "0.5"];
            let shell = Shell::parse_from(arguments.iter().chain(needs));
            let fault: Fault = serde_json::from_value(shell.fault.fault()).unwrap();
            assert!((fault.share - 0.5).abs() < f64::EPSILON);
        }
    }
}
