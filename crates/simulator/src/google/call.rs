//! A request on its way to a handler: authenticated, routed, and read by its schema.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::{
    estate::{Body, Cause, Estate},
    faults::Effects,
    plan::Account,
    seed::Seed,
    world::World,
};

/// A request.
#[derive(Debug)]
pub struct Call<'a> {
    /// The world it is made in.
    pub world: &'a World,
    /// The project it is about.
    pub account: &'a Account,
    /// When.
    pub now: DateTime<Utc>,
    /// The operation: `compute.instances.insert`.
    pub operation: &'a str,
    /// What the path says, decoded.
    pub path: BTreeMap<String, String>,
    /// What the query says, by the types of the schema; empty values are left out.
    pub query: Map<String, Value>,
    /// The body; empty if there is none.
    pub body: Map<String, Value>,
    /// The body as it came, where it is a file.
    pub file: File,
    /// What faults do to the call.
    pub effects: &'a Effects,
    /// Who asks: the address of a service account.
    pub caller: &'a str,
}

/// A body that is no JSON: what is uploaded to a bucket.
#[derive(Debug, Default, Clone)]
pub struct File {
    /// Its type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Their checksum, of one that was uploaded.
    pub crc32c: u32,
    /// What is kept of one that was uploaded.
    pub kept: Body,
}

/// What a handler answers.
#[derive(Debug)]
pub enum Answer {
    /// A value.
    Json(Value),
    /// JSON that is text already.
    Text(String),
    /// A value that is to be given later, in real time.
    Late(Value, Duration),
    /// A file.
    File(File),
    /// Nothing, which Google says with status 204.
    Nothing,
}

/// What becomes of a call.
pub type Outcome = Result<Answer, Refusal>;

/// Who answers an operation.
#[derive(Debug, Clone, Copy)]
pub enum Handler {
    /// Looks only.
    Read(fn(&Call<'_>, &Estate) -> Outcome),
    /// Changes something.
    Write(fn(&Call<'_>, &mut Estate) -> Outcome),
}

/// Who asks when a world grows.
pub const WORLD: &str = "world@simulator.invalid";

static NO_EFFECTS: LazyLock<Effects> = LazyLock::new(Effects::default);

impl<'a> Call<'a> {
    /// A call that no client makes: the world grows by it.
    pub fn inside(world: &'a World, account: &'a Account, operation: &'a str, now: DateTime<Utc>) -> Self {
        Self {
            world,
            account,
            now,
            operation,
            path: BTreeMap::new(),
            query: Map::new(),
            body: Map::new(),
            file: File::default(),
            effects: &NO_EFFECTS,
            caller: WORLD,
        }
    }

    /// With a part of the path.
    #[must_use]
    pub fn at(mut self, name: &str, value: &str) -> Self {
        self.path.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a body.
    #[must_use]
    pub fn saying(mut self, body: Value) -> Self {
        if let Value::Object(body) = body {
            self.body = body;
        }
        self
    }

    /// The project's id.
    pub fn project(&self) -> &'a str {
        &self.account.id
    }

    /// Where randomness comes from.
    pub fn seed(&self) -> Seed {
        self.world.seed()
    }

    /// A part of the path; empty if there is none of the name.
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A text of the query; empty if it was not sent.
    pub fn asked(&self, name: &str) -> &str {
        self.query.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the query, however it is written; 0 means the same as none.
    pub fn asked_number(&self, name: &str) -> Option<u64> {
        number(self.query.get(name)?).filter(|number| *number > 0)
    }

    /// Whether the query says yes to something.
    pub fn asked_whether(&self, name: &str) -> bool {
        matches!(self.query.get(name), Some(Value::Bool(true)))
            || matches!(self.query.get(name), Some(Value::String(text)) if text == "true")
    }

    /// A text of the body; empty if it was not sent.
    pub fn said(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text of the body that must be there.
    pub fn must_say(&self, name: &str) -> Result<&str, Refusal> {
        let text = self.said(name);
        if text.is_empty() { Err(Refusal::required(&format!("resource.{name}"))) } else { Ok(text) }
    }

    /// Names a change for the ledger.
    pub fn cause(&self) -> Cause<'_> {
        let token = Some(self.asked("requestId")).filter(|token| !token.is_empty());
        Cause { account: self.project(), operation: self.operation, token, now: self.now }
    }
}

/// A number that JSON gives as one or, as Google writes 64 bits, as text.
pub fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// A new id of the numeric kind.
pub fn new_id(call: &Call<'_>, estate: &mut Estate, kind: &str) -> String {
    let number = estate.next_number();
    // 19 digits, as Google's are.
    let random = call.seed().number(&["id", kind, &number.to_string()]) % 9_000_000_000_000_000_000;
    (1_000_000_000_000_000_000_u64 + random / 9 * 8 % 8_000_000_000_000_000_000).to_string()
}

/// A time as newer services write it.
pub fn zulu(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time as Compute writes it: Pacific time, as if it were always winter.
pub fn pacific(at: DateTime<Utc>) -> String {
    chrono::FixedOffset::west_opt(8 * 3600).map_or_else(
        || zulu(at),
        |zone| at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false),
    )
}

/// A fingerprint or etag: what a client sends back to show that it knows the present state.
pub fn fingerprint(parts: &[&str]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(Seed(0).number(parts).to_be_bytes())
}
