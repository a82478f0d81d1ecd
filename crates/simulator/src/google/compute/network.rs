//! Networks, subnetworks, firewalls and addresses.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{change, collection::Collection, interface, link::Link, operation, read};
use crate::{
    estate::{Estate, Meter},
    google::{
        call::{Answer, Call, Outcome, fingerprint},
        refusal::Refusal,
    },
};

const SOON: TimeDelta = TimeDelta::seconds(4);

/// `networks.insert`; an automatic one gets a subnetwork in each region.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    if !call.said("IPv4Range").is_empty() {
        return Err(Refusal::invalid(
            "resource.IPv4Range",
            call.said("IPv4Range"),
            "Legacy networks cannot be created any more.",
        ));
    }
    let (thing, mut body) = change::new_thing(call, estate, collection, &link, "READY")?;
    let automatic = call.body.get("autoCreateSubnetworks").and_then(Value::as_bool).unwrap_or(true);
    body.insert("autoCreateSubnetworks".into(), automatic.into());
    body.insert("selfLinkWithId".into(), link.to_string().into());
    body.insert("mtu".into(), call.body.get("mtu").cloned().unwrap_or(json!(1460)));
    let mode = call
        .body
        .get("routingConfig")
        .and_then(|config| config["routingMode"].as_str())
        .unwrap_or("REGIONAL");
    body.insert("routingConfig".into(), json!({ "routingMode": mode }));
    body.insert("networkFirewallPolicyEnforcementOrder".into(), "AFTER_CLASSIC_FIREWALL".into());
    if automatic {
        automatic_subnetworks(call, estate, &link, &mut body)?;
    }
    change::add(call, estate, collection, thing, &body, TimeDelta::seconds(8))
}

/// A /20 of 10.128.0.0/9 in each region.
fn automatic_subnetworks(
    call: &Call<'_>,
    estate: &mut Estate,
    network: &Link,
    body: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let collection = Collection::named("subnetworks").ok_or_else(|| Refusal::unimplemented("subnetworks"))?;
    let mut links = Vec::new();
    for (index, region) in call.account.regions.iter().filter(|region| region.enabled).enumerate() {
        let link = Link::new(call.project(), &region.id, "subnetworks", &network.name);
        if estate.get(call.project(), "compute.subnetworks", &region.id, &network.name, call.now).is_some() {
            return Err(Refusal::exists(&link.path()));
        }
        let range = format!("10.{}.{}.0/20", 128 + index / 16, index % 16 * 16);
        let (mut thing, mut own) = change::new_thing(call, estate, collection, &link, "READY")?;
        say_subnetwork(call, &mut own, network, &range);
        thing.body = (&own).into();
        estate.add(call.cause(), "compute.subnetworks", thing);
        links.push(link.to_string());
    }
    body.insert("subnetworks".into(), links.into());
    Ok(())
}

/// `networks.delete`: the subnetworks of an automatic one end with it, if nothing is in them.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (collection, thing) = read::named(call, estate)?;
    let link = Value::String(collection.link(call, thing).to_string());
    if thing.body.get("autoCreateSubnetworks") == true
        && let Some(subnetworks) = Collection::named("subnetworks")
    {
        let all = estate.all(call.project(), "compute.subnetworks", None, call.now);
        let own = all.filter(|subnetwork| subnetwork.body.get("network") == link);
        let own: Vec<Link> = own.map(|subnetwork| subnetworks.link(call, subnetwork)).collect();
        for link in &own {
            if let Some(user) = change::user(call, estate, subnetworks, link) {
                return Err(Refusal::in_use(&link.path(), &user));
            }
        }
        for link in own {
            estate.end(call.cause(), "compute.subnetworks", &link.place, &link.name, call.now);
        }
    }
    change::delete(call, estate)
}

fn say_subnetwork(call: &Call<'_>, body: &mut Map<String, Value>, network: &Link, range: &str) {
    body.insert("network".into(), network.to_string().into());
    body.insert("ipCidrRange".into(), range.into());
    if let Some((base, _)) = range.rsplit_once('.') {
        body.insert("gatewayAddress".into(), format!("{base}.1").into());
    }
    let private = call.body.get("privateIpGoogleAccess").and_then(Value::as_bool).unwrap_or(false);
    body.insert("privateIpGoogleAccess".into(), private.into());
    body.insert("purpose".into(), "PRIVATE".into());
    body.insert("stackType".into(), "IPV4_ONLY".into());
    body.insert("fingerprint".into(), fingerprint(&["subnetwork", range]).into());
}

