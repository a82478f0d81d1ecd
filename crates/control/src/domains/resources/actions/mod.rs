//! What can be done with resources: ask for a sync, and read what takes more than one statement.

pub mod approvals;
pub mod bulk;
pub mod change;
pub mod launch;
pub mod offers;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use marquee_db::{Org, Tx};
use marquee_jobs::{NewOperation, NewStep, Policy, Started, start_operation};
use marquee_types::{OperationId, ProviderId, ResourceId, SyncId};
use serde_json::{Map, Value, json};

use super::{
    model::HORIZON,
    store::{
        read::{self, GroupField, Order},
        syncs,
    },
    wire::{Change, Resource, Version},
    workers::{DISCOVER, SYNC},
};
use crate::{
    app::App,
    domains::{audit, providers},
    fault::Fault,
    http::Call,
};

/// Starts a sync on a member's behalf, or joins the one that runs.
pub async fn sync(call: &Call, provider: ProviderId) -> Result<Started, Fault> {
    let mut tx = call.tx()?;
    if !providers::lock_connected(&mut tx, provider).await? {
        return Err(Fault::NotFound("provider"));
    }
    let started = start_sync(&call.app, &mut tx, provider, call.actor.name()).await?;
    audit::record(&mut tx, audit::Entry::allowed("providers.sync").target("provider", provider));
    tx.commit().await?;
    Ok(started)
}

/// Starts a sync, or joins the one that runs, in the caller's transaction.
pub async fn start_sync(
    app: &App,
    tx: &mut Tx<Org>,
    provider: ProviderId,
    requested_by: String,
) -> Result<Started, Fault> {
    let operation = NewOperation {
        kind: SYNC,
        target: Some(provider.to_string()),
        input: json!({ "provider_id": provider }),
        policy: Policy::Partial { parallel: app.config.sync_parallel },
        steps: vec![NewStep::new(DISCOVER, json!({}))],
        dedup_key: Some(provider.to_string()),
        requested_by: requested_by.clone(),
    };
    let started = start_operation(tx, operation).await?;
    if let Started::New(id) = started {
        syncs::start(tx, SyncId::new(), provider, id, &requested_by, app.clock.now()).await?;
    }
    Ok(started)
}

/// The state that a just-started operation is shown with.
pub fn operation_of(started: Started) -> (OperationId, bool) {
    match started {
        Started::New(id) => (id, false),
        Started::Joined(id) => (id, true),
    }
}

/// Versions, newest first, each with what differs from the one before it.
pub async fn history(
    call: &Call,
    id: ResourceId,
    before: Option<DateTime<Utc>>,
    fetch: i64,
) -> Result<Vec<Version>, Fault> {
    let mut tx = call.tx()?;
    // One more than asked, so that the oldest shown has something to be compared with.
    let mut versions = read::history(&mut tx, id, before, fetch + 1).await?;
    if versions.is_empty() && !read::exists(&mut tx, id).await? {
        return Err(Fault::NotFound("resource"));
    }
    for index in 0..versions.len().saturating_sub(1) {
        versions[index].changes = changes(&versions[index + 1].resource, &versions[index].resource);
    }
    versions.truncate(usize::try_from(fetch).unwrap_or(usize::MAX));
    Ok(versions)
}

/// `as_of`, checked against what is kept and what has happened.
pub fn check_as_of(app: &App, as_of: Option<DateTime<Utc>>) -> Result<(), Fault> {
    let Some(at) = as_of else { return Ok(()) };
    let now = app.clock.now();
    if at > now {
        return Err(Fault::invalid("?as_of", "lies in the future"));
    }
    let horizon = now - HORIZON;
    if at < horizon {
        return Err(Fault::Unprocessable {
            code: "horizon_exceeded",
            detail: format!("History is kept since {}.", horizon.format("%Y-%m-%dT%H:%M:%SZ")),
        });
    }
    Ok(())
}

/// `?order_by=`.
pub fn order(text: Option<&str>) -> Result<Order, Fault> {
    match text.unwrap_or("id") {
        "id" | "id asc" => Ok(Order::Id { descending: false }),
        "id desc" => Ok(Order::Id { descending: true }),
        "created_at" | "created_at asc" => Ok(Order::CreatedAt { descending: false }),
        "created_at desc" => Ok(Order::CreatedAt { descending: true }),
        _ => Err(Fault::invalid("?order_by", "expected one of: id, id desc, created_at, created_at desc")),
    }
}

/// `?group_by=`.
pub fn group_by(text: Option<&str>) -> Result<Vec<GroupField>, Fault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let field = |name: &str| match name.trim() {
        "provider" => Ok(GroupField::Provider),
        "kind" => Ok(GroupField::Kind),
        "region" => Ok(GroupField::Region),
        "state" => Ok(GroupField::State),
        tag if tag.len() > 5 && tag.starts_with("tags.") && !tag.contains('\0') => {
            Ok(GroupField::Tag(tag[5..].to_owned()))
        }
        _ => Err(Fault::invalid("?group_by", "expected any of: provider, kind, region, state, tags.KEY")),
    };
    let fields = text.split(',').map(field).collect::<Result<Vec<_>, _>>()?;
    let repeated = (1..fields.len()).any(|index| fields[..index].contains(&fields[index]));
    if fields.len() > 3 || repeated {
        return Err(Fault::invalid("?group_by", "at most three different fields"));
    }
    Ok(fields)
}

/// What differs between two versions, field by field, sorted.
fn changes(before: &Resource, after: &Resource) -> Vec<Change> {
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| Change {
            field: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

fn fields(resource: &Resource) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("name", Some(json!(resource.name)));
    put("region", Some(json!(resource.region)));
    put("zone", resource.zone.as_ref().map(|v| json!(v)));
    put("state", Some(json!(resource.state)));
    put("native_state", resource.native_state.as_ref().map(|v| json!(v)));
    put("size", resource.size.as_ref().map(|v| json!(v)));
    put("created_at", resource.created_at.map(|v| json!(v)));
    for (prefix, object) in [("tags", &resource.tags), ("attributes", &resource.attributes)] {
        let object: Map<String, Value> = serde_json::from_str(object.get()).unwrap_or_default();
        for (key, value) in object {
            fields.insert(format!("{prefix}.{key}"), value);
        }
    }
    fields
}
