//! Virtual machines, disks, snapshots, images and scale sets.

use std::collections::HashMap;

use marquee_clouds::{CloudError, ErrorKind, Observed, draft::Draft, layers::Tally};
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::Value;

use super::{Known, Listing, SAID, With, canonical, draft, id_of, kind_of, states::STATES};
use crate::arm::{Arm, Read};

/// The version of the API for machines, images and scale sets.
pub const COMPUTE: &str = "2024-07-01";
/// The version of the API for disks and snapshots.
pub const STORAGE: &str = "2024-03-02";

const fn read(operation: &'static str, path: &'static str, version: &'static str) -> Read {
    Read { service: "Microsoft.Compute", operation, path, query: "", version }
}

/// Virtual machines.
pub static MACHINES: Listing = Listing {
    scope: "compute/virtual-machines",
    kinds: &[ResourceKind::ComputeInstance],
    list: read("VirtualMachines_ListAll", "/providers/Microsoft.Compute/virtualMachines", COMPUTE),
    get: read("VirtualMachines_Get", "{id}", COMPUTE),
    with: With::Machines,
    read: machine,
};

/// Managed disks.
pub static DISKS: Listing = Listing {
    scope: "compute/disks",
    kinds: &[ResourceKind::Disk],
    list: read("Disks_List", "/providers/Microsoft.Compute/disks", STORAGE),
    get: read("Disks_Get", "{id}", STORAGE),
    with: With::Nothing,
    read: disk,
};

/// Snapshots of disks.
pub static SNAPSHOTS: Listing = Listing {
    scope: "compute/snapshots",
    kinds: &[ResourceKind::Snapshot],
    list: read("Snapshots_List", "/providers/Microsoft.Compute/snapshots", STORAGE),
    get: read("Snapshots_Get", "{id}", STORAGE),
    with: With::Nothing,
    read: snapshot,
};

/// Managed images.
pub static IMAGES: Listing = Listing {
    scope: "compute/images",
    kinds: &[ResourceKind::Image],
    list: read("Images_List", "/providers/Microsoft.Compute/images", COMPUTE),
    get: read("Images_Get", "{id}", COMPUTE),
    with: With::Nothing,
    read: image,
};

/// Scale sets.
pub static SCALE_SETS: Listing = Listing {
    scope: "compute/scale-sets",
    kinds: &[ResourceKind::ScalingGroup],
    list: read(
        "VirtualMachineScaleSets_ListAll",
        "/providers/Microsoft.Compute/virtualMachineScaleSets",
        COMPUTE,
    ),
    get: read("VirtualMachineScaleSets_Get", "{id}", COMPUTE),
    with: With::Sizes,
    read: scale_set,
};

static STATUSES: Read = Read {
    service: "Microsoft.Compute",
    operation: "VirtualMachines_ListAll",
    path: "/providers/Microsoft.Compute/virtualMachines",
    query: "statusOnly=true",
    version: COMPUTE,
};

/// The state of one machine.
pub static STATUS: Read = read("VirtualMachines_InstanceView", "{id}/instanceView", COMPUTE);

/// Network interfaces, of machines and others.
pub static INTERFACES: Read = Read {
    service: "Microsoft.Network",
    operation: "NetworkInterfaces_ListAll",
    path: "/providers/Microsoft.Network/networkInterfaces",
    query: "",
    version: super::network::VERSION,
};

/// One network interface.
pub static INTERFACE: Read = Read {
    service: "Microsoft.Network",
    operation: "NetworkInterfaces_Get",
    path: "{id}",
    query: "",
    version: super::network::VERSION,
};

/// What the list of machines does not say of them: their states, and what their interfaces are connected to. By id in
/// small letters.
#[derive(Debug, Default)]
pub struct Machines {
    states: HashMap<String, String>,
    interfaces: HashMap<String, Interface>,
}

/// What an interface of a machine is connected to.
#[derive(Debug, Default)]
struct Interface {
    subnet: Option<String>,
    security_group: Option<String>,
    private_ip: Option<String>,
}

impl Machines {
    /// Of these interfaces, without states.
    #[cfg(test)]
    pub fn of_interfaces(listed: &[Value]) -> Self {
        Self { interfaces: listed.iter().filter_map(interface).collect(), ..Self::default() }
    }

    /// Of all machines.
    pub async fn all(arm: &Arm, tally: &Tally) -> Result<Self, CloudError> {
        let (states, interfaces) =
            futures::future::try_join(arm.all(&STATUSES, "", tally), arm.all(&INTERFACES, "", tally)).await?;
        let state = |machine: &Value| {
            let state = power_state(&machine["properties"]["instanceView"])?;
            Some((machine["id"].as_str()?.to_lowercase(), state))
        };
        Ok(Self {
            states: states.iter().filter_map(state).collect(),
            interfaces: interfaces.iter().filter_map(interface).collect(),
        })
    }

