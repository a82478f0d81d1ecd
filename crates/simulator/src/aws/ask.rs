//! What a handler is asked: who asks, where, when, with which input; and short ways to read it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{identity::Caller, protocol::Refusal, s3::Upload};
use crate::{
    estate::{Cause, Estate, Listing, Page, Tags, Thing},
    face::FaceName,
    faults::{Effects, Fault, Kind},
    plan::{Account, Region},
    world::World,
};

/// A call that was authenticated and read.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub world: &'a World,
    pub account: &'a Account,
    pub caller: &'a Caller,
    /// Where the call was signed for.
    pub region: &'a Region,
    /// `ec2:RunInstances`
    pub operation: &'a str,
    pub input: &'a Value,
    /// A streamed body.
    pub body: &'a bytes::Bytes,
    /// What follows from the body of an object.
    pub upload: Option<&'a Upload>,
    pub effects: &'a Effects,
    pub now: DateTime<Utc>,
}

impl<'a> Ask<'a> {
    /// The account's id.
    pub fn owner(&self) -> &'a str {
        &self.account.id
    }

    /// The region's name.
    pub fn place(&self) -> &'a str {
        &self.region.id
    }

    /// Why a thing is made or ended, for the ledger.
    pub fn cause(&self) -> Cause<'a> {
        let token = ["ClientToken", "CallerReference"].iter().find_map(|name| self.text(name));
        Cause { account: self.owner(), operation: self.operation, token, now: self.now }
    }

    /// A member of the input.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.input.get(name)
    }

    /// A text of the input.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// A text that the model demands; empty only if the model does not.
    pub fn need(&self, name: &str) -> &'a str {
        self.text(name).unwrap_or_default()
    }

    /// A number of the input.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of the input; empty if it is missing.
    pub fn list(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A list of texts of the input.
    pub fn texts(&self, name: &str) -> Vec<&'a str> {
        self.list(name).iter().filter_map(Value::as_str).collect()
    }

    /// A time of the input.
    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.text(name)?.parse().ok()
    }

    /// How many items a page has: what was asked for, at most `most`.
    pub fn limit(&self, name: &str, most: usize) -> usize {
        self.number(name)
            .and_then(|number| usize::try_from(number).ok())
            .map_or(most, |number| number.clamp(1, most))
    }

    /// A page of a shelf in this region, of what `wanted` takes. `bad_token` is what a wrong token is called.
    pub fn page<'e>(
        &self,
        estate: &'e Estate,
        kind: &str,
        (limit, token): (usize, Option<&str>),
        bad_token: &'static str,
        wanted: impl Fn(&Thing) -> bool,
    ) -> Result<Page<'e>, Refusal> {
        self.page_in(estate, kind, self.place(), (limit, token), bad_token, wanted)
    }

    /// The same of a shelf anywhere.
    pub fn page_in<'e>(
        &self,
        estate: &'e Estate,
        kind: &str,
        place: &str,
        (limit, token): (usize, Option<&str>),
        bad_token: &'static str,
        wanted: impl Fn(&Thing) -> bool,
    ) -> Result<Page<'e>, Refusal> {
        let query = self.query();
        let listing = Listing {
            place: Some(place),
            limit,
            token,
            query: &query,
            now: self.now,
            lens: self.effects.lens,
        };
        estate
            .list(self.owner(), kind, listing, wanted)
            .map_err(|error| Refusal::new(bad_token, error.to_string()).status(400))
    }

    /// What a page's token belongs to: the operation with all that it asks but the page.
    fn query(&self) -> String {
        const PAGING: &[&str] = &[
            "NextToken",
            "Marker",
            "MaxResults",
            "MaxRecords",
            "MaxItems",
            "PageSize",
            "ContinuationToken",
            "MaxKeys",
            "MaxBuckets",
            "NextPageToken",
            "MaxDatapoints",
        ];
        let mut query = self.operation.to_owned();
        for (name, value) in self.input.as_object().into_iter().flatten() {
            if !PAGING.contains(&name.as_str()) {
                query.push_str(name);
                query.push_str(&value.to_string());
            }
        }
        query
    }

    /// A thing of this region.
    pub fn find<'e>(&self, estate: &'e Estate, kind: &str, id: &str) -> Option<&'e Thing> {
        estate.get(self.owner(), kind, self.place(), id, self.now)
    }

    /// A thing of this region, to be changed.
    pub fn find_mut<'e>(&self, estate: &'e mut Estate, kind: &str, id: &str) -> Option<&'e mut Thing> {
        estate.get_mut(self.owner(), kind, self.place(), id, self.now)
    }

    /// All things of a kind in this region.
    pub fn all<'e>(&'e self, estate: &'e Estate, kind: &str) -> impl Iterator<Item = &'e Thing> {
        estate.all(self.owner(), kind, Some(self.place()), self.now)
    }

    /// Adds a thing. It is not seen at once if a fault says so.
    pub fn add(&self, estate: &mut Estate, kind: &str, mut thing: Thing) {
        thing.seen_from = thing.seen_from.max(self.now + self.effects.unseen);
        estate.add(self.cause(), kind, thing);
    }

    /// Ends a thing of this region, and goes on showing it for a while.
    pub fn end(&self, estate: &mut Estate, kind: &str, id: &str, shown_for: TimeDelta) {
        estate.end(self.cause(), kind, self.place(), id, self.now + shown_for);
    }

    /// A new id with `digits` hexadecimal digits behind a prefix.
    pub fn new_id(&self, estate: &mut Estate, prefix: &str, digits: usize) -> String {
        format!("{prefix}{}", estate.new_hex(self.world.seed(), prefix, digits))
    }

    /// The ARN of something of this region and account.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.place(), self.owner())
    }

    /// Whether a fault is switched on that would concern a call of another kind than this one. It is looked at only:
    /// faults that happen a number of times do not happen by it.
    pub fn fault(&self, zone: &str, call: &str, wanted: impl Fn(&Kind) -> bool) -> Option<Kind> {
        let (service, operation) = call.split_once(':').unwrap_or_default();
        let is = |name: &Option<String>, found: &str| {
            name.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(found))
        };
        let concerns = |fault: &Fault| {
            wanted(&fault.kind)
                && fault.face.is_none_or(|face| face == FaceName::Aws)
                && is(&fault.account, self.owner())
                && is(&fault.region, self.place())
                && is(&fault.zone, zone)
                && is(&fault.service, service)
                && is(&fault.operation, operation)
                && fault.until.is_none_or(|until| self.now < until)
        };
        self.world.faults.list().into_iter().map(|active| active.fault).find(concerns).map(|fault| fault.kind)
    }

    /// The zones of this region.
    pub fn zones(&self) -> impl Iterator<Item = &'a str> {
        self.region.zones.iter().map(AsRef::as_ref)
    }
}

/// Tags from a list of `Key` and `Value`.
pub fn tags_of(list: &[Value]) -> Tags {
    list.iter()
        .filter_map(|tag| {
            let value = tag.get("Value").and_then(Value::as_str).unwrap_or_default();
            Some((tag.get("Key")?.as_str()?.into(), value.into()))
        })
        .collect()
}

/// Tags as a list of `Key` and `Value`.
pub fn tag_list(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| object([("Key", Value::from(&**key)), ("Value", Value::from(&**value))]))
        .collect()
}

/// An object of members.
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Copies those members of the input that are given.
pub fn copied(input: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), input.get(*name)?.clone()))).collect()
}

/// A time as values have it, to the second.
pub fn stamp(time: DateTime<Utc>) -> Value {
    Value::String(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// A number as values have it.
pub fn int(value: impl TryInto<i64>) -> Value {
    Value::from(value.try_into().unwrap_or(i64::MAX))
}
