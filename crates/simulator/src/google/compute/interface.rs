//! Network interfaces of instances: the subnetwork they are in, and the addresses they have.

use serde_json::{Map, Value, json};

use super::{
    change,
    link::{Link, last, region_of},
};
use crate::{
    estate::Estate,
    google::{
        call::{Call, fingerprint},
        refusal::Refusal,
    },
};

/// The interfaces of a new instance, with addresses.
pub fn make(
    call: &Call<'_>,
    estate: &mut Estate,
    instance: &Link,
    wanted: &Map<String, Value>,
) -> Result<Vec<Value>, Refusal> {
    let asked = wanted.get("networkInterfaces").and_then(Value::as_array).filter(|all| !all.is_empty());
    let asked = asked.ok_or_else(|| Refusal::bad("At least one network interface is required."))?;
    let mut made = Vec::new();
    for (index, interface) in asked.iter().enumerate() {
        made.push(one(call, estate, instance, index, interface)?);
    }
    Ok(made)
}

fn one(
    call: &Call<'_>,
    estate: &mut Estate,
    instance: &Link,
    index: usize,
    asked: &Value,
) -> Result<Value, Refusal> {
    let field = format!("resource.networkInterfaces[{index}]");
    let (network, subnetwork) = subnetwork(call, estate, &field, asked, region_of(&instance.place))?;
    let found =
        estate.get(call.project(), "compute.subnetworks", &subnetwork.place, &subnetwork.name, call.now);
    let range = found.map(|found| found.body.get("ipCidrRange")).unwrap_or_default();
    let number = estate.next_number();
    let address = match asked["networkIP"].as_str() {
        Some(address) => address.to_owned(),
        None => host(range.as_str().unwrap_or("10.0.0.0/16"), number),
    };
    let mut own = json!({
        "kind": "compute#networkInterface",
        "name": format!("nic{index}"),
        "network": network.to_string(),
        "subnetwork": subnetwork.to_string(),
        "networkIP": address,
        "stackType": "IPV4_ONLY",
        "fingerprint": fingerprint(&["nic", &instance.path(), &index.to_string()]),
    });
    for name in ["aliasIpRanges", "nicType", "queueCount", "stackType"] {
        if !asked[name].is_null() {
            own[name] = asked[name].clone();
        }
    }
    if let Some(access) = asked["accessConfigs"].get(0) {
        own["accessConfigs"] = json!([external(call, estate, &field, access, instance, number)?]);
    }
    Ok(own)
}

/// The way out: a reserved address of the region, or one for as long as the instance runs.
fn external(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    asked: &Value,
    instance: &Link,
    number: u64,
) -> Result<Value, Refusal> {
    let address = match asked["natIP"].as_str().filter(|address| !address.is_empty()) {
        Some(wanted) => {
            let region = region_of(&instance.place);
            let mut all = estate.all(call.project(), "compute.addresses", Some(region), call.now);
            let found = all.find(|thing| thing.body.get("address") == wanted);
            let field = format!("{field}.accessConfigs[0].natIP");
            let found = found.ok_or_else(|| {
                Refusal::invalid(&field, wanted, "The specified external IP address was not found.")
            })?;
            if found.state(call.now) != "RESERVED" {
                let why = format!("Specified IP address is in-use and would result in a conflict: {wanted}.");
                return Err(Refusal::invalid(&field, wanted, &why));
            }
            wanted.to_owned()
        }
        None => public(call, &format!("{}{number}", instance.path())),
    };
    Ok(json!({
        "kind": "compute#accessConfig",
        "type": "ONE_TO_ONE_NAT",
        "name": asked["name"].as_str().unwrap_or("External NAT"),
        "natIP": address,
        "networkTier": asked["networkTier"].as_str().unwrap_or("PREMIUM"),
    }))
}

/// A public address of Google's, by what it is for.
pub fn public(call: &Call<'_>, purpose: &str) -> String {
    let bits = call.seed().number(&["address", purpose]).to_be_bytes();
    format!("34.{}.{}.{}", 64 + bits[0] % 96, bits[1], bits[2].max(1))
}

