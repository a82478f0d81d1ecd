//! Strict reading of a JSON object: what is wrong is named by its JSON pointer, what is left over is refused.

use marquee_types::FieldError;
use serde_json::{Map, Value};

/// The members of an object: each taken once, what is left over refused.
pub struct Fields<'e> {
    at: String,
    object: Map<String, Value>,
    errors: &'e mut Vec<FieldError>,
}

impl<'e> Fields<'e> {
    /// Reads `object`, which stands at the JSON pointer `at`.
    pub fn new(at: &str, object: Map<String, Value>, errors: &'e mut Vec<FieldError>) -> Self {
        Self { at: at.to_owned(), object, errors }
    }

    /// Where what goes wrong is noted.
    pub fn errors(&mut self) -> &mut Vec<FieldError> {
        self.errors
    }

    /// The JSON pointer of a member.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }

    /// Notes that a member is wrong, and why.
    pub fn wrong(&mut self, name: &str, detail: &str) {
        let pointer = self.pointer(name);
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// A member, whatever it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name)
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) if !text.is_empty() => return Some(text),
            Some(_) => self.wrong(name, "expected text"),
            None => self.wrong(name, "missing"),
        }
        None
    }

    /// A text that may be missing or null.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.object.get(name) {
            None => None,
            Some(Value::Null) => {
                self.object.remove(name);
                None
            }
            Some(_) => self.text(name),
        }
    }

    /// Does not complain about what is left.
    pub fn forget(&mut self) {
        self.object.clear();
    }

    /// Refuses what was not asked for.
    pub fn finish(self) {
        for name in self.object.keys() {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            self.errors.push(FieldError::new(format!("{}/{escaped}", self.at), "unknown field"));
        }
    }
}
