//! The role policies: Cedar text, compiled at load into one permission set a role.
//!
//! A Cedar decision costs tens of microseconds, a request has a hundred in all; so the text is compiled when the
//! server starts. That is right only while a policy speaks of nothing but role and action: one with a condition,
//! or bound to one resource, is refused here. A test asks Cedar's own authorizer for every role and permission
//! and compares. See `docs/decisions/0003-authorization.md`.

use std::{collections::BTreeSet, str::FromStr as _};

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PolicySet, PrincipalConstraint, ResourceConstraint, Schema,
    ValidationMode, Validator,
};
use marquee_types::{Permission, PermissionSet, Role};

const SCHEMA: &str = include_str!("../policies/schema.cedarschema");
const ROLES: usize = Role::ALL.len();
const POLICIES: &[(&str, &str)] = &[
    ("viewer.cedar", include_str!("../policies/viewer.cedar")),
    ("engineer.cedar", include_str!("../policies/engineer.cedar")),
    ("manager.cedar", include_str!("../policies/manager.cedar")),
    ("admin.cedar", include_str!("../policies/admin.cedar")),
    ("owner.cedar", include_str!("../policies/owner.cedar")),
];

/// What no API key may do, whatever its scopes: make more of its kind, or people, and so outlive its revocation.
pub const NEVER_FOR_KEYS: [Permission; 3] =
    [Permission::ApiKeysManage, Permission::MembersManage, Permission::OwnersManage];

/// What each role may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePolicies {
    /// Indexed by the role's place in [`Role::ALL`].
    sets: [PermissionSet; ROLES],
}

/// Why the policy text cannot be used. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not Cedar.
    #[error("{file}: {detail}")]
    Syntax {
        /// The file's name.
        file: String,
        /// What Cedar said.
        detail: String,
    },
    /// The text is Cedar but speaks of what the schema does not have.
    #[error("the role policies do not fit schema.cedarschema: {0}")]
    Invalid(String),
    /// Schema and code disagree on what permissions there are.
    #[error("schema.cedarschema and the code's permissions differ in: {0}")]
    Permissions(String),
    /// A policy depends on more than role and action.
    #[error("policy {0}: a role policy names a role and actions, and has no condition and no resource")]
    Conditional(String),
}

impl RolePolicies {
    /// Compiles the policies that are part of the program.
    pub fn load() -> Result<Self, PolicyError> {
        Self::compile(SCHEMA, POLICIES)
    }

    /// Compiles policies from text: pairs of file name and content.
    fn compile(schema: &str, files: &[(&str, &str)]) -> Result<Self, PolicyError> {
        let schema = parse_schema(schema)?;
        let policies = parse_policies(files)?;
        refuse_invalid(&schema, &policies)?;
        let (mut permitted, mut forbidden) = ([PermissionSet::EMPTY; ROLES], [PermissionSet::EMPTY; ROLES]);
        for policy in policies.policies() {
            let sets = match policy.effect() {
                Effect::Permit => &mut permitted,
                Effect::Forbid => &mut forbidden,
            };
            add(sets, policy).ok_or_else(|| PolicyError::Conditional(policy.id().to_string()))?;
        }
        // As in Cedar: whatever is forbidden stays so, whoever permits it.
        for (permitted, forbidden) in permitted.iter_mut().zip(forbidden) {
            *permitted = permitted.difference(forbidden);
        }
        Ok(Self { sets: permitted })
    }

    /// What members in this role may do.
    pub fn of(&self, role: Role) -> PermissionSet {
        self.sets.get(role as usize).copied().unwrap_or_default()
    }

    /// What an API key with these scopes may do while its creator has this role.
    pub fn of_key(&self, creator: Role, scopes: PermissionSet) -> PermissionSet {
        let never: PermissionSet = NEVER_FOR_KEYS.iter().copied().collect();
        self.of(creator).intersection(scopes).difference(never)
    }
}

fn parse_schema(text: &str) -> Result<Schema, PolicyError> {
    let (schema, warnings) = Schema::from_cedarschema_str(text).map_err(|error| PolicyError::Syntax {
        file: "schema.cedarschema".into(),
        detail: error.to_string(),
    })?;
    if let Some(warning) = warnings.into_iter().next() {
        return Err(PolicyError::Invalid(warning.to_string()));
    }
    let known: BTreeSet<String> = schema.actions().map(|action| action.id().unescaped().to_owned()).collect();
    let wanted: BTreeSet<String> = Permission::ALL.iter().map(ToString::to_string).collect();
    let different: Vec<_> = known.symmetric_difference(&wanted).cloned().collect();
    if different.is_empty() { Ok(schema) } else { Err(PolicyError::Permissions(different.join(", "))) }
}

fn parse_policies(files: &[(&str, &str)]) -> Result<PolicySet, PolicyError> {
    let mut all = PolicySet::new();
    for (file, text) in files {
        let syntax = |detail: String| PolicyError::Syntax { file: (*file).to_owned(), detail };
        let policies = PolicySet::from_str(text).map_err(|error| syntax(error.to_string()))?;
        for (index, policy) in policies.policies().enumerate() {
            let id = format!("{file}:{}", index + 1).parse().map_err(|_| syntax("bad policy name".into()))?;
            all.add(policy.new_id(id)).map_err(|error| syntax(error.to_string()))?;
        }
    }
    Ok(all)
}

fn refuse_invalid(schema: &Schema, policies: &PolicySet) -> Result<(), PolicyError> {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let errors: Vec<_> = result.validation_errors().map(ToString::to_string).collect();
    let warnings = result.validation_warnings().map(ToString::to_string);
    let problems: Vec<_> = errors.into_iter().chain(warnings).collect();
    if problems.is_empty() { Ok(()) } else { Err(PolicyError::Invalid(problems.join("; "))) }
}

/// Adds what one policy speaks of; `None` if it depends on more than role and action.
fn add(sets: &mut [PermissionSet; ROLES], policy: &Policy) -> Option<()> {
    let any_resource = matches!(policy.resource_constraint(), ResourceConstraint::Any);
    if policy.has_non_scope_constraint() || !any_resource {
        return None;
    }
    let lowest = lowest_role(&policy.principal_constraint())?;
    let permissions = permissions(&policy.action_constraint())?;
    for (set, role) in sets.iter_mut().zip(Role::ALL) {
        if *role >= lowest {
            *set = set.union(permissions);
        }
    }
    Some(())
}

/// Every role is in the one below it, so "in a role" means that role and all above.
fn lowest_role(constraint: &PrincipalConstraint) -> Option<Role> {
    match constraint {
        PrincipalConstraint::Any => Role::ALL.first().copied(),
        PrincipalConstraint::In(uid) if uid.type_name().basename() == "Role" => word(uid),
        _ => None,
    }
}

fn permissions(constraint: &ActionConstraint) -> Option<PermissionSet> {
    match constraint {
        ActionConstraint::Any => Some(Permission::ALL.iter().copied().collect()),
        ActionConstraint::In(uids) => uids.iter().map(word).collect(),
        ActionConstraint::Eq(uid) => {
            word::<Permission>(uid).map(|permission| PermissionSet::EMPTY.with(permission))
        }
    }
}

fn word<W: std::str::FromStr>(uid: &EntityUid) -> Option<W> {
    uid.id().unescaped().parse().ok()
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
