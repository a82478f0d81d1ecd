//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{
    Adapter, Capabilities, Cloud, CloudError, CredentialError, PermissionGroup, PolicyDocument,
    PolicyRequest,
    layers::Policy,
    rest::{self, Clients},
};
use marquee_types::{Clock, FieldError};
use serde_json::Value;

use crate::{
    cloud::Azure,
    config::{Config, credentials_schema, settings_schema},
    error::CLOUD,
    permissions::{CAPABILITIES, OPTIONAL},
    policy,
};

/// Makes clouds of Azure.
#[derive(Debug)]
pub struct AzureConnector {
    http: Clients,
    clock: Clock,
    policy: Policy,
}

impl AzureConnector {
    /// A connector. The process must have installed its TLS provider (rustls with ring) before.
    pub fn new(clock: Clock) -> Result<Self, CloudError> {
        Self::with_policy(clock, Policy::default())
    }

    /// The same with other patience.
    pub fn with_policy(clock: Clock, policy: Policy) -> Result<Self, CloudError> {
        Ok(Self { http: rest::clients(CLOUD, None)?, clock, policy })
    }
}

impl Adapter for AzureConnector {
    const KIND: &'static str = CLOUD;
    const TITLE: &'static str = "Azure";
    const OPTIONAL_PERMISSIONS: &'static [PermissionGroup] = OPTIONAL;
    const CAPABILITIES: &'static Capabilities = &CAPABILITIES;

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
        // A connection that trusts an authority of its own has a client of its own.
        let http = match &config.settings.certificate {
            None => self.http.clone(),
            Some(pem) => rest::clients(CLOUD, Some(pem)).map_err(|error| {
                CredentialError(vec![FieldError::new("/settings/ca_certificate", error.message)])
            })?,
        };
        let cloud = Azure::new(config, http, &self.clock, self.policy.clone());
        Ok(Arc::new(cloud.map_err(|why| CredentialError(vec![FieldError::new("/credentials", why)]))?))
    }
}
