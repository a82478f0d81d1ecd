//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{
    Capabilities, Cloud, CloudError, Connection, Connector, CredentialError, ServerRules, layers::Policy,
    rest,
};
use serde_json::Value;

use crate::{
    cloud::Hetzner,
    config::{Config, credentials_schema, settings_schema},
    error::CLOUD,
    permissions::CAPABILITIES,
};

/// Makes clouds of Hetzner Cloud.
#[derive(Debug)]
pub struct HetznerConnector {
    http: reqwest::Client,
    policy: Policy,
}

impl HetznerConnector {
    /// A connector. The process must have installed its TLS provider (rustls with ring) before.
    pub fn new() -> Result<Self, CloudError> {
        Self::with_policy(Policy::default())
    }

    /// The same with other patience.
    pub fn with_policy(policy: Policy) -> Result<Self, CloudError> {
        Ok(Self { http: rest::clients(CLOUD, None)?.json, policy })
    }
}

impl Connector for HetznerConnector {
    fn kind(&self) -> &'static str {
        CLOUD
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
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
        let cloud = Hetzner::new(config, self.http.clone(), self.policy.clone());
        Ok(Arc::new(cloud))
    }
}