/// The network and subnetwork that an interface names, or that follow from one another.
fn subnetwork(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    asked: &Value,
    region: &str,
) -> Result<(Link, Link), Refusal> {
    if let Some(text) = asked["subnetwork"].as_str().filter(|text| !text.is_empty()) {
        let field = format!("{field}.subnetwork");
        let link = change::resolve(call, estate, &field, text, region, "subnetworks")?;
        if link.place != region {
            return Err(Refusal::invalid(&field, text, "Subnetwork must be in the region of the instance."));
        }
        let found = estate.get(call.project(), "compute.subnetworks", region, &link.name, call.now);
        let network = found.map(|found| found.body.get("network")).unwrap_or_default();
        let name = last(network.as_str().unwrap_or_default()).to_owned();
        return Ok((Link::new(call.project(), "global", "networks", &name), link));
    }
    let text = asked["network"].as_str().filter(|text| !text.is_empty()).unwrap_or("global/networks/default");
    let network = change::resolve(call, estate, &format!("{field}.network"), text, "global", "networks")?;
    let link = Value::String(network.to_string());
    let mut all = estate.all(call.project(), "compute.subnetworks", Some(region), call.now);
    let found = all.find(|subnetwork| subnetwork.body.get("network") == link);
    let found = found.ok_or_else(|| {
        let why = "Network interface must specify a subnet if the network resource is in custom subnet mode.";
        Refusal::invalid(field, text, why)
    })?;
    let subnetwork = Link::new(call.project(), region, "subnetworks", &found.id);
    Ok((network, subnetwork))
}

/// The `number`th host of a range; numbers beyond it begin again.
fn host(range: &str, number: u64) -> String {
    let (base, bits) = range.split_once('/').unwrap_or((range, "24"));
    let base: std::net::Ipv4Addr = base.parse().unwrap_or(std::net::Ipv4Addr::new(10, 0, 0, 0));
    let free = 32 - bits.parse::<u32>().unwrap_or(24).clamp(8, 29);
    // The first two and the last two of a range are Google's.
    let hosts = (1_u64 << free) - 4;
    let offset = u32::try_from(2 + number % hosts).unwrap_or(2);
    std::net::Ipv4Addr::from(u32::from(base).wrapping_add(offset)).to_string()
}

/// Marks the reserved addresses of an instance as used by it.
pub fn take(call: &Call<'_>, estate: &mut Estate, instance: &Link, body: &Map<String, Value>) {
    mark(call, estate, instance, body, "IN_USE");
}

/// Gives them back.
pub fn give_back(call: &Call<'_>, estate: &mut Estate, instance: &Link, body: &Map<String, Value>) {
    mark(call, estate, instance, body, "RESERVED");
}

fn mark(
    call: &Call<'_>,
    estate: &mut Estate,
    instance: &Link,
    body: &Map<String, Value>,
    state: &'static str,
) {
    let interfaces = body.get("networkInterfaces").and_then(Value::as_array).into_iter().flatten();
    for interface in interfaces {
        if let Some(address) = interface["accessConfigs"][0]["natIP"].as_str() {
            set_address(call, estate, address, instance, state);
        }
    }
}

/// Says that a reserved address is used by something (`IN_USE`), or by nothing any more (`RESERVED`).
pub fn set_address(call: &Call<'_>, estate: &mut Estate, address: &str, user: &Link, state: &'static str) {
    for thing in estate.all_mut(call.project(), "compute.addresses", call.now) {
        if thing.body.get("address") == address {
            thing.life.turn(call.now, state);
            thing.body.edit(|body| {
                if state == "IN_USE" {
                    body.insert("users".into(), json!([user.to_string()]));
                } else {
                    body.shift_remove("users");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stay_within_their_range() {
        assert_eq!(host("10.1.0.0/24", 0), "10.1.0.2");
        assert_eq!(host("10.1.0.0/24", 251), "10.1.0.253");
        assert_eq!(host("10.1.0.0/24", 252), "10.1.0.2");
    }
}
