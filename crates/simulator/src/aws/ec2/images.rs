//! Images: those of the account, and two that AWS publishes in every region.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    Description, IMAGES, SNAPSHOTS, given_tags, instances::INSTANCE, paged, set, snapshots, tag, with_tags,
};
use crate::{
    aws::{
        ask::Ask,
        filters::{self, Source},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Thing},
};

/// How long an image is pending.
const COPYING: TimeDelta = TimeDelta::minutes(2);
/// AWS's own account.
const AMAZON: &str = "137112412989";

const IMAGE: Description = Description {
    kind: IMAGES,
    ids: "ImageIds",
    prefix: "ami-",
    code: "InvalidAMIID",
    filters: &[
        ("image-id", Source::Id),
        ("state", Source::State),
        ("name", Source::Body(&["Name"])),
        ("description", Source::Body(&["Description"])),
        ("architecture", Source::Body(&["Architecture"])),
        ("is-public", Source::Always("false")),
        ("owner-id", Source::Owner),
        ("root-device-type", Source::Always("ebs")),
        ("virtualization-type", Source::Always("hvm")),
        ("block-device-mapping.snapshot-id", Source::Body(&["BlockDeviceMappings", "Ebs", "SnapshotId"])),
    ],
    exclusive: true,
};

/// The images that AWS publishes in this region.
fn published(ask: &Ask<'_>) -> [Value; 2] {
    ["x86_64", "arm64"].map(|architecture| {
        let seed = ask.world.seed();
        let id = |what: &str| seed.hex(&["aws-image", what, ask.place(), architecture], 17);
        let name = format!("al2023-ami-2023.9.20260105.0-kernel-6.1-{architecture}");
        json!({
            "ImageId": format!("ami-{}", id("image")), "Name": name, "Description": "Amazon Linux 2023",
            "ImageLocation": format!("amazon/{name}"), "OwnerId": AMAZON, "ImageOwnerAlias": "amazon",
            "CreationDate": "2026-01-05T00:00:00.000Z", "Public": true, "State": "available",
            "Architecture": architecture, "ImageType": "machine", "RootDeviceName": "/dev/xvda",
            "RootDeviceType": "ebs", "VirtualizationType": "hvm", "Hypervisor": "xen", "EnaSupport": true,
            "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances",
            "BlockDeviceMappings": [{
                "DeviceName": "/dev/xvda",
                "Ebs": {
                    "SnapshotId": format!("snap-{}", id("snapshot")), "VolumeSize": 8, "VolumeType": "gp3",
                    "DeleteOnTermination": true, "Encrypted": false,
                },
            }],
        })
    })
}

/// The id of AWS's own image for an architecture.
pub(crate) fn suitable(ask: &Ask<'_>, architecture: &str) -> Value {
    let found = published(ask).into_iter().find(|image| image["Architecture"] == architecture);
    found.map_or(Value::Null, |image| image["ImageId"].clone())
}

/// An image that can be launched.
pub(super) fn find(ask: &Ask<'_>, estate: &Estate, id: &str) -> Result<Value, Refusal> {
    if let Some(image) = published(ask).into_iter().find(|image| image["ImageId"] == id) {
        return Ok(image);
    }
    let image = IMAGE.one(ask, estate, id)?;
    if image.state(ask.now) != "available" {
        let message = format!("The AMI '{id}' is not available");
        return Err(Refusal::new("InvalidAMIID.Unavailable", message));
    }
    Ok(show(ask, image))
}

