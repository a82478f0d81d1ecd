//! Credentials and settings as users write them: read strictly, each wrong place named by its JSON pointer.

use marquee_clouds::{
    Connection, ConnectionConfig, CredentialError, ServerRules,
    fields::{Fields, optional_object, origin},
};
use marquee_types::FieldError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::partition::{Arn, Partition, is_region_name};

/// How to become someone at AWS.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// An access key of a user, or a session of someone else's making.
    Static(AccessKey),
    /// A role, assumed by an access key or by the server's own identity.
    AssumeRole {
        role_arn: String,
        session_name: String,
        /// `None`: the server's own identity.
        source: Option<AccessKey>,
    },
    /// A profile of the server's AWS configuration files.
    Profile { name: String },
    /// Whatever the server's surroundings provide: environment, container, instance.
    Ambient,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: SecretString,
    pub session_token: Option<SecretString>,
}

/// Where and what to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The regions to include; empty for all that the account may use.
    pub regions: Vec<String>,
    /// Another endpoint for all services, without a path.
    pub endpoint: Option<Url>,
}

/// A connection that passed every check that needs no IO.
#[derive(Debug, Clone)]
pub struct Config {
    pub credentials: Credentials,
    pub settings: Settings,
    /// Given when a role is assumed.
    pub external_id: String,
}

/// The session name of a role where none is given.
const SESSION_NAME: &str = "marquee";

impl Config {
    /// The region for questions that belong to no region: the first one included, or the partition's own.
    pub fn home_region(&self) -> &str {
        self.settings.regions.first().map_or(Partition::of_region("").home_region, String::as_str)
    }
}

impl ConnectionConfig for Config {
    const ENDPOINTS: &'static [&'static str] = &["endpoint_url"];

    fn read(connection: &Connection, rules: &ServerRules) -> Result<Self, CredentialError> {
        let mut errors = Vec::new();
        let credentials = read_credentials(connection.credentials.expose_secret(), rules, &mut errors);
        let settings = read_settings(&connection.settings, rules, &mut errors);
        match (credentials, errors.is_empty()) {
            (Some(credentials), true) => {
                Ok(Self { credentials, settings, external_id: connection.external_id.clone() })
            }
            _ => Err(CredentialError(errors)),
        }
    }

    fn binding(&self) -> Value {
        let endpoint = self.settings.endpoint.as_ref().map(origin);
        let partition = Partition::of_region(self.home_region()).id;
        let role = match &self.credentials {
            Credentials::AssumeRole { role_arn, .. } => Some(role_arn),
            _ => None,
        };
        json!({ "cloud": "aws", "type": self.credentials.kind(), "partition": partition, "endpoint": endpoint,
            "role_arn": role })
    }

    fn describe_credentials(&self) -> Value {
        self.credentials.describe()
    }
}

impl Credentials {
    /// The word users write.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Static(_) => "static",
            Self::AssumeRole { .. } => "assume_role",
            Self::Profile { .. } => "profile",
            Self::Ambient => "ambient",
        }
    }

    /// What may be shown of them.
    pub fn describe(&self) -> Value {
        match self {
            Self::Static(key) => {
                json!({ "type": "static", "access_key_id": mask(&key.id), "temporary": key.session_token.is_some() })
            }
            Self::AssumeRole { role_arn, session_name, source } => json!({
                "type": "assume_role", "role_arn": role_arn, "session_name": session_name,
                "source": source.as_ref().map_or_else(
                    || json!({ "type": "ambient" }),
                    |key| json!({ "type": "static", "access_key_id": mask(&key.id) })),
            }),
            Self::Profile { name } => json!({ "type": "profile", "name": name }),
            Self::Ambient => json!({ "type": "ambient" }),
        }
    }
}

/// `AKIA…WXYZ`: enough to recognise a key by.
pub fn mask(key_id: &str) -> String {
    let chars: Vec<char> = key_id.chars().collect();
    match chars.len() {
        12.. => chars[..4].iter().chain(&['…']).chain(&chars[chars.len() - 4..]).collect(),
        _ => "…".to_owned(),
    }
}

/// JSON Schema of the credentials.
pub fn credentials_schema() -> Value {
    let key = |kind: &str| {
        json!({ "type": "object", "additionalProperties": false,
            "required": ["type", "access_key_id", "secret_access_key"],
            "properties": { "type": { "const": kind },
                "access_key_id": { "type": "string", "examples": ["AKIAIOSFODNN7EXAMPLE"] },
                "secret_access_key": { "type": "string", "writeOnly": true },
                "session_token": { "type": "string", "writeOnly": true } } })
    };
    json!({ "oneOf": [
        key("static"),
        { "type": "object", "additionalProperties": false, "required": ["type", "role_arn"],
          "description": "The role's trust policy must ask for this provider's external id, which Marquee generates.",
          "properties": { "type": { "const": "assume_role" },
            "role_arn": { "type": "string", "examples": ["arn:aws:iam::123456789012:role/marquee"] },
            "session_name": { "type": "string", "default": SESSION_NAME, "pattern": "^[A-Za-z0-9_+=,.@-]{2,64}$" },
            "source": key("static") } },
        { "type": "object", "additionalProperties": false, "required": ["type", "name"],
          "description": "Only where the server's configuration allows its own identity to be used.",
          "properties": { "type": { "const": "profile" }, "name": { "type": "string" } } },
        { "type": "object", "additionalProperties": false, "required": ["type"],
          "description": "Only where the server's configuration allows its own identity to be used.",
          "properties": { "type": { "const": "ambient" } } },
    ] })
}