/// `subnetworks.insert`: its range may overlap no other of its network.
pub fn insert_subnetwork(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    let network =
        change::resolve(call, estate, "resource.network", call.must_say("network")?, "global", "networks")?;
    let range = call.must_say("ipCidrRange")?;
    let wanted = cidr(range)
        .ok_or_else(|| Refusal::invalid("resource.ipCidrRange", range, "Must be a CIDR address range."))?;
    let name = Value::String(network.to_string());
    let overlapping = estate.all(call.project(), "compute.subnetworks", None, call.now).find(|other| {
        other.body.get("network") == name
            && other
                .body
                .get("ipCidrRange")
                .as_str()
                .and_then(cidr)
                .is_some_and(|(from, to)| wanted.0 <= to && from <= wanted.1)
    });
    if let Some(other) = overlapping {
        let why = format!(
            "Invalid IPCidrRange: {range} conflicts with existing subnetwork '{}' in region '{}'.",
            other.id, other.place
        );
        return Err(Refusal::invalid("resource.ipCidrRange", range, &why));
    }
    let (thing, mut body) = change::new_thing(call, estate, collection, &link, "READY")?;
    say_subnetwork(call, &mut body, &network, range);
    change::copy(call, &mut body, &["secondaryIpRanges", "logConfig"]);
    if let Some(found) = estate.get_mut(call.project(), "compute.networks", "global", &network.name, call.now)
    {
        set_member(&mut found.body, "subnetworks", &link, true);
    }
    change::add(call, estate, collection, thing, &body, TimeDelta::seconds(10))
}

/// `subnetworks.delete`: its network lists it no more.
pub fn delete_subnetwork(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let known = change::known(call, estate)?;
    let answer = change::delete(call, estate)?;
    for network in estate.all_mut(call.project(), "compute.networks", call.now) {
        set_member(&mut network.body, "subnetworks", &known.link, false);
    }
    Ok(answer)
}

fn set_member(body: &mut crate::estate::Body, list: &str, link: &Link, is: bool) {
    let link = Value::String(link.to_string());
    body.edit(|body| {
        let mut links = body.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        links.retain(|other| *other != link);
        if is {
            links.push(link);
        }
        body.insert(list.to_owned(), links.into());
    });
}

/// The first and last address of a range.
fn cidr(text: &str) -> Option<(u32, u32)> {
    let (base, bits) = text.split_once('/')?;
    let base: std::net::Ipv4Addr = base.parse().ok()?;
    let free = 32_u32.checked_sub(bits.parse().ok()?).filter(|free| (3..=24).contains(free))?;
    let (from, size) = (u32::from(base), 1_u32 << free);
    from.is_multiple_of(size).then(|| (from, from + (size - 1)))
}

/// `firewalls.insert`.
pub fn insert_firewall(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    let text =
        Some(call.said("network")).filter(|text| !text.is_empty()).unwrap_or("global/networks/default");
    let network = change::resolve(call, estate, "resource.network", text, "global", "networks")?;
    if call.body.contains_key("allowed") == call.body.contains_key("denied") {
        return Err(Refusal::invalid(
            "resource",
            "",
            "Exactly one of 'allowed' and 'denied' must be specified.",
        ));
    }
    let (thing, mut body) = change::new_thing(call, estate, collection, &link, "READY")?;
    body.insert("network".into(), network.to_string().into());
    body.insert("priority".into(), json!(1000));
    body.insert("direction".into(), "INGRESS".into());
    body.insert("disabled".into(), false.into());
    body.insert("logConfig".into(), json!({ "enable": false }));
    change::copy(
        call,
        &mut body,
        &[
            "priority",
            "direction",
            "disabled",
            "logConfig",
            "allowed",
            "denied",
            "sourceRanges",
            "destinationRanges",
            "sourceTags",
            "targetTags",
            "sourceServiceAccounts",
            "targetServiceAccounts",
        ],
    );
    change::add(call, estate, collection, thing, &body, SOON)
}

/// `addresses.insert` and `globalAddresses.insert`.
pub fn insert_address(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    let internal = call.said("addressType") == "INTERNAL";
    if internal && !call.said("address").is_empty() && call.said("subnetwork").is_empty() {
        return Err(Refusal::required("resource.subnetwork"));
    }
    let (mut thing, mut body) = change::new_thing(call, estate, collection, &link, "RESERVING")?;
    thing.life.plan(TimeDelta::seconds(2), "RESERVED");
    let text = call.said("subnetwork");
    if !text.is_empty() {
        let subnetwork =
            change::resolve(call, estate, "resource.subnetwork", text, &link.place, "subnetworks")?;
        body.insert("subnetwork".into(), subnetwork.to_string().into());
    }
    let address = match call.said("address") {
        "" => interface::public(call, &link.path()),
        address => address.to_owned(),
    };
    body.insert("address".into(), address.into());
    body.insert("addressType".into(), if internal { "INTERNAL" } else { "EXTERNAL" }.into());
    body.insert("networkTier".into(), "PREMIUM".into());
    body.insert("ipVersion".into(), "IPV4".into());
    change::copy(call, &mut body, &["networkTier", "purpose", "prefixLength"]);
    thing.meter(call.now, [Meter::new("address/idle", 1.0).only_in(&["RESERVED"])]);
    change::add(call, estate, collection, thing, &body, SOON)
}

/// `addresses.delete`, of one that nothing uses.
pub fn delete_address(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (collection, thing) = read::named(call, estate)?;
    if let Some(user) = thing.body.get("users").get(0).and_then(Value::as_str) {
        let path = collection.link(call, thing).path();
        return Err(Refusal::in_use(&path, user.trim_start_matches(super::link::BASE)));
    }
    change::delete(call, estate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_first_and_a_last_address() {
        assert_eq!(cidr("10.0.0.0/24"), Some((0x0a00_0000, 0x0a00_00ff)));
        for text in ["10.0.0.1/24", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/31", "x/24"] {
            assert_eq!(cidr(text), None, "{text}");
        }
    }
}
