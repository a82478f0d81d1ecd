//! Databases made of what another was: of a backup, or of its logs. Both take several calls.
//!
//! Of a backup: an instance like the original is made, with the token as its label, and the backup is restored into it. To a time: the original is
//! cloned. The clone has its original's labels, the token's too if that has one, until its own are written: till then it is ours if the
//! operation that makes it is, and that is whoever's principal asked for it.

use marquee_clouds::{
    Action, ActionName, Change, CloudError, ErrorKind, Progress, Ticket, Token,
    changes::{
        TOKEN_TAG,
        spec::{RestoreSpec, RestoreToTimeSpec, TagMap},
    },
};
use marquee_types::{ResourceKind, ResourceState};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    calls,
    compute::{plain, taken},
    conflict,
    databases::forgotten_password,
    error, invalid, not_found, text,
    token::{is_labeled, labels},
    work::Handle,
};
use crate::cloud::Google;

/// What a database takes over from the one whose backup it is made of.
const TAKEN_OVER: &[&str] = &[
    "availabilityType",
    "backupConfiguration",
    "dataDiskSizeGb",
    "dataDiskType",
    "databaseFlags",
    "edition",
    "ipConfiguration",
    "storageAutoResize",
];

/// A call that failed for good is a change that failed; others are failures to look.
pub(super) fn ended(error: CloudError) -> Result<Progress, CloudError> {
    if error.retry_helps() || error.kind == ErrorKind::Unauthenticated {
        Err(error)
    } else {
        Ok(Progress::Failed(error))
    }
}

fn working(what: &str) -> Progress {
    Progress::Working(what.to_owned())
}

impl Google {
    pub(super) async fn begin_restore(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        match &change.action {
            Action::RestoreSnapshot(spec) => self.begin_of_backup(change, spec, token).await,
            Action::RestoreToTime(spec) => self.begin_clone(change, spec, token).await,
            action => Err(invalid(action.name(), "it restores nothing")),
        }
    }

    async fn begin_of_backup(
        &self,
        change: &Change,
        spec: &RestoreSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        if let Some(ticket) = self.begun_database(name, &spec.name, token).await? {
            return Ok(ticket);
        }
        let (original, _) = self.backup_of(change)?;
        let found = self.database(original).await?;
        let found = found.ok_or_else(|| not_found(name, change.native_id()))?;
        if self.sight(ResourceKind::DatabaseSnapshot, change.native_id()).await?.is_none() {
            return Err(not_found(name, change.native_id()));
        }
        let size = spec.size.as_deref().unwrap_or_else(|| text(&found["settings"], "tier"));
        plain(name, "size", size)?;
        let over = TAKEN_OVER.iter().filter_map(|member| {
            let value = found["settings"].get(*member).filter(|value| !value.is_null())?;
            Some(((*member).to_owned(), value.clone()))
        });
        let mut settings: Map<String, Value> = over.collect();
        settings.insert("tier".to_owned(), size.into());
        settings.insert("userLabels".to_owned(), labels(name, &spec.tags, token)?);
        let body = json!({ "name": spec.name, "region": change.region, "databaseVersion": found["databaseVersion"],
            "rootPassword": forgotten_password(), "settings": settings });
        self.insert_database(name, &spec.name, &body, token).await
    }

