//! The body of a request: what exists, what the flags change, and the tags that follow from both.

use std::fs;

use chrono::{DateTime, Utc};
use clap::{ArgMatches, parser::ValueSource};
use serde_json::{Map, Value};

use crate::{
    failure::Failure,
    nouns::Noun,
    schema::{Field, Kind},
    secrets,
    spec::{Body, Operation},
    surroundings::Surroundings,
    times,
};

/// The largest body that is read from a file: more than the server takes.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Builds the body of `operation`. `current` is what exists, where a replacement starts from it.
pub fn build(
    operation: &Operation,
    noun: Option<&'static Noun>,
    current: Option<&Value>,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Result<Option<Value>, Failure> {
    let Some(body) = &operation.body else { return Ok(None) };
    let given = matches.get_one::<String>("body").map(|file| read_json(file, surroundings)).transpose()?;
    let mut target = match (given, current) {
        (Some(given), _) => given,
        (None, Some(current)) => project(current, body),
        (None, None) => Value::Object(Map::new()),
    };
    for field in body.fields.iter().filter(|field| !field.secret) {
        if let Some(value) = flag_value(field, matches, (surroundings.now)())? {
            set(&mut target, &field.pointer, value);
        }
    }
    for flag in matches.try_get_many::<String>("clear").ok().flatten().into_iter().flatten() {
        if let Some(field) = body.fields.iter().find(|field| field.flag == *flag) {
            if operation.method == "PATCH" {
                set(&mut target, &field.pointer, Value::Null);
            } else {
                remove(&mut target, &field.pointer);
            }
        }
    }
    settle_tags(&mut target, body, noun);
    secrets::fill(&mut target, operation, noun, matches, surroundings)?;
    let nothing = target.as_object().is_some_and(Map::is_empty);
    Ok(if nothing && !body.required { None } else { Some(target) })
}

/// What can be sent back of what was read: the places the body has, without the groups that hold secrets.
fn project(current: &Value, body: &Body) -> Value {
    let secret = secrets::groups(body);
    let mut target = Value::Object(Map::new());
    let kept = |field: &&Field| field.pointer.first().is_some_and(|first| !secret.contains(&first.as_str()));
    for field in body.fields.iter().filter(kept) {
        if let Some(value) = at(current, &field.pointer).filter(|value| !value.is_null()) {
            set(&mut target, &field.pointer, value.clone());
        }
    }
    target
}

fn flag_value(field: &Field, matches: &ArgMatches, now: DateTime<Utc>) -> Result<Option<Value>, Failure> {
    // Not every place has a flag: where there is nothing to choose there is none.
    let has_flag = matches.try_contains_id(&field.key).unwrap_or(false);
    if !has_flag || matches.value_source(&field.key) != Some(ValueSource::CommandLine) {
        return Ok(None);
    }
    let texts = || matches.get_many::<String>(&field.key).into_iter().flatten().cloned();
    Ok(Some(match &field.kind {
        Kind::Text(times::PLACEHOLDER) if !field.repeated => {
            Value::String(times::settle(&texts().next().unwrap_or_default(), now))
        }
        Kind::Integer { .. } => {
            numbers(field, matches.get_many::<i64>(&field.key).into_iter().flatten().copied())
        }
        Kind::Number => numbers(field, matches.get_many::<f64>(&field.key).into_iter().flatten().copied()),
        Kind::Boolean { .. } => Value::Bool(matches.get_one::<bool>(&field.key).copied().unwrap_or(true)),
        Kind::Pairs => pairs(field, texts())?,
        Kind::Pem => Value::String(content(field, &texts().next().unwrap_or_default())?),
        Kind::Json => json(field, &texts().next().unwrap_or_default())?,
        Kind::Text(_) | Kind::Choice(_) if field.repeated => {
            Value::Array(texts().map(Value::String).collect())
        }
        Kind::Text(_) | Kind::Choice(_) => Value::String(texts().next().unwrap_or_default()),
    }))
}

fn numbers(field: &Field, values: impl Iterator<Item = impl Into<Value>>) -> Value {
    let mut values: Vec<Value> = values.map(Into::into).collect();
    if field.repeated { Value::Array(values) } else { values.pop().unwrap_or_default() }
}

fn pairs(field: &Field, texts: impl Iterator<Item = String>) -> Result<Value, Failure> {
    let mut map = Map::new();
    for text in texts {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Failure::Usage(format!("--{} takes KEY=VALUE, not `{text}`", field.flag)));
        };
        map.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    Ok(Value::Object(map))
}

fn json(field: &Field, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(&content(field, text)?)
        .map_err(|error| Failure::Usage(format!("--{}: not valid JSON: {error}", field.flag)))
}

