//! The routes that change resources: one literal path and one permission for each way.

use std::collections::BTreeMap;

use marquee_clouds::{
    Action,
    changes::spec::{Attachment, Growth, Named, RestoreSpec, RestoreToTimeSpec, Scale, Size, Tags},
};
use marquee_types::{Permission, ResourceId, ResourceKind};
use serde_json::json;

use super::super::{
    actions::change::{self, change},
    wire::{
        AttachDisk, ChangeStarted, CreateResource, DetachDisk, GrowDisk, NameCopy, Protect, Protection,
        ResizeResource, Resource, RestoreResource, ScaleGroup, UpdateResource,
    },
};
use super::{bulk, settings};
use crate::{
    fault::Fault,
    http::{Call, Endpoint, NoBody, NoContent, NoQuery, Reply},
};

pub(super) type Started = Result<Reply<ChangeStarted>, Fault>;

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    let mut rows = vec![
        Endpoint::post("resources.create", "/api/cloud/resources", Permission::ResourcesCreate, create)
            .summary("Make an instance, disk, database, bucket or scaling group")
            .example(|| {
                json!({ "provider_id": "prv_…", "kind": "disk", "region": "eu-west-1",
                    "spec": { "name": "photos", "zone": "eu-west-1a", "size_gib": 100 } })
            }),
        Endpoint::patch("resources.update", "/api/cloud/resources/{id}", Permission::ResourcesUpdate, update)
            .summary("Change a resource's tags, its size, or both"),
        Endpoint::delete(
            "resources.delete",
            "/api/cloud/resources/{id}",
            Permission::ResourcesDelete,
            delete,
        )
        .summary("Terminate an instance, or delete another resource, for good"),
    ];
    rows.extend(of_instances());
    rows.extend(of_databases());
    rows.extend(of_disks());
    rows.extend(settings::routes());
    rows.extend(bulk::routes());
    let mut rows: Vec<_> = rows.into_iter().map(Endpoint::changes).collect();
    rows.extend(of_protection());
    rows
}

/// Instances, databases and scaling groups.
fn of_instances() -> Vec<Endpoint> {
    use Permission as P;
    vec![
        Endpoint::post("resources.start", "/api/cloud/resources/{id}/start", P::ResourcesStart, start)
            .summary("Start an instance or database"),
        Endpoint::post("resources.stop", "/api/cloud/resources/{id}/stop", P::ResourcesStop, stop)
            .summary("Stop an instance or database, and no longer pay for it running"),
        Endpoint::post("resources.reboot", "/api/cloud/resources/{id}/reboot", P::ResourcesReboot, reboot)
            .summary("Restart an instance's system"),
        Endpoint::post("resources.resize", "/api/cloud/resources/{id}/resize", P::ResourcesResize, resize)
            .summary("Give an instance or database another size, by name or the next of its family"),
        Endpoint::post("resources.image", "/api/cloud/resources/{id}/image", P::ResourcesSnapshot, image)
            .summary("Make an image of an instance"),
        Endpoint::post("resources.scale", "/api/cloud/resources/{id}/scale", P::ResourcesResize, scale)
            .summary("Set how many instances a scaling group has"),
    ]
}

/// Databases and their copies.
fn of_databases() -> Vec<Endpoint> {
    use Permission as P;
    vec![
        Endpoint::post(
            "resources.snapshot",
            "/api/cloud/resources/{id}/snapshot",
            P::ResourcesSnapshot,
            snapshot,
        )
        .summary("Copy a disk or database as it is now"),
        Endpoint::post(
            "resources.restore",
            "/api/cloud/resources/{id}/restore",
            P::ResourcesRestore,
            restore,
        )
        .summary("Make a new database from a copy, or as a database was at a time"),
        Endpoint::post(
            "resources.replicate",
            "/api/cloud/resources/{id}/replicate",
            P::ResourcesRestore,
            replicate,
        )
        .summary("Make a copy of a database that follows it and can be read"),
        Endpoint::post(
            "resources.promote",
            "/api/cloud/resources/{id}/promote",
            P::ResourcesRestore,
            promote,
        )
        .summary("Make a replica a database of its own"),
    ]
}

