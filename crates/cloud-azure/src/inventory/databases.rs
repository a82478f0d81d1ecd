//! PostgreSQL flexible servers, and their backups.

use marquee_clouds::{
    CloudError, ErrorKind, Observed, Page, PageSink, draft::Draft, layers::Tally, paging::take,
};
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::Value;

use super::{Known, Listing, SAID, With, canonical, draft, id_of, states::STATES};
use crate::{arm::Read, cloud::Azure, error::CLOUD};

/// The version of the API.
pub const VERSION: &str = "2024-08-01";

const fn read(operation: &'static str, path: &'static str) -> Read {
    Read { service: "Microsoft.DBforPostgreSQL", operation, path, query: "", version: VERSION }
}

/// Flexible servers.
pub static SERVERS: Listing = Listing {
    scope: "postgresql/servers",
    kinds: &[ResourceKind::Database],
    list: read("Servers_ListBySubscription", "/providers/Microsoft.DBforPostgreSQL/flexibleServers"),
    get: read("Servers_Get", "{id}"),
    with: With::Nothing,
    read: server,
};

/// Backups of flexible servers: a list for each server.
pub static BACKUPS: Listing = Listing {
    scope: "postgresql/backups",
    kinds: &[ResourceKind::DatabaseSnapshot],
    list: read("Servers_ListBySubscription", "/providers/Microsoft.DBforPostgreSQL/flexibleServers"),
    get: read("BackupsAutomaticAndOnDemand_Get", "{id}"),
    with: With::Backups,
    read: |item, _| backup(item, "").into_iter().collect(),
};

/// The backups of one server.
pub static BACKUPS_OF: Read = read("BackupsAutomaticAndOnDemand_ListByServer", "{id}/backups");

fn server(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::Database, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["state"].as_str());
    draft.size(&item["sku"]["name"]);
    draft.0.zone = properties["availabilityZone"].as_str().filter(|zone| !zone.is_empty()).map(str::to_owned);
    draft.created(&item["systemData"]["createdAt"]);
    draft.set("engine", "postgres");
    draft.take("engine_version", &properties["version"]);
    draft.number("size_gib", &properties["storage"]["storageSizeGB"]);
    draft.number("iops", &properties["storage"]["iops"]);
    draft.take("storage_type", &properties["storage"]["type"]);
    draft.take("endpoint", &properties["fullyQualifiedDomainName"]);
    draft.number("backup_retention_days", &properties["backup"]["backupRetentionDays"]);
    draft.set("encrypted", true);
    let standby = properties["highAvailability"]["mode"].as_str();
    draft.set("multi_zone", standby.is_some_and(|mode| mode == "ZoneRedundant"));
    if let Some(public) = properties["network"]["publicNetworkAccess"].as_str() {
        draft.set("public", public == "Enabled");
    }
    // The source of a replica; a server that was restored from another names that one as well.
    if properties["replicationRole"].as_str().is_some_and(|role| role.contains("Replica")) {
        draft.relation(
            Relation::ReplicaOf,
            ResourceKind::Database,
            id_of(&properties["sourceServerResourceId"]),
        );
    }
    let subnet = id_of(&properties["network"]["delegatedSubnetResourceId"]);
    draft.relation(Relation::MemberOf, ResourceKind::Subnet, subnet);
    let omit = ["systemData", "properties.state", "properties.backup.earliestRestoreDate"];
    vec![draft.finish(item, &[SAID, &omit].concat())]
}

/// A backup is its server's, and so is its location.
fn backup(item: Value, region: &str) -> Option<Observed> {
    let (id, name) = (item["id"].as_str()?, item["name"].as_str()?);
    let mut draft = Draft::new(ResourceKind::DatabaseSnapshot, &canonical(id), name, region);
    let properties = &item["properties"];
    draft.created(&properties["completedTime"]);
    draft.size(&properties["backupType"]);
    draft.set("engine", "postgres");
    draft.set("encrypted", true);
    let server = super::parent(&draft.0.native_id, "/backups/").map(str::to_owned);
    draft.relation(Relation::CreatedFrom, ResourceKind::Database, server);
    Some(draft.finish(item, &[SAID, &["systemData", "properties.completedTime"]].concat()))
}

impl Azure {
    /// Server by server. One that went away since it was listed has no backups any more.
    pub(super) async fn list_backups(
        &self,
        tally: &Tally,
        sink: &mut dyn PageSink,
    ) -> Result<(), CloudError> {
        let servers = self.arm.all(&SERVERS.list, "", tally).await?;
        for server in servers {
            let (Some(id), Some(location)) = (server["id"].as_str(), server["location"].as_str()) else {
                return Err(self.arm.wrong(&SERVERS.list, "a server without an id or a location"));
            };
            let region = super::region(location);
            if !self.is_included(&region) {
                continue;
            }
            let listed = match self.arm.all(&BACKUPS_OF, id, tally).await {
                Ok(listed) => listed,
                Err(error) if error.kind == ErrorKind::NotFound => continue,
                Err(error) => return Err(error.in_region(region)),
            };
            let read: Option<Vec<Observed>> = listed.into_iter().map(|item| backup(item, &region)).collect();
            let resources = read.ok_or_else(|| self.arm.wrong(&BACKUPS_OF, "a backup without an id"))?;
            let page = Page { resources, throttled: tally.take_throttled() };
            take(CLOUD, BACKUPS_OF.operation, sink, page).await?;
        }
        Ok(())
    }

    /// The location of a backup that was asked for by its id: its server's.
    pub(super) async fn with_server_region(
        &self,
        found: &mut [Observed],
        tally: &Tally,
    ) -> Result<(), CloudError> {
        for observed in found {
            let Some(server) = super::parent(&observed.native_id, "/backups/") else { continue };
            let server = self.arm.get(&SERVERS.get, server, tally).await?;
            observed.region = super::region(server["location"].as_str().unwrap_or_default());
        }
        Ok(())
    }
}
