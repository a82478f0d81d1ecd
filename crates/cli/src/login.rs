//! `login`, `logout` and `whoami`: the only commands with a handling of their own, because they deal with the
//! credentials file.

use clap::{Arg, ArgAction, ArgMatches, Command};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::{
    contexts::{self, Connection, Context},
    failure::Failure,
    http::{Http, Request},
    perform::{self, flag, one},
    spec::{Api, Operation},
    surroundings::Surroundings,
    tree,
};

/// The operations behind the three commands.
const LOGIN: &str = "auth.login";
const LOGOUT: &str = "auth.logout";
const WHOAMI: [&str; 3] = ["auth.whoami", "auth.me", "auth.session"];

/// Whether an operation is carried out by one of these commands instead of by `NOUN VERB`.
pub fn claims(operation: &Operation) -> bool {
    [LOGIN, LOGOUT].contains(&operation.id.as_str()) || WHOAMI.contains(&operation.id.as_str())
}

/// The ids of the operations that the three commands carry out.
pub fn carried_out(api: &Api) -> impl Iterator<Item = String> {
    let ids = [api.by_id(LOGIN), api.by_id(LOGOUT), whoami_operation(api)];
    ids.into_iter().flatten().map(|operation| operation.id.clone())
}

fn whoami_operation(api: &Api) -> Option<&Operation> {
    WHOAMI.iter().find_map(|id| api.by_id(id))
}

/// Those of the three commands that the API has.
pub fn commands(api: &'static Api) -> Vec<Command> {
    let mut found = Vec::new();
    if api.by_id(LOGIN).is_some() {
        found.push(login_command());
    }
    if api.by_id(LOGOUT).is_some() {
        found.push(
            Command::new("logout").about("End the session and forget it").args(tree::connection_args()),
        );
    }
    if whoami_operation(api).is_some() {
        found.push(
            Command::new("whoami")
                .about("Who you are, where, and what you may do")
                .args(tree::connection_args()),
        );
    }
    found
}

fn login_command() -> Command {
    Command::new("login")
        .about("Log in with e-mail and password, and keep the session")
        .arg(Arg::new("email").long("email").value_name("EMAIL").help("As whom (asked for on a terminal)"))
        .arg(
            Arg::new("organization").long("organization").value_name("ORGANIZATION")
                .help("Which organization, where you belong to several"),
        )
        .arg(
            Arg::new("password-stdin").long("password-stdin").action(ArgAction::SetTrue)
                .help("Take the password from the standard input instead of asking for it"),
        )
        .after_help(
            "The session is kept in ~/.config/marquee/credentials.toml, readable by you only. Programs should use
an API key in MARQUEE_TOKEN instead (marquee api-keys create).

Examples:
  marquee login --url https://marquee.example.com --email ada@example.com
  marquee login --context staging --url https://staging.example.com
  pass show marquee | marquee login --email ada@example.com --password-stdin",
        )
        .args(tree::connection_args())
}

/// Carries out the command `name`, if it is one of the three.
pub async fn run(
    api: &'static Api,
    name: &str,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Option<Result<(), Failure>> {
    let operation = match name {
        "login" => return Some(login(api.by_id(LOGIN)?, matches, surroundings).await),
        "logout" => return Some(logout(api.by_id(LOGOUT)?, matches, surroundings).await),
        "whoami" => whoami_operation(api)?,
        _ => return None,
    };
    Some(perform::perform(api, operation, matches, surroundings).await)
}

async fn login(
    operation: &Operation,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let mut connection = Connection::resolve(matches, surroundings)?;
    connection.token = None;
    if connection.url.scheme() == "http" && connection.url.host_str().is_some_and(|host| !is_local(host)) {
        surroundings.note(&format!(
            "warning: {} is not encrypted; the password can be read on its way",
            connection.url
        ));
    }
    let http = Http::new(&connection, flag(matches, "verbose"))?;
    let email = email(matches, surroundings)?;
    let password = password(matches, surroundings)?;
    let mut body = Map::new();
    body.insert("email".into(), Value::String(email.clone()));
    body.insert("password".into(), Value::String(password.expose_secret().to_owned()));
    if let Some(organization) = one(matches, "organization") {
        body.insert("organization".into(), Value::String(organization));
    }
    let request = Request {
        method: Method::POST,
        path: operation.path.clone(),
        query: Vec::new(),
        body: Some(Value::Object(body)),
        idempotency_key: None,
        if_match: None,
    };
    let answer = http.send(&request, surroundings).await.map_err(without_login_hint)?;
    let text = |key: &str| answer.body.get(key).and_then(Value::as_str).map(str::to_owned);
    let Some(token) = text("token") else {
        return Err(Failure::Local("the server's answer to the login carries no token".into()));
    };
    let context = Context {
        url: connection.url.to_string(),
        token: Some(token),
        email: Some(email.clone()),
        expires_at: text("expires_at"),
        ca_certificate: connection.ca_certificate.clone(),
    };
    let path = contexts::remember(surroundings, &connection.context, context)?;
    surroundings.note(&format!("logged in to {} as {email}; kept in {}", connection.url, path.display()));
    Ok(())
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

/// "Log in first" is no help to somebody who is just doing that.
fn without_login_hint(failure: Failure) -> Failure {
    match failure {
        Failure::Problem { status, problem, flags, .. } => {
            Failure::Problem { status, problem, flags, hint: None }
        }
        other => other,
    }
}

fn email(matches: &ArgMatches, surroundings: &mut Surroundings) -> Result<String, Failure> {
    if let Some(email) = one(matches, "email") {
        return Ok(email);
    }
    let answer = surroundings.question("E-mail: ", false)?;
    let email =
        answer.map(|answer| answer.expose_secret().trim().to_owned()).filter(|email| !email.is_empty());
    email.ok_or_else(|| Failure::Usage("as whom? Use --email EMAIL".into()))
}

fn password(matches: &ArgMatches, surroundings: &mut Surroundings) -> Result<SecretString, Failure> {
    let password = if flag(matches, "password-stdin") {
        let text = surroundings.read_stdin(64 * 1024)?;
        Some(SecretString::from(text.lines().next().unwrap_or_default().to_owned()))
    } else {
        surroundings.question("Password: ", true)?
    };
    let password = password.filter(|password| !password.expose_secret().is_empty());
    password.ok_or_else(|| {
        Failure::Usage("no password: there is no terminal to ask on; use --password-stdin".into())
    })
}

async fn logout(
    operation: &Operation,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let connection = Connection::resolve(matches, surroundings)?;
    let Some(token) = connection.token.clone() else {
        surroundings.note(&format!("not logged in to {}", connection.url));
        return Ok(());
    };
    let http = Http::new(&connection, flag(matches, "verbose"))?;
    let method = Method::from_bytes(operation.method.as_bytes()).unwrap_or(Method::POST);
    let request = Request {
        method,
        path: operation.path.clone(),
        query: Vec::new(),
        body: None,
        idempotency_key: None,
        if_match: None,
    };
    match http.send(&request, surroundings).await {
        // A session that is over already is what was asked for.
        Ok(_) | Err(Failure::Problem { status: 401, .. }) => {}
        Err(failure) => return Err(failure),
    }
    let forgotten = contexts::forget(surroundings, &connection.context, &token)?;
    let kept = if forgotten { "" } else { "; MARQUEE_TOKEN is still set in the environment" };
    surroundings.note(&format!("logged out of {}{kept}", connection.url));
    Ok(())
}
