//! `marquee demo`: a server to try Marquee with, made ready: an organization, an owner, three simulated clouds with a
//! wedding season in them, and what to do next.

mod world;

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use marquee_control::{
    app::App,
    domains::identity::{NewOrganization, bootstrap},
    run::{self, Duty},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use self::world::Clouds;
use crate::server::{ServerArgs, say};

const ORGANIZATION: &str = "Demo";
const EMAIL: &str = "owner@demo.example";

#[derive(Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Without simulated clouds: an empty organization, to connect accounts of your own
    #[arg(long)]
    no_clouds: bool,
}

/// Runs the server until it is stopped.
pub async fn run(args: DemoArgs, root: &clap::Command) -> Result<()> {
    let DemoArgs { server: mut args, no_clouds } = args;
    // A demo is tried with an emulator on the same machine.
    args.settings.allow_loopback_endpoints.get_or_insert(true);
    // The transcript below is what a person came for; the request log is one flag away.
    args.settings.log_level.get_or_insert_with(|| "warn".to_owned());
    let config = args.resolve(root)?;
    let Some(dir) = config.storage.data_dir.clone() else {
        bail!("say where to keep the demo's data with --data-dir DIR");
    };
    run::log(&config)?;
    if config.tls.is_some() && !no_clouds {
        bail!("the demo connects its clouds over plain HTTP: leave TLS out, or add --no-clouds");
    }
    let mut clouds = None;
    let served = run::serve(config, Duty::ServeAndWork, async |app: &App, url: &str| {
        let password = login(app, &dir).await?;
        if !no_clouds {
            let started = Clouds::start(&dir).await?;
            connect(app, url, &password, started.providers());
            clouds = Some(started);
        }
        let control = clouds.as_ref().map(Clouds::control);
        say(&welcome(url, &password, &program(), control))
    })
    .await;
    if let Some(clouds) = clouds {
        clouds.stop().await?;
    }
    served
}

/// Connects the clouds behind the server's start: they are connected through its own API.
fn connect(app: &App, url: &str, password: &SecretString, providers: Vec<Value>) {
    let (url, password) = (url.to_owned(), password.clone());
    app.tasks.spawn(async move {
        match world::connect(&url, EMAIL, &password, providers).await {
            Ok(connected) if connected.is_empty() => {}
            Ok(connected) => {
                let line = format!("Connected {}; their first syncs are under way.\n", connected.join(", "));
                if let Err(error) = say(&line) {
                    tracing::warn!(error = format!("{error:#}"), "standard output is closed");
                }
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the demo's clouds could not be connected");
            }
        }
    });
}

/// The owner's password: made with the organization at the first start, kept for the next ones.
async fn login(app: &App, dir: &Path) -> Result<SecretString> {
    let file = dir.join("demo-login.json");
    let password = if let Some(password) = kept(&file)? {
        password
    } else {
        // Kept first: an owner whose password nobody knows would be worse than a password without an owner.
        let password = SecretString::from(hex_words());
        let login = json!({ "email": EMAIL, "password": password.expose_secret() });
        keep(&file, login.to_string().as_bytes())?;
        password
    };
    let new = NewOrganization {
        name: ORGANIZATION.to_owned(),
        email: EMAIL.to_owned(),
        password: password.clone(),
    };
    // Also at later starts: the first one may have ended before the owner was made.
    match bootstrap(&app.db, app.identity.passwords(), new).await {
        Ok(_) => Ok(password),
        Err(fault) if fault.problem("").code == "already_exists" => Ok(password),
        Err(fault) => bail!("the demo's organization could not be made: {}", fault.problem("").detail),
    }
}

fn kept(file: &Path) -> Result<Option<SecretString>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let login: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
    let password =
        login["password"].as_str().with_context(|| format!("{} has no password", file.display()))?;
    Ok(Some(password.into()))
}

/// Writes a file of the demo's: for its owner only, and whole or not at all.
fn keep(file: &Path, content: &[u8]) -> Result<()> {
    let new = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(content)?;
        out.sync_all()?;
        std::fs::rename(&new, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

/// 96 bits in four groups: easy to read off a screen.
fn hex_words() -> String {
    let digits = uuid::Uuid::new_v4().simple().to_string();
    digits.as_bytes()[..24].chunks(6).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

/// Marquee as it was called, so that what is shown can be typed: it may not be on the PATH.
fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "marquee".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn welcome(url: &str, password: &SecretString, marquee: &str, clouds: Option<&str>) -> String {
    let password = password.expose_secret();
    let next = match clouds {
        Some(control) => with_clouds(marquee, control),
        None => without_clouds(marquee),
    };
    format!(
        "
Marquee is running.

  address        {url}
  API reader     {url}/api/docs
  organization   {ORGANIZATION}
  e-mail         {EMAIL}
  password       {password}

Next, in another terminal:

  export MARQUEE_URL={url}
  {marquee} login --email {EMAIL}
{next}
Ctrl-C stops the server and its database; the data stays.
"
    )
}

fn with_clouds(marquee: &str, control: &str) -> String {
    let port = if control.ends_with(":7470") { String::new() } else { format!(" --control {control}") };
    format!(
        "
  a wedding platform on AWS, Azure and Google Cloud, simulated on this machine, is connected:
  {marquee} providers list
  {marquee} resources summary --group-by kind,region
  {marquee} resources list --filter 'kind = \"compute_instance\" AND tags.venue = \"orangery\"'

  have a region fail, and see what a sync says of it:
  {marquee} simulate fault add region-lost --face aws --region eu-west-1{port}
  {marquee} simulate fault clear{port}

  connect an account of your own (docs/guides has what each cloud needs):
  {marquee} providers add --kind aws --name production --region eu-west-1
"
    )
}

fn without_clouds(marquee: &str) -> String {
    format!(
        "
  connect an AWS account (it asks for the access key; docs/guides/connect-aws.md has the policy it needs):
  {marquee} providers add --kind aws --name production --region eu-west-1

  {marquee} providers sync prv_… --wait        (the id that was shown)
  {marquee} resources list
"
    )
}
