//! The registry of clouds: the only place that names an adapter.

use std::{sync::Arc, time::Duration};

use marquee_cloud_aws::AwsConnector;
use marquee_clouds::{Cloud, CloudError, Connector};
use marquee_types::{Clock, ProviderId};
use moka::sync::Cache;
use serde_json::Value;

use crate::fault::Fault;

/// The adapters this server has, and the clouds it has open.
#[derive(Clone)]
pub struct Clouds {
    connectors: Arc<[Arc<dyn Connector>]>,
    open: Cache<(ProviderId, i64), Arc<dyn Cloud>>,
}

impl Clouds {
    /// All adapters. Fails if a client for HTTPS cannot be made on this machine.
    pub fn all(clock: &Clock) -> Result<Self, CloudError> {
        Ok(Self::of(vec![Arc::new(AwsConnector::new(clock.clone())?)]))
    }

    /// These adapters.
    pub fn of(connectors: Vec<Arc<dyn Connector>>) -> Self {
        // An open cloud remembers how fast it may be asked; one that is not used for a while is closed.
        let open = Cache::builder().max_capacity(1_000).time_to_idle(Duration::from_secs(1_800)).build();
        Self { connectors: connectors.into(), open }
    }

    /// The adapter of a kind.
    pub fn connector(&self, kind: &str) -> Option<Arc<dyn Connector>> {
        self.connectors.iter().find(|connector| connector.kind() == kind).cloned()
    }

    /// The kinds there are.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.connectors.iter().map(|connector| connector.kind())
    }

    /// The cloud of a provider at a version of its configuration, opened once.
    pub fn cached(
        &self,
        id: ProviderId,
        version: i64,
        open: impl FnOnce() -> Result<Arc<dyn Cloud>, Fault>,
    ) -> Result<Arc<dyn Cloud>, Fault> {
        if let Some(cloud) = self.open.get(&(id, version)) {
            return Ok(cloud);
        }
        let cloud = open()?;
        self.open.insert((id, version), Arc::clone(&cloud));
        Ok(cloud)
    }

    /// The shapes of credentials and settings of every kind, for the OpenAPI document.
    pub fn schemas(&self) -> Vec<(String, Value)> {
        let of = |connector: &Arc<dyn Connector>| {
            let kind = connector.kind();
            let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
            [
                (format!("{name}Credentials"), connector.credentials_schema()),
                (format!("{name}Settings"), connector.settings_schema()),
            ]
        };
        self.connectors.iter().flat_map(of).collect()
    }
}

impl std::fmt::Debug for Clouds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}
