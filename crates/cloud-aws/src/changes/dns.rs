//! Records, by the official crate. A set is written whole and may be written again (`UPSERT`); it is removed by saying
//! exactly what it holds, which is read first. A change is over when Route 53 says that all its servers have it.

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType,
};
use marquee_clouds::{
    Action, CloudError, ErrorKind, Progress, Ticket,
    changes::spec::{FailoverRole, RecordKey, RecordSet},
};
use marquee_types::ResourceKind;
use serde_json::{Value, json};

use super::calls::{Calls, done, invalid, unsupported};

/// The types that there are words for.
const TYPES: &[&str] = &["A", "AAAA", "CAA", "CNAME", "MX", "SRV", "TXT"];

fn kind(key: &RecordKey) -> Result<RrType, CloudError> {
    let known = TYPES.contains(&key.kind.as_str());
    known
        .then(|| RrType::from(key.kind.as_str()))
        .ok_or_else(|| invalid(format!("/key/type: {} is none of {}", key.kind, TYPES.join(", "))))
}

/// A name as Route 53 compares them: in small letters, with what it writes as numbers, without the dot at the end.
fn plain(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let (letter, length) = code.map_or(('\\', 1), |code| (char::from(code), 4));
        text.push(letter);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text.trim_end_matches('.').to_ascii_lowercase()
}

/// The set of records that a key names, as it is now.
async fn find(
    calls: &Calls<'_>,
    zone: &str,
    key: &RecordKey,
) -> Result<Option<ResourceRecordSet>, CloudError> {
    let (client, caller, kind) = (calls.aws.route53(), calls.aws.sdk_caller(), kind(key)?);
    let answer = caller
        .call("route53", "ListResourceRecordSets", None, || {
            let call = client.list_resource_record_sets().hosted_zone_id(zone).max_items(1);
            let call = call.start_record_name(&key.name).start_record_type(kind.clone());
            call.set_start_record_identifier(key.set.clone()).send()
        })
        .await?;
    let is = |set: &ResourceRecordSet| {
        plain(set.name()) == plain(&key.name)
            && *set.r#type() == kind
            && set.set_identifier() == key.set.as_deref()
    };
    Ok(answer.resource_record_sets.into_iter().find(is))
}

/// A set as an action would write it; what points to one of AWS's own things, or answers by place, is none.
fn known(key: &RecordKey, set: &ResourceRecordSet) -> Result<RecordSet, CloudError> {
    let more = set.alias_target().is_some()
        || set.region().is_some()
        || set.geo_location().is_some()
        || set.geo_proximity_location().is_some()
        || set.cidr_routing_config().is_some()
        || set.multi_value_answer().is_some()
        || set.traffic_policy_instance_id().is_some();
    if more {
        let message =
            format!("the records of {} ({}) say more than Marquee can bring back", key.name, key.kind);
        return Err(unsupported(message));
    }
    let failover = match set.failover() {
        None => None,
        Some(ResourceRecordSetFailover::Primary) => Some(FailoverRole::Primary),
        Some(_) => Some(FailoverRole::Secondary),
    };
    Ok(RecordSet {
        key: key.clone(),
        ttl: set.ttl().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default(),
        values: set.resource_records().iter().map(|record| record.value().to_owned()).collect(),
        weight: set.weight().and_then(|weight| u8::try_from(weight).ok()),
        failover,
        health_check: set.health_check_id().map(str::to_owned),
    })
}

/// The set as it stands, as the action that writes it.
pub async fn standing(
    calls: &Calls<'_>,
    native_id: &str,
    key: &RecordKey,
) -> Result<Option<Action>, CloudError> {
    let zone = calls.id(ResourceKind::DnsZone, native_id)?;
    let found = find(calls, zone, key).await?;
    Ok(found.map(|set| known(key, &set)).transpose()?.map(Action::SetRecords))
}

