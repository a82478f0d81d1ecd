//! Flexible servers for PostgreSQL, and their backups.
//!
//! The administrator of a new server gets a random password that is forgotten with the call: it is in no ticket, and taken out of
//! whatever might be logged. One that is begun again finds the server by its token and asks for nothing; if the call
//! before never arrived, there is a new password. Whoever needs one sets it anew with the vendor's own tools.
//!
//! A backup is restored as its server was when the backup was complete: Azure restores to times.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marquee_clouds::{
    Action, Change, CloudError, ErrorKind, Ticket, Token,
    changes::spec::{DatabaseSpec, Named, RestoreSpec, RestoreToTimeSpec, Size, TagMap},
};
use reqwest::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use super::{
    Noun, conflict, invalid,
    place::{self, RESOURCE_GROUP},
    refused, tagged,
};
use crate::{
    arm::{Read, Write},
    cloud::Azure,
    inventory::databases::{BACKUPS, SERVERS, VERSION},
};

/// Servers.
pub static SERVER: Noun = Noun {
    kind: "Microsoft.DBforPostgreSQL/flexibleServers",
    get: &SERVERS.get,
    put: &write(Method::PUT, "Servers_CreateOrUpdate", "{id}"),
    delete: &write(Method::DELETE, "Servers_Delete", "{id}"),
    conditional: false,
    tagged: true,
};

/// Backups.
pub static BACKUP: Noun = Noun {
    kind: "Microsoft.DBforPostgreSQL/flexibleServers/backups",
    get: &BACKUPS.get,
    put: &write(Method::PUT, "BackupsAutomaticAndOnDemand_Create", "{id}"),
    delete: &write(Method::DELETE, "BackupsAutomaticAndOnDemand_Delete", "{id}"),
    conditional: false,
    tagged: false,
};

static UPDATE: Write = write(Method::PATCH, "Servers_Update", "{id}");
static START: Write = write(Method::POST, "Servers_Start", "{id}/start");
static STOP: Write = write(Method::POST, "Servers_Stop", "{id}/stop");

const fn write(method: Method, operation: &'static str, path: &'static str) -> Write {
    let at = Read { service: "Microsoft.DBforPostgreSQL", operation, path, query: "", version: VERSION };
    Write { method, at }
}

/// The extension that names a subnet that was delegated to servers.
pub const SUBNET: &str = "delegated_subnet";

/// What only Azure has.
const EXTENSIONS: &[&str] = &[RESOURCE_GROUP, SUBNET, "private_dns_zone", "availability_zone", "tier"];

impl Azure {
    /// What a new server is to be.
    pub(super) fn server_body(
        &self,
        region: &str,
        spec: &DatabaseSpec,
        token: &Token,
    ) -> Result<Value, CloudError> {
        place::refuse_unknown(&spec.extensions, EXTENSIONS)?;
        if spec.engine != "postgres" {
            let message = format!("engine: {:?} is not made at Azure; postgres is", spec.engine);
            return Err(refused(ErrorKind::Unsupported, message));
        }
        if spec.admin_name.is_empty() {
            return Err(invalid("admin_name: required"));
        }
        let mut properties = json!({
            "createMode": "Default", "administratorLogin": spec.admin_name,
            "administratorLoginPassword": self.password()?,
        });
        if let Some(version) = &spec.engine_version {
            properties["version"] = json!(version);
        }
        if spec.storage_gib > 0 {
            properties["storage"] = json!({ "storageSizeGB": spec.storage_gib });
        }
        if let Some(days) = spec.backup_retention_days {
            properties["backup"] = json!({ "backupRetentionDays": days });
        }
        if spec.multi_zone {
            properties["highAvailability"] = json!({ "mode": "ZoneRedundant" });
        }
        if let Some(subnet) = place::text(&spec.extensions, SUBNET)? {
            properties["network"] = json!({ "delegatedSubnetResourceId": subnet });
        }
        if let Some(zone) = place::text(&spec.extensions, "private_dns_zone")? {
            properties["network"]["privateDnsZoneArmResourceId"] = json!(zone);
        }
        if let Some(zone) = place::text(&spec.extensions, "availability_zone")? {
            properties["availabilityZone"] = json!(zone);
        }
        let mut body = json!({
            "location": region, "tags": tagged(&spec.tags, token), "sku": sku(&spec.size),
            "properties": properties,
        });
        if let Some(tier) = place::text(&spec.extensions, "tier")? {
            body["sku"]["tier"] = json!(tier);
        }
        Ok(body)
    }

