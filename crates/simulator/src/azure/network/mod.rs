//! `Microsoft.Network`: networks and their subnets, security groups, addresses, interfaces, load balancers.

pub mod address;
pub mod balancer;
pub mod nic;
pub mod nsg;
pub mod subnet;
pub mod vnet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call},
    error::Outcome,
    ids::Target,
    lro::Links,
    resource::{self, Kept},
};
use crate::estate::{Estate, Thing};

/// Networks.
pub const VNET: &str = "Microsoft.Network/virtualNetworks";
/// Subnets.
pub const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
/// Security groups.
pub const NSG: &str = "Microsoft.Network/networkSecurityGroups";
/// Public addresses.
pub const ADDRESS: &str = "Microsoft.Network/publicIPAddresses";
/// Interfaces.
pub const NIC: &str = "Microsoft.Network/networkInterfaces";
/// Load balancers.
pub const BALANCER: &str = "Microsoft.Network/loadBalancers";

/// Seconds that a change takes.
pub const CHANGE: i64 = 4;

/// A new version of a resource.
pub fn etag(call: &Call<'_>, estate: &mut Estate) -> Value {
    json!(format!("W/\"{}\"", call.new_guid(estate, "etag")))
}

/// The answer to a PUT, which goes on for a while.
fn answer(call: &Call<'_>, target: &Target, place: &str, kept: Kept) -> Answer {
    let running = resource::running(call, target, place, TimeDelta::seconds(CHANGE), Links::Status);
    kept.answer().running(running)
}

/// The tags of the body; none is an empty object.
fn tags(call: &Call<'_>) -> Value {
    call.body.get("tags").filter(|tags| tags.is_object()).cloned().unwrap_or_else(|| json!({}))
}

/// An interface's or frontend's id, of all those whose resource mentions a text: what is in use, and by whom.
fn users<'e>(
    call: &Call<'_>,
    estate: &'e Estate,
    kind: &str,
    place: &str,
    mentioned: &str,
) -> impl Iterator<Item = &'e Thing> {
    let mentioned = format!("\"{mentioned}\"");
    let all = estate.all(&call.account.id, kind, None, call.now).collect::<Vec<_>>();
    let place = place.to_owned();
    all.into_iter().filter(move |thing| {
        *thing.place == *place && thing.gone_at.is_none() && thing.body.text().contains(&mentioned)
    })
}

/// The usages of a region.
pub fn usages(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let region = call.region(call.part("location"), VNET)?;
    let list: Vec<Value> = [
        ("VirtualNetworks", "Virtual Networks", VNET, 1_000),
        ("NetworkSecurityGroups", "Network Security Groups", NSG, 5_000),
        ("PublicIPAddresses", "Public IP Addresses", ADDRESS, 1_000),
        ("NetworkInterfaces", "Network Interfaces", NIC, 65_536),
        ("LoadBalancers", "Load Balancers", BALANCER, 1_000),
    ]
    .into_iter()
    .map(|(name, shown, kind, limit)| {
        let count = estate.all(&call.account.id, kind, Some(&region.id), call.now).count();
        json!({
            "id": format!(
                "/subscriptions/{}/providers/Microsoft.Network/locations/{}/usages/{name}",
                call.subscription(),
                region.id
            ),
            "currentValue": count, "limit": limit, "unit": "Count",
            "name": { "value": name, "localizedValue": shown },
        })
    })
    .collect();
    Ok(Answer::ok(&json!({ "value": list })))
}
