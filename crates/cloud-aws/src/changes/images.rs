//! Images of instances, and the snapshots that they are made of.
//!
//! AWS has no token for an image, but only one can have a name in a region: so the call may be repeated, and a name that is
//! taken is ours if its image carries the token. Instances are not restarted for it: what their systems hold in memory is
//! not in the image; whoever wants that stops them first.

use std::collections::BTreeSet;

use marquee_clouds::{CloudError, ErrorKind, Progress, Ticket, Token, changes::spec::Named};
use marquee_types::{ResourceKind, ResourceState};
use serde_json::{Value, json};

use super::calls::{
    Calls, by_token, conflict, done, invalid, marked, param, specification, taken, unseen, working,
};
use crate::{query::EC2, xml::Node};

const KIND: ResourceKind = ResourceKind::Image;

/// What stands before the image's id in the description of a snapshot that AWS makes along with it.
const MADE_ALONG: &[&str] = &[") for ", "Copied for DestinationAmi "];

/// The image that a snapshot was made along with: others were there before, or are for another image.
fn made_along(description: &str) -> Option<&str> {
    let known = description.starts_with("Created by CreateImage(") || description.starts_with(MADE_ALONG[1]);
    let start = MADE_ALONG.iter().find_map(|before| Some(description.find(before)? + before.len()))?;
    description[start..].split(' ').next().filter(|image| known && !image.is_empty())
}

/// Begins to make an image of an instance.
pub async fn create(
    calls: &Calls<'_>,
    native_id: &str,
    named: &Named,
    token: &Token,
) -> Result<Ticket, CloudError> {
    let instance = calls.id(ResourceKind::ComputeInstance, native_id)?;
    if named.name.is_empty() {
        return Err(invalid("/name: an image needs a name"));
    }
    if let Some(id) = made(calls, token).await? {
        return Ok(Ticket::of(id));
    }
    let tags = marked(&named.tags, Some(&named.name), token)?;
    let mut params =
        vec![param("InstanceId", instance), param("Name", &named.name), param("NoReboot", "true")];
    params.extend(specification("TagSpecification.1", "image", &tags));
    params.extend(specification("TagSpecification.2", "snapshot", &tags));
    match calls.ask(&EC2, "CreateImage", params).await {
        Ok(answer) => {
            let id = answer.read(|root| root.get("imageId").map(str::to_owned))?;
            Ok(Ticket::of(calls.ec2("image", &id)))
        }
        Err(error) if error.code.as_deref() == Some("InvalidAMIName.Duplicate") => {
            whose(calls, &named.name, token).await
        }
        Err(error) => Err(error),
    }
}

/// Whether the image of a name is this change's.
async fn whose(calls: &Calls<'_>, name: &str, token: &Token) -> Result<Ticket, CloudError> {
    if let Some(id) = made(calls, token).await? {
        return Ok(Ticket::of(id));
    }
    let params =
        vec![param("Owner.1", "self"), param("Filter.1.Name", "name"), param("Filter.1.Value.1", name)];
    let answer = calls.ask(&EC2, "DescribeImages", params).await?;
    let seen = answer.read(|root| Some(root.list("imagesSet").next().is_some()))?;
    let what = format!("the name {name}");
    Err(if seen { taken(&what) } else { unseen(&what) })
}

/// The image that a token made.
pub async fn made(calls: &Calls<'_>, token: &Token) -> Result<Option<String>, CloudError> {
    let mut params = by_token(token);
    params.push(param("Owner.1", "self"));
    let answer = calls.ask(&EC2, "DescribeImages", params).await?;
    let read = |node: Node<'_, '_>| node.get("imageId").map(|id| calls.ec2("image", id));
    answer.read(|root| Some(root.list("imagesSet").find_map(read)))
}

/// Whether an image can be used.
pub async fn look_made(calls: &Calls<'_>, native_id: &str) -> Result<Progress, CloudError> {
    let Some(found) = calls.see(KIND, native_id).await? else { return Ok(working(None)) };
    Ok(match found.state {
        ResourceState::Available => done(native_id),
        ResourceState::Pending => working(Some(&found)),
        _ => {
            let raw = found.raw.to_value();
            let said = raw["stateReason"]["message"].as_str().or(found.native_state.as_deref());
            Progress::Failed(conflict(format!("{native_id}: {}", said.unwrap_or_default())))
        }
    })
}

