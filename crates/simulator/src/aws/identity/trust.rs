//! Trust policies: who may assume a role. Principals of AWS, and the condition on the external id, are understood;
//! with any other condition a statement allows nothing.

use serde_json::Value;

use crate::aws::protocol::Refusal;

/// Refuses a policy that is none.
pub fn check(policy: &str) -> Result<(), Refusal> {
    let malformed = |what: &str| Refusal::new("MalformedPolicyDocument", what.to_owned());
    let policy: Value =
        serde_json::from_str(policy).map_err(|_| malformed("This policy contains invalid Json"))?;
    let statements = some(policy.get("Statement"));
    if statements.is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    for statement in statements {
        if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err(malformed("Missing required field Effect"));
        }
        if statement.get("Principal").is_none() {
            return Err(malformed("Missing required field Principal"));
        }
        if statement.get("Action").is_none() {
            return Err(malformed("Missing required field Action"));
        }
    }
    Ok(())
}

/// Whether a policy lets this caller of that account in.
pub fn allows(policy: &str, account: &str, caller: &str, external_id: Option<&str>) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let applies = |effect: &str| {
        some(policy.get("Statement")).into_iter().any(|statement| {
            statement.get("Effect").and_then(Value::as_str) == Some(effect)
                && some(statement.get("Action"))
                    .iter()
                    .any(|action| matches!(action.as_str(), Some("sts:AssumeRole" | "sts:*" | "*")))
                && is_principal(statement, account, caller)
                && conditions_hold(statement, external_id)
        })
    };
    applies("Allow") && !applies("Deny")
}

fn is_principal(statement: &Value, account: &str, caller: &str) -> bool {
    let principal = statement.get("Principal");
    let named = some(principal.and_then(|principal| principal.get("AWS")));
    principal.and_then(Value::as_str) == Some("*")
        || named.into_iter().filter_map(Value::as_str).any(|name| {
            name == "*" || name == account || name == caller || name == format!("arn:aws:iam::{account}:root")
        })
}

fn conditions_hold(statement: &Value, external_id: Option<&str>) -> bool {
    let operators = statement.get("Condition").and_then(Value::as_object);
    operators.into_iter().flatten().all(|(operator, keys)| {
        keys.as_object().into_iter().flatten().all(|(key, wanted)| {
            operator == "StringEquals"
                && key.eq_ignore_ascii_case("sts:ExternalId")
                && external_id
                    .is_some_and(|id| some(Some(wanted)).iter().any(|value| value.as_str() == Some(id)))
        })
    })
}

/// What policies write as one value or as a list of them.
fn some(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    }
}
