//! Network interfaces.

use serde_json::{Value, json};

use super::{BALANCER, CHANGE, NIC, NSG, address, etag, subnet};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        groups,
        ids::{self, Target},
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, NIC, &[call.part("networkInterfaceName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, NIC, &[call.part("networkInterfaceName")])?;
    let region = call.location(NIC)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    let old = existing.as_ref().map(|thing| thing.body.get("properties")).unwrap_or_default();
    refuse_references(call, estate, &target, &region.id)?;
    let version = etag(call, estate);
    let mut configurations = call.property("ipConfigurations").as_array().cloned().unwrap_or_default();
    for (index, configuration) in configurations.iter_mut().enumerate() {
        complete(call, estate, &target, &old, configuration, index == 0)?;
        configuration["etag"] = version.clone();
    }
    let mut properties = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    properties["ipConfigurations"] = json!(configurations);
    properties["provisioningState"] = json!("Succeeded");
    properties["nicType"] = json!("Standard");
    for (name, value) in [
        ("enableAcceleratedNetworking", json!(false)),
        ("enableIPForwarding", json!(false)),
        ("dnsSettings", json!({ "dnsServers": [], "appliedDnsServers": [] })),
    ] {
        if properties[name].is_null() {
            properties[name] = value;
        }
    }
    for name in ["virtualMachine", "primary", "macAddress", "resourceGuid"] {
        match old.get(name) {
            Some(kept) => properties[name] = kept.clone(),
            None => drop(properties.as_object_mut().and_then(|members| members.remove(name))),
        }
    }
    if properties["resourceGuid"].is_null() {
        let guid = call.new_guid(estate, "nic");
        properties["macAddress"] =
            json!(format!("00-0D-3A-{}-{}-{}", &guid[0..2], &guid[2..4], &guid[4..6]).to_uppercase());
        properties["resourceGuid"] = json!(guid);
    }
    let document = json!({
        "location": region.id.as_ref(), "tags": super::tags(call), "etag": version, "properties": properties,
    });
    join(call, estate, &old, document["properties"].clone());
    let kept = resource::keep(call, estate, &target, Draft::new(&region.id, document).takes(CHANGE));
    Ok(super::answer(call, &target, &region.id, kept))
}

/// What an interface refers to must be there.
fn refuse_references(call: &Call<'_>, estate: &Estate, target: &Target, place: &str) -> Outcome<()> {
    let configurations = call.property("ipConfigurations").as_array().cloned().unwrap_or_default();
    if configurations.is_empty() {
        let message = format!("Network interface {} must have one or more IP configurations.", target.id);
        return Err(Refused::bad("NetworkInterfaceMustHaveOneIpConfiguration", message));
    }
    let group = text(&call.body, "properties.networkSecurityGroup.id");
    if !group.is_empty() && ids::referred(call, estate, NSG, group).is_none() {
        return Err(Refused::no_reference(&target.id, group));
    }
    for configuration in &configurations {
        let own = format!("{}/ipConfigurations/{}", target.id, text(configuration, "name"));
        if text(configuration, "properties.subnet.id").is_empty() {
            return Err(Refused::bad("InvalidRequestFormat", "Cannot parse the request.").detail(
                "MissingSubnet",
                format!("Value for reference id of the subnet of {own} is missing."),
            ));
        }
        let public = text(configuration, "properties.publicIPAddress.id");
        if !public.is_empty() {
            address::refuse(call, estate, public, &own, place)?;
        }
        for pool in pools(configuration) {
            let found = ids::referred(call, estate, BALANCER, super::balancer::of_pool(&pool));
            let named = format!("\"{pool}\"").to_lowercase();
            if !found.is_some_and(|found| found.body.text().to_lowercase().contains(&named)) {
                return Err(Refused::no_reference(&own, &pool));
            }
        }
    }
    Ok(())
}

/// The pools that a configuration is in.
fn pools(configuration: &Value) -> Vec<String> {
    let pools =
        inside(configuration, "properties.loadBalancerBackendAddressPools").as_array().into_iter().flatten();
    pools.map(|pool| text(pool, "id").to_owned()).collect()
}

/// Completes a configuration: its id, and its address, which stays if it had one in the same subnet.
fn complete(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    old: &Value,
    configuration: &mut Value,
    first: bool,
) -> Outcome<()> {
    let name = text(configuration, "name").to_owned();
    let before = inside(old, "ipConfigurations").as_array().into_iter().flatten();
    let before = before.into_iter().find(|before| text(before, "name") == name);
    let subnet = text(configuration, "properties.subnet.id").to_owned();
    let fixed = text(configuration, "properties.privateIPAllocationMethod").eq_ignore_ascii_case("static");
    let asked = if fixed { text(configuration, "properties.privateIPAddress") } else { "" };
    let same = before.filter(|before| text(before, "properties.subnet.id").eq_ignore_ascii_case(&subnet));
    let kept = same.map(|before| text(before, "properties.privateIPAddress")).filter(|_| asked.is_empty());
    let address = match kept {
        Some(address) => address.to_owned(),
        None => subnet::address(call, estate, &subnet, &target.id, asked)?,
    };
    let canonical = ids::referred(call, estate, super::SUBNET, &subnet).map(|thing| thing.body.get("id"));
    configuration["id"] = json!(format!("{}/ipConfigurations/{name}", target.id));
    configuration["type"] = json!("Microsoft.Network/networkInterfaces/ipConfigurations");
    let properties = &mut configuration["properties"];
    properties["subnet"] = json!({ "id": canonical });
    properties["privateIPAddress"] = json!(address);
    properties["privateIPAllocationMethod"] = json!(if fixed { "Static" } else { "Dynamic" });
    properties["privateIPAddressVersion"] = json!("IPv4");
    properties["provisioningState"] = json!("Succeeded");
    if properties["primary"].is_null() {
        properties["primary"] = json!(first);
    }
    let public = text(properties, "publicIPAddress.id").to_owned();
    if !public.is_empty() {
        properties["publicIPAddress"] = json!({ "id": public });
    }
    Ok(())
}

/// Writes on addresses and pools that an interface uses them now, and on those it used that it does not any more.
fn join(call: &Call<'_>, estate: &mut Estate, old: &Value, new: Value) {
    for (properties, joins) in [(old.clone(), false), (new, true)] {
        for configuration in inside(&properties, "ipConfigurations").as_array().into_iter().flatten() {
            let own = text(configuration, "id").to_owned();
            let public = text(configuration, "properties.publicIPAddress.id");
            if !public.is_empty() {
                address::own(call, estate, public, joins.then_some(own.as_str()));
            }
            for pool in pools(configuration) {
                super::balancer::join(call, estate, &pool, &own, joins);
            }
        }
    }
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

/// The interfaces of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, NIC)
}

/// DELETE: refused while a machine has it.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let old = target.find(call, estate).map(|thing| thing.body.get("properties"));
    let answer = resource::delete(call, estate, &target, CHANGE, |_, thing| refuse_in_use(&target, thing))?;
    if let Some(old) = old {
        leave(call, estate, &old);
    }
    Ok(answer)
}

/// The addresses and pools of an interface that goes are free of it.
pub fn leave(call: &Call<'_>, estate: &mut Estate, old: &Value) {
    join(call, estate, old, Value::Null);
}

fn refuse_in_use(target: &Target, thing: &Thing) -> Outcome<()> {
    let properties = thing.body.get("properties");
    match text(&properties, "virtualMachine.id") {
        "" => Ok(()),
        machine => Err(Refused::bad(
            "NicInUse",
            format!(
                "Network Interface {} is used by existing resource {machine}. In order to delete the network interface, \
                 it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
                target.id
            ),
        )),
    }
}
