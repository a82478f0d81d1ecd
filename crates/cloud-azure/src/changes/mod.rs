//! Changing what exists, and how Azure is made idempotent.
//!
//! **Making.** The resource manager's PUT creates or overwrites, and takes no tokens. Ids are names, so what a change makes
//! has an id that is known beforehand: before anything is made it is looked for there. What carries our token is taken up, what
//! does not is someone else's ([`ErrorKind::Conflict`]). The PUT that makes it writes the token as a tag. Virtual machines
//! and scale sets honour `If-None-Match: *`, and get it: so of two that make the same one wins, and an attempt whose answer was
//! lost finds itself. Disks, snapshots, images, servers and storage accounts honour no condition: between looking
//! and making there is a moment in which someone else's thing of the same name would be taken for an attempt of ours, and be
//! overwritten with what we ask for (names of servers and accounts are the world's: there only one of our own subscription).
//! Backups of servers have no tags: their token stands at the end of their name.
//!
//! **After its end** Azure says nothing of a thing: one that was made and deleted by someone is made again if the change is begun
//! again. And since ids are names, a deletion that is begun again after another thing was made in the same place is about that
//! one. The activity log tells both, minutes later; nothing is decided by it.
//!
//! **Changing.** Each change looks first how the thing is: what is as wanted, or on its way there, is not asked for again. A
//! refusal for conflict may be one with an attempt of ours whose answer was lost: so it is looked once more. What
//! has to be read, changed and written back (the disks of a machine) is written only if it is still what was read, by its etag;
//! settings of blobs and interfaces honour no etag, and there the last of two wins. A restart has no name and leaves no trace: one
//! that is begun while the machine is being changed already is taken for that one.
//!
//! **Going on.** Whatever takes time gives a link (`Azure-AsyncOperation`, or `Location` of storage accounts). The ticket keeps
//! it; it is followed only at the connection's own endpoint. Without it (the answer was lost, the link is too old) the thing's own
//! provisioning state tells, and why it failed only where it says so itself: machines do. A link that is lost tells no one
//! why a server could not be made.
//!
//! **In two steps.** Versions of blobs cannot be asked for before their account is there: the look that sees it there asks for
//! them, as often as it must.
//!
//! **What comes along goes along**: interface, public address and boot disk of a machine are made within the machine's own PUT,
//! and deleted with it (`deleteOption`). Of a machine that someone else made, what its own `deleteOption`s say goes.
//!
//! **Which resource group**: that of the extension `resource_group`; else that of what it is made from or lies in (the subnet,
//! the snapshot, the instance); where there is neither, the extension is required.
//!
//! Azure has no weighted records or failover in DNS (Traffic Manager is a product of its own), and keeps least and most of
//! a scaling group in autoscale settings, which the inventory does not read: neither is here.

pub mod abilities;
mod buckets;
mod compute;
mod databases;
mod disks;
mod dns;
mod images;
mod look;
mod place;
pub mod records;
mod scaling;
mod tags;
mod targets;

use async_trait::async_trait;
use marquee_clouds::{
    Action, ActionName, Change, Changes, CloudError, ErrorKind, Observed, Progress, Ticket, Token,
    changes::{TOKEN_TAG, spec::TagMap},
    layers::Tally,
};
use marquee_types::ResourceKind;
use serde_json::{Map, Value};

use self::abilities::ABILITIES;
use crate::{
    arm::{Condition, Read, Sent, Write},
    cloud::Azure,
    error::CLOUD,
    inventory::{GLOBAL, LISTINGS, canonical},
};

/// How the things of a kind are made and ended.
#[derive(Debug)]
struct Noun {
    /// Azure's type: `Microsoft.Compute/disks`.
    kind: &'static str,
    /// Reads one.
    get: &'static Read,
    /// Makes one.
    put: &'static Write,
    /// Ends one.
    delete: &'static Write,
    /// Whether making one can be made conditional on there being none.
    conditional: bool,
    /// Whether it has tags.
    tagged: bool,
}

/// The nouns, by what the inventory calls them.
fn noun(kind: ResourceKind) -> Option<&'static Noun> {
    Some(match kind {
        ResourceKind::ComputeInstance => &compute::MACHINE,
        ResourceKind::Disk => &disks::DISK,
        ResourceKind::Snapshot => &disks::SNAPSHOT,
        ResourceKind::Image => &images::IMAGE,
        ResourceKind::Database => &databases::SERVER,
        ResourceKind::DatabaseSnapshot => &databases::BACKUP,
        ResourceKind::Bucket => &buckets::ACCOUNT,
        ResourceKind::ScalingGroup => &scaling::SET,
        _ => return None,
    })
}

