//! Elastic addresses.

use std::{collections::HashSet, net::Ipv4Addr};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{ADDRESSES, Description, INSTANCES, done, given_tags, instances::INSTANCE, set, tag, with_tags};
use crate::{
    aws::{ask::Ask, filters::Source, protocol::Refusal, service::Answered},
    estate::{Estate, Meter, Thing},
};

/// Addresses of a region, unless a fault says less.
pub const ADDRESS_QUOTA: usize = 500;

const ADDRESS: Description = Description {
    kind: ADDRESSES,
    ids: "AllocationIds",
    prefix: "eipalloc-",
    code: "InvalidAllocationID",
    filters: &[
        ("allocation-id", Source::Id),
        ("public-ip", Source::Body(&["PublicIp"])),
        ("instance-id", Source::Body(&["InstanceId"])),
        ("association-id", Source::Body(&["AssociationId"])),
        ("domain", Source::Always("vpc")),
    ],
    exclusive: false,
};

pub(crate) fn allocate(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let quota =
        ask.effects.quota.map_or(ADDRESS_QUOTA, |quota| usize::try_from(quota).unwrap_or(ADDRESS_QUOTA));
    if ask.all(estate, ADDRESSES).count() >= quota {
        let message = "The maximum number of addresses has been reached.";
        return Err(Refusal::new("AddressLimitExceeded", message));
    }
    let id = ask.new_id(estate, "eipalloc-", 17);
    let ip = passing(estate);
    let mut address = Thing::new(&id, ask.place(), ask.now, "idle");
    address.body = json!({
        "PublicIp": ip, "Domain": "vpc", "PublicIpv4Pool": "amazon", "NetworkBorderGroup": ask.place(),
    })
    .into();
    tag(&mut address, given_tags(ask, "elastic-ip"));
    address.meter(ask.now, [Meter::new("address/idle", 1.0)]);
    ask.add(estate, ADDRESSES, address);
    Ok(json!({
        "AllocationId": id, "PublicIp": ip, "Domain": "vpc", "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": ask.place(),
    })
    .into())
}

/// The next address of the block that is set aside for documentation and benchmarks: 198.18.0.0/15.
pub(super) fn passing(estate: &mut Estate) -> String {
    let number = u32::try_from(estate.next_number() % 0x1_fffe).unwrap_or_default() + 1;
    Ipv4Addr::from_bits(0xc612_0000 + number).to_string()
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let ips = ask.texts("PublicIps");
    let wanted = |address: &Thing| {
        ips.is_empty() || address.body.get("PublicIp").as_str().is_some_and(|ip| ips.contains(&ip))
    };
    // AWS does not page addresses: all of them come at once.
    let mut all = Vec::new();
    let shown = |_: &Ask<'_>, address: &Thing| {
        let mut shown = with_tags(address);
        set(&mut shown, "AllocationId", &*address.id);
        Value::Object(shown)
    };
    let ids = ask.texts("AllocationIds");
    ADDRESS.check(ask, estate, &ids)?;
    let filters = crate::aws::filters::read(ask.list("Filters"));
    if let Some(name) = crate::aws::filters::unknown(&filters, ADDRESS.filters) {
        return Err(Refusal::new("InvalidParameterValue", format!("The filter '{name}' is invalid")));
    }
    for address in ask.all(estate, ADDRESSES) {
        let passes = crate::aws::filters::pass(address, "", ask.owner(), &filters, ADDRESS.filters);
        if wanted(address) && passes && (ids.is_empty() || ids.contains(&&*address.id)) {
            all.push(shown(ask, address));
        }
    }
    Ok(json!({ "Addresses": all }).into())
}

pub(crate) fn associate(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let instance = INSTANCE.one(ask, estate, ask.need("InstanceId"))?;
    if !matches!(instance.state(ask.now), "running" | "stopped") {
        let message = format!(
            "The pending-instance-creation or terminated instance '{}' cannot have an address",
            instance.id
        );
        return Err(Refusal::new("InvalidInstanceID", message));
    }
    let (body, instance) = (instance.body.read(), instance.id.clone());
    let address = ADDRESS.one(ask, estate, ask.need("AllocationId"))?;
    let address_body = address.body.read();
    if address_body.contains_key("AssociationId") && !ask.flag("AllowReassociation") {
        let message = format!(
            "resource {} is already associated with associate-id {}",
            address.id, address_body["AssociationId"]
        );
        return Err(Refusal::new("Resource.AlreadyAssociated", message));
    }
    let id = address.id.clone();
    let association = ask.new_id(estate, "eipassoc-", 17);
    let ip = address_body.get("PublicIp").cloned().unwrap_or_default();
    let address = ADDRESS.one_mut(ask, estate, &id)?;
    address.meter(ask.now, []);
    address.body.edit(|address| {
        set(address, "AssociationId", association.as_str());
        set(address, "InstanceId", &*instance);
        set(address, "PrivateIpAddress", body.get("PrivateIpAddress").cloned().unwrap_or_default());
        set(address, "NetworkInterfaceOwnerId", ask.owner());
    });
    if let Some(instance) = ask.find_mut(estate, INSTANCES, &instance) {
        instance.body.edit(|body| set(body, "PublicIpAddress", ip));
    }
    Ok(json!({ "AssociationId": association }).into())
}

pub(super) fn disassociate(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let association = ask.text("AssociationId").unwrap_or_default();
    let found = ask.all(estate, ADDRESSES).find(|address| address.body.get("AssociationId") == association);
    let found = found.map(|address| (address.id.clone(), address.body.get("InstanceId")));
    let (id, instance) = found.ok_or_else(|| {
        let message = format!("The association ID '{association}' does not exist");
        Refusal::new("InvalidAssociationID.NotFound", message)
    })?;
    free(ask, estate, &id);
    if let Some(instance) = ask.find_mut(estate, INSTANCES, instance.as_str().unwrap_or_default()) {
        instance.body.edit(|body| {
            body.shift_remove("PublicIpAddress");
        });
    }
    Ok(done().into())
}

fn free(ask: &Ask<'_>, estate: &mut Estate, id: &str) {
    if let Some(address) = ask.find_mut(estate, ADDRESSES, id) {
        address.meter(ask.now, [Meter::new("address/idle", 1.0)]);
        address.body.edit(|body| {
            for name in ["AssociationId", "InstanceId", "PrivateIpAddress", "NetworkInterfaceOwnerId"] {
                body.shift_remove(name);
            }
        });
    }
}

/// The addresses of instances that are terminated are free.
pub(super) fn let_go(ask: &Ask<'_>, estate: &mut Estate, instances: &HashSet<&str>) {
    let used: Vec<_> = ask
        .all(estate, ADDRESSES)
        .filter(|address| address.body.get("InstanceId").as_str().is_some_and(|id| instances.contains(id)))
        .map(|address| address.id.clone())
        .collect();
    for id in used {
        free(ask, estate, &id);
    }
}

pub(super) fn release(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let address = ADDRESS.one(ask, estate, ask.need("AllocationId"))?;
    if !address.body.get("AssociationId").is_null() {
        let message = format!("Address with allocation id {} is in use.", address.id);
        return Err(Refusal::new("InvalidIPAddress.InUse", message));
    }
    let id = address.id.clone();
    ask.end(estate, ADDRESSES, &id, TimeDelta::zero());
    Ok(done().into())
}
