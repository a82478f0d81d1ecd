//! Changing what exists at AWS.
//!
//! **How nothing is made twice.** AWS has three ways, and what each noun's calls do follows from which it has:
//!
//! | made | by |
//! | --- | --- |
//! | instances, disks, launch templates | `ClientToken`: EC2 answers a repeated call with what the first one made |
//! | images, databases and their copies, buckets, scaling groups | a name that only one can have: a repeated call is refused, and what has the name is ours if it carries the token |
//! | snapshots of disks | neither: the call is not repeated where its answer was lost, and the tag is looked for |
//!
//! In all of them the token is a tag ([`TOKEN_TAG`](marquee_clouds::changes::TOKEN_TAG)) given in the call that makes the thing, and is
//! looked for before that call: AWS forgets its own tokens a day after an instance's end. A terminated instance is
//! shown for an hour, and EC2 refuses its token for a day: within that time a change that made it is not made again. Of
//! anything else that was made and deleted since AWS tells nothing, and a beginning after that makes it anew.
//!
//! **What is seen late.** A tag on something just made may not be found for some seconds. EC2's tokens and names that are taken
//! are known at once; so then the answer is that it cannot be told yet (`Unavailable`), and never that it is someone else's.
//! For a snapshot whose answer was lost there is nothing but the tag: whoever begins again waits some seconds first, as
//! after every `Unavailable`.
//!
//! **What AWS lacks.** A restart has no token and no end that could be looked for: begun twice, it is done twice. Rules of a
//! bucket and sets of records that say more than the contract's words are not touched (`Unsupported`), for they could not be
//! brought back.
//!
//! Reading order: [`abilities`], `calls` (what all share), then a file a noun.

pub mod abilities;
mod buckets;
mod calls;
mod compute;
mod databases;
mod disks;
mod dns;
mod images;
mod lifecycle;
mod scaling;
mod tags;
mod targets;

use async_trait::async_trait;
use marquee_clouds::{Action, Change, Changes, CloudError, Progress, Ticket, Token, changes::Target};
use marquee_types::{ResourceKind, ResourceState};

use self::calls::{Calls, about, invalid};
use crate::cloud::Aws;

/// What is changed, which an action that changes something needs.
fn target(change: &Change) -> Result<&Target, CloudError> {
    let target = change.target.as_ref().ok_or_else(|| invalid("/target: say what is to be changed"))?;
    match change.action.name().on() {
        Some(kind) if kind != target.kind => {
            Err(invalid(format!("/target/kind: {} is for a {kind}", change.action.name())))
        }
        _ => Ok(target),
    }
}

#[async_trait]
impl Changes for Aws {
    async fn begin(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        let calls = Calls::of(self, change).await?;
        match &change.action {
            Action::CreateInstance(spec) => compute::create(&calls, spec, token).await,
            Action::CreateDisk(spec) => disks::create(&calls, spec, token).await,
            Action::CreateDatabase(spec) => databases::create(&calls, spec, token).await,
            Action::CreateBucket(spec) => Box::pin(buckets::create(&calls, spec, token)).await,
            Action::CreateScalingGroup(spec) => Box::pin(scaling::create(&calls, spec, token)).await,
            _ => Box::pin(begin_on(&calls, change, token)).await,
        }
    }

    async fn look(&self, change: &Change, ticket: &Ticket) -> Result<Progress, CloudError> {
        let calls = Calls::of(self, change).await?;
        if let Action::CreateScalingGroup(spec) = &change.action {
            return scaling::look_made(&calls, spec, ticket).await;
        }
        let id = about(change, ticket)?;
        match &change.action {
            Action::CreateInstance(_) => compute::look_made(&calls, id).await,
            Action::CreateImage(_) => images::look_made(&calls, id).await,
            Action::CreateDisk(_) => disks::look_made(&calls, ResourceKind::Disk, id).await,
            Action::SnapshotDisk(_) => disks::look_made(&calls, ResourceKind::Snapshot, id).await,
            Action::SnapshotDatabase(_) => {
                databases::look_made(&calls, ResourceKind::DatabaseSnapshot, id).await
            }
            Action::CreateDatabase(_)
            | Action::RestoreSnapshot(_)
            | Action::RestoreToTime(_)
            | Action::CreateReplica(_) => databases::look_made(&calls, ResourceKind::Database, id).await,
            Action::CreateBucket(spec) => Box::pin(buckets::look_made(&calls, id, spec)).await,
            _ => Box::pin(look_at(&calls, change, id, ticket)).await,
        }
    }

