//! How far a change is: what goes on says so first, then the thing's own provisioning state, and in the end the inventory,
//! which has to see it as wanted.

use marquee_clouds::{
    Action, Change, CloudError, ErrorKind, Observed, Progress, Ticket, changes::spec::BucketSpec,
    layers::Tally,
};
use marquee_types::{
    ResourceKind,
    ResourceState::{Available, InUse, Running, Stopped},
    resource::Relation,
};
use serde_json::Value;

use super::{conflict, invalid, noun, tags};
use crate::{
    arm::{Follow, Followed, Read},
    cloud::Azure,
    error::{CLOUD, kind_of},
    inventory::compute::{MACHINES, STATUS},
};

impl Azure {
    pub(super) async fn progress(&self, change: &Change, ticket: &Ticket) -> Result<Progress, CloudError> {
        let id = ticket.native_id.as_deref().unwrap_or(change.native_id());
        super::place::refuse_id(id)?;
        if !ticket.handle.is_null() {
            let follow: Follow = serde_json::from_value(ticket.handle.clone())
                .map_err(|_| invalid("the ticket is not one of this adapter's"))?;
            match self.arm.follow(&follow).await? {
                Followed::Working(word) => return Ok(Progress::Working(word)),
                Followed::Failed(error) => return Ok(Progress::Failed(error)),
                Followed::Over => {}
            }
        }
        match &change.action {
            Action::SetLifecycle(_) | Action::SetEncryption(_) | Action::SetPublicAccess(_) => {
                let standing = <Self as marquee_clouds::Changes>::standing(self, change).await?;
                Ok(settled(id, standing.as_ref() == Some(&change.action)))
            }
            Action::SetRecords(set) => Ok(settled(id, self.records_are(change, set).await?)),
            Action::RemoveRecords(key) => Ok(settled(id, self.records_of(change, key).await?.is_none())),
            Action::RegisterTarget(target) => Ok(settled(id, self.is_in_pool(id, target).await?)),
            Action::DeregisterTarget(target) => Ok(settled(id, !self.is_in_pool(id, target).await?)),
            action if ends(action) => self.ended(change, id).await,
            _ => self.reached(change, id).await,
        }
    }

    async fn ended(&self, change: &Change, id: &str) -> Result<Progress, CloudError> {
        let kind = change.target.as_ref().map_or(ResourceKind::ComputeInstance, |target| target.kind);
        let there = self.see(kind, id).await?;
        Ok(match there {
            None => done(id),
            Some(there) => working(there.native_state.unwrap_or_else(|| "still there".to_owned())),
        })
    }

    /// Of what is to be there, as wanted.
    async fn reached(&self, change: &Change, id: &str) -> Result<Progress, CloudError> {
        let makes = change.action.name().makes();
        let kind = makes.or_else(|| change.target.as_ref().map(|target| target.kind));
        let kind = kind.ok_or_else(|| invalid("the change is about nothing"))?;
        let there = match noun(kind) {
            Some(noun) => self.there(noun.get, id).await?,
            // Its tags are changed at once, and the inventory looks.
            None => Some(Value::Null),
        };
        let Some(there) = there else {
            if makes.is_some() {
                return Ok(working("it is not to be seen yet"));
            }
            let message = format!("{id} is not there any more");
            return Ok(Progress::Failed(super::refused(ErrorKind::NotFound, message)));
        };
        let state = there["properties"]["provisioningState"].as_str().unwrap_or_default();
        let failed = matches!(state, "Failed" | "Canceled");
        if makes.is_some() && failed {
            return Ok(Progress::Failed(self.reason(kind, id, state).await?));
        }
        if makes.is_some() && state == "Deleting" {
            return Ok(Progress::Failed(conflict(format!("{id} is being deleted"))));
        }
        if !matches!(state, "" | "Succeeded") && !failed {
            return Ok(working(state));
        }
        let Some(seen) = self.see(kind, id).await? else { return Ok(working("it is not to be seen yet")) };
        if is_as_wanted(change, &seen) && self.has_settled(&change.action).await? {
            return Ok(done(id));
        }
        if let Action::CreateBucket(BucketSpec { versioning: true, .. }) = change.action {
            self.versions(id, true).await?;
            return Ok(working("its blobs are told to keep their versions"));
        }
        if failed && change.action.name() != marquee_clouds::ActionName::SetTags {
            return Ok(Progress::Failed(self.reason(kind, id, state).await?));
        }
        Ok(working(seen.native_state.unwrap_or_else(|| "not as wanted yet".to_owned())))
    }

