//! Small readers that the normalisers share: from a tape's texts to the fields of an [`Observed`].

use chrono::{DateTime, Utc};
use marquee_clouds::{Observed, ObservedRelation, RawJson};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::{Map, Value};

use crate::{
    inventory::states,
    partition::{Arn, Place},
    xml::Node,
};

/// A resource being put together.
#[derive(Debug)]
pub struct Draft(pub Observed);

impl Draft {
    /// A resource of `kind` at `place`, named by its short id until a better name is found.
    pub fn new(kind: ResourceKind, native_id: String, short_id: &str, place: &Place<'_>) -> Self {
        Self(Observed {
            kind,
            native_id,
            name: short_id.to_owned(),
            region: place.region.to_owned(),
            zone: None,
            state: ResourceState::Available,
            native_state: None,
            size: None,
            tags: Vec::new(),
            created_at: None,
            attributes: Map::new(),
            raw: RawJson::default(),
            relations: Vec::new(),
        })
    }

    /// Takes the vendor's state and what it means.
    pub fn state(&mut self, native: Option<&str>) {
        if let Some(native) = native {
            self.0.state = states::normalise(self.0.kind, native);
            self.0.native_state = Some(native.to_owned());
        }
    }

    /// Takes the tags, and the name from the one called `Name`.
    pub fn tags(&mut self, mut tags: Vec<(String, String)>) {
        tags.sort_unstable();
        if let Some((_, name)) = tags.iter().find(|(key, value)| key == "Name" && !value.is_empty()) {
            self.0.name.clone_from(name);
        }
        self.0.tags = tags;
    }

    /// A normalised attribute, if the vendor gave it.
    pub fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// A normalised number, if the vendor gave it and it is one.
    pub fn number(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.and_then(|text| text.parse::<u64>().ok()) {
            self.set(name, value);
        }
    }

    /// A normalised yes or no, if the vendor gave it.
    pub fn flag(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.and_then(|text| text.parse::<bool>().ok()) {
            self.set(name, value);
        }
    }

    /// A normalised attribute.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.attributes.insert(name.to_owned(), value.into());
    }

    /// How it stands to another.
    pub fn relation(&mut self, relation: Relation, target: String) {
        self.0.relations.extend(relation_to(relation, target));
    }

    /// The finished resource.
    pub fn finish(self, raw: RawJson) -> Observed {
        let mut observed = self.0;
        observed.relations.sort_unstable();
        observed.relations.dedup();
        observed.raw = raw;
        observed
    }
}

/// How a resource stands to what an ARN names; `None` if that is of no kind that is listed (a function, say).
pub fn relation_to(relation: Relation, target: String) -> Option<ObservedRelation> {
    let kind = Arn::parse(&target)?.kind()?;
    Some(ObservedRelation { relation, kind, target })
}

/// The tags of a list of that name whose members are called `key` and `value`.
pub fn tags(node: Node<'_, '_>, list: &str, key: &str, value: &str) -> Vec<(String, String)> {
    let pair = |tag: Node<'_, '_>| {
        let value = tag.child(value).map(Node::text).unwrap_or_default();
        Some((tag.get(key)?.to_owned(), value.to_owned()))
    };
    node.list(list).filter_map(pair).collect()
}

/// A time as AWS writes it.
pub fn time(text: Option<&str>) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text?).ok().map(|time| time.to_utc())
}
