//! Enums by number. Google's Rust clients send numbers, and ask for numbers with `$alt=json;enum-encoding=int`; the
//! discovery documents, and all who handle requests here, know names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::rest::{Api, Shape};

/// Numbers by name of each enum, by where it stands: `sqladmin:Settings.activationPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// What they were taken from.
    #[expect(dead_code, reason = "it is for who reads the file")]
    source: String,
    enums: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Which way enums are written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// Numbers become names: a request.
    Names,
    /// Names become numbers: an answer.
    Numbers,
}

impl Numbers {
    /// Reads the committed file.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Rewrites all enums of a value of a shape; what is in no table stays as it is, and is refused later.
    pub fn rewrite(&self, name: &str, api: &Api, shape: &Shape, value: &mut Value, into: Into) {
        self.walk(&Place { api: name, schema: api, into }, shape, value, &mut String::new());
    }

    /// The name of an enum's value that a query gives as a number.
    pub fn name_of(&self, api: &str, operation: &str, parameter: &str, text: &str) -> Option<&str> {
        let number: i64 = text.parse().ok()?;
        self.name(&format!("{api}:{operation}?{parameter}"), number)
    }

    fn name(&self, key: &str, number: i64) -> Option<&str> {
        let found = self.enums.get(key)?.iter().find(|(_, known)| **known == number)?;
        Some(found.0)
    }

    fn walk(&self, place: &Place<'_>, shape: &Shape, value: &mut Value, at: &mut String) {
        let length = at.len();
        let before = shape.reference.as_ref().map(|name| std::mem::replace(at, name.clone()));
        let shape = place.schema.resolve(shape);
        if shape.words.is_some() {
            self.replace(&format!("{}:{at}", place.api), value, place.into);
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    let Some(known) = shape.properties.get(name).or(shape.additional.as_deref()) else {
                        continue;
                    };
                    let length = at.len();
                    if shape.properties.contains_key(name) {
                        at.push('.');
                        at.push_str(name);
                    }
                    self.walk(place, known, value, at);
                    at.truncate(length);
                }
            }
            Value::Array(items) => {
                for item in items {
                    if let Some(shape) = &shape.items {
                        self.walk(place, shape, item, at);
                    }
                }
            }
            _ => {}
        }
        match before {
            Some(before) => *at = before,
            None => at.truncate(length),
        }
    }

    fn replace(&self, key: &str, value: &mut Value, into: Into) {
        let next = match into {
            Into::Names => value.as_i64().and_then(|number| self.name(key, number)).map(Value::from),
            Into::Numbers => value
                .as_str()
                .and_then(|name| self.enums.get(key)?.get(name))
                .map(|number| Value::from(*number)),
        };
        if let Some(next) = next {
            *value = next;
        }
    }
}

struct Place<'a> {
    api: &'a str,
    schema: &'a Api,
    into: Into,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::google::schemas::Schemas;

    #[test]
    fn numbers_become_names_and_back() {
        let schemas = Schemas::load().unwrap();
        let api = schemas.api("sqladmin").unwrap();
        let shape = &api.shapes["DatabaseInstance"];
        let names = json!({ "databaseVersion": "POSTGRES_16", "ipAddresses": [{ "type": "PRIMARY" }], "settings": { "activationPolicy": "NEVER", "tier": "3" } });
        let mut value = names.clone();
        schemas.numbers.rewrite("sqladmin", api, shape, &mut value, Into::Numbers);
        assert_eq!(value["settings"], json!({ "activationPolicy": 2, "tier": "3" }));
        assert_eq!(value["ipAddresses"][0]["type"], 1);
        schemas.numbers.rewrite("sqladmin", api, shape, &mut value, Into::Names);
        assert_eq!(value, names);
        let aligner = "aggregation.perSeriesAligner";
        let operation = "monitoring.projects.timeSeries.list";
        assert_eq!(schemas.numbers.name_of("monitoring", operation, aligner, "12"), Some("ALIGN_MEAN"));
    }
}
