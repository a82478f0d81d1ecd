//! Record sets of DNS zones.

use marquee_clouds::{
    Action, Change, CloudError, ErrorKind, Ticket,
    changes::spec::{RecordKey, RecordSet},
};
use reqwest::Method;
use serde_json::json;

use super::{invalid, place, records, refused};
use crate::{
    arm::{Read, Write},
    cloud::Azure,
    inventory::network::ZONES,
};

/// The type of zones.
const ZONE: &str = "Microsoft.Network/dnsZones";

static GET: Read = read("RecordSets_Get");
static PUT: Write = Write { method: Method::PUT, at: read("RecordSets_CreateOrUpdate") };
static DELETE: Write = Write { method: Method::DELETE, at: read("RecordSets_Delete") };

const fn read(operation: &'static str) -> Read {
    Read { service: "Microsoft.Network", operation, path: "{id}", query: "", version: "2018-05-01" }
}

impl Azure {
    pub(super) async fn set_records(&self, change: &Change, set: &RecordSet) -> Result<Ticket, CloudError> {
        if set.weight.is_some() || set.failover.is_some() || set.health_check.is_some() {
            let message =
                "weights, failover and health checks are nothing of Azure DNS's: Traffic Manager has them";
            return Err(refused(ErrorKind::Unsupported, message));
        }
        self.target(&ZONES.get, change).await?;
        let id = record_id(change, &set.key)?;
        // An alias is not replaced: it could not be brought back.
        if self.records_are(change, set).await? {
            return Ok(Ticket::of(change.native_id()));
        }
        let mut properties = records::write(&set.key.kind, &set.values)?;
        properties["TTL"] = json!(set.ttl);
        let sent = self.ask(&PUT, &id, Some(&json!({ "properties": properties }))).await?;
        Ok(Ticket::with(Some(change.native_id().to_owned()), sent.handle))
    }

    pub(super) async fn remove_records(
        &self,
        change: &Change,
        key: &RecordKey,
    ) -> Result<Ticket, CloudError> {
        let id = record_id(change, key)?;
        if self.records_of(change, key).await?.is_none() {
            return Ok(Ticket::of(change.native_id()));
        }
        match self.ask(&DELETE, &id, None).await {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Ticket::of(change.native_id()))
    }

    /// The set that stands there.
    pub(super) async fn records_of(
        &self,
        change: &Change,
        key: &RecordKey,
    ) -> Result<Option<Action>, CloudError> {
        let id = record_id(change, key)?;
        let Some(found) = self.there(&GET, &id).await? else { return Ok(None) };
        let properties = &found["properties"];
        if properties["targetResource"]["id"].as_str().is_some_and(|id| !id.is_empty()) {
            let message = format!("{} is an alias of a resource, and could not be brought back", key.name);
            return Err(refused(ErrorKind::Unsupported, message));
        }
        let ttl = properties["TTL"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default();
        let values = records::read(&key.kind, properties)?;
        Ok(Some(Action::SetRecords(RecordSet { key: key.clone(), ttl, values, ..RecordSet::default() })))
    }

    /// Whether the set there is the one that is wanted, in whatever order and spelling.
    pub(super) async fn records_are(&self, change: &Change, set: &RecordSet) -> Result<bool, CloudError> {
        let Some(Action::SetRecords(there)) = self.records_of(change, &set.key).await? else {
            return Ok(false);
        };
        let mut wanted = records::read(&set.key.kind, &records::write(&set.key.kind, &set.values)?)?;
        let mut values = there.values;
        wanted.sort();
        values.sort();
        Ok(there.ttl == set.ttl && values == wanted)
    }
}

/// The id of a set: its zone's, its type, and its name within the zone.
fn record_id(change: &Change, key: &RecordKey) -> Result<String, CloudError> {
    let zone = change.native_id();
    place::refuse_id(zone)?;
    place::refuse_other(zone, ZONE)?;
    if key.set.is_some() {
        let message = "Azure DNS has one set of a name and type; several are Traffic Manager's";
        return Err(refused(ErrorKind::Unsupported, message));
    }
    records::refuse_kind(&key.kind)?;
    let (name, domain) = (key.name.to_lowercase(), place::name_of(zone).to_lowercase());
    let relative = if name == domain {
        "@".to_owned()
    } else {
        let inside = name.strip_suffix(&domain).and_then(|rest| rest.strip_suffix('.'));
        inside.ok_or_else(|| invalid(format!("name: {} is not in the zone {domain}", key.name)))?.to_owned()
    };
    place::refuse_name(&relative)?;
    Ok(format!("{zone}/{}/{relative}", key.kind))
}
