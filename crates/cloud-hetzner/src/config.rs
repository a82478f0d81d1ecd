//! Credentials and settings as users write them: read strictly, each wrong place named by its JSON pointer.

use marquee_clouds::{
    Connection, ConnectionConfig, CredentialError, ServerRules,
    fields::{Fields, optional_object, origin},
};
use marquee_types::FieldError;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::credentials::fingerprint;

/// How to become someone at Hetzner Cloud: a token, which belongs to a project.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The token.
    pub token: SecretString,
}

/// Where and what to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The project's id; the API does not tell.
    pub project: Option<String>,
    /// The locations to include; empty for all.
    pub regions: Vec<String>,
    /// Another endpoint.
    pub endpoint: Option<Url>,
}

/// A connection that passed every check that needs no IO.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to become someone.
    pub credentials: Credentials,
    /// Where and what to look at.
    pub settings: Settings,
}

impl ConnectionConfig for Config {
    const ENDPOINTS: &'static [&'static str] = &["endpoint_url"];

    fn read(connection: &Connection, rules: &ServerRules) -> Result<Self, CredentialError> {
        let mut errors = Vec::new();
        let credentials = read_credentials(connection.credentials.expose_secret(), &mut errors);
        let settings = read_settings(&connection.settings, rules, &mut errors);
        match (credentials, settings, errors.is_empty()) {
            (Some(credentials), Some(settings), true) => Ok(Self { credentials, settings }),
            _ => Err(CredentialError(errors)),
        }
    }

    fn binding(&self) -> Value {
        json!({ "cloud": "hetzner", "type": "api_token", "project": self.settings.project,
            "endpoint": self.settings.endpoint.as_ref().map(origin) })
    }

    fn describe_credentials(&self) -> Value {
        self.credentials.describe()
    }
}

impl Credentials {
    /// What may be shown of them.
    pub fn describe(&self) -> Value {
        json!({ "type": "api_token", "fingerprint": fingerprint(&self.token) })
    }
}

/// JSON Schema of the credentials.
pub fn credentials_schema() -> Value {
    json!({ "oneOf": [
        { "type": "object", "additionalProperties": false, "required": ["type", "token"],
          "description": "A token of a project, as the console gives it. One that may only read is enough.",
          "properties": { "type": { "const": "api_token" },
            "token": { "type": "string", "writeOnly": true, "x-environment": "HCLOUD_TOKEN" } } },
    ] })
}

/// JSON Schema of the settings.
pub fn settings_schema() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {
        "project_id": { "type": "string", "pattern": "^[0-9]{1,20}$", "examples": ["1483920"],
            "description": "The project's id, as the console's address shows it: the API does not tell." },
        "regions": { "type": "array", "uniqueItems": true, "items": { "type": "string", "examples": ["nbg1"] },
            "description": "The locations to include; left out or empty, all." },
        "endpoint_url": { "type": "string", "format": "uri",
            "description": "Another endpoint. Only origins that the server's configuration allows." },
    } })
}

fn read_credentials(text: &str, errors: &mut Vec<FieldError>) -> Option<Credentials> {
    // serde_json's own message could quote the credentials.
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        errors.push(FieldError::new("/credentials", "expected a JSON object"));
        return None;
    };
    let mut fields = Fields::new("/credentials", object, errors);
    if fields.text("type")? != "api_token" {
        fields.wrong("type", "expected one of: api_token");
        fields.forget();
        return None;
    }
    let token = fields.text("token");
    if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        fields.wrong("token", "expected letters and digits only");
    }
    fields.finish();
    token.map(|token| Credentials { token: token.into() })
}

fn read_settings(settings: &Value, rules: &ServerRules, errors: &mut Vec<FieldError>) -> Option<Settings> {
    let object = optional_object("/settings", settings, errors)?;
    let mut fields = Fields::new("/settings", object, errors);
    let project = fields.optional_text("project_id");
    if project.as_ref().is_some_and(|id| id.len() > 20 || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        fields.wrong("project_id", "expected digits, as the console's address shows them");
    }
    let regions = fields.texts("regions", |name, _| {
        let fits =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        (!fits).then_some("expected a location, e.g. nbg1")
    });
    let endpoint = fields.endpoint("endpoint_url", rules);
    fields.finish();
    Some(Settings { project, regions, endpoint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(credentials: &Value, settings: Value) -> Result<Config, Vec<String>> {
        let connection =
            Connection { credentials: credentials.to_string().into(), settings, external_id: String::new() };
        Config::read(&connection, &ServerRules::default()).map_err(|error| {
            error.0.into_iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect()
        })
    }

    #[test]
    fn a_token_is_enough_and_never_shown() {
        let config = read(&json!({ "type": "api_token", "token": "LRK9DAWQ1ZAE" }), json!({})).unwrap();
        let shown = [config.binding(), config.credentials.describe()].map(|value| value.to_string()).concat();
        assert!(!shown.contains("LRK9") && shown.contains("sha256:"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = json!({ "type": "api_token", "token": "a b", "x": 1 });
        let settings = json!({ "regions": ["NBG"], "endpoint_url": "http://127.0.0.1:1", "y": 1 });
        let errors = read(&wrong, settings).unwrap_err();
        let places = [
            "/credentials/token",
            "/credentials/x",
            "/settings/regions/0",
            "/settings/endpoint_url",
            "/settings/y",
        ];
        assert!(errors.iter().zip(places).all(|(error, place)| error.starts_with(place)), "{errors:?}");
        assert_eq!(errors.len(), places.len(), "{errors:?}");
        let other = read(&json!({ "type": "password" }), json!({})).unwrap_err();
        assert_eq!(other, ["/credentials/type: expected one of: api_token"]);
    }
}
