//! The REST protocol of S3 and Route 53: the operation is in the path and the query, members travel in the path, the
//! query, headers and an XML body.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Map, Value};

use super::{
    Answer, Defect, Dialect, Output, Refusal, Request, decoded,
    input::{complete, constrained, scalar},
    xml::{self, Writer},
    xml_in::Element,
};
use crate::aws::schema::{Kind, Location, Member, Operation, Schema, Structure};

/// The names of S3's documents that the model leaves to the shape's name, and S3 does not.
const ROOTS: &[(&str, &str)] = &[
    ("ListBuckets", "ListAllMyBucketsResult"),
    ("ListObjectsV2", "ListBucketResult"),
    ("GetBucketVersioning", "VersioningConfiguration"),
    ("GetBucketTagging", "Tagging"),
    ("GetBucketLifecycleConfiguration", "LifecycleConfiguration"),
];

const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const ROUTE53_NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// A request that fits an operation: the operation, and what its path says.
type Fit<'a> = (&'a Operation, Vec<(String, String)>);

/// Reads a request.
pub fn read<'a>(schema: &'a Schema, request: &Request) -> Result<(&'a Operation, Value), Refusal> {
    let query = request.parameters();
    let (operation, labels) = route(schema, request, &query).ok_or_else(|| unknown(schema, request))?;
    let refuse = |defect: Defect| defect.refusal(schema, Dialect::RestXml);
    let Some(structure) = operation.input.and_then(|input| schema.structure(input)) else {
        return Ok((operation, Value::Object(Map::new())));
    };
    let mut read = Map::new();
    for member in &structure.members {
        let given = match member.location {
            Location::Uri => {
                labels.iter().find(|(name, _)| *name == member.wire).map(|(_, text)| text.clone())
            }
            Location::Header => request.header(&member.wire).map(str::to_owned),
            Location::Query => {
                query.iter().find(|(name, _)| *name == member.wire).map(|(_, text)| text.clone())
            }
            Location::Headers => {
                prefixed(request, member, &mut read);
                None
            }
            Location::Body | Location::Status => None,
        };
        if let Some(text) = given {
            read.insert(member.name.clone(), given_value(schema, member, &text).map_err(refuse)?);
        }
    }
    body(schema, structure, request, &mut read)?;
    complete(structure, &read, "").map_err(refuse)?;
    Ok((operation, Value::Object(read)))
}

/// A value that came in a path, a query or a header; a list there is separated by commas.
fn given_value(schema: &Schema, member: &Member, text: &str) -> Result<Value, Defect> {
    let shape = schema.shape(member.shape);
    if let Kind::List(list) = &shape.kind {
        let items =
            text.split(',').map(|item| scalar(schema.shape(list.of.shape), item.trim(), &member.name));
        let items = Value::Array(items.collect::<Result<_, _>>()?);
        constrained(shape, &items, &member.name)?;
        return Ok(items);
    }
    scalar(shape, text, &member.name)
}

fn prefixed(request: &Request, member: &Member, read: &mut Map<String, Value>) {
    let prefix = member.wire.to_lowercase();
    let entries: Map<String, Value> = request
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(&prefix)?;
            Some((name.to_owned(), Value::String(value.to_str().ok()?.to_owned())))
        })
        .collect();
    if !entries.is_empty() {
        read.insert(member.name.clone(), Value::Object(entries));
    }
}

/// Reads the XML body, if the operation has one. A streamed one stays where it is.
fn body(
    schema: &Schema,
    structure: &Structure,
    request: &Request,
    read: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let payload = structure.payload.map(|index| &structure.members[index]);
    let streamed = payload.is_some_and(|member| matches!(schema.shape(member.shape).kind, Kind::Blob));
    if streamed || request.body.is_empty() {
        return Ok(());
    }
    let malformed = |what: String| {
        let code = if schema.signing_name() == "s3" { "MalformedXML" } else { "InvalidInput" };
        Refusal::new(code, format!("The XML you provided was not well-formed: {what}")).status(400)
    };
    let document = Element::read(&request.body).map_err(malformed)?;
    let refuse = |defect: Defect| defect.refusal(schema, Dialect::RestXml);
    if let Some(member) = payload {
        read.insert(member.name.clone(), document.value(schema, member.shape, "").map_err(refuse)?);
    } else if let Value::Object(members) = document.root(schema, structure).map_err(refuse)? {
        read.extend(members);
    }
    Ok(())
}

fn unknown(schema: &Schema, request: &Request) -> Refusal {
    if schema.signing_name() == "s3" {
        let message = "A header or query you provided implies functionality that is not implemented.";
        return Refusal::new("NotImplemented", message).status(501);
    }
    let message = format!("There is no operation {} {}", request.method, request.path);
    Refusal::new("UnknownOperationException", message).status(404)
}

