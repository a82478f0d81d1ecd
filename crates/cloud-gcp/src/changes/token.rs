//! What carries a token at Google: request ids, labels and descriptions.

use std::fmt::Write as _;

use marquee_clouds::{
    ActionName, CloudError, Token,
    changes::{TOKEN_TAG, spec::TagMap},
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::invalid;

/// Letters that labels' keys and values may have, at most.
const LONGEST_LABEL: usize = 63;
/// Labels of one thing, at most.
const MOST_LABELS: usize = 64;

/// A `requestId`: a UUID made of a name as version 5 is, though by SHA-256. The same for the same call with the same body; another for
/// any other, since Google refuses an id that comes back with something else.
pub fn request_id(token: &Token, method: &str, path: &str, body: Option<&Value>) -> String {
    let mut hash = Sha256::new();
    let body = body.map(Value::to_string).unwrap_or_default();
    for part in [token.as_str(), method, path, &body] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A number that follows from a text: to choose among equals the same way each time.
pub fn number_of(text: &str) -> u64 {
    let mut bytes = [0_u8; 8];
    bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
    u64::from_be_bytes(bytes)
}

/// The labels of something that is made: its tags, and the token.
pub fn labels(name: ActionName, tags: &TagMap, token: &Token) -> Result<Value, CloudError> {
    let mut labels = Map::new();
    for (key, value) in tags {
        check_label(name, key, value)?;
        labels.insert(key.clone(), value.as_str().into());
    }
    labels.insert(TOKEN_TAG.to_owned(), token.as_str().into());
    check_count(name, labels.len())?;
    Ok(labels.into())
}

/// Refuses a tag that cannot be a label.
pub fn check_label(name: ActionName, key: &str, value: &str) -> Result<(), CloudError> {
    if key == TOKEN_TAG {
        return Err(invalid(name, &format!("the tag {key} is Marquee's own")));
    }
    let plain = |text: &str| {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        text.len() <= LONGEST_LABEL && text.bytes().all(letter)
    };
    let begins = key.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && plain(key) && plain(value) {
        return Ok(());
    }
    let rule = "small letters, digits, underscores and hyphens, at most 63, a key beginning with a letter";
    Err(invalid(name, &format!("the tag {key} cannot be a label of Google's: {rule}")))
}

/// Refuses more labels than a thing can have.
pub fn check_count(name: ActionName, count: usize) -> Result<(), CloudError> {
    if count <= MOST_LABELS {
        return Ok(());
    }
    Err(invalid(name, &format!("{count} tags: Google's things have {MOST_LABELS} labels at most")))
}

/// Whether something was made under a token, by its labels.
pub fn is_labeled(labels: &Value, token: &Token) -> bool {
    labels[TOKEN_TAG] == token.as_str()
}

/// What describes a thing that has no labels: what people call it, and the token.
pub fn description(name: &str, token: &Token) -> String {
    format!("{name} {TOKEN_TAG}={token}").trim_start().to_owned()
}

/// Whether something was made under a token, by its description.
pub fn is_described(description: &Value, token: &Token) -> bool {
    let wanted = format!("{TOKEN_TAG}={token}");
    description.as_str().is_some_and(|text| text.rsplit(' ').next() == Some(&wanted))
}

/// Whether a description is of something that Marquee made.
pub fn is_ours(description: &Value) -> bool {
    let begins = |text: &str| text.rsplit(' ').next().is_some_and(|last| last.starts_with(TOKEN_TAG));
    description.as_str().is_some_and(begins)
}

#[cfg(test)]
mod tests {
    use marquee_clouds::ErrorKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_that_follows_from_what_is_asked() {
        let token = Token::new("op_1").unwrap();
        let id = request_id(&token, "compute.instances.stop", "zones/z/instances/i", None);
        assert_eq!(id, request_id(&token, "compute.instances.stop", "zones/z/instances/i", None));
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "5");
        let other = json!({ "name": "other" });
        assert_ne!(id, request_id(&token, "compute.instances.stop", "zones/z/instances/i", Some(&other)));
        assert_ne!(
            id,
            request_id(&Token::new("op_2").unwrap(), "compute.instances.stop", "zones/z/instances/i", None)
        );
    }

    #[test]
    fn a_tag_that_cannot_be_a_label_is_named() {
        let token = Token::new("op_1").unwrap();
        let tags = |key: &str, value: &str| TagMap::from([(key.to_owned(), value.to_owned())]);
        assert!(labels(ActionName::CreateDisk, &tags("venue", ""), &token).is_ok());
        for (key, value) in [("Venue", "x"), ("venue", "The Barn"), ("1st", "x"), ("", "x"), (TOKEN_TAG, "x")]
        {
            let refused = labels(ActionName::CreateDisk, &tags(key, value), &token).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Invalid, "{key}");
            assert!(refused.message.contains(key), "{}", refused.message);
        }
    }

    #[test]
    fn a_description_tells_the_token_and_no_other() {
        let token = Token::new("op_1").unwrap();
        let said = json!(description("weekly", &token));
        assert_eq!(said, "weekly marquee-operation=op_1");
        assert!(is_described(&said, &token) && is_ours(&said));
        assert!(!is_described(&said, &Token::new("op_11").unwrap()));
        assert!(!is_described(&json!("weekly"), &token) && !is_ours(&json!("weekly")));
    }
}
