//! Outputs as XML, for every protocol that answers in it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{escape, input::known_word, splice};
use crate::aws::schema::{Kind, List, Location, Member, Schema, ShapeId, Structure, TimeFormat};

/// Writes values by a schema. An error names what the schema does not know.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    pub schema: &'a Schema,
    /// What an element of a list is called where the model gives it no name.
    pub item: &'static str,
}

impl Writer<'_> {
    /// The members of a structure that travel in the body.
    pub fn members(&self, out: &mut String, shape: ShapeId, value: &Value) -> Result<(), String> {
        let shape = self.schema.shape(shape);
        match (&shape.kind, value) {
            (Kind::Structure(structure), Value::Object(members)) => {
                self.structure(out, structure, members).map_err(|what| format!("{}.{what}", shape.name))
            }
            (Kind::Structure(structure), Value::Null) => {
                self.structure(out, structure, &Map::new()).map_err(|what| format!("{}.{what}", shape.name))
            }
            _ => Err(format!("{}: not a structure", shape.name)),
        }
    }

    fn structure(
        &self,
        out: &mut String,
        structure: &Structure,
        members: &Map<String, Value>,
    ) -> Result<(), String> {
        for (name, value) in members {
            if let (splice::BODY, Value::String(body)) = (name.as_str(), value) {
                splice::members(*self, out, structure, body)?;
                continue;
            }
            let member = structure.member(name).ok_or_else(|| format!("{name}: unknown to the model"))?;
            if member.location == Location::Body && !value.is_null() {
                self.member(out, member, value).map_err(|what| format!("{name}: {what}"))?;
            }
        }
        whole(structure, members)
    }

    fn member(&self, out: &mut String, member: &Member, value: &Value) -> Result<(), String> {
        match (&self.schema.shape(member.shape).kind, value) {
            (Kind::List(list), Value::Array(items)) if list.flattened || member.flattened => {
                let name = list.of.wire.as_deref().unwrap_or(&member.wire);
                items.iter().try_for_each(|item| self.named(out, name, list.of.shape, item, None))
            }
            _ => self.named(out, &member.wire, member.shape, value, member.time),
        }
    }

    /// A value as an element.
    pub fn named(
        &self,
        out: &mut String,
        name: &str,
        shape: ShapeId,
        value: &Value,
        time: Option<TimeFormat>,
    ) -> Result<(), String> {
        open(out, name);
        self.value(out, shape, value, time)?;
        close(out, name);
        Ok(())
    }

    fn value(
        &self,
        out: &mut String,
        id: ShapeId,
        value: &Value,
        time: Option<TimeFormat>,
    ) -> Result<(), String> {
        let shape = self.schema.shape(id);
        match (&shape.kind, value) {
            (Kind::Structure(structure), Value::Object(members)) => self.structure(out, structure, members),
            (Kind::List(list), Value::Array(items)) => self.list(out, list, items),
            (Kind::Map { key, value, .. }, Value::Object(entries)) => {
                entries.iter().try_for_each(|(name, item)| {
                    open(out, "entry");
                    element(out, key.wire.as_deref().unwrap_or("key"), name);
                    self.named(out, value.wire.as_deref().unwrap_or("value"), value.shape, item, None)?;
                    close(out, "entry");
                    Ok(())
                })
            }
            (Kind::Timestamp(format), Value::String(text)) => {
                out.push_str(&escape(&moment(text, time.or(*format))?));
                Ok(())
            }
            (Kind::Text { closed, .. }, Value::String(text)) => {
                known_word(closed, text)?;
                out.push_str(&escape(text));
                Ok(())
            }
            (Kind::Blob, Value::String(text)) => {
                out.push_str(&escape(text));
                Ok(())
            }
            (Kind::Integer(_), Value::Number(number)) if !number.is_f64() => write_plain(out, value),
            (Kind::Float(_), Value::Number(_)) | (Kind::Boolean, Value::Bool(_)) => write_plain(out, value),
            _ => Err(format!("not a {}: {value}", shape.name)),
        }
    }

    fn list(&self, out: &mut String, list: &List, items: &[Value]) -> Result<(), String> {
        let name = list.of.wire.as_deref().unwrap_or(self.item);
        items.iter().enumerate().try_for_each(|(index, item)| {
            self.named(out, name, list.of.shape, item, None).map_err(|what| format!("{index}: {what}"))
        })
    }
}

/// Strict clients fail without what the model promises. What a body's text has is not looked for.
pub(super) fn whole(structure: &Structure, members: &Map<String, Value>) -> Result<(), String> {
    if members.contains_key(splice::BODY) {
        return Ok(());
    }
    let promised =
        structure.members.iter().filter(|member| member.required && member.location == Location::Body);
    let missing = promised.into_iter().find(|member| members.get(&member.name).is_none_or(Value::is_null));
    missing.map_or(Ok(()), |member| Err(format!("{}: promised by the model, and missing", member.name)))
}

fn write_plain(out: &mut String, value: &Value) -> Result<(), String> {
    write!(out, "{value}").map_err(|error| error.to_string())
}

/// A time in the format the model wants; as it is, unless it says.
pub fn moment(text: &str, format: Option<TimeFormat>) -> Result<String, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|error| format!("{text}: {error}"))?;
    Ok(match format {
        None | Some(TimeFormat::Iso) => text.to_owned(),
        Some(TimeFormat::Http) => time.to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        Some(TimeFormat::Epoch) => time.timestamp().to_string(),
    })
}

/// `<name>`
pub fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

/// `</name>`
pub fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// `<name>text</name>`
pub fn element(out: &mut String, name: &str, text: &str) {
    open(out, name);
    out.push_str(&escape(text));
    close(out, name);
}
