//! Load balancers.

use serde_json::{Value, json};

use super::{BALANCER, CHANGE, address, etag, subnet};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        groups,
        ids::{self, Target},
        resource::{self, Draft},
    },
    estate::{Estate, Meter},
};

/// The parts of a load balancer that have names and ids.
const PARTS: &[&str] = &[
    "frontendIPConfigurations",
    "backendAddressPools",
    "loadBalancingRules",
    "probes",
    "inboundNatRules",
    "outboundRules",
    "inboundNatPools",
];

fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, BALANCER, &[call.part("loadBalancerName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, BALANCER, &[call.part("loadBalancerName")])?;
    let region = call.location(BALANCER)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    let old = existing.as_ref().map(|thing| thing.body.get("properties")).unwrap_or_default();
    let mut properties = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    let version = etag(call, estate);
    for part in PARTS {
        let items = inside(&properties, part).as_array().cloned().unwrap_or_default();
        let items: Vec<Value> = items.into_iter().map(|item| named(&target, part, item, &version)).collect();
        properties[*part] = json!(items);
    }
    refuse_references(&target, &properties)?;
    frontends(call, estate, &target, &region.id, &old, &mut properties)?;
    keep_members(&old, &mut properties);
    properties["provisioningState"] = json!("Succeeded");
    properties["resourceGuid"] = json!(call.new_guid(estate, "balancer"));
    let sku = match text(&call.body, "sku.name") {
        "" => "Standard",
        name => name,
    };
    let document = json!({
        "location": region.id.as_ref(), "tags": super::tags(call), "etag": version,
        "sku": { "name": sku, "tier": "Regional" }, "properties": properties,
    });
    let mut draft =
        Draft::new(&region.id, document).takes(CHANGE).charged([Meter::new("balancer/Standard", 1.0)]);
    sku.clone_into(&mut draft.size);
    let kept = resource::keep(call, estate, &target, draft);
    Ok(super::answer(call, &target, &region.id, kept))
}

/// Gives a part its id.
fn named(target: &Target, part: &str, mut item: Value, version: &Value) -> Value {
    let name = text(&item, "name").to_owned();
    item["id"] = json!(format!("{}/{part}/{name}", target.id));
    item["type"] = json!(format!("Microsoft.Network/loadBalancers/{part}"));
    item["etag"] = version.clone();
    if !item["properties"].is_object() {
        item["properties"] = json!({});
    }
    item["properties"]["provisioningState"] = json!("Succeeded");
    item
}

/// What rules refer to must be parts of the same load balancer.
fn refuse_references(target: &Target, properties: &Value) -> Outcome<()> {
    let known: Vec<String> = PARTS
        .iter()
        .flat_map(|part| inside(properties, part).as_array().into_iter().flatten())
        .map(|item| text(item, "id").to_lowercase())
        .collect();
    for part in ["loadBalancingRules", "inboundNatRules", "outboundRules"] {
        for rule in inside(properties, part).as_array().into_iter().flatten() {
            for member in ["frontendIPConfiguration", "backendAddressPool", "probe"] {
                let id = text(rule, &format!("properties.{member}.id"));
                if !id.is_empty() && !known.contains(&id.to_lowercase()) {
                    return Err(Refused::no_reference(text(rule, "id"), id));
                }
            }
        }
    }
    if inside(properties, "frontendIPConfigurations").as_array().is_none_or(Vec::is_empty)
        && inside(properties, "loadBalancingRules").as_array().is_some_and(|rules| !rules.is_empty())
    {
        let message = format!("Load balancer {} has rules but no frontend IP configuration.", target.id);
        return Err(Refused::bad("LoadBalancerFrontendIPConfigurationMissing", message));
    }
    Ok(())
}

/// Addresses of the frontends: public ones become the load balancer's, private ones are taken out of their subnet.
fn frontends(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    place: &str,
    old: &Value,
    properties: &mut Value,
) -> Outcome<()> {
    leave(call, estate, old);
    let Some(items) = properties["frontendIPConfigurations"].as_array_mut() else { return Ok(()) };
    for item in items {
        let own = text(item, "id").to_owned();
        let public = text(item, "properties.publicIPAddress.id").to_owned();
        let inner = text(item, "properties.subnet.id").to_owned();
        if !public.is_empty() {
            address::refuse(call, estate, &public, &own, place)?;
            address::own(call, estate, &public, Some(&own));
            item["properties"]["publicIPAddress"] = json!({ "id": public });
            item["properties"]["privateIPAllocationMethod"] = json!("Dynamic");
        } else if inner.is_empty() {
            let message = format!(
                "Frontend IP configuration {own} must reference either a subnet or a public IP address."
            );
            return Err(Refused::bad("FrontendIPConfigurationMustHaveAddress", message));
        } else {
            let asked = text(item, "properties.privateIPAddress").to_owned();
            let before = inside(old, "frontendIPConfigurations").as_array().into_iter().flatten();
            let mut before =
                before.filter(|before| text(before, "properties.subnet.id").eq_ignore_ascii_case(&inner));
            let kept = before.find(|before| text(before, "id") == own).filter(|_| asked.is_empty());
            let kept = kept.map(|before| text(before, "properties.privateIPAddress").to_owned());
            let address = match kept {
                Some(address) => address,
                None => subnet::address(call, estate, &inner, &target.id, &asked)?,
            };
            let canonical =
                ids::referred(call, estate, super::SUBNET, &inner).map(|thing| thing.body.get("id"));
            item["properties"]["subnet"] = json!({ "id": canonical });
            item["properties"]["privateIPAddress"] = json!(address);
            let method = if asked.is_empty() { "Dynamic" } else { "Static" };
            item["properties"]["privateIPAllocationMethod"] = json!(method);
        }
    }
    Ok(())
}

/// The members of pools are written by interfaces, and stay.
fn keep_members(old: &Value, properties: &mut Value) {
    let Some(items) = properties["backendAddressPools"].as_array_mut() else { return };
    for item in items {
        let id = text(item, "id").to_owned();
        let before = inside(old, "backendAddressPools").as_array().into_iter().flatten();
        let before = before.into_iter().find(|before| text(before, "id") == id);
        if let Some(members) = item["properties"].as_object_mut() {
            members.remove("backendIPConfigurations");
            let kept = before.map(|before| inside(before, "properties.backendIPConfigurations").clone());
            if let Some(kept) = kept.filter(Value::is_array) {
                members.insert("backendIPConfigurations".to_owned(), kept);
            }
        }
    }
}

/// The id of the load balancer in a pool's, whatever its letters.
pub fn of_pool(pool: &str) -> &str {
    let at = pool.to_lowercase().rfind("/backendaddresspools/");
    at.and_then(|at| pool.get(..at)).unwrap_or(pool)
}

/// Writes an interface's configuration into a pool, or takes it out.
pub fn join(call: &Call<'_>, estate: &mut Estate, pool: &str, configuration: &str, joins: bool) {
    let balancer = of_pool(pool).to_lowercase();
    let Some(thing) = ids::find_mut(call, estate, BALANCER, &balancer) else { return };
    thing.body.edit(|document| {
        let pools =
            document.get_mut("properties").and_then(|properties| properties.get_mut("backendAddressPools"));
        for item in pools.and_then(Value::as_array_mut).into_iter().flatten() {
            if !text(item, "id").eq_ignore_ascii_case(pool) {
                continue;
            }
            let mut members =
                inside(item, "properties.backendIPConfigurations").as_array().cloned().unwrap_or_default();
            members.retain(|member| text(member, "id") != configuration);
            if joins {
                members.push(json!({ "id": configuration }));
            }
            item["properties"]["backendIPConfigurations"] = json!(members);
        }
    });
}

/// PATCH: tags.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    resource::update_tags(call, estate, &target)
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::get(call, estate, &target(call, estate)?)
}

