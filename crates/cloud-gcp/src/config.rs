//! Credentials and settings as users write them: read strictly, each wrong place named by its JSON pointer.

use std::path::PathBuf;

use marquee_clouds::{
    Connection, ConnectionConfig, CredentialError, ServerRules,
    fields::{Fields, optional_object, origin},
};
use marquee_types::FieldError;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

/// How to become someone at Google Cloud.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A key of a service account, as the console gives it.
    ServiceAccount { email: String, project: Option<String>, key: SecretString },
    /// A federated token in a file of the server's, for a service account if one is named.
    WorkloadIdentity { audience: String, email: Option<String>, token_file: PathBuf },
    /// The service account of the machine the server runs on.
    Metadata,
}

/// Where and what to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The project's id.
    pub project: String,
    /// The regions to include; empty for all.
    pub regions: Vec<String>,
    /// Another endpoint for all services.
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
        let credentials = read_credentials(connection.credentials.expose_secret(), rules, &mut errors);
        let own_project = match &credentials {
            Some(Credentials::ServiceAccount { project, .. }) => project.clone(),
            _ => None,
        };
        let settings = read_settings(&connection.settings, own_project, rules, &mut errors);
        match (credentials, settings, errors.is_empty()) {
            (Some(credentials), Some(settings), true) => Ok(Self { credentials, settings }),
            _ => Err(CredentialError(errors)),
        }
    }

    fn binding(&self) -> Value {
        json!({ "cloud": "gcp", "type": self.credentials.kind(), "email": self.credentials.email(),
            "audience": match &self.credentials {
                Credentials::WorkloadIdentity { audience, .. } => Some(audience),
                _ => None,
            },
            "project": self.settings.project, "endpoint": self.settings.endpoint.as_ref().map(origin) })
    }

    fn describe_credentials(&self) -> Value {
        self.credentials.describe()
    }
}

impl Credentials {
    /// The word users write.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount { .. } => "service_account",
            Self::WorkloadIdentity { .. } => "workload_identity_federation",
            Self::Metadata => "metadata",
        }
    }

    /// The service account, if it is known before asking.
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount { email, .. } => Some(email),
            Self::WorkloadIdentity { email, .. } => email.as_deref(),
            Self::Metadata => None,
        }
    }

    /// What may be shown of them.
    pub fn describe(&self) -> Value {
        match self {
            Self::ServiceAccount { email, .. } => json!({ "type": self.kind(), "client_email": email }),
            Self::WorkloadIdentity { audience, email, .. } => {
                json!({ "type": self.kind(), "audience": audience, "service_account_email": email })
            }
            Self::Metadata => json!({ "type": self.kind() }),
        }
    }
}

const PROJECT: &str = "^[a-z][a-z0-9-]{4,28}[a-z0-9]$";
const AMBIENT: &str = "Only where the server's configuration allows its own identity to be used.";

/// JSON Schema of the credentials.
pub fn credentials_schema() -> Value {
    json!({ "oneOf": [
        { "type": "object", "required": ["type", "client_email", "private_key", "private_key_id"],
          "description": "The JSON file of a service account's key, as the console gives it; what it says of addresses \
              is not used.",
          "properties": { "type": { "const": "service_account" },
            "client_email": { "type": "string" }, "private_key_id": { "type": "string" },
            "private_key": { "type": "string", "writeOnly": true }, "project_id": { "type": "string" } } },
        { "type": "object", "additionalProperties": false, "required": ["type", "audience", "token_file"],
          "description": AMBIENT,
          "properties": { "type": { "const": "workload_identity_federation" },
            "audience": { "type": "string", "examples": ["//iam.googleapis.com/projects/123456789012/locations/global/\
                workloadIdentityPools/pool/providers/marquee"] },
            "service_account_email": { "type": "string", "description": "The service account to become." },
            "token_file": { "type": "string", "description": "A file of the server's with a federated token." } } },
        { "type": "object", "additionalProperties": false, "required": ["type"], "description": AMBIENT,
          "properties": { "type": { "const": "metadata" } } },
    ] })
}

/// JSON Schema of the settings.
pub fn settings_schema() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {
        "project_id": { "type": "string", "pattern": PROJECT,
            "description": "The project; left out, the one of the service account's key." },
        "regions": { "type": "array", "uniqueItems": true, "items": { "type": "string", "examples": ["europe-west1"] },
            "description": "The regions to include; left out or empty, all." },
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
    if matches!(kind.as_str(), "workload_identity_federation" | "metadata")
        && !rules.allow_ambient_credentials
    {
        fields.wrong("type", "this server's configuration does not allow its own Google identity to be used");
    }
    let read = match kind.as_str() {
        "service_account" => service_account(&mut fields),
        "workload_identity_federation" => workload_identity(&mut fields),
        "metadata" => Some(Credentials::Metadata),
        _ => {
            fields.wrong("type", "expected one of: service_account, workload_identity_federation, metadata");
            fields.forget();
            return None;
        }
    };
    fields.finish();
    read
}