/// Disks.
fn of_disks() -> Vec<Endpoint> {
    use Permission as P;
    vec![
        Endpoint::post("resources.attach", "/api/cloud/resources/{id}/attach", P::ResourcesAttach, attach)
            .summary("Attach a disk to an instance"),
        Endpoint::post("resources.detach", "/api/cloud/resources/{id}/detach", P::ResourcesAttach, detach)
            .summary("Detach a disk from an instance"),
        Endpoint::post("resources.grow", "/api/cloud/resources/{id}/grow", P::ResourcesResize, grow)
            .summary("Make a disk larger"),
    ]
}

/// Protection.
fn of_protection() -> Vec<Endpoint> {
    use Permission as P;
    vec![
        Endpoint::get(
            "resources.protection",
            "/api/cloud/resources/{id}/protection",
            P::ResourcesRead,
            protection,
        )
        .summary("Show who protected a resource, and why"),
        Endpoint::post(
            "resources.protect",
            "/api/cloud/resources/{id}/protect",
            P::ResourcesProtect,
            protect,
        )
        .summary("Protect a resource: nothing changes it until that is lifted"),
        Endpoint::post(
            "resources.unprotect",
            "/api/cloud/resources/{id}/unprotect",
            P::ResourcesUnprotect,
            unprotect,
        )
        .summary("Lift a resource's protection")
        .no_content(),
    ]
}

pub(super) fn reply(call: &Call, started: ChangeStarted) -> Reply<ChangeStarted> {
    let location = started.operation.as_ref().map(|operation| format!("/api/operations/{}", operation.id));
    let reply = Reply::new(started);
    match location {
        Some(location) if !call.validate_only => reply.location(&location),
        _ => reply.status(http::StatusCode::OK),
    }
}

pub(super) async fn on(call: Call, action: impl FnOnce(&Resource) -> Result<Action, Fault>) -> Started {
    all_on(call, |resource| Ok(vec![action(resource)?])).await
}

/// Several changes of one resource, one after the other, or none.
async fn all_on(call: Call, actions: impl FnOnce(&Resource) -> Result<Vec<Action>, Fault>) -> Started {
    let id = call.id::<ResourceId>("resource")?;
    let started = change(&call, id, actions).await?;
    Ok(reply(&call, started))
}

/// A kind for which there is no such change.
pub(super) fn cannot(what: &str, resource: &Resource) -> Fault {
    let detail = format!("{} is a {}: such a resource cannot be {what}.", resource.name, resource.kind);
    Fault::Unprocessable { code: "unsupported_action", detail }
}

async fn create(call: Call, body: CreateResource) -> Started {
    let started = change::create(&call, body).await?;
    Ok(reply(&call, started))
}

async fn update(call: Call, body: UpdateResource) -> Started {
    if body.tags.is_empty() && body.size.is_none() {
        return Err(Fault::invalid("", "nothing is to be changed: name tags or a size"));
    }
    let tags = if body.tags.is_empty() { None } else { Some(Action::SetTags(tags(body.tags)?)) };
    let Some(size) = body.size else { return all_on(call, |_| Ok(tags.into_iter().collect())).await };
    // Who may set tags may not for that reason change what is paid for.
    call.require(Permission::ResourcesResize)?;
    let size = sized(size)?;
    all_on(call, |resource| Ok(tags.into_iter().chain([resizing(resource, size)?]).collect())).await
}

/// The most tags that a request sets or removes: what AWS and Azure let a resource have.
const MOST_TAGS: usize = 50;
/// The longest key and value, in bytes: those of Azure, which has the longest.
const LONGEST_TAG: (usize, usize) = (512, 256);

/// Tags to be set, and those without a value to be removed.
pub(super) fn tags(wanted: BTreeMap<String, Option<String>>) -> Result<Tags, Fault> {
    if wanted.is_empty() {
        return Err(Fault::invalid("/tags", "nothing is to be changed"));
    }
    // No vendor has more, or longer ones; and in bulk they are written down once for each resource.
    if wanted.len() > MOST_TAGS || wanted.keys().any(|key| key.is_empty() || key.len() > LONGEST_TAG.0) {
        let detail = format!("must be at most {MOST_TAGS}, with keys of 1 to {} bytes", LONGEST_TAG.0);
        return Err(Fault::invalid("/tags", detail));
    }
    let mut tags = Tags::default();
    for (key, value) in wanted {
        if value.as_ref().is_some_and(|value| value.len() > LONGEST_TAG.1) {
            let pointer = format!("/tags/{}", key.replace('~', "~0").replace('/', "~1"));
            return Err(Fault::invalid(pointer, format!("must have at most {} bytes", LONGEST_TAG.1)));
        }
        match value {
            Some(value) => drop(tags.set.insert(key, value)),
            None => tags.remove.push(key),
        }
    }
    Ok(tags)
}

