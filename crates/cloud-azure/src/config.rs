//! Credentials and settings as users write them: read strictly, each wrong place named by its JSON pointer.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marquee_clouds::{
    Connection, ConnectionConfig, CredentialError, ServerRules,
    fields::{Fields, optional_object, origin},
};
use marquee_types::FieldError;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

/// How to become someone at Azure.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A service principal with a secret.
    ClientSecret { tenant: String, client: String, secret: SecretString },
    /// A service principal with a certificate: PEM with the certificate and its RSA key.
    ClientCertificate { tenant: String, client: String, certificate: SecretString },
    /// A federated token in a file of the server's: workload identity.
    WorkloadIdentity { tenant: String, client: String, token_file: PathBuf },
    /// The identity of the machine the server runs on.
    ManagedIdentity { client: Option<String> },
}

/// Where and what to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The subscription.
    pub subscription: String,
    /// The locations to include; empty for all.
    pub regions: Vec<String>,
    /// Another endpoint of the resource manager.
    pub endpoint: Option<Url>,
    /// Another authority for tokens.
    pub authority: Option<Url>,
    /// Another endpoint of blob storage, where an account's name is the first part of the path.
    pub blobs: Option<Url>,
    /// PEM of an authority to trust besides the system's, for these endpoints.
    pub certificate: Option<String>,
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
    const ENDPOINTS: &'static [&'static str] = &["endpoint_url", "authority_url", "blob_endpoint_url"];

    fn read(connection: &Connection, rules: &ServerRules) -> Result<Self, CredentialError> {
        let mut errors = Vec::new();
        let credentials = read_credentials(connection.credentials.expose_secret(), rules, &mut errors);
        let settings = read_settings(&connection.settings, rules, &mut errors);
        match (credentials, settings, errors.is_empty()) {
            (Some(credentials), Some(settings), true) => Ok(Self { credentials, settings }),
            _ => Err(CredentialError(errors)),
        }
    }

    fn binding(&self) -> Value {
        let (tenant, client) = match &self.credentials {
            Credentials::ClientSecret { tenant, client, .. }
            | Credentials::ClientCertificate { tenant, client, .. }
            | Credentials::WorkloadIdentity { tenant, client, .. } => (Some(tenant), Some(client)),
            Credentials::ManagedIdentity { client } => (None, client.as_ref()),
        };
        let mut binding = json!({ "cloud": "azure", "type": self.credentials.kind(), "tenant": tenant, "client": client,
            "subscription": self.settings.subscription,
            "endpoint": self.settings.endpoint.as_ref().map(origin),
            "authority": self.settings.authority.as_ref().map(origin),
            "ca_certificate": self.settings.certificate.as_ref().map(|pem| URL_SAFE_NO_PAD.encode(Sha256::digest(pem))) });
        // Only where there is one: credentials that were stored before there could be stay readable.
        if let Some(blobs) = &self.settings.blobs {
            binding["blob_endpoint"] = origin(blobs).into();
        }
        binding
    }

    fn describe_credentials(&self) -> Value {
        self.credentials.describe()
    }
}

impl Credentials {
    /// The word users write.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "client_secret",
            Self::ClientCertificate { .. } => "client_certificate",
            Self::WorkloadIdentity { .. } => "workload_identity",
            Self::ManagedIdentity { .. } => "managed_identity",
        }
    }

    /// What may be shown of them. Tenant and client are no secrets.
    pub fn describe(&self) -> Value {
        match self {
            Self::ClientSecret { tenant, client, .. }
            | Self::ClientCertificate { tenant, client, .. }
            | Self::WorkloadIdentity { tenant, client, .. } => {
                json!({ "type": self.kind(), "tenant_id": tenant, "client_id": client })
            }
            Self::ManagedIdentity { client } => json!({ "type": self.kind(), "client_id": client }),
        }
    }
}

const UUID: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";
const AMBIENT: &str = "Only where the server's configuration allows its own identity to be used.";

