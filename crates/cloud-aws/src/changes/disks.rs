//! Disks and their snapshots. A volume is made with AWS's own token; a snapshot has none, nor a name that only one can
//! have, so the call that makes it is never repeated in doubt: the tag is looked for instead.

use marquee_clouds::{
    CloudError, ErrorKind, Observed, Progress, Ticket, Token,
    changes::spec::{Attachment, DiskSpec, Growth, Named},
};
use marquee_types::{ResourceKind, ResourceState};
use serde::Deserialize;
use serde_json::Value;

use super::calls::{
    Calls, by_token, conflict, done, extensions, invalid, marked, param, specification, working,
};
use crate::{
    query::{EC2, Params},
    xml::Node,
};

const KIND: ResourceKind = ResourceKind::Disk;

/// Devices for disks that come later, by AWS's "Device names for volumes on Amazon EC2 instances".
const DEVICES: std::ops::RangeInclusive<char> = 'f'..='p';

/// What AWS takes for a new disk where nothing is said.
const USUAL: &str = "gp3";

/// What only AWS has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Extensions {
    iops: Option<u32>,
    /// MiB a second.
    throughput: Option<u32>,
    encrypted: Option<bool>,
    kms_key_id: Option<String>,
}

/// Begins to make a disk.
pub async fn create(calls: &Calls<'_>, spec: &DiskSpec, token: &Token) -> Result<Ticket, CloudError> {
    let own: Extensions = extensions(&spec.extensions)?;
    let zone = spec.zone.as_deref().ok_or_else(|| invalid("/zone: disks lie in a zone; name it"))?;
    if let Some(id) = made(calls, token).await? {
        return Ok(Ticket::of(id));
    }
    let tags = marked(&spec.tags, Some(&spec.name), token)?;
    let mut params = vec![
        param("AvailabilityZone", zone),
        param("VolumeType", spec.storage_type.as_deref().unwrap_or(USUAL)),
        param("ClientToken", token.as_str()),
    ];
    if spec.size_gib > 0 {
        params.push(param("Size", spec.size_gib.to_string()));
    }
    if let Some(snapshot) = &spec.snapshot {
        params.push(param("SnapshotId", calls.id(ResourceKind::Snapshot, snapshot)?));
    }
    let number = |name: &str, value: Option<u32>| value.map(|value| param(name, value.to_string()));
    params.extend(number("Iops", own.iops));
    params.extend(number("Throughput", own.throughput));
    params.extend(own.encrypted.map(|encrypted| param("Encrypted", encrypted.to_string())));
    params.extend(own.kms_key_id.map(|key| param("KmsKeyId", key)));
    params.extend(specification("TagSpecification.1", "volume", &tags));
    let answer = calls.ask(&EC2, "CreateVolume", params).await?;
    let id = answer.read(|root| root.get("volumeId").map(str::to_owned))?;
    Ok(Ticket::of(calls.ec2("volume", &id)))
}

/// The disk that a token made. An instance's boot disk carries its instance's token, and is not asked for by it.
pub async fn made(calls: &Calls<'_>, token: &Token) -> Result<Option<String>, CloudError> {
    let answer = calls.ask(&EC2, "DescribeVolumes", by_token(token)).await?;
    let read = |node: Node<'_, '_>| node.get("volumeId").map(|id| calls.ec2("volume", id));
    answer.read(|root| Some(root.list("volumeSet").find_map(read)))
}

/// Whether a disk or a snapshot that was made can be used.
pub async fn look_made(
    calls: &Calls<'_>,
    kind: ResourceKind,
    native_id: &str,
) -> Result<Progress, CloudError> {
    let Some(found) = calls.see(kind, native_id).await? else { return Ok(working(None)) };
    Ok(match found.state {
        ResourceState::Available | ResourceState::InUse => done(native_id),
        ResourceState::Failed | ResourceState::Deleting | ResourceState::Deleted => {
            let raw = found.raw.to_value();
            let said = raw["statusMessage"].as_str().or(found.native_state.as_deref());
            Progress::Failed(conflict(format!("{native_id}: {}", said.unwrap_or_default())))
        }
        _ => working(Some(&found)),
    })
}