/// Begins to delete an image. Its snapshots cannot be deleted before it, and are found again after it by what AWS wrote
/// down when it made them, so that a beginning that was cut short is taken up.
pub async fn delete(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let image = calls.id(KIND, native_id)?;
    let snapshots = along(calls, image).await?;
    if calls.see(KIND, native_id).await?.is_some() {
        match calls.ask(&EC2, "DeregisterImage", vec![param("ImageId", image)]).await {
            Err(error) if error.kind != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for snapshot in &snapshots {
        drop_snapshot(calls, snapshot).await?;
    }
    Ok(Ticket::with(Some(native_id.to_owned()), json!({ "snapshots": snapshots })))
}

/// The account's snapshots that were made along with an image.
async fn along(calls: &Calls<'_>, image: &str) -> Result<BTreeSet<String>, CloudError> {
    let params = vec![
        param("Owner.1", "self"),
        param("Filter.1.Name", "description"),
        param("Filter.1.Value.1", format!("*{image}*")),
    ];
    let answer = calls.ask(&EC2, "DescribeSnapshots", params).await?;
    let read = |node: Node<'_, '_>| {
        let ours = made_along(node.get("description")?) == Some(image);
        ours.then(|| node.get("snapshotId").map(str::to_owned)).flatten()
    };
    answer.read(|root| Some(root.list("snapshotSet").filter_map(read).collect()))
}

/// Deletes a snapshot, unless another image is made of it too, or the image is not quite gone yet.
async fn drop_snapshot(calls: &Calls<'_>, id: &str) -> Result<(), CloudError> {
    match calls.ask(&EC2, "DeleteSnapshot", vec![param("SnapshotId", id)]).await {
        Err(error) if !matches!(error.kind, ErrorKind::NotFound | ErrorKind::Conflict) => Err(error),
        _ => Ok(()),
    }
}

/// Whether an image is gone with its snapshots. Those that AWS would not yet delete are deleted now.
pub async fn look_deleted(
    calls: &Calls<'_>,
    native_id: &str,
    handle: &Value,
) -> Result<Progress, CloudError> {
    if let Some(found) = calls.see(KIND, native_id).await?
        && found.state != ResourceState::Deleted
    {
        return Ok(working(Some(&found)));
    }
    let snapshots = handle["snapshots"].as_array().map_or(&[][..], Vec::as_slice);
    for id in snapshots.iter().filter_map(Value::as_str) {
        let arn = calls.ec2("snapshot", id);
        if calls.see(ResourceKind::Snapshot, &arn).await?.is_none() || used(calls, id).await? {
            continue;
        }
        drop_snapshot(calls, id).await?;
        return Ok(Progress::Working(format!("deleting {id}")));
    }
    Ok(done(native_id))
}

/// Whether an image is made of a snapshot.
async fn used(calls: &Calls<'_>, snapshot: &str) -> Result<bool, CloudError> {
    let params = vec![
        param("Owner.1", "self"),
        param("Filter.1.Name", "block-device-mapping.snapshot-id"),
        param("Filter.1.Value.1", snapshot),
    ];
    let answer = calls.ask(&EC2, "DescribeImages", params).await?;
    answer.read(|root| Some(root.list("imagesSet").next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::made_along;

    #[test]
    fn only_an_images_own_snapshots_are_its() {
        for (description, image) in [
            ("Created by CreateImage(i-1) for ami-2", Some("ami-2")),
            ("Created by CreateImage(i-1) for ami-2 from vol-3", Some("ami-2")),
            ("Copied for DestinationAmi ami-2 from SourceAmi ami-1 for SourceSnapshot snap-1", Some("ami-2")),
            ("before the migration of ami-2", None),
            ("(nightly) for ami-2", None),
            ("", None),
        ] {
            assert_eq!(made_along(description), image, "{description}");
        }
    }
}
