//! Network security groups.

use serde_json::{Value, json};

use super::{CHANGE, NIC, NSG, SUBNET, etag, users};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        groups,
        ids::Target,
        resource::{self, Draft},
    },
    estate::Estate,
};

fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, NSG, &[call.part("networkSecurityGroupName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, NSG, &[call.part("networkSecurityGroupName")])?;
    let region = call.location(NSG)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    let rules = call.property("securityRules").as_array().cloned().unwrap_or_default();
    refuse_rules(&rules)?;
    let version = etag(call, estate);
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|mut rule| {
            let name = text(&rule, "name").to_owned();
            rule["id"] = json!(format!("{}/securityRules/{name}", target.id));
            rule["type"] = json!("Microsoft.Network/networkSecurityGroups/securityRules");
            rule["etag"] = version.clone();
            rule["properties"]["provisioningState"] = json!("Succeeded");
            rule
        })
        .collect();
    let document = json!({
        "location": region.id.as_ref(), "tags": super::tags(call), "etag": version,
        "properties": {
            "securityRules": rules,
            "defaultSecurityRules": default_rules(&target.id, &version),
            "resourceGuid": call.new_guid(estate, "nsg"),
            "provisioningState": "Succeeded",
        },
    });
    let kept = resource::keep(call, estate, &target, Draft::new(&region.id, document).takes(CHANGE));
    Ok(super::answer(call, &target, &region.id, kept))
}

/// Priorities are from 100 to 4096, and none is there twice in a direction.
fn refuse_rules(rules: &[Value]) -> Outcome<()> {
    let mut taken: Vec<(String, i64)> = Vec::new();
    for rule in rules {
        let name = text(rule, "name");
        let priority = inside(rule, "properties.priority").as_i64().unwrap_or_default();
        if !(100..=4_096).contains(&priority) {
            return Err(Refused::bad(
                "SecurityRuleInvalidPriority",
                format!(
                    "Security rule {name} has invalid Priority. Value provided: {priority} Allowed range 100-4096."
                ),
            ));
        }
        let place = (text(rule, "properties.direction").to_lowercase(), priority);
        if taken.contains(&place) {
            return Err(Refused::bad(
                "SecurityRuleConflict",
                format!(
                    "Security rule {name} conflicts with another rule. Rules cannot have the same Priority and Direction."
                ),
            ));
        }
        taken.push(place);
    }
    Ok(())
}

/// What every group says at last.
fn default_rules(group: &str, version: &Value) -> Vec<Value> {
    [
        ("AllowVnetInBound", 65_000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        ("AllowAzureLoadBalancerInBound", 65_001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
        ("DenyAllInBound", 65_500, "Inbound", "Deny", "*", "*"),
        ("AllowVnetOutBound", 65_000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        ("AllowInternetOutBound", 65_001, "Outbound", "Allow", "*", "Internet"),
        ("DenyAllOutBound", 65_500, "Outbound", "Deny", "*", "*"),
    ]
    .into_iter()
    .map(|(name, priority, direction, access, from, to)| {
        json!({
            "id": format!("{group}/defaultSecurityRules/{name}"), "name": name, "etag": version,
            "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
            "properties": {
                "provisioningState": "Succeeded", "protocol": "*", "sourcePortRange": "*",
                "destinationPortRange": "*", "sourceAddressPrefix": from, "destinationAddressPrefix": to,
                "access": access, "priority": priority, "direction": direction,
            },
        })
    })
    .collect()
}

/// PATCH: tags.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    resource::update_tags(call, estate, &target)
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::get(call, estate, &target(call, estate)?)
}

/// The groups of a resource group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, NSG)
}

/// DELETE: refused while a subnet or interface has it.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    resource::delete(call, estate, &target, CHANGE, |estate, thing| {
        let id = thing.body.get("id");
        let id = id.as_str().unwrap_or_default();
        let mut found =
            [NIC, SUBNET].into_iter().flat_map(|kind| users(call, estate, kind, &thing.place, id));
        let Some(user) = found.next() else { return Ok(()) };
        let user = user.body.get("id");
        Err(Refused::bad(
            "InUseNetworkSecurityGroupCannotBeDeleted",
            format!(
                "Network security group {id} cannot be deleted because it is in use by the following resources: {}. In \
                 order to delete the Network security group, remove the association with the resource(s). To learn how \
                 to do this, see aka.ms/deletensg.",
                user.as_str().unwrap_or_default()
            ),
        ))
    })
}
