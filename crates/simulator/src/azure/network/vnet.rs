//! Networks. Their subnets are things of their own, put into a network where it is shown.

use serde_json::{Value, json};

use super::{CHANGE, SUBNET, VNET, etag, subnet};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        groups,
        ids::Target,
        resource::{self, Draft},
    },
    cidr::Cidr,
    estate::{Estate, Thing},
};

/// A range as Azure reads it.
pub fn range(text: &str) -> Outcome<Cidr> {
    Cidr::parse(text).ok_or_else(|| {
        Refused::bad(
            "InvalidAddressPrefixFormat",
            format!(
                "Address prefix {text} is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24."
            ),
        )
    })
}

/// The call's network.
pub fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, VNET, &[call.part("virtualNetworkName")])
}

/// The ranges of a network.
pub fn ranges(properties: &Value) -> Outcome<Vec<Cidr>> {
    let prefixes = inside(properties, "addressSpace.addressPrefixes").as_array().into_iter().flatten();
    prefixes.map(|prefix| range(prefix.as_str().unwrap_or_default())).collect()
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, VNET, &[call.part("virtualNetworkName")])?;
    let region = call.location(VNET)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    let sent = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    let ranges = ranges(&sent)?;
    if ranges.is_empty() {
        return Err(Refused::bad(
            "AddressSpaceEmpty",
            format!("Virtual Network '{}' does not contain any address prefixes.", target.name),
        ));
    }
    let wanted = sent.get("subnets").and_then(Value::as_array).cloned();
    plan_subnets(call, estate, &target, &ranges, wanted.as_deref())?;
    let mut properties = sent;
    if let Some(members) = properties.as_object_mut() {
        members.remove("subnets");
        members.insert("provisioningState".to_owned(), json!("Succeeded"));
        members.entry("virtualNetworkPeerings").or_insert_with(|| json!([]));
        members.entry("enableDdosProtection").or_insert(json!(false));
        let guid = existing.as_ref().map(|thing| thing.body.get("properties")["resourceGuid"].clone());
        members
            .insert("resourceGuid".to_owned(), guid.unwrap_or_else(|| json!(call.new_guid(estate, "vnet"))));
    }
    let document = json!({
        "location": region.id.as_ref(), "tags": super::tags(call), "etag": etag(call, estate),
        "properties": properties,
    });
    let mut kept = resource::keep(call, estate, &target, Draft::new(&region.id, document).takes(CHANGE));
    if let Some(wanted) = wanted {
        write_subnets(call, estate, &target, &region.id, &wanted);
    }
    if let Some(thing) = target.find(call, estate) {
        kept.text = show(call, estate, thing);
    }
    Ok(super::answer(call, &target, &region.id, kept))
}

/// Refuses subnets that cannot be, and to take away those that are in use.
fn plan_subnets(
    call: &Call<'_>,
    estate: &Estate,
    target: &Target,
    ranges: &[Cidr],
    wanted: Option<&[Value]>,
) -> Outcome<()> {
    let Some(wanted) = wanted else {
        for old in subnet::of(call, estate, &target.key) {
            subnet::refuse_range(
                &target.name,
                &old.name,
                subnet::range(&old.body.get("properties"))?,
                ranges,
                &[],
            )?;
        }
        return Ok(());
    };
    let mut others: Vec<(String, Cidr)> = Vec::new();
    for subnet in wanted {
        let name = text(subnet, "name").to_owned();
        if name.is_empty() {
            return Err(Refused::bad("InvalidRequestFormat", "Cannot parse the request.").detail(
                "MissingJsonReferenceId",
                "Value for reference id is missing. Path properties.subnets.",
            ));
        }
        let range = subnet::range(inside(subnet, "properties"))?;
        subnet::refuse_range(&target.name, &name, range, ranges, &others)?;
        others.push((name, range));
    }
    for old in subnet::of(call, estate, &target.key) {
        if !others.iter().any(|(name, _)| name.eq_ignore_ascii_case(&old.name)) {
            subnet::refuse_in_use(call, estate, old)?;
        }
    }
    Ok(())
}

fn write_subnets(call: &Call<'_>, estate: &mut Estate, target: &Target, place: &str, wanted: &[Value]) {
    for subnet in wanted {
        let names = [target.name.as_str(), text(subnet, "name")];
        let child = Target::in_group(call.subscription(), &target.group, SUBNET, &names);
        subnet::write(call, estate, &child, place, inside(subnet, "properties"));
    }
    let old: Vec<String> = subnet::of(call, estate, &target.key)
        .filter(|old| !wanted.iter().any(|subnet| text(subnet, "name").eq_ignore_ascii_case(&old.name)))
        .map(|old| old.id.to_string())
        .collect();
    for key in old {
        resource::end(call, estate, SUBNET, &key, chrono::TimeDelta::zero());
    }
}

/// A network as it is shown, with its subnets.
pub fn show(call: &Call<'_>, estate: &Estate, thing: &Thing) -> String {
    let mut value = resource::value(call, thing);
    let subnets: Vec<Value> =
        subnet::of(call, estate, &thing.id).map(|subnet| subnet::value(call, subnet)).collect();
    value["properties"]["subnets"] = json!(subnets);
    value.to_string()
}

/// PATCH: tags.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    resource::update_tags(call, estate, &target)?;
    get(call, estate)
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?;
    Ok(Answer::text(http::StatusCode::OK, show(call, estate, thing)))
}

/// The networks of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list_where(call, estate, VNET, 250, |_| true, |call, thing| show(call, estate, thing))
}

/// DELETE: refused while a subnet is in use.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let subnets: Vec<String> =
        subnet::of(call, estate, &target.key).map(|subnet| subnet.id.to_string()).collect();
    let answer = resource::delete(call, estate, &target, CHANGE, |estate, thing| {
        subnet::of(call, estate, &thing.id).try_for_each(|subnet| subnet::refuse_in_use(call, estate, subnet))
    })?;
    for key in subnets {
        resource::end(call, estate, SUBNET, &key, chrono::TimeDelta::seconds(CHANGE));
    }
    Ok(answer)
}