    /// Letters, digits and more, 43 of them random: no one is told.
    fn password(&self) -> Result<String, CloudError> {
        let mut bytes = [0_u8; 32];
        let none = |_| refused(ErrorKind::Unavailable, "this machine gives no random numbers");
        SystemRandom::new().fill(&mut bytes).map_err(none)?;
        // Three of four kinds of characters are demanded.
        let password = format!("{}aA1-", URL_SAFE_NO_PAD.encode(bytes));
        self.layers.redactor().hide_for_a_while(&password);
        Ok(password)
    }

    /// What a server is to be that is made from a backup.
    pub(super) async fn restored_body(
        &self,
        change: &Change,
        spec: &RestoreSpec,
        token: &Token,
    ) -> Result<Value, CloudError> {
        let backup = self.target(&BACKUPS.get, change).await?;
        let at = backup["properties"]["completedTime"].as_str();
        let at = at.ok_or_else(|| conflict("the backup is not complete"))?;
        let (server, _) = change
            .native_id()
            .rsplit_once("/backups/")
            .ok_or_else(|| invalid(format!("{} is no backup's id", change.native_id())))?;
        Ok(from(change, "PointInTimeRestore", server, (spec.size.as_deref(), &spec.tags), token, Some(at)))
    }

    /// Gives a server another size: it is restarted.
    pub(super) async fn resize_server(&self, change: &Change, size: &Size) -> Result<Ticket, CloudError> {
        let server = self.target(&SERVERS.get, change).await?;
        if server["sku"]["name"].as_str().is_some_and(|now| now.eq_ignore_ascii_case(&size.size)) {
            return Ok(Ticket::of(change.native_id()));
        }
        self.ask(&UPDATE, change.native_id(), Some(&json!({ "sku": sku(&size.size) }))).await
    }

    /// Starts or stops a server.
    pub(super) async fn switch_server(&self, change: &Change) -> Result<Ticket, CloudError> {
        let server = self.target(&SERVERS.get, change).await?;
        let state = server["properties"]["state"].as_str().unwrap_or_default();
        let (write, there) = match &change.action {
            Action::StartDatabase => (&START, ["Ready", "Starting"]),
            _ => (&STOP, ["Stopped", "Stopping"]),
        };
        if there.contains(&state) {
            return Ok(Ticket::of(change.native_id()));
        }
        self.ask(write, change.native_id(), None).await
    }

    /// Makes a replica a server of its own, once it has all that its source has.
    pub(super) async fn promote(&self, change: &Change) -> Result<Ticket, CloudError> {
        let server = self.target(&SERVERS.get, change).await?;
        if !follows(&server) {
            return Ok(Ticket::of(change.native_id()));
        }
        let replica = json!({ "role": "None", "promoteMode": "Standalone", "promoteOption": "Planned" });
        self.ask(&UPDATE, change.native_id(), Some(&json!({ "properties": { "replica": replica } }))).await
    }
}

/// Whether a server follows another.
fn follows(server: &Value) -> bool {
    server["properties"]["replicationRole"].as_str().is_some_and(|role| role.contains("Replica"))
}

/// What a server is to be that is made as another was at a time.
pub fn to_time_body(change: &Change, spec: &RestoreToTimeSpec, token: &Token) -> Value {
    let at = spec.time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let own = (spec.size.as_deref(), &spec.tags);
    from(change, "PointInTimeRestore", change.native_id(), own, token, Some(&at))
}

/// What a replica is to be.
pub fn replica_body(change: &Change, spec: &RestoreSpec, token: &Token) -> Value {
    from(change, "Replica", change.native_id(), (spec.size.as_deref(), &spec.tags), token, None)
}

/// A server made from another.
fn from(
    change: &Change,
    mode: &str,
    source: &str,
    (size, tags): (Option<&str>, &TagMap),
    token: &Token,
    at: Option<&str>,
) -> Value {
    let mut body = json!({
        "location": change.region, "tags": tagged(tags, token),
        "properties": { "createMode": mode, "sourceServerResourceId": source },
    });
    if let Some(size) = size {
        body["sku"] = sku(size);
    }
    if let Some(at) = at {
        body["properties"]["pointInTimeUTC"] = json!(at);
    }
    body
}

/// A size, with the tier that its letter says.
fn sku(size: &str) -> Value {
    let tier = match size.trim_start_matches("Standard_").chars().next() {
        Some('B') => "Burstable",
        Some('E') => "MemoryOptimized",
        _ => "GeneralPurpose",
    };
    json!({ "name": size, "tier": tier })
}

/// Backups have no tags, and what cannot be kept is not taken.
pub fn refuse_tags(named: &Named) -> Result<(), CloudError> {
    if named.tags.is_empty() { Ok(()) } else { Err(invalid("tags: a backup of Azure's has none")) }
}
