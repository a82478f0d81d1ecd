//! Holds a value against its shape.

use serde_json::Value;

use super::{Api, Shape};

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where: members and indexes from the outside in, joined by dots as Google writes them (`disks[0].boot`).
    pub at: String,
    /// The last member of that place.
    pub member: String,
    /// What is wrong.
    pub what: What,
}

/// In which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// No such member is known.
    Unknown,
    /// It must be there.
    Missing,
    /// It is of another type; this is the one it should have.
    Type(String),
    /// It is none of the texts there are.
    Word(String),
}

/// Whose value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client's: members that only the vendor tells are not looked at.
    Request,
    /// Ours: everything counts but members that are required of a request.
    Answer,
}

impl Api {
    /// Everything that is wrong with a value; nothing, if it is what the shape says.
    pub fn check(&self, shape: &Shape, value: &Value, direction: Direction) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        self.look(shape, value, direction, &mut String::new(), &mut wrongs);
        wrongs
    }

    fn look(
        &self,
        shape: &Shape,
        value: &Value,
        direction: Direction,
        at: &mut String,
        wrongs: &mut Vec<Wrong>,
    ) {
        let shape = self.resolve(shape);
        // Null says that a member is left out.
        if value.is_null() {
            return;
        }
        match (shape.kind.as_deref().unwrap_or("object"), value) {
            ("any", _) => {}
            ("object", Value::Object(members)) => {
                let missing = shape.required.names().iter().filter(|name| {
                    let read_only = shape
                        .properties
                        .get(*name)
                        .is_some_and(|shape| self.resolve(shape).read_only || shape.read_only);
                    direction == Direction::Request
                        && !read_only
                        && members.get(*name).is_none_or(Value::is_null)
                });
                wrongs.extend(missing.map(|name| wrong(&inside(at, name), What::Missing)));
                for (name, value) in members {
                    let known = shape.properties.get(name).or(shape.additional.as_deref());
                    let Some(known) = known else {
                        wrongs.push(wrong(&inside(at, name), What::Unknown));
                        continue;
                    };
                    if known.read_only && direction == Direction::Request {
                        continue;
                    }
                    let length = at.len();
                    *at = inside(at, name);
                    self.look(known, value, direction, at, wrongs);
                    at.truncate(length);
                }
            }
            ("array", Value::Array(items)) => {
                let Some(shape) = &shape.items else { return };
                for (index, item) in items.iter().enumerate() {
                    let length = at.len();
                    *at = format!("{at}[{index}]");
                    self.look(shape, item, direction, at, wrongs);
                    at.truncate(length);
                }
            }
            (kind, value) if fits(kind, shape, value) => {
                let words = shape.words.as_ref().filter(|words| !words.is_empty());
                let known = |words: &Vec<Value>| words.iter().any(|word| same(word, value));
                if let (Some(text), Some(_)) = (value.as_str(), words.filter(|words| !known(words))) {
                    wrongs.push(wrong(at, What::Word(text.to_owned())));
                }
            }
            (kind, _) => wrongs.push(wrong(at, What::Type(kind.to_owned()))),
        }
    }
}

/// Words are met without regard to capitals, as Azure does; Google sends its own back.
fn same(word: &Value, value: &Value) -> bool {
    match (word.as_str(), value.as_str()) {
        (Some(word), Some(value)) => word.eq_ignore_ascii_case(value),
        _ => word == value,
    }
}

/// Whether a value that is neither object nor array is of a kind. Numbers of 64 bits travel as text in Google's JSON.
fn fits(kind: &str, shape: &Shape, value: &Value) -> bool {
    let long = matches!(shape.format.as_deref(), Some("int64" | "uint64"));
    if !is_in_range(shape.format.as_deref(), value) {
        return false;
    }
    match (kind, value) {
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
        ("string", Value::Number(_)) => long,
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("integer" | "number", Value::String(text)) => long && text.parse::<i128>().is_ok(),
        _ => false,
    }
}

/// Whether a whole number, or a text that is one, has no more bits than the format; what is no whole number has none.
fn is_in_range(format: Option<&str>, value: &Value) -> bool {
    let number = match value {
        Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        Value::String(text) => text.parse::<i128>().ok(),
        _ => None,
    };
    number.is_none_or(|number| match format {
        Some("int32") => i32::try_from(number).is_ok(),
        Some("uint32") => u32::try_from(number).is_ok(),
        Some("int64") => i64::try_from(number).is_ok(),
        Some("uint64") => u64::try_from(number).is_ok(),
        _ => true,
    })
}

fn inside(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn wrong(at: &str, what: What) -> Wrong {
    let member = at.rsplit('.').next().unwrap_or_default().to_owned();
    Wrong { at: at.to_owned(), member, what }
}
