//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{
    Adapter, Capabilities, Cloud, CloudError, CredentialError, PermissionGroup, PolicyDocument,
    PolicyRequest,
    layers::Policy,
    rest::{self, Clients},
};
use marquee_types::FieldError;
use serde_json::Value;

use crate::{
    cloud::Google,
    config::{Config, credentials_schema, settings_schema},
    error::CLOUD,
    permissions::{CAPABILITIES, OPTIONAL},
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

impl Adapter for GoogleConnector {
    const KIND: &'static str = CLOUD;
    const TITLE: &'static str = "Google Cloud";
    const CAPABILITIES: &'static Capabilities = &CAPABILITIES;

    const OPTIONAL_PERMISSIONS: &'static [PermissionGroup] = OPTIONAL;

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
        let cloud = Google::new(config, self.http.clone(), self.policy.clone());
        Ok(Arc::new(cloud))
    }
}
