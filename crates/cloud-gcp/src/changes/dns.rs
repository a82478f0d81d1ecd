//! Records of Cloud DNS.
//!
//! A change says word by word which record set it deletes and which it adds: it is refused if another stands there by then, and
//! is looked at anew.
//!
//! A name has one record set of a type. Where answers are shared by weight, Google keeps the sets as items of one routing policy, and
//! items have no names: so a set's name is here the first of its values, by which it is told from its neighbors. They have one TTL
//! together. Failover wants health checks and places of Google's own, and is not set; nor is a policy of another kind changed.

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
        let Some(found) = self.records(path, key).await? else { return Ok(None) };
        let ttl = found["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default();
        let (values, weight) = match &key.set {
            None => {
                must_be_plain(name, key, &found)?;
                (values(&found), None)
            }
            Some(set) => {
                let Some(item) = items(name, key, &found)?.into_iter().find(|item| is_set(item, set)) else {
                    return Ok(None);
                };
                (values(&item), Some(weight(name, &item)?))
            }
        };
        Ok(Some(Action::SetRecords(RecordSet {
            key: key.clone(),
            ttl,
            values,
            weight,
            ..RecordSet::default()
        })))
    }

    /// The record set of a name and type as Google shows it.
    async fn records(&self, zone: &str, key: &RecordKey) -> Result<Option<Value>, CloudError> {
        let full = format!("{}.", key.name);
        let query = [("name", full.as_str()), ("type", key.kind.as_str())];
        let found = self.client.all_with(&calls::LIST_RECORDS, zone, &query, &Tally::default()).await?;
        Ok(found.into_iter().find(|set| set["name"] == *full && set["type"] == *key.kind))
    }

    pub(super) async fn change_records(&self, change: &Change) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let path = self.target(change, &[ResourceKind::DnsZone])?;
        let key = key_of(&change.action)?;
        for tried in 1.. {
            let present = self.records(path, key).await?;
            let wanted = wanted(&change.action, key, present.as_ref())?;
            if is_same(present.as_ref(), wanted.as_ref()) {
                let work = self.spreading(path, key).await?;
                return Ok(Handle::of(work).ticket(id));
            }
            let mut body = json!({});
            for (member, set) in [("deletions", present), ("additions", wanted)] {
                if let Some(set) = set {
                    let said = ["name", "type", "ttl", "rrdatas", "routingPolicy"];
                    let said =
                        said.iter().filter_map(|part| Some(((*part).to_owned(), set.get(*part)?.clone())));
                    body[member] = json!([said.collect::<serde_json::Map<_, _>>()]);
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
        let key = key_of(&change.action)?;
        let present = self.records(path, key).await?;
        let wanted = wanted(&change.action, key, present.as_ref())?;
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

fn key_of(action: &Action) -> Result<&RecordKey, CloudError> {
    let key = match action {
        Action::RemoveRecords(key) => key,
        Action::SetRecords(set) => &set.key,
        _ => return Err(invalid(action.name(), "it sets no records")),
    };
    check(action.name(), key).map(|()| key)
}

/// What stands there when an action is over, given what does now.
fn wanted(action: &Action, key: &RecordKey, present: Option<&Value>) -> Result<Option<Value>, CloudError> {
    let name = action.name();
    let set = match action {
        Action::SetRecords(set) => Some(check_set(name, set)?),
        _ => None,
    };
    let Some(own) = &key.set else {
        if let Some(present) = present {
            must_be_plain(name, key, present)?;
        }
        let full = format!("{}.", key.name);
        let plain = |set: &RecordSet| json!({ "name": full, "type": key.kind, "ttl": set.ttl, "rrdatas": set.values });
        return Ok(set.map(plain));
    };
    let mut others = match present {
        Some(present) => items(name, key, present)?,
        None => Vec::new(),
    };
    others.retain(|item| !is_set(item, own));
    let mut whole =
        present.cloned().unwrap_or_else(|| json!({ "name": format!("{}.", key.name), "type": key.kind }));
    if let Some(set) = set {
        if !others.is_empty() && whole["ttl"] != set.ttl {
            return Err(invalid(
                name,
                &format!("ttl: the sets of one name and type share it, which is {}", whole["ttl"]),
            ));
        }
        whole["ttl"] = set.ttl.into();
        others.push(json!({ "weight": set.weight, "rrdatas": set.values }));
    }
    if others.is_empty() {
        return Ok(None);
    }
    whole["routingPolicy"]["wrr"]["items"] = others.into();
    Ok(Some(whole))
}

/// Refuses what Google has no place for.
fn check_set(name: ActionName, set: &RecordSet) -> Result<&RecordSet, CloudError> {
    if set.failover.is_some() || set.health_check.is_some() {
        return Err(unsupported(name, "Marquee sets no failover and no health checks at Google Cloud"));
    }
    let Some(first) = set.values.first() else {
        return Err(invalid(name, "values: a record set has at least one"));
    };
    match (&set.key.set, set.weight) {
        (None, None) => Ok(set),
        (None, Some(_)) => Err(invalid(name, "weight: it is of one set among several; name it in set")),
        (Some(_), None) => Err(invalid(name, "weight: a set among several has one")),
        (Some(own), Some(_)) if own == first => Ok(set),
        (Some(_), Some(_)) => {
            Err(invalid(name, "set: Google's have no names; it is the first of the set's values"))
        }
    }
}

fn must_be_plain(name: ActionName, key: &RecordKey, found: &Value) -> Result<(), CloudError> {
    if found["routingPolicy"].is_object() {
        let message =
            format!("{} {} is a routing policy of several sets; name one in set", key.name, key.kind);
        return Err(conflict(name, &message));
    }
    Ok(())
}

/// The items of a policy by weight.
fn items(name: ActionName, key: &RecordKey, found: &Value) -> Result<Vec<Value>, CloudError> {
    let policy = &found["routingPolicy"];
    if !policy.is_object() {
        let message = format!("{} {} is one set, and not one of several", key.name, key.kind);
        return Err(conflict(name, &message));
    }
    let items = policy["wrr"]["items"].as_array().cloned();
    items.ok_or_else(|| unsupported(name, "the routing policy there is not by weight"))
}

fn is_set(item: &Value, set: &str) -> bool {
    item["rrdatas"][0] == *set
}

fn weight(name: ActionName, item: &Value) -> Result<u8, CloudError> {
    let whole =
        item["weight"].as_f64().filter(|weight| weight.fract() == 0.0 && (0.0..=255.0).contains(weight));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, and between 0 and 255"
    )]
    let weight = whole.map(|weight| weight as u8);
    weight.ok_or_else(|| {
        unsupported(name, &format!("the weight {} is not a whole number up to 255", item["weight"]))
    })
}

fn values(set: &Value) -> Vec<String> {
    let values = set["rrdatas"].as_array().into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check(name: ActionName, key: &RecordKey) -> Result<(), CloudError> {
    if !KINDS.contains(&key.kind.as_str()) {
        return Err(invalid(name, &format!("type: expected one of {}", KINDS.join(", "))));
    }
    if key.name.is_empty() || key.name.ends_with('.') {
        return Err(invalid(name, "name: expected a full name, without a dot at its end"));
    }
    Ok(())
}

/// Values and items have no order of their own.
fn is_same(present: Option<&Value>, wanted: Option<&Value>) -> bool {
    let sorted = |set: &Value| {
        let mut values = values(set);
        values.sort();
        values
    };
    let weighed = |set: &Value| {
        let items = set["routingPolicy"]["wrr"]["items"].as_array().into_iter().flatten();
        let mut items: Vec<_> =
            items.map(|item| (sorted(item), item["weight"].as_f64().map(f64::to_bits))).collect();
        items.sort();
        items
    };
    match (present, wanted) {
        (None, None) => true,
        (Some(present), Some(wanted)) => {
            present["ttl"] == wanted["ttl"]
                && sorted(present) == sorted(wanted)
                && weighed(present) == weighed(wanted)
        }
        _ => false,
    }
}
