//! The provider routes.
use marquee_types::{Permission, ProviderId};
use serde_json::json;

use super::{
    actions, store,
    wire::{
        ConnectionReport, CreateProvider, Kinds, ListProviders, Policy, PolicyQuery, Provider, Refresh,
        Regions, ReplaceProvider, Services,
    },
};
use crate::{
    fault::Fault,
    http::{Call, Endpoint, NoBody, NoContent, NoQuery, Page, Paging, Reply},
};

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    vec![
        Endpoint::get("providers.list", "/api/cloud/providers", Permission::ProvidersRead, list)
            .summary("List the connected cloud accounts"),
        Endpoint::post("providers.create", "/api/cloud/providers", Permission::ProvidersCreate, create)
            .summary("Connect a cloud account")
            .creates()
            .validates()
            .example(|| {
                json!({ "name": "production", "kind": "aws",
                    "credentials": { "type": "static", "access_key_id": "AKIA…", "secret_access_key": "…" },
                    "settings": { "regions": ["eu-west-1"] } })
            }),
        Endpoint::get("providers.get", "/api/cloud/providers/{id}", Permission::ProvidersRead, get)
            .summary("Show a connected cloud account"),
        Endpoint::put("providers.replace", "/api/cloud/providers/{id}", Permission::ProvidersUpdate, replace)
            .summary("Replace a provider's configuration")
            .validates(),
        Endpoint::delete(
            "providers.delete",
            "/api/cloud/providers/{id}",
            Permission::ProvidersDelete,
            delete,
        )
        .summary("Disconnect a cloud account")
        .validates()
        .no_content(),
        Endpoint::post(
            "providers.test",
            "/api/cloud/providers/{id}/test-connection",
            Permission::ProvidersTest,
            test,
        )
        .summary("Test a connection: identity, latency and permissions")
        .calls_cloud(),
        Endpoint::get(
            "providers.regions",
            "/api/cloud/providers/{id}/regions",
            Permission::ProvidersRead,
            regions,
        )
        .summary("List the regions a provider offers"),
        Endpoint::get(
            "providers.services",
            "/api/cloud/providers/{id}/services",
            Permission::ProvidersRead,
            services,
        )
        .summary("List the services a provider offers"),
        Endpoint::get("providers.kinds", "/api/cloud/kinds", Permission::ProvidersRead, kinds)
            .summary("List the kinds of clouds, and what a credential must be allowed there"),
        Endpoint::get(
            "providers.policy",
            "/api/cloud/kinds/{kind}/policy",
            Permission::ProvidersRead,
            policy,
        )
        .summary("Print the least-privilege policy for a credential, in the vendor's own form"),
    ]
}

async fn list(call: Call, query: ListProviders) -> Result<Reply<Page<Provider>>, Fault> {
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), "providers".to_owned())?;
    let rows = store::list(call.tx()?, paging.after, paging.fetch()).await?;
    let items = rows.into_iter().map(|(provider, _)| provider).collect();
    Ok(Reply::new(paging.page(&call.app, items, |provider: &Provider| provider.id)?))
}

async fn create(call: Call, body: CreateProvider) -> Result<Reply<Provider>, Fault> {
    let (provider, version) = actions::create(&call, body).await?;
    let location = format!("/api/cloud/providers/{}", provider.id);
    let reply = Reply::new(provider).version(version);
    Ok(if call.validate_only { reply.status(http::StatusCode::OK) } else { reply.location(&location) })
}

async fn get(call: Call, _: NoQuery) -> Result<Reply<Provider>, Fault> {
    let id = call.id::<ProviderId>("provider")?;
    let (provider, version) = store::get(call.tx()?, id).await?.ok_or(Fault::NotFound("provider"))?;
    Ok(Reply::new(provider).version(version))
}

async fn replace(call: Call, body: ReplaceProvider) -> Result<Reply<Provider>, Fault> {
    let id = call.id("provider")?;
    let (provider, version) = actions::replace(&call, id, body).await?;
    Ok(Reply::new(provider).version(version))
}

async fn delete(call: Call) -> Result<Reply<NoContent>, Fault> {
    let id = call.id("provider")?;
    actions::disconnect(&call, id).await?;
    Ok(Reply::new(NoContent))
}

async fn test(call: Call, _: NoBody) -> Result<Reply<ConnectionReport>, Fault> {
    let id = call.id("provider")?;
    Ok(Reply::new(actions::test(&call, id).await?))
}

async fn regions(call: Call, query: Refresh) -> Result<Reply<Regions>, Fault> {
    let id = call.id("provider")?;
    Ok(Reply::new(actions::regions(&call, id, query.refresh).await?))
}

async fn services(call: Call, query: Refresh) -> Result<Reply<Services>, Fault> {
    let id = call.id("provider")?;
    Ok(Reply::new(actions::services(&call, id, query.refresh).await?))
}

async fn kinds(call: Call, _: NoQuery) -> Result<Reply<Kinds>, Fault> {
    Ok(Reply::new(actions::kinds(&call.app)))
}

async fn policy(call: Call, query: PolicyQuery) -> Result<Reply<Policy>, Fault> {
    let kind = call.param("kind").ok_or(Fault::NotFound("kind"))?;
    Ok(Reply::new(actions::policy(&call.app, kind, query)?))
}
