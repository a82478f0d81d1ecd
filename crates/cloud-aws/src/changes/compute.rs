//! Instances: made by one call with the token, ended with what was made along with them.

use marquee_clouds::{
    CloudError, ErrorKind, Observed, Progress, Ticket, Token,
    changes::spec::{InstanceSpec, Size},
};
use marquee_types::{ResourceKind, ResourceState};
use serde::Deserialize;

use super::calls::{
    Calls, by_token, conflict, done, extensions, invalid, marked, param, specification, working,
};
use crate::{
    error::{CLOUD, kind_of},
    query::{EC2, Params},
    xml::Node,
};

const KIND: ResourceKind = ResourceKind::ComputeInstance;

/// What only AWS has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extensions {
    /// The name of a key pair that may log in.
    key_name: Option<String>,
    /// The name or the ARN of an instance profile.
    iam_instance_profile: Option<String>,
    /// The kind of storage of the boot disk.
    volume_type: Option<String>,
    /// Whether its way to disks is its own.
    ebs_optimized: Option<bool>,
    /// The subnets of a scaling group, instead of one.
    pub subnets: Vec<String>,
}

/// The disks of an image that instances are launched from: the root's device, and all of them.
struct Disks {
    root: String,
    devices: Vec<ImageDisk>,
}

struct ImageDisk {
    device: String,
    /// Whether it goes with its instance, by what the image says.
    goes: bool,
}

/// Begins to make an instance.
pub async fn create(calls: &Calls<'_>, spec: &InstanceSpec, token: &Token) -> Result<Ticket, CloudError> {
    let own: Extensions = extensions(&spec.extensions)?;
    if !own.subnets.is_empty() {
        return Err(invalid("/extensions/subnets: an instance lies in one subnet"));
    }
    // AWS keeps its own tokens for a day after an instance's end; the tag is looked for besides.
    match with_token(calls, token).await? {
        Some((id, true)) => return Ok(Ticket::of(id)),
        Some((id, false)) => {
            return Err(conflict(format!("this change made {id}, which was terminated since")));
        }
        None => {}
    }
    let tags = marked(&spec.tags, Some(&spec.name), token)?;
    let mut params = launch(calls, "", spec, &own).await?;
    if let Some(subnet) = &spec.subnet {
        let subnet = calls.id(ResourceKind::Subnet, subnet)?;
        params.push(param("NetworkInterface.1.SubnetId", subnet));
    }
    if let Some(zone) = &spec.zone {
        params.push(param("Placement.AvailabilityZone", zone));
    }
    params.extend([param("MinCount", "1"), param("MaxCount", "1"), param("ClientToken", token.as_str())]);
    params.extend(specification("TagSpecification.1", "instance", &tags));
    params.extend(specification("TagSpecification.2", "volume", &tags));
    let answer = calls.ask(&EC2, "RunInstances", params).await?;
    let id = answer.read(|root| root.list("instancesSet").next()?.get("instanceId").map(str::to_owned))?;
    Ok(Ticket::of(calls.ec2("instance", &id)))
}

/// What instances are launched with, alone and in a group: parameters below `prefix`.
pub async fn launch(
    calls: &Calls<'_>,
    prefix: &str,
    spec: &InstanceSpec,
    own: &Extensions,
) -> Result<Params, CloudError> {
    if spec.ssh_key.is_some() {
        let message = "/ssh_key: AWS takes keys as key pairs; name one in the extension key_name";
        return Err(invalid(message));
    }
    let image = calls.id(ResourceKind::Image, &spec.image)?;
    let disks = disks(calls, image).await?;
    let at = |name: &str| format!("{prefix}{name}");
    let mut params = vec![
        param(at("ImageId"), image),
        param(at("InstanceType"), &spec.size),
        param(at("NetworkInterface.1.DeviceIndex"), "0"),
        param(at("NetworkInterface.1.DeleteOnTermination"), "true"),
        // Said either way: a subnet may give addresses to whoever says nothing.
        param(at("NetworkInterface.1.AssociatePublicIpAddress"), spec.public_ip.to_string()),
    ];
    for (index, group) in spec.security_groups.iter().enumerate() {
        let group = calls.id(ResourceKind::SecurityGroup, group)?;
        params.push(param(at(&format!("NetworkInterface.1.SecurityGroupId.{}", index + 1)), group));
    }
    let mut mappings = Vec::new();
    for disk in &disks.devices {
        let mut mapping = Params::new();
        if !disk.goes {
            // Whatever the image says: what comes along with an instance goes with it.
            mapping.push(param("Ebs.DeleteOnTermination", "true"));
        }
        if disk.device == disks.root {
            mapping.extend(spec.boot_disk_gib.map(|gib| param("Ebs.VolumeSize", gib.to_string())));
            mapping.extend(own.volume_type.as_ref().map(|kind| param("Ebs.VolumeType", kind)));
        }
        if !mapping.is_empty() {
            mapping.push(param("DeviceName", &disk.device));
            mappings.push(mapping);
        }
    }
    for (index, mapping) in mappings.into_iter().enumerate() {
        let at = at(&format!("BlockDeviceMapping.{}", index + 1));
        params.extend(mapping.into_iter().map(|(name, value)| (format!("{at}.{name}"), value)));
    }
    if let Some(name) = &own.key_name {
        params.push(param(at("KeyName"), name));
    }
    if let Some(profile) = &own.iam_instance_profile {
        let member = if profile.starts_with("arn:") { "Arn" } else { "Name" };
        params.push(param(at(&format!("IamInstanceProfile.{member}")), profile));
    }
    if let Some(optimized) = own.ebs_optimized {
        params.push(param(at("EbsOptimized"), optimized.to_string()));
    }
    Ok(params)
}

