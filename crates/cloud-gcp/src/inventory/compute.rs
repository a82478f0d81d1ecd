//! Instances, disks, snapshots, images and managed instance groups.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::Value;

use super::{Listing, SAID, compute_draft, compute_name, last, states::STATES};
use crate::api::{COMPUTE, Call, Items};

const SERVICE: &str = "compute.googleapis.com";

/// A call of Compute Engine.
pub(super) const fn call(method: &'static str, path: &'static str, items: Items) -> Call {
    Call { api: &COMPUTE, method, path, query: "maxResults=500", items }
}

/// One thing of Compute Engine.
pub(super) const fn one(method: &'static str) -> Call {
    Call { api: &COMPUTE, method, path: "/compute/v1/projects/{project}/{id}", query: "", items: Items::One }
}

/// Instances.
pub static INSTANCES: Listing = Listing {
    scope: "compute/instances",
    kind: ResourceKind::ComputeInstance,
    list: call(
        "compute.instances.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/instances",
        Items::Aggregated("instances"),
    ),
    get: one("compute.instances.get"),
    service: SERVICE,
    read: instance,
    also: None,
};

/// Disks.
pub static DISKS: Listing = Listing {
    scope: "compute/disks",
    kind: ResourceKind::Disk,
    list: call(
        "compute.disks.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/disks",
        Items::Aggregated("disks"),
    ),
    get: one("compute.disks.get"),
    service: SERVICE,
    read: disk,
    also: None,
};

/// Snapshots.
pub static SNAPSHOTS: Listing = Listing {
    scope: "compute/snapshots",
    kind: ResourceKind::Snapshot,
    list: call(
        "compute.snapshots.list",
        "/compute/v1/projects/{project}/global/snapshots",
        Items::List("items"),
    ),
    get: one("compute.snapshots.get"),
    service: SERVICE,
    read: snapshot,
    also: None,
};

/// Images.
pub static IMAGES: Listing = Listing {
    scope: "compute/images",
    kind: ResourceKind::Image,
    list: call("compute.images.list", "/compute/v1/projects/{project}/global/images", Items::List("items")),
    get: one("compute.images.get"),
    service: SERVICE,
    read: image,
    also: None,
};

/// Managed instance groups.
pub static GROUPS: Listing = Listing {
    scope: "compute/instance-group-managers",
    kind: ResourceKind::ScalingGroup,
    list: call(
        "compute.instanceGroupManagers.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/instanceGroupManagers",
        Items::Aggregated("instanceGroupManagers"),
    ),
    get: one("compute.instanceGroupManagers.get"),
    service: SERVICE,
    read: group,
    also: None,
};

fn instance(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::ComputeInstance, &item)?;
    draft.state(STATES, item["status"].as_str());
    draft.0.size = last(&item["machineType"]).map(str::to_owned);
    draft.take("launched_at", &item["lastStartTimestamp"]);
    draft.take("deletion_protection", &item["deletionProtection"]);
    if item["scheduling"]["provisioningModel"] == "SPOT" || item["scheduling"]["preemptible"] == true {
        draft.set("lifecycle", "spot");
    }
    let interfaces = item["networkInterfaces"].as_array();
    for (index, interface) in interfaces.into_iter().flatten().enumerate() {
        if index == 0 {
            draft.take("private_ip", &interface["networkIP"]);
            draft.take("public_ip", &interface["accessConfigs"][0]["natIP"]);
        }
        draft.relation(Relation::MemberOf, ResourceKind::Subnet, compute_name(&interface["subnetwork"]));
        draft.relation(Relation::MemberOf, ResourceKind::Network, compute_name(&interface["network"]));
    }
    let boot = item["disks"].as_array().into_iter().flatten().find(|disk| disk["boot"] == true);
    if let Some(boot) = boot {
        draft.take("architecture", &boot["architecture"]);
    }
    let omit = [
        "status",
        "machineType",
        "lastStartTimestamp",
        "lastStopTimestamp",
        "lastSuspendedTimestamp",
        "metadata",
        "cpuPlatform",
        "resourceStatus",
    ];
    Some(draft.finish(item, &[SAID, &omit].concat()))
}

fn disk(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::Disk, &item)?;
    draft.state(STATES, item["status"].as_str());
    draft.0.size = last(&item["type"]).map(str::to_owned);
    draft.number("size_gib", &item["sizeGb"]);
    draft.number("iops", &item["provisionedIops"]);
    draft.number("throughput_mib_per_second", &item["provisionedThroughput"]);
    draft.take("architecture", &item["architecture"]);
    draft.set("encrypted", true);
    let users = item["users"].as_array();
    for user in users.into_iter().flatten() {
        draft.relation(Relation::AttachedTo, ResourceKind::ComputeInstance, compute_name(user));
    }
    if draft.0.state == ResourceState::Available && users.is_some_and(|users| !users.is_empty()) {
        draft.0.state = ResourceState::InUse;
    }
    draft.relation(Relation::CreatedFrom, ResourceKind::Snapshot, compute_name(&item["sourceSnapshot"]));
    draft.relation(Relation::CreatedFrom, ResourceKind::Image, compute_name(&item["sourceImage"]));
    let omit = ["status", "type", "lastAttachTimestamp", "lastDetachTimestamp"];
    Some(draft.finish(item, &[SAID, &omit].concat()))
}

fn snapshot(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::Snapshot, &item)?;
    draft.state(STATES, item["status"].as_str());
    draft.0.size = item["snapshotType"].as_str().map(str::to_owned);
    draft.number("size_gib", &item["diskSizeGb"]);
    draft.set("encrypted", true);
    draft.relation(Relation::CreatedFrom, ResourceKind::Disk, compute_name(&item["sourceDisk"]));
    Some(draft.finish(item, &[SAID, &["status", "storageBytes", "storageBytesStatus"]].concat()))
}

fn image(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::Image, &item)?;
    draft.state(STATES, item["status"].as_str());
    draft.take("architecture", &item["architecture"]);
    draft.number("size_gib", &item["diskSizeGb"]);
    draft.relation(Relation::CreatedFrom, ResourceKind::Disk, compute_name(&item["sourceDisk"]));
    draft.relation(Relation::CreatedFrom, ResourceKind::Snapshot, compute_name(&item["sourceSnapshot"]));
    Some(draft.finish(item, &[SAID, &["status", "archiveSizeBytes"]].concat()))
}

fn group(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::ScalingGroup, &item)?;
    draft.0.size = last(&item["instanceTemplate"]).map(str::to_owned);
    draft.number("desired_size", &item["targetSize"]);
    if item["status"]["isStable"] == false {
        draft.0.state = ResourceState::Updating;
    }
    Some(draft.finish(item, &[SAID, &["currentActions", "status"]].concat()))
}
