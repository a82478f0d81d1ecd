//! Changing what exists in a project.
//!
//! How Google is made idempotent, noun by noun:
//!
//! - **Compute Engine** takes a `requestId` with every change and remembers it for an hour at least: ours is made of the token,
//!   the method and the body ([`token`]), so that the layers, and whoever begins again, send the same one. Operations keep it as
//!   `clientOperationId` for two weeks: what a token began is looked for among them before anything is made. So a thing that was
//!   made and is deleted already is not made again, for as long as Google tells us. Beyond that, names are unique in their place: what
//!   has the name and our token as a label is ours, what has not is someone else's, and a `Conflict`.
//! - **Cloud SQL** takes no tokens. The token is a label in the call that makes an instance; names are unique, and rest for a
//!   week after a deletion. Two things cannot carry it in that call. A backup has no labels: the token stands in its
//!   `description`, behind its name, and tags for it are refused. A clone, by which an instance is restored to a time, takes its labels
//!   over from its source: it is known by its operation and the principal who asked for it until the labels are written, which the
//!   [`databases`] do as soon as it runs. Of a database that is gone altogether Google tells that its name was used, not by whom:
//!   its making is a `Conflict` then.
//! - **Cloud Storage**: names of buckets are unique everywhere, the token is a label, and every change names the
//!   metageneration it was made of. A bucket that is deleted already is made anew: nothing tells of it.
//! - **Managed groups and templates** have no labels: the token is in their `description`. Tags of a group go to its instances.
//! - **Cloud DNS** takes a change with what is to be deleted, word by word: it is refused if that is not what stands there.
//!
//! Several calls make one change where a group is made or deleted, and a database restored: each look finds out by the names how far it is and makes
//! the next call, with the token in its ticket. What a change that failed has made by then has its token on it: [`Changes::made`] finds it.
//!
//! What Google lacks: images are of one disk, so an instance's is that of its boot disk. A group knows no bounds: they are
//! kept with it by an autoscaler that is switched off ([`scaling`]). The sets that share a name by weight have no names of their own ([`dns`]).
//! Backend services take groups, not instances: only target pools can be registered with ([`targets`]).
//!
//! Operations are polled by what their link says below the project, at the connection's own endpoint; a link to elsewhere is refused.

pub mod abilities;
mod buckets;
mod calls;
mod compute;
mod databases;
mod disks;
mod dns;
mod images;
mod restores;
mod scaling;
mod tags;
mod targets;
mod token;
mod wanted;
mod work;

use async_trait::async_trait;
use marquee_clouds::{
    Action, ActionName, Change, Changes, CloudError, ErrorKind, Observed, Progress, Scope, Ticket, Token,
    changes::TOKEN_TAG,
};
use marquee_types::ResourceKind;
use serde_json::Value;

use self::{
    wanted::Verdict,
    work::{Handle, Work},
};
use crate::{
    cloud::Google,
    error::CLOUD,
    inventory::{GLOBAL, LISTINGS, Listing, region_of},
};

#[async_trait]
impl Changes for Google {
    async fn begin(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        self.dispatch(change, token).await.map_err(|error| placed(error, &change.region))
    }

    async fn look(&self, change: &Change, ticket: &Ticket) -> Result<Progress, CloudError> {
        let mut progress = self.progress(change, ticket).await;
        if let (Ok(Progress::Failed(_)), Action::CreateScalingGroup(spec)) = (&progress, &change.action)
            && let Err(error) = self.clear_template(change, spec, &Handle::read(&ticket.handle)?).await
        {
            progress = Err(error);
        }
        progress.map_err(|error| placed(error, &change.region))
    }

    async fn made(&self, change: &Change, token: &Token) -> Result<Option<String>, CloudError> {
        let found = match &change.action {
            Action::CreateInstance(spec) => self.made_instance(change, spec, token).await,
            Action::CreateDisk(spec) => self.made_disk(change, spec, token).await,
            Action::SnapshotDisk(named) => self.made_global("snapshots", &named.name, token).await,
            Action::CreateImage(named) => self.made_global("images", &named.name, token).await,
            Action::CreateDatabase(spec) => self.made_database(&spec.name, token).await,
            Action::RestoreSnapshot(spec) | Action::CreateReplica(spec) => {
                self.made_database(&spec.name, token).await
            }
            Action::RestoreToTime(spec) => self.made_database(&spec.name, token).await,
            Action::SnapshotDatabase(_) => self.made_backup(change, token).await,
            Action::CreateBucket(spec) => self.made_bucket(&spec.name, token).await,
            Action::CreateScalingGroup(spec) => self.made_group(change, spec, token).await,
            _ => Ok(None),
        };
        found.map_err(|error| placed(error, &change.region))
    }

