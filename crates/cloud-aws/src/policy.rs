//! What a credential must be allowed: an IAM policy, with a statement for each service of each group of permissions.

use marquee_clouds::{PermissionGroup, PolicyDocument, PolicyFormat, PolicyRequest, policy::INVENTORY};
use marquee_types::FieldError;
use serde_json::{Value, json};

/// The prefix of a service's actions, and what a statement about it is called. In the order of the document.
const SERVICES: &[(&str, &str)] = &[
    ("ec2", "Compute"),
    ("elasticloadbalancing", "LoadBalancing"),
    ("autoscaling", "AutoScaling"),
    ("rds", "Databases"),
    ("s3", "Storage"),
    ("route53", "Dns"),
    ("secretsmanager", "Secrets"),
    ("kms", "Keys"),
    ("iam", "Account"),
    ("pricing", "Prices"),
    ("servicequotas", "Quotas"),
];

/// The file that the commands take.
const FILE: &str = "marquee-policy.json";

/// The policy for a request.
pub fn write(request: &PolicyRequest) -> Result<PolicyDocument, FieldError> {
    request.refuse_subscription()?;
    let format = request.format_of(&[PolicyFormat::Json])?;
    let statements: Vec<Value> = request.groups.iter().flat_map(statements).collect();
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    let commands = vec![
        format!("aws iam create-policy --policy-name marquee --policy-document file://{FILE}"),
        "aws iam create-user --user-name marquee".to_owned(),
        // The first command says it: in GovCloud and China it begins otherwise.
        "aws iam attach-user-policy --user-name marquee --policy-arn POLICY_ARN".to_owned(),
        "aws iam create-access-key --user-name marquee".to_owned(),
    ];
    Ok(PolicyDocument { form: "IAM policy", format, document: format!("{policy:#}\n"), commands, file: FILE })
}

fn statements(group: &PermissionGroup) -> Vec<Value> {
    let of = |service: &str| -> Vec<&str> {
        let actions = group.permissions.iter().map(|need| need.permission);
        actions.filter(|action| action.split(':').next() == Some(service)).collect()
    };
    let statement = |&(service, name): &(&str, &str)| {
        let actions = of(service);
        (!actions.is_empty()).then(|| {
            json!({ "Sid": format!("Marquee{}{name}", word(group.name)), "Effect": "Allow", "Action": actions,
                "Resource": "*" })
        })
    };
    SERVICES.iter().filter_map(statement).collect()
}

/// The group in a statement's name, which takes letters and digits alone.
fn word(group: &str) -> String {
    let name = if group == INVENTORY { "read" } else { group };
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters
        .enumerate()
        .map(|(at, letter)| if at == 0 { letter.to_ascii_uppercase() } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use marquee_clouds::PermissionNeed;

    use super::*;
    use crate::permissions::{CAPABILITIES, CHANGES};

    const OTHER: PermissionGroup = PermissionGroup {
        name: "other-things",
        about: "",
        permissions: &[PermissionNeed { permission: "s3:GetObject", feature: "reading objects" }],
    };

    fn written(groups: Vec<PermissionGroup>) -> Value {
        let request = PolicyRequest { groups, ..PolicyRequest::default() };
        serde_json::from_str(&write(&request).unwrap().document).unwrap()
    }

    fn inventory() -> PermissionGroup {
        PermissionGroup { name: INVENTORY, about: "", permissions: CAPABILITIES.permissions }
    }

    #[test]
    fn every_action_is_in_one_statement_and_no_other_is() {
        let policy = written(vec![inventory()]);
        let statements = policy["Statement"].as_array().unwrap();
        let actions: Vec<&str> = statements
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap())
            .collect();
        let wanted: BTreeSet<&str> = CAPABILITIES.permissions.iter().map(|need| need.permission).collect();
        assert_eq!(actions.iter().copied().collect::<BTreeSet<_>>(), wanted);
        assert_eq!(actions.len(), wanted.len());
        let sids: BTreeSet<&str> = statements.iter().map(|one| one["Sid"].as_str().unwrap()).collect();
        assert_eq!(sids.len(), statements.len());
        assert!(sids.iter().all(|sid| sid.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{sids:?}");
    }

    #[test]
    fn changes_are_permitted_when_they_are_asked_for() {
        let policy = written(vec![inventory(), CHANGES]);
        let actions: BTreeSet<String> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap().to_owned())
            .collect();
        let lacking = CHANGES.permissions.iter().find(|need| !actions.contains(need.permission));
        assert_eq!(lacking, None);
    }

    #[test]
    fn a_group_more_is_a_statement_more() {
        let (few, more) = (written(vec![inventory()]), written(vec![inventory(), OTHER]));
        let count = |policy: &Value| policy["Statement"].as_array().unwrap().len();
        assert_eq!(count(&more), count(&few) + 1);
        assert_eq!(more["Statement"][count(&few)]["Sid"], "MarqueeOtherthingsStorage");
    }

    #[test]
    fn what_aws_does_not_have_is_refused() {
        let yaml = PolicyRequest { format: Some(PolicyFormat::Yaml), ..PolicyRequest::default() };
        assert_eq!(write(&yaml).unwrap_err().pointer, "?format");
        let other = PolicyRequest { subscription: Some(String::new()), ..PolicyRequest::default() };
        assert_eq!(write(&other).unwrap_err().pointer, "?subscription");
    }
}
