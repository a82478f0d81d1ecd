//! Cloud SQL: instances, replicas and backups.
//!
//! One operation at a time works on an instance, and none says for whom. One that does what is wanted and is not over is taken for
//! the one that was begun before; what it leaves is held against what was wanted when it is over.

use marquee_clouds::{
    Action, ActionName, Change, CloudError, ErrorKind, Ticket, Token,
    changes::spec::{DatabaseSpec, Named, RestoreSpec},
    layers::Tally,
};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    calls,
    compute::{extensions, plain, taken},
    error, invalid, not_found, tags, text,
    token::{description, is_described, is_labeled, labels},
    unsupported,
    wanted::{Verdict, verdict},
    work::{Handle, Work},
};
use crate::{
    api::{Call, Sent},
    cloud::Google,
    inventory::databases::{BACKUPS, INSTANCES, name_of},
};

/// What only Cloud SQL's instances have, in Google's words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Extensions {
    /// `ENTERPRISE` or `ENTERPRISE_PLUS`; what the size is of, if left out.
    edition: Option<String>,
    /// The native id of the network that it gets a private address in, instead of a public one.
    private_network: Option<String>,
    /// Whether it is protected against its deletion.
    deletion_protection: bool,
}

/// What works on an instance when an action is under way.
pub(super) fn operations_of(name: ActionName) -> &'static [&'static str] {
    match name {
        ActionName::CreateDatabase | ActionName::RestoreSnapshot => &["CREATE"],
        ActionName::CreateReplica => &["CREATE_REPLICA"],
        ActionName::RestoreToTime => &["CLONE"],
        ActionName::PromoteReplica => &["PROMOTE_REPLICA"],
        ActionName::DeleteDatabase => &["DELETE"],
        ActionName::DeleteDatabaseSnapshot => &["DELETE_BACKUP", "DELETE_VOLUME"],
        _ => &["UPDATE"],
    }
}

impl Google {
    pub(super) fn database_id(&self, name: &str) -> String {
        name_of(&self.client.project, name)
    }

    /// An instance as Google shows it.
    pub(super) async fn database(&self, name: &str) -> Result<Option<Value>, CloudError> {
        self.client.find(&INSTANCES.get, &format!("instances/{name}")).await
    }

    pub(super) async fn made_database(
        &self,
        name: &str,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let found = self.database(name).await?;
        let ours = found.is_some_and(|item| is_labeled(&item["settings"]["userLabels"], token));
        Ok(ours.then(|| self.database_id(name)))
    }

    pub(super) async fn create_database(
        &self,
        change: &Change,
        spec: &DatabaseSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        let body = self.database_body(change, spec, token)?;
        self.insert_database(name, &spec.name, &body, token).await
    }