async fn delete(call: Call) -> Started {
    on(call, deletion).await
}

/// What ends a resource for good.
pub(super) fn deletion(resource: &Resource) -> Result<Action, Fault> {
    Ok(match resource.kind {
        ResourceKind::ComputeInstance => Action::TerminateInstance,
        ResourceKind::Disk => Action::DeleteDisk,
        ResourceKind::Snapshot => Action::DeleteSnapshot,
        ResourceKind::Image => Action::DeleteImage,
        ResourceKind::Database => Action::DeleteDatabase,
        ResourceKind::DatabaseSnapshot => Action::DeleteDatabaseSnapshot,
        ResourceKind::Bucket => Action::DeleteBucket,
        ResourceKind::ScalingGroup => Action::DeleteScalingGroup,
        _ => return Err(cannot("deleted by Marquee", resource)),
    })
}

async fn start(call: Call, _: NoBody) -> Started {
    on(call, starting).await
}

/// What starts it.
pub(super) fn starting(resource: &Resource) -> Result<Action, Fault> {
    match resource.kind {
        ResourceKind::ComputeInstance => Ok(Action::StartInstance),
        ResourceKind::Database => Ok(Action::StartDatabase),
        _ => Err(cannot("started", resource)),
    }
}

async fn stop(call: Call, _: NoBody) -> Started {
    on(call, stopping).await
}

/// What stops it.
pub(super) fn stopping(resource: &Resource) -> Result<Action, Fault> {
    match resource.kind {
        ResourceKind::ComputeInstance => Ok(Action::StopInstance),
        ResourceKind::Database => Ok(Action::StopDatabase),
        _ => Err(cannot("stopped", resource)),
    }
}

async fn reboot(call: Call, _: NoBody) -> Started {
    on(call, rebooting).await
}

/// What restarts it.
pub(super) fn rebooting(resource: &Resource) -> Result<Action, Fault> {
    match resource.kind {
        ResourceKind::ComputeInstance => Ok(Action::RebootInstance),
        _ => Err(cannot("rebooted", resource)),
    }
}

async fn resize(call: Call, body: ResizeResource) -> Started {
    match (body.size, body.step) {
        (Some(size), None) => {
            let size = sized(size)?;
            on(call, |resource| resizing(resource, size)).await
        }
        (None, Some(direction)) => {
            let id = call.id::<ResourceId>("resource")?;
            let resize = |resource: &Resource, size| resizing(resource, Size { size });
            let started = change::step_size(&call, id, direction, resize).await?;
            Ok(reply(&call, started))
        }
        _ => Err(Fault::invalid("/size", "either `size` or `step` says which")),
    }
}

fn sized(size: String) -> Result<Size, Fault> {
    if size.is_empty() || size.len() > 200 {
        return Err(Fault::invalid("/size", "must have 1 to 200 characters"));
    }
    Ok(Size { size })
}

