//! A request on its way to a handler: authenticated, routed, and read by its schema.

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::StatusCode;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::{
    estate::{Cause, Estate, Thing},
    faults::Effects,
    plan::Account,
    world::World,
};

/// A request.
#[derive(Debug)]
pub struct Call<'a> {
    /// The world it is made in.
    pub world: &'a World,
    /// The project of its token.
    pub account: &'a Account,
    /// When.
    pub now: DateTime<Utc>,
    /// The operation: `servers.create`.
    pub operation: &'a str,
    /// The id in the path; empty if there is none.
    pub id: String,
    /// The query's pairs, decoded and known to the schema.
    pub query: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Map<String, Value>,
    /// What faults do to the call.
    pub effects: &'a Effects,
    /// Whether the world grows by it, and no client made it.
    pub grows: bool,
    /// Where the client found the API: what links begin with.
    pub origin: &'a str,
}

/// What a handler answers.
#[derive(Debug)]
pub enum Answer {
    /// A value with a status.
    Json(StatusCode, Value),
    /// A page of a list, with its `Link` header.
    Page(Value, String),
    /// Nothing, which Hetzner says with status 204.
    Nothing,
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Json(StatusCode::OK, value)
    }
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

static NO_EFFECTS: LazyLock<Effects> = LazyLock::new(Effects::default);

impl<'a> Call<'a> {
    /// A call that no client makes: the world grows by it.
    pub fn inside(world: &'a World, account: &'a Account, operation: &'a str, now: DateTime<Utc>) -> Self {
        Self {
            world,
            account,
            now,
            operation,
            id: String::new(),
            query: Vec::new(),
            body: Map::new(),
            effects: &NO_EFFECTS,
            grows: true,
            origin: "",
        }
    }

    /// The project's id.
    pub fn project(&self) -> &'a str {
        &self.account.id
    }

    /// The collection the operation is about: `servers`.
    pub fn noun(&self) -> &'a str {
        self.operation.split('.').next().unwrap_or_default()
    }

    /// A text of the query; empty if it was not sent.
    pub fn asked(&self, name: &str) -> &str {
        self.asked_all(name).next().unwrap_or_default()
    }

    /// All texts of the query that have a name.
    pub fn asked_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// Whether one of the texts of a name is this, or there are none.
    pub fn allows(&self, name: &str, value: &str) -> bool {
        let mut all = self.asked_all(name).peekable();
        all.peek().is_none() || all.any(|text| text == value)
    }

    /// A member of the body; null if it was not sent.
    pub fn said(&self, name: &str) -> &Value {
        self.body.get(name).unwrap_or(&Value::Null)
    }

    /// A text of the body; empty if it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.said(name).as_str().unwrap_or_default()
    }

    /// A yes or no of the body.
    pub fn flag(&self, name: &str, otherwise: bool) -> bool {
        self.said(name).as_bool().unwrap_or(otherwise)
    }

    /// An id in the body, as text.
    pub fn id_of(&self, name: &str) -> Option<String> {
        self.said(name).as_u64().map(|id| id.to_string())
    }

    /// An id or a name in the body, as text.
    pub fn id_or_name(&self, name: &str) -> Option<String> {
        match self.said(name) {
            Value::String(text) => Some(text.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }

    /// Names a change for the ledger.
    pub fn cause(&self) -> Cause<'_> {
        Cause { account: self.project(), operation: self.operation, token: None, now: self.now }
    }

    /// A thing of a collection, if it is seen and not on its way out.
    pub fn find<'e>(&self, estate: &'e Estate, shelf: &str, id: &str) -> Option<&'e Thing> {
        estate.find(self.project(), shelf, id, self.now)
    }

    /// The same; that it is not there is said of the field that names it.
    pub fn need<'e>(&self, estate: &'e Estate, shelf: &str, id: &str) -> Result<&'e Thing, Refusal> {
        let found = self.find(estate, shelf, id).filter(|thing| thing.gone_at.is_none());
        found.ok_or_else(|| Refusal::not_found(&singular(shelf), id))
    }

    /// The same, to be changed.
    pub fn change<'e>(&self, estate: &'e mut Estate, shelf: &str, id: &str) -> Option<&'e mut Thing> {
        estate.find_mut(self.project(), shelf, id, self.now)
    }

    /// A new thing of a collection: the next number of its kind, and seen when faults let it be.
    pub fn thing(&self, estate: &Estate, shelf: &str, place: &str, state: &'static str) -> Thing {
        let before = estate.added(self.project(), shelf);
        // Each project has numbers of its own; those of two kinds may be the same.
        let first = (self.world.seed().number(&["hetzner", self.project()]) % 90 + 10) * 1_000_000;
        let mut thing = Thing::new(&(first + before + 1).to_string(), place, self.now, state);
        thing.seen_from = self.now + self.effects.unseen;
        thing
    }
}

/// `server` of `servers`, `floating_ip` of `floating_ips`.
pub fn singular(shelf: &str) -> String {
    shelf.strip_suffix('s').unwrap_or(shelf).to_owned()
}

/// A time as Hetzner writes it.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An id as the number that it is on the wire.
pub fn number(id: &str) -> Value {
    id.parse::<u64>().map_or(Value::Null, Value::from)
}

/// Seconds.
pub const fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}