/// The operation whose method, path and query fit; of several the one that says most about the query.
fn route<'a>(schema: &'a Schema, request: &Request, query: &[(String, String)]) -> Option<Fit<'a>> {
    let fits = schema.operations().filter(|operation| request.method.as_str() == operation.method);
    let fits = fits.filter_map(|operation| {
        let (path, literals) = operation.uri.split_once('?').unwrap_or((&operation.uri, ""));
        let literals: Vec<(&str, &str)> = literals
            .split('&')
            .filter(|literal| !literal.is_empty())
            .map(|literal| literal.split_once('=').unwrap_or((literal, "")))
            .collect();
        let given = |name: &str, value: &str| {
            query.iter().any(|(n, v)| n == name && (value.is_empty() || v == value))
        };
        if !literals.iter().all(|(name, value)| given(name, value)) {
            return None;
        }
        let structure = operation.input.and_then(|input| schema.structure(input));
        let takes = |name: &str| {
            literals.iter().any(|(literal, _)| *literal == name)
                || name == "x-id"
                || name.starts_with("X-Amz-")
                || structure.is_some_and(|structure| {
                    structure
                        .members
                        .iter()
                        .any(|member| member.location == Location::Query && member.wire == name)
                })
        };
        if !query.iter().all(|(name, _)| takes(name)) {
            return None;
        }
        Some((literals.len(), operation, labels(path, &request.path)?))
    });
    fits.max_by_key(|(literals, _, _)| *literals).map(|(_, operation, labels)| (operation, labels))
}

/// What a path says where its template has braces. A slash at the end means nothing, but in a key.
fn labels(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = path.trim_start_matches('/');
    let mut parts = template.trim_matches('/').split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let label = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        if let Some(name) = label.and_then(|label| label.strip_suffix('+')) {
            found.push((name.to_owned(), decoded(rest)));
            return (!rest.is_empty() && parts.peek().is_none()).then_some(found);
        }
        let (segment, after) = rest.split_once('/').unwrap_or((rest, ""));
        match label {
            Some(name) if !segment.is_empty() => found.push((name.to_owned(), decoded(segment))),
            None if segment == part => {}
            _ => return None,
        }
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// Writes an output.
pub fn write(schema: &Schema, operation: &Operation, output: Output) -> Result<Answer, String> {
    let mut answer = Answer::new(output.status.unwrap_or(operation.status));
    let Some(structure) = operation.output.and_then(|shape| schema.structure(shape)) else {
        return Ok(answer);
    };
    let empty = Map::new();
    let members = output.value.as_object().unwrap_or(&empty);
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let member = structure.member(name).ok_or_else(|| format!("{name}: unknown to the model"))?;
        match member.location {
            Location::Header => answer.header(&member.wire, &header_text(schema, member, value)?),
            Location::Headers => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    answer.header(&format!("{}{key}", member.wire), value.as_str().unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    if let Some(body) = output.body {
        answer.body = body;
    } else if operation.method != Method::HEAD.as_str() {
        document(schema, operation, structure, &output.value, &mut answer)?;
    }
    Ok(answer)
}

fn header_text(schema: &Schema, member: &Member, value: &Value) -> Result<String, String> {
    match (&schema.shape(member.shape).kind, value) {
        (Kind::Timestamp(format), Value::String(text)) => {
            xml::moment(text, member.time.or(*format).or(Some(crate::aws::schema::TimeFormat::Http)))
        }
        (_, Value::String(text)) => Ok(text.clone()),
        (_, Value::Number(_) | Value::Bool(_)) => Ok(value.to_string()),
        _ => Err(format!("{}: not for a header", member.name)),
    }
}

fn document(
    schema: &Schema,
    operation: &Operation,
    structure: &Structure,
    value: &Value,
    answer: &mut Answer,
) -> Result<(), String> {
    let in_body = structure.members.iter().any(|member| member.location == Location::Body);
    let Some(shape) = operation.output.filter(|_| in_body) else { return Ok(()) };
    let s3 = schema.signing_name() == "s3";
    let namespace = if s3 { S3_NAMESPACE } else { ROUTE53_NAMESPACE };
    let writer = Writer { schema, item: "member" };
    let mut inner = String::with_capacity(512);
    let root = if let Some(member) = structure.payload.map(|index| &structure.members[index]) {
        let given = value.get(&member.name).ok_or_else(|| format!("{}: missing", member.name))?;
        writer.members(&mut inner, member.shape, given)?;
        member.wire.clone()
    } else if operation.name == "GetBucketLocation" {
        // The one document of S3 that is its only member.
        inner.push_str(&super::escape(value["LocationConstraint"].as_str().unwrap_or_default()));
        "LocationConstraint".to_owned()
    } else {
        writer.members(&mut inner, shape, value)?;
        let named =
            ROOTS.iter().find(|(name, _)| *name == operation.name).map(|(_, root)| (*root).to_owned());
        named.unwrap_or_else(|| format!("{}Response", operation.name))
    };
    let mut body = String::with_capacity(inner.len() + 256);
    write!(
        body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">{inner}</{root}>"
    )
    .map_err(|error| error.to_string())?;
    answer.header("content-type", if s3 { "application/xml" } else { "text/xml" });
    answer.body = body.into();
    Ok(())
}
