//! The price list.

use serde_json::{Value, json};

use super::filter::usage_type;
use crate::{
    aws::{ask::Ask, filters::like, protocol::Refusal, service::Answered},
    estate::Estate,
    face::FaceName,
    plan::{Price, Region, Size, Unit},
};

/// Services as the price list calls them, and as the bill does.
const SERVICES: &[(&str, &[&str])] = &[
    ("AWSELB", &["Amazon Elastic Load Balancing"]),
    ("AmazonEC2", &["Amazon Elastic Compute Cloud - Compute", "EC2 - Other"]),
    ("AmazonRDS", &["Amazon Relational Database Service"]),
    ("AmazonRoute53", &["Amazon Route 53"]),
    ("AmazonS3", &["Amazon Simple Storage Service"]),
    ("AmazonVPC", &["Amazon Virtual Private Cloud"]),
];

const ATTRIBUTES: &[&str] = &[
    "currentGeneration",
    "databaseEngine",
    "deploymentOption",
    "instanceType",
    "location",
    "memory",
    "operatingSystem",
    "regionCode",
    "servicecode",
    "usagetype",
    "vcpu",
];

fn known(ask: &Ask<'_>) -> Result<Option<&'static str>, Refusal> {
    let Some(wanted) = ask.text("ServiceCode") else { return Ok(None) };
    let found = SERVICES.iter().find(|(code, _)| *code == wanted);
    found.map(|(code, _)| Some(*code)).ok_or_else(|| {
        Refusal::new("NotFoundException", format!("Invalid Service Code: {wanted}")).status(400)
    })
}

/// A page of a list that is always the same: the items and the token of the next.
fn page<T: Clone>(ask: &Ask<'_>, all: &[T]) -> Result<(Vec<T>, Option<String>), Refusal> {
    let first = match ask.text("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("n-")
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|first| *first < all.len())
            .ok_or_else(|| Refusal::new("InvalidNextTokenException", "The token is not valid").status(400))?,
    };
    let until = all.len().min(first + ask.limit("MaxResults", 100));
    Ok((all[first..until].to_vec(), (until < all.len()).then(|| format!("n-{until}"))))
}

fn paged(list: &str, items: &[Value], next: Option<String>) -> Value {
    let mut output = json!({ list: items, "FormatVersion": "aws_v1" });
    if let Some(next) = next {
        output["NextToken"] = next.into();
    }
    output
}

pub(super) fn services(ask: &Ask<'_>, _: &Estate) -> Answered {
    let wanted = known(ask)?;
    let all: Vec<Value> = SERVICES
        .iter()
        .filter(|(code, _)| wanted.is_none_or(|wanted| wanted == *code))
        .map(|(code, _)| json!({ "ServiceCode": code, "AttributeNames": ATTRIBUTES }))
        .collect();
    let (items, next) = page(ask, &all)?;
    Ok(paged("Services", &items, next).into())
}

pub(super) fn products(ask: &Ask<'_>, _: &Estate) -> Answered {
    let code = known(ask)?.unwrap_or_default();
    let names = SERVICES.iter().find(|(known, _)| *known == code).map_or(&[][..], |(_, names)| names);
    let mut all = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for price in ask.world.plan.prices.iter().filter(|price| price.face == FaceName::Aws) {
        if !names.contains(&&*price.service) || seen.contains(&&*price.sku) {
            continue;
        }
        seen.push(&price.sku);
        for region in &ask.account.regions {
            for engine in engines(ask, price) {
                let product = product(ask, code, price, region, *engine);
                if fits(ask, &product)? {
                    all.push(Value::String(product.to_string()));
                }
            }
        }
    }
    let (items, next) = page(ask, &all)?;
    Ok(paged("PriceList", &items, next).into())
}