/// How a disk is attached to an instance, in AWS's word; `None` if it is not.
fn attachment(disk: &Observed, instance: &str) -> Option<String> {
    let raw = disk.raw.to_value();
    let all = raw["attachmentSet"].as_array().map_or(&[][..], Vec::as_slice);
    let of = all.iter().find(|one| one["instanceId"] == *instance)?;
    Some(of["status"].as_str().unwrap_or_default().to_owned())
}

/// Begins to attach a disk.
pub async fn attach(calls: &Calls<'_>, native_id: &str, to: &Attachment) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    let instance = calls.id(ResourceKind::ComputeInstance, &to.instance)?;
    let disk = calls.sight(KIND, native_id).await?;
    if attachment(&disk, instance).is_some_and(|status| status != "detaching") {
        return Ok(Ticket::of(native_id));
    }
    let device = match &to.device {
        Some(device) => device.clone(),
        None => free_device(calls, &to.instance, instance).await?,
    };
    let params = vec![param("VolumeId", id), param("InstanceId", instance), param("Device", device)];
    calls.ask(&EC2, "AttachVolume", params).await?;
    Ok(Ticket::of(native_id))
}

/// The first device of an instance that nothing is attached as.
async fn free_device(calls: &Calls<'_>, native_id: &str, id: &str) -> Result<String, CloudError> {
    let arn = if native_id == id { calls.ec2("instance", id) } else { native_id.to_owned() };
    let raw = calls.sight(ResourceKind::ComputeInstance, &arn).await?.raw.to_value();
    let used: Vec<&str> = raw["blockDeviceMapping"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mapping| mapping["deviceName"].as_str())
        .collect();
    // Some images name the same device with another beginning.
    let taken = |letter: char| used.iter().any(|device| device.ends_with(letter));
    let free = DEVICES.clone().find(|letter| !taken(*letter)).map(|letter| format!("/dev/sd{letter}"));
    free.ok_or_else(|| conflict(format!("{native_id} has no device left; name one")))
}

/// Whether a disk is attached.
pub async fn look_attached(
    calls: &Calls<'_>,
    native_id: &str,
    to: &Attachment,
) -> Result<Progress, CloudError> {
    let instance = calls.id(ResourceKind::ComputeInstance, &to.instance)?;
    let is = |disk: &Observed| {
        disk.state == ResourceState::InUse && attachment(disk, instance).as_deref() == Some("attached")
    };
    calls.turned(KIND, native_id, |disk| is(disk).then(|| done(native_id))).await
}

/// Begins to detach a disk; one that is not attached there is detached.
pub async fn detach(calls: &Calls<'_>, native_id: &str, from: &Attachment) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    let instance = calls.id(ResourceKind::ComputeInstance, &from.instance)?;
    let disk = calls.sight(KIND, native_id).await?;
    if attachment(&disk, instance).is_some_and(|status| status != "detaching") {
        let params = vec![param("VolumeId", id), param("InstanceId", instance)];
        calls.ask(&EC2, "DetachVolume", params).await?;
    }
    Ok(Ticket::of(native_id))
}

/// Whether a disk is not attached there any more.
pub async fn look_detached(
    calls: &Calls<'_>,
    native_id: &str,
    from: &Attachment,
) -> Result<Progress, CloudError> {
    let instance = calls.id(ResourceKind::ComputeInstance, &from.instance)?;
    let is = |disk: &Observed| attachment(disk, instance).is_none();
    calls.turned(KIND, native_id, |disk| is(disk).then(|| done(native_id))).await
}

fn gib(disk: &Observed) -> u64 {
    disk.attributes.get("size_gib").and_then(Value::as_u64).unwrap_or_default()
}

/// How a change of a disk's size stands: the size it is to have, AWS's word for it, and what it says besides.
async fn modification(
    calls: &Calls<'_>,
    id: &str,
) -> Result<Option<(u64, String, Option<String>)>, CloudError> {
    let params = vec![param("Filter.1.Name", "volume-id"), param("Filter.1.Value.1", id)];
    let answer = calls.ask(&EC2, "DescribeVolumesModifications", params).await?;
    let read = |node: Node<'_, '_>| {
        let size = node.get("targetSize")?.parse().ok()?;
        let state = node.get("modificationState").unwrap_or_default().to_owned();
        Some((size, state, node.get("statusMessage").map(str::to_owned)))
    };
    answer.read(|root| Some(root.list("volumeModificationSet").find_map(read)))
}