fn resizing(resource: &Resource, size: Size) -> Result<Action, Fault> {
    match resource.kind {
        ResourceKind::ComputeInstance => Ok(Action::ResizeInstance(size)),
        ResourceKind::Database => Ok(Action::ResizeDatabase(size)),
        _ => Err(cannot("resized; disks are grown, and scaling groups scaled", resource)),
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.trim().is_empty() || name.len() > 200 {
        return Err(Fault::invalid("/name", "must have 1 to 200 characters"));
    }
    Ok(())
}

fn named(body: NameCopy) -> Result<Named, Fault> {
    check_name(&body.name)?;
    Ok(Named { name: body.name, tags: body.tags })
}

async fn snapshot(call: Call, body: NameCopy) -> Started {
    let named = named(body)?;
    on(call, |resource| match resource.kind {
        ResourceKind::Disk => Ok(Action::SnapshotDisk(named)),
        ResourceKind::Database => Ok(Action::SnapshotDatabase(named)),
        _ => Err(cannot("copied so", resource)),
    })
    .await
}

async fn image(call: Call, body: NameCopy) -> Started {
    let named = named(body)?;
    on(call, |resource| match resource.kind {
        ResourceKind::ComputeInstance => Ok(Action::CreateImage(named)),
        _ => Err(cannot("made an image of", resource)),
    })
    .await
}

async fn restore(call: Call, body: RestoreResource) -> Started {
    check_name(&body.name)?;
    on(call, |resource| match (resource.kind, body.time) {
        (ResourceKind::DatabaseSnapshot, None) => {
            Ok(Action::RestoreSnapshot(RestoreSpec { name: body.name, size: body.size, tags: body.tags }))
        }
        (ResourceKind::DatabaseSnapshot, Some(_)) => Err(Fault::invalid("/time", "a copy has only one time")),
        (ResourceKind::Database, Some(time)) => Ok(Action::RestoreToTime(RestoreToTimeSpec {
            time,
            name: body.name,
            size: body.size,
            tags: body.tags,
        })),
        (ResourceKind::Database, None) => Err(Fault::invalid("/time", "as it was at which time?")),
        _ => Err(cannot("restored", resource)),
    })
    .await
}

async fn replicate(call: Call, body: RestoreResource) -> Started {
    check_name(&body.name)?;
    if body.time.is_some() {
        return Err(Fault::invalid("/time", "a replica is always as its origin is"));
    }
    on(call, |resource| match resource.kind {
        ResourceKind::Database => {
            Ok(Action::CreateReplica(RestoreSpec { name: body.name, size: body.size, tags: body.tags }))
        }
        _ => Err(cannot("replicated", resource)),
    })
    .await
}

async fn promote(call: Call, _: NoBody) -> Started {
    on(call, |resource| match resource.kind {
        ResourceKind::Database => Ok(Action::PromoteReplica),
        _ => Err(cannot("promoted", resource)),
    })
    .await
}

async fn attach(call: Call, body: AttachDisk) -> Started {
    let (provider, instance) = change::instance(&call, call.id("resource")?, body.instance_id).await?;
    on(call, |resource| match resource.kind {
        ResourceKind::Disk if resource.provider_id == provider => {
            Ok(Action::AttachDisk(Attachment { instance, device: body.device }))
        }
        ResourceKind::Disk => Err(Fault::invalid("/instance_id", "is of another provider")),
        _ => Err(cannot("attached", resource)),
    })
    .await
}

async fn detach(call: Call, body: DetachDisk) -> Started {
    let (_, instance) = change::instance(&call, call.id("resource")?, body.instance_id).await?;
    on(call, |resource| match resource.kind {
        ResourceKind::Disk => Ok(Action::DetachDisk(Attachment { instance, device: None })),
        _ => Err(cannot("detached", resource)),
    })
    .await
}

async fn grow(call: Call, body: GrowDisk) -> Started {
    on(call, |resource| match resource.kind {
        ResourceKind::Disk => Ok(Action::GrowDisk(Growth { size_gib: body.size_gib })),
        _ => Err(cannot("grown", resource)),
    })
    .await
}

async fn scale(call: Call, body: ScaleGroup) -> Started {
    let scale = Scale { min: body.min, desired: body.desired, max: body.max };
    if scale == Scale::default() {
        return Err(Fault::invalid("", "name at least one of: min, desired, max"));
    }
    let given: Vec<u32> = [scale.min, scale.desired, scale.max].into_iter().flatten().collect();
    if !given.is_sorted() {
        return Err(Fault::invalid("", "min, desired and max must not fall"));
    }
    on(call, |resource| match resource.kind {
        ResourceKind::ScalingGroup => Ok(Action::SetScale(scale)),
        _ => Err(cannot("scaled", resource)),
    })
    .await
}

async fn protection(call: Call, _: NoQuery) -> Result<Reply<Protection>, Fault> {
    let id = call.id("resource")?;
    Ok(Reply::new(change::protection(&call, id).await?))
}

async fn protect(call: Call, body: Protect) -> Result<Reply<Protection>, Fault> {
    let id = call.id("resource")?;
    Ok(Reply::new(change::protect(&call, id, body).await?))
}

async fn unprotect(call: Call, _: NoBody) -> Result<Reply<NoContent>, Fault> {
    let id = call.id("resource")?;
    change::unprotect(&call, id).await?;
    Ok(Reply::new(NoContent))
}
