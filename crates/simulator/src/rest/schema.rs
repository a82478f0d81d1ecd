//! The reduced schema of an API, as it is committed.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

/// An API: its operations, and the shapes of what they take and give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// What the schema was made from.
    pub source: String,
    /// Operations by name.
    pub operations: BTreeMap<String, Operation>,
    /// Shapes by name.
    #[serde(default)]
    pub shapes: BTreeMap<String, Shape>,
}

/// One operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The method, in capitals.
    #[serde(deserialize_with = "method")]
    pub method: Method,
    /// The path, with `{name}` for a segment and `{name+}` for several.
    pub path: String,
    /// Parameters of the query.
    #[serde(default)]
    pub query: BTreeMap<String, Shape>,
    /// The request's body.
    pub body: Option<Shape>,
    /// The body of the answer.
    pub response: Option<Shape>,
}

/// What a value may be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean` or `any`; absent where there is a reference.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What the vendor says of the text or number: `uint64`, `date-time`, `byte`.
    pub format: Option<String>,
    /// Members of an object.
    #[serde(default)]
    pub properties: BTreeMap<String, Shape>,
    /// What members of other names are; absent where there may be none.
    pub additional: Option<Box<Shape>>,
    /// What an array is made of.
    pub items: Option<Box<Shape>>,
    /// The texts there are.
    #[serde(rename = "enum")]
    pub words: Option<Vec<serde_json::Value>>,
    /// Members that must be there, or, of a parameter, whether it must.
    #[serde(default)]
    pub required: Required,
    /// Told by the vendor only; what a request says of it is ignored.
    #[serde(rename = "readOnly", default)]
    pub read_only: bool,
    /// What a text must match, for readers.
    pub pattern: Option<String>,
    /// The name of another shape.
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
}

/// Names of members, or yes and no.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Required {
    /// Of a parameter.
    Flag(bool),
    /// Of an object.
    Members(Vec<String>),
}

impl Default for Required {
    fn default() -> Self {
        Self::Flag(false)
    }
}

/// A schema that is none.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It cannot be read.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A shape refers to one that is not there.
    #[error("`{0}` is referred to, but not there")]
    Dangling(String),
}

impl Api {
    /// Reads a schema and follows all its references once, so that later none can lead nowhere.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let api: Self = serde_json::from_str(text)?;
        let mut shapes: Vec<&Shape> = api.shapes.values().collect();
        for operation in api.operations.values() {
            shapes.extend(operation.query.values());
            shapes.extend(operation.body.iter().chain(&operation.response));
        }
        while let Some(shape) = shapes.pop() {
            if let Some(name) = &shape.reference
                && !api.shapes.contains_key(name)
            {
                return Err(SchemaError::Dangling(name.clone()));
            }
            shapes.extend(shape.properties.values());
            shapes.extend(shape.items.as_deref());
            shapes.extend(shape.additional.as_deref());
        }
        Ok(api)
    }

    /// What a shape refers to, or itself.
    pub fn resolve<'a>(&'a self, mut shape: &'a Shape) -> &'a Shape {
        // References lead to shapes, and a chain of them is short: `parse` has followed each one.
        for _ in 0..8 {
            match shape.reference.as_ref().and_then(|name| self.shapes.get(name)) {
                Some(next) => shape = next,
                None => break,
            }
        }
        shape
    }
}

impl Required {
    /// Whether a member must be there.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Members(names) => names,
            Self::Flag(_) => &[],
        }
    }

    /// Whether a parameter must be there.
    pub fn is_set(&self) -> bool {
        matches!(self, Self::Flag(true))
    }
}

fn method<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
