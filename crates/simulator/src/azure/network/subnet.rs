//! Subnets, and the addresses in them.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{BALANCER, CHANGE, NIC, NSG, SUBNET, etag, users, vnet};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        ids::{self, Target},
        lro::Links,
        postgres,
        resource::{self, Draft},
    },
    cidr::Cidr,
    estate::{Estate, Thing},
};

/// How many addresses were given away so far: a member of the body that is never shown.
const NEXT: &str = "#next";

/// The first addresses of a range, which Azure keeps for itself.
const KEPT: u32 = 4;

/// The subnets of a network that is named by its key.
pub fn of<'e>(call: &Call<'_>, estate: &'e Estate, network: &str) -> impl Iterator<Item = &'e Thing> {
    let prefix = format!("{network}/subnets/");
    let all = estate.all(&call.account.id, SUBNET, None, call.now);
    all.filter(move |thing| thing.id.starts_with(&prefix))
}

/// The range of a subnet.
pub fn range(properties: &Value) -> Outcome<Cidr> {
    let first = inside(properties, "addressPrefixes").get(0).and_then(Value::as_str);
    let prefix = first.unwrap_or_else(|| text(properties, "addressPrefix"));
    vnet::range(prefix)
}

/// A subnet lies in its network and meets no other one.
pub fn refuse_range(
    network: &str,
    name: &str,
    range: Cidr,
    ranges: &[Cidr],
    others: &[(String, Cidr)],
) -> Outcome<()> {
    if !ranges.iter().any(|whole| whole.holds(range)) {
        return Err(Refused::bad(
            "NetcfgInvalidSubnet",
            format!(
                "Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual \
                 network '{network}'."
            ),
        ));
    }
    if others.iter().any(|(other, taken)| !other.eq_ignore_ascii_case(name) && taken.meets(range)) {
        return Err(Refused::bad(
            "NetcfgSubnetRangesOverlap",
            format!(
                "Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet in \
                 virtual network '{network}'."
            ),
        ));
    }
    Ok(())
}

/// Refuses to take away a subnet that interfaces, load balancers or servers are in.
pub fn refuse_in_use(call: &Call<'_>, estate: &Estate, subnet: &Thing) -> Outcome<()> {
    let id = subnet.body.get("id");
    let id = id.as_str().unwrap_or_default();
    let kinds = [NIC, BALANCER, postgres::SERVER];
    let mut found = kinds.into_iter().flat_map(|kind| users(call, estate, kind, &subnet.place, id));
    let Some(user) = found.next() else { return Ok(()) };
    let user = user.body.get("id");
    Err(Refused::bad(
        "InUseSubnetCannotBeDeleted",
        format!(
            "Subnet {} is in use by {} and cannot be deleted. In order to delete the subnet, delete all the resources \
             within the subnet. See aka.ms/deletesubnet.",
            subnet.name,
            user.as_str().unwrap_or_default()
        ),
    ))
}

/// Writes a subnet, new or changed.
pub fn write(call: &Call<'_>, estate: &mut Estate, target: &Target, place: &str, sent: &Value) -> String {
    let mut properties = sent.clone();
    if let Some(members) = properties.as_object_mut() {
        members.insert("provisioningState".to_owned(), json!("Succeeded"));
        members.entry("delegations").or_insert_with(|| json!([]));
        members.entry("privateEndpointNetworkPolicies").or_insert(json!("Disabled"));
        members.entry("privateLinkServiceNetworkPolicies").or_insert(json!("Enabled"));
        for name in ["ipConfigurations", "purpose"] {
            members.remove(name);
        }
    }
    let given = target.find(call, estate).map_or_else(|| json!(0), |thing| thing.body.get(NEXT));
    let document = json!({ "etag": etag(call, estate), "properties": properties, NEXT: given });
    let kept = resource::keep(call, estate, target, Draft::new(place, document).takes(CHANGE));
    let shown = target.find(call, estate).map(|thing| value(call, thing).to_string());
    shown.unwrap_or(kept.text)
}

/// A subnet as it is shown.
pub fn value(call: &Call<'_>, thing: &Thing) -> Value {
    let mut value = resource::value(call, thing);
    if let Some(members) = value.as_object_mut() {
        members.remove(NEXT);
    }
    value
}

