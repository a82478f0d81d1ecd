//! The server's commands.

use std::{io::Write as _, path::PathBuf};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use marquee_control::{
    config::{Config, Settings, unknown_variables},
    run::{self, Duty},
};

use crate::{
    admin,
    demo::{self, DemoArgs},
    simulate::SimulateArgs,
};

#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Run the server: the API, and the workers behind it
    ///
    /// Without --database-url it starts a PostgreSQL of its own under --data-dir. Settings come from flags,
    /// from the environment (MARQUEE_…) and from the file that --config names, in that order.
    Serve(ServerArgs),
    /// Run the workers alone, beside servers on the same database
    Work(ServerArgs),
    /// Bring the database's tables up to this version
    Migrate(MigrateArgs),
    /// Run a server to try Marquee with: made ready, with a first login
    Demo(DemoArgs),
    /// Run a small cloud that speaks the protocols of AWS, Azure, Google Cloud and Hetzner Cloud
    ///
    /// On loopback, with credentials of its own; nothing leaves this machine.
    Simulate(Box<SimulateArgs>),
    /// Look after an installation
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
pub struct ServerArgs {
    #[command(flatten)]
    pub settings: Settings,
    /// A TOML file with settings, named as the flags are, with underscores
    #[arg(long, env = "MARQUEE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Print the SQL that makes the three database roles, for a database administrator, and do nothing
    #[arg(long)]
    pub print_roles: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the settings and print the effective values, with secrets masked
    Check(ServerArgs),
}

impl ServerArgs {
    /// The configuration these arguments, the environment and the file come to.
    pub fn resolve(self, root: &clap::Command) -> Result<Config> {
        let unknown = unknown_variables(&variables(root));
        if !unknown.is_empty() {
            bail!("the environment has variables that mean nothing to Marquee: {}", unknown.join(", "));
        }
        Config::resolve(self.settings, self.config.as_deref())
    }
}

impl ServerCommand {
    /// Does it.
    pub async fn run(self, root: &clap::Command) -> Result<()> {
        match self {
            Self::Serve(args) => serve(args.resolve(root)?, Duty::ServeAndWork).await,
            Self::Work(args) => serve(args.resolve(root)?, Duty::Work).await,
            Self::Demo(args) => demo::run(args, root).await,
            Self::Migrate(args) => migrate(args, root).await,
            Self::Simulate(args) => args.run().await,
            Self::Admin(command) => command.run().await,
            Self::Config(ConfigCommand::Check(args)) => say(&args.resolve(root)?.describe()),
        }
    }
}

async fn serve(config: Config, duty: Duty) -> Result<()> {
    run::log(&config)?;
    run::serve(config, duty, async |_, _| Ok(())).await
}

async fn migrate(args: MigrateArgs, root: &clap::Command) -> Result<()> {
    if args.print_roles {
        return say(&marquee_db::provision::roles_sql("marquee"));
    }
    let config = args.server.resolve(root)?;
    run::log(&config)?;
    let ready = run::database_for_command(&config.storage).await?;
    ready.close().await?;
    say("the database is up to date\n")
}

/// Writes to standard output; a closed pipe is an error like any other.
pub fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The names of all environment variables that some command reads.
fn variables(command: &clap::Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    let client = ["MARQUEE_URL", "MARQUEE_TOKEN", "MARQUEE_CONTEXT", "MARQUEE_CA_CERTIFICATE"];
    own.chain(client.map(str::to_owned)).chain(command.get_subcommands().flat_map(variables)).collect()
}
