//! What a credential must be allowed: a custom role, as `gcloud iam roles create --file` takes it.

use std::fmt::Write as _;

use marquee_clouds::{PolicyDocument, PolicyFormat, PolicyRequest};
use marquee_types::FieldError;
use serde_json::json;

const TITLE: &str = "Marquee reader";
const DESCRIPTION: &str = "What Marquee calls for, and no more.";

/// The role for a request: YAML, or JSON, which `gcloud` reads as well.
pub fn write(request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
    request.refuse_subscription()?;
    let format = request.format_of(&[PolicyFormat::Yaml, PolicyFormat::Json])?;
    let mut permissions: Vec<_> = request.permissions().collect();
    permissions.sort_unstable();
    let (document, file) = if format == PolicyFormat::Json {
        let role = json!({ "title": TITLE, "description": DESCRIPTION, "stage": "GA",
            "includedPermissions": permissions });
        (format!("{role:#}\n"), "marquee-role.json")
    } else {
        (yaml(&permissions), "marquee-role.yaml")
    };
    let account = "marquee@PROJECT.iam.gserviceaccount.com";
    let commands = vec![
        format!("gcloud iam roles create marqueeReader --project PROJECT --file {file}"),
        "gcloud iam service-accounts create marquee --project PROJECT".to_owned(),
        format!(
            "gcloud projects add-iam-policy-binding PROJECT --member serviceAccount:{account} \
             --role projects/PROJECT/roles/marqueeReader"
        ),
        format!("gcloud iam service-accounts keys create marquee-key.json --iam-account {account}"),
    ];
    Ok(PolicyDocument { form: "custom role", format, document, commands, file })
}

/// Names of permissions are letters and dots, which YAML takes as they are.
fn yaml(permissions: &[&str]) -> String {
    let mut text = format!("title: {TITLE}\ndescription: {DESCRIPTION}\nstage: GA\nincludedPermissions:\n");
    for permission in permissions {
        // Writing to a text does not fail.
        let _ = writeln!(text, "- {permission}");
    }
    text
}

#[cfg(test)]
mod tests {
    use marquee_clouds::{PermissionGroup, policy::INVENTORY};
    use serde_json::Value;

    use super::*;
    use crate::permissions::PERMISSIONS;

    fn request(format: Option<PolicyFormat>) -> PolicyRequest {
        let group = PermissionGroup { name: INVENTORY, about: "", permissions: PERMISSIONS };
        PolicyRequest { groups: vec![group], format, ..PolicyRequest::default() }
    }

    #[test]
    fn the_role_has_every_permission_in_both_forms() {
        let wanted: Vec<_> = PERMISSIONS.iter().map(|need| need.permission).collect();
        let json = write(&request(Some(PolicyFormat::Json))).unwrap();
        let role: Value = serde_json::from_str(&json.document).unwrap();
        assert_eq!(role["includedPermissions"], json!(wanted));
        let yaml = write(&request(None)).unwrap();
        let listed: Vec<_> = yaml.document.lines().filter_map(|line| line.strip_prefix("- ")).collect();
        assert_eq!(listed, wanted);
        assert!(json.commands[0].ends_with(json.file) && yaml.commands[0].ends_with(yaml.file));
        let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        assert!(wanted.iter().all(plain));
    }

    #[test]
    fn what_google_does_not_have_is_refused() {
        assert_eq!(write(&request(Some(PolicyFormat::Text))).unwrap_err().pointer, "?format");
        let other = PolicyRequest { subscription: Some(String::new()), ..request(None) };
        assert_eq!(write(&other).unwrap_err().pointer, "?subscription");
    }
}