    async fn standing(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        let found = match &change.action {
            Action::SetLifecycle(_) | Action::SetEncryption(_) | Action::SetPublicAccess(_) => {
                self.bucket_stands(change).await
            }
            Action::SetRecords(set) => self.records_stand(change, &set.key).await,
            Action::RemoveRecords(key) => self.records_stand(change, key).await,
            Action::SetScale(_) => self.scale_stands(change).await,
            _ => Ok(None),
        };
        found.map_err(|error| placed(error, &change.region))
    }
}

impl Google {
    async fn dispatch(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        if !abilities::ABILITIES.iter().any(|ability| ability.action == name) {
            return Err(unsupported(name, "Marquee does not do this at Google Cloud"));
        }
        if !self.is_included(&change.region) {
            return Err(invalid(name, &format!("the connection is not for the region {}", change.region)));
        }
        match &change.action {
            Action::CreateInstance(spec) => self.create_instance(change, spec, token).await,
            Action::CreateDisk(spec) => self.create_disk(change, spec, token).await,
            Action::SnapshotDisk(named) => self.snapshot_disk(change, named, token).await,
            Action::CreateImage(named) => self.create_image(change, named, token).await,
            Action::CreateDatabase(spec) => self.create_database(change, spec, token).await,
            Action::CreateReplica(spec) => self.create_replica(change, spec, token).await,
            Action::SnapshotDatabase(named) => self.snapshot_database(change, named, token).await,
            Action::RestoreSnapshot(_) | Action::RestoreToTime(_) => self.begin_restore(change, token).await,
            Action::CreateBucket(spec) => self.create_bucket(change, spec, token).await,
            Action::CreateScalingGroup(spec) => self.create_group(change, spec, token).await,
            Action::DeleteScalingGroup => self.begin_delete_group(change, token).await,
            Action::SetScale(scale) => self.begin_scale(change, scale, token).await,
            Action::SetRecords(_) | Action::RemoveRecords(_) => self.change_records(change).await,
            Action::SetVersioning(_)
            | Action::SetLifecycle(_)
            | Action::SetEncryption(_)
            | Action::SetPublicAccess(_)
            | Action::DeleteBucket => self.change_bucket(change).await,
            Action::SetTags(tags) => self.set_tags(change, tags, token).await,
            Action::RegisterTarget(target) | Action::DeregisterTarget(target) => {
                self.change_targets(change, target, token).await
            }
            action
                if name.on() == Some(ResourceKind::Database) || *action == Action::DeleteDatabaseSnapshot =>
            {
                self.change_database(change).await
            }
            _ => self.change_compute(change, token).await,
        }
    }

    async fn progress(&self, change: &Change, ticket: &Ticket) -> Result<Progress, CloudError> {
        let handle = Handle::read(&ticket.handle)?;
        if let Some(work) = &handle.work {
            match self.poll(work).await? {
                None => {}
                Some(progress) => return Ok(progress),
            }
        }
        match &change.action {
            Action::CreateScalingGroup(spec) => self.look_at_group(change, spec, &handle).await,
            Action::DeleteScalingGroup => self.look_at_end_of_group(change, &handle).await,
            Action::SetScale(scale) => self.look_at_scale(change, scale, &handle).await,
            Action::RestoreSnapshot(_) | Action::RestoreToTime(_) => {
                self.look_at_restore(change, &handle).await
            }
            Action::SetRecords(_) | Action::RemoveRecords(_) => self.look_at_records(change).await,
            Action::SetLifecycle(_) | Action::SetEncryption(_) | Action::SetPublicAccess(_) => {
                self.look_at_bucket(change).await
            }
            _ => self.look_at_thing(change, ticket, &handle).await,
        }
    }

    /// Whether a thing is as wanted, once whatever worked on it is over.
    async fn look_at_thing(
        &self,
        change: &Change,
        ticket: &Ticket,
        handle: &Handle,
    ) -> Result<Progress, CloudError> {
        let name = change.action.name();
        let kind = name.makes().or(change.target.as_ref().map(|target| target.kind));
        let kind = kind.ok_or_else(|| invalid(name, "what it would change is not named"))?;
        let id = ticket.native_id.as_deref().unwrap_or_else(|| change.native_id());
        let seen = self.sight(kind, id).await?;
        if seen.is_none() && name.makes().is_some() {
            return self.unseen(name, handle).await;
        }
        // Of a database it may only now be seen whose it is.
        if let (Some(token), Some(seen)) = (&handle.token, &seen)
            && kind == ResourceKind::Database
            && !seen.tags.iter().any(|(key, value)| key == TOKEN_TAG && value == token.as_str())
        {
            return Ok(Progress::Failed(compute::taken(name, id)));
        }
        Ok(match wanted::verdict(&change.action, seen.as_ref()) {
            Verdict::Met => Progress::Done { native_id: id.to_owned() },
            Verdict::NotYet if handle.adopted => Progress::Failed(conflict(
                name,
                "another change was at work on it, and what it left is not what was wanted",
            )),
            Verdict::NotYet => {
                let state = seen.and_then(|seen| seen.native_state).unwrap_or_default();
                Progress::Working(state)
            }
            Verdict::Never(kind, why) => Progress::Failed(error(name, kind, why)),
        })
    }