/// The call's subnet, whose network must be there.
fn target(call: &Call<'_>, estate: &Estate) -> Outcome<(Target, Target)> {
    let network = vnet::target(call, estate)?;
    let network = network.clone().with_letters_of(network.need(call, estate)?);
    let names = [network.name.clone(), call.part("subnetName").to_owned()];
    let target = Target::of(call, estate, SUBNET, &[names[0].as_str(), names[1].as_str()])?;
    let target = match target.find(call, estate) {
        Some(thing) => target.clone().with_letters_of(thing),
        None => target,
    };
    Ok((network, target))
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (network, target) = target(call, estate)?;
    let whole = network.need(call, estate)?.clone();
    resource::refuse_deleting(call, &whole, &network)?;
    let sent = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    let range = range(&sent)?;
    let mut others = Vec::new();
    for other in of(call, estate, &network.key) {
        others.push((other.name.to_string(), self::range(&other.body.get("properties"))?));
    }
    let ranges = vnet::ranges(&whole.body.get("properties"))?;
    refuse_range(&network.name, &target.name, range, &ranges, &others)?;
    let group = text(&sent, "networkSecurityGroup.id");
    if !group.is_empty() && ids::referred(call, estate, NSG, group).is_none() {
        return Err(Refused::no_reference(&target.id, group));
    }
    let made = target.find(call, estate).is_none();
    let text = write(call, estate, &target, &whole.place, &sent);
    let takes = TimeDelta::seconds(CHANGE);
    let running = resource::running(call, &target, &whole.place, takes, Links::Status);
    Ok(Answer::text(if made { StatusCode::CREATED } else { StatusCode::OK }, text).running(running))
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let (_, target) = target(call, estate)?;
    let thing = target.find(call, estate).ok_or_else(|| {
        let message = format!("Resource {} not found.", target.id);
        Refused::missing("NotFound", message)
    })?;
    Ok(Answer::ok(&value(call, thing)))
}

/// The subnets of a network.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let network = vnet::target(call, estate)?;
    network.need(call, estate)?;
    let prefix = format!("{}/", network.key);
    let text = |call: &Call<'_>, thing: &Thing| value(call, thing).to_string();
    resource::list_where(call, estate, SUBNET, resource::PAGE, |thing| thing.id.starts_with(&prefix), text)
}

/// DELETE.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (_, target) = target(call, estate)?;
    resource::delete(call, estate, &target, CHANGE, |estate, thing| refuse_in_use(call, estate, thing))
}

/// An address in a subnet: the one that is asked for, or the next one that is free.
pub fn address(
    call: &Call<'_>,
    estate: &mut Estate,
    subnet: &str,
    owner: &str,
    asked: &str,
) -> Outcome<String> {
    let key = subnet.to_lowercase();
    let thing = ids::find(call, estate, SUBNET, &key).filter(|thing| thing.gone_at.is_none());
    let thing = thing.ok_or_else(|| Refused::no_reference(owner, subnet))?;
    let range = range(&thing.body.get("properties"))?;
    let (id, place, name) = (thing.body.get("id"), thing.place.clone(), thing.name.clone());
    let id = id.as_str().unwrap_or_default();
    if !asked.is_empty() {
        let inside = asked.parse().is_ok_and(|address| range.has(address));
        if !inside {
            return Err(Refused::bad(
                "PrivateIPAddressNotInSubnet",
                format!("Private static IP address {asked} does not belong to the range of subnet {name}."),
            ));
        }
        return if is_taken(call, estate, &place, id, asked, owner) {
            let message = format!(
                "IP configuration of {owner} is using the private IP address {asked} which is already allocated to another resource."
            );
            Err(Refused::bad("PrivateIPAddressIsAllocated", message))
        } else {
            Ok(asked.to_owned())
        };
    }
    let next = thing.body.get(NEXT).as_u64().unwrap_or_default();
    if let Some(address) = range.nth(KEPT, next) {
        if let Some(thing) = ids::find_mut(call, estate, SUBNET, &key) {
            thing.body.edit(|document| {
                document.insert(NEXT.to_owned(), json!(next + 1));
            });
        }
        return Ok(address.to_string());
    }
    // All were given away once: look for one that came back.
    let mut all = (0..).map_while(|n| range.nth(KEPT, n)).map(|address| address.to_string());
    all.find(|address| !is_taken(call, estate, &place, id, address, owner)).ok_or_else(|| {
        Refused::bad(
            "SubnetIsFull",
            format!("Subnet {name} does not have enough capacity for 1 IP addresses."),
        )
    })
}

/// Whether an interface in a subnet has an address.
fn is_taken(call: &Call<'_>, estate: &Estate, place: &str, subnet: &str, address: &str, owner: &str) -> bool {
    let quoted = format!("\"{address}\"");
    users(call, estate, NIC, place, subnet)
        .any(|nic| nic.body.text().contains(&quoted) && nic.body.get("id") != owner)
}
