//! The routes that set how buckets, DNS zones and target groups work.

use marquee_clouds::{
    Action,
    changes::spec::{Encryption, InstanceRef, Lifecycle, PublicAccess, RecordKey, RecordSet, Versioning},
};
use marquee_types::{Permission as P, ResourceKind};
use serde_json::json;

use super::super::{
    actions::change,
    wire::{
        RemoveRecords, Resource, RouteTo, SetEncryption, SetLifecycle, SetPublicAccess, SetRecords,
        SetVersioning,
    },
};
use super::changes::{Started, cannot, on};
use crate::{
    fault::Fault,
    http::{Call, Endpoint},
};

/// The types of records that can be set.
const RECORD_TYPES: [&str; 7] = ["A", "AAAA", "CNAME", "TXT", "MX", "SRV", "CAA"];
/// The longest that an answer may be kept, in seconds: RFC 8767 has readers treat more as this.
const MOST_TTL: u32 = 604_800;
/// The most values of a set of records, and the most rules of a bucket.
const MOST: usize = 100;

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    let mut rows = of_buckets();
    rows.extend(of_zones());
    rows.extend(of_target_groups());
    rows
}

fn of_buckets() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            "resources.set_versioning",
            "/api/cloud/resources/{id}/set-versioning",
            P::ResourcesConfigure,
            set_versioning,
        )
        .summary("Keep, or no longer keep, former versions of a bucket's objects"),
        Endpoint::post(
            "resources.set_lifecycle",
            "/api/cloud/resources/{id}/set-lifecycle",
            P::ResourcesConfigure,
            set_lifecycle,
        )
        .summary("Replace the rules by which a bucket's objects expire")
        .example(|| json!({ "rules": [{ "prefix": "thumbnails/", "delete_after_days": 30 }] })),
        Endpoint::post(
            "resources.set_encryption",
            "/api/cloud/resources/{id}/set-encryption",
            P::ResourcesConfigure,
            set_encryption,
        )
        .summary("Say by which key a bucket's objects are encrypted from now on"),
        Endpoint::post(
            "resources.set_public_access",
            "/api/cloud/resources/{id}/set-public-access",
            P::ResourcesConfigure,
            set_public_access,
        )
        .summary("Refuse, or no longer refuse, whatever would make a bucket's objects public"),
    ]
}

fn of_zones() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            "resources.set_records",
            "/api/cloud/resources/{id}/set-records",
            P::ResourcesRoute,
            set_records,
        )
        .summary("Set the records of one name and type of a DNS zone")
        .example(
            || json!({ "name": "www.orangery.example", "type": "A", "ttl": 60, "values": ["192.0.2.10"] }),
        ),
        Endpoint::post(
            "resources.remove_records",
            "/api/cloud/resources/{id}/remove-records",
            P::ResourcesRoute,
            remove_records,
        )
        .summary("Remove the records of one name and type of a DNS zone")
        .example(|| json!({ "name": "www.orangery.example", "type": "A" })),
    ]
}

fn of_target_groups() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            "resources.register_target",
            "/api/cloud/resources/{id}/register-target",
            P::ResourcesRoute,
            register_target,
        )
        .summary("Send a target group's traffic to an instance as well"),
        Endpoint::post(
            "resources.deregister_target",
            "/api/cloud/resources/{id}/deregister-target",
            P::ResourcesRoute,
            deregister_target,
        )
        .summary("No longer send a target group's traffic to an instance"),
    ]
}

/// A change of a resource that has to be of a kind.
async fn of(call: Call, kind: ResourceKind, what: &'static str, action: Action) -> Started {
    on(
        call,
        |resource: &Resource| if resource.kind == kind { Ok(action) } else { Err(cannot(what, resource)) },
    )
    .await
}

async fn set_versioning(call: Call, body: SetVersioning) -> Started {
    let action = Action::SetVersioning(Versioning { enabled: body.enabled });
    of(call, ResourceKind::Bucket, "set to keep versions", action).await
}

