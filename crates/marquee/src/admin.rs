//! `marquee admin`: what an operator does beside the server, or without one.

use std::{io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use marquee_control::{
    config::{Config, Settings},
    domains::identity::{NewOrganization, Passwords, bootstrap},
    run,
};
use marquee_db::{Db, PoolSizes};
use marquee_types::Clock;
use secrecy::SecretString;

use crate::server::say;

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make an organization and its owner; also while the server runs
    Bootstrap(BootstrapArgs),
}

#[derive(Debug, Args)]
pub struct BootstrapArgs {
    /// The data directory of the server, with its embedded database
    #[arg(long, env = "MARQUEE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The external database; alone, or as the application role with the two below
    #[arg(long, env = "MARQUEE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<SecretString>,
    /// The external database, as the role for work across organizations
    #[arg(long, env = "MARQUEE_DATABASE_SYSTEM_URL", value_name = "URL", hide_env_values = true)]
    database_system_url: Option<SecretString>,
    /// The external database, as the owner of the tables
    #[arg(long, env = "MARQUEE_DATABASE_ADMIN_URL", value_name = "URL", hide_env_values = true)]
    database_admin_url: Option<SecretString>,
    /// Where the PostgreSQL server's programs are, if not where they are usually found
    #[arg(long, env = "MARQUEE_POSTGRES_BIN_DIR", value_name = "DIR")]
    postgres_bin_dir: Option<PathBuf>,
    /// The organization's name
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// The owner's e-mail address
    #[arg(long, value_name = "E-MAIL")]
    email: String,
    /// Read the owner's password from standard input: at least 12 characters
    #[arg(long, required = true)]
    password_stdin: bool,
}

impl AdminCommand {
    /// Does it.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Bootstrap(args) => args.run().await,
        }
    }
}

impl BootstrapArgs {
    async fn run(self) -> Result<()> {
        let mut password = String::new();
        std::io::stdin()
            .read_to_string(&mut password)
            .context("cannot read the password from standard input")?;
        let password = SecretString::from(password.trim_end_matches(['\r', '\n']));
        let settings = Settings {
            data_dir: self.data_dir,
            database_url: self.database_url,
            database_system_url: self.database_system_url,
            database_admin_url: self.database_admin_url,
            postgres_bin_dir: self.postgres_bin_dir,
            ..Settings::default()
        };
        let storage = Config::resolve_storage(settings, None)?;
        let ready = run::database_for_command(&storage).await?;
        let new = NewOrganization { name: self.organization, email: self.email, password };
        let made = make(&ready, new).await;
        ready.close().await?;
        say(&made?)
    }
}

async fn make(ready: &run::Ready, new: NewOrganization) -> Result<String> {
    let sizes = PoolSizes { app: 1, system: 1, ..PoolSizes::default() };
    let db = Db::connect(ready.urls(), sizes, Clock::system()).await?;
    let (name, email) = (new.name.clone(), new.email.clone());
    let made = bootstrap(&db, &Passwords::default(), new).await;
    db.close().await;
    match made {
        Ok(made) => {
            Ok(format!("organization {} ({name})\nowner {} ({email})\n", made.organization, made.owner))
        }
        Err(fault) => bail!("{}", fault.problem("").detail),
    }
}
