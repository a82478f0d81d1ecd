//! The permissions: `noun.verb`, one for every way of acting that can be granted apart from the others.

crate::words! {
    /// A right to one kind of act. Every route names exactly one; roles and API-key scopes are sets of them.
    pub enum Permission {
        OrganizationsRead = "organizations.read",
        OrganizationsUpdate = "organizations.update",
        MembersRead = "members.read",
        MembersManage = "members.manage",
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
        OperationsRead = "operations.read",
        OperationsCancel = "operations.cancel",
        AuditRead = "audit.read",
    }
}
