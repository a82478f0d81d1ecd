//! EC2's protocol and the Query protocol: a form in, XML out.
//!
//! A form is a tree whose paths are written with dots: `Filter.1.Value.2`. EC2 names the elements of a list by their
//! number alone, the Query protocol puts a name before it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Answer, Defect, Dialect, Refusal, Request,
    input::{complete, constrained, joined, scalar},
    xml,
};
use crate::aws::schema::{Kind, List, Operation, Reference, Schema, ShapeId, Structure};

/// So deep may a parameter be; the deepest real one has half of it.
const DEEPEST: usize = 24;

/// A parameter with all below it.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    below: BTreeMap<String, Node>,
}

/// Reads a request.
pub fn read<'a>(
    schema: &'a Schema,
    request: &Request,
    dialect: Dialect,
) -> Result<(&'a Operation, Value), Refusal> {
    let pairs = pairs(request)?;
    let named = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let action = named("Action").ok_or_else(|| {
        Refusal::new("MissingAction", "The request is missing an action or a required parameter.").status(400)
    })?;
    let version = named("Version").unwrap_or_default();
    let operation = schema.operation(action).filter(|_| version == schema.meta.api_version);
    let operation = operation.ok_or_else(|| {
        let message = match dialect {
            Dialect::Ec2 => format!("The action {action} is not valid for this web service."),
            _ => format!("Could not find operation {action} for version {version}"),
        };
        Refusal::new("InvalidAction", message).status(400)
    })?;
    let reader = Reader { schema, ec2: dialect == Dialect::Ec2 };
    let input = tree(&pairs).and_then(|tree| match operation.input {
        Some(shape) => reader.root(shape, tree),
        None => tree
            .below
            .into_keys()
            .next()
            .map_or(Ok(Value::Object(Map::new())), |at| Err(Defect::Unknown { at })),
    });
    Ok((operation, input.map_err(|defect| defect.refusal(schema, dialect))?))
}

/// The form's pairs: of the body, or of the address.
fn pairs(request: &Request) -> Result<Vec<(String, String)>, Refusal> {
    let text = if request.method == http::Method::GET {
        request.query.as_bytes()
    } else {
        let kind = request.header("content-type").unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            let message = format!("The content type {kind} is not a form's");
            return Err(Refusal::new("MalformedInput", message).status(400));
        }
        &request.body
    };
    Ok(form_urlencoded::parse(text).into_owned().collect())
}

/// The form's own fields are not the operation's; those of a presigned address neither.
fn is_envelope(name: &str) -> bool {
    matches!(name, "Action" | "Version") || name.starts_with("X-Amz-")
}

fn tree(pairs: &[(String, String)]) -> Result<Node, Defect> {
    let mut root = Node::default();
    for (name, value) in pairs.iter().filter(|(name, _)| !is_envelope(name)) {
        if name.split('.').count() > DEEPEST {
            return Err(Defect::Unknown { at: name.clone() });
        }
        let mut node = &mut root;
        for part in name.split('.') {
            node = node.below.entry(part.to_owned()).or_default();
        }
        if node.text.replace(value.clone()).is_some() {
            let found = value.clone();
            return Err(Defect::Malformed { at: name.clone(), found, wanted: "given only once" });
        }
    }
    Ok(root)
}

struct Reader<'a> {
    schema: &'a Schema,
    ec2: bool,
}

