//! One call of an operation: what it asks, for which subscription, and when; and the answer.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    entra::Role,
    error::{Outcome, Refused},
    lro::Running,
};
use crate::{
    estate::Cause,
    faults::Effects,
    plan::{Account, Region},
    world::World,
};

/// A call that was authenticated, routed and held against its schema. Growing a world makes them, too.
#[derive(Debug)]
pub struct Call<'a> {
    /// The world.
    pub world: &'a World,
    /// The subscription.
    pub account: &'a Account,
    /// The time.
    pub now: DateTime<Utc>,
    /// What links begin with.
    pub origin: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The version of the API.
    pub version: &'a str,
    /// Variable parts of the path.
    pub parts: BTreeMap<&'a str, String>,
    /// The query.
    pub query: BTreeMap<String, String>,
    /// The body; null if there is none.
    pub body: Value,
    /// `If-Match`, or empty.
    pub if_match: &'a str,
    /// `If-None-Match`, or empty.
    pub if_none_match: &'a str,
    /// The caller's role.
    pub role: Role,
    /// What goes wrong.
    pub effects: &'a Effects,
    /// Whether this is how the world began: what only users are refused is not.
    pub growing: bool,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// JSON, or nothing.
    pub body: Option<String>,
    /// What goes on after it.
    pub running: Option<Running>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// A status with a value.
    pub fn new(status: StatusCode, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// A status with JSON text.
    pub fn text(status: StatusCode, body: String) -> Self {
        Self { status, body: Some(body), running: None, headers: Vec::new() }
    }

    /// 200 with a value.
    pub fn ok(body: &Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// A status alone.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: None, running: None, headers: Vec::new() }
    }

    /// With an operation that goes on.
    #[must_use]
    pub fn running(mut self, running: Running) -> Self {
        self.running = Some(running);
        self
    }
}

impl<'a> Call<'a> {
    /// A variable part of the path; empty if the operation has none of that name.
    pub fn part(&self, name: &str) -> &str {
        self.parts.get(name).map_or("", String::as_str)
    }

    /// The resource group in the path.
    pub fn group(&self) -> &str {
        self.part("resourceGroupName")
    }

    /// The subscription's id.
    pub fn subscription(&self) -> &'a str {
        &self.account.id
    }

    /// A parameter of the query; empty if it was not sent.
    pub fn asked(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Who is the cause of a change.
    pub fn cause(&self) -> Cause<'_> {
        Cause { account: &self.account.id, operation: self.operation, token: None, now: self.now }
    }

    /// The region of a location that a client wrote, `West Europe` or `westeurope`.
    pub fn region(&self, location: &str, kind: &str) -> Outcome<&'a Region> {
        let wanted = normal(location);
        let found = self.account.regions.iter().find(|region| region.enabled && *region.id == *wanted);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.account.regions.iter().map(|region| region.id.as_ref()).collect();
            Refused::bad(
                "LocationNotAvailableForResourceType",
                format!(
                    "The provided location '{location}' is not available for resource type '{kind}'. List of available \
                     regions for the resource type is '{}'.",
                    known.join(",")
                ),
            )
        })
    }

    /// The location in the body.
    pub fn location(&self, kind: &str) -> Outcome<&'a Region> {
        match self.body.get("location").and_then(Value::as_str) {
            Some(location) if !location.trim().is_empty() => self.region(location, kind),
            _ => Err(Refused::bad(
                "LocationRequired",
                "The location property is required for this definition.",
            )),
        }
    }

    /// A member of the body's properties, by a path of names.
    pub fn property(&self, path: &str) -> &Value {
        inside(&self.body, &format!("properties.{path}"))
    }

    /// A new id that looks like a GUID and follows from the world's seed.
    pub fn new_guid(&self, estate: &mut crate::estate::Estate, what: &str) -> String {
        let number = estate.next_number();
        self.world.seed().uuid(&["azure", what, &number.to_string()])
    }

    /// The tags of the body.
    pub fn tags(&self) -> crate::estate::Tags {
        tags_of(self.body.get("tags"))
    }
}

/// A location without spaces and capitals.
pub fn normal(location: &str) -> String {
    location.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// A member by a path of names; null if it is not there.
pub fn inside<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// A text by a path of names; empty if it is not there.
pub fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    inside(value, path).as_str().unwrap_or_default()
}

/// Tags out of JSON.
pub fn tags_of(value: Option<&Value>) -> crate::estate::Tags {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members
        .map(|(key, value)| (Arc::from(key.as_str()), Arc::from(value.as_str().unwrap_or_default())))
        .collect()
}

/// A time as Azure writes it.
pub fn stamp(at: DateTime<Utc>) -> Value {
    Value::String(at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// What `change` says, put into `into`: members of objects one by one, null takes away, everything else replaces.
pub fn merge(into: &mut Map<String, Value>, change: &Map<String, Value>) {
    for (name, value) in change {
        match (into.get_mut(name), value) {
            (_, Value::Null) => {
                into.remove(name);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}
