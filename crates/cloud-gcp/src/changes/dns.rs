//! Records of Cloud DNS.
//!
//! A change says word by word which record set it deletes and which it adds: it is refused if another stands there by then, and
//! is looked at anew. A name has one record set of a type, without a name of its own. Several sets of one name and type are the items of one routing
//! policy, which have no names either: so such a set cannot be told from its neighbors, and neither it nor a policy that stands
//! there is changed.

use marquee_clouds::{
    Action, ActionName, Change, CloudError, ErrorKind, Progress, Ticket,
    changes::spec::{RecordKey, RecordSet},
    layers::Tally,
};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    calls, conflict, invalid, not_found, text, unsupported,
    work::{Handle, Work},
};
use crate::{api::Sent, cloud::Google};

/// How often records are read anew that someone else changed in between.
const TRIES: usize = 3;
/// The types that are set.
const KINDS: &[&str] = &["A", "AAAA", "CNAME", "TXT", "MX", "SRV", "CAA"];
/// Changes that are looked through for one that is under way.
const RECENT: &str = "20";

impl Google {
    pub(super) async fn records_stand(
        &self,
        change: &Change,
        key: &RecordKey,
    ) -> Result<Option<Action>, CloudError> {
        let name = change.action.name();
        check(name, key)?;
        let path = self.target(change, &[ResourceKind::DnsZone])?;
        let Some(found) = self.records(name, path, key).await? else { return Ok(None) };
        let ttl = found["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default();
        let values = found["rrdatas"].as_array().into_iter().flatten();
        let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Some(Action::SetRecords(RecordSet { key: key.clone(), ttl, values, ..RecordSet::default() })))
    }

    /// The record set of a name and type as Google shows it.
    async fn records(
        &self,
        name: ActionName,
        zone: &str,
        key: &RecordKey,
    ) -> Result<Option<Value>, CloudError> {
        let full = format!("{}.", key.name);
        let query = [("name", full.as_str()), ("type", key.kind.as_str())];
        let found = self.client.all_with(&calls::LIST_RECORDS, zone, &query, &Tally::default()).await?;
        let found = found.into_iter().find(|set| set["name"] == *full && set["type"] == *key.kind);
        if found.as_ref().is_some_and(|set| set["routingPolicy"].is_object()) {
            let message = format!("{} {} is a routing policy, whose sets have no names", key.name, key.kind);
            return Err(unsupported(name, &message));
        }
        Ok(found)
    }

    pub(super) async fn change_records(&self, change: &Change) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let path = self.target(change, &[ResourceKind::DnsZone])?;
        let (key, wanted) = wanted(&change.action)?;
        for tried in 1.. {
            let present = self.records(name, path, key).await?;
            if is_same(present.as_ref(), wanted.as_ref()) {
                let work = self.spreading(path, key).await?;
                return Ok(Handle::of(work).ticket(id));
            }
            let mut body = json!({});
            for (member, set) in [("deletions", present), ("additions", wanted.clone())] {
                if let Some(set) = set {
                    body[member] = json!([{ "name": set["name"], "type": set["type"], "ttl": set["ttl"],
                        "rrdatas": set["rrdatas"] }]);
                }
            }
            let sent = Sent { method: Method::POST, id: path, query: &[], body: Some(&body) };
            let raced = [ErrorKind::PreconditionFailed, ErrorKind::Conflict, ErrorKind::NotFound];
            match self.client.change(&calls::CREATE_CHANGE, sent).await {
                Ok(begun) => return Ok(Handle::of(work_of(path, &begun)).ticket(id)),
                Err(error) if raced.contains(&error.kind) && tried < TRIES => {
                    // Either the zone is gone, or the records are others than they were.
                    if self.raw(ResourceKind::DnsZone, path).await?.is_none() {
                        return Err(not_found(name, id));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the tries end by returning")
    }

    /// A change of a record set that the name servers do not all know yet.
    async fn spreading(&self, zone: &str, key: &RecordKey) -> Result<Option<Work>, CloudError> {
        let query = [("sortBy", "changeSequence"), ("sortOrder", "descending"), ("maxResults", RECENT)];
        let (recent, _) =
            self.client.page(&calls::LIST_CHANGES, (zone, &query), None, &Tally::default()).await?;
        let full = format!("{}.", key.name);
        let concerns = |change: &&Value| {
            let sets = ["additions", "deletions"].into_iter().filter_map(|member| change[member].as_array());
            let mut sets = sets.flatten();
            text(change, "status") == "pending"
                && sets.any(|set| set["name"] == *full && set["type"] == *key.kind)
        };
        Ok(recent.iter().find(concerns).and_then(|change| work_of(zone, change)))
    }

    pub(super) async fn look_at_records(&self, change: &Change) -> Result<Progress, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let path = self.target(change, &[ResourceKind::DnsZone])?;
        let (key, wanted) = wanted(&change.action)?;
        let present = self.records(name, path, key).await?;
        if is_same(present.as_ref(), wanted.as_ref()) {
            return Ok(Progress::Done { native_id: id.to_owned() });
        }
        let message = "the change is over, and other records stand there by now";
        Ok(Progress::Failed(conflict(name, message)))
    }
}

/// The work that a change is.
fn work_of(path: &str, change: &Value) -> Option<Work> {
    let id = change["id"].as_str().filter(|id| !id.is_empty())?;
    let zone = path.trim_start_matches("managedZones/");
    Some(Work::Dns { zone: zone.to_owned(), id: id.to_owned() })
}

/// What stands there when an action is over.
fn wanted(action: &Action) -> Result<(&RecordKey, Option<Value>), CloudError> {
    let name = action.name();
    match action {
        Action::RemoveRecords(key) => check(name, key).map(|()| (key, None)),
        Action::SetRecords(set) => {
            check(name, &set.key)?;
            if set.weight.is_some() || set.failover.is_some() || set.health_check.is_some() {
                let message =
                    "weights, failover and health checks are of routing policies, whose sets have no names";
                return Err(unsupported(name, message));
            }
            if set.values.is_empty() {
                return Err(invalid(name, "values: a record set has at least one"));
            }
            let full = format!("{}.", set.key.name);
            let wanted = json!({ "name": full, "type": set.key.kind, "ttl": set.ttl, "rrdatas": set.values });
            Ok((&set.key, Some(wanted)))
        }
        _ => Err(invalid(name, "it sets no records")),
    }
}

fn check(name: ActionName, key: &RecordKey) -> Result<(), CloudError> {
    if key.set.is_some() {
        return Err(unsupported(name, "set: the sets of one name and type have no names at Google Cloud"));
    }
    if !KINDS.contains(&key.kind.as_str()) {
        return Err(invalid(name, &format!("type: expected one of {}", KINDS.join(", "))));
    }
    if key.name.is_empty() || key.name.ends_with('.') {
        return Err(invalid(name, "name: expected a full name, without a dot at its end"));
    }
    Ok(())
}

/// Values have no order of their own.
fn is_same(present: Option<&Value>, wanted: Option<&Value>) -> bool {
    let sorted = |set: &Value| {
        let values = set["rrdatas"].as_array().into_iter().flatten();
        let mut values: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
        values.sort();
        values
    };
    match (present, wanted) {
        (None, None) => true,
        (Some(present), Some(wanted)) => present["ttl"] == wanted["ttl"] && sorted(present) == sorted(wanted),
        _ => false,
    }
}
