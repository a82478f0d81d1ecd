//! The OpenAPI document, read into what the command line needs to know of each operation.
//!
//! Nothing here is written for a particular noun: what the document says is what the command line can do, so an
//! operation that is added to the API is reachable in the next build without a line of code.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    naming,
    schema::{self, Field, Kind, Schemas},
};

/// Everything the API offers.
#[derive(Debug)]
pub struct Api {
    /// In the order of the document.
    pub operations: Vec<Operation>,
}

/// One operation: a method on a path.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the document on its own")]
pub struct Operation {
    /// `noun.verb`, as in the document.
    pub id: String,
    /// The part of the id before the last dot, as a command: `api-keys`.
    pub noun: String,
    /// The command for the verb: `add`, which may differ from the id's own word.
    pub verb: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// With `{parameters}`.
    pub path: String,
    /// One line.
    pub summary: String,
    /// More than one line, or nothing.
    pub description: String,
    /// In the order in which they stand in the path.
    pub path_parameters: Vec<Parameter>,
    /// What may follow the question mark.
    pub query: Vec<Parameter>,
    /// Whether a key makes it safe to send twice.
    pub takes_idempotency_key: bool,
    /// Whether the version that is to be changed can be named.
    pub takes_if_match: bool,
    /// What is sent, if anything.
    pub body: Option<Body>,
    /// Whether the answer is a page of a list.
    pub is_list: bool,
    /// Whether the answer is an operation that goes on after the answer.
    pub starts_operation: bool,
    /// Whether it can say beforehand, step by step, what it would do.
    pub plans: bool,
}

/// A parameter of the path or of the query.
#[derive(Debug)]
pub struct Parameter {
    /// As the API calls it.
    pub name: String,
    /// As the command line calls it, without the dashes.
    pub flag: String,
    /// The id of clap's argument.
    pub key: String,
    /// What it means.
    pub help: String,
    /// Whether the API refuses to do without.
    pub required: bool,
    /// What a value looks like.
    pub kind: Kind,
    /// Whether it may be given more than once.
    pub repeated: bool,
}

/// What a request carries.
#[derive(Debug)]
pub struct Body {
    /// Whether the request cannot be made without.
    pub required: bool,
    /// Every place of it that can be set on its own.
    pub fields: Vec<Field>,
}

/// Why a document cannot drive the command line.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// It is not JSON.
    #[error("the API's description is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An operation has no id, or one that is not `noun.verb`.
    #[error("{method} {path} has no operationId of the form noun.verb")]
    Id {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// Two operations would be the same command.
    #[error("{0} and {1} would be the same command")]
    Ambiguous(String, String),
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

impl Api {
    /// Reads a document.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let document: Value = serde_json::from_str(text)?;
        let schemas = Schemas::new(&document);
        let mut operations = Vec::new();
        let paths = document.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                operations.push(read_operation(schemas, path, method, item, operation)?);
            }
        }
        let mut api = Self { operations };
        naming::apply(&mut api);
        api.refuse_ambiguity()?;
        Ok(api)
    }

    /// The operation with this id.
    pub fn by_id(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// The operation behind `marquee NOUN VERB`.
    pub fn by_command(&self, noun: &str, verb: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.noun == noun && operation.verb == verb)
    }

    /// The read of the thing that `operation` changes: the GET of the same path.
    pub fn reader_of(&self, operation: &Operation) -> Option<&Operation> {
        self.operations.iter().find(|other| other.method == "GET" && other.path == operation.path)
    }

    /// The nouns, each once, in the order of the document.
    pub fn nouns(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.operations.iter().map(|o| o.noun.as_str()).filter(|noun| seen.insert(*noun)).collect()
    }

    fn refuse_ambiguity(&self) -> Result<(), SpecError> {
        for (index, one) in self.operations.iter().enumerate() {
            let twin = self.operations[..index].iter().find(|o| o.noun == one.noun && o.verb == one.verb);
            if let Some(other) = twin {
                return Err(SpecError::Ambiguous(other.id.clone(), one.id.clone()));
            }
        }
        Ok(())
    }
}