/// The text itself, or that of the file it names.
fn content(field: &Field, text: &str) -> Result<String, Failure> {
    let Some(file) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    let unreadable = |error| Failure::Usage(format!("--{}: cannot read {file}: {error}", field.flag));
    fs::read_to_string(file).map_err(unreadable)
}

fn read_json(file: &str, surroundings: &mut Surroundings) -> Result<Value, Failure> {
    let text = if file == "-" {
        surroundings.read_stdin(LARGEST)?
    } else {
        fs::read_to_string(file).map_err(|error| Failure::Usage(format!("cannot read {file}: {error}")))?
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::Usage(format!(
            "the body is not valid JSON: line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    if value.is_object() { Ok(value) } else { Err(Failure::Usage("the body must be a JSON object".into())) }
}

/// Whether a field counts in the form that the body takes.
pub fn counts(field: &Field, target: &Value) -> bool {
    field.when.is_empty()
        || field.when.iter().any(|tag| at(target, &tag.pointer).and_then(Value::as_str) == Some(&tag.value))
}

/// Sets the tags that follow from what is there: the one form that has all the given fields, or the usual form.
/// A union that is optional and of which nothing is given stays out.
pub fn settle_tags(target: &mut Value, body: &Body, noun: Option<&'static Noun>) {
    for tag in tag_fields(body) {
        let parent = &tag.pointer[..tag.pointer.len() - 1];
        let begun = !parent.is_empty() && at(target, parent).is_some();
        if at(target, &tag.pointer).is_none() && (begun || tag.required) {
            settle(target, body, tag, noun);
        }
    }
}

/// The same for one group, which is now going to be given.
pub fn settle_group(target: &mut Value, body: &Body, group: &str, noun: Option<&'static Noun>) {
    for tag in tag_fields(body).filter(|tag| tag.pointer.first().is_some_and(|first| first == group)) {
        // Below the group itself only what has been begun.
        let begun = tag.pointer.len() <= 2 || at(target, &tag.pointer[..tag.pointer.len() - 1]).is_some();
        if begun && at(target, &tag.pointer).is_none() {
            settle(target, body, tag, noun);
        }
    }
}

fn settle(target: &mut Value, body: &Body, tag: &Field, noun: Option<&'static Noun>) {
    let Kind::Choice(forms) = &tag.kind else { return };
    let about = |field: &&Field| field.when.iter().any(|t| t.pointer == tag.pointer);
    let given: Vec<&Field> =
        body.fields.iter().filter(about).filter(|field| at(target, &field.pointer).is_some()).collect();
    let fits = |form: &&String| given.iter().all(|field| field.when.iter().any(|t| t.value == **form));
    let fitting: Vec<&String> = forms.iter().filter(fits).collect();
    let place = tag.pointer.join(".");
    let holds = |(field, value): &(&str, &str)| target.get(*field).and_then(Value::as_str) == Some(*value);
    let defaults = noun.map_or(&[][..], |noun| noun.default_tags).iter();
    let mut decided = defaults.filter(|(of, when, _)| *of == place && when.as_ref().is_none_or(holds));
    // What the document says comes before what the table of nouns says.
    let own = tag.usual.as_ref().and_then(|usual| {
        usual.forms.get(target.get(&usual.field).and_then(Value::as_str)?).map(String::as_str)
    });
    let usual = own.or_else(|| decided.next().map(|(_, _, form)| *form));
    let chosen = match fitting[..] {
        [only] => Some(only),
        _ => fitting.into_iter().find(|form| Some(form.as_str()) == usual),
    };
    if let Some(form) = chosen {
        set(target, &tag.pointer, Value::String(form.clone()));
    }
}

/// The fields that tell which form a union takes.
fn tag_fields(body: &Body) -> impl Iterator<Item = &Field> {
    let is_tag =
        |field: &Field| body.fields.iter().any(|f| f.when.iter().any(|tag| tag.pointer == field.pointer));
    let settled = |field: &Field| matches!(&field.kind, Kind::Choice(values) if values.len() == 1);
    body.fields.iter().filter(move |field| is_tag(field) || settled(field))
}

/// The value at a place.
pub fn at<'a>(value: &'a Value, pointer: &[String]) -> Option<&'a Value> {
    pointer.iter().try_fold(value, |value, part| value.get(part))
}

/// Sets a place, making the objects on the way.
pub fn set(target: &mut Value, pointer: &[String], value: Value) {
    let Some((last, way)) = pointer.split_last() else { return };
    let mut place = target;
    for part in way {
        place = entry(place, part);
    }
    *entry(place, last) = value;
}

fn entry<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    &mut value[name]
}

fn remove(target: &mut Value, pointer: &[String]) {
    let Some((last, way)) = pointer.split_last() else { return };
    let parent = way.iter().try_fold(target, |value, part| value.get_mut(part));
    if let Some(object) = parent.and_then(Value::as_object_mut) {
        object.shift_remove(last);
    }
}