/// Begins to make a disk larger.
pub async fn grow(calls: &Calls<'_>, native_id: &str, to: Growth) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    let (now, wanted) = (gib(&calls.sight(KIND, native_id).await?), u64::from(to.size_gib));
    if now > wanted {
        return Err(invalid(format!("/size_gib: it has {now} GiB, and disks cannot be made smaller")));
    }
    if now == wanted {
        return Ok(Ticket::of(native_id));
    }
    // AWS shows the new size when it can be used; a second change within hours is refused.
    if let Some((size, state, _)) = modification(calls, id).await?
        && size == wanted
        && matches!(state.as_str(), "modifying" | "optimizing")
    {
        return Ok(Ticket::of(native_id));
    }
    let params = vec![param("VolumeId", id), param("Size", to.size_gib.to_string())];
    calls.ask(&EC2, "ModifyVolume", params).await?;
    Ok(Ticket::of(native_id))
}

/// Whether a disk has its size.
pub async fn look_grown(calls: &Calls<'_>, native_id: &str, to: Growth) -> Result<Progress, CloudError> {
    let wanted = u64::from(to.size_gib);
    if gib(&calls.sight(KIND, native_id).await?) >= wanted {
        return Ok(done(native_id));
    }
    let found = modification(calls, calls.id(KIND, native_id)?).await?;
    Ok(match found {
        Some((size, state, said)) if size == wanted && state == "failed" => {
            Progress::Failed(conflict(said.unwrap_or_else(|| "the change of its size failed".to_owned())))
        }
        Some((_, state, _)) => Progress::Working(state),
        None => Progress::Working("requested".to_owned()),
    })
}

/// Begins to copy a disk.
pub async fn snapshot(
    calls: &Calls<'_>,
    native_id: &str,
    named: &Named,
    token: &Token,
) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    if let Some(id) = snapshot_made(calls, token).await? {
        return Ok(Ticket::of(id));
    }
    let tags = marked(&named.tags, Some(&named.name), token)?;
    let mut params = vec![param("VolumeId", id), param("Description", &named.name)];
    params.extend(specification("TagSpecification.1", "snapshot", &tags));
    let made = calls
        .make_once(
            (&EC2, "CreateSnapshot"),
            params,
            |root| Some(calls.ec2("snapshot", root.get("snapshotId")?)),
            snapshot_made(calls, token),
        )
        .await?;
    Ok(Ticket::of(made))
}

/// The snapshot that a token made.
pub async fn snapshot_made(calls: &Calls<'_>, token: &Token) -> Result<Option<String>, CloudError> {
    let mut params: Params = by_token(token);
    params.push(param("Owner.1", "self"));
    let answer = calls.ask(&EC2, "DescribeSnapshots", params).await?;
    let read = |node: Node<'_, '_>| node.get("snapshotId").map(|id| calls.ec2("snapshot", id));
    answer.read(|root| Some(root.list("snapshotSet").find_map(read)))
}

/// Deletes a disk; one that is gone is deleted.
pub async fn delete(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let params = vec![param("VolumeId", calls.id(KIND, native_id)?)];
    forgive(calls.ask(&EC2, "DeleteVolume", params).await.map(drop), native_id)
}

/// Deletes a snapshot; one that is gone is deleted.
pub async fn delete_snapshot(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let params = vec![param("SnapshotId", calls.id(ResourceKind::Snapshot, native_id)?)];
    forgive(calls.ask(&EC2, "DeleteSnapshot", params).await.map(drop), native_id)
}

/// What is not there need not be deleted.
fn forgive(answer: Result<(), CloudError>, native_id: &str) -> Result<Ticket, CloudError> {
    match answer {
        Err(error) if error.kind != ErrorKind::NotFound => Err(error),
        _ => Ok(Ticket::of(native_id)),
    }
}
