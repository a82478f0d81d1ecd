//! The five roles a member can have.

crate::words! {
    /// A member's role in one organization. What each may do is policy text, not code.
    pub enum Role {
        /// Reads everything but secrets and the audit log.
        Viewer = "viewer",
        /// Also syncs, tests and starts operations on resources.
        Engineer = "engineer",
        /// Also budgets, calendars, freezes, approvals and templates.
        Manager = "manager",
        /// Also providers, members up to admin, API keys, policies and the audit log.
        Admin = "admin",
        /// Also owners, billing identity and the organization itself.
        Owner = "owner",
    }
}