/// The disks of an image.
async fn disks(calls: &Calls<'_>, image: &str) -> Result<Disks, CloudError> {
    let answer = calls.ask(&EC2, "DescribeImages", vec![param("ImageId.1", image)]).await?;
    let device = |node: Node<'_, '_>| {
        let goes = node.child("ebs")?.get("deleteOnTermination") == Some("true");
        Some(ImageDisk { device: node.get("deviceName")?.to_owned(), goes })
    };
    answer.read(|root| {
        let image = root.list("imagesSet").next()?;
        let root = image.get("rootDeviceName").unwrap_or_default().to_owned();
        Some(Disks { root, devices: image.list("blockDeviceMapping").filter_map(device).collect() })
    })
}

/// The instance with a token, and whether it lives.
async fn with_token(calls: &Calls<'_>, token: &Token) -> Result<Option<(String, bool)>, CloudError> {
    let answer = calls.ask(&EC2, "DescribeInstances", by_token(token)).await?;
    let read = |node: Node<'_, '_>| {
        let state = node.get_in("instanceState", "name").unwrap_or_default();
        let lives = !matches!(state, "shutting-down" | "terminated");
        Some((calls.ec2("instance", node.get("instanceId")?), lives))
    };
    answer.read(|root| {
        let all = root.list("reservationSet").flat_map(|reservation| reservation.list("instancesSet"));
        // One that lives before one that does not.
        Some(all.filter_map(read).max_by_key(|(_, lives)| *lives))
    })
}

/// What a token made, if it lives.
pub async fn made(calls: &Calls<'_>, token: &Token) -> Result<Option<String>, CloudError> {
    Ok(with_token(calls, token).await?.filter(|(_, lives)| *lives).map(|(id, _)| id))
}

/// One of the calls that need no more than the instance's id, and may be made again.
async fn tell(calls: &Calls<'_>, action: &'static str, native_id: &str) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    calls.ask(&EC2, action, vec![param("InstanceId.1", id)]).await?;
    Ok(Ticket::of(native_id))
}

/// Begins to start an instance.
pub async fn start(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    tell(calls, "StartInstances", native_id).await
}

/// Begins to stop an instance.
pub async fn stop(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    tell(calls, "StopInstances", native_id).await
}

/// Restarts an instance's system.
pub async fn reboot(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    tell(calls, "RebootInstances", native_id).await
}

/// Begins to end an instance; one that is gone has ended.
pub async fn terminate(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    match tell(calls, "TerminateInstances", native_id).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(Ticket::of(native_id)),
        told => told,
    }
}

/// Gives a stopped instance another size.
pub async fn resize(calls: &Calls<'_>, native_id: &str, to: &Size) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    if calls.sight(KIND, native_id).await?.size.as_ref() != Some(&to.size) {
        let params = vec![param("InstanceId", id), param("InstanceType.Value", &to.size)];
        calls.ask(&EC2, "ModifyInstanceAttribute", params).await?;
    }
    Ok(Ticket::of(native_id))
}

/// Whether an instance that was made runs.
pub async fn look_made(calls: &Calls<'_>, native_id: &str) -> Result<Progress, CloudError> {
    let Some(found) = calls.see(KIND, native_id).await? else { return Ok(working(None)) };
    Ok(match found.state {
        ResourceState::Running => done(native_id),
        ResourceState::Pending => working(Some(&found)),
        _ => Progress::Failed(reason(&found).unwrap_or_else(|| {
            conflict(format!("{native_id} is {}", found.native_state.as_deref().unwrap_or_default()))
        })),
    })
}

/// Whether an instance that was started runs.
pub async fn look_started(calls: &Calls<'_>, native_id: &str) -> Result<Progress, CloudError> {
    calls
        .turned(KIND, native_id, |found| match found.state {
            ResourceState::Running => Some(done(native_id)),
            ResourceState::Stopped => reason(found).filter(is_of_launch).map(Progress::Failed),
            ResourceState::Deleting => Some(Progress::Failed(conflict("it was terminated meanwhile"))),
            _ => None,
        })
        .await
}

/// Whether an instance is in a state.
pub async fn look_state(
    calls: &Calls<'_>,
    native_id: &str,
    wanted: ResourceState,
) -> Result<Progress, CloudError> {
    calls.turned(KIND, native_id, |found| (found.state == wanted).then(|| done(native_id))).await
}

/// Whether an instance has a size.
pub async fn look_resized(calls: &Calls<'_>, native_id: &str, to: &Size) -> Result<Progress, CloudError> {
    let has = |found: &Observed| found.size.as_ref() == Some(&to.size);
    calls.turned(KIND, native_id, |found| has(found).then(|| done(native_id))).await
}

/// Why AWS itself ended or stopped an instance, in its words: `Server.InsufficientInstanceCapacity`.
fn reason(found: &Observed) -> Option<CloudError> {
    let raw = found.raw.to_value();
    let text = |name: &str| raw["stateReason"][name].as_str().map(str::to_owned);
    let code = text("code")?;
    let word = code.split_once('.').map_or(code.as_str(), |(_, word)| word);
    let message = text("message").unwrap_or_else(|| code.clone());
    Some(CloudError::new(CLOUD, "changes:Look", kind_of(word, 400), message).with_code(code.clone()))
}

/// Whether a reason is one that an instance does not start for, and not that somebody stopped it.
fn is_of_launch(reason: &CloudError) -> bool {
    let code = reason.code.as_deref().unwrap_or_default();
    !code.ends_with("UserInitiatedShutdown")
        && !code.ends_with("UserInitiatedHibernate")
        && !code.ends_with("InstanceInitiatedShutdown")
        && !code.ends_with("ScheduledStop")
}
