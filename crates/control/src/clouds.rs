//! The registry of clouds: the only place that names an adapter.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use marquee_cloud_aws::AwsConnector;
use marquee_cloud_azure::AzureConnector;
use marquee_cloud_gcp::GoogleConnector;
use marquee_cloud_hetzner::HetznerConnector;
use marquee_clouds::{
    Cloud, CloudError, Connector, ErrorKind, Offers,
    offers::{Offer, Quota, SizeQuery},
};
use marquee_types::{Clock, ProviderId};
use moka::sync::Cache;
use serde_json::{Value, json};

use crate::fault::Fault;

/// The adapters this server has, and the clouds it has open.
#[derive(Clone)]
pub struct Clouds {
    connectors: Arc<[Arc<dyn Connector>]>,
    open: Cache<Version, Arc<dyn Cloud>>,
    stocks: Cache<(Version, SizeQuery), Arc<Stock>>,
    quotas: Cache<(Version, String), Arc<Vec<Quota>>>,
}

/// A provider at a version of its configuration.
pub type Version = (ProviderId, i64);

/// What a cloud offers in a region, and when it said so.
#[derive(Debug)]
pub struct Stock {
    /// Every size that can be ordered.
    pub offers: Vec<Offer>,
    /// When the vendor was asked.
    pub as_of: DateTime<Utc>,
}

/// How long offers and prices are taken for true: vendors change them by the month.
const STOCK_AGE: Duration = Duration::from_hours(1);
/// How long quotas and what is used of them are.
const QUOTA_AGE: Duration = Duration::from_secs(30);

impl Clouds {
    /// All adapters. Fails if a client for HTTPS cannot be made on this machine.
    pub fn all(clock: &Clock) -> Result<Self, CloudError> {
        Ok(Self::of(vec![
            Arc::new(AwsConnector::new(clock.clone())?),
            Arc::new(AzureConnector::new(clock.clone())?),
            Arc::new(GoogleConnector::new()?),
            Arc::new(HetznerConnector::new()?),
        ]))
    }

    /// These adapters.
    pub fn of(connectors: Vec<Arc<dyn Connector>>) -> Self {
        // An open cloud remembers how fast it may be asked; one that is not used for a while is closed.
        let open = Cache::builder().max_capacity(1_000).time_to_idle(Duration::from_mins(30)).build();
        // An entry is a few hundred offers.
        let stocks = Cache::builder().max_capacity(500).time_to_live(STOCK_AGE).build();
        let quotas = Cache::builder().max_capacity(1_000).time_to_live(QUOTA_AGE).build();
        Self { connectors: connectors.into(), open, stocks, quotas }
    }

    /// The adapter of a kind.
    pub fn connector(&self, kind: &str) -> Option<Arc<dyn Connector>> {
        self.connectors.iter().find(|connector| connector.kind() == kind).cloned()
    }

    /// The adapters there are.
    pub fn connectors(&self) -> impl Iterator<Item = &Arc<dyn Connector>> {
        self.connectors.iter()
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

    /// What a cloud offers, as it said within the last hour.
    pub async fn sizes(
        &self,
        version: Version,
        cloud: &dyn Cloud,
        query: &SizeQuery,
        now: DateTime<Utc>,
    ) -> Result<Arc<Stock>, CloudError> {
        if let Some(stock) = self.known_sizes(version, query) {
            return Ok(stock);
        }
        let stock = Arc::new(Stock { offers: offers_of(cloud)?.sizes(query).await?, as_of: now });
        // One without any price is asked for again: the price list may only have been away.
        if stock.offers.iter().any(|offer| offer.price.is_some()) {
            self.stocks.insert((version, query.clone()), Arc::clone(&stock));
        }
        Ok(stock)
    }

    /// The same if it is known without asking.
    pub fn known_sizes(&self, version: Version, query: &SizeQuery) -> Option<Arc<Stock>> {
        self.stocks.get(&(version, query.clone()))
    }

    /// The quotas of a region, as they were within the last half minute.
    pub async fn quotas(
        &self,
        version: Version,
        cloud: &dyn Cloud,
        region: &str,
    ) -> Result<Arc<Vec<Quota>>, CloudError> {
        let key = (version, region.to_owned());
        if let Some(quotas) = self.quotas.get(&key) {
            return Ok(quotas);
        }
        let quotas = Arc::new(offers_of(cloud)?.quotas(region).await?);
        self.quotas.insert(key, Arc::clone(&quotas));
        Ok(quotas)
    }

    /// Writes into the OpenAPI document what each kind takes: `AwsCredentials`, `AwsSettings` …, in the bodies that
    /// connect a provider the choice between them, with the form that each kind usually takes (the first of its schema), and
    /// which words a kind may be.
    pub fn describe(&self, document: &mut Value) {
        self.describe_paths(document);
        let schemas = &mut document["components"]["schemas"];
        let (mut credentials, mut settings, mut usual) = (Vec::new(), Vec::new(), serde_json::Map::new());
        for connector in self.connectors.iter() {
            let kind = connector.kind();
            let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
            for (suffix, schema, choices) in [
                ("Credentials", connector.credentials_schema(), &mut credentials),
                ("Settings", connector.settings_schema(), &mut settings),
            ] {
                choices.push(json!({ "$ref": format!("#/components/schemas/{name}{suffix}") }));
                if let Some(form) = schema.pointer("/oneOf/0/properties/type/const") {
                    usual.insert(kind.to_owned(), form.clone());
                }
                schemas[format!("{name}{suffix}")] = schema;
            }
        }
        let kinds: Vec<_> = self.kinds().collect();
        for body in ["CreateProvider", "ReplaceProvider"] {
            let fields = &mut schemas[body]["properties"];
            fields["kind"]["enum"] = json!(kinds);
            for (field, choices) in [("credentials", &credentials), ("settings", &settings)] {
                let description = fields[field]["description"].take();
                fields[field] = match choices.as_slice() {
                    [only] => only.clone(),
                    several => json!({ "anyOf": several }),
                };
                fields[field]["description"] = description;
            }
            fields["credentials"]["x-usual-forms"] = json!({ "field": "kind", "forms": usual });
        }
    }

    /// Which words a path's `{kind}` may be.
    fn describe_paths(&self, document: &mut Value) {
        let kinds: Vec<_> = self.kinds().collect();
        for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
            let parameters = item.pointer_mut("/get/parameters").and_then(Value::as_array_mut);
            for kind in
                parameters.into_iter().flatten().filter(|one| one["in"] == "path" && one["name"] == "kind")
            {
                kind["description"] = json!("Which cloud.");
                kind["schema"]["enum"] = json!(kinds);
            }
        }
    }
}

fn offers_of(cloud: &dyn Cloud) -> Result<&dyn Offers, CloudError> {
    cloud.offers().ok_or_else(|| {
        let name = cloud.capabilities().cloud;
        CloudError::new(
            name,
            "offers",
            ErrorKind::Unsupported,
            "Marquee cannot ask this cloud what it offers",
        )
    })
}

impl std::fmt::Debug for Clouds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}