    fn database_body(
        &self,
        change: &Change,
        spec: &DatabaseSpec,
        token: &Token,
    ) -> Result<Value, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        plain(name, "size", &spec.size)?;
        let more: Extensions = extensions(name, &spec.extensions)?;
        let (version, admin) = engine(name, spec)?;
        if !spec.admin_name.is_empty() && spec.admin_name != admin {
            let message = format!(
                "admin_name: Cloud SQL names it {admin}; others are made with the engine's own means"
            );
            return Err(invalid(name, &message));
        }
        let usual = if spec.size.starts_with("db-perf-") { "ENTERPRISE_PLUS" } else { "ENTERPRISE" };
        let mut settings = json!({
            "tier": spec.size, "edition": more.edition.as_deref().unwrap_or(usual),
            "dataDiskSizeGb": spec.storage_gib.to_string(),
            "availabilityType": if spec.multi_zone { "REGIONAL" } else { "ZONAL" },
            "deletionProtectionEnabled": more.deletion_protection,
            "userLabels": labels(name, &spec.tags, token)?,
        });
        if let Some(days) = spec.backup_retention_days {
            settings["backupConfiguration"] = backups(days, &spec.engine);
        }
        if let Some(network) = &more.private_network {
            let path = self.path_of(name, ResourceKind::Network, network)?;
            let link = format!("projects/{}/{path}", self.client.project);
            settings["ipConfiguration"] = json!({ "ipv4Enabled": false, "privateNetwork": link });
        }
        Ok(json!({ "name": spec.name, "region": change.region, "databaseVersion": version,
            "rootPassword": forgotten_password(), "settings": settings }))
    }

    pub(super) async fn create_replica(
        &self,
        change: &Change,
        spec: &RestoreSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        // The original may be gone when what was begun is taken up.
        if let Some(ticket) = self.begun_database(name, &spec.name, token).await? {
            return Ok(ticket);
        }
        let path = self.target(change, &[ResourceKind::Database])?;
        let original = path.trim_start_matches("instances/");
        let found = self.database(original).await?;
        let found = found.ok_or_else(|| not_found(name, change.native_id()))?;
        let settings = &found["settings"];
        let size = spec.size.as_deref().unwrap_or_else(|| text(settings, "tier"));
        plain(name, "size", size)?;
        let body = json!({
            "name": spec.name, "masterInstanceName": original, "region": change.region,
            "databaseVersion": found["databaseVersion"],
            "settings": { "tier": size, "edition": settings["edition"],
                "userLabels": labels(name, &spec.tags, token)? },
        });
        self.insert_database(name, &spec.name, &body, token).await
    }

    /// What was begun of an instance under a token; of another's it is a conflict.
    pub(super) async fn begun_database(
        &self,
        name: ActionName,
        instance: &str,
        token: &Token,
    ) -> Result<Option<Ticket>, CloudError> {
        let Some(found) = self.database(instance).await? else { return Ok(None) };
        if !is_labeled(&found["settings"]["userLabels"], token) {
            return Err(taken(name, &format!("instances/{instance}")));
        }
        let work = self.sql_work(instance, operations_of(name)).await?.map(|(work, _)| work);
        let handle = Handle { seen: true, token: Some(token.clone()), ..Handle::of(work) };
        Ok(Some(handle.ticket(self.database_id(instance))))
    }

    /// Makes an instance, or takes up its making.
    pub(super) async fn insert_database(
        &self,
        name: ActionName,
        instance: &str,
        body: &Value,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        if let Some(ticket) = self.begun_database(name, instance, token).await? {
            return Ok(ticket);
        }
        let id = self.database_id(instance);
        match self.sql((&calls::INSERT_DATABASE, Method::POST), "instances", Some(body)).await {
            Ok(operation) => {
                let handle =
                    Handle { token: Some(token.clone()), ..Handle::of(Some(self.work_of(&operation)?)) };
                Ok(handle.ticket(id))
            }
            Err(refused) if refused.kind == ErrorKind::Conflict => {
                if let Some(ticket) = self.begun_database(name, instance, token).await? {
                    return Ok(ticket);
                }
                // It is there and not to be seen yet, or its name rests. Whose it is its labels will tell.
                let last = self.sql_work(instance, &["CREATE", "CREATE_REPLICA", "CLONE", "DELETE"]).await?;
                match last
                    .filter(|(_, operation)| operations_of(name).contains(&text(operation, "operationType")))
                {
                    Some((work, _)) => {
                        let handle = Handle { token: Some(token.clone()), ..Handle::of(Some(work)) };
                        Ok(handle.ticket(id))
                    }
                    None => Err(refused),
                }
            }
            Err(refused) => Err(refused),
        }
    }

    pub(super) async fn made_backup(
        &self,
        change: &Change,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let path = self.target(change, &[ResourceKind::Database])?;
        let instance = path.trim_start_matches("instances/");
        let listed = match self.client.all(&BACKUPS.list, instance, &Tally::default()).await {
            Ok(listed) => listed,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = listed.iter().find(|backup| is_described(&backup["description"], token));
        Ok(found.map(|backup| format!("{}/backupRuns/{}", change.native_id(), text(backup, "id"))))
    }

    pub(super) async fn snapshot_database(
        &self,
        change: &Change,
        named: &Named,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        if let Some(key) = named.tags.keys().next() {
            return Err(invalid(
                name,
                &format!("the tag {key} cannot be set: backups of Cloud SQL have no labels"),
            ));
        }
        if let Some(made) = self.made_backup(change, token).await? {
            return Ok(Ticket::of(made));
        }
        let path = self.target(change, &[ResourceKind::Database])?;
        let body = json!({ "description": description(&named.name, token) });
        let operation = self.sql((&calls::INSERT_BACKUP, Method::POST), path, Some(&body)).await?;
        let number = text(&operation["backupContext"], "backupId");
        let made = if number.is_empty() {
            self.made_backup(change, token).await?
        } else {
            Some(format!("{}/backupRuns/{number}", change.native_id()))
        };
        let made =
            made.ok_or_else(|| self.client.wrong(&calls::INSERT_BACKUP, "the operation names no backup"))?;
        Ok(Handle::of(Some(self.work_of(&operation)?)).ticket(made))
    }

    /// Does something to an instance, or deletes a backup.
    pub(super) async fn change_database(&self, change: &Change) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let kind = name.on().unwrap_or(ResourceKind::Database);
        let path = self.target(change, &[kind])?;
        let instance = path.split('/').nth(1).unwrap_or_default();
        let found = self.database(instance).await?;
        if let Some(region) = found.as_ref().and_then(|item| item["region"].as_str())
            && !self.is_included(region)
        {
            return Err(invalid(name, &format!("the connection is not for the region {region}")));
        }
        let seen = if found.is_some() { self.sight(kind, id).await? } else { None };
        let there = seen.is_some();
        let verdict = verdict(&change.action, seen.as_ref());
        if let Verdict::Never(kind, why) = verdict {
            return Err(error(name, kind, &format!("{id}: {why}")));
        }
        let under_way = if there { self.sql_work(instance, operations_of(name)).await? } else { None };
        let under_way =
            under_way.filter(|(_, operation)| text(operation, "status") != "DONE").map(|(work, _)| work);
        match (verdict, under_way) {
            (Verdict::Met, work) => return Ok(Handle::of(work).ticket(id)),
            (_, Some(work)) => {
                return Ok(Handle { adopted: true, ..Handle::of(Some(work)) }.ticket(id));
            }
            _ => {}
        }
        let present = found.unwrap_or_default();
        match self.alter_database(change, path, &present).await {
            Ok(operation) => Ok(Handle::of(Some(self.work_of(&operation)?)).ticket(id)),
            Err(refused) if refused.kind == ErrorKind::NotFound && name.as_str().starts_with("delete_") => {
                Ok(Ticket::of(id))
            }
            Err(refused) => Err(refused),
        }
    }

    async fn alter_database(
        &self,
        change: &Change,
        path: &str,
        present: &Value,
    ) -> Result<Value, CloudError> {
        let name = change.action.name();
        let settings = match &change.action {
            Action::ResizeDatabase(size) => {
                plain(name, "size", &size.size)?;
                json!({ "tier": size.size })
            }
            Action::StartDatabase => json!({ "activationPolicy": "ALWAYS" }),
            Action::StopDatabase => json!({ "activationPolicy": "NEVER" }),
            Action::SetTags(tags) => {
                json!({ "userLabels": tags::patch(&present["settings"]["userLabels"], tags) })
            }
            Action::PromoteReplica => {
                return self.sql((&calls::PROMOTE_REPLICA, Method::POST), path, None).await;
            }
            Action::DeleteDatabase => {
                return self.sql((&calls::DELETE_DATABASE, Method::DELETE), path, None).await;
            }
            Action::DeleteDatabaseSnapshot => {
                return self.sql((&calls::DELETE_BACKUP, Method::DELETE), path, None).await;
            }
            _ => return Err(unsupported(name, "Marquee does not do this at Google Cloud")),
        };
        let body = json!({ "settings": settings });
        self.sql((&calls::PATCH_DATABASE, Method::PATCH), path, Some(&body)).await
    }

    /// Makes a call of Cloud SQL.
    pub(super) async fn sql(
        &self,
        (call, method): (&Call, Method),
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CloudError> {
        self.client.change(call, Sent { method, id: path, query: &[], body }).await
    }

    /// The work that an operation is.
    pub(super) fn work_of(&self, operation: &Value) -> Result<Work, CloudError> {
        let name = operation["name"].as_str().filter(|name| !name.is_empty());
        let name =
            name.ok_or_else(|| self.client.wrong(&calls::GET_SQL_OPERATION, "an operation without a name"))?;
        Ok(Work::Sql { name: name.to_owned() })
    }

    /// The last operation of some types that works, or worked, on an instance.
    pub(super) async fn sql_work(
        &self,
        instance: &str,
        kinds: &[&str],
    ) -> Result<Option<(Work, Value)>, CloudError> {
        let query = [("instance", instance)];
        let listed = self.client.all_with(&calls::LIST_SQL_OPERATIONS, "", &query, &Tally::default()).await?;
        let fits = |operation: &Value| {
            text(operation, "targetId") == instance && kinds.contains(&text(operation, "operationType"))
        };
        let all = listed.into_iter().filter(fits);
        let last = all.max_by(|a, b| text(a, "insertTime").cmp(text(b, "insertTime")));
        last.map(|operation| Ok((self.work_of(&operation)?, operation))).transpose()
    }
}