/// JSON Schema of the credentials.
pub fn credentials_schema() -> Value {
    let uuid = json!({ "type": "string", "pattern": UUID });
    let principal = |kind: &str, description: &str, name: &str, more: Value| {
        json!({ "type": "object", "additionalProperties": false, "description": description,
            "required": ["type", "tenant_id", "client_id", name],
            "properties": { "type": { "const": kind }, "tenant_id": uuid, "client_id": uuid, name: more } })
    };
    let secret = json!({ "type": "string", "writeOnly": true });
    json!({ "oneOf": [
        principal("client_secret", "A service principal with a secret.", "client_secret", secret.clone()),
        principal("client_certificate", "A service principal with a certificate: PEM with the certificate and its \
            unencrypted RSA key.", "certificate", secret),
        principal("workload_identity", AMBIENT, "token_file",
            json!({ "type": "string", "description": "A file of the server's with a federated token." })),
        { "type": "object", "additionalProperties": false, "required": ["type"], "description": AMBIENT,
          "properties": { "type": { "const": "managed_identity" }, "client_id": uuid } },
    ] })
}

/// JSON Schema of the settings.
pub fn settings_schema() -> Value {
    let endpoint = |what: &str| {
        json!({ "type": "string", "format": "uri",
            "description": format!("{what} Only origins that the server's configuration allows.") })
    };
    json!({ "type": "object", "additionalProperties": false, "required": ["subscription_id"], "properties": {
        "subscription_id": { "type": "string", "pattern": UUID },
        "regions": { "type": "array", "uniqueItems": true, "items": { "type": "string", "examples": ["westeurope"] },
            "description": "The locations to include; left out or empty, all." },
        "endpoint_url": endpoint("Another endpoint of the resource manager."),
        "authority_url": endpoint("Another authority for tokens; https only."),
        "blob_endpoint_url": endpoint("Another endpoint of blob storage, with the account's name first in the path; \
            https only. Left out, the one that Azure names for each account."),
        "ca_certificate": { "type": "string",
            "contentMediaType": "application/x-pem-file",
            "description": "PEM of an authority to trust besides the system's; only with other endpoints." },
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
    if matches!(kind.as_str(), "workload_identity" | "managed_identity") && !rules.allow_ambient_credentials {
        fields.wrong("type", "this server's configuration does not allow its own Azure identity to be used");
    }
    let read = match kind.as_str() {
        "client_secret" => client_secret(&mut fields),
        "client_certificate" => client_certificate(&mut fields),
        "workload_identity" => workload_identity(&mut fields),
        "managed_identity" => {
            Some(Credentials::ManagedIdentity { client: optional_uuid(&mut fields, "client_id") })
        }
        _ => {
            let kinds =
                "expected one of: client_secret, client_certificate, workload_identity, managed_identity";
            fields.wrong("type", kinds);
            fields.forget();
            return None;
        }
    };
    fields.finish();
    read
}

fn client_secret(fields: &mut Fields<'_>) -> Option<Credentials> {
    let (tenant, client) = (uuid(fields, "tenant_id"), uuid(fields, "client_id"));
    let secret = fields.text("client_secret")?;
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        fields.wrong("client_secret", "the secret cannot hold blanks or control characters");
    }
    Some(Credentials::ClientSecret { tenant: tenant?, client: client?, secret: secret.into() })
}

fn client_certificate(fields: &mut Fields<'_>) -> Option<Credentials> {
    let (tenant, client) = (uuid(fields, "tenant_id"), uuid(fields, "client_id"));
    let certificate = SecretString::from(fields.text("certificate")?);
    if let Err(why) = crate::credentials::Signer::new(&certificate) {
        fields.wrong("certificate", why);
    }
    Some(Credentials::ClientCertificate { tenant: tenant?, client: client?, certificate })
}

fn workload_identity(fields: &mut Fields<'_>) -> Option<Credentials> {
    let (tenant, client) = (uuid(fields, "tenant_id"), uuid(fields, "client_id"));
    let token_file = PathBuf::from(fields.text("token_file")?);
    if !token_file.is_absolute() {
        fields.wrong("token_file", "expected an absolute path");
    }
    Some(Credentials::WorkloadIdentity { tenant: tenant?, client: client?, token_file })
}

fn read_settings(settings: &Value, rules: &ServerRules, errors: &mut Vec<FieldError>) -> Option<Settings> {
    let object = optional_object("/settings", settings, errors)?;
    let mut fields = Fields::new("/settings", object, errors);
    let subscription = uuid(&mut fields, "subscription_id");
    let regions = fields.texts("regions", |name, _| {
        let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        (!fits).then_some("expected a location, e.g. westeurope")
    });
    let endpoint = fields.endpoint("endpoint_url", rules);
    let authority = fields.endpoint("authority_url", rules);
    let blobs = fields.endpoint("blob_endpoint_url", rules);
    let named = [("endpoint_url", &endpoint), ("authority_url", &authority), ("blob_endpoint_url", &blobs)];
    for (name, url) in named {
        if url.as_ref().is_some_and(|url| url.scheme() != "https") {
            fields.wrong(name, "expected https: tokens travel there");
        }
    }
    let certificate = fields.optional_text("ca_certificate");
    if certificate.is_some() && (endpoint.is_none() || authority.is_none()) {
        fields.wrong("ca_certificate", "only with both endpoint_url and authority_url");
    }
    if certificate.as_ref().is_some_and(|pem| !is_certificate(pem)) {
        fields.wrong("ca_certificate", "expected one or more certificates in PEM");
    }
    fields.finish();
    Some(Settings {
        subscription: subscription?.to_lowercase(),
        regions,
        endpoint,
        authority,
        blobs,
        certificate,
    })
}

fn is_certificate(pem: &str) -> bool {
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let mut found = CertificateDer::pem_slice_iter(pem.as_bytes()).peekable();
    found.peek().is_some() && found.all(|certificate| certificate.is_ok())
}

fn uuid(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    let text = fields.text(name)?;
    check_uuid(fields, name, text)
}

fn optional_uuid(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    let text = fields.optional_text(name)?;
    check_uuid(fields, name, text)
}

fn check_uuid(fields: &mut Fields<'_>, name: &str, text: String) -> Option<String> {
    let fits = is_uuid(&text);
    if !fits {
        fields.wrong(name, "expected a UUID");
    }
    fits.then_some(text)
}

/// Whether a text is a UUID as Azure writes them.
pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f6d1c52-8f0e-4d2b-9a57-6c1e0b7d4a21";

    fn read(credentials: &Value, settings: Value) -> Result<Config, Vec<String>> {
        let connection =
            Connection { credentials: credentials.to_string().into(), settings, external_id: String::new() };
        let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
        Config::read(&connection, &rules).map_err(|error| {
            error.0.into_iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect()
        })
    }

    fn secret() -> Value {
        json!({ "type": "client_secret", "tenant_id": ID, "client_id": ID, "client_secret": "s3cret" })
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = json!({ "type": "client_secret", "tenant_id": "x", "client_id": ID, "client_secret": "a b", "x": 1 });
        let settings = json!({ "subscription_id": ID, "regions": ["West Europe"], "ca_certificate": "x" });
        assert_eq!(
            read(&wrong, settings).unwrap_err(),
            [
                "/credentials/tenant_id: expected a UUID",
                "/credentials/client_secret: the secret cannot hold blanks or control characters",
                "/credentials/x: unknown field",
                "/settings/regions/0: expected a location, e.g. westeurope",
                "/settings/ca_certificate: only with both endpoint_url and authority_url",
                "/settings/ca_certificate: expected one or more certificates in PEM",
            ]
        );
        let ambient = json!({ "type": "managed_identity" });
        let errors = read(&ambient, json!({ "subscription_id": ID })).unwrap_err();
        assert!(errors[0].starts_with("/credentials/type: this server's configuration"), "{errors:?}");
    }

    #[test]
    fn tokens_go_over_https_only_and_only_where_they_may() {
        let settings = |url: &str| json!({ "subscription_id": ID, "endpoint_url": url });
        assert_eq!(
            read(&secret(), settings("http://127.0.0.1:1")).unwrap_err(),
            ["/settings/endpoint_url: expected https: tokens travel there"]
        );
        let blobs = |url: &str| json!({ "subscription_id": ID, "blob_endpoint_url": url });
        assert!(read(&secret(), blobs("http://127.0.0.1:1")).unwrap_err()[0].contains("expected https"));
        assert!(read(&secret(), blobs("https://evil.example")).unwrap_err()[0].contains("--allow-endpoint"));
        assert!(
            read(&secret(), settings("https://evil.example")).unwrap_err()[0].contains("--allow-endpoint")
        );
        assert!(read(&secret(), settings("https://127.0.0.1:1")).is_ok());
    }

    #[test]
    fn the_binding_names_everything_a_token_could_be_sent_to_and_no_secret() {
        let config = read(&secret(), json!({ "subscription_id": ID })).unwrap();
        let binding = config.binding().to_string();
        assert!(binding.contains(ID) && !binding.contains("s3cret") && !binding.contains("blob"));
        let blobs = "https://127.0.0.1:1";
        let config = read(&secret(), json!({ "subscription_id": ID, "blob_endpoint_url": blobs })).unwrap();
        assert_eq!(config.binding()["blob_endpoint"], blobs);
        assert!(!config.credentials.describe().to_string().contains("s3cret"));
    }
}