fn show(ask: &Ask<'_>, image: &Thing) -> Value {
    let mut shown = with_tags(image);
    set(&mut shown, "ImageId", &*image.id);
    set(
        &mut shown,
        "ImageLocation",
        format!("{}/{}", ask.owner(), image.body.get("Name").as_str().unwrap_or_default()),
    );
    set(&mut shown, "OwnerId", ask.owner());
    set(&mut shown, "State", image.state(ask.now));
    set(&mut shown, "CreationDate", image.born.format("%Y-%m-%dT%H:%M:%S.000Z").to_string());
    Value::Object(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let owners = ask.texts("Owners");
    let of = |owner: &[&str]| owners.is_empty() || owners.iter().any(|wanted| owner.contains(wanted));
    let ours = of(&["self", ask.owner()]);
    let ids = ask.texts("ImageIds");
    let filters = filters::read(ask.list("Filters"));
    let theirs: Vec<Value> = published(ask)
        .into_iter()
        .filter(|image| of(&["amazon", AMAZON]) && fits(image, &filters))
        .filter(|image| ids.is_empty() || ids.iter().any(|id| image["ImageId"] == *id))
        .collect();
    if !ids.is_empty() && theirs.len() == ids.len() {
        return Ok(paged("Images", (theirs, None)).into());
    }
    let (mut images, next) = IMAGE.page_of(ask, estate, show, |_| ours)?;
    // AWS's own stand on the first page.
    if ask.text("NextToken").is_none() {
        images.splice(0..0, theirs);
    }
    Ok(paged("Images", (images, next)).into())
}

/// Whether one of AWS's images passes the filters; they have no tags.
fn fits(image: &Value, filters: &[filters::Filter<'_>]) -> bool {
    filters.iter().all(|filter| {
        let member = match filter.name {
            "name" => "Name",
            "architecture" => "Architecture",
            "state" => "State",
            "image-id" => "ImageId",
            "owner-id" => "OwnerId",
            "description" => "Description",
            "root-device-type" => "RootDeviceType",
            "virtualization-type" => "VirtualizationType",
            "is-public" => return filter.values.contains(&"true"),
            _ => return false,
        };
        let text = image[member].as_str().unwrap_or_default();
        filter.values.iter().any(|pattern| filters::like(pattern, text))
    })
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let instance = INSTANCE.one(ask, estate, ask.need("InstanceId"))?;
    if !matches!(instance.state(ask.now), "running" | "stopped") {
        let message =
            format!("Instance '{}' is not in a state from which an image can be made.", instance.id);
        return Err(Refusal::new("IncorrectState", message));
    }
    let body = instance.body.read();
    let attached = super::volumes::attached_to(ask, estate, instance);
    let instance = instance.id.clone();
    free(ask, estate)?;
    let id = ask.new_id(estate, "ami-", 17);
    let mut mappings = Vec::new();
    for volume in &attached {
        let of = volume.body.read();
        let size = of.get("Size").and_then(Value::as_i64).unwrap_or(8);
        let description = format!("Created by CreateImage({instance}) for {id}");
        let encrypted = of.get("Encrypted") == Some(&Value::Bool(true));
        let mut snapshot = snapshots::make(ask, estate, &volume.id, (size, encrypted), &description);
        tag(&mut snapshot, given_tags(ask, "snapshot"));
        let attachment = of.get("Attachments").and_then(|list| list.get(0)).cloned().unwrap_or_default();
        mappings.push(json!({
            "DeviceName": attachment["Device"],
            "Ebs": {
                "SnapshotId": snapshot.id, "VolumeSize": size, "VolumeType": volume.size,
                "DeleteOnTermination": attachment["DeleteOnTermination"], "Encrypted": encrypted,
            },
        }));
        ask.add(estate, SNAPSHOTS, snapshot);
    }
    let root = body.get("RootDeviceName").cloned().unwrap_or_default();
    let architecture = body.get("Architecture").cloned().unwrap_or_default();
    make(ask, estate, &id, (&root, &architecture), &mappings);
    Ok(json!({ "ImageId": id }).into())
}

/// Refuses a name that another image has; also one that is not seen yet: names are known at once.
fn free(ask: &Ask<'_>, estate: &Estate) -> Result<(), Refusal> {
    let later = Ask { now: ask.now + ask.effects.unseen, ..*ask };
    let name = ask.need("Name");
    match later.all(estate, IMAGES).find(|image| image.body.get("Name") == name) {
        None => Ok(()),
        Some(taken) => {
            let message = format!("AMI name {name} is already in use by AMI {}", taken.id);
            Err(Refusal::new("InvalidAMIName.Duplicate", message))
        }
    }
}

/// Makes an image with the request's name.
fn make(
    ask: &Ask<'_>,
    estate: &mut Estate,
    id: &str,
    (root, architecture): (&Value, &Value),
    mappings: &[Value],
) {
    let name = ask.need("Name");
    let mut image = Thing::new(id, ask.place(), ask.now, "pending");
    image.life = Life::new(ask.now, "pending").then(COPYING, "available");
    image.body = json!({
        "Name": name, "Description": ask.text("Description").unwrap_or_default(), "Public": false,
        "Architecture": architecture, "ImageType": "machine", "RootDeviceName": root, "RootDeviceType": "ebs",
        "VirtualizationType": "hvm", "Hypervisor": "xen", "EnaSupport": true, "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances", "BlockDeviceMappings": mappings,
    })
    .into();
    tag(&mut image, given_tags(ask, "image"));
    ask.add(estate, IMAGES, image);
}

pub(super) fn copy(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let there = snapshots::source(ask, ask.need("SourceRegion"))?;
    let source = find(&there, estate, ask.need("SourceImageId"))?;
    free(ask, estate)?;
    let id = ask.new_id(estate, "ami-", 17);
    let mut mappings = source["BlockDeviceMappings"].as_array().cloned().unwrap_or_default();
    for mapping in &mut mappings {
        let size = mapping["Ebs"]["VolumeSize"].as_i64().unwrap_or(8);
        let description =
            format!("Copied for DestinationAmi {id} from SourceAmi {}", ask.need("SourceImageId"));
        let encrypted = mapping["Ebs"]["Encrypted"] == true || ask.flag("Encrypted");
        let snapshot = snapshots::make(ask, estate, "vol-ffffffff", (size, encrypted), &description);
        mapping["Ebs"]["SnapshotId"] = (*snapshot.id).into();
        mapping["Ebs"]["Encrypted"] = encrypted.into();
        ask.add(estate, SNAPSHOTS, snapshot);
    }
    make(ask, estate, &id, (&source["RootDeviceName"], &source["Architecture"]), &mappings);
    Ok(json!({ "ImageId": id }).into())
}

pub(super) fn deregister(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = IMAGE.one(ask, estate, ask.need("ImageId"))?.id.clone();
    ask.end(estate, IMAGES, &id, TimeDelta::zero());
    Ok(json!({ "Return": true }).into())
}
