//! One thing that exists, or existed, in an account.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::Life;

/// A thing, of whatever kind and vendor. What all have in common are members here; the rest is the [`Body`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Thing {
    /// Unique in its shelf and place: `i-0abc…`, a name, a resource path.
    pub id: Arc<str>,
    /// Where it is listed: a region, a zone, or `global`.
    pub place: Arc<str>,
    /// The zone it is in, if it is in one.
    pub zone: Option<Arc<str>>,
    /// The name people gave it; may be empty.
    pub name: Arc<str>,
    /// When it was made.
    pub born: DateTime<Utc>,
    /// Its states.
    pub life: Life,
    /// The vendor's size or type; empty for what has none.
    pub size: Arc<str>,
    /// Tags or labels.
    pub tags: Tags,
    /// What else the vendor says of it, in the vendor's words: what does not follow from the members above.
    pub body: Body,
    /// What its measurements follow from.
    pub driven: Option<Driven>,
    /// What it is charged for.
    pub meters: Vec<Meter>,
    /// Not seen before: eventual consistency.
    pub seen_from: DateTime<Utc>,
    /// Not seen from here on, if it was deleted; later than the deletion where a vendor goes on showing it.
    pub gone_at: Option<DateTime<Utc>>,
}

/// Tags by key.
pub type Tags = BTreeMap<Arc<str>, Arc<str>>;

impl Thing {
    /// A thing that is there from `now` on and stays in one state, with nothing else said of it.
    pub fn new(id: &str, place: &str, now: DateTime<Utc>, state: &'static str) -> Self {
        Self {
            id: id.into(),
            place: place.into(),
            zone: None,
            name: "".into(),
            born: now,
            life: Life::new(now, state),
            size: "".into(),
            tags: Tags::new(),
            body: Body::default(),
            driven: None,
            meters: Vec::new(),
            seen_from: now,
            gone_at: None,
        }
    }

    /// Whether whoever asks now sees it.
    pub fn is_seen(&self, now: DateTime<Utc>) -> bool {
        self.seen_from <= now && self.gone_at.is_none_or(|gone| now < gone)
    }

    /// Its state now.
    pub fn state(&self, now: DateTime<Utc>) -> &str {
        self.life.at(now)
    }

    /// Replaces what it is charged for from now on.
    pub fn meter(&mut self, now: DateTime<Utc>, meters: impl IntoIterator<Item = Meter>) {
        for meter in &mut self.meters {
            meter.until.get_or_insert(now);
        }
        self.meters.extend(meters.into_iter().map(|meter| Meter { from: now, ..meter }));
    }
}

/// JSON text of an object: a quarter of the memory of a parsed one, and most of a listing only copies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(Box<str>);

impl Default for Body {
    fn default() -> Self {
        Self("{}".into())
    }
}

impl From<&Map<String, Value>> for Body {
    fn from(object: &Map<String, Value>) -> Self {
        // A map of JSON values can always be written.
        Self(serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned()).into())
    }
}

impl From<Value> for Body {
    /// Of a value that is no object nothing is kept.
    fn from(value: Value) -> Self {
        if value.is_object() { Self(value.to_string().into()) } else { Self::default() }
    }
}

impl Body {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As an object, to be answered with.
    pub fn read(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// One member.
    pub fn get(&self, member: &str) -> Value {
        self.read().remove(member).unwrap_or_default()
    }

    /// As a type of the face's own.
    pub fn read_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Changes it.
    pub fn edit(&mut self, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut object = self.read();
        change(&mut object);
        *self = Self::from(&object);
    }
}

/// What drives the measurements of a thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Driven {
    /// The load's name in the world file.
    pub load: Arc<str>,
    /// Utilization at the load's peak, e.g. 0.7; above 1 it is overrun.
    pub at_peak: f64,
}

/// Something a thing is charged for, by the hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    /// Names the price: `compute/m7g.large`, `disk/gp3`.
    pub sku: Arc<str>,
    /// Units of the price an hour or month, e.g. GiB; 1 for a thing that is counted.
    pub amount: f64,
    /// Charged only in these states; always, if there are none.
    pub only_in: Vec<Arc<str>>,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when, if it is not charged any more.
    pub until: Option<DateTime<Utc>>,
}

impl Meter {
    /// Charges `amount` units of a sku; [`Thing::meter`] says from when on.
    pub fn new(sku: &str, amount: f64) -> Self {
        Self { sku: sku.into(), amount, only_in: Vec::new(), from: DateTime::UNIX_EPOCH, until: None }
    }

    /// Only while the thing is in one of these states.
    #[must_use]
    pub fn only_in(mut self, states: &[&str]) -> Self {
        self.only_in = states.iter().map(|state| (*state).into()).collect();
        self
    }
}
