//! Storage accounts.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{ACCOUNT, CONTAINER, POLICY, SERVICE};
use crate::{
    FaceName,
    azure::{
        call::{Answer, Call, inside, merge, stamp, text},
        error::{Outcome, Refused},
        groups,
        ids::Target,
        lro::Links,
        resource::{self, Draft},
    },
    estate::Estate,
};

/// Seconds that it takes to make an account.
const CREATION: i64 = 15;
/// Accounts that a subscription may have in a region.
const MOST: usize = 250;

/// The call's account.
pub fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, ACCOUNT, &[call.part("accountName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, ACCOUNT, &[call.part("accountName")])?;
    let region = call.location(ACCOUNT)?;
    refuse_name(&target.name)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    if existing.is_some() {
        // An account that is there is changed at once, and answered whole.
        change(call, estate, &target);
        return resource::get(call, estate, &target);
    }
    if is_taken(call, estate, &target.name) {
        return Err(Refused::conflict(
            "StorageAccountAlreadyTaken",
            format!("The storage account named {} is already taken.", target.name),
        ));
    }
    let count = estate.all(&call.account.id, ACCOUNT, Some(&region.id), call.now).count();
    if count >= MOST && !call.growing {
        return Err(Refused::conflict(
            "MaxStorageAccountsCountPerSubscriptionExceeded",
            format!(
                "Subscription already contains {count} storage accounts in location {} and the maximum allowed is {MOST}.",
                region.id
            ),
        ));
    }
    let sku = text(&call.body, "sku.name").to_owned();
    let mut properties =
        call.body.get("properties").filter(|sent| sent.is_object()).cloned().unwrap_or_else(|| json!({}));
    complete(call, &target, &region.id, &sku, &mut properties);
    let mut document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").filter(|tags| tags.is_object()).cloned().unwrap_or_else(|| json!({})),
        "sku": { "name": sku, "tier": sku.split('_').next() },
        "kind": call.body["kind"],
        "properties": properties,
    });
    if let Some(identity) = call.body.get("identity").filter(|identity| identity.is_object()) {
        document["identity"] = identity.clone();
    }
    let mut draft = Draft::new(&region.id, document).takes(CREATION);
    sku.clone_into(&mut draft.size);
    resource::keep(call, estate, &target, draft);
    let running =
        resource::running(call, &target, &region.id, TimeDelta::seconds(CREATION), Links::Result).giving();
    Ok(Answer::empty(StatusCode::ACCEPTED).running(running))
}

/// What the provider adds to an account's properties.
fn complete(call: &Call<'_>, target: &Target, place: &str, sku: &str, properties: &mut Value) {
    let services = ["blob", "queue", "table", "file", "dfs"];
    let mut endpoints = json!({});
    for service in services {
        endpoints[service] = json!(format!("https://{}.{service}.core.windows.net/", target.name));
    }
    for (name, value) in [
        ("accessTier", json!("Hot")),
        ("minimumTlsVersion", json!("TLS1_2")),
        ("allowBlobPublicAccess", json!(false)),
        ("allowSharedKeyAccess", json!(true)),
        ("supportsHttpsTrafficOnly", json!(true)),
        ("publicNetworkAccess", json!("Enabled")),
        (
            "networkAcls",
            json!({ "bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow" }),
        ),
    ] {
        if properties[name].is_null() {
            properties[name] = value;
        }
    }
    properties["primaryEndpoints"] = endpoints;
    properties["primaryLocation"] = json!(place);
    properties["statusOfPrimary"] = json!("available");
    properties["creationTime"] = stamp(call.now);
    properties["keyCreationTime"] = json!({ "key1": stamp(call.now), "key2": stamp(call.now) });
    properties["provisioningState"] = json!("Succeeded");
    properties["privateEndpointConnections"] = json!([]);
    let other = call.account.regions.iter().find(|region| *region.id != *place);
    if let Some(other) = other.filter(|_| sku.contains("GRS") || sku.contains("GZRS")) {
        properties["secondaryLocation"] = json!(other.id.as_ref());
        properties["statusOfSecondary"] = json!("available");
    }
}