#[async_trait]
impl Changes for Azure {
    async fn begin(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        self.refuse(change)?;
        if change.action.name().makes().is_some() {
            return self.make(change, token).await;
        }
        match self.change(change).await {
            // An attempt whose answer was lost stands in the way of the next: what it began is seen by now.
            Err(error) if error.kind == ErrorKind::Conflict => self.change(change).await,
            begun => begun,
        }
    }

    async fn look(&self, change: &Change, ticket: &Ticket) -> Result<Progress, CloudError> {
        self.progress(change, ticket).await
    }

    async fn made(&self, change: &Change, token: &Token) -> Result<Option<String>, CloudError> {
        let (noun, id) = self.home(change, token)?;
        let there = self.there(noun.get, &id).await?;
        Ok(there.filter(|there| is_ours(noun, there, token)).map(|_| canonical(&id)))
    }

    async fn standing(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        match &change.action {
            Action::SetLifecycle(_) => self.lifecycle_of(change).await,
            Action::SetEncryption(_) => self.encryption_of(change).await,
            Action::SetPublicAccess(_) => self.public_access_of(change).await,
            Action::SetRecords(set) => self.records_of(change, &set.key).await,
            Action::RemoveRecords(key) => self.records_of(change, key).await,
            _ => Ok(None),
        }
    }
}

impl Azure {
    /// Does something to a thing, unless it is as wanted or on its way there.
    async fn change(&self, change: &Change) -> Result<Ticket, CloudError> {
        match &change.action {
            Action::StartInstance | Action::StopInstance | Action::RebootInstance => {
                self.switch_machine(change).await
            }
            Action::ResizeInstance(size) => self.resize_machine(change, size).await,
            Action::AttachDisk(to) => self.attach(change, to).await,
            Action::DetachDisk(from) => self.detach(change, from).await,
            Action::GrowDisk(growth) => self.grow(change, *growth).await,
            Action::ResizeDatabase(size) => self.resize_server(change, size).await,
            Action::StartDatabase | Action::StopDatabase => self.switch_server(change).await,
            Action::PromoteReplica => self.promote(change).await,
            Action::SetVersioning(wanted) => self.set_versioning(change, *wanted).await,
            Action::SetLifecycle(wanted) => self.set_lifecycle(change, wanted).await,
            Action::SetEncryption(wanted) => self.set_encryption(change, wanted).await,
            Action::SetPublicAccess(wanted) => self.set_public_access(change, *wanted).await,
            Action::DeleteBucket => self.remove_empty(change).await,
            Action::SetScale(scale) => self.set_scale(change, *scale).await,
            Action::RegisterTarget(target) => self.pool(change, target, true).await,
            Action::DeregisterTarget(target) => self.pool(change, target, false).await,
            Action::SetRecords(set) => self.set_records(change, set).await,
            Action::RemoveRecords(key) => self.remove_records(change, key).await,
            Action::SetTags(tags) => self.set_tags(change, tags).await,
            Action::TerminateInstance
            | Action::DeleteImage
            | Action::DeleteDisk
            | Action::DeleteSnapshot
            | Action::DeleteDatabase
            | Action::DeleteDatabaseSnapshot
            | Action::DeleteScalingGroup => self.remove(change).await,
            other => Err(unsupported(other.name())),
        }
    }

    /// Refuses what this adapter does not do, what is about a thing of another kind, and what lies where the connection is not
    /// for: its end could not be seen.
    fn refuse(&self, change: &Change) -> Result<(), CloudError> {
        let name = change.action.name();
        if !ABILITIES.iter().any(|ability| ability.action == name) {
            return Err(unsupported(name));
        }
        if !self.is_included(&change.region) {
            let message = format!("the connection is not for the region {}", change.region);
            return Err(invalid(message));
        }
        let wanted = name.on();
        match (&change.target, wanted) {
            (None, Some(kind)) => Err(invalid(format!("{name} is done to a {kind}, and none is named"))),
            (Some(target), Some(kind)) if target.kind != kind => {
                Err(invalid(format!("{name} is done to a {kind}, not to a {}", target.kind)))
            }
            (Some(target), _) => {
                place::refuse_id(&target.native_id)?;
                noun(target.kind).map_or(Ok(()), |noun| place::refuse_other(&target.native_id, noun.kind))
            }
            (None, None) => Ok(()),
        }
    }

