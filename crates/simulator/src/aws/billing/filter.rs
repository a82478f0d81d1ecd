//! What a charge is by each dimension, and expressions that choose charges.

use serde_json::Value;

use crate::{
    aws::{ask::Ask, protocol::Refusal},
    charges::Charge,
};

/// The dimensions that charges have here.
pub(super) const DIMENSIONS: &[&str] = &[
    "SERVICE",
    "REGION",
    "LINKED_ACCOUNT",
    "USAGE_TYPE",
    "INSTANCE_TYPE",
    "AZ",
    "RECORD_TYPE",
    "RESOURCE_ID",
];

/// A charge's value of a dimension.
pub(super) fn dimension(ask: &Ask<'_>, charge: &Charge<'_>, name: &str) -> Option<String> {
    Some(match name {
        "SERVICE" => charge.price.service.to_string(),
        "REGION" => charge.region.to_string(),
        "LINKED_ACCOUNT" => ask.owner().to_owned(),
        "USAGE_TYPE" => usage_type(&charge.price.sku),
        "INSTANCE_TYPE" => match charge.price.sku.split_once('/') {
            Some(("compute" | "database", size)) => size.to_owned(),
            _ => "NoInstanceType".to_owned(),
        },
        "AZ" => charge.thing.zone.as_deref().unwrap_or("NoAZ").to_owned(),
        "RECORD_TYPE" => "Usage".to_owned(),
        "RESOURCE_ID" => charge.thing.id.to_string(),
        _ => return None,
    })
}

/// A sku as AWS's bill names it.
pub(super) fn usage_type(sku: &str) -> String {
    match sku.split_once('/') {
        Some(("compute", size)) => format!("BoxUsage:{size}"),
        Some(("disk", kind)) => format!("EBS:VolumeUsage.{kind}"),
        Some(("snapshot", _)) => "EBS:SnapshotUsage".to_owned(),
        Some(("database", size)) => format!("InstanceUsage:{size}"),
        Some(("database-storage", kind)) => format!("RDS:{}-Storage", kind.to_uppercase()),
        Some(("database-backup", _)) => "RDS:ChargedBackupUsage".to_owned(),
        Some(("balancer", _)) => "LoadBalancerUsage".to_owned(),
        Some(("address", _)) => "PublicIPv4:IdleAddress".to_owned(),
        Some(("bucket", _)) => "TimedStorage-ByteHrs".to_owned(),
        Some(("zone", _)) => "HostedZone".to_owned(),
        _ => sku.to_owned(),
    }
}

/// Whether a charge is chosen.
pub(super) fn chosen(ask: &Ask<'_>, charge: &Charge<'_>, expression: &Value) -> bool {
    let all = |name: &str| expression[name].as_array().map_or(&[][..], Vec::as_slice).iter();
    let fits = |value: Option<&str>, wanted: &Value| {
        let absent = wanted["MatchOptions"]
            .as_array()
            .is_some_and(|options| options.iter().any(|one| one == "ABSENT"));
        let values = wanted["Values"].as_array().map_or(&[][..], Vec::as_slice);
        match value {
            None => absent,
            Some(value) => !absent && values.iter().any(|known| known.as_str() == Some(value)),
        }
    };
    if let Some(wanted) = expression.get("Dimensions") {
        let value = dimension(ask, charge, wanted["Key"].as_str().unwrap_or_default());
        return fits(value.as_deref(), wanted);
    }
    if let Some(wanted) = expression.get("Tags") {
        return fits(
            charge.thing.tags.get(wanted["Key"].as_str().unwrap_or_default()).map(AsRef::as_ref),
            wanted,
        );
    }
    if expression.get("And").is_some() {
        return all("And").all(|one| chosen(ask, charge, one));
    }
    if expression.get("Or").is_some() {
        return all("Or").any(|one| chosen(ask, charge, one));
    }
    match expression.get("Not") {
        Some(one) => !chosen(ask, charge, one),
        None => true,
    }
}

/// Refuses expressions that say nothing, several things at once, or what is not simulated.
pub(super) fn check(expression: &Value) -> Result<(), Refusal> {
    let invalid = |message: String| Refusal::new("ValidationException", message).status(400);
    let Some(members) = expression.as_object() else { return Ok(()) };
    if members.len() != 1 {
        return Err(invalid(
            "Expression should have exactly one of And, Or, Not, Dimensions, Tags".to_owned(),
        ));
    }
    for (name, value) in members {
        match name.as_str() {
            "And" | "Or" => {
                let parts = value.as_array().map_or(&[][..], Vec::as_slice);
                if parts.len() < 2 {
                    return Err(invalid(format!("{name} expression must have at least 2 operands")));
                }
                parts.iter().try_for_each(check)?;
            }
            "Not" => check(value)?,
            "Dimensions" => {
                let key = value["Key"].as_str().unwrap_or_default();
                if !DIMENSIONS.contains(&key) {
                    return Err(invalid(format!("Dimension {key} is not supported by the simulator")));
                }
                only_equals(value)?;
            }
            "Tags" => only_equals(value)?,
            other => return Err(invalid(format!("{other} is not supported by the simulator"))),
        }
    }
    Ok(())
}

fn only_equals(value: &Value) -> Result<(), Refusal> {
    let options = value["MatchOptions"].as_array().map_or(&[][..], Vec::as_slice);
    let other = options
        .iter()
        .find(|option| !matches!(option.as_str(), Some("EQUALS" | "ABSENT" | "CASE_SENSITIVE")));
    match other {
        None => Ok(()),
        Some(other) => {
            let message = format!("Match option {other} is not supported by the simulator");
            Err(Refusal::new("ValidationException", message).status(400))
        }
    }
}