/// The engines that a class of databases has a product for each of; what is none has one product.
fn engines(ask: &Ask<'_>, price: &Price) -> &'static [Option<&'static str>] {
    if size_of(ask, price).is_some_and(|size| size.database) {
        &[Some("PostgreSQL"), Some("MySQL")]
    } else {
        &[None]
    }
}

fn size_of<'a>(ask: &Ask<'a>, price: &Price) -> Option<&'a Size> {
    price.sku.split_once('/').and_then(|(_, name)| ask.world.plan.size(FaceName::Aws, name))
}

fn fits(ask: &Ask<'_>, product: &Value) -> Result<bool, Refusal> {
    for filter in ask.list("Filters") {
        let (field, wanted) =
            (filter["Field"].as_str().unwrap_or_default(), filter["Value"].as_str().unwrap_or_default());
        let value = match field {
            "productFamily" => &product["product"]["productFamily"],
            "sku" => &product["product"]["sku"],
            other => &product["product"]["attributes"][other],
        };
        let value = value.as_str().unwrap_or_default();
        let several = || wanted.split(',').any(|one| one.trim() == value);
        let fits = match filter["Type"].as_str().unwrap_or_default() {
            "TERM_MATCH" | "EQUALS" => wanted.eq_ignore_ascii_case(value),
            "CONTAINS" => like(&format!("*{wanted}*"), value),
            "ANY_OF" => several(),
            "NONE_OF" => !several(),
            other => {
                return Err(Refusal::new(
                    "InvalidParameterException",
                    format!("Unknown filter type {other}"),
                )
                .status(400));
            }
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn product(ask: &Ask<'_>, code: &str, price: &Price, region: &Region, engine: Option<&str>) -> Value {
    let sku = ask.world.seed().hex(&["price-sku", &price.sku, &region.id, engine.unwrap_or_default()], 16);
    let sku = sku.to_uppercase();
    let mut attributes = json!({
        "servicecode": code, "servicename": price.service, "location": region.name, "locationType": "AWS Region",
        "regionCode": region.id, "usagetype": usage_type(&price.sku),
    });
    let size = size_of(ask, price);
    if let Some(size) = size {
        attributes["instanceType"] = (*size.name).into();
        attributes["vcpu"] = size.vcpus.to_string().into();
        attributes["memory"] = format!("{} GiB", size.memory_mib / 1024).into();
        attributes["currentGeneration"] = "Yes".into();
        if let Some(engine) = engine {
            attributes["databaseEngine"] = engine.into();
            attributes["deploymentOption"] = "Single-AZ".into();
        } else {
            attributes["operatingSystem"] = "Linux".into();
            attributes["tenancy"] = "Shared".into();
            attributes["preInstalledSw"] = "NA".into();
            attributes["capacitystatus"] = "Used".into();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "millionths of a price")]
    let usd = price.usd_micros as f64 / 1e6 * region.price_factor;
    let (unit, family) = match (price.unit, size.is_some()) {
        (Unit::Hour, true) if engine.is_some() => ("Hrs", "Database Instance"),
        (Unit::Hour, true) => ("Hrs", "Compute Instance"),
        (Unit::Hour, false) => ("Hrs", "Fee"),
        (Unit::GibMonth, _) => ("GB-Mo", "Storage"),
    };
    let (term, rate) = (format!("{sku}.JRTCKXETXF"), format!("{sku}.JRTCKXETXF.6YS6EN2CT7"));
    let effective = ask.world.began().format("%Y-%m-%dT00:00:00Z").to_string();
    json!({
        "product": { "productFamily": family, "attributes": attributes, "sku": sku },
        "serviceCode": code,
        "terms": { "OnDemand": { term: {
            "priceDimensions": { &rate: {
                "unit": unit, "endRange": "Inf", "beginRange": "0", "rateCode": rate, "appliesTo": [],
                "description": format!("${usd:.6} per {unit} {}", usage_type(&price.sku)),
                "pricePerUnit": { "USD": format!("{usd:.10}") },
            } },
            "sku": sku, "effectiveDate": effective, "offerTermCode": "JRTCKXETXF", "termAttributes": {},
        } } },
        "version": "simulated", "publicationDate": effective,
    })
}