impl Reader<'_> {
    fn root(&self, shape: ShapeId, tree: Node) -> Result<Value, Defect> {
        match self.schema.structure(shape) {
            Some(structure) => self.structure(structure, tree, ""),
            None => Err(Defect::Unknown { at: String::new() }),
        }
    }

    fn value(&self, id: ShapeId, node: Node, at: &str) -> Result<Value, Defect> {
        let shape = self.schema.shape(id);
        let value = match &shape.kind {
            Kind::Structure(structure) => {
                if node.text.is_some() {
                    return Err(Defect::Unknown { at: at.to_owned() });
                }
                self.structure(structure, node, at)?
            }
            Kind::List(list) => self.list(list, node, at)?,
            Kind::Map { key, value, flattened } => self.map(key, value, *flattened, node, at)?,
            _ => match (node.text, node.below.into_keys().next()) {
                (Some(text), None) => return scalar(shape, &text, at),
                (_, below) => {
                    return Err(Defect::Unknown { at: joined(at, &below.unwrap_or_default()) });
                }
            },
        };
        constrained(shape, &value, at)?;
        Ok(value)
    }

    fn structure(&self, structure: &Structure, node: Node, at: &str) -> Result<Value, Defect> {
        let mut read = Map::with_capacity(node.below.len());
        for (part, below) in node.below {
            let at = joined(at, &part);
            let Some(member) = structure.asked(&part) else { return Err(Defect::Unknown { at }) };
            read.insert(member.name.clone(), self.value(member.shape, below, &at)?);
        }
        complete(structure, &read, at)?;
        Ok(Value::Object(read))
    }

    fn list(&self, list: &List, node: Node, at: &str) -> Result<Value, Defect> {
        let items = if self.ec2 || list.flattened {
            node
        } else {
            named(node, list.of.wire.as_deref().unwrap_or("member"), at)?
        };
        let items = numbered(items, at)?;
        let read = items
            .into_iter()
            .map(|(number, node)| self.value(list.of.shape, node, &joined(at, &number.to_string())));
        read.collect::<Result<Vec<_>, _>>().map(Value::Array)
    }

    fn map(
        &self,
        key: &Reference,
        value: &Reference,
        flattened: bool,
        node: Node,
        at: &str,
    ) -> Result<Value, Defect> {
        let entries = if flattened { node } else { named(node, "entry", at)? };
        let mut read = Map::new();
        for (number, mut entry) in numbered(entries, at)? {
            let at = joined(at, &number.to_string());
            let missing = || Defect::Missing { at: at.clone() };
            let name = entry.below.remove(key.wire.as_deref().unwrap_or("key")).and_then(|node| node.text);
            let node = entry.below.remove(value.wire.as_deref().unwrap_or("value")).ok_or_else(missing)?;
            read.insert(name.ok_or_else(missing)?, self.value(value.shape, node, &at)?);
        }
        Ok(Value::Object(read))
    }
}

/// What stands below the one name that a list or a map may have there. An empty list is an empty text.
fn named(mut node: Node, name: &str, at: &str) -> Result<Node, Defect> {
    if node.text.as_deref() == Some("") && node.below.is_empty() {
        return Ok(Node::default());
    }
    let items = node.below.remove(name);
    match (items, node.below.into_keys().next(), node.text) {
        (Some(items), None, None) => Ok(items),
        (_, Some(other), _) => Err(Defect::Unknown { at: joined(at, &other) }),
        _ => Err(Defect::Unknown { at: at.to_owned() }),
    }
}

/// The elements of a list by their numbers, in order.
fn numbered(node: Node, at: &str) -> Result<Vec<(u32, Node)>, Defect> {
    if node.text.as_deref().is_some_and(|text| !text.is_empty()) {
        return Err(Defect::Unknown { at: at.to_owned() });
    }
    let mut items = Vec::with_capacity(node.below.len());
    for (number, node) in node.below {
        match number.parse::<u32>() {
            Ok(number @ 1..) => items.push((number, node)),
            _ => return Err(Defect::Unknown { at: joined(at, &number) }),
        }
    }
    items.sort_unstable_by_key(|(number, _)| *number);
    Ok(items)
}

/// Writes an output.
pub fn write(
    schema: &Schema,
    operation: &Operation,
    output: &Value,
    request_id: &str,
    dialect: Dialect,
) -> Result<Answer, String> {
    let name = &operation.name;
    let namespace = schema.meta.xml_namespace.as_deref().unwrap_or_default();
    let mut body = String::with_capacity(1024);
    let writer = xml::Writer { schema, item: if dialect == Dialect::Ec2 { "item" } else { "member" } };
    if dialect == Dialect::Ec2 {
        body.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    }
    for part in ["<", name, "Response xmlns=\"", namespace, "\">"] {
        body.push_str(part);
    }
    if dialect == Dialect::Ec2 {
        xml::element(&mut body, "requestId", request_id);
        if let Some(shape) = operation.output {
            writer.members(&mut body, shape, output)?;
        } else {
            nothing(output)?;
            // What EC2 says when there is nothing to say.
            xml::element(&mut body, "return", "true");
        }
    } else {
        if let (Some(shape), Some(wrapper)) = (operation.output, &operation.result_wrapper) {
            xml::open(&mut body, wrapper);
            writer.members(&mut body, shape, output)?;
            xml::close(&mut body, wrapper);
        } else {
            nothing(output)?;
        }
        body.push_str("<ResponseMetadata>");
        xml::element(&mut body, "RequestId", request_id);
        body.push_str("</ResponseMetadata>");
    }
    for part in ["</", name, "Response>"] {
        body.push_str(part);
    }
    let mut answer = Answer::xml(200, body);
    answer.header("x-amzn-requestid", request_id);
    Ok(answer)
}

fn nothing(output: &Value) -> Result<(), String> {
    match output {
        Value::Null => Ok(()),
        Value::Object(members) if members.is_empty() => Ok(()),
        other => Err(format!("an output where the model has none: {other}")),
    }
}
