//! Cloud Billing: the price list, and which account pays for a project. What things cost in the end Google tells by an
//! export to `BigQuery` only.

use serde_json::{Value, json};

use super::{
    call::{
        Answer, Call,
        Handler::{self, Read},
        Outcome, zulu,
    },
    list,
    refusal::Refusal,
};
use crate::{
    estate::Estate,
    face::FaceName,
    plan::{Price, Region, Unit},
};

/// Who answers an operation of Cloud Billing.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("services", "list") => Read(services),
        ("skus", "list") => Read(skus),
        ("projects", "getBillingInfo") => Read(info),
        _ => return None,
    })
}

/// Groups of four hexadecimal digits, as ids of Billing are.
fn digits(call: &Call<'_>, parts: &[&str], count: usize, length: usize) -> String {
    let hex = call.seed().hex(&[&["billing"], parts].concat(), count * length).to_uppercase();
    let groups: Vec<&str> = (0..count).map(|at| &hex[at * length..(at + 1) * length]).collect();
    groups.join("-")
}

fn service_id(call: &Call<'_>, name: &str) -> String {
    digits(call, &["service", name], 3, 4)
}

fn prices<'w>(call: &Call<'w>) -> impl Iterator<Item = &'w Price> {
    call.world.plan.prices.iter().filter(|price| price.face == FaceName::Google)
}

/// `services.list`.
fn services(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let mut names: Vec<&str> = prices(call).map(|price| &*price.service).collect();
    names.sort_unstable();
    names.dedup();
    let services = names.into_iter().map(|name| {
        let id = service_id(call, name);
        json!({ "name": format!("services/{id}"), "serviceId": id, "displayName": name, "businessEntityName": "businessEntities/GCP" })
    });
    page(call, "services", services.collect())
}

/// `services.skus.list`: each price in each region. Google prices processors and memory; here a machine type is one SKU.
fn skus(call: &Call<'_>, _estate: &Estate) -> Outcome {
    if !matches!(call.asked("currencyCode"), "" | "USD") {
        return Err(Refusal::unimplemented("currencies other than USD"));
    }
    let id = call.part("servicesId");
    let own: Vec<&Price> = prices(call).filter(|price| service_id(call, &price.service) == id).collect();
    if own.is_empty() {
        return Err(Refusal::new(404, "notFound", format!("Service services/{id} not found.")));
    }
    let regions: Vec<&Region> = call.account.regions.iter().filter(|region| region.enabled).collect();
    let all = own.iter().flat_map(|price| regions.iter().map(|region| sku(call, id, price, region)));
    page(call, "skus", all.collect())
}

fn sku(call: &Call<'_>, service: &str, price: &Price, region: &Region) -> Value {
    let id = digits(call, &["sku", &price.sku, &region.id], 3, 4);
    let (what, size) = price.sku.split_once('/').unwrap_or((&price.sku, ""));
    let (family, group, text) = match what {
        "compute" => ("Compute", "VM", format!("{size} Instance running in {}", region.name)),
        "database" => (
            "ApplicationServices",
            "SQLGen2Instances",
            format!("Cloud SQL {size} running in {}", region.name),
        ),
        "disk" => ("Storage", "PersistentDisk", format!("{size} capacity in {}", region.name)),
        "address" => ("Network", "IpAddress", format!("Static Ip Charge in {}", region.name)),
        "balancer" => (
            "Network",
            "LoadBalancing",
            format!("Network Load Balancing: Forwarding Rule in {}", region.name),
        ),
        _ => ("Storage", "Storage", format!("{what} {size} in {}", region.name)),
    };
    let (unit, description) = match price.unit {
        Unit::Hour => ("h", "hour"),
        Unit::GibMonth => ("GiBy.mo", "gibibyte month"),
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "prices are below thousands of dollars"
    )]
    let nanos = (price.usd_micros as f64 * 1_000.0 * region.price_factor).round() as i64;
    let rate = json!({ "currencyCode": "USD", "units": (nanos / 1_000_000_000).to_string(), "nanos": nanos % 1_000_000_000 });
    json!({
        "name": format!("services/{service}/skus/{id}"), "skuId": id, "description": text,
        "category": { "serviceDisplayName": &*price.service, "resourceFamily": family, "resourceGroup": group, "usageType": "OnDemand" },
        "serviceRegions": [&*region.id], "serviceProviderName": "Google",
        "geoTaxonomy": { "type": "REGIONAL", "regions": [&*region.id] },
        "pricingInfo": [{
            "effectiveTime": zulu(call.world.entered()), "summary": "", "currencyConversionRate": 1.0,
            "pricingExpression": {
                "usageUnit": unit, "usageUnitDescription": description, "displayQuantity": 1.0,
                "tieredRates": [{ "startUsageAmount": 0.0, "unitPrice": rate }],
            },
        }],
    })
}

/// A page of a list that is computed: the token says how many came before.
fn page(call: &Call<'_>, name: &str, all: Vec<Value>) -> Outcome {
    let check =
        |from: usize| call.seed().number(&[call.operation, call.part("servicesId"), &from.to_string()]);
    let token = call.asked("pageToken");
    let from = if token.is_empty() {
        0
    } else {
        let read = token.split_once('-').and_then(|(from, sum)| Some((from.parse().ok()?, sum)));
        let fits = read.filter(|(from, sum)| format!("{:x}", check(*from)) == *sum && *from < all.len());
        fits.ok_or_else(list::bad_token)?.0
    };
    let limit = usize::try_from(call.asked_number("pageSize").unwrap_or(5_000).min(5_000)).unwrap_or(5_000);
    let count = all.len();
    let items: Vec<Value> = all.into_iter().skip(from).take(limit).collect();
    let end = from + items.len();
    let mut answer = json!({ name: items });
    if end < count {
        answer["nextPageToken"] = format!("{end}-{:x}", check(end)).into();
    }
    Ok(Answer::Json(answer))
}

/// `projects.getBillingInfo`.
#[expect(clippy::unnecessary_wraps, reason = "a handler as all are")]
fn info(call: &Call<'_>, _estate: &Estate) -> Outcome {
    Ok(Answer::Json(json!({
        "name": format!("projects/{}/billingInfo", call.project()),
        "projectId": call.project(),
        "billingAccountName": format!("billingAccounts/{}", digits(call, &["account"], 3, 6)),
        "billingEnabled": true,
    })))
}