/// Google's word for engine and version, and the name of its administrator.
fn engine(name: ActionName, spec: &DatabaseSpec) -> Result<(String, &'static str), CloudError> {
    let (word, usual, admin) = match spec.engine.as_str() {
        "postgres" => ("POSTGRES", "17", "postgres"),
        "mysql" => ("MYSQL", "8.4", "root"),
        _ => return Err(invalid(name, "engine: expected postgres or mysql")),
    };
    let version = spec.engine_version.as_deref().unwrap_or(usual);
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(invalid(name, "engine_version: expected numbers, as 16 or 8.4"));
    }
    Ok((format!("{word}_{}", version.replace('.', "_")), admin))
}

/// Backups every night, each kept until that many are there, and the logs to go back to any time.
fn backups(days: u32, engine: &str) -> Value {
    if days == 0 {
        return json!({ "enabled": false });
    }
    let logs = if engine == "mysql" { "binaryLogEnabled" } else { "pointInTimeRecoveryEnabled" };
    json!({ "enabled": true, logs: true, "transactionLogRetentionDays": days.min(7),
        "backupRetentionSettings": { "retentionUnit": "COUNT", "retainedBackups": days } })
}

/// A password that nobody is told: without one, `MySQL`'s root would need none.
pub(super) fn forgotten_password() -> String {
    use std::fmt::Write as _;
    let bytes: [u8; 24] = rand::random();
    bytes.iter().fold("Aa1-".to_owned(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
