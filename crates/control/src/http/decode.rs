//! Reading requests strictly: what is not understood is refused, and the place is named.

use http::header;
use marquee_types::FieldError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_path_to_error::{Path, Segment};

use super::call::RawCall;
use crate::fault::Fault;

/// What every write takes in its query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteQuery {
    /// Say what would happen and change nothing.
    #[serde(default)]
    pub validate_only: bool,
    /// What to do while another operation has the thing in hand.
    pub on_conflict: Option<OnConflict>,
}

marquee_types::words! {
    /// What to do while another operation has the thing in hand.
    pub enum OnConflict {
        /// Refuse at once, with 409.
        Refuse = "refuse",
        /// Come next: the operation is paused until the other is done.
        Wait = "wait",
    }
}

/// The body as JSON.
pub fn json<T: DeserializeOwned>(raw: &RawCall) -> Result<T, Fault> {
    let is_json = raw
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Fault::UnsupportedMediaType);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(&raw.body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            let detail = without_position(&inner.to_string());
            Fault::Invalid(vec![FieldError::new(pointer(error.path(), &detail), detail)])
        } else {
            Fault::Malformed(format!("The body is not JSON: {inner}."))
        }
    })?;
    deserializer.end().map_err(|error| Fault::Malformed(format!("The body is not JSON: {error}.")))?;
    Ok(value)
}

/// The query string.
pub fn query<T: DeserializeOwned>(raw: &RawCall) -> Result<T, Fault> {
    let text = raw.uri.query().unwrap_or("");
    let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let name = error.path().iter().find_map(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            _ => None,
        });
        let detail = error.inner().to_string();
        let name = name.or_else(|| quoted(&detail).map(str::to_owned)).unwrap_or_default();
        Fault::invalid(format!("?{name}"), detail)
    })
}

/// The JSON pointer of the wrong place. An unknown or missing field is named by the message, not by the path.
fn pointer(path: &Path, detail: &str) -> String {
    let mut pointer = String::new();
    for segment in path {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { .. } => continue,
            Segment::Unknown => String::new(),
        };
        push(&mut pointer, &step);
    }
    let names_field = detail.starts_with("unknown field") || detail.starts_with("missing field");
    if let Some(field) = quoted(detail).filter(|_| names_field)
        && pointer.rsplit('/').next() != Some(&escaped(field))
    {
        push(&mut pointer, field);
    }
    pointer
}

fn push(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&escaped(step));
}

fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn quoted(detail: &str) -> Option<&str> {
    let (_, rest) = detail.split_once('`')?;
    rest.split_once('`').map(|(field, _)| field)
}

fn without_position(detail: &str) -> String {
    detail.rsplit_once(" at line ").map_or(detail, |(text, _)| text).to_owned()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Uri};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its decoding is tested")]
        name: String,
        #[expect(dead_code, reason = "only its decoding is tested")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its decoding is tested")]
        size: u8,
    }

    fn post(body: &str) -> RawCall {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        RawCall { uri: Uri::from_static("/"), headers, body: body.to_owned().into() }
    }

    fn pointer_of(body: &str) -> String {
        match json::<Outer>(&post(body)) {
            Err(Fault::Invalid(errors)) => errors[0].pointer.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_wrong_place_is_named() {
        assert_eq!(pointer_of(r#"{"name":"a","inner":[{"size":1},{"size":"x"}]}"#), "/inner/1/size");
        assert_eq!(pointer_of(r#"{"name":"a","inner":[{"size":1,"colour":2}]}"#), "/inner/0/colour");
        assert_eq!(pointer_of(r#"{"inner":[]}"#), "/name");
        assert_eq!(pointer_of(r#"{"name":"a","inner":[],"a/b":1}"#), "/a~1b");
    }

    #[test]
    fn broken_json_is_malformed_and_anything_behind_it_too() {
        assert!(matches!(json::<Outer>(&post("{")), Err(Fault::Malformed(_))));
        let trailing = r#"{"name":"a","inner":[]} x"#;
        assert!(matches!(json::<Outer>(&post(trailing)), Err(Fault::Malformed(_))));
        let deep = "[".repeat(10_000);
        assert!(matches!(json::<serde_json::Value>(&post(&deep)), Err(Fault::Malformed(_))));
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        let mut raw = post("");
        raw.uri = Uri::from_static("/?validate_only=true&colour=red");
        match query::<WriteQuery>(&raw) {
            Err(Fault::Invalid(errors)) => assert_eq!(errors[0].pointer, "?colour"),
            other => panic!("{other:?}"),
        }
    }
}
