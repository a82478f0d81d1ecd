//! Operations that go on after their answer: the links that clients poll, and what these answer.
//!
//! Nothing is stored for them. When an operation ends, and how, is known when it begins; a link carries it, sealed, as
//! the vendor's own links carry a sealed state in `t`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    call::{Answer, stamp},
    error::{Outcome, Refused},
};
use crate::{seed::Seed, world::World};

/// An operation that goes on.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Running {
    /// The id of the resource it is about.
    #[serde(rename = "r")]
    pub resource: String,
    /// The region, for the links.
    #[serde(rename = "l")]
    pub location: String,
    /// When it began.
    #[serde(rename = "s")]
    pub began: DateTime<Utc>,
    /// When it ends.
    #[serde(rename = "e")]
    pub ends: DateTime<Utc>,
    /// Code and message, if it fails.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(String, String)>,
    /// Whether its result is the resource.
    #[serde(rename = "o", default)]
    pub gives_resource: bool,
    /// Which links it has.
    #[serde(rename = "k")]
    pub links: Links,
}

/// Which links clients are given.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub enum Links {
    /// A status only.
    Status,
    /// A result only.
    Result,
    /// Both.
    Both,
}

impl Running {
    /// An operation on a resource that takes a time.
    pub fn new(resource: &str, location: &str, now: DateTime<Utc>, takes: TimeDelta, links: Links) -> Self {
        Self {
            resource: resource.to_owned(),
            location: location.to_owned(),
            began: now,
            ends: now + takes,
            failure: None,
            gives_resource: false,
            links,
        }
    }

    /// Whose result is the resource.
    #[must_use]
    pub fn giving(mut self) -> Self {
        self.gives_resource = true;
        self
    }

    /// That will fail.
    #[must_use]
    pub fn failing(mut self, failure: Option<(String, String)>) -> Self {
        self.failure = failure;
        self
    }

    /// The headers that lead to it.
    pub fn headers(&self, world: &World, origin: &str, version: &str) -> Vec<(&'static str, String)> {
        let token = seal(world.seed(), self);
        let guid = world.seed().uuid(&["operation", &token]);
        let namespace = super::ids::parse(&self.resource).map(|parsed| parsed.kind).unwrap_or_default();
        let namespace = namespace.split('/').next().unwrap_or_default();
        let subscription = self.resource.split('/').nth(2).unwrap_or_default();
        let (status, outcome) = words(namespace);
        let link = |result: bool| {
            let word = if result { outcome } else { status };
            let place = match namespace {
                "" => format!("/subscriptions/{subscription}/operationresults"),
                _ => format!(
                    "/subscriptions/{subscription}/providers/{namespace}/locations/{}/{word}",
                    self.location
                ),
            };
            format!("{origin}{place}/{guid}?api-version={version}&t={token}")
        };
        let mut headers = Vec::new();
        if self.links != Links::Result {
            headers.push(("azure-asyncoperation", link(false)));
        }
        if self.links != Links::Status {
            headers.push(("location", link(true)));
        }
        headers.extend(self.retry_after(world));
        headers
    }

    /// When to ask again: when the operation has ended by the simulator's clock, at most ten seconds.
    fn retry_after(&self, world: &World) -> Option<(&'static str, String)> {
        let clock = world.clock.show();
        #[expect(clippy::cast_precision_loss, reason = "seconds of an operation")]
        let seconds = (self.ends - clock.now).num_milliseconds() as f64 / 1_000.0 / clock.speed.max(1e-3);
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 10")]
        let wait = seconds.clamp(0.0, 10.0).floor() as i64;
        (wait > 0).then(|| ("retry-after", wait.to_string()))
    }

    /// What the status link answers.
    fn status(&self, name: &str, now: DateTime<Utc>) -> Answer {
        let mut status = json!({ "startTime": stamp(self.began), "name": name });
        if now < self.ends {
            status["status"] = json!("InProgress");
            return Answer::ok(&status);
        }
        status["endTime"] = stamp(self.ends);
        match &self.failure {
            None => status["status"] = json!("Succeeded"),
            Some((code, message)) => {
                status["status"] = json!("Failed");
                status["error"] = json!({ "code": code, "message": message });
            }
        }
        Answer::ok(&status)
    }
}

/// What providers call a status and a result: the last words of their links, and of the right to follow these.
fn words(namespace: &str) -> (&'static str, &'static str) {
    match namespace {
        "Microsoft.DBforPostgreSQL" => ("azureAsyncOperation", "operationResults"),
        "Microsoft.Storage" => ("asyncoperations", "asyncoperations"),
        _ => ("operations", "operationResults"),
    }
}

/// What a link asks for.
#[derive(Debug)]
pub enum Asked {
    /// Answer this.
    Answer(Answer),
    /// The operation has ended well: answer the resource of this id.
    Resource(String),
}

/// Answers a link: `name` is the operation's name in it, `result` whether it is the one to the result.
pub fn answer(world: &World, token: &str, name: &str, result: bool, now: DateTime<Utc>) -> Outcome<Asked> {
    let unknown = || {
        let message = format!("The entity with name '{name}' could not be found.");
        Refused::missing("NotFound", message)
    };
    let running = open(world.seed(), token).ok_or_else(unknown)?;
    if world.seed().uuid(&["operation", token]) != name {
        return Err(unknown());
    }
    if !result {
        let mut answer = running.status(name, now);
        answer.headers.extend(running.retry_after(world).filter(|_| now < running.ends));
        return Ok(Asked::Answer(answer));
    }
    if now < running.ends {
        let mut answer = Answer::empty(StatusCode::ACCEPTED);
        answer.headers.extend(running.retry_after(world));
        return Ok(Asked::Answer(answer));
    }
    match running.failure {
        Some((code, message)) => Err(Refused::conflict(&code, message)),
        None if running.gives_resource => Ok(Asked::Resource(running.resource)),
        None => Ok(Asked::Answer(Answer::empty(StatusCode::OK))),
    }
}

fn seal(seed: Seed, running: &Running) -> String {
    let text = serde_json::to_string(running).unwrap_or_default();
    let sum = seed.hex(&["lro", &text], 16);
    URL_SAFE_NO_PAD.encode(format!("{sum}{text}"))
}

fn open(seed: Seed, token: &str) -> Option<Running> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (sum, text) = text.split_at_checked(16)?;
    if seed.hex(&["lro", text], 16) != sum {
        return None;
    }
    serde_json::from_str::<Value>(text).ok().and_then(|value| serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_cannot_be_made_up() {
        let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d";
        let running =
            Running::new(resource, "westeurope", DateTime::UNIX_EPOCH, TimeDelta::seconds(5), Links::Both)
                .giving();
        let token = seal(Seed(1), &running);
        assert_eq!(open(Seed(1), &token), Some(running));
        assert_eq!(open(Seed(2), &token), None);
        let forged = URL_SAFE_NO_PAD.encode(format!("0000000000000000{{\"r\":\"{resource}\"}}"));
        assert_eq!(open(Seed(1), &forged), None);
        assert_eq!(open(Seed(1), "nonsense"), None);
    }
}
