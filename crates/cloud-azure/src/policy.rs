//! What a credential must be allowed: a custom role, as `az role definition create` takes it.

use marquee_clouds::{PolicyDocument, PolicyFormat, PolicyRequest};
use marquee_types::FieldError;
use serde_json::json;

/// Stands for the subscription's id where none is given.
const PLACEHOLDER: &str = "00000000-0000-0000-0000-000000000000";

/// The file that the commands take.
const FILE: &str = "marquee-role.json";

/// The role's name, unique in the tenant.
const NAME: &str = "Marquee reader";

/// The role for a request.
pub fn write(request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
    let format = request.format_of(&[PolicyFormat::Json])?;
    let subscription = request.subscription.as_deref().unwrap_or(PLACEHOLDER);
    if !crate::config::is_uuid(subscription) {
        return Err(FieldError::new("?subscription", "expected the subscription's id, a UUID"));
    }
    let mut actions: Vec<_> = request.permissions().collect();
    actions.sort_unstable();
    let scope = format!("/subscriptions/{subscription}");
    let role = json!({ "Name": NAME, "IsCustom": true, "Description": "What Marquee calls for, and no more.",
        "Actions": actions, "NotActions": [], "DataActions": [], "NotDataActions": [], "AssignableScopes": [scope] });
    let commands = vec![
        format!("az role definition create --role-definition @{FILE}"),
        format!("az ad sp create-for-rbac --name marquee --role \"{NAME}\" --scopes {scope}"),
    ];
    Ok(PolicyDocument { form: "custom role", format, document: format!("{role:#}\n"), commands, file: FILE })
}

#[cfg(test)]
mod tests {
    use marquee_clouds::{PermissionGroup, policy::INVENTORY};
    use serde_json::Value;

    use super::*;
    use crate::permissions::PERMISSIONS;

    fn request() -> PolicyRequest {
        let group = PermissionGroup { name: INVENTORY, about: "", permissions: PERMISSIONS };
        PolicyRequest { groups: vec![group], ..PolicyRequest::default() }
    }

    #[test]
    fn the_role_has_every_action_and_the_subscription() {
        let id = "3f6d1c52-8f0e-4d2b-9a57-6c1e0b7d4a21";
        let named = PolicyRequest { subscription: Some(id.to_owned()), ..request() };
        let role: Value = serde_json::from_str(&write(&named).unwrap().document).unwrap();
        let wanted: Vec<_> = PERMISSIONS.iter().map(|need| need.permission).collect();
        assert_eq!(role["Actions"], json!(wanted));
        assert_eq!(role["AssignableScopes"], json!([format!("/subscriptions/{id}")]));
    }

    #[test]
    fn without_a_subscription_a_placeholder_stands_there() {
        let role: Value = serde_json::from_str(&write(&request()).unwrap().document).unwrap();
        assert_eq!(role["AssignableScopes"], json!([format!("/subscriptions/{PLACEHOLDER}")]));
        let wrong = PolicyRequest { subscription: Some("../x".to_owned()), ..request() };
        assert_eq!(write(&wrong).unwrap_err().pointer, "?subscription");
        let yaml = PolicyRequest { format: Some(PolicyFormat::Yaml), ..request() };
        assert_eq!(write(&yaml).unwrap_err().pointer, "?format");
    }
}
