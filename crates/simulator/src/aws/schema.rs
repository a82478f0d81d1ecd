//! What AWS publishes about a service, as `scripts/simulator-schemas-aws` left it, in a form that is quick to walk.
//!
//! A member has two names on the wire: the one it is asked by, and the one it is answered by. They differ for EC2 only,
//! and there every member has a rule of its own, so both are worked out once, here.

mod names;
mod raw;

use std::collections::HashMap;

use serde::Deserialize;

use names::Names;

/// A service's operations and shapes.
#[derive(Debug)]
pub struct Schema {
    pub meta: Metadata,
    operations: HashMap<String, Operation>,
    shapes: Vec<Shape>,
    ids: HashMap<String, ShapeId>,
}

/// A shape's place in its schema.
pub type ShapeId = usize;

/// What the whole service has in common.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    pub signing_name: Option<String>,
    pub protocol: String,
    #[serde(default)]
    pub protocols: Vec<String>,
    pub json_version: Option<String>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
    /// JSON answers that also say what the error was called when the service spoke the Query protocol.
    pub aws_query_compatible: Option<serde_json::Value>,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    pub name: String,
    pub method: String,
    /// `/{Bucket}/{Key+}?tagging`
    pub uri: String,
    pub status: u16,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    pub result_wrapper: Option<String>,
    pub errors: Vec<ShapeId>,
}

/// A shape.
#[derive(Debug)]
pub struct Shape {
    pub name: String,
    pub kind: Kind,
}

/// What a shape is.
#[derive(Debug)]
pub enum Kind {
    Structure(Structure),
    List(List),
    Map { key: Reference, value: Reference, flattened: bool },
    Text { closed: Vec<String>, length: Range },
    Integer(Range),
    Float(Range),
    Boolean,
    Timestamp(Option<TimeFormat>),
    Blob,
}

/// A list; the longest it may be.
#[derive(Debug)]
pub struct List {
    pub of: Reference,
    pub flattened: bool,
    pub length: Range,
}

/// What a number or a length may be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// A use of a shape in a list or a map.
#[derive(Debug)]
pub struct Reference {
    pub shape: ShapeId,
    pub wire: Option<String>,
}

/// A structure.
#[derive(Debug)]
pub struct Structure {
    pub members: Vec<Member>,
    names: Names,
    asked: Names,
    pub payload: Option<usize>,
    pub error: Option<ErrorTrait>,
    pub union: bool,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub shape: ShapeId,
    /// Its name in requests.
    pub asked: String,
    /// Its name in answers.
    pub wire: String,
    pub location: Location,
    pub required: bool,
    pub time: Option<TimeFormat>,
    /// Its elements stand beside each other, whatever its shape says.
    pub flattened: bool,
}

/// Where a member travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    Body,
    Uri,
    Query,
    Header,
    /// Headers that begin with the member's name.
    Headers,
    Status,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TimeFormat {
    #[serde(rename = "iso8601")]
    Iso,
    #[serde(rename = "rfc822")]
    Http,
    #[serde(rename = "unixTimestamp")]
    Epoch,
}

/// An error as it is called on the wire.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
    #[serde(default = "bad_request")]
    pub http_status_code: u16,
    #[serde(default)]
    pub sender_fault: bool,
}

fn bad_request() -> u16 {
    400
}

impl Schema {
    /// Reads a committed schema.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let raw: raw::RawSchema = serde_json::from_str(text)?;
        Ok(raw.resolve())
    }

    /// The operation of that name, if it is simulated.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// All operations, in no order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// A shape of this schema.
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id]
    }

    /// The structure behind `id`, if it is one.
    pub fn structure(&self, id: ShapeId) -> Option<&Structure> {
        match &self.shape(id).kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }

    /// The shape of that name.
    pub fn named(&self, name: &str) -> Option<&Shape> {
        self.ids.get(name).map(|id| self.shape(*id))
    }

    /// The error that is called `code` on the wire or by its shape: its shape and what is known of it.
    pub fn error(&self, code: &str) -> Option<(&Shape, Option<&ErrorTrait>)> {
        let found = self.shapes.iter().find(|shape| match &shape.kind {
            Kind::Structure(Structure { error: Some(error), .. }) => error.code.as_deref() == Some(code),
            _ => false,
        });
        let shape = found.or_else(|| self.named(code))?;
        match &shape.kind {
            Kind::Structure(structure) => Some((shape, structure.error.as_ref())),
            _ => None,
        }
    }

    /// The service's name in signatures.
    pub fn signing_name(&self) -> &str {
        self.meta.signing_name.as_deref().unwrap_or(&self.meta.endpoint_prefix)
    }
}

impl Structure {
    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.names.get(name).map(|index| &self.members[index])
    }

    /// The member that is called so in requests.
    pub fn asked(&self, name: &str) -> Option<&Member> {
        self.asked.get(name).map(|index| &self.members[index])
    }
}
