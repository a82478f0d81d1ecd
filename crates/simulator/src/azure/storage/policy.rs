//! The rules by which the blobs of an account go: one policy an account, named `default`. And what accounts hold besides
//! blobs, which is nothing here: file shares, queues and tables are not simulated, so no account has any.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{POLICY, account};
use crate::{
    azure::{
        call::{Answer, Call, inside, stamp, text},
        error::{Outcome, Refused},
        ids::Target,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// Rules that a policy may have.
const MOST: usize = 100;
/// The one name there is.
const NAME: &str = "default";

/// The call's account, which must be there, and its policy.
fn target(call: &Call<'_>, estate: &Estate) -> Outcome<(Thing, Target)> {
    let owner = account::target(call, estate)?.need(call, estate)?.clone();
    let name = call.part("managementPolicyName");
    if name != NAME {
        let message =
            format!("The value '{name}' is not a valid management policy name: it must be '{NAME}'.");
        return Err(Refused::bad("InvalidManagementPolicyName", message));
    }
    Ok((owner, Target::of(call, estate, POLICY, &[call.part("accountName"), NAME])?))
}

/// PUT: all rules are replaced.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (owner, target) = target(call, estate)?;
    let rules = call.property("policy.rules").as_array().cloned().unwrap_or_default();
    refuse(&rules)?;
    let mut properties = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    for rule in properties["policy"]["rules"].as_array_mut().into_iter().flatten() {
        if rule["enabled"].is_null() {
            rule["enabled"] = json!(true);
        }
        days_as_decimals(rule);
    }
    properties["lastModifiedTime"] = stamp(call.now);
    let mut draft = Draft::new(&owner.place, json!({ "properties": properties }));
    draft.begins = "Succeeded";
    resource::keep(call, estate, &target, draft);
    get(call, estate)
}

/// Days are answered as decimals, however they were sent.
fn days_as_decimals(rule: &mut Value) {
    match rule {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                match value.as_f64().filter(|_| name.starts_with("daysAfter")) {
                    Some(days) => *value = json!(days),
                    None => days_as_decimals(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(days_as_decimals),
        _ => {}
    }
}

/// Refuses a policy without rules, rules that do nothing, and names that are taken twice.
fn refuse(rules: &[Value]) -> Outcome<()> {
    let invalid = |message: String| Refused::bad("InvalidManagementPolicyDefinition", message);
    if rules.is_empty() || rules.len() > MOST {
        return Err(invalid(format!("A management policy has from 1 to {MOST} rules, not {}.", rules.len())));
    }
    for (index, rule) in rules.iter().enumerate() {
        let name = text(rule, "name");
        if rules.iter().take(index).any(|other| text(other, "name").eq_ignore_ascii_case(name)) {
            return Err(invalid(format!("The rule name '{name}' is not unique in the policy.")));
        }
        let actions = inside(rule, "definition.actions").as_object();
        if actions.is_none_or(serde_json::Map::is_empty) {
            return Err(invalid(format!("The rule '{name}' has no action.")));
        }
        let kinds = inside(rule, "definition.filters.blobTypes").as_array();
        if kinds.is_none_or(Vec::is_empty) {
            return Err(invalid(format!("The rule '{name}' has no blobTypes in its filters.")));
        }
    }
    Ok(())
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let (_, target) = target(call, estate)?;
    let found = target.find(call, estate).ok_or_else(|| {
        Refused::missing(
            "ManagementPolicyNotFound",
            format!("No ManagementPolicy found for account {}", call.part("accountName")),
        )
    })?;
    Ok(Answer::text(StatusCode::OK, found.body.text().to_owned()))
}

/// DELETE, at once.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (_, target) = target(call, estate)?;
    if target.find(call, estate).is_none() {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    resource::end(call, estate, POLICY, &target.key, TimeDelta::zero());
    Ok(Answer::empty(StatusCode::OK))
}

/// What an account that must be there holds of file shares, of queues and of tables.
pub fn nothing(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    account::target(call, estate)?.need(call, estate)?;
    Ok(resource::paged(call, std::iter::empty(), None))
}
