//! The adapter's entry in the registry of clouds.

use std::sync::Arc;

use marquee_clouds::{Adapter, Capabilities, Cloud, CloudError, CredentialError, layers::Policy, rest};
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

impl Adapter for HetznerConnector {
    const KIND: &'static str = CLOUD;
    const TITLE: &'static str = "Hetzner Cloud";
    const CAPABILITIES: &'static Capabilities = &CAPABILITIES;

    type Config = Config;

    fn credentials_schema() -> Value {
        credentials_schema()
    }

    fn settings_schema() -> Value {
        settings_schema()
    }

    fn open(&self, config: Config) -> Result<Arc<dyn Cloud>, CredentialError> {
        let cloud = Hetzner::new(config, self.http.clone(), self.policy.clone());
        Ok(Arc::new(cloud))
    }
}
