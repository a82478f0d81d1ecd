//! A resource being put together from what a vendor said in JSON: what is missing there stays out.

use chrono::{DateTime, Utc};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::{Map, Value};

use crate::{Observed, ObservedRelation, RawJson};

/// What a vendor's words for states mean, by kind: `(kind, [(word, state)])`.
pub type States = &'static [(ResourceKind, &'static [(&'static str, ResourceState)])];

/// A resource being put together.
#[derive(Debug)]
pub struct Draft(pub Observed);

impl Draft {
    /// A resource that is available, and of which nothing else is known yet.
    pub fn new(kind: ResourceKind, native_id: &str, name: &str, region: &str) -> Self {
        Self(Observed {
            kind,
            native_id: native_id.to_owned(),
            name: if name.is_empty() { native_id } else { name }.to_owned(),
            region: region.to_owned(),
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

    /// Takes the vendor's word for the state and what it means; a word that is not in the table is `unknown`.
    pub fn state(&mut self, states: States, native: Option<&str>) {
        let Some(native) = native else { return };
        let words = states.iter().find(|(kind, _)| *kind == self.0.kind).map_or(&[][..], |(_, words)| words);
        let known = words.iter().find(|(word, _)| *word == native);
        self.0.state = known.map_or(ResourceState::Unknown, |(_, state)| *state);
        self.0.native_state = Some(native.to_owned());
    }

    /// Takes tags or labels: an object of texts.
    pub fn tags(&mut self, tags: &Value) {
        let pairs = tags.as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.0.tags = pairs.map(|(key, value)| (key.clone(), text(value))).collect();
        self.0.tags.sort_unstable();
    }

    /// Takes the size or type.
    pub fn size(&mut self, size: &Value) {
        self.0.size = size.as_str().map(str::to_owned);
    }

    /// Takes the time of its making.
    pub fn created(&mut self, time: &Value) {
        self.0.created_at = time.as_str().and_then(rfc3339);
    }

    /// A normalised attribute: a text, a number or a yes or no, as the vendor gave it. Numbers that travel as text stay
    /// numbers only with [`Draft::number`].
    pub fn take(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(_) | Value::Number(_) | Value::Bool(_) => self.set(name, value.clone()),
            _ => {}
        }
    }

    /// A normalised whole number, also of a text that is one.
    pub fn number(&mut self, name: &str, value: &Value) {
        if let Some(number) = whole(value) {
            self.set(name, number);
        }
    }

    /// A normalised attribute.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.attributes.insert(name.to_owned(), value.into());
    }

    /// How it stands to another, if the other is named.
    pub fn relation(&mut self, relation: Relation, kind: ResourceKind, target: Option<String>) {
        if let Some(target) = target.filter(|target| !target.is_empty()) {
            self.0.relations.push(ObservedRelation { relation, kind, target });
        }
    }

    /// The finished resource, with what else the vendor said; `omit` names members that say nothing new or change by
    /// themselves all the time, `a.b` one within another.
    pub fn finish(self, mut said: Value, omit: &[&str]) -> Observed {
        for path in omit {
            leave_out(&mut said, path);
        }
        let mut observed = self.0;
        observed.relations.sort_unstable();
        observed.relations.dedup();
        observed.raw = RawJson::from(&said);
        observed
    }
}

fn leave_out(value: &mut Value, path: &str) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    match (value.as_object_mut(), rest) {
        (Some(object), None) => {
            object.shift_remove(name);
        }
        (Some(object), Some(rest)) => {
            if let Some(inner) = object.get_mut(name) {
                leave_out(inner, rest);
            }
        }
        (None, _) => {}
    }
}

/// A whole number, also of a text that is one.
pub fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// A time in RFC 3339.
pub fn rfc3339(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_stays_out_and_what_is_omitted_leaves_nothing() {
        let said = json!({ "id": "x", "a": { "b": 1, "c": 2 }, "tags": { "k": "v" } });
        let mut draft = Draft::new(ResourceKind::Disk, "x", "", "r");
        draft.tags(&said["tags"]);
        draft.take("encrypted", &said["nothing"]);
        draft.number("size_gib", &json!("12"));
        draft.relation(Relation::AttachedTo, ResourceKind::ComputeInstance, None);
        let observed = draft.finish(said, &["tags", "a.b", "q.r"]);
        assert_eq!(observed.raw.as_str(), r#"{"id":"x","a":{"c":2}}"#);
        assert_eq!(observed.attributes, json!({ "size_gib": 12 }).as_object().cloned().unwrap());
        assert_eq!((observed.name.as_str(), observed.tags.len()), ("x", 1));
        assert!(observed.relations.is_empty());
    }

    #[test]
    fn a_new_word_is_unknown_and_kept() {
        const STATES: States = &[(ResourceKind::Disk, &[("Unattached", ResourceState::Available)])];
        let mut draft = Draft::new(ResourceKind::Disk, "x", "x", "r");
        draft.state(STATES, Some("Frozen"));
        assert_eq!(
            (draft.0.state, draft.0.native_state.as_deref()),
            (ResourceState::Unknown, Some("Frozen"))
        );
    }
}
