//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{
    Capabilities, Cloud, CloudError, Connection, Connector, CredentialError, PolicyDocument, PolicyRequest,
    ServerRules,
    layers::Policy,
    rest::{self, Clients},
};
use marquee_types::FieldError;
use serde_json::Value;

use crate::{
    cloud::Google,
    config::{Config, credentials_schema, settings_schema},
    error::CLOUD,
    permissions::CAPABILITIES,
    policy,
};

/// Makes clouds of Google Cloud.
#[derive(Debug)]
pub struct GoogleConnector {
    http: Clients,
    policy: Policy,
}

impl GoogleConnector {
    /// A connector. The process must have installed its TLS provider (rustls with ring) before.
    pub fn new() -> Result<Self, CloudError> {
        Self::with_policy(Policy::default())
    }

    /// The same with other patience.
    pub fn with_policy(policy: Policy) -> Result<Self, CloudError> {
        Ok(Self { http: rest::clients(CLOUD, None)?, policy })
    }
}

impl Connector for GoogleConnector {
    fn kind(&self) -> &'static str {
        CLOUD
    }

    fn title(&self) -> &'static str {
        "Google Cloud"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn policy(&self, request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
        policy::write(request)
    }

    fn credentials_schema(&self) -> Value {
        credentials_schema()
    }

    fn settings_schema(&self) -> Value {
        settings_schema()
    }

    fn check(&self, connection: &Connection, rules: &ServerRules) -> Result<(), CredentialError> {
        Config::read(connection, rules).map(|_| ())
    }

    fn binding(&self, connection: &Connection) -> Result<Value, CredentialError> {
        // What is bound does not depend on what the server allows today.
        Ok(Config::read_any(connection)?.binding())
    }

    fn describe_credentials(&self, connection: &Connection) -> Result<Value, CredentialError> {
        Ok(Config::read_any(connection)?.credentials.describe())
    }

    fn connect(
        &self,
        connection: &Connection,
        rules: &ServerRules,
    ) -> Result<Arc<dyn Cloud>, CredentialError> {
        let config = Config::read(connection, rules)?;
        let cloud = Google::new(config, self.http.clone(), self.policy.clone());
        Ok(Arc::new(cloud))
    }
}