    /// Where a change makes what it makes.
    fn home(&self, change: &Change, token: &Token) -> Result<(&'static Noun, String), CloudError> {
        let name = change.action.name();
        let noun = name.makes().and_then(noun).ok_or_else(|| invalid(format!("{name} makes nothing")))?;
        let from = change.native_id();
        let id = match &change.action {
            Action::CreateInstance(spec) => {
                let group = place::group(&spec.extensions, spec.subnet.as_deref())?;
                self.named(group, noun, &spec.name)
            }
            Action::CreateDisk(spec) => {
                let group = place::group(&spec.extensions, spec.snapshot.as_deref())?;
                self.named(group, noun, &spec.name)
            }
            Action::CreateImage(named) | Action::SnapshotDisk(named) => {
                self.named(place::group_of(from)?, noun, &named.name)
            }
            Action::CreateDatabase(spec) => {
                let subnet = place::text(&spec.extensions, databases::SUBNET)?;
                self.named(place::group(&spec.extensions, subnet)?, noun, &spec.name)
            }
            Action::SnapshotDatabase(named) => {
                place::refuse_name(&named.name)?;
                Ok(format!("{from}/backups/{}-{token}", named.name))
            }
            Action::RestoreSnapshot(spec) | Action::CreateReplica(spec) => {
                self.named(place::group_of(from)?, noun, &spec.name)
            }
            Action::RestoreToTime(spec) => self.named(place::group_of(from)?, noun, &spec.name),
            Action::CreateBucket(spec) => self.named(place::group(&spec.extensions, None)?, noun, &spec.name),
            Action::CreateScalingGroup(spec) => {
                let group = place::group(&spec.instance.extensions, spec.instance.subnet.as_deref())?;
                self.named(group, noun, &spec.name)
            }
            other => Err(unsupported(other.name())),
        }?;
        Ok((noun, id))
    }

    fn named(&self, group: &str, noun: &Noun, name: &str) -> Result<String, CloudError> {
        place::refuse_name(group)?;
        place::refuse_name(name)?;
        Ok(self.arm.id(group, noun.kind, name))
    }

    /// What is put there; none where the name says all.
    async fn body(&self, change: &Change, token: &Token) -> Result<Option<Value>, CloudError> {
        let body = match &change.action {
            Action::CreateInstance(spec) => compute::body(&change.region, spec, token),
            Action::CreateImage(named) => self.image_body(change, named, token).await,
            Action::CreateDisk(spec) => disks::body(&change.region, spec, token),
            Action::SnapshotDisk(named) => Ok(disks::snapshot_body(change, named, token)),
            Action::CreateDatabase(spec) => self.server_body(&change.region, spec, token),
            Action::SnapshotDatabase(named) => return databases::refuse_tags(named).map(|()| None),
            Action::RestoreSnapshot(spec) => self.restored_body(change, spec, token).await,
            Action::RestoreToTime(spec) => Ok(databases::to_time_body(change, spec, token)),
            Action::CreateReplica(spec) => Ok(databases::replica_body(change, spec, token)),
            Action::CreateBucket(spec) => buckets::body(&change.region, spec, token),
            Action::CreateScalingGroup(spec) => scaling::body(&change.region, spec, token),
            other => Err(unsupported(other.name())),
        };
        body.map(Some)
    }

    /// Makes something, or takes up what was made with this token.
    async fn make(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        let (noun, id) = self.home(change, token)?;
        // First of all: what it was made from may be gone or running again since.
        if let Some(there) = self.there(noun.get, &id).await? {
            return take_up(noun, &there, &id, token);
        }
        let body = self.body(change, token).await?;
        let condition = if noun.conditional { Condition::Absent } else { Condition::Any };
        let error = match self.arm.send(noun.put, &id, body.as_ref(), condition).await {
            Ok(sent) => return ticket(&id, sent),
            Err(error) => error,
        };
        if !matches!(error.kind, ErrorKind::PreconditionFailed | ErrorKind::Conflict) {
            return Err(error);
        }
        // Something is there: an attempt of ours whose answer was lost, or someone who was quicker.
        match self.there(noun.get, &id).await? {
            Some(there) if is_ours(noun, &there, token) => Ok(Ticket::of(canonical(&id))),
            Some(there) if error.kind == ErrorKind::PreconditionFailed => take_up(noun, &there, &id, token),
            // It is being made under a name that has our token in it.
            None if !noun.tagged && said_to_exist(&error) => Ok(Ticket::of(canonical(&id))),
            None if error.kind == ErrorKind::PreconditionFailed
                || said_to_exist(&error) && noun.conditional =>
            {
                let message = "something of that name is there, and cannot be seen yet: whose it is will be known later";
                Err(CloudError::new(CLOUD, error.operation, ErrorKind::Unavailable, message))
            }
            _ => Err(error),
        }
    }

