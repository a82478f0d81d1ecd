//! What Hetzner has to offer: locations, types of servers and load balancers, and prices. Sizes and prices are the
//! catalog's.

use serde_json::{Value, json};

use super::{
    call::{Call, Outcome, singular},
    list,
    refusal::Refusal,
};
use crate::{
    estate::Estate,
    face::FaceName,
    plan::{Region, Size},
};

/// Hours of a month, as Hetzner caps its prices.
const MONTH_HOURS: f64 = 730.0;

/// A location as Hetzner publishes it.
#[derive(Debug)]
struct Place {
    name: &'static str,
    id: u64,
    city: &'static str,
    country: &'static str,
    latitude: f64,
    longitude: f64,
    zone: &'static str,
}

const fn place(
    name: &'static str,
    id: u64,
    city: &'static str,
    country: &'static str,
    (latitude, longitude): (f64, f64),
    zone: &'static str,
) -> Place {
    Place { name, id, city, country, latitude, longitude, zone }
}

static PLACES: &[Place] = &[
    place("fsn1", 1, "Falkenstein", "DE", (50.47612, 12.370_071), "eu-central"),
    place("nbg1", 2, "Nuremberg", "DE", (49.452_102, 11.076_665), "eu-central"),
    place("hel1", 3, "Helsinki", "FI", (60.169_855, 24.938_379), "eu-central"),
    place("ash", 4, "Ashburn, VA", "US", (39.045_821, -77.487_073), "us-east"),
    place("hil", 5, "Hillsboro, OR", "US", (45.54222, -122.951_924), "us-west"),
    place("sin", 6, "Singapore", "SG", (1.283_333, 103.833_333), "ap-southeast"),
];

/// Types of load balancers: name, what it takes (services, targets, connections, certificates).
static BALANCERS: &[(&str, [u64; 4])] =
    &[("lb11", [5, 25, 10_000, 10]), ("lb21", [15, 75, 20_000, 25]), ("lb31", [30, 150, 40_000, 50])];

/// The locations of a project.
fn regions<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Region> {
    call.account.regions.iter().filter(|region| region.enabled)
}

/// A location as it is shown.
pub fn location(call: &Call<'_>, name: &str) -> Value {
    let Some(place) = PLACES.iter().find(|place| place.name == name) else { return Value::Null };
    let description = call.account.region(name).map_or("", |region| &region.name);
    json!({ "id": place.id, "name": place.name, "description": description, "country": place.country,
        "city": place.city, "latitude": place.latitude, "longitude": place.longitude, "network_zone": place.zone })
}

/// The location that a request names, by name or id.
pub fn need_location(call: &Call<'_>, field: &str) -> Result<String, Refusal> {
    let wanted = call.id_or_name(field).ok_or_else(|| Refusal::invalid(field, "is required"))?;
    let found = PLACES.iter().find(|place| place.name == wanted || place.id.to_string() == wanted);
    let found = found.filter(|place| regions(call).any(|region| *region.id == *place.name));
    found.map(|place| place.name.to_owned()).ok_or_else(|| Refusal::invalid(field, "is no location"))
}

/// The network zone of a location.
pub fn zone_of(location: &str) -> &'static str {
    PLACES.iter().find(|place| place.name == location).map_or("", |place| place.zone)
}

/// The first location of the project in a network zone.
pub fn in_zone(call: &Call<'_>, zone: &str) -> Result<String, Refusal> {
    let found = regions(call).find(|region| zone_of(&region.id) == zone);
    found
        .map(|region| region.id.to_string())
        .ok_or_else(|| Refusal::invalid("network_zone", "is no network zone"))
}

fn sizes<'a>(call: &Call<'a>) -> impl Iterator<Item = (u64, &'a Size)> {
    (1..).zip(call.world.plan.sizes.iter().filter(|size| size.face == FaceName::Hetzner))
}

/// The server type that a request names, by name or id.
pub fn need_size<'a>(call: &Call<'a>, field: &str) -> Result<&'a Size, Refusal> {
    let wanted = call.id_or_name(field).ok_or_else(|| Refusal::invalid(field, "is required"))?;
    let found = sizes(call).find(|(id, size)| *size.name == *wanted || id.to_string() == wanted);
    found.map(|(_, size)| size).ok_or_else(|| Refusal::invalid(field, "is no server type"))
}

/// GB of the local disk: 20 a processor that is shared, 40 one that is the server's own.
pub fn disk_of(size: &Size) -> u64 {
    u64::from(size.vcpus) * if is_dedicated(size) { 40 } else { 20 }
}

fn is_dedicated(size: &Size) -> bool {
    size.family.starts_with("ccx")
}

/// Hetzner's word for an architecture.
pub fn architecture(size: &Size) -> &'static str {
    if &*size.architecture == "arm64" { "arm" } else { "x86" }
}

/// A server type as it is shown; null for one that there is none of.
pub fn server_type(call: &Call<'_>, name: &str) -> Value {
    let Some((id, size)) = sizes(call).find(|(_, size)| *size.name == *name) else { return Value::Null };
    let dedicated = is_dedicated(size);
    let locations = regions(call).map(|region| {
        json!({ "id": location(call, &region.id)["id"], "name": region.id, "deprecation": null,
            "available": call.effects.has_capacity(&region.id, &size.name), "recommended": false })
    });
    #[expect(clippy::cast_precision_loss, reason = "a machine's memory")]
    let memory = size.memory_mib as f64 / 1024.0;
    json!({ "id": id, "name": size.name, "description": size.name.to_uppercase(), "cores": size.vcpus,
        "memory": memory, "disk": disk_of(size), "architecture": architecture(size), "storage_type": "local",
        "cpu_type": if dedicated { "dedicated" } else { "shared" },
        "category": if dedicated { "General Purpose" } else { "Cost-Optimized" },
        "deprecated": false, "deprecation": null, "locations": locations.collect::<Vec<_>>(),
        "prices": prices(call, &format!("compute/{name}"), 20_000_000_000_000) })
}

