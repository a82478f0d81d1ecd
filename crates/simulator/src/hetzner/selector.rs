//! Label selectors: `env=production,!legacy,tier in (web,api)`.

use crate::estate::Tags;

/// What labels must be.
#[derive(Debug, PartialEq, Eq)]
pub struct Selector(Vec<Wanted>);

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    There(String),
    NotThere(String),
    OneOf(String, Vec<String>),
    NoneOf(String, Vec<String>),
}

impl Selector {
    /// Reads a selector; nothing, if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0_u32, 0);
        for (at, letter) in text.char_indices() {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.checked_sub(1)?,
                ',' if depth == 0 => {
                    parts.push(&text[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&text[start..]);
        if depth > 0 {
            return None;
        }
        parts.into_iter().map(one).collect::<Option<_>>().map(Self)
    }

    /// Whether labels are what it wants.
    pub fn takes(&self, labels: &Tags) -> bool {
        self.0.iter().all(|wanted| match wanted {
            Wanted::There(key) => labels.contains_key(key.as_str()),
            Wanted::NotThere(key) => !labels.contains_key(key.as_str()),
            Wanted::OneOf(key, values) => has(labels, key, values),
            Wanted::NoneOf(key, values) => !has(labels, key, values),
        })
    }
}

fn has(labels: &Tags, key: &str, values: &[String]) -> bool {
    labels.get(key).is_some_and(|found| values.iter().any(|value| **value == **found))
}

fn one(part: &str) -> Option<Wanted> {
    let part = part.trim();
    if let Some(key) = part.strip_prefix('!') {
        return word(key).map(Wanted::NotThere);
    }
    for (sign, wants) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = part.split_once(sign) {
            let values = vec![value_word(value)?];
            let key = word(key)?;
            return Some(if wants { Wanted::OneOf(key, values) } else { Wanted::NoneOf(key, values) });
        }
    }
    if let Some(inner) = part.strip_suffix(')') {
        let (head, list) = inner.split_once('(')?;
        let values: Vec<String> = list.split(',').map(value_word).collect::<Option<_>>()?;
        let (key, sign) = head.trim().rsplit_once(' ')?;
        return match sign {
            "in" => Some(Wanted::OneOf(word(key)?, values)),
            "notin" => Some(Wanted::NoneOf(word(key)?, values)),
            _ => None,
        };
    }
    word(part).map(Wanted::There)
}

fn word(text: &str) -> Option<String> {
    let text = text.trim();
    is_key(text).then(|| text.to_owned())
}

fn value_word(text: &str) -> Option<String> {
    let text = text.trim();
    is_value(text).then(|| text.to_owned())
}

/// Whether a text can be a label's key: an optional prefix, and a name.
pub fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let domain = |prefix: &str| {
        prefix.len() <= 253
            && !prefix.is_empty()
            && prefix != "hetzner.cloud"
            && prefix.split('.').all(is_name)
    };
    is_name(name) && prefix.is_none_or(domain)
}

/// Whether a text can be a label's value.
pub fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|byte| inside(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_a_selector_wants_or_not() {
        let labels: Tags = [("env", "production"), ("tier", "web"), ("just-a-key", "")]
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        for (text, takes) in [
            ("env=production", true),
            ("env==production,tier != db", true),
            ("env!=production", false),
            ("just-a-key,!legacy", true),
            ("!env", false),
            ("tier in (web,api)", true),
            ("tier notin (web, api)", false),
            ("nothing notin (x)", true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().takes(&labels), takes, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["", "a=b=c d", "tier in (web", "tier on (web)", "-x", "hetzner.cloud/x", "a,,b"] {
            assert_eq!(Selector::parse(text), None, "{text}");
        }
    }
}
