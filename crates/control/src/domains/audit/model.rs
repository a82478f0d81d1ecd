//! An audit entry about to be written.

use marquee_types::AuditEntryId;
use serde::Serialize;
use serde_json::Value;

/// What stands in the log where a secret was.
const MASK: &str = "(masked)";

/// Parts of a field's name that mean its value is secret.
const SECRET_WORDS: [&str; 7] =
    ["password", "secret", "token", "credential", "private_key", "access_key", "authorization"];

/// What was asked of Marquee and what came of it. Who asked comes from the transaction it is written in.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub(super) id: AuditEntryId,
    pub(super) action: &'static str,
    pub(super) target: Option<(&'static str, String)>,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

marquee_types::words! {
    /// How it ended.
    pub enum Outcome {
        /// It was permitted and done.
        Allowed = "allowed",
        /// It was not permitted, or not possible.
        Refused = "refused",
        /// It was permitted and did not succeed.
        Failed = "failed",
    }
}

marquee_types::words! {
    /// From which side an entry comes.
    pub enum Origin {
        /// Asked of Marquee.
        Call = "call",
        /// The change of a row that no call is named after, seen by a trigger.
        Row = "row",
    }
}

impl Entry {
    /// Something permitted and done, under the endpoint's audit verb, e.g. `api_keys.create`.
    pub fn allowed(action: &'static str) -> Self {
        Self::new(action, Outcome::Allowed, None)
    }

    /// Something not permitted or not possible; the reason is the problem's code.
    pub fn refused(action: &'static str, reason: impl Into<String>) -> Self {
        Self::new(action, Outcome::Refused, Some(reason.into()))
    }

    /// Something permitted that did not succeed; the reason is the problem's code.
    pub fn failed(action: &'static str, reason: impl Into<String>) -> Self {
        Self::new(action, Outcome::Failed, Some(reason.into()))
    }

    fn new(action: &'static str, outcome: Outcome, reason: Option<String>) -> Self {
        let id = AuditEntryId::new();
        Self { id, action, target: None, outcome, reason, before: None, after: None }
    }

    /// What it was done to: a noun (`api_key`) and an id (`key_…`).
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "ids are Copy: a reference would be noise at every call"
    )]
    pub fn target(mut self, kind: &'static str, id: impl ToString) -> Self {
        self.target = Some((kind, id.to_string()));
        self
    }

    /// What it was done to, if this text is an id of Marquee's; else nothing is said, because the text is the
    /// caller's and may be anything.
    #[must_use]
    pub fn target_id(mut self, id: &str) -> Self {
        self.target = kind_of(id).map(|kind| (kind, id.to_owned()));
        self
    }

    /// What it was, as its JSON; values under secret names are masked. Anything but an object is left out.
    #[must_use]
    pub fn before(mut self, before: &impl Serialize) -> Self {
        self.before = image(before);
        self
    }

    /// What it became, as its JSON; values under secret names are masked. Anything but an object is left out.
    #[must_use]
    pub fn after(mut self, after: &impl Serialize) -> Self {
        self.after = image(after);
        self
    }
}

/// The noun behind an id's prefix.
fn kind_of(id: &str) -> Option<&'static str> {
    let (prefix, rest) = id.split_once('_')?;
    if rest.len() != 32 || !rest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some(match prefix {
        "org" => "organization",
        "usr" => "member",
        "ses" => "session",
        "key" => "api_key",
        "prv" => "provider",
        "res" => "resource",
        "syn" => "sync",
        "op" => "operation",
        "job" => "job",
        _ => return None,
    })
}

fn image(value: &impl Serialize) -> Option<Value> {
    let mut value = serde_json::to_value(value).ok().filter(Value::is_object)?;
    mask(&mut value);
    Some(value)
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_lowercase();
                if !value.is_null() && SECRET_WORDS.iter().any(|word| name.contains(word)) {
                    *value = MASK.into();
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_at_any_depth() {
        let entry = Entry::allowed("providers.create").after(&json!({
            "name": "prod",
            "credentials": { "access_key_id": "AKIA1" },
            "nested": [{ "Client_Secret": "s3cret", "region": "eu-west-1", "token": null }],
        }));
        let text = entry.after.as_ref().map(Value::to_string).unwrap_or_default();
        assert!(!text.contains("AKIA1") && !text.contains("s3cret"), "{text}");
        assert!(text.contains("eu-west-1") && text.contains("\"token\":null"), "{text}");
    }

    #[test]
    fn only_ids_become_targets() {
        let id = "prv_0192f0c1a5b87c6f9d3e2b1a09f8e7d6";
        assert_eq!(Entry::refused("x.y", "z").target_id(id).target, Some(("provider", id.to_owned())));
        for text in ["prv_1", "<script>", "abc_0192f0c1a5b87c6f9d3e2b1a09f8e7d6", ""] {
            assert_eq!(Entry::refused("x.y", "z").target_id(text).target, None, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_left_out() {
        assert_eq!(Entry::allowed("x.y").before(&"text").before, None);
    }
}
