//! What all protocols refuse alike, and how each says it: unknown and missing parameters, values of the wrong type,
//! and values beyond what the model allows.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Number, Value, json};

use super::{Dialect, Refusal};
use crate::aws::schema::{Kind, Range, Schema, Shape, Structure};

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    Unknown { at: String },
    Missing { at: String },
    Malformed { at: String, found: String, wanted: &'static str },
    Constraint { at: String, found: String, rule: String },
}

impl Defect {
    /// As the protocol says it.
    pub fn refusal(self, schema: &Schema, dialect: Dialect) -> Refusal {
        match (dialect, schema.signing_name()) {
            (Dialect::Ec2, _) => self.ec2(),
            (Dialect::RestXml, "s3") => self.s3(),
            (Dialect::RestXml, _) => Refusal::new("InvalidInput", self.sentence()),
            (Dialect::Json, _) if matches!(self, Self::Unknown { .. } | Self::Malformed { .. }) => {
                Refusal::new("SerializationException", self.sentence()).status(400)
            }
            (Dialect::Json, "monitoring") | (Dialect::Query, "rds" | "monitoring") => {
                self.query("InvalidParameterValue")
            }
            (Dialect::Json, _) => Refusal::new("ValidationException", self.sentence()).status(400),
            (Dialect::Query, _) => self.query("ValidationError"),
        }
    }

    fn ec2(self) -> Refusal {
        match self {
            Self::Unknown { at } => {
                Refusal::new("UnknownParameter", format!("The parameter {at} is not recognized"))
            }
            Self::Missing { at } => {
                Refusal::new("MissingParameter", format!("The request must contain the parameter {at}"))
            }
            Self::Malformed { at, found, wanted } => Refusal::new(
                "InvalidParameterValue",
                format!("Invalid value '{found}' for {at}. Must be {wanted}"),
            ),
            Self::Constraint { at, found, rule } => Refusal::new(
                "InvalidParameterValue",
                format!("Value ({found}) for parameter {at} is invalid. {rule}"),
            ),
        }
    }

    fn s3(self) -> Refusal {
        match self {
            Self::Unknown { .. } => Refusal::new(
                "MalformedXML",
                format!("The XML you provided was not well-formed or did not validate: {}", self.sentence()),
            ),
            other => Refusal::new("InvalidArgument", other.sentence()),
        }
    }

    fn query(self, value: &'static str) -> Refusal {
        match self {
            Self::Unknown { .. } | Self::Malformed { .. } => {
                Refusal::new("MalformedInput", self.sentence()).status(400)
            }
            Self::Missing { .. } if value == "InvalidParameterValue" => {
                Refusal::new("MissingParameter", self.sentence()).status(400)
            }
            _ => Refusal::new(value, self.sentence()).status(400),
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Unknown { at } => format!("Unexpected parameter: {at}"),
            Self::Missing { at } => format!(
                "1 validation error detected: Value null at '{at}' failed to satisfy constraint: Member must not be null"
            ),
            Self::Malformed { at, found, wanted } => format!("Value '{found}' at '{at}' is not {wanted}"),
            Self::Constraint { at, found, rule } => format!(
                "1 validation error detected: Value '{found}' at '{at}' failed to satisfy constraint: {rule}"
            ),
        }
    }
}

/// Reads a scalar that came as text.
pub fn scalar(shape: &Shape, text: &str, at: &str) -> Result<Value, Defect> {
    let malformed = |wanted| Defect::Malformed { at: at.to_owned(), found: text.to_owned(), wanted };
    match &shape.kind {
        Kind::Text { .. } => {
            let value = Value::String(text.to_owned());
            constrained(shape, &value, at)?;
            Ok(value)
        }
        Kind::Integer(_) => {
            let number = text.parse::<i64>().map_err(|_| malformed("an integer"))?;
            let value = json!(number);
            constrained(shape, &value, at)?;
            Ok(value)
        }
        Kind::Float(_) => {
            let number = text.parse::<f64>().ok().and_then(Number::from_f64);
            let value = Value::Number(number.ok_or_else(|| malformed("a number"))?);
            constrained(shape, &value, at)?;
            Ok(value)
        }
        Kind::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(malformed("a boolean")),
        },
        Kind::Timestamp(_) => moment(text).map(Value::String).ok_or_else(|| malformed("a timestamp")),
        Kind::Blob => {
            use base64::{Engine as _, prelude::BASE64_STANDARD};
            let good = BASE64_STANDARD.decode(text).is_ok();
            if good { Ok(Value::String(text.to_owned())) } else { Err(malformed("base64")) }
        }
        Kind::Structure(_) | Kind::List(_) | Kind::Map { .. } => Err(malformed("a structure")),
    }
}

/// A time in any of the forms AWS takes, as RFC 3339 has it.
pub fn moment(text: &str) -> Option<String> {
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc2822(text))
        .map(|time| time.to_utc())
        .ok()
        .or_else(|| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|time| time.and_utc())
        })
        .or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?.and_utc()))
        .or_else(|| epoch(text.parse().ok()?))?;
    Some(written(parsed))
}

/// A time given in seconds since 1970.
pub fn epoch(seconds: f64) -> Option<DateTime<Utc>> {
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64)
}

/// A time as the values of this face have it.
pub fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Refuses a value that the model does not allow.
pub fn constrained(shape: &Shape, value: &Value, at: &str) -> Result<(), Defect> {
    let broken = |found: &str, rule: String| {
        Err(Defect::Constraint { at: at.to_owned(), found: found.to_owned(), rule })
    };
    match (&shape.kind, value) {
        (Kind::Text { closed, length }, Value::String(text)) => {
            if !closed.is_empty() && !closed.contains(text) {
                return broken(text, format!("Member must satisfy enum value set: [{}]", closed.join(", ")));
            }
            #[expect(clippy::cast_precision_loss, reason = "a length in letters")]
            let letters = text.chars().count() as f64;
            within(*length, letters).or_else(|rule| broken(text, format!("Member must have length {rule}")))
        }
        (Kind::Integer(range) | Kind::Float(range), Value::Number(number)) => {
            let rule = within(*range, number.as_f64().unwrap_or_default());
            rule.or_else(|rule| broken(&number.to_string(), format!("Member must have value {rule}")))
        }
        (Kind::List(list), Value::Array(items)) => {
            #[expect(clippy::cast_precision_loss, reason = "a length of a list in a request")]
            let count = items.len() as f64;
            within(list.length, count)
                .or_else(|rule| broken(&items.len().to_string(), format!("Member must have length {rule}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a word of an answer that its closed set does not have. Lengths are not looked at: AWS's own answers are longer
/// than its models say.
pub fn known_word(closed: &[String], text: &str) -> Result<(), String> {
    if closed.is_empty() || closed.iter().any(|known| known == text) {
        return Ok(());
    }
    Err(format!("{text} is none of {}", closed.join(", ")))
}

fn within(range: Range, value: f64) -> Result<(), String> {
    match (range.min, range.max) {
        (Some(min), _) if value < min => Err(format!("greater than or equal to {min}")),
        (_, Some(max)) if value > max => Err(format!("less than or equal to {max}")),
        _ => Ok(()),
    }
}

/// Refuses a structure without a member that it must have.
pub fn complete(
    structure: &Structure,
    value: &serde_json::Map<String, Value>,
    at: &str,
) -> Result<(), Defect> {
    let missing =
        structure.members.iter().find(|member| member.required && !value.contains_key(&member.name));
    missing.map_or(Ok(()), |member| Err(Defect::Missing { at: joined(at, &member.name) }))
}

/// The name of a part of a parameter.
pub fn joined(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
