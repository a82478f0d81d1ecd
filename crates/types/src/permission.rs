//! The permissions: `noun.verb`, one for every way of acting that can be granted apart from the others.

crate::words! {
    /// A right to one kind of act. Every route names exactly one; roles and API-key scopes are sets of them.
    pub enum Permission {
        OrganizationsRead = "organizations.read",
        OrganizationsUpdate = "organizations.update",
        MembersRead = "members.read",
        MembersManage = "members.manage",
        OwnersManage = "owners.manage",
        SessionsRead = "sessions.read",
        SessionsRevoke = "sessions.revoke",
        ApiKeysRead = "api_keys.read",
        ApiKeysManage = "api_keys.manage",
        ProvidersRead = "providers.read",
        ProvidersCreate = "providers.create",
        ProvidersUpdate = "providers.update",
        ProvidersDelete = "providers.delete",
        ProvidersTest = "providers.test",
        ProvidersSync = "providers.sync",
        ResourcesRead = "resources.read",
        ResourcesCreate = "resources.create",
        ResourcesUpdate = "resources.update",
        ResourcesDelete = "resources.delete",
        ResourcesStart = "resources.start",
        ResourcesStop = "resources.stop",
        ResourcesReboot = "resources.reboot",
        ResourcesResize = "resources.resize",
        ResourcesSnapshot = "resources.snapshot",
        ResourcesRestore = "resources.restore",
        ResourcesAttach = "resources.attach",
        ResourcesConfigure = "resources.configure",
        ResourcesRoute = "resources.route",
        ResourcesProtect = "resources.protect",
        ResourcesUnprotect = "resources.unprotect",
        OperationsRead = "operations.read",
        OperationsCancel = "operations.cancel",
        OperationsPause = "operations.pause",
        OperationsResume = "operations.resume",
        OperationsApprove = "operations.approve",
        ApprovalPoliciesRead = "approval_policies.read",
        ApprovalPoliciesManage = "approval_policies.manage",
        AuditRead = "audit.read",
    }
}

/// A set of permissions, small enough to be copied into every request.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u128);

impl PermissionSet {
    /// No permission at all.
    pub const EMPTY: Self = Self(0);

    /// Every permission there is.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether `permission` is in the set.
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// The set with one more permission.
    #[must_use]
    pub fn with(self, permission: Permission) -> Self {
        Self(self.0 | bit(permission))
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether everything in this set is in `other` too.
    pub fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The permissions in the set, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | bit(permission)))
    }
}

impl std::fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

/// More than 128 permissions would need a wider set.
const _: () = assert!(Permission::ALL.len() <= 128);

fn bit(permission: Permission) -> u128 {
    1 << (permission as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set: PermissionSet = [Permission::ProvidersRead, Permission::AuditRead].into_iter().collect();
        for permission in Permission::ALL {
            let inside = matches!(permission, Permission::ProvidersRead | Permission::AuditRead);
            assert_eq!(set.contains(*permission), inside, "{permission}");
        }
        assert!(set.is_subset(PermissionSet::all()));
        assert_eq!(set.intersection(PermissionSet::EMPTY), PermissionSet::EMPTY);
        assert_eq!(set.union(PermissionSet::all()), PermissionSet::all());
        let rest = set.difference(PermissionSet::EMPTY.with(Permission::AuditRead));
        assert!(rest.iter().eq([Permission::ProvidersRead]));
    }
}
