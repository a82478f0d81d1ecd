//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{
    Capabilities, Cloud, CloudError, Connection, Connector, CredentialError, PolicyDocument, PolicyRequest,
    ServerRules, layers::Policy,
};
use marquee_types::{Clock, FieldError};
use serde_json::Value;

use crate::{
    cloud::Aws,
    config::{Config, credentials_schema, settings_schema},
    error::CLOUD,
    permissions::CAPABILITIES,
    policy,
    transport::Transport,
};

/// Makes clouds of AWS.
#[derive(Debug)]
pub struct AwsConnector {
    transport: Transport,
    policy: Policy,
}

impl AwsConnector {
    /// A connector that takes the time for signatures from `clock`. The process must have installed its TLS
    /// provider (rustls with ring) before.
    pub fn new(clock: Clock) -> Result<Self, CloudError> {
        Self::with_policy(clock, Policy::default())
    }

    /// The same with other patience.
    pub fn with_policy(clock: Clock, policy: Policy) -> Result<Self, CloudError> {
        Ok(Self { transport: Transport::new(clock)?, policy })
    }
}

impl Connector for AwsConnector {
    fn kind(&self) -> &'static str {
        CLOUD
    }

    fn title(&self) -> &'static str {
        "AWS"
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
        Ok(Arc::new(Aws::new(config, self.transport.clone(), self.policy.clone())))
    }
}
