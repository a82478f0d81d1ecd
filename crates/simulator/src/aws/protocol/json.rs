//! AWS's JSON protocol (`x-amz-target` names the operation), as Cost Explorer, Pricing and Service Quotas speak it, and
//! `CloudWatch` to clients that prefer it.

use serde_json::{Map, Number, Value};

use super::{
    Answer, Defect, Dialect, Refusal, Request,
    input::{complete, constrained, epoch, joined, known_word, moment, scalar, written},
};
use crate::aws::schema::{Kind, Operation, Schema, ShapeId, Structure};

/// Reads a request.
pub fn read<'a>(schema: &'a Schema, request: &Request) -> Result<(&'a Operation, Value), Refusal> {
    let target = request.header("x-amz-target").unwrap_or_default();
    let (service, name) = target.split_once('.').unwrap_or_default();
    let ours = schema.meta.target_prefix.as_deref() == Some(service);
    let operation = schema.operation(name).filter(|_| ours).ok_or_else(|| {
        let message = format!("The operation {target} is not known");
        Refusal::new("UnknownOperationException", message).status(400)
    })?;
    let malformed = |message: String| Refusal::new("SerializationException", message).status(400);
    let version = schema.meta.json_version.as_deref().unwrap_or("1.1");
    let kind = request.header("content-type").unwrap_or_default();
    if kind != format!("application/x-amz-json-{version}") {
        return Err(malformed(format!("The content type {kind} is not application/x-amz-json-{version}")));
    }
    let body: Value = if request.body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(&request.body).map_err(|error| malformed(error.to_string()))?
    };
    let input = match operation.input {
        Some(shape) => {
            value(schema, shape, body, "").map_err(|defect| defect.refusal(schema, Dialect::Json))?
        }
        None => body,
    };
    Ok((operation, input))
}

fn value(schema: &Schema, id: ShapeId, given: Value, at: &str) -> Result<Value, Defect> {
    let shape = schema.shape(id);
    let malformed = |given: &Value, wanted| {
        Err(Defect::Malformed { at: at.to_owned(), found: given.to_string(), wanted })
    };
    let read = match (&shape.kind, given) {
        (Kind::Structure(structure), Value::Object(members)) => {
            self::structure(schema, structure, members, at)?
        }
        (Kind::List(list), Value::Array(items)) => {
            let read = items.into_iter().enumerate().map(|(index, item)| {
                value(schema, list.of.shape, item, &joined(at, &(index + 1).to_string()))
            });
            Value::Array(read.collect::<Result<_, _>>()?)
        }
        (Kind::Map { value: of, .. }, Value::Object(entries)) => {
            let read = entries.into_iter().map(|(name, item)| {
                let item = value(schema, of.shape, item, &joined(at, &name))?;
                Ok((name, item))
            });
            Value::Object(read.collect::<Result<_, _>>()?)
        }
        (Kind::Timestamp(_), Value::Number(number)) => match number.as_f64().and_then(epoch) {
            Some(time) => Value::String(written(time)),
            None => return malformed(&Value::Number(number), "a timestamp"),
        },
        (Kind::Timestamp(_), Value::String(text)) => match moment(&text) {
            Some(text) => Value::String(text),
            None => return malformed(&Value::String(text), "a timestamp"),
        },
        (Kind::Text { .. } | Kind::Blob, Value::String(text)) => scalar(shape, &text, at)?,
        (Kind::Integer(_), Value::Number(number)) if !number.is_f64() => Value::Number(number),
        (Kind::Float(_), given @ Value::Number(_)) | (Kind::Boolean, given @ Value::Bool(_)) => given,
        (_, given) => return malformed(&given, "of the type that the model has"),
    };
    constrained(shape, &read, at)?;
    Ok(read)
}

fn structure(
    schema: &Schema,
    structure: &Structure,
    members: Map<String, Value>,
    at: &str,
) -> Result<Value, Defect> {
    let mut read = Map::with_capacity(members.len());
    for (name, given) in members {
        let at = joined(at, &name);
        let Some(member) = structure.asked(&name) else { return Err(Defect::Unknown { at }) };
        if !given.is_null() {
            read.insert(member.name.clone(), value(schema, member.shape, given, &at)?);
        }
    }
    complete(structure, &read, at)?;
    Ok(Value::Object(read))
}

/// Writes an output.
pub fn write(schema: &Schema, operation: &Operation, output: &Value) -> Result<Answer, String> {
    let body = match operation.output {
        Some(shape) if output.is_null() => answered(schema, shape, &Value::Object(Map::new()))?,
        Some(shape) => answered(schema, shape, output)?,
        None => Value::Object(Map::new()),
    };
    let mut answer = Answer::new(200);
    answer.json(schema, &body);
    Ok(answer)
}

fn answered(schema: &Schema, id: ShapeId, value: &Value) -> Result<Value, String> {
    let shape = schema.shape(id);
    match (&shape.kind, value) {
        (Kind::Structure(structure), Value::Object(members)) => {
            let mut written = Map::with_capacity(members.len());
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                let member = structure.member(name).ok_or_else(|| format!("{name}: unknown to the model"))?;
                let value =
                    answered(schema, member.shape, value).map_err(|what| format!("{name}: {what}"))?;
                written.insert(member.wire.clone(), value);
            }
            super::xml::whole(structure, members)?;
            Ok(Value::Object(written))
        }
        (Kind::List(list), Value::Array(items)) => {
            let items = items.iter().map(|item| answered(schema, list.of.shape, item));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        (Kind::Map { value: of, .. }, Value::Object(entries)) => {
            let entries =
                entries.iter().map(|(name, value)| Ok((name.clone(), answered(schema, of.shape, value)?)));
            entries.collect::<Result<_, String>>().map(Value::Object)
        }
        (Kind::Timestamp(_), Value::String(text)) => {
            let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|error| error.to_string())?;
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double")]
            let seconds = time.timestamp_millis() as f64 / 1000.0;
            Number::from_f64(seconds).map(Value::Number).ok_or_else(|| "a time without number".to_owned())
        }
        (Kind::Text { closed, .. }, Value::String(text)) => {
            known_word(closed, text)?;
            Ok(value.clone())
        }
        (Kind::Blob, Value::String(_))
        | (Kind::Float(_), Value::Number(_))
        | (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (Kind::Integer(_), Value::Number(number)) if !number.is_f64() => Ok(value.clone()),
        _ => Err(format!("not a {}: {value}", shape.name)),
    }
}