/// The type of load balancer that a request names, by name or id.
pub fn need_balancer_type(call: &Call<'_>) -> Result<&'static str, Refusal> {
    let wanted = call.id_or_name("load_balancer_type").unwrap_or_default();
    let found = (1_u64..).zip(BALANCERS).find(|(id, (name, _))| *name == wanted || id.to_string() == wanted);
    found
        .map(|(_, (name, _))| *name)
        .ok_or_else(|| Refusal::invalid("load_balancer_type", "is no load balancer type"))
}

/// How many targets a type of load balancer takes.
pub fn most_targets(name: &str) -> u64 {
    BALANCERS.iter().find(|(known, _)| *known == name).map_or(0, |(_, [_, targets, ..])| *targets)
}

/// A type of load balancer as it is shown.
pub fn balancer_type(call: &Call<'_>, name: &str) -> Value {
    let Some((id, (_, [services, targets, connections, certificates]))) =
        (1_u64..).zip(BALANCERS).find(|(_, (known, _))| *known == name)
    else {
        return Value::Null;
    };
    json!({ "id": id, "name": name, "description": name.to_uppercase(), "max_services": services,
        "max_targets": targets, "max_connections": connections, "max_assigned_certificates": certificates,
        "deprecated": null, "prices": prices(call, &format!("balancer/{name}"), 20_000_000_000_000) })
}

/// What a unit of a sku costs, in US dollars as text; in the location with the factor, or in all alike.
fn price(call: &Call<'_>, sku: &str, units: f64, factor: f64) -> Value {
    let found = call.world.plan.price(FaceName::Hetzner, sku).map_or(0, |price| price.usd_micros);
    #[expect(clippy::cast_precision_loss, reason = "millionths of a price")]
    let text = format!("{:.10}", found as f64 / 1e6 * units * factor);
    json!({ "net": text, "gross": text })
}

fn prices(call: &Call<'_>, sku: &str, traffic: u64) -> Value {
    let of = |region: &Region| {
        json!({ "location": region.id, "price_hourly": price(call, sku, 1.0, region.price_factor),
            "price_monthly": price(call, sku, MONTH_HOURS, region.price_factor),
            "included_traffic": traffic, "price_per_tb_traffic": price(call, "traffic/tb", 1.0, 1.0) })
    };
    regions(call).map(of).collect()
}

/// All of one collection.
fn all(call: &Call<'_>) -> Vec<Value> {
    match call.noun() {
        "locations" => {
            let mut found: Vec<Value> = regions(call).map(|region| location(call, &region.id)).collect();
            found.sort_by_key(|one| one["id"].as_u64());
            if call.asked("sort").ends_with(":desc") {
                found.reverse();
            }
            found
        }
        "server_types" => sizes(call).map(|(_, size)| server_type(call, &size.name)).collect(),
        _ => BALANCERS.iter().map(|(name, _)| balancer_type(call, name)).collect(),
    }
}

/// `list` of locations and types.
pub fn list(call: &Call<'_>, _: &Estate) -> Outcome {
    let wanted =
        all(call).into_iter().filter(|one| call.allows("name", one["name"].as_str().unwrap_or_default()));
    list::sliced(call, wanted.collect(), call.noun(), |one| one)
}

/// `get` of a location or type.
pub fn get(call: &Call<'_>, _: &Estate) -> Outcome {
    let found =
        all(call).into_iter().find(|one| one["id"].as_u64().is_some_and(|id| id.to_string() == call.id));
    let found = found.ok_or_else(|| Refusal::not_found(&singular(call.noun()), &call.id))?;
    Ok(json!({ singular(call.noun()): found }).into())
}

/// `pricing.list`.
pub fn pricing(call: &Call<'_>, _: &Estate) -> Outcome {
    let without_traffic = |sku: &str| {
        let mut found = prices(call, sku, 0);
        for one in found.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            one.retain(|name, _| !name.contains("traffic"));
        }
        found
    };
    let monthly = |sku: &str| {
        let mut found = without_traffic(sku);
        for one in found.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            one.retain(|name, _| name != "price_hourly");
        }
        found
    };
    let named = |shown: Value| json!({ "id": shown["id"], "name": shown["name"], "prices": shown["prices"] });
    let both = |prices: &dyn Fn(&str) -> Value, what: &str| {
        ["ipv4", "ipv6"].map(|kind| json!({ "type": kind, "prices": prices(&format!("{what}/{kind}")) }))
    };
    let servers: Vec<Value> = sizes(call).map(|(_, size)| named(server_type(call, &size.name))).collect();
    let balancers: Vec<Value> = BALANCERS.iter().map(|(name, _)| named(balancer_type(call, name))).collect();
    Ok(json!({ "pricing": {
        "currency": "USD",
        "vat_rate": "0.00",
        "image": { "price_per_gb_month": price(call, "snapshot/standard", 1.0, 1.0) },
        "volume": { "price_per_gb_month": price(call, "volume/standard", 1.0, 1.0) },
        "server_backup": { "percentage": "20.00" },
        "floating_ip": { "price_monthly": price(call, "floating-ip/ipv4", MONTH_HOURS, 1.0) },
        "floating_ips": both(&monthly, "floating-ip"),
        "primary_ips": both(&without_traffic, "primary-ip"),
        "server_types": servers,
        "load_balancer_types": balancers,
    } })
    .into())
}