fn read_operation(
    schemas: Schemas<'_>,
    path: &str,
    method: &str,
    item: &Value,
    operation: &Value,
) -> Result<Operation, SpecError> {
    let method = method.to_ascii_uppercase();
    let id = text(operation, "operationId");
    let Some((noun, verb)) = id.rsplit_once('.').filter(|(noun, verb)| !noun.is_empty() && !verb.is_empty())
    else {
        return Err(SpecError::Id { method, path: path.to_owned() });
    };
    let (noun, verb) = (naming::kebab(noun), naming::kebab(verb));
    let shared = item.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let own = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let parameters: Vec<&Value> = shared.chain(own).map(|parameter| schemas.resolve(parameter)).collect();
    let has_header = |name: &str| {
        parameters.iter().any(|p| text(p, "in") == "header" && text(p, "name").eq_ignore_ascii_case(name))
    };
    Ok(Operation {
        takes_idempotency_key: has_header("idempotency-key"),
        takes_if_match: has_header("if-match"),
        path_parameters: path_parameters(schemas, path, &parameters),
        query: parameters
            .iter()
            .filter(|p| text(p, "in") == "query")
            .map(|p| read_parameter(schemas, p))
            .collect(),
        body: operation.get("requestBody").map(|body| read_body(schemas, schemas.resolve(body))),
        is_list: answers_list(schemas, operation),
        starts_operation: operation.pointer("/responses/202").is_some(),
        plans: operation.pointer("/responses/202").is_some()
            && parameters.iter().any(|parameter| text(parameter, "name") == "validate_only"),
        summary: text(operation, "summary").trim_end_matches('.').to_owned(),
        description: text(operation, "description").to_owned(),
        path: path.to_owned(),
        noun,
        verb,
        method,
        id: id.to_owned(),
    })
}

/// One parameter for each `{name}` of the path, in that order, whether the document describes it or not.
fn path_parameters(schemas: Schemas<'_>, path: &str, parameters: &[&Value]) -> Vec<Parameter> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    names
        .map(|name| {
            let described = parameters.iter().find(|p| text(p, "in") == "path" && text(p, "name") == name);
            let mut parameter = match described {
                Some(described) => read_parameter(schemas, described),
                None => Parameter {
                    name: name.to_owned(),
                    flag: naming::kebab(name),
                    key: String::new(),
                    help: String::new(),
                    required: true,
                    kind: Kind::Text("TEXT"),
                    repeated: false,
                },
            };
            parameter.key = format!("path:{name}");
            parameter.required = true;
            parameter
        })
        .collect()
}

fn read_parameter(schemas: Schemas<'_>, parameter: &Value) -> Parameter {
    let name = text(parameter, "name").to_owned();
    let shape = schema::scalar(schemas, parameter.get("schema").unwrap_or(&Value::Null));
    let described = text(parameter, "description");
    Parameter {
        flag: naming::kebab(&name),
        key: format!("query:{name}"),
        help: schema::one_line(if described.is_empty() { &shape.help } else { described }),
        required: parameter.get("required").and_then(Value::as_bool).unwrap_or(false),
        kind: shape.kind,
        repeated: shape.repeated,
        name,
    }
}

fn read_body(schemas: Schemas<'_>, body: &Value) -> Body {
    let schema = json_schema(body).unwrap_or(&Value::Null);
    Body {
        required: body.get("required").and_then(Value::as_bool).unwrap_or(true),
        fields: schema::fields(schemas, schema),
    }
}

/// Whether the answer of success has `items` and `next_cursor`.
fn answers_list(schemas: Schemas<'_>, operation: &Value) -> bool {
    let Some(schema) = operation.pointer("/responses/200").and_then(|r| json_schema(schemas.resolve(r)))
    else {
        return false;
    };
    schemas.has_property(schema, "items") && schemas.has_property(schema, "next_cursor")
}

fn json_schema(content: &Value) -> Option<&Value> {
    content.get("content")?.get("application/json")?.get("schema")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
