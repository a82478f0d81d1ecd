//! The resource routes, and those of syncs.

mod approvals;
mod bulk;
mod changes;
mod offers;
mod settings;

use chrono::{DateTime, Utc};
use marquee_types::{OperationState, Permission, ProviderId, ResourceId, SyncId};

use super::{
    actions,
    store::{
        filter,
        read::{self, Key, Order, Query},
        syncs,
    },
    wire::{
        ListResources, ListSyncs, OperationRef, PageOf, RelatedList, Resource, ResourceDetail, ScopeList,
        Summarize, Summary, Sync, SyncStarted, Version,
    },
};
use crate::{
    domains::providers,
    fault::Fault,
    http::{Call, Endpoint, NoBody, NoQuery, Page, Paging, Reply, filter::parse},
};

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    let read = Permission::ResourcesRead;
    let mut rows = changes::routes();
    rows.extend(offers::routes());
    rows.extend(approvals::routes());
    rows.extend(vec![
        Endpoint::post("providers.sync", "/api/cloud/providers/{id}/sync", Permission::ProvidersSync, sync)
            .summary("Discover what a provider has now")
            .starts_operation(),
        Endpoint::get(
            "providers.scopes",
            "/api/cloud/providers/{id}/scopes",
            Permission::ProvidersRead,
            scopes,
        )
        .summary("Show how fresh each part of a provider's inventory is"),
        Endpoint::get("syncs.list", "/api/cloud/syncs", read, list_syncs).summary("List syncs, newest first"),
        Endpoint::get("syncs.get", "/api/cloud/syncs/{id}", read, get_sync).summary("Show a sync"),
        Endpoint::get("resources.list", "/api/cloud/resources", read, list)
            .summary("List what exists in the connected clouds, now or as of a time"),
        Endpoint::get("resources.summary", "/api/cloud/resources/summary", read, summary)
            .summary("Count resources by provider, kind, region, state or tag"),
        Endpoint::get("resources.get", "/api/cloud/resources/{id}", read, get)
            .summary("Show a resource with everything the vendor says of it"),
        Endpoint::get("resources.history", "/api/cloud/resources/{id}/history", read, history)
            .summary("Show what a resource was before, newest first"),
        Endpoint::get("resources.related", "/api/cloud/resources/{id}/related", read, related)
            .summary("Show what a resource is attached to, part of, or made from"),
    ]);
    rows
}

async fn sync(call: Call, _: NoBody) -> Result<Reply<SyncStarted>, Fault> {
    let started = actions::sync(&call, call.id("provider")?).await?;
    let (id, joined) = actions::operation_of(started);
    let state = if joined { OperationState::Running } else { OperationState::Pending };
    let location = format!("/api/operations/{id}");
    Ok(Reply::new(SyncStarted { operation: OperationRef { id, state }, joined }).location(&location))
}

async fn scopes(call: Call, _: NoQuery) -> Result<Reply<ScopeList>, Fault> {
    let id = call.id::<ProviderId>("provider")?;
    let mut tx = call.tx()?;
    if !providers::is_connected(&mut tx, id).await? {
        return Err(Fault::NotFound("provider"));
    }
    Ok(Reply::new(ScopeList { items: syncs::scopes(&mut tx, id).await? }))
}

async fn list_syncs(call: Call, query: ListSyncs) -> Result<Reply<Page<Sync>>, Fault> {
    let binding = format!("syncs\n{:?}", query.provider_id);
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), binding)?;
    let items = syncs::list(call.tx()?, query.provider_id, paging.after, paging.fetch()).await?;
    Ok(Reply::new(paging.page(&call.app, items, |sync: &Sync| sync.id)?))
}

async fn get_sync(call: Call, _: NoQuery) -> Result<Reply<Sync>, Fault> {
    let id = call.id::<SyncId>("sync")?;
    Ok(Reply::new(syncs::get(call.tx()?, id).await?.ok_or(Fault::NotFound("sync"))?))
}

async fn list(call: Call, query: ListResources) -> Result<Reply<Page<Resource>>, Fault> {
    actions::check_as_of(&call.app, query.as_of)?;
    let order = actions::order(query.order_by.as_deref())?;
    let filter = parse(&filter::SCHEMA, query.filter.as_deref())?;
    let text = filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let binding = format!("resources\n{text}\n{:?}\n{order:?}", query.as_of);
    let paging = Paging::<Key>::new(&call.app, query.limit, query.cursor.as_deref(), binding)?;
    let wanted = Query {
        filter: filter.as_ref(),
        as_of: query.as_of,
        order,
        after: paging.after.as_ref(),
        fetch: paging.fetch(),
    };
    let items = read::list(call.tx()?, &wanted).await?;
    let by_time = matches!(order, Order::CreatedAt { .. });
    let key = |last: &Resource| Key { id: last.id.uuid(), created_at: last.created_at.filter(|_| by_time) };
    Ok(Reply::new(paging.page(&call.app, items, key)?))
}

async fn summary(call: Call, query: Summarize) -> Result<Reply<Summary>, Fault> {
    let fields = actions::group_by(query.group_by.as_deref())?;
    let filter = parse(&filter::SCHEMA, query.filter.as_deref())?;
    let (mut groups, total) = read::summary(call.tx()?, &fields, filter.as_ref()).await?;
    if fields.is_empty() {
        groups.clear();
    }
    Ok(Reply::new(Summary { total, groups }))
}

async fn get(call: Call, _: NoQuery) -> Result<Reply<ResourceDetail>, Fault> {
    let id = call.id::<ResourceId>("resource")?;
    Ok(Reply::new(read::get(call.tx()?, id).await?.ok_or(Fault::NotFound("resource"))?))
}

async fn history(call: Call, query: PageOf) -> Result<Reply<Page<Version>>, Fault> {
    let id = call.id::<ResourceId>("resource")?;
    let binding = format!("resources.history\n{id}");
    let paging = Paging::<DateTime<Utc>>::new(&call.app, query.limit, query.cursor.as_deref(), binding)?;
    let items = actions::history(&call, id, paging.after, paging.fetch()).await?;
    let key = |last: &Version| last.valid_to.unwrap_or(DateTime::<Utc>::MAX_UTC);
    Ok(Reply::new(paging.page(&call.app, items, key)?))
}

async fn related(call: Call, _: NoQuery) -> Result<Reply<RelatedList>, Fault> {
    let id = call.id::<ResourceId>("resource")?;
    let mut tx = call.tx()?;
    if !read::exists(&mut tx, id).await? {
        return Err(Fault::NotFound("resource"));
    }
    Ok(Reply::new(RelatedList { items: read::related(&mut tx, id).await? }))
}