/// Begins to write a set.
pub async fn set(calls: &Calls<'_>, native_id: &str, to: &RecordSet) -> Result<Ticket, CloudError> {
    let zone = calls.id(ResourceKind::DnsZone, native_id)?;
    if let Some(found) = find(calls, zone, &to.key).await? {
        known(&to.key, &found)?;
    }
    let record = |value: &String| {
        ResourceRecord::builder().value(value).build().map_err(|error| invalid(error.to_string()))
    };
    let records = to.values.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    if records.is_empty() {
        return Err(invalid("/values: a set has a value at least; remove it instead"));
    }
    let failover = to.failover.map(|role| match role {
        FailoverRole::Primary => ResourceRecordSetFailover::Primary,
        FailoverRole::Secondary => ResourceRecordSetFailover::Secondary,
    });
    let written = ResourceRecordSet::builder()
        .name(&to.key.name)
        .r#type(kind(&to.key)?)
        .set_set_identifier(to.key.set.clone())
        .set_weight(to.weight.map(i64::from))
        .set_failover(failover)
        .set_health_check_id(to.health_check.clone())
        .ttl(i64::from(to.ttl))
        .set_resource_records(Some(records))
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    let change = write(calls, zone, ChangeAction::Upsert, written).await?;
    Ok(Ticket::with(Some(native_id.to_owned()), json!({ "change": change })))
}

/// Begins to remove a set; one that is not there is removed.
pub async fn remove(calls: &Calls<'_>, native_id: &str, key: &RecordKey) -> Result<Ticket, CloudError> {
    let zone = calls.id(ResourceKind::DnsZone, native_id)?;
    let Some(found) = find(calls, zone, key).await? else { return Ok(Ticket::of(native_id)) };
    known(key, &found)?;
    match write(calls, zone, ChangeAction::Delete, found).await {
        Ok(change) => Ok(Ticket::with(Some(native_id.to_owned()), json!({ "change": change }))),
        // An answer was lost on the way, or somebody was quicker.
        Err(error) if error.kind == ErrorKind::Invalid => match find(calls, zone, key).await? {
            None => Ok(Ticket::of(native_id)),
            Some(_) => Err(error),
        },
        Err(error) => Err(error),
    }
}

async fn write(
    calls: &Calls<'_>,
    zone: &str,
    action: ChangeAction,
    set: ResourceRecordSet,
) -> Result<String, CloudError> {
    let (client, caller) = (calls.aws.route53(), calls.aws.sdk_caller());
    let unfit = |error: aws_sdk_route53::error::BuildError| invalid(error.to_string());
    let change = Change::builder().action(action).resource_record_set(set).build().map_err(unfit)?;
    let batch = ChangeBatch::builder().changes(change).build().map_err(unfit)?;
    let answer = caller
        .call("route53", "ChangeResourceRecordSets", None, || {
            client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch.clone()).send()
        })
        .await?;
    let id = answer.change_info.map(|info| info.id).unwrap_or_default();
    Ok(id.rsplit('/').next().unwrap_or_default().to_owned())
}

/// Whether all of Route 53's servers have a change.
pub async fn look(calls: &Calls<'_>, native_id: &str, handle: &Value) -> Result<Progress, CloudError> {
    let Some(change) = handle["change"].as_str() else { return Ok(done(native_id)) };
    let (client, caller) = (calls.aws.route53(), calls.aws.sdk_caller());
    let answer = caller.call("route53", "GetChange", None, || client.get_change().id(change).send()).await?;
    let status = answer.change_info.map(|info| info.status);
    Ok(match status {
        Some(ChangeStatus::Insync) => done(native_id),
        other => Progress::Working(other.map_or_else(String::new, |status| status.as_str().to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_are_alike_however_they_are_written() {
        assert_eq!(plain("\\052.Orangery.example."), "*.orangery.example");
        assert_eq!(plain("www.orangery.example"), "www.orangery.example");
        assert_eq!(plain("a\\b"), "a\\b");
    }
}