/// What a key's file says besides: whom to call, which we know better, and what nobody needs.
const REST_OF_KEY: &[&str] = &[
    "auth_provider_x509_cert_url",
    "auth_uri",
    "client_id",
    "client_x509_cert_url",
    "token_uri",
    "universe_domain",
];

/// Of the key only what signs is kept: its `token_uri` would otherwise say whom to call.
fn service_account(fields: &mut Fields<'_>) -> Option<Credentials> {
    for name in REST_OF_KEY {
        fields.take(name);
    }
    let (email, private, id) =
        (fields.text("client_email"), fields.text("private_key"), fields.text("private_key_id"));
    let project = fields.optional_text("project_id");
    let (email, private) = (email?, private?);
    if !private.contains("-----BEGIN") {
        fields.wrong("private_key", "expected a private key in PEM");
        return None;
    }
    let key = json!({ "type": "service_account", "client_email": email, "private_key": private,
        "private_key_id": id?, "project_id": project.clone().unwrap_or_default() });
    Some(Credentials::ServiceAccount { email, project, key: key.to_string().into() })
}

fn workload_identity(fields: &mut Fields<'_>) -> Option<Credentials> {
    let audience = fields.text("audience");
    let email = fields.optional_text("service_account_email");
    let token_file = PathBuf::from(fields.text("token_file")?);
    if !token_file.is_absolute() {
        fields.wrong("token_file", "expected an absolute path");
    }
    let audience = audience?;
    if !audience.starts_with("//iam.googleapis.com/") {
        fields.wrong(
            "audience",
            "expected //iam.googleapis.com/projects/…/workloadIdentityPools/…/providers/…",
        );
    }
    Some(Credentials::WorkloadIdentity { audience, email, token_file })
}

fn read_settings(
    settings: &Value,
    own_project: Option<String>,
    rules: &ServerRules,
    errors: &mut Vec<FieldError>,
) -> Option<Settings> {
    let object = optional_object("/settings", settings, errors)?;
    let mut fields = Fields::new("/settings", object, errors);
    let project = fields.optional_text("project_id").or(own_project);
    match &project {
        None => fields.wrong("project_id", "missing: these credentials do not name a project"),
        Some(project) if !is_project(project) => {
            fields.wrong("project_id", "expected a project's id: 6 to 30 small letters, digits and hyphens");
        }
        Some(_) => {}
    }
    let regions = fields.texts("regions", |name, _| {
        let fits = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (!fits).then_some("expected a region, e.g. europe-west1")
    });
    let endpoint = fields.endpoint("endpoint_url", rules);
    fields.finish();
    Some(Settings { project: project?, regions, endpoint })
}

/// Old projects of companies have a domain before their id: `example.com:project`.
fn is_project(text: &str) -> bool {
    let name = text.rsplit(':').next().unwrap_or_default();
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (6..=30).contains(&name.len())
        && name.bytes().all(letters)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| letters(b) || matches!(b, b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(credentials: &Value, settings: Value) -> Result<Config, Vec<String>> {
        let connection =
            Connection { credentials: credentials.to_string().into(), settings, external_id: String::new() };
        let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
        Config::read(&connection, &rules).map_err(|error| {
            error.0.into_iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect()
        })
    }

    fn key() -> Value {
        json!({ "type": "service_account", "project_id": "orangery-media", "private_key_id": "1",
            "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "client_email": "marquee@orangery-media.iam.gserviceaccount.com",
            "token_uri": "https://evil.example/token" })
    }

    #[test]
    fn a_keys_file_is_enough_and_says_nothing_of_whom_to_call() {
        let config = read(&key(), json!({})).unwrap();
        assert_eq!(config.settings.project, "orangery-media");
        let Credentials::ServiceAccount { key, .. } = &config.credentials else { unreachable!("a key") };
        assert!(!key.expose_secret().contains("evil"));
        assert!(!config.credentials.describe().to_string().contains("BEGIN"));
        assert!(!config.binding().to_string().contains("BEGIN"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let other = json!({ "type": "authorized_user", "client_id": "x" });
        let errors = read(&other, json!({ "project_id": "X", "regions": ["a b"] })).unwrap_err();
        assert!(errors[0].starts_with("/credentials/type: expected one of: service_account"), "{errors:?}");
        assert!(errors.iter().any(|error| error.starts_with("/settings/project_id: expected")), "{errors:?}");
        assert!(errors.iter().any(|error| error.starts_with("/settings/regions/0")), "{errors:?}");
        let ambient = read(&json!({ "type": "metadata" }), json!({})).unwrap_err();
        assert!(ambient[0].contains("does not allow"), "{ambient:?}");
        assert!(ambient[1].contains("do not name a project"), "{ambient:?}");
        let mut odd = key();
        odd["x"] = json!(1);
        assert_eq!(read(&odd, json!({})).unwrap_err(), ["/credentials/x: unknown field"]);
    }
}