/// The load balancers of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, BALANCER)
}

/// DELETE: its public addresses are free again.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let old = target.find(call, estate).map(|thing| thing.body.get("properties")).unwrap_or_default();
    let answer = resource::delete(call, estate, &target, CHANGE, |_, thing| {
        let properties = thing.body.get("properties");
        let pools = inside(&properties, "backendAddressPools").as_array().into_iter().flatten();
        let mut members = pools.flat_map(|pool| {
            inside(pool, "properties.backendIPConfigurations").as_array().into_iter().flatten()
        });
        match members.next() {
            None => Ok(()),
            Some(member) => Err(Refused::bad(
                "LoadBalancerInUse",
                format!(
                    "Load balancer {} cannot be deleted because its backend pool is in use by {}.",
                    target.id,
                    text(member, "id")
                ),
            )),
        }
    })?;
    leave(call, estate, &old);
    Ok(answer)
}

/// The public addresses of a load balancer that goes are free again.
pub fn leave(call: &Call<'_>, estate: &mut Estate, old: &Value) {
    for frontend in inside(old, "frontendIPConfigurations").as_array().into_iter().flatten() {
        let public = text(frontend, "properties.publicIPAddress.id");
        if !public.is_empty() {
            address::own(call, estate, public, None);
        }
    }
}
