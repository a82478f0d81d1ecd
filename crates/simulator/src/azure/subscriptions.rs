//! Subscriptions and their locations, the providers registered in them, and what the caller may do.

use serde_json::{Value, json};

use super::{
    call::{Answer, Call},
    entra,
    error::{Outcome, Refused},
    ids, table,
};
use crate::{
    FaceName,
    estate::Estate,
    faults,
    plan::{Account, Region},
};

fn shown(call: &Call<'_>, account: &Account) -> Value {
    json!({
        "id": format!("/subscriptions/{}", account.id),
        "subscriptionId": account.id,
        "tenantId": entra::tenant(call.world),
        "displayName": account.name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "tags": {},
    })
}

/// The subscriptions that the caller has a role in.
pub fn list(call: &Call<'_>, _: &Estate) -> Answer {
    Answer::ok(&json!({ "value": [shown(call, call.account)] }))
}

/// One subscription.
pub fn get(call: &Call<'_>, _: &Estate) -> Answer {
    Answer::ok(&shown(call, call.account))
}

/// The locations of a subscription.
pub fn locations(call: &Call<'_>, _: &Estate) -> Answer {
    let regions = call.account.regions.iter().filter(|region| region.enabled);
    let list: Vec<Value> = regions.map(|region| location(call, region)).collect();
    Answer::ok(&json!({ "value": list }))
}

fn location(call: &Call<'_>, region: &Region) -> Value {
    let others = call.account.regions.iter().filter(|other| other.id != region.id && other.enabled);
    let paired: Vec<Value> = others
        .take(1)
        .map(|other| {
            json!({
                "name": other.id.as_ref(),
                "id": format!("/subscriptions/{}/locations/{}", call.subscription(), other.id),
            })
        })
        .collect();
    let group = if region.id.contains("europe") { "Europe" } else { "US" };
    let zones = region.zones.iter().map(
        |zone| json!({ "logicalZone": zone.as_ref(), "physicalZone": format!("{}-az{zone}", region.id) }),
    );
    json!({
        "id": format!("/subscriptions/{}/locations/{}", call.subscription(), region.id),
        "name": region.id.as_ref(),
        "type": "Region",
        "displayName": region.name,
        "regionalDisplayName": format!("({group}) {}", region.name),
        "metadata": {
            "regionType": "Physical", "regionCategory": "Recommended", "geographyGroup": group, "geography": group,
            "pairedRegion": paired,
        },
        "availabilityZoneMappings": zones.collect::<Vec<_>>(),
    })
}

/// The registered providers.
pub fn providers(call: &Call<'_>, _: &Estate) -> Answer {
    let mut names: Vec<&str> = table::KINDS.iter().filter_map(|kind| kind.split('/').next()).collect();
    names.extend([
        "Microsoft.Resources",
        "Microsoft.Insights",
        "Microsoft.CostManagement",
        "Microsoft.Authorization",
    ]);
    names.sort_unstable();
    names.dedup();
    let list: Vec<Value> = names.into_iter().map(|name| provider_shown(call, name)).collect();
    Answer::ok(&json!({ "value": list }))
}

/// One provider; registering one that is registered changes nothing.
pub fn provider(call: &Call<'_>, _: &Estate) -> Outcome<Answer> {
    let asked = call.part("resourceProviderNamespace");
    let known =
        ["Microsoft.Resources", "Microsoft.Insights", "Microsoft.CostManagement", "Microsoft.Authorization"];
    let names = table::KINDS.iter().filter_map(|kind| kind.split('/').next()).chain(known);
    let mut found = names.filter(|name| name.eq_ignore_ascii_case(asked));
    match found.next() {
        Some(name) => Ok(Answer::ok(&provider_shown(call, name))),
        None => Err(Refused::missing(
            "InvalidResourceNamespace",
            format!("The resource namespace '{asked}' is invalid."),
        )),
    }
}

fn provider_shown(call: &Call<'_>, namespace: &str) -> Value {
    let prefix = format!("{namespace}/");
    let kinds = table::KINDS.iter().filter_map(|kind| kind.strip_prefix(&prefix));
    let locations: Vec<&str> = call.account.regions.iter().map(|region| region.name.as_str()).collect();
    let zones: Vec<Value> = call
        .account
        .regions
        .iter()
        .map(|region| json!({ "location": region.name, "zones": region.zones }))
        .collect();
    let types: Vec<Value> = kinds
        .map(|kind| {
            json!({
                "resourceType": kind,
                "locations": if kind.starts_with("dnsZones") { vec!["global"] } else { locations.clone() },
                "apiVersions": table::versions(namespace),
                "zoneMappings": zones,
                "capabilities": "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, SupportsTags, SupportsLocation",
            })
        })
        .collect();
    json!({
        "id": format!("/subscriptions/{}/providers/{namespace}", call.subscription()),
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered",
        "resourceTypes": types,
    })
}

/// What the caller may do in a group or with a resource.
pub fn permissions(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    ids::group(call, estate, call.group())?;
    let (actions, not) = call.role.actions();
    let mut actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
    let mut not: Vec<String> = not.iter().map(|&action| action.to_owned()).collect();
    let asked =
        faults::Call { face: Some(FaceName::Azure), account: &call.account.id, ..faults::Call::default() };
    for denial in call.world.faults.denials(asked, call.now) {
        match denial {
            faults::Kind::Denied { permissions, except } if permissions.is_empty() => actions = except,
            faults::Kind::Denied { permissions, .. } => not.extend(permissions),
            _ => {}
        }
    }
    Ok(Answer::ok(&json!({
        "value": [{ "actions": actions, "notActions": not, "dataActions": [], "notDataActions": [] }],
    })))
}