/// PATCH.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?;
    resource::refuse_deleting(call, thing, &target)?;
    change(call, estate, &target);
    resource::get(call, estate, &target)
}

fn change(call: &Call<'_>, estate: &mut Estate, target: &Target) {
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let tags = call.body.get("tags").filter(|tags| tags.is_object()).cloned();
    let sku = text(&call.body, "sku.name").to_owned();
    let settled = ("Updating", "Succeeded", TimeDelta::zero());
    resource::change(call, estate, target, settled, |document| {
        if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
            merge(properties, &sent);
        }
        if !sku.is_empty() {
            document.insert("sku".to_owned(), json!({ "name": sku, "tier": sku.split('_').next() }));
        }
        if let Some(tags) = tags {
            document.insert("tags".to_owned(), tags);
        }
    });
}

fn refuse_name(name: &str) -> Outcome<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Refused::bad(
        "AccountNameInvalid",
        format!(
            "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in \
             length and use numbers and lower-case letters only."
        ),
    ))
}

fn is_name(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Names are unique in the world.
fn is_taken(call: &Call<'_>, estate: &Estate, name: &str) -> bool {
    let mut accounts = call.world.plan.accounts_of(FaceName::Azure);
    accounts.any(|account| estate.all(&account.id, ACCOUNT, None, call.now).any(|thing| *thing.name == *name))
}

/// POST `checkNameAvailability`.
pub fn name(call: &Call<'_>, estate: &Estate) -> Answer {
    let name = text(&call.body, "name");
    if let Err(refused) = refuse_name(name) {
        return Answer::ok(&json!({
            "nameAvailable": false, "reason": "AccountNameInvalid", "message": refused.message,
        }));
    }
    if is_taken(call, estate, name) {
        return Answer::ok(&json!({
            "nameAvailable": false, "reason": "AlreadyExists",
            "message": format!("The storage account named {name} is already taken."),
        }));
    }
    Answer::ok(&json!({ "nameAvailable": true }))
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::get(call, estate, &target(call, estate)?)
}

/// The accounts of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, ACCOUNT)
}

/// POST `listKeys`: they follow from the world's seed.
pub fn keys(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let target = target(call, estate)?;
    let thing = target.need(call, estate)?;
    let properties = thing.body.get("properties");
    let key = |name: &str| {
        let bytes = [
            call.world.seed().bytes(&["azure", "storage", &thing.id, name]),
            call.world.seed().bytes(&["azure", "storage 2", &thing.id, name]),
        ]
        .concat();
        json!({
            "keyName": name, "value": STANDARD.encode(bytes), "permissions": "Full",
            "creationTime": inside(&properties, &format!("keyCreationTime.{name}")),
        })
    };
    Ok(Answer::ok(&json!({ "keys": [key("key1"), key("key2")] })))
}

/// DELETE, at once, with what is in it.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    if target.find(call, estate).is_none() {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    let prefix = format!("{}/", target.key);
    for kind in [SERVICE, CONTAINER, POLICY] {
        let all = estate.all(&call.account.id, kind, None, call.now);
        let keys: Vec<String> =
            all.filter(|thing| thing.id.starts_with(&prefix)).map(|thing| thing.id.to_string()).collect();
        for key in keys {
            resource::end(call, estate, kind, &key, TimeDelta::zero());
        }
    }
    resource::end(call, estate, ACCOUNT, &target.key, TimeDelta::zero());
    Ok(Answer::empty(StatusCode::OK))
}

/// The usages of a region.
pub fn usages(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let region = call.region(call.part("location"), ACCOUNT)?;
    let count = estate.all(&call.account.id, ACCOUNT, Some(&region.id), call.now).count();
    Ok(Answer::ok(&json!({
        "value": [{
            "unit": "Count", "currentValue": count, "limit": MOST,
            "name": { "value": "StorageAccounts", "localizedValue": "Storage Accounts" },
        }],
    })))
}