/// JSON Schema of the settings.
pub fn settings_schema() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {
        "regions": { "type": "array", "uniqueItems": true, "items": { "type": "string", "examples": ["eu-west-1"] },
            "description": "The regions to include; left out or empty, all that the account may use." },
        "endpoint_url": { "type": "string", "format": "uri",
            "description": "Another endpoint for all services. Only origins that the server's configuration allows." },
    } })
}

fn read_credentials(text: &str, rules: &ServerRules, errors: &mut Vec<FieldError>) -> Option<Credentials> {
    // serde_json's own message could quote the credentials.
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        errors.push(FieldError::new("/credentials", "expected a JSON object"));
        return None;
    };
    let mut fields = Fields::new("/credentials", object, errors);
    let kind = fields.text("type")?;
    let own_identity = |fields: &mut Fields<'_>, pointer: &str| {
        if !rules.allow_ambient_credentials {
            fields
                .wrong(pointer, "this server's configuration does not allow its own AWS identity to be used");
        }
    };
    let credentials = match kind.as_str() {
        "static" => Credentials::Static(access_key(&mut fields)?),
        "assume_role" => {
            let role = fields.text("role_arn");
            let session_name = session_name(&mut fields);
            let source = source(&mut fields, rules).ok()?;
            Credentials::AssumeRole { role_arn: role_arn(&mut fields, role?)?, session_name, source }
        }
        "profile" => {
            own_identity(&mut fields, "type");
            Credentials::Profile { name: fields.text("name")? }
        }
        "ambient" => {
            own_identity(&mut fields, "type");
            Credentials::Ambient
        }
        _ => {
            fields.wrong("type", "expected one of: static, assume_role, profile, ambient");
            fields.forget();
            return None;
        }
    };
    fields.finish();
    Some(credentials)
}

fn access_key(fields: &mut Fields<'_>) -> Option<AccessKey> {
    let (id, secret) = (fields.text("access_key_id"), fields.text("secret_access_key"));
    let session_token = fields.optional_text("session_token").map(SecretString::from);
    let id = id?;
    if !((1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        fields.wrong("access_key_id", "expected 1 to 128 letters, digits and underscores");
        return None;
    }
    let secret = secret?;
    if !secret.bytes().all(|b| b.is_ascii_graphic())
        || session_token.as_ref().is_some_and(|t| !t.expose_secret().bytes().all(|b| b.is_ascii_graphic()))
    {
        fields.wrong(
            "secret_access_key",
            "the secret and the session token cannot hold blanks or control characters",
        );
        return None;
    }
    Some(AccessKey { id, secret: SecretString::from(secret), session_token })
}

fn session_name(fields: &mut Fields<'_>) -> String {
    let Some(name) = fields.optional_text("session_name") else { return SESSION_NAME.to_owned() };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(allowed) {
        fields.wrong("session_name", "expected 2 to 64 letters, digits or any of _+=,.@-");
    }
    name
}

fn role_arn(fields: &mut Fields<'_>, text: String) -> Option<String> {
    let fits = Arn::parse(&text).is_some_and(|arn| {
        let account = arn.account.len() == 12 && arn.account.bytes().all(|b| b.is_ascii_digit());
        arn.service == "iam" && arn.region.is_empty() && account && arn.id_of("role").is_some()
    });
    if !fits {
        fields.wrong("role_arn", "expected the ARN of a role: arn:aws:iam::123456789012:role/name");
    }
    fits.then_some(text)
}

/// The `source` of a role: `Ok(None)` is the server's own identity. What is wrong is noted in `fields`.
fn source(fields: &mut Fields<'_>, rules: &ServerRules) -> Result<Option<AccessKey>, ()> {
    match fields.take("source") {
        None | Some(Value::Null) => {
            if !rules.allow_ambient_credentials {
                let why =
                    "needed: this server's configuration does not allow its own AWS identity to be used";
                fields.wrong("source", why);
            }
            Ok(None)
        }
        Some(Value::Object(object)) => {
            let pointer = fields.pointer("source");
            let mut inner = Fields::new(&pointer, object, fields.errors());
            if inner.text("type").is_some_and(|kind| kind != "static") {
                inner.wrong("type", "expected static");
            }
            let key = access_key(&mut inner).ok_or(())?;
            inner.finish();
            Ok(Some(key))
        }
        Some(_) => {
            fields.wrong("source", "expected an object");
            Err(())
        }
    }
}

fn read_settings(settings: &Value, rules: &ServerRules, errors: &mut Vec<FieldError>) -> Settings {
    let Some(object) = optional_object("/settings", settings, errors) else { return Settings::default() };
    let mut fields = Fields::new("/settings", object, errors);
    let regions = fields.texts("regions", |name, before| {
        let other = |first: &String| Partition::of_region(first) != Partition::of_region(name);
        if !is_region_name(name) {
            Some("expected a region, e.g. eu-west-1")
        } else if before.first().is_some_and(other) {
            Some("lies in another partition than the first region: connect it on its own")
        } else {
            None
        }
    });
    let endpoint = fields.endpoint("endpoint_url", rules);
    fields.finish();
    Settings { regions, endpoint }
}

#[cfg(test)]
mod tests;