async fn set_lifecycle(call: Call, body: SetLifecycle) -> Started {
    if body.rules.len() > MOST {
        return Err(Fault::invalid("/rules", format!("must be at most {MOST}")));
    }
    for (index, rule) in body.rules.iter().enumerate() {
        let days = [rule.delete_after_days, rule.delete_former_after_days];
        if days.iter().all(Option::is_none) {
            let detail = "must say when: delete_after_days or delete_former_after_days";
            return Err(Fault::invalid(format!("/rules/{index}"), detail));
        }
        if days.contains(&Some(0)) {
            return Err(Fault::invalid(format!("/rules/{index}"), "must be a day at least"));
        }
    }
    let action = Action::SetLifecycle(Lifecycle { rules: body.rules });
    of(call, ResourceKind::Bucket, "given rules by which objects expire", action).await
}

async fn set_encryption(call: Call, body: SetEncryption) -> Started {
    if body.key.as_ref().is_some_and(|key| key.trim().is_empty() || key.len() > 2000) {
        return Err(Fault::invalid(
            "/key",
            "must have 1 to 2000 characters, or be left out for the vendor's key",
        ));
    }
    let action = Action::SetEncryption(Encryption { key: body.key });
    of(call, ResourceKind::Bucket, "encrypted by another key", action).await
}

async fn set_public_access(call: Call, body: SetPublicAccess) -> Started {
    let action = Action::SetPublicAccess(PublicAccess { blocked: body.blocked });
    of(call, ResourceKind::Bucket, "kept from the public", action).await
}

async fn set_records(call: Call, body: SetRecords) -> Started {
    let key = record_key(body.name, body.kind, body.set)?;
    if body.values.is_empty() || body.values.len() > MOST {
        return Err(Fault::invalid("/values", format!("must be 1 to {MOST}")));
    }
    if let Some(at) = body.values.iter().position(|value| value.trim().is_empty() || value.len() > 4000) {
        return Err(Fault::invalid(format!("/values/{at}"), "must have 1 to 4000 characters"));
    }
    if body.ttl > MOST_TTL {
        return Err(Fault::invalid("/ttl", format!("must be at most {MOST_TTL}")));
    }
    if body.weight.is_some() && body.failover.is_some() {
        return Err(Fault::invalid("/failover", "stands in place of `weight`"));
    }
    if key.set.is_none() && (body.weight.is_some() || body.failover.is_some()) {
        return Err(Fault::invalid("/set", "must name which of several sets this is"));
    }
    let set = RecordSet {
        key,
        ttl: body.ttl,
        values: body.values,
        weight: body.weight,
        failover: body.failover,
        health_check: body.health_check,
    };
    of(call, ResourceKind::DnsZone, "given records", Action::SetRecords(set)).await
}

async fn remove_records(call: Call, body: RemoveRecords) -> Started {
    let key = record_key(body.name, body.kind, body.set)?;
    of(call, ResourceKind::DnsZone, "freed of records", Action::RemoveRecords(key)).await
}

fn record_key(name: String, kind: String, set: Option<String>) -> Result<RecordKey, Fault> {
    if name.is_empty() || name.len() > 253 || name.ends_with('.') || name.chars().any(char::is_whitespace) {
        return Err(Fault::invalid(
            "/name",
            "must be a full name of at most 253 characters, without a dot at its end",
        ));
    }
    if !RECORD_TYPES.contains(&kind.as_str()) {
        return Err(Fault::invalid("/type", format!("can be: {}", RECORD_TYPES.join(", "))));
    }
    if set.as_ref().is_some_and(|set| set.trim().is_empty() || set.len() > 128) {
        return Err(Fault::invalid("/set", "must have 1 to 128 characters"));
    }
    Ok(RecordKey { name, kind, set })
}

async fn register_target(call: Call, body: RouteTo) -> Started {
    routed(call, body, Action::RegisterTarget).await
}

async fn deregister_target(call: Call, body: RouteTo) -> Started {
    routed(call, body, Action::DeregisterTarget).await
}

async fn routed(call: Call, body: RouteTo, action: fn(InstanceRef) -> Action) -> Started {
    if body.port == Some(0) {
        return Err(Fault::invalid("/port", "must be 1 to 65535"));
    }
    let (provider, instance) = change::instance(&call, call.id("resource")?, body.instance_id).await?;
    on(call, |resource| match resource.kind {
        ResourceKind::TargetGroup if resource.provider_id == provider => {
            Ok(action(InstanceRef { instance, port: body.port }))
        }
        ResourceKind::TargetGroup => Err(Fault::invalid("/instance_id", "is of another provider")),
        _ => Err(cannot("a target of traffic", resource)),
    })
    .await
}
