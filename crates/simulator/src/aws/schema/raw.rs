//! A committed schema as it is written, and how it becomes one that is quick to walk.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{
    ErrorTrait, Kind, List, Location, Member, Metadata, Operation, Range, Reference, Schema, Shape, ShapeId,
    Structure, TimeFormat, names::Names,
};

#[derive(Deserialize)]
pub(super) struct RawSchema {
    metadata: Metadata,
    operations: HashMap<String, RawOperation>,
    shapes: HashMap<String, RawShape>,
}

#[derive(Deserialize)]
struct RawOperation {
    http: RawHttp,
    input: Option<RawSide>,
    output: Option<RawSide>,
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHttp {
    method: String,
    request_uri: String,
    response_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSide {
    shape: String,
    result_wrapper: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawShape {
    r#type: String,
    #[serde(default)]
    members: BTreeMap<String, RawReference>,
    #[serde(default)]
    required: Vec<String>,
    member: Option<RawReference>,
    key: Option<RawReference>,
    value: Option<RawReference>,
    #[serde(default)]
    flattened: bool,
    payload: Option<String>,
    #[serde(default)]
    r#enum: Vec<String>,
    min: Option<f64>,
    max: Option<f64>,
    timestamp_format: Option<TimeFormat>,
    error: Option<ErrorTrait>,
    #[serde(default)]
    union: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    shape: String,
    location: Option<String>,
    location_name: Option<String>,
    query_name: Option<String>,
    #[serde(default)]
    flattened: bool,
    timestamp_format: Option<TimeFormat>,
}

impl RawSchema {
    pub(super) fn resolve(self) -> Schema {
        let mut names: Vec<String> = self.shapes.keys().cloned().collect();
        names.sort_unstable();
        let ids: HashMap<String, ShapeId> =
            names.iter().enumerate().map(|(id, name)| (name.clone(), id)).collect();
        let ec2 = self.metadata.protocol == "ec2";
        let mut raw = self.shapes;
        let shapes = names
            .into_iter()
            .filter_map(|name| {
                let shape = raw.remove(&name)?;
                Some(Shape { kind: shape.resolve(&ids, ec2), name })
            })
            .collect::<Vec<_>>();
        let operations = self
            .operations
            .into_iter()
            .map(|(name, operation)| (name.clone(), operation.resolve(name, &ids)))
            .collect();
        Schema { meta: self.metadata, operations, shapes, ids }
    }
}

impl RawOperation {
    fn resolve(self, name: String, ids: &HashMap<String, ShapeId>) -> Operation {
        let side = |side: &Option<RawSide>| side.as_ref().and_then(|side| ids.get(&side.shape).copied());
        Operation {
            name,
            method: self.http.method,
            uri: self.http.request_uri,
            status: self.http.response_code.unwrap_or(200),
            input: side(&self.input),
            output: side(&self.output),
            result_wrapper: self.output.and_then(|output| output.result_wrapper),
            errors: self.errors.iter().filter_map(|name| ids.get(name).copied()).collect(),
        }
    }
}

impl RawShape {
    fn resolve(self, ids: &HashMap<String, ShapeId>, ec2: bool) -> Kind {
        let range = Range { min: self.min, max: self.max };
        let reference = |raw: Option<RawReference>| Reference {
            shape: raw.as_ref().and_then(|raw| ids.get(&raw.shape).copied()).unwrap_or_default(),
            wire: raw.and_then(|raw| raw.location_name),
        };
        match self.r#type.as_str() {
            "structure" => Kind::Structure(self.structure(ids, ec2)),
            "list" => {
                Kind::List(List { of: reference(self.member), flattened: self.flattened, length: range })
            }
            "map" => Kind::Map {
                key: reference(self.key),
                value: reference(self.value),
                flattened: self.flattened,
            },
            "integer" | "long" => Kind::Integer(range),
            "double" | "float" => Kind::Float(range),
            "boolean" => Kind::Boolean,
            "timestamp" => Kind::Timestamp(self.timestamp_format),
            "blob" => Kind::Blob,
            _ => Kind::Text { closed: self.r#enum, length: range },
        }
    }

    fn structure(self, ids: &HashMap<String, ShapeId>, ec2: bool) -> Structure {
        let mut members = Vec::with_capacity(self.members.len());
        for (name, raw) in self.members {
            let asked = if ec2 { ec2_name(&raw, &name) } else { None };
            members.push(Member {
                asked: asked.or_else(|| raw.location_name.clone()).unwrap_or_else(|| name.clone()),
                wire: raw.location_name.clone().unwrap_or_else(|| name.clone()),
                shape: ids.get(&raw.shape).copied().unwrap_or_default(),
                location: location(raw.location.as_deref()),
                required: self.required.contains(&name),
                time: raw.timestamp_format,
                flattened: raw.flattened,
                name,
            });
        }
        let index =
            |by: fn(&Member) -> &String| members.iter().map(|member| by(member).as_str()).collect::<Names>();
        let (names, asked) = (index(|member| &member.name), index(|member| &member.asked));
        let payload = self.payload.and_then(|name| members.iter().position(|member| member.name == name));
        Structure { names, asked, payload, error: self.error, union: self.union, members }
    }
}

/// EC2's rule for requests: the query name, else the name in answers with a capital, else the member's own.
fn ec2_name(raw: &RawReference, name: &str) -> Option<String> {
    if let Some(query) = &raw.query_name {
        return Some(query.clone());
    }
    let name = raw.location_name.as_deref().unwrap_or(name);
    let mut letters = name.chars();
    Some(letters.next()?.to_uppercase().chain(letters).collect())
}

fn location(text: Option<&str>) -> Location {
    match text {
        Some("uri") => Location::Uri,
        Some("querystring") => Location::Query,
        Some("header") => Location::Header,
        Some("headers") => Location::Headers,
        Some("statusCode") => Location::Status,
        _ => Location::Body,
    }
}