    async fn made(&self, change: &Change, token: &Token) -> Result<Option<String>, CloudError> {
        let calls = Calls::of(self, change).await?;
        let database = ResourceKind::Database;
        match &change.action {
            Action::CreateInstance(_) => compute::made(&calls, token).await,
            Action::CreateImage(_) => images::made(&calls, token).await,
            Action::CreateDisk(_) => disks::made(&calls, token).await,
            Action::SnapshotDisk(_) => disks::snapshot_made(&calls, token).await,
            Action::SnapshotDatabase(named) => {
                databases::made(&calls, ResourceKind::DatabaseSnapshot, &named.name, token).await
            }
            Action::CreateDatabase(spec) => databases::made(&calls, database, &spec.name, token).await,
            Action::RestoreSnapshot(spec) | Action::CreateReplica(spec) => {
                databases::made(&calls, database, &spec.name, token).await
            }
            Action::RestoreToTime(spec) => databases::made(&calls, database, &spec.name, token).await,
            Action::CreateBucket(spec) => Box::pin(buckets::made(&calls, &spec.name, token)).await,
            Action::CreateScalingGroup(spec) => scaling::made(&calls, &spec.name, token).await,
            _ => Ok(None),
        }
    }

    async fn standing(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        let calls = Calls::of(self, change).await?;
        Box::pin(standing(&calls, change)).await
    }
}

async fn standing(calls: &Calls<'_>, change: &Change) -> Result<Option<Action>, CloudError> {
    let id = change.native_id();
    match &change.action {
        Action::SetLifecycle(_) => lifecycle::standing(calls, id).await,
        Action::SetEncryption(_) => buckets::encryption(calls, id).await,
        Action::SetPublicAccess(_) => buckets::public_access(calls, id).await,
        Action::SetRecords(set) => dns::standing(calls, id, &set.key).await,
        Action::RemoveRecords(key) => dns::standing(calls, id, key).await,
        _ => Ok(None),
    }
}

/// Begins what is done to something.
async fn begin_on(calls: &Calls<'_>, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
    let target = target(change)?;
    let id = target.native_id.as_str();
    match &change.action {
        Action::StartInstance => compute::start(calls, id).await,
        Action::StopInstance => compute::stop(calls, id).await,
        Action::RebootInstance => compute::reboot(calls, id).await,
        Action::ResizeInstance(to) => compute::resize(calls, id, to).await,
        Action::TerminateInstance => compute::terminate(calls, id).await,
        Action::CreateImage(named) => images::create(calls, id, named, token).await,
        Action::DeleteImage => images::delete(calls, id).await,
        Action::AttachDisk(to) => disks::attach(calls, id, to).await,
        Action::DetachDisk(from) => disks::detach(calls, id, from).await,
        Action::GrowDisk(to) => disks::grow(calls, id, *to).await,
        Action::SnapshotDisk(named) => disks::snapshot(calls, id, named, token).await,
        Action::DeleteDisk => disks::delete(calls, id).await,
        Action::DeleteSnapshot => disks::delete_snapshot(calls, id).await,
        Action::ResizeDatabase(to) => databases::resize(calls, id, to).await,
        Action::StartDatabase => databases::start(calls, id).await,
        Action::StopDatabase => databases::stop(calls, id).await,
        Action::SnapshotDatabase(named) => databases::snapshot(calls, id, named, token).await,
        Action::RestoreSnapshot(spec) => databases::restore(calls, id, spec, token).await,
        Action::RestoreToTime(spec) => databases::restore_to_time(calls, id, spec, token).await,
        Action::CreateReplica(spec) => databases::replicate(calls, id, spec, token).await,
        Action::PromoteReplica => databases::promote(calls, id).await,
        Action::DeleteDatabase => databases::delete(calls, id).await,
        Action::DeleteDatabaseSnapshot => databases::delete_snapshot(calls, id).await,
        Action::SetScale(to) => scaling::set_scale(calls, id, *to).await,
        Action::DeleteScalingGroup => scaling::delete(calls, id).await,
        Action::RegisterTarget(instance) => targets::register(calls, id, instance).await,
        Action::DeregisterTarget(instance) => targets::deregister(calls, id, instance).await,
        _ => Box::pin(begin_setting(calls, change, target)).await,
    }
}

