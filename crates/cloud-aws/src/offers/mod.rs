//! What AWS would sell: instance types with their zones, classes of databases, the price list, and quotas with what is used of them.
//!
//! Types and zones come from EC2 itself, which tells what the region has. Classes of databases come from the price list, which has an
//! entry for each that can be had in a region, with its processors and memory: RDS itself lists every class once a version of the
//! engine and kind of storage, thousands of entries. So without the price list there are no offers of databases.

mod prices;
mod quotas;
mod sizes;

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use marquee_clouds::{
    CloudError, ErrorKind, Offers,
    offers::{Offer, Quota, SizeQuery},
};
use marquee_types::ResourceKind;

use crate::{
    cloud::Aws,
    error::CLOUD,
    transport::{endpoint_text, no_retries, sleep_impl, timeouts},
};

#[async_trait]
impl Offers for Aws {
    async fn sizes(&self, query: &SizeQuery) -> Result<Vec<Offer>, CloudError> {
        self.check_region(&query.region).await?;
        match query.kind {
            ResourceKind::ComputeInstance => {
                let types = self.instance_types(&query.region);
                let zones = self.zones_of_types(&query.region);
                let prices = async { Ok(self.instance_prices(&query.region).await) };
                let (types, mut zones, mut prices) = futures::try_join!(types, zones, prices)?;
                let offer = |mut offer: Offer| {
                    offer.zones = zones.remove(&offer.size).unwrap_or_default();
                    offer.price = prices.remove(&offer.size);
                    offer
                };
                Ok(types.into_iter().map(offer).collect())
            }
            ResourceKind::Database => {
                self.database_classes(&query.region, query.engine.as_deref().unwrap_or("postgres")).await
            }
            other => {
                let message = format!("AWS has no sizes of {other}");
                Err(CloudError::new(CLOUD, "offers", ErrorKind::Unsupported, message))
            }
        }
    }

    async fn quotas(&self, region: &str) -> Result<Vec<Quota>, CloudError> {
        self.check_region(region).await?;
        self.all_quotas(region).await
    }
}

impl Aws {
    /// A region that AWS does not have has no host to ask.
    async fn check_region(&self, region: &str) -> Result<(), CloudError> {
        if self.enabled_regions().await?.iter().any(|known| known == region) {
            return Ok(());
        }
        let message = format!("{region} is no region that this account may use");
        Err(CloudError::new(CLOUD, "ec2:DescribeRegions", ErrorKind::NotFound, message).in_region(region))
    }

    /// What the official crates' clients of a region are made of.
    fn sdk_config(&self, region: &str) -> SdkConfig {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(self.keys.clone()))
            .identity_cache(SharedIdentityCache::new(aws_sdk_pricing::config::IdentityCache::no_cache()))
            .http_client(self.transport.sdk_http.clone())
            .time_source(self.transport.time_source())
            .sleep_impl(sleep_impl())
            .timeout_config(timeouts())
            .retry_config(no_retries());
        match &self.config.settings.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint_text(endpoint)).build(),
            None => config.build(),
        }
    }
}

/// By size.
type BySize<T> = BTreeMap<String, T>;