    /// Of one.
    pub async fn one(arm: &Arm, id: &str, machine: &Value, tally: &Tally) -> Result<Self, CloudError> {
        let mut known = Self::default();
        match arm.get(&STATUS, id, tally).await {
            Ok(view) => {
                known.states.extend(power_state(&view).map(|state| (id.to_lowercase(), state)));
            }
            // It went away between the two questions; the state stays unknown.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        for named in networks(machine) {
            match arm.get(&INTERFACE, &named, tally).await {
                Ok(found) => known.interfaces.extend(interface(&found)),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(known)
    }
}

/// `PowerState/running` among the statuses of an instance view.
fn power_state(view: &Value) -> Option<String> {
    let mut codes = view["statuses"].as_array()?.iter().filter_map(|status| status["code"].as_str());
    codes.find_map(|code| code.strip_prefix("PowerState/")).map(str::to_owned)
}

fn interface(item: &Value) -> Option<(String, Interface)> {
    let address = &item["properties"]["ipConfigurations"][0]["properties"];
    let found = Interface {
        subnet: id_of(&address["subnet"]),
        security_group: id_of(&item["properties"]["networkSecurityGroup"]),
        private_ip: address["privateIPAddress"].as_str().map(str::to_owned),
    };
    Some((item["id"].as_str()?.to_lowercase(), found))
}

fn networks(machine: &Value) -> impl Iterator<Item = String> {
    let named = machine["properties"]["networkProfile"]["networkInterfaces"].as_array();
    named.into_iter().flatten().filter_map(|interface| interface["id"].as_str().map(str::to_owned))
}

/// Tells what something was made from, if that is of a kind that is listed.
fn copied(draft: &mut Draft, source: &Value) {
    let source = id_of(source);
    if let Some(kind) = source.as_deref().and_then(kind_of) {
        draft.relation(Relation::CreatedFrom, kind, source);
    }
}

fn machine(item: Value, known: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::ComputeInstance, &item) else { return vec![] };
    let (id, properties) = (draft.0.native_id.to_lowercase(), &item["properties"]);
    let state = known.machines.states.get(&id).map(String::as_str);
    draft.state(STATES, state.or_else(|| properties["provisioningState"].as_str()));
    draft.size(&properties["hardwareProfile"]["vmSize"]);
    draft.created(&properties["timeCreated"]);
    let size = draft.0.size.as_ref().and_then(|size| known.sizes.get(&size.to_lowercase()));
    if let Some(size) = size {
        draft.set("vcpus", size.vcpus);
        draft.set("memory_mib", size.memory_mib);
        if let Some(architecture) = &size.architecture {
            draft.set("architecture", architecture.clone());
        }
    }
    draft.take("platform", &properties["storageProfile"]["osDisk"]["osType"]);
    draft.take("lifecycle", &properties["priority"]);
    copied(&mut draft, &properties["storageProfile"]["imageReference"]);
    for named in networks(&item) {
        let Some(interface) = known.machines.interfaces.get(&named.to_lowercase()) else { continue };
        if let Some(address) = &interface.private_ip {
            draft.0.attributes.entry("private_ip").or_insert_with(|| address.clone().into());
        }
        let network =
            interface.subnet.as_ref().and_then(|subnet| super::parent(subnet, "/subnets/")).map(canonical);
        draft.relation(Relation::MemberOf, ResourceKind::Subnet, interface.subnet.clone());
        draft.relation(Relation::MemberOf, ResourceKind::Network, network);
        draft.relation(Relation::ProtectedBy, ResourceKind::SecurityGroup, interface.security_group.clone());
    }
    vec![draft.finish(item, &[SAID, &["properties.instanceView", "properties.timeCreated"]].concat())]
}

fn disk(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::Disk, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["diskState"].as_str());
    draft.size(&item["sku"]["name"]);
    draft.created(&properties["timeCreated"]);
    draft.number("size_gib", &properties["diskSizeGB"]);
    draft.number("iops", &properties["diskIOPSReadWrite"]);
    draft.number("throughput_mib_per_second", &properties["diskMBpsReadWrite"]);
    draft.set("encrypted", true);
    draft.relation(Relation::AttachedTo, ResourceKind::ComputeInstance, id_of(&item["managedBy"]));
    copied(&mut draft, &properties["creationData"]["sourceResourceId"]);
    vec![
        draft.finish(
            item,
            &[SAID, &["properties.timeCreated", "properties.LastOwnershipUpdateTime"]].concat(),
        ),
    ]
}

fn snapshot(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::Snapshot, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.size(&item["sku"]["name"]);
    draft.created(&properties["timeCreated"]);
    draft.number("size_gib", &properties["diskSizeGB"]);
    draft.set("encrypted", true);
    copied(&mut draft, &properties["creationData"]["sourceResourceId"]);
    vec![draft.finish(item, &[SAID, &["properties.timeCreated"]].concat())]
}

fn image(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::Image, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.take("platform", &properties["storageProfile"]["osDisk"]["osType"]);
    let snapshot = id_of(&properties["storageProfile"]["osDisk"]["snapshot"]);
    draft.relation(Relation::CreatedFrom, ResourceKind::Snapshot, snapshot);
    vec![draft.finish(item, SAID)]
}

fn scale_set(item: Value, known: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::ScalingGroup, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.size(&item["sku"]["name"]);
    draft.created(&properties["timeCreated"]);
    draft.number("desired_size", &item["sku"]["capacity"]);
    let size = draft.0.size.as_ref().and_then(|size| known.sizes.get(&size.to_lowercase()));
    if let Some(size) = size {
        draft.set("vcpus", size.vcpus);
        draft.set("memory_mib", size.memory_mib);
    }
    let interfaces = &properties["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"];
    for interface in interfaces.as_array().into_iter().flatten() {
        let configurations = interface["properties"]["ipConfigurations"].as_array();
        for configuration in configurations.into_iter().flatten() {
            let subnet = id_of(&configuration["properties"]["subnet"]);
            draft.relation(Relation::MemberOf, ResourceKind::Subnet, subnet);
        }
    }
    vec![draft.finish(item, &[SAID, &["properties.timeCreated"]].concat())]
}
