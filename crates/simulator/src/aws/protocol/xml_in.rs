//! XML bodies of requests, read by a shape.

use quick_xml::{
    Reader,
    events::{BytesRef, Event},
};
use serde_json::{Map, Value};

use super::{
    Defect,
    input::{complete, constrained, joined, scalar},
};
use crate::aws::schema::{Kind, List, Location, Schema, ShapeId, Structure};

/// So deep may a body be.
const DEEPEST: usize = 32;

/// An element: its name without prefix, its text, and the elements in it.
#[derive(Debug, Default)]
pub struct Element {
    name: String,
    text: String,
    below: Vec<Element>,
}

impl Element {
    /// Reads a document.
    pub fn read(document: &[u8]) -> Result<Self, String> {
        let document = std::str::from_utf8(document).map_err(|error| error.to_string())?;
        let mut reader = Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(tag) if open.len() < DEEPEST => open.push(named(tag.local_name().as_ref())),
                Event::Start(_) => return Err("too deep".to_owned()),
                Event::Empty(tag) => push(&mut open, named(tag.local_name().as_ref())),
                Event::End(_) => {
                    if let Some(done) = open.pop() {
                        push(&mut open, done);
                    }
                }
                Event::Text(text) => write(&mut open, &text),
                Event::CData(text) => write(&mut open, &text),
                Event::GeneralRef(reference) => write(&mut open, &resolved(&reference)?),
                Event::DocType(_) => return Err("a document type".to_owned()),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        let mut document = open.pop().ok_or("no document")?;
        match (open.is_empty(), document.below.len()) {
            (true, 1) => document.below.pop().ok_or_else(|| "no document".to_owned()),
            _ => Err("not one document".to_owned()),
        }
    }

    /// The value of a shape.
    pub fn value(self, schema: &Schema, id: ShapeId, at: &str) -> Result<Value, Defect> {
        let shape = schema.shape(id);
        let value = match &shape.kind {
            Kind::Structure(structure) => self.structure(schema, structure, at)?,
            Kind::List(list) => {
                let name = list.of.wire.as_deref().unwrap_or("member");
                if let Some(other) = self.below.iter().find(|item| item.name != name) {
                    return Err(Defect::Unknown { at: joined(at, &other.name) });
                }
                items(schema, list, self.below, at)?
            }
            Kind::Map { .. } => return Err(Defect::Unknown { at: at.to_owned() }),
            _ if self.below.is_empty() => return scalar(shape, &self.text, at),
            _ => return Err(Defect::Unknown { at: joined(at, &self.below[0].name) }),
        };
        constrained(shape, &value, at)?;
        Ok(value)
    }

    /// The members of a document that is the operation's whole input.
    pub fn root(self, schema: &Schema, structure: &Structure) -> Result<Value, Defect> {
        self.structure(schema, structure, "")
    }

    fn structure(self, schema: &Schema, structure: &Structure, at: &str) -> Result<Value, Defect> {
        let mut read = Map::new();
        let mut flat: Vec<(usize, Vec<Element>)> = Vec::new();
        for element in self.below {
            let at = joined(at, &element.name);
            let found = structure.members.iter().position(|member| {
                member.location == Location::Body && wire_name(schema, member) == element.name
            });
            let Some(index) = found else { return Err(Defect::Unknown { at }) };
            let member = &structure.members[index];
            if is_flat(schema, member) {
                match flat.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, elements)) => elements.push(element),
                    None => flat.push((index, vec![element])),
                }
            } else if read.insert(member.name.clone(), element.value(schema, member.shape, &at)?).is_some() {
                return Err(Defect::Unknown { at });
            }
        }
        for (index, elements) in flat {
            let member = &structure.members[index];
            if let Kind::List(list) = &schema.shape(member.shape).kind {
                read.insert(member.name.clone(), items(schema, list, elements, &joined(at, &member.name))?);
            }
        }
        complete_body(structure, &read, at)?;
        Ok(Value::Object(read))
    }
}

/// A flattened list's elements carry the list's name, or the name that its elements have.
fn wire_name<'a>(schema: &'a Schema, member: &'a crate::aws::schema::Member) -> &'a str {
    match &schema.shape(member.shape).kind {
        Kind::List(list) if list.flattened || member.flattened => {
            list.of.wire.as_deref().unwrap_or(&member.wire)
        }
        _ => &member.wire,
    }
}

fn is_flat(schema: &Schema, member: &crate::aws::schema::Member) -> bool {
    matches!(&schema.shape(member.shape).kind, Kind::List(list) if list.flattened || member.flattened)
}

fn items(schema: &Schema, list: &List, elements: Vec<Element>, at: &str) -> Result<Value, Defect> {
    let read = elements
        .into_iter()
        .enumerate()
        .map(|(index, element)| element.value(schema, list.of.shape, &joined(at, &(index + 1).to_string())));
    read.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// Members that travel elsewhere are looked for by who reads the request.
fn complete_body(structure: &Structure, read: &Map<String, Value>, at: &str) -> Result<(), Defect> {
    if structure.members.iter().all(|member| member.location == Location::Body) {
        return complete(structure, read, at);
    }
    Ok(())
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

fn push(open: &mut [Element], element: Element) {
    if let Some(parent) = open.last_mut() {
        parent.below.push(element);
    }
}

fn write(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(letter) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(letter.to_string());
    }
    let name: &str = reference;
    quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned).ok_or_else(|| format!("&{name};"))
}
