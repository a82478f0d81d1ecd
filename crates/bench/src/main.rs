//! Speed and memory, measured from outside: a load generator for a running server, and a cloud that answers at once.
//!
//! Everything prints to the standard output; `--json` for programs. Nothing here is part of the product.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};

mod chaos;
mod load;
mod replay;
mod suite;

/// Measures Marquee.
#[derive(Debug, Parser)]
#[command(name = "marquee-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one kind of request over many connections, each as soon as the one before is answered
    Load(LoadArgs),
    /// Measure everything that docs/performance.md speaks of: nothing else should be running
    Suite(SuiteArgs),
    /// Kill workers, restart the database and fail calls under hundreds of changes, and judge what came of them
    Chaos(chaos::Plan),
    /// Be an AWS that answers at once: instances as the real DescribeInstances pages them, nothing of anything else
    ReplayEc2(ReplayArgs),
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// The server; plain HTTP only
    #[arg(long, default_value = "http://127.0.0.1:7300")]
    url: String,
    /// A session token or API key of the server under test; repeat it to spread the connections over organizations
    #[arg(long, required_unless_present = "token_file")]
    token: Vec<String>,
    /// More of them, one a line
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What to ask for
    #[arg(long, value_enum)]
    scenario: load::Scenario,
    /// How many connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long to measure
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// How long to send before measuring
    #[arg(long, default_value_t = 2.0)]
    warmup_seconds: f64,
    /// The server's process: prints the CPU time it takes for a request, and its memory
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// The database's first process: prints the CPU time of it and its children
    #[arg(long, value_name = "PID")]
    database_pid: Option<u32>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct SuiteArgs {
    /// The released server
    #[arg(long, default_value = "target/release/marquee")]
    marquee: PathBuf,
    /// Resources over all organizations
    #[arg(long, default_value_t = 1_000_000)]
    resources: u32,
    /// Organizations, with the same number of resources each
    #[arg(long, default_value_t = 100)]
    organizations: u32,
    /// How long each kind of request is sent
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// Instances of the inventories to sync
    #[arg(long, value_delimiter = ',', default_value = "10000,100000", num_args = 0..)]
    inventories: Vec<usize>,
    /// Resources of each of the three simulated clouds
    #[arg(long, value_delimiter = ',', default_value = "10000,100000", num_args = 0..)]
    simulated: Vec<usize>,
    /// Leave out the syncs under the vendors' documented rates
    #[arg(long)]
    no_limits: bool,
    /// Connected providers of which one in twenty hangs and one in twenty refuses
    #[arg(long, default_value_t = 1_000)]
    fleet: usize,
    /// Connections of the load generator
    #[arg(long, value_delimiter = ',', default_value = "64,1000", num_args = 0..)]
    connections: Vec<usize>,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// Where to listen; port 0 takes a free one, and the first line printed says which
    #[arg(long, default_value = "127.0.0.1:5600")]
    listen: SocketAddr,
    /// How many instances there are
    #[arg(long, default_value_t = 10_000)]
    instances: usize,
    /// How many stand on a page
    #[arg(long, default_value_t = 1_000)]
    page_size: usize,
    /// The only region that the account has
    #[arg(long, default_value = "us-east-1")]
    region: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        say_error("the TLS provider was installed twice");
        return ExitCode::FAILURE;
    }
    let outcome = match Cli::parse().command {
        Command::Load(args) => run_load(args).await,
        Command::Suite(args) => {
            let plan = suite::Plan {
                marquee: args.marquee,
                resources: args.resources,
                organizations: args.organizations,
                seconds: args.seconds,
                inventories: args.inventories,
                simulated: args.simulated,
                limits: !args.no_limits,
                fleet: args.fleet,
                connections: args.connections,
            };
            suite::run(&plan).await
        }
        Command::Chaos(plan) => chaos::run(&plan).await,
        Command::ReplayEc2(args) => {
            let account = replay::Account::render(args.instances, args.page_size.max(1), &args.region);
            replay::serve(args.listen, account).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run_load(args: LoadArgs) -> anyhow::Result<()> {
    let mut tokens = args.token;
    if let Some(file) = args.token_file {
        let text = std::fs::read_to_string(&file)?;
        tokens.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    let plan = load::Plan {
        url: args.url.parse()?,
        tokens,
        scenario: args.scenario,
        connections: args.connections.max(1),
        warmup: Duration::from_secs_f64(args.warmup_seconds),
        measure: Duration::from_secs_f64(args.seconds),
        server_pid: args.server_pid,
        database_pid: args.database_pid,
    };
    let report = load::run(&plan).await?;
    say(&if args.json { report.to_json() } else { report.to_string() });
    Ok(())
}

/// Writes a line; a reader who has gone is no reason to fail.
fn say(text: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn say_error(text: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "error: {text}"));
}
