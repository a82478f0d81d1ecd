//! Cloud SQL: instances, and the backups of each.

use marquee_clouds::{
    CloudError, ErrorKind, Observed, Page, PageSink,
    draft::{Draft, whole},
    layers::Tally,
    paging::take,
};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::Value;

use super::{Listing, states::STATES};
use crate::{
    api::{Call, Items, SQL},
    cloud::Google,
    error::CLOUD,
};

const SERVICE: &str = "cloudsql.googleapis.com";
/// What stands between the name of a backup and the token of what made it.
const MADE_BY: &str = " marquee-operation=";

const fn call(method: &'static str, path: &'static str, items: Items) -> Call {
    Call { api: &SQL, method, path, query: "", items }
}

/// Instances.
pub static INSTANCES: Listing = Listing {
    scope: "sql/instances",
    kind: ResourceKind::Database,
    list: call("sql.instances.list", "/v1/projects/{project}/instances", Items::List("items")),
    get: call("sql.instances.get", "/v1/projects/{project}/{id}", Items::One),
    service: SERVICE,
    read: instance,
    also: None,
};

/// Backups: a list for each instance.
pub static BACKUPS: Listing = Listing {
    scope: "sql/backups",
    kind: ResourceKind::DatabaseSnapshot,
    list: call(
        "sql.backupRuns.list",
        "/v1/projects/{project}/instances/{id}/backupRuns",
        Items::List("items"),
    ),
    get: call("sql.backupRuns.get", "/v1/projects/{project}/{id}", Items::One),
    service: SERVICE,
    read: |item, project| backup(item, project, super::GLOBAL),
    also: None,
};

/// The full resource name of an instance: names are unique in a project, and links have two versions of the API.
pub(crate) fn name_of(project: &str, instance: &str) -> String {
    format!("//{SERVICE}/projects/{project}/instances/{instance}")
}

fn instance(item: Value, project: &str) -> Option<Observed> {
    let name = item["name"].as_str()?;
    let region = item["region"].as_str().unwrap_or(super::GLOBAL);
    let mut draft = Draft::new(ResourceKind::Database, &name_of(project, name), name, region);
    let settings = &item["settings"];
    draft.state(STATES, item["state"].as_str());
    // An instance that is switched off is RUNNABLE nevertheless.
    if draft.0.state == ResourceState::Running && settings["activationPolicy"] == "NEVER" {
        draft.0.state = ResourceState::Stopped;
    }
    draft.0.zone = item["gceZone"].as_str().map(str::to_owned);
    draft.tags(&settings["userLabels"]);
    draft.created(&item["createTime"]);
    draft.size(&settings["tier"]);
    let version = item["databaseVersion"].as_str().unwrap_or_default();
    let (engine, number) = version.split_once('_').unwrap_or((version, ""));
    draft.set("engine", engine.to_lowercase());
    draft.set("engine_version", number.replace('_', "."));
    draft.number("size_gib", &settings["dataDiskSizeGb"]);
    draft.take("storage_type", &settings["dataDiskType"]);
    draft.set("encrypted", true);
    draft.take("deletion_protection", &settings["deletionProtectionEnabled"]);
    draft.set("multi_zone", settings["availabilityType"] == "REGIONAL");
    if let Some(days) = whole(&settings["backupConfiguration"]["backupRetentionSettings"]["retainedBackups"])
    {
        draft.set("backup_retention_days", days);
    }
    let open = settings["ipConfiguration"]["ipv4Enabled"].as_bool();
    if let Some(open) = open {
        draft.set("public", open);
    }
    draft.take("endpoint", &item["ipAddresses"][0]["ipAddress"]);
    if let Some(master) = item["masterInstanceName"].as_str() {
        let master = master.rsplit(':').next().unwrap_or(master);
        draft.relation(Relation::ReplicaOf, ResourceKind::Database, Some(name_of(project, master)));
    }
    let network = &settings["ipConfiguration"]["privateNetwork"];
    draft.relation(Relation::MemberOf, ResourceKind::Network, super::compute_name(network));
    let omit = [
        "kind",
        "selfLink",
        "name",
        "region",
        "gceZone",
        "state",
        "createTime",
        "etag",
        "settings.userLabels",
        "settings.settingsVersion",
        "currentDiskSize",
        "serverCaCert",
    ];
    Some(draft.finish(item, &omit))
}

/// A backup is its instance's, and so is its region.
fn backup(item: Value, project: &str, region: &str) -> Option<Observed> {
    let instance = item["instance"].as_str()?;
    let id =
        item["id"].as_str().map(str::to_owned).or_else(|| whole(&item["id"]).map(|id| id.to_string()))?;
    let server = name_of(project, instance);
    // Behind the name may stand the operation that made it: backups have no labels.
    let described = item["description"].as_str().and_then(|text| text.split(MADE_BY).next());
    let name = described.filter(|text| !text.is_empty()).unwrap_or(&id);
    let mut draft =
        Draft::new(ResourceKind::DatabaseSnapshot, &format!("{server}/backupRuns/{id}"), name, region);
    draft.state(STATES, item["status"].as_str());
    draft.size(&item["type"]);
    draft.created(&item["startTime"]);
    draft.set("encrypted", true);
    draft.relation(Relation::CreatedFrom, ResourceKind::Database, Some(server));
    Some(draft.finish(item, &["kind", "selfLink", "status"]))
}

impl Google {
    /// Instance by instance. One that went away since it was listed has no backups any more; a replica has none.
    pub(super) async fn list_backups(
        &self,
        tally: &Tally,
        sink: &mut dyn PageSink,
    ) -> Result<(), CloudError> {
        for instance in self.client.all(&INSTANCES.list, "", tally).await? {
            let (Some(name), Some(region)) = (instance["name"].as_str(), instance["region"].as_str()) else {
                return Err(self.client.wrong(&INSTANCES.list, "an instance without a name or a region"));
            };
            if !self.is_included(region) || instance["instanceType"] == "READ_REPLICA_INSTANCE" {
                continue;
            }
            let listed = match self.client.all(&BACKUPS.list, name, tally).await {
                Ok(listed) => listed,
                Err(error) if error.kind == ErrorKind::NotFound => continue,
                Err(error) => return Err(error.in_region(region)),
            };
            let project = &self.client.project;
            let read: Option<Vec<Observed>> =
                listed.into_iter().map(|item| backup(item, project, region)).collect();
            let resources = read.ok_or_else(|| self.client.wrong(&BACKUPS.list, "a backup without an id"))?;
            let page = Page { resources, throttled: tally.take_throttled() };
            take(CLOUD, BACKUPS.list.method, sink, page).await?;
        }
        Ok(())
    }

    /// The region of a backup that was asked for by its id: its instance's.
    pub(super) async fn with_instance_region(
        &self,
        found: &mut [Observed],
        tally: &Tally,
    ) -> Result<(), CloudError> {
        for observed in found {
            let Some((server, _)) = observed.native_id.split_once("/backupRuns/") else { continue };
            let Some(relative) = INSTANCES.relative(&self.client.project, server) else { continue };
            let server = self.client.get(&INSTANCES.get, relative, tally).await?;
            server["region"].as_str().unwrap_or(super::GLOBAL).clone_into(&mut observed.region);
        }
        Ok(())
    }
}
