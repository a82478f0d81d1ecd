//! Partial answers: `fields=items(id,name),nextPageToken` leaves of an answer only what it names.
//!
//! Clients ask so to save bytes; one that then reads a member it did not ask for is wrong, and must see that here.

use serde_json::{Map, Value};

/// How deep selections may stand in each other.
const DEEPEST: usize = 32;

/// The members that a `fields` parameter names; a member without children is kept whole.
#[derive(Debug, Default, PartialEq)]
pub struct Fields(Vec<(String, Fields)>);

impl Fields {
    /// Reads a selection; the error says what was not understood.
    pub fn read(text: &str) -> Result<Self, String> {
        let (fields, rest) = list(text, 0)?;
        if rest.is_empty() { Ok(fields) } else { Err(format!("Invalid field selection {text}")) }
    }

    /// What the selection leaves of an answer.
    pub fn of(&self, answer: Value) -> Value {
        if self.0.is_empty() {
            return answer;
        }
        match answer {
            Value::Array(items) => items.into_iter().map(|item| self.of(item)).collect(),
            Value::Object(object) => Value::Object(self.members(object)),
            plain => plain,
        }
    }

    fn members(&self, object: Map<String, Value>) -> Map<String, Value> {
        object
            .into_iter()
            .filter_map(|(name, value)| {
                let (_, inner) = self.0.iter().find(|(wanted, _)| *wanted == name || wanted == "*")?;
                Some((name, inner.of(value)))
            })
            .collect()
    }
}

/// A list up to its end or the parenthesis that closes it, and what follows.
fn list(text: &str, depth: usize) -> Result<(Fields, &str), String> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = field(rest, depth)?;
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok((Fields(fields), after)),
        }
    }
}

fn field(text: &str, depth: usize) -> Result<((String, Fields), &str), String> {
    if depth > DEEPEST {
        return Err(format!("Invalid field selection: it is nested deeper than {DEEPEST}"));
    }
    let end = text.find(['(', ')', ',', '/']).unwrap_or(text.len());
    let name = text[..end].trim();
    if name.is_empty() {
        return Err(format!("Invalid field selection {text}"));
    }
    let rest = &text[end..];
    if let Some(inner) = rest.strip_prefix('/') {
        let (child, after) = field(inner, depth + 1)?;
        return Ok(((name.to_owned(), Fields(vec![child])), after));
    }
    if let Some(inner) = rest.strip_prefix('(') {
        let (children, after) = list(inner, depth + 1)?;
        let after = after.strip_prefix(')').ok_or_else(|| format!("Invalid field selection {text}"))?;
        return Ok(((name.to_owned(), children), after));
    }
    Ok(((name.to_owned(), Fields::default()), rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_keeps_what_was_named() {
        let answer =
            json!({"kind": "k", "items": [{"id": "1", "name": "a", "zone": "z"}], "nextPageToken": "t"});
        let fields = Fields::read("items(id,name),nextPageToken").unwrap();
        assert_eq!(
            fields.of(answer.clone()),
            json!({"items": [{"id": "1", "name": "a"}], "nextPageToken": "t"})
        );
        assert_eq!(Fields::read("items/id").unwrap().of(answer.clone()), json!({"items": [{"id": "1"}]}));
        assert_eq!(Fields::read("*").unwrap().of(answer.clone()), answer);
    }

    #[test]
    fn what_is_no_selection_is_refused() {
        for text in ["", "items(", "items(id", "a,,b", "a)"] {
            assert!(Fields::read(text).is_err(), "{text}");
        }
        for (open, close) in [("a/", ""), ("a(", ")")] {
            let nested =
                |times: usize| Fields::read(&format!("{}b{}", open.repeat(times), close.repeat(times)));
            assert!(nested(100_000).unwrap_err().contains("nested"), "{open}");
            assert!(nested(32).is_ok(), "{open}");
        }
    }
}
