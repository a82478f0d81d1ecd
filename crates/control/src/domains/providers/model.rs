//! Providers that cannot be nonsense: checked input, and a row as it stands.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_clouds::{Cloud, Connection, Identity};
use marquee_types::{FieldError, OrganizationId, ProviderId};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    fault::Fault,
    vault::{Binding, Sealed},
};

/// What the credentials were encrypted for; see [`binding`].
const PURPOSE: &str = "cloud_provider";

/// A provider's configuration, checked by its adapter.
#[derive(Debug)]
pub struct Draft {
    pub name: String,
    pub kind: String,
    pub settings: Value,
    pub sync_interval_seconds: i32,
}

/// The credentials of a draft, sealed, with what may be shown of them.
#[derive(Debug)]
pub struct SealedCredentials {
    pub sealed: Sealed,
    pub binding: Value,
    pub description: Value,
}

/// A provider's row with its sealed credentials.
#[derive(Debug)]
pub struct Stored {
    pub name: String,
    pub kind: String,
    pub settings: Value,
    pub external_id: String,
    pub version: i64,
    pub credentials: Option<SealedCredentials>,
}

/// What the cloud said when it accepted the credentials.
#[derive(Debug, Clone)]
pub struct Verified {
    pub identity: Identity,
    pub at: DateTime<Utc>,
}

/// A provider that is connected, and its cloud.
#[derive(Clone)]
pub struct Connected {
    /// Its id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// The version of its configuration.
    pub version: i64,
    /// The regions it is limited to; empty for all.
    pub regions: Vec<String>,
    /// Its cloud.
    pub cloud: Arc<dyn Cloud>,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Draft {
    /// Checks what no adapter needs to be asked for.
    pub fn new(
        name: &str,
        kind: String,
        settings: Option<Value>,
        sync_interval_seconds: Option<u32>,
        default_interval: u32,
    ) -> Result<Self, Fault> {
        let mut errors = Vec::new();
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 100 {
            errors.push(FieldError::new("/name", "must have 1 to 100 characters"));
        }
        if name.chars().any(char::is_control) {
            errors.push(FieldError::new("/name", "must not contain control characters"));
        }
        // Where either will do, people would reach another than they mean.
        if name.starts_with("prv_") {
            errors.push(FieldError::new("/name", "must not begin with prv_, as ids do"));
        }
        let interval = sync_interval_seconds.unwrap_or(default_interval);
        if !(60..=604_800).contains(&interval) {
            errors.push(FieldError::new("/sync_interval_seconds", "must be from 60 to 604800"));
        }
        let settings = settings.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        if !settings.is_object() {
            errors.push(FieldError::new("/settings", "must be an object"));
        }
        if !errors.is_empty() {
            return Err(Fault::Invalid(errors));
        }
        let sync_interval_seconds = i32::try_from(interval).unwrap_or(i32::MAX);
        Ok(Self { name, kind, settings, sync_interval_seconds })
    }

    /// When it is first synced by itself: at once, or after its interval if nobody knows yet whether its
    /// credentials are any good.
    pub fn first_sync(&self, verified: bool, now: DateTime<Utc>) -> DateTime<Utc> {
        if verified { now } else { now + TimeDelta::seconds(self.sync_interval_seconds.into()) }
    }
}

/// The connection an adapter is asked about. The credentials leave this function only as a secret.
pub fn connection(credentials: &Value, settings: &Value, external_id: &str) -> Connection {
    Connection {
        credentials: SecretString::from(credentials.to_string()),
        settings: settings.clone(),
        external_id: external_id.to_owned(),
    }
}

/// What the credentials are encrypted under: whose they are, and where they may be sent.
pub fn binding(organization: OrganizationId, provider: ProviderId, kind: &str, bound_to: &Value) -> Binding {
    Binding::new(PURPOSE, organization)
        .with("provider", provider.to_string())
        .with("kind", kind)
        .with("bound_to", canonical(bound_to))
}

/// Equal values have one text, whatever order the database gives their fields back in.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut parts: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            parts.sort();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_fields_does_not_matter() {
        let one = json!({ "a": 1, "b": { "x": [1, 2], "y": null } });
        let other = json!({ "b": { "y": null, "x": [1, 2] }, "a": 1 });
        assert_eq!(canonical(&one), canonical(&other));
        assert_ne!(canonical(&one), canonical(&json!({ "a": 1, "b": { "x": [2, 1], "y": null } })));
    }

    #[test]
    fn every_wrong_place_is_named_at_once() {
        match Draft::new(" ", "aws".into(), Some(json!([])), Some(5), 900) {
            Err(Fault::Invalid(errors)) => {
                let pointers: Vec<_> = errors.iter().map(|e| e.pointer.as_str()).collect();
                assert_eq!(pointers, ["/name", "/sync_interval_seconds", "/settings"]);
            }
            other => panic!("{other:?}"),
        }
    }
}
