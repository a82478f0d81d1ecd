//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{
    Adapter, Capabilities, Cloud, CloudError, CredentialError, PermissionGroup, PolicyDocument,
    PolicyRequest, layers::Policy,
};
use marquee_types::{Clock, FieldError};
use serde_json::Value;

use crate::{
    cloud::Aws,
    config::{Config, credentials_schema, settings_schema},
    error::CLOUD,
    permissions::{CAPABILITIES, CHANGES, OFFERS},
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

impl Adapter for AwsConnector {
    const KIND: &'static str = CLOUD;
    const TITLE: &'static str = "AWS";
    const CAPABILITIES: &'static Capabilities = &CAPABILITIES;
    const OPTIONAL_PERMISSIONS: &'static [PermissionGroup] = &[CHANGES, OFFERS];

    type Config = Config;

    fn policy(request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
        policy::write(request)
    }

    fn credentials_schema() -> Value {
        credentials_schema()
    }

    fn settings_schema() -> Value {
        settings_schema()
    }

    fn open(&self, config: Config) -> Result<Arc<dyn Cloud>, CredentialError> {
        Ok(Arc::new(Aws::new(config, self.transport.clone(), self.policy.clone())))
    }
}