/// Begins to change a setting.
async fn begin_setting(calls: &Calls<'_>, change: &Change, target: &Target) -> Result<Ticket, CloudError> {
    let id = target.native_id.as_str();
    match &change.action {
        Action::SetVersioning(to) => buckets::set_versioning(calls, id, *to).await,
        Action::SetLifecycle(to) => lifecycle::set(calls, id, to).await,
        Action::SetEncryption(to) => buckets::set_encryption(calls, id, to).await,
        Action::SetPublicAccess(to) => buckets::set_public_access(calls, id, *to).await,
        Action::DeleteBucket => buckets::delete(calls, id).await,
        Action::SetRecords(to) => dns::set(calls, id, to).await,
        Action::RemoveRecords(key) => dns::remove(calls, id, key).await,
        Action::SetTags(to) => tags::set(calls, target, to).await,
        other => Err(calls::unsupported(format!("{} is not for AWS", other.name()))),
    }
}

/// Looks how far what is done to something is.
async fn look_at(
    calls: &Calls<'_>,
    change: &Change,
    id: &str,
    ticket: &Ticket,
) -> Result<Progress, CloudError> {
    use ResourceKind::{Bucket, ComputeInstance, Database, DatabaseSnapshot, Disk, ScalingGroup, Snapshot};
    match &change.action {
        Action::StartInstance => compute::look_started(calls, id).await,
        Action::RebootInstance => compute::look_state(calls, id, ResourceState::Running).await,
        Action::StopInstance => compute::look_state(calls, id, ResourceState::Stopped).await,
        Action::ResizeInstance(to) => compute::look_resized(calls, id, to).await,
        Action::TerminateInstance => calls.gone(ComputeInstance, id).await,
        Action::DeleteImage => images::look_deleted(calls, id, &ticket.handle).await,
        Action::AttachDisk(to) => disks::look_attached(calls, id, to).await,
        Action::DetachDisk(from) => disks::look_detached(calls, id, from).await,
        Action::GrowDisk(to) => disks::look_grown(calls, id, *to).await,
        Action::DeleteDisk => calls.gone(Disk, id).await,
        Action::DeleteSnapshot => calls.gone(Snapshot, id).await,
        Action::ResizeDatabase(to) => databases::look_resized(calls, id, to).await,
        Action::StartDatabase => databases::look_started(calls, id).await,
        Action::StopDatabase => databases::look_stopped(calls, id).await,
        Action::PromoteReplica => databases::look_promoted(calls, id).await,
        Action::DeleteDatabase => calls.gone(Database, id).await,
        Action::DeleteDatabaseSnapshot => calls.gone(DatabaseSnapshot, id).await,
        Action::SetScale(to) => scaling::look_scaled(calls, id, *to, &ticket.handle).await,
        Action::DeleteScalingGroup => calls.gone(ScalingGroup, id).await,
        Action::RegisterTarget(instance) => targets::look(calls, id, instance, true).await,
        Action::DeregisterTarget(instance) => targets::look(calls, id, instance, false).await,
        Action::SetVersioning(to) => Box::pin(buckets::look_versioning(calls, id, *to)).await,
        wanted @ (Action::SetLifecycle(_) | Action::SetEncryption(_) | Action::SetPublicAccess(_)) => {
            let stands = Box::pin(standing(calls, change)).await?;
            Box::pin(lifecycle::look(calls, id, wanted, stands)).await
        }
        Action::DeleteBucket => Box::pin(calls.gone(Bucket, id)).await,
        Action::SetRecords(_) | Action::RemoveRecords(_) => dns::look(calls, id, &ticket.handle).await,
        Action::SetTags(to) => Box::pin(tags::look(calls, target(change)?, to)).await,
        other => Err(calls::unsupported(format!("{} is not for AWS", other.name()))),
    }
}
