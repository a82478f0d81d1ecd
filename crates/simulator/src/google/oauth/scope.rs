//! Scopes: what a token may be used for, service by service.

use http::Method;

/// The scope of all of Google Cloud.
pub const EVERYTHING: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Scopes that open a service: those for everything, and those for looking only.
const SERVICES: &[(&str, &[&str], &[&str])] = &[
    ("compute", &["compute"], &["compute.readonly"]),
    ("sqladmin", &["sqlservice.admin"], &[]),
    ("storage", &["devstorage.full_control", "devstorage.read_write"], &["devstorage.read_only"]),
    ("monitoring", &["monitoring"], &["monitoring.read"]),
    ("cloudbilling", &["cloud-billing"], &["cloud-billing.readonly"]),
    ("dns", &["ndev.clouddns.readwrite"], &["ndev.clouddns.readonly"]),
    ("cloudresourcemanager", &["cloudplatformprojects"], &["cloudplatformprojects.readonly"]),
];

/// Whether scopes allow a call of a service.
pub fn allow(scopes: &str, service: &str, method: &Method) -> bool {
    let looks = *method == Method::GET;
    let own = SERVICES.iter().find(|(name, ..)| *name == service);
    scopes.split(' ').any(|scope| {
        let short = scope.strip_prefix("https://www.googleapis.com/auth/").unwrap_or_default();
        let all = own.is_some_and(|(_, all, _)| all.contains(&short));
        let looking = own.is_some_and(|(_, _, looking)| looking.contains(&short))
            || short == "cloud-platform.read-only";
        scope == EVERYTHING || all || (looks && looking)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_for_looking_changes_nothing() {
        let scope = "https://www.googleapis.com/auth/compute.readonly";
        assert!(allow(scope, "compute", &Method::GET));
        assert!(!allow(scope, "compute", &Method::POST));
        assert!(!allow(scope, "dns", &Method::GET));
        assert!(allow(EVERYTHING, "dns", &Method::DELETE));
    }
}