    /// Ends something; what is not there is ended.
    async fn remove(&self, change: &Change) -> Result<Ticket, CloudError> {
        let kind = change.target.as_ref().map(|target| target.kind);
        let noun = kind.and_then(noun).ok_or_else(|| unsupported(change.action.name()))?;
        self.ask(noun.delete, change.native_id(), None).await.or_else(|error| match error.kind {
            ErrorKind::NotFound => Ok(Ticket::of(change.native_id())),
            _ => Err(error),
        })
    }

    /// Asks for a change of a thing.
    async fn ask(&self, write: &Write, id: &str, body: Option<&Value>) -> Result<Ticket, CloudError> {
        ticket(id, self.arm.send(write, id, body, Condition::Any).await?)
    }

    /// A thing as Azure says it, if it is there.
    async fn there(&self, read: &Read, id: &str) -> Result<Option<Value>, CloudError> {
        match self.arm.get(read, id, &Tally::default()).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A thing that a change is done to, which must be there.
    async fn target(&self, read: &Read, change: &Change) -> Result<Value, CloudError> {
        self.arm.get(read, change.native_id(), &Tally::default()).await
    }

    /// A thing as the inventory sees it.
    async fn see(&self, kind: ResourceKind, id: &str) -> Result<Option<Observed>, CloudError> {
        use marquee_clouds::{Inventory as _, Scope};

        let listing = LISTINGS.iter().find(|listing| listing.kinds.contains(&kind));
        let listing = listing.ok_or_else(|| invalid(format!("a {kind} is nothing of Azure's")))?;
        let scope = Scope {
            service: listing.scope.to_owned(),
            region: GLOBAL.to_owned(),
            kinds: listing.kinds.to_vec(),
        };
        self.get(&scope, kind, id).await
    }
}

/// A ticket for a thing and what goes on.
fn ticket(id: &str, sent: Sent) -> Result<Ticket, CloudError> {
    let handle = sent.follow.map(serde_json::to_value).transpose();
    let handle = handle.map_err(|error| invalid(error.to_string()))?;
    Ok(Ticket::with(Some(canonical(id)), handle.unwrap_or_default()))
}

/// A ticket for what is there already, if it is ours.
fn take_up(noun: &Noun, there: &Value, id: &str, token: &Token) -> Result<Ticket, CloudError> {
    if is_ours(noun, there, token) {
        return Ok(Ticket::of(canonical(id)));
    }
    let message = format!("{id} is there already, and was not made by this change");
    Err(conflict(message))
}

fn is_ours(noun: &Noun, there: &Value, token: &Token) -> bool {
    !noun.tagged || there["tags"][TOKEN_TAG] == token.as_str()
}

/// Whether a refusal says that something of that name exists.
fn said_to_exist(error: &CloudError) -> bool {
    error.code.as_deref().is_some_and(|code| code.ends_with("AlreadyExists"))
}

/// Tags with the token among them.
fn tagged(tags: &TagMap, token: &Token) -> Map<String, Value> {
    let mut all: Map<String, Value> =
        tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    all.insert(TOKEN_TAG.to_owned(), token.as_str().into());
    all
}

fn refused(kind: ErrorKind, message: impl Into<String>) -> CloudError {
    CloudError::new(CLOUD, "changes:Begin", kind, message)
}

fn invalid(message: impl Into<String>) -> CloudError {
    refused(ErrorKind::Invalid, message)
}

fn conflict(message: impl Into<String>) -> CloudError {
    refused(ErrorKind::Conflict, message)
}

fn unsupported(action: ActionName) -> CloudError {
    refused(ErrorKind::Unsupported, format!("{action} is nothing that Azure can do, or Marquee there"))
}
