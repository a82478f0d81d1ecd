//! The role matrix as a committed snapshot, and what policy text is refused.

use std::{collections::HashSet, fmt::Write as _};

use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, EntityId, Request};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
};

use super::*;

#[test]
fn the_role_matrix_is_the_one_that_was_agreed() {
    let policies = RolePolicies::load().unwrap();
    let mut matrix = format!("{:<26}", "permission");
    for role in Role::ALL {
        write!(matrix, "{role:<10}").unwrap();
    }
    for permission in Permission::ALL {
        write!(matrix, "\n{permission:<26}").unwrap();
        for role in Role::ALL {
            let mark = if policies.of(*role).contains(*permission) { "yes" } else { "-" };
            write!(matrix, "{mark:<10}").unwrap();
        }
    }
    let matrix: Vec<_> = matrix.lines().map(str::trim_end).collect();
    insta::assert_snapshot!("role_matrix", matrix.join("\n"));
}

#[test]
fn each_role_holds_what_the_role_below_holds() {
    let policies = RolePolicies::load().unwrap();
    for pair in Role::ALL.windows(2) {
        let (lower, higher) = (policies.of(pair[0]), policies.of(pair[1]));
        assert_eq!(higher.intersection(lower), lower, "{} holds less than {}", pair[1], pair[0]);
    }
}

#[test]
fn a_key_has_its_scopes_and_never_more_than_its_creator() {
    let policies = RolePolicies::load().unwrap();
    let scopes = [Permission::ProvidersRead, Permission::ProvidersCreate].into_iter().collect();
    assert_eq!(policies.of_key(Role::Admin, scopes), scopes);
    assert!(policies.of_key(Role::Viewer, scopes).iter().eq([Permission::ProvidersRead]));
    for permission in NEVER_FOR_KEYS {
        assert!(!policies.of_key(Role::Owner, PermissionSet::all()).contains(permission), "{permission}");
    }
}

fn refusal(policy: &str) -> String {
    RolePolicies::compile(SCHEMA, &[("test.cedar", policy)]).unwrap_err().to_string()
}

#[test]
fn text_that_would_be_compiled_wrongly_is_refused() {
    let cases = [
        ("permit (principal, action == Action::\"audit.read\", resource) when { 1 == 1 };", "no condition"),
        (
            "permit (principal, action == Action::\"audit.read\", resource == Organization::\"x\");",
            "no resource",
        ),
        ("permit (principal in Role::\"viewer\", action == Action::\"audit.raed\", resource);", "audit.raed"),
        ("permit (principal in Rolle::\"viewer\", action == Action::\"audit.read\", resource);", "Rolle"),
        ("permit (principal in Role::\"viewer\", action", "test.cedar"),
    ];
    for (policy, expected) in cases {
        let message = refusal(policy);
        assert!(message.contains(expected), "{policy}: {message}");
    }
}

#[test]
fn a_forbid_takes_away_from_every_role_it_names() {
    let files = [
        ("permit.cedar", "permit (principal in Role::\"viewer\", action, resource);"),
        (
            "forbid.cedar",
            "forbid (principal in Role::\"owner\", action == Action::\"audit.read\", resource);",
        ),
    ];
    let policies = RolePolicies::compile(SCHEMA, &files).unwrap();
    assert!(policies.of(Role::Admin).contains(Permission::AuditRead));
    assert!(!policies.of(Role::Owner).contains(Permission::AuditRead));
}

#[test]
fn a_permission_missing_from_the_schema_is_named() {
    let schema = SCHEMA.replace("    \"audit.read\"\n", "    \"audit.write\"\n");
    let message = RolePolicies::compile(&schema, POLICIES).unwrap_err().to_string();
    assert!(message.contains("audit.read, audit.write"), "{message}");
}

/// Cedar's own answer: one member for each role, the role hierarchy, and an organization to act in.
fn cedar_allows(policies: &PolicySet, role: Role, permission: Permission) -> bool {
    let uid =
        |kind: &str, id: &str| EntityUid::from_type_name_and_id(kind.parse().unwrap(), EntityId::new(id));
    let mut entities = Vec::new();
    for (index, role) in Role::ALL.iter().enumerate() {
        let below = index.checked_sub(1).map(|below| uid("Role", Role::ALL[below].as_str()));
        entities.push(Entity::new_no_attrs(uid("Role", role.as_str()), below.into_iter().collect()));
    }
    let member = uid("Member", "anyone");
    entities.push(Entity::new_no_attrs(member.clone(), HashSet::from([uid("Role", role.as_str())])));
    let (action, organization) = (uid("Action", permission.as_str()), uid("Organization", "any"));
    let request = Request::new(member, action, organization, Context::empty(), None).unwrap();
    let entities = Entities::from_entities(entities, None).unwrap();
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    assert_eq!(response.diagnostics().errors().count(), 0);
    response.decision() == Decision::Allow
}

fn assert_cedar_agrees(files: &[(&str, &str)]) {
    let compiled = RolePolicies::compile(SCHEMA, files).unwrap();
    let policies = parse_policies(files).unwrap();
    for role in Role::ALL {
        for permission in Permission::ALL {
            let ours = compiled.of(*role).contains(*permission);
            assert_eq!(ours, cedar_allows(&policies, *role, *permission), "{role} {permission}: {files:?}");
        }
    }
}

#[test]
fn cedar_decides_as_the_compiled_sets_do() {
    assert_cedar_agrees(POLICIES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn cedar_agrees_on_any_mixture_of_permits_and_forbids(
        mixture in prop::collection::vec(
            (any::<bool>(), prop::option::of(select(Role::ALL)), prop::option::of(subsequence(Permission::ALL.to_vec(), 1..5))),
            1..6,
        ),
    ) {
        let mut text = String::new();
        for (permit, role, actions) in mixture {
            let effect = if permit { "permit" } else { "forbid" };
            let principal = role.map(|role| format!(" in Role::\"{role}\"")).unwrap_or_default();
            let action = actions.map(|actions| {
                let names: Vec<_> = actions.iter().map(|action| format!("Action::\"{action}\"")).collect();
                format!(" in [{}]", names.join(", "))
            });
            writeln!(text, "{effect} (principal{principal}, action{}, resource);", action.unwrap_or_default()).unwrap();
        }
        assert_cedar_agrees(&[("mixture.cedar", &text)]);
    }
}
