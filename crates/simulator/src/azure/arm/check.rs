//! What a request says, held against the schema; what does not fit is refused as each provider does.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::{
    azure::error::{Outcome, Refused},
    face::Request,
    rest::{Api, Direction, Operation, Shape, What, Wrong},
};

/// Reads the body of a request and holds it against the schema.
pub fn body(api: &Api, operation: &Operation, namespace: &str, request: &Request) -> Outcome<Value> {
    let Some(shape) = &operation.body else { return Ok(Value::Null) };
    if request.body.is_empty() {
        // A POST without anything to say is let be; a PUT must say what is to be.
        return if operation.method == Method::POST && api.resolve(shape).required.names().is_empty() {
            Ok(Value::Null)
        } else {
            Err(invalid_content("The request content is empty."))
        };
    }
    let kind = request.header("content-type").split(';').next().unwrap_or_default().trim().to_owned();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            format!(
                "The content media type '{kind}' is not supported. Only 'application/json' is supported."
            ),
        ));
    }
    let value: Value =
        serde_json::from_slice(&request.body).map_err(|error| invalid_content(&error.to_string()))?;
    if !value.is_object() {
        return Err(invalid_content("Error converting value to an object. Path ''."));
    }
    match api.check(shape, &value, Direction::Request).first() {
        None => Ok(value),
        Some(wrong) => Err(refusal(namespace, shape, wrong)),
    }
}

fn invalid_content(why: &str) -> Refused {
    let message = format!("The request content was invalid and could not be deserialized: '{why}'.");
    Refused::bad("InvalidRequestContent", message)
}

/// The refusal of a wrong member: by the resource manager itself at the top, by the provider beneath.
fn refusal(namespace: &str, shape: &Shape, wrong: &Wrong) -> Refused {
    let kind = shape.reference.as_deref().unwrap_or("object");
    let path = &wrong.at;
    let said = match &wrong.what {
        What::Unknown => {
            format!("Could not find member '{}' on object of type '{kind}'. Path '{path}'", wrong.member)
        }
        What::Missing => format!("Required property '{}' not found in JSON. Path '{path}'", wrong.member),
        What::Type(wanted) => format!("Error converting value to type '{wanted}'. Path '{path}'"),
        What::Word(word) => {
            format!("Error converting value \"{word}\" to type of '{}'. Path '{path}'", wrong.member)
        }
    };
    if path == "location" && wrong.what == What::Missing {
        return Refused::bad("LocationRequired", "The location property is required for this definition.");
    }
    if !path.contains('.') && namespace != "Microsoft.CostManagement" {
        return invalid_content(&said);
    }
    match namespace {
        "Microsoft.Network" => {
            Refused::bad("InvalidRequestFormat", "Cannot parse the request.").detail("InvalidJson", said)
        }
        "Microsoft.Compute" if matches!(wrong.what, What::Unknown | What::Type(_)) => {
            Refused::bad("BadRequest", said).about(path)
        }
        "Microsoft.Compute" => Refused::value(path, said),
        "Microsoft.Storage" => Refused::bad("InvalidRequestPropertyName", said),
        "Microsoft.DBforPostgreSQL" => Refused::bad("InvalidParameterValue", said),
        _ => Refused::bad("BadRequest", said),
    }
}

/// Holds the query against the schema: types and words of what it knows; what it does not know is ignored, as the
/// resource manager does.
pub fn query(operation: &Operation, pairs: &[(String, String)]) -> Outcome<()> {
    for (name, value) in pairs {
        let shape = operation.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((_, shape)) = shape.filter(|(known, _)| *known != "api-version") else { continue };
        let fits = match shape.kind.as_deref() {
            Some("integer") => value.parse::<i64>().is_ok(),
            Some("boolean") => ["true", "false"].contains(&value.to_lowercase().as_str()),
            _ => true,
        };
        let words = shape.words.iter().flatten().filter_map(Value::as_str);
        let known = shape.words.is_none() || words.into_iter().any(|word| word.eq_ignore_ascii_case(value));
        if !fits || !known {
            return Err(Refused::bad(
                "InvalidQueryParameter",
                format!("The value '{value}' of the query parameter '{name}' is invalid."),
            ));
        }
    }
    Ok(())
}
