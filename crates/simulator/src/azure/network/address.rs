//! Public addresses.

use serde_json::{Value, json};

use super::{ADDRESS, CHANGE, etag};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        compute::zones,
        error::{Outcome, Refused},
        groups,
        ids::{self, Target},
        resource::{self, Draft},
    },
    estate::{Estate, Meter},
    seed::mix,
};

fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, ADDRESS, &[call.part("publicIpAddressName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, ADDRESS, &[call.part("publicIpAddressName")])?;
    let region = call.location(ADDRESS)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    let zones = zones(call, region, ADDRESS, &target.name)?;
    let sku = match text(&call.body, "sku.name") {
        "" => "Standard",
        name => name,
    };
    let method = match text(&call.body, "properties.publicIPAllocationMethod") {
        "" if sku == "Basic" => "Dynamic",
        "" => "Static",
        method => method,
    };
    if sku != "Basic" && method.eq_ignore_ascii_case("dynamic") {
        return Err(Refused::bad(
            "StandardSkuPublicIPAddressesMustBeStatic",
            format!("Standard sku publicIp {} must have AllocationMethod set to Static.", target.id),
        ));
    }
    let old = existing.as_ref().map(|thing| thing.body.get("properties")).unwrap_or_default();
    let mut properties = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    properties["publicIPAllocationMethod"] = json!(method);
    properties["provisioningState"] = json!("Succeeded");
    for (name, value) in
        [("publicIPAddressVersion", json!("IPv4")), ("idleTimeoutInMinutes", json!(4)), ("ipTags", json!([]))]
    {
        if properties[name].is_null() {
            properties[name] = value;
        }
    }
    properties["ipAddress"] = match inside(&old, "ipAddress") {
        Value::Null => json!(address(call, estate)),
        kept => kept.clone(),
    };
    properties["resourceGuid"] = json!(call.new_guid(estate, "address"));
    name_it(&mut properties, &region.id);
    if let Some(members) = properties.as_object_mut() {
        members.remove("ipConfiguration");
        if let Some(user) = old.get("ipConfiguration") {
            members.insert("ipConfiguration".to_owned(), user.clone());
        }
    }
    let mut document = json!({
        "location": region.id.as_ref(), "tags": super::tags(call), "etag": etag(call, estate),
        "sku": { "name": sku, "tier": "Regional" }, "properties": properties,
    });
    if !zones.is_empty() {
        document["zones"] = json!(zones);
    }
    let mut draft =
        Draft::new(&region.id, document).takes(CHANGE).charged([Meter::new("address/Standard", 1.0)]);
    sku.clone_into(&mut draft.size);
    let kept = resource::keep(call, estate, &target, draft);
    Ok(super::answer(call, &target, &region.id, kept))
}

/// The full name of an address that has a label.
fn name_it(properties: &mut Value, place: &str) {
    let label = text(properties, "dnsSettings.domainNameLabel").to_owned();
    if !label.is_empty() {
        properties["dnsSettings"]["fqdn"] = json!(format!("{label}.{place}.cloudapp.azure.com"));
    }
}

/// An address out of those that stand in documentation, and of benchmarks, of which there are more.
fn address(call: &Call<'_>, estate: &mut Estate) -> String {
    let bits = mix(call.world.plan.seed ^ estate.next_number());
    let part = |shift: u32| (bits >> shift) & 0xff;
    format!("198.{}.{}.{}", 18 + (bits & 1), part(8), part(16))
}

/// Writes on an address whose it is; none, if it is no one's.
pub fn own(call: &Call<'_>, estate: &mut Estate, address: &str, owner: Option<&str>) {
    if let Some(thing) = ids::find_mut(call, estate, ADDRESS, &address.to_lowercase()) {
        thing.body.edit(|document| {
            if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
                match owner {
                    Some(owner) => properties.insert("ipConfiguration".to_owned(), json!({ "id": owner })),
                    None => properties.remove("ipConfiguration"),
                };
            }
        });
    }
}

/// Refuses an address that is not there, elsewhere, or someone else's.
pub fn refuse(call: &Call<'_>, estate: &Estate, address: &str, owner: &str, place: &str) -> Outcome<()> {
    let thing = ids::referred(call, estate, ADDRESS, address)
        .filter(|thing| *thing.place == *place && thing.gone_at.is_none());
    let thing = thing.ok_or_else(|| Refused::no_reference(owner, address))?;
    let user = thing.body.get("properties");
    let user = text(&user, "ipConfiguration.id");
    if user.is_empty() || user.eq_ignore_ascii_case(owner) {
        return Ok(());
    }
    Err(Refused::bad(
        "PublicIPAddressInUse",
        format!(
            "Resource {owner} is referencing public IP address {address} that is already allocated to resource {user}."
        ),
    ))
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

/// The addresses of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, ADDRESS)
}

/// DELETE: refused while it is someone's.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    resource::delete(call, estate, &target, CHANGE, |_, thing| {
        let properties = thing.body.get("properties");
        match text(&properties, "ipConfiguration.id") {
            "" => Ok(()),
            user => Err(Refused::bad(
                "PublicIPAddressCannotBeDeleted",
                format!(
                    "Public IP address {} can not be deleted since it is still allocated to resource {user}. In order to \
                     delete the public IP, disassociate/detach the Public IP address from the resource. To learn how to \
                     do this, see aka.ms/deletepublicip.",
                    target.id
                ),
            )),
        }
    })
}
