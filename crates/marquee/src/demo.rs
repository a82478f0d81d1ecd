//! `marquee demo`: a server to try Marquee with, made ready: an organization, an owner, and what to do next.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use marquee_control::{
    app::App,
    domains::identity::{NewOrganization, bootstrap},
    run::{self, Duty},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::server::{ServerArgs, say};

const ORGANIZATION: &str = "Demo";
const EMAIL: &str = "owner@demo.example";

/// Runs the server until it is stopped.
pub async fn run(mut args: ServerArgs, root: &clap::Command) -> Result<()> {
    // A demo is tried with an emulator on the same machine.
    args.settings.allow_loopback_endpoints.get_or_insert(true);
    // The transcript below is what a person came for; the request log is one flag away.
    args.settings.log_level.get_or_insert_with(|| "warn".to_owned());
    let config = args.resolve(root)?;
    let Some(dir) = config.storage.data_dir.clone() else {
        bail!("say where to keep the demo's data with --data-dir DIR");
    };
    run::log(&config)?;
    run::serve(config, Duty::ServeAndWork, async |app: &App, url: &str| {
        let password = login(app, &dir).await?;
        say(&welcome(url, &password, &program()))
    })
    .await
}

/// The owner's password: made with the organization at the first start, kept for the next ones.
async fn login(app: &App, dir: &Path) -> Result<SecretString> {
    let file = dir.join("demo-login.json");
    if let Some(password) = kept(&file)? {
        return Ok(password);
    }
    let password = SecretString::from(hex_words());
    // Kept first: an owner whose password nobody knows would be worse than a password without an owner.
    keep(&file, &password)?;
    let new = NewOrganization {
        name: ORGANIZATION.to_owned(),
        email: EMAIL.to_owned(),
        password: password.clone(),
    };
    if let Err(fault) = bootstrap(&app.db, app.identity.passwords(), new).await {
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        bail!("the demo's organization could not be made: {}", fault.problem("").detail);
    }
    Ok(password)
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

fn keep(file: &PathBuf, password: &SecretString) -> Result<()> {
    let login = json!({ "email": EMAIL, "password": password.expose_secret() });
    let mut options = std::fs::OpenOptions::new();
    let mut out = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("cannot make {}", file.display()))?;
    writeln!(out, "{login}")?;
    Ok(out.sync_all()?)
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

fn welcome(url: &str, password: &SecretString, marquee: &str) -> String {
    let password = password.expose_secret();
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

  connect an AWS account (it asks for the access key; docs/guides/connect-aws.md has the policy it needs):
  {marquee} providers add --kind aws --name production --region eu-west-1

  or try it without an account: `make emulator` starts moto, an emulator of AWS, on port 5000
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \\
    {marquee} providers add --kind aws --name emulator --region us-east-1 --endpoint-url http://127.0.0.1:5000

  {marquee} providers sync prv_… --wait        (the id that was shown)
  {marquee} resources list

Ctrl-C stops the server and its database; the data stays.
"
    )
}
