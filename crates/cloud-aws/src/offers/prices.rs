//! The price list: what instance types cost, and which classes of databases there are and what those cost. On demand: Linux on shared
//! machines, a database in one zone.

use aws_sdk_pricing::{
    Client,
    types::{Filter, FilterType},
};
use marquee_clouds::{
    CloudError, ErrorKind,
    offers::{Architecture, Counts, Offer, Price},
};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::Value;

use super::{BySize, quotas::DATABASES, sizes::generation};
use crate::{cloud::Aws, error::CLOUD};

const SOURCE: &str = "AWS Price List";

impl Aws {
    /// What instance types cost in a region; nothing where the price list cannot be read: it is a service of its own, in another
    /// region, and sizes can be chosen without it.
    pub(super) async fn instance_prices(&self, region: &str) -> BySize<Price> {
        let filters = [
            ("regionCode", region),
            ("operatingSystem", "Linux"),
            ("tenancy", "Shared"),
            ("preInstalledSw", "NA"),
            ("capacitystatus", "Used"),
        ];
        let products = match self.products("AmazonEC2", &filters).await {
            Ok(products) => products,
            Err(error) => {
                tracing::warn!(%error, "instance types are offered without prices");
                return BySize::new();
            }
        };
        let priced = |product: &Value| {
            let size = product.pointer("/product/attributes/instanceType")?.as_str()?;
            Some((size.to_owned(), hourly(product)?))
        };
        products.iter().filter_map(priced).collect()
    }

    /// The classes of databases of an engine in a region, with what they cost.
    pub(super) async fn database_classes(
        &self,
        region: &str,
        engine: &str,
    ) -> Result<Vec<Offer>, CloudError> {
        let engine = match engine {
            "postgres" => "PostgreSQL",
            "mysql" => "MySQL",
            other => {
                let message = format!("{other} is no engine that is offered");
                return Err(CloudError::new(CLOUD, "offers", ErrorKind::Unsupported, message));
            }
        };
        let filters = [
            ("regionCode", region),
            ("databaseEngine", engine),
            ("deploymentOption", "Single-AZ"),
            ("productFamily", "Database Instance"),
        ];
        let products = self.products("AmazonRDS", &filters).await?;
        let classes: BySize<Offer> =
            products.iter().filter_map(class).map(|offer| (offer.size.clone(), offer)).collect();
        Ok(classes.into_values().collect())
    }

    /// All products of a service that the filters leave.
    async fn products(&self, service: &str, filters: &[(&str, &str)]) -> Result<Vec<Value>, CloudError> {
        // The price list of all regions is asked for in a few: this is the first of each partition's.
        let home = if self.config.home_region().starts_with("cn-") { "cn-northwest-1" } else { "us-east-1" };
        let client = Client::new(&self.sdk_config(home));
        let caller = self.sdk_caller();
        let filters: Vec<Filter> = filters.iter().filter_map(|(field, value)| filter(field, value)).collect();
        let (mut products, mut token) = (Vec::new(), None);
        loop {
            let answer = caller
                .call("pricing", "GetProducts", Some(home), || {
                    let call = client.get_products().service_code(service).set_filters(Some(filters.clone()));
                    call.format_version("aws_v1").max_results(100).set_next_token(token.clone()).send()
                })
                .await?;
            for text in answer.price_list() {
                products.push(serde_json::from_str(text).map_err(|error| {
                    let message = "a product of the price list is no JSON";
                    CloudError::new(CLOUD, "pricing:GetProducts", ErrorKind::Protocol, message)
                        .with_source(error)
                })?);
            }
            token = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(products);
            }
        }
    }
}

fn filter(field: &str, value: &str) -> Option<Filter> {
    Filter::builder().r#type(FilterType::TermMatch).field(field).value(value).build().ok()
}

/// What a product costs by the hour, on demand.
fn hourly(product: &Value) -> Option<Price> {
    let terms = product.pointer("/terms/OnDemand")?.as_object()?;
    let mut rates =
        terms.values().filter_map(|term| term["priceDimensions"].as_object()).flat_map(|all| all.values());
    let rate = rates.find(|rate| rate["unit"] == "Hrs")?;
    let (currency, amount) = rate["pricePerUnit"].as_object()?.iter().next()?;
    // A product at nothing is a reservation's or a license's.
    Price::hourly(amount.as_str()?, currency.as_str(), SOURCE).filter(|price| price.hourly_micros > 0)
}

/// A class of databases as the price list has it.
fn class(product: &Value) -> Option<Offer> {
    let attributes = &product["product"]["attributes"];
    let size = attributes["instanceType"].as_str()?;
    let family = size.strip_prefix("db.")?.split('.').next()?;
    let vcpus = attributes["vcpu"].as_str()?.parse().ok()?;
    let is_arm = family.trim_start_matches(|c: char| c.is_ascii_lowercase()).contains('g');
    Some(Offer {
        size: size.to_owned(),
        family: format!("db.{family}"),
        generation: generation(family),
        current: attributes["currentGeneration"] != "No",
        vcpus,
        memory_mib: mib(attributes["memory"].as_str()?)?,
        architecture: Some(if is_arm { Architecture::Arm64 } else { Architecture::X86_64 }),
        burstable: family.starts_with('t'),
        accelerators: 0,
        zones: Vec::new(),
        price: hourly(product),
        counts: Some(Counts { quota: DATABASES.to_owned(), units: 1 }),
    })
}

/// `16 GiB` in MiB.
fn mib(text: &str) -> Option<u64> {
    let gib = Decimal::from_str_exact(text.strip_suffix("GiB")?.trim().replace(',', "").as_str()).ok()?;
    gib.checked_mul(Decimal::from(1024))?.to_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn product(unit: &str, usd: &str) -> Value {
        json!({
            "product": { "attributes": { "instanceType": "db.r7g.2xlarge", "vcpu": "8", "memory": "64 GiB",
                "currentGeneration": "Yes" } },
            "terms": { "OnDemand": { "A.B": { "priceDimensions": { "A.B.C": { "unit": unit, "pricePerUnit": { "USD": usd } } } } },
                "Reserved": { "A.D": { "priceDimensions": { "A.D.E": { "unit": "Hrs", "pricePerUnit": { "USD": "0.1" } } } } } },
        })
    }

    #[test]
    fn the_price_on_demand_is_read_and_no_other() {
        let price = hourly(&product("Hrs", "0.9560000000")).unwrap();
        assert_eq!((price.hourly_micros, price.currency.as_str()), (956_000, "USD"));
        assert_eq!(hourly(&product("Quantity", "100")), None);
        assert_eq!(hourly(&product("Hrs", "0.0000000000")), None);
        assert_eq!(hourly(&json!({})), None);
    }

    #[test]
    fn a_class_is_read() {
        let class = class(&product("Hrs", "0.956")).unwrap();
        assert_eq!(
            (class.family.as_str(), class.generation, class.vcpus, class.memory_mib),
            ("db.r7g", Some(7), 8, 65_536)
        );
        assert_eq!(class.architecture, Some(Architecture::Arm64));
        assert_eq!((mib("0.5 GiB"), mib("1,952 GiB"), mib("NA")), (Some(512), Some(1_998_848), None));
    }
}
