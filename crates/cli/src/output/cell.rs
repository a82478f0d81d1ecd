//! One value as text: for people in a table, or exactly for programs.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Cell, Color};
use serde_json::Value;

use crate::failure::clean;

/// How values are written.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Times are told from here ("3 m ago"); without it they are written as they came.
    pub now: Option<DateTime<Utc>>,
    /// Whether states have colours.
    pub colour: bool,
}

/// The value at a dotted place; `tags.env` also finds a key that has dots itself, and a list gives what stands
/// there in each of its items.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<Cow<'a, Value>> {
    if let Some(found) = value.get(path) {
        return Some(Cow::Borrowed(found));
    }
    if let Some(items) = value.as_array() {
        let found: Vec<Value> = items.iter().filter_map(|item| at(item, path).map(Cow::into_owned)).collect();
        return Some(Cow::Owned(Value::Array(found)));
    }
    path.match_indices('.').find_map(|(index, _)| at(value.get(&path[..index])?, &path[index + 1..]))
}

/// For programs: text as it is, everything else as JSON, nothing for null.
pub fn exact(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// For people.
pub fn humane(value: Option<&Value>, style: Style) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => {
            clean(&style.now.and_then(|now| ago(text, now)).unwrap_or_else(|| text.clone()))
        }
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| humane(Some(item), style)).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Object(map)) if map.is_empty() => "-".to_owned(),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(k, v)| format!("{}={}", clean(k), humane(Some(v), style)))
            .collect::<Vec<_>>()
            .join(", "),
        Some(number) => number.to_string(),
    }
}

/// A cell of a table; words that name a state have its colour.
pub fn cell(value: Option<&Value>, style: Style) -> Cell {
    let cell = Cell::new(humane(value, style));
    let word = value.and_then(Value::as_str).unwrap_or_default();
    match state_colour(word).filter(|_| style.colour) {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

fn state_colour(word: &str) -> Option<Color> {
    match word {
        "running" | "succeeded" | "available" | "connected" | "active" | "granted" | "allowed" => {
            Some(Color::Green)
        }
        "pending"
        | "awaiting_approval"
        | "paused"
        | "cancelling"
        | "undoing"
        | "partially_succeeded"
        | "stopping"
        | "starting"
        | "unknown"
        | "unverified"
        | "degraded" => Some(Color::Yellow),
        "failed" | "undone" | "cancelled" | "missing" | "error" | "refused" | "revoked" => Some(Color::Red),
        _ => None,
    }
}

/// A time as its distance from now: `3 m ago`, `in 2 h`; nothing for what is no RFC 3339 time.
fn ago(text: &str, now: DateTime<Utc>) -> Option<String> {
    if text.len() < 20 || text.as_bytes()[4] != b'-' {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let distance = now - time;
    let words = span(distance.abs());
    Some(match words {
        None => "now".to_owned(),
        Some(words) if distance > TimeDelta::zero() => format!("{words} ago"),
        Some(words) => format!("in {words}"),
    })
}

/// The largest unit that fits, rounded down; nothing under a second.
fn span(distance: TimeDelta) -> Option<String> {
    let seconds = distance.num_seconds();
    let (count, unit) = match seconds {
        ..1 => return None,
        1..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "m"),
        3_600..86_400 => (seconds / 3_600, "h"),
        86_400..31_536_000 => (seconds / 86_400, "d"),
        _ => (seconds / 31_536_000, "y"),
    };
    Some(format!("{count} {unit}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(text: &str) -> String {
        let now = DateTime::parse_from_rfc3339("2026-06-20T18:00:00Z").unwrap().to_utc();
        humane(Some(&json!(text)), Style { now: Some(now), colour: false })
    }

    #[test]
    fn times_are_told_by_their_distance() {
        assert_eq!(told("2026-06-20T17:57:00.123456Z"), "2 m ago");
        assert_eq!(told("2026-06-20T20:00:00+00:00"), "in 2 h");
        assert_eq!(told("2026-06-20T18:00:00Z"), "now");
        assert_eq!(told("2024-06-20T18:00:00Z"), "2 y ago");
        assert_eq!(told("2026-06-20"), "2026-06-20");
        assert_eq!(told("ünïcödé-06-20T18:00:00Z"), "ünïcödé-06-20T18:00:00Z");
    }

    #[test]
    fn a_place_may_have_dots_in_its_key() {
        let value = json!({"tags": {"kubernetes.io/cluster": "a", "env": {"x": 1}}});
        assert_eq!(exact(at(&value, "tags.kubernetes.io/cluster").as_deref()), "a");
        assert_eq!(exact(at(&value, "tags.env.x").as_deref()), "1");
        assert_eq!(exact(at(&value, "tags.nothing").as_deref()), "");
        let value = json!({"changes": [{"field": "state"}, {"field": "tags.team"}]});
        assert_eq!(exact(at(&value, "changes.field").as_deref()), "[\"state\",\"tags.team\"]");
    }
}