    /// What was made and is not to be seen: not yet, unless the vendor knows that it was deleted.
    async fn unseen(&self, name: ActionName, handle: &Handle) -> Result<Progress, CloudError> {
        let gone = match &handle.work {
            Some(Work::Compute { path, target: Some(target) }) => self.was_deleted(path, target).await?,
            _ => false,
        };
        if gone || handle.seen {
            let message = "it was made, and was deleted since";
            return Ok(Progress::Failed(error(name, ErrorKind::NotFound, message)));
        }
        Ok(Progress::Working("made, and not to be seen yet".to_owned()))
    }

    /// A thing as the inventory sees it now.
    async fn sight(&self, kind: ResourceKind, native_id: &str) -> Result<Option<Observed>, CloudError> {
        use marquee_clouds::Inventory as _;
        let scope =
            Scope { service: listing(kind)?.scope.to_owned(), region: GLOBAL.to_owned(), kinds: vec![kind] };
        self.get(&scope, kind, native_id).await
    }

    /// The path of what is changed below the project: `zones/z/instances/i`. It must be of a kind that is meant, and in a region
    /// that the connection is for.
    fn target<'c>(&self, change: &'c Change, kinds: &[ResourceKind]) -> Result<&'c str, CloudError> {
        let name = change.action.name();
        let target =
            change.target.as_ref().ok_or_else(|| invalid(name, "what it would change is not named"))?;
        if !kinds.contains(&target.kind) {
            return Err(invalid(name, &format!("it is not done to a {}", target.kind)));
        }
        self.path_of(name, target.kind, &target.native_id)
    }

    /// The same of any native id.
    fn path_of<'i>(
        &self,
        name: ActionName,
        kind: ResourceKind,
        native_id: &'i str,
    ) -> Result<&'i str, CloudError> {
        let listing = listing(kind)?;
        let path = listing.all().find_map(|listing| listing.relative(&self.client.project, native_id));
        let path = path.ok_or_else(|| invalid(name, &format!("{native_id} is not the name of a {kind}")))?;
        let region = match path.split('/').collect::<Vec<_>>()[..] {
            ["zones", zone, ..] => region_of(zone),
            ["regions", region, ..] => region.to_owned(),
            _ => GLOBAL.to_owned(),
        };
        if self.is_included(&region) {
            Ok(path)
        } else {
            Err(invalid(name, &format!("the connection is not for the region {region}")))
        }
    }
}

fn listing(kind: ResourceKind) -> Result<&'static Listing, CloudError> {
    let found = LISTINGS.iter().copied().find(|listing| listing.kind == kind);
    found.ok_or_else(|| {
        let message = format!("Marquee does not list a {kind} at Google Cloud");
        CloudError::new(CLOUD, "changes:Begin", ErrorKind::Unsupported, message)
    })
}

/// The native id of a thing of Compute Engine.
fn native(project: &str, path: &str) -> String {
    format!("//compute.googleapis.com/projects/{project}/{path}")
}

fn placed(error: CloudError, region: &str) -> CloudError {
    if error.region.is_some() { error } else { error.in_region(region) }
}

fn error(name: ActionName, kind: ErrorKind, message: &str) -> CloudError {
    CloudError::new(CLOUD, format!("changes:{name}"), kind, message)
}

fn invalid(name: ActionName, message: &str) -> CloudError {
    error(name, ErrorKind::Invalid, message)
}

fn conflict(name: ActionName, message: &str) -> CloudError {
    error(name, ErrorKind::Conflict, message)
}

fn unsupported(name: ActionName, message: &str) -> CloudError {
    error(name, ErrorKind::Unsupported, message)
}

fn not_found(name: ActionName, native_id: &str) -> CloudError {
    error(name, ErrorKind::NotFound, &format!("{native_id} does not exist"))
}

/// A text member; empty if there is none.
fn text<'v>(item: &'v Value, member: &str) -> &'v str {
    item[member].as_str().unwrap_or_default()
}