    /// The instance and the number of a backup.
    fn backup_of<'c>(&self, change: &'c Change) -> Result<(&'c str, &'c str), CloudError> {
        let path = self.target(change, &[ResourceKind::DatabaseSnapshot])?;
        match path.split('/').collect::<Vec<_>>()[..] {
            ["instances", instance, "backupRuns", number] => Ok((instance, number)),
            _ => Err(invalid(change.action.name(), &format!("{} is no backup", change.native_id()))),
        }
    }

    async fn begin_clone(
        &self,
        change: &Change,
        spec: &RestoreToTimeSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        // Before anything is made: the labels are written later.
        labels(name, &spec.tags, token)?;
        if let Some(size) = &spec.size {
            plain(name, "size", size)?;
        }
        let path = self.target(change, &[ResourceKind::Database])?;
        let id = self.database_id(&spec.name);
        let original = self.database(path.trim_start_matches("instances/")).await?;
        let copied = original.as_ref().map(token_in).unwrap_or_default().map(str::to_owned);
        if let Some(found) = self.database(&spec.name).await? {
            if is_labeled(&found["settings"]["userLabels"], token) {
                return Ok(Handle { token: Some(token.clone()), seen: true, ..Handle::default() }.ticket(id));
            }
            let clone = self.sql_work(&spec.name, &["CLONE"]).await?;
            let email = self.config.credentials.email();
            let ours = clone.filter(|(_, operation)| email.is_some() && operation["user"].as_str() == email);
            let ours = ours.filter(|_| token_in(&found) == copied.as_deref());
            let (work, _) = ours.ok_or_else(|| taken(name, &format!("instances/{}", spec.name)))?;
            let handle = Handle { token: Some(token.clone()), seen: true, copied, ..Handle::of(Some(work)) };
            return Ok(handle.ticket(id));
        }
        if original.is_none() {
            return Err(not_found(name, change.native_id()));
        }
        let time = spec.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let body = json!({ "cloneContext": { "destinationInstanceName": spec.name, "pointInTime": time } });
        let operation = self.sql((&calls::CLONE_DATABASE, Method::POST), path, Some(&body)).await?;
        let work = Some(self.work_of(&operation)?);
        Ok(Handle { token: Some(token.clone()), copied, ..Handle::of(work) }.ticket(id))
    }

    pub(super) async fn look_at_restore(
        &self,
        change: &Change,
        handle: &Handle,
    ) -> Result<Progress, CloudError> {
        let name = change.action.name();
        let token = handle.token.as_ref().ok_or_else(|| invalid(name, "the ticket has no token"))?;
        let instance = match &change.action {
            Action::RestoreSnapshot(spec) => &spec.name,
            Action::RestoreToTime(spec) => &spec.name,
            action => return Err(invalid(action.name(), "it restores nothing")),
        };
        let Some(found) = self.database(instance).await? else {
            return self.unseen(name, handle).await;
        };
        let ours = is_labeled(&found["settings"]["userLabels"], token);
        let copied = token_in(&found) == handle.copied.as_deref() && name == ActionName::RestoreToTime;
        if !ours && !copied {
            return Ok(Progress::Failed(taken(name, &format!("instances/{instance}"))));
        }
        match text(&found, "state") {
            "RUNNABLE" => {}
            "FAILED" | "SUSPENDED" => {
                let message = "Google says that it failed";
                return Ok(Progress::Failed(error(name, ErrorKind::Unavailable, message)));
            }
            state => return Ok(working(state)),
        }
        match &change.action {
            Action::RestoreSnapshot(_) => self.fill_from_backup(change, instance).await,
            Action::RestoreToTime(spec) if !ours => self.claim_clone(name, spec, &found, token).await,
            _ => self.settled_database(name, instance).await,
        }
    }

    /// Restores the backup into the instance that was made for it, once.
    async fn fill_from_backup(&self, change: &Change, instance: &str) -> Result<Progress, CloudError> {
        let name = change.action.name();
        if let Some((work, _)) = self.sql_work(instance, &["RESTORE_VOLUME"]).await? {
            return match self.poll(&work).await? {
                Some(progress) => Ok(progress),
                None => self.settled_database(name, instance).await,
            };
        }
        let (original, number) = self.backup_of(change)?;
        let body = json!({ "restoreBackupContext": { "backupRunId": number, "instanceId": original,
            "project": self.client.project } });
        let path = format!("instances/{instance}");
        match self.sql((&calls::RESTORE_BACKUP, Method::POST), &path, Some(&body)).await {
            Ok(_) => Ok(working("the backup is being restored")),
            Err(busy) if busy.code.as_deref() == Some("operationInProgress") => Ok(working(&busy.message)),
            Err(refused) => ended(refused),
        }
    }

    /// Writes a clone's own labels in the place of its original's, and gives it the size that is wanted.
    async fn claim_clone(
        &self,
        name: ActionName,
        spec: &RestoreToTimeSpec,
        found: &Value,
        token: &Token,
    ) -> Result<Progress, CloudError> {
        let settings = &found["settings"];
        let mut patch = json!({ "userLabels": own_labels(name, settings, &spec.tags, token)?,
            // Whoever writes first has it.
            "settingsVersion": settings["settingsVersion"] });
        if let Some(size) = &spec.size {
            patch["tier"] = size.as_str().into();
        }
        let body = json!({ "settings": patch });
        let path = format!("instances/{}", spec.name);
        match self.sql((&calls::PATCH_DATABASE, Method::PATCH), &path, Some(&body)).await {
            Ok(_) => Ok(working("its labels are being written")),
            Err(busy) if busy.kind == ErrorKind::PreconditionFailed => {
                Ok(working("it was changed meanwhile"))
            }
            Err(busy) if busy.code.as_deref() == Some("operationInProgress") => Ok(working(&busy.message)),
            Err(refused) => ended(refused),
        }
    }

    /// Whether an instance runs and nothing works on it any more.
    async fn settled_database(&self, name: ActionName, instance: &str) -> Result<Progress, CloudError> {
        let id = self.database_id(instance);
        if let Some((work, _)) = self.sql_work(instance, &["UPDATE"]).await?
            && let Some(progress) = self.poll(&work).await?
        {
            return Ok(progress);
        }
        match self.sight(ResourceKind::Database, &id).await?.map(|seen| seen.state) {
            Some(ResourceState::Running) => Ok(Progress::Done { native_id: id }),
            Some(ResourceState::Failed) => Ok(Progress::Failed(conflict(name, "Google says that it failed"))),
            state => Ok(working(state.map_or("not to be seen yet", ResourceState::as_str))),
        }
    }
}

/// The token among an instance's labels.
fn token_in(instance: &Value) -> Option<&str> {
    instance["settings"]["userLabels"][TOKEN_TAG].as_str()
}

/// The labels of a clone, with null for those that it has of its original.
fn own_labels(name: ActionName, settings: &Value, tags: &TagMap, token: &Token) -> Result<Value, CloudError> {
    let copied = settings["userLabels"].as_object().into_iter().flatten();
    let mut own: Map<String, Value> = copied.map(|(key, _)| (key.clone(), Value::Null)).collect();
    if let Value::Object(wanted) = labels(name, tags, token)? {
        own.extend(wanted);
    }
    Ok(own.into())
}