    /// Whether the machine that a disk is attached to or detached from has been changed.
    async fn has_settled(&self, action: &Action) -> Result<bool, CloudError> {
        let (Action::AttachDisk(at) | Action::DetachDisk(at)) = action else { return Ok(true) };
        let machine = self.there(&MACHINES.get, &at.instance).await?;
        Ok(machine.is_none_or(|machine| machine["properties"]["provisioningState"] != "Updating"))
    }

    /// Why a thing is as it is, if it says so.
    async fn reason(&self, kind: ResourceKind, id: &str, state: &str) -> Result<CloudError, CloudError> {
        if kind == ResourceKind::ComputeInstance {
            let view = self.said(&STATUS, id).await?;
            let statuses = view["statuses"].as_array().into_iter().flatten();
            let failed = |status: &Value| {
                let code = status["code"].as_str()?.strip_prefix("ProvisioningState/failed/")?.to_owned();
                let words = ["message", "displayStatus"].iter().find_map(|name| status[*name].as_str());
                Some((code, words.unwrap_or("no explanation").to_owned()))
            };
            if let Some((code, words)) = statuses.into_iter().find_map(failed) {
                let kind = kind_of(&code, 409, &words);
                let error = CloudError::new(CLOUD, "Microsoft.Compute:VirtualMachines", kind, words);
                return Ok(error.with_code(code));
            }
        }
        Ok(conflict(format!("Azure says that its last change has {}, and not why", state.to_lowercase())))
    }

    async fn said(&self, read: &Read, id: &str) -> Result<Value, CloudError> {
        self.arm.get(read, id, &Tally::default()).await
    }
}

fn done(id: &str) -> Progress {
    Progress::Done { native_id: id.to_owned() }
}

fn working(word: impl Into<String>) -> Progress {
    Progress::Working(word.into())
}

fn settled(id: &str, as_wanted: bool) -> Progress {
    if as_wanted { done(id) } else { working("not as wanted yet") }
}

/// Whether an action ends what it is done to.
fn ends(action: &Action) -> bool {
    matches!(
        action,
        Action::TerminateInstance
            | Action::DeleteImage
            | Action::DeleteDisk
            | Action::DeleteSnapshot
            | Action::DeleteDatabase
            | Action::DeleteDatabaseSnapshot
            | Action::DeleteBucket
            | Action::DeleteScalingGroup
    )
}

/// Whether a thing is what a change wants it to be.
fn is_as_wanted(change: &Change, seen: &Observed) -> bool {
    let sized = |size: &str| seen.size.as_deref().is_some_and(|now| now.eq_ignore_ascii_case(size));
    let related = |relation, target: &str| {
        let is = |one: &marquee_clouds::ObservedRelation| {
            one.relation == relation && one.target.eq_ignore_ascii_case(target)
        };
        seen.relations.iter().any(is)
    };
    match &change.action {
        Action::CreateInstance(_)
        | Action::StartInstance
        | Action::RebootInstance
        | Action::CreateDatabase(_)
        | Action::RestoreSnapshot(_)
        | Action::RestoreToTime(_)
        | Action::StartDatabase => seen.state == Running,
        Action::StopInstance => seen.native_state.as_deref() == Some("deallocated"),
        Action::ResizeInstance(size) => sized(&size.size),
        Action::CreateImage(_) | Action::SnapshotDisk(_) | Action::CreateScalingGroup(_) => {
            seen.state == Available
        }
        Action::CreateDisk(_) => matches!(seen.state, Available | InUse),
        Action::AttachDisk(to) => seen.state == InUse && related(Relation::AttachedTo, &to.instance),
        Action::DetachDisk(from) => !related(Relation::AttachedTo, &from.instance),
        Action::GrowDisk(growth) => seen.attributes.get("size_gib") == Some(&growth.size_gib.into()),
        Action::StopDatabase => seen.state == Stopped,
        Action::ResizeDatabase(size) => sized(&size.size) && matches!(seen.state, Running | Stopped),
        Action::CreateReplica(_) => seen.state == Running && related(Relation::ReplicaOf, change.native_id()),
        Action::PromoteReplica => {
            seen.state == Running
                && !seen.relations.iter().any(|relation| relation.relation == Relation::ReplicaOf)
        }
        Action::CreateBucket(spec) => seen.state == Available && has_versions(seen) == spec.versioning,
        Action::SetVersioning(wanted) => has_versions(seen) == wanted.enabled,
        Action::SetScale(scale) => {
            let now = seen.attributes.get("desired_size");
            scale.desired.is_none_or(|desired| now == Some(&desired.into()))
        }
        Action::SetTags(wanted) => tags::are_set(wanted, seen),
        // A backup has no states: it is there once it is complete.
        Action::SnapshotDatabase(_) => true,
        _ => false,
    }
}

fn has_versions(seen: &Observed) -> bool {
    seen.attributes.get("versioning").is_some_and(|word| word == "enabled")
}
