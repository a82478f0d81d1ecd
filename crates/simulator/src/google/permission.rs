//! The permission that a method needs, by Google's rule: service, resource and verb, with `list` for every kind of list,
//! `create` for what is inserted and `update` for what is patched. What the rule does not say stands in a table.
//!
//! Source: "IAM permissions reference" and the "IAM Permissions" of each method's page. A method that touches other things
//! as well (an instance takes a network into use) needs more at Google than the one that is asked for here.

/// Methods whose permission the rule does not say; `None` for those that need none.
const OTHERWISE: &[(&str, Option<&str>)] = &[
    ("cloudbilling.projects.getBillingInfo", Some("resourcemanager.projects.get")),
    ("cloudbilling.services.list", None),
    ("cloudbilling.services.skus.list", None),
    // Finds what the caller may get.
    ("cloudresourcemanager.projects.search", None),
    ("cloudresourcemanager.projects.testIamPermissions", None),
    ("compute.instanceGroupManagers.listManagedInstances", Some("compute.instanceGroupManagers.get")),
    ("compute.instanceGroupManagers.resize", Some("compute.instanceGroupManagers.update")),
    ("compute.instanceGroups.listInstances", Some("compute.instanceGroups.list")),
    ("sql.operations.get", Some("cloudsql.instances.get")),
    ("sql.operations.list", Some("cloudsql.instances.get")),
    ("sql.tiers.list", None),
    ("storage.objects.insert.upload", Some("storage.objects.create")),
];

/// What a method needs besides, where it takes other things into use or does more than it is called for: `compute.instances.insert`
/// makes a disk, labels what it makes and takes a subnet into use. By "Access control" of Compute Engine and of Cloud DNS, and
/// the pages of the methods. A caller is asked for the first permission only.
const ALSO: &[(&str, &[&str])] = &[
    ("compute.autoscalers.insert", &["compute.instanceGroupManagers.use"]),
    ("compute.disks.insert", &["compute.disks.setLabels", "compute.snapshots.useReadOnly"]),
    ("compute.images.insert", &["compute.disks.useReadOnly", "compute.images.setLabels"]),
    ("compute.instanceGroupManagers.insert", &["compute.instanceTemplates.useReadOnly"]),
    ("compute.instances.attachDisk", &["compute.disks.use"]),
    ("compute.instances.detachDisk", &["compute.disks.use"]),
    (
        "compute.instances.insert",
        &[
            "compute.disks.create",
            "compute.disks.setLabels",
            "compute.instances.setLabels",
            "compute.instances.setMetadata",
            "compute.instances.setTags",
            "compute.subnetworks.use",
            "compute.subnetworks.useExternalIp",
        ],
    ),
    ("compute.snapshots.insert", &["compute.disks.createSnapshot", "compute.snapshots.setLabels"]),
    ("compute.targetPools.addInstance", &["compute.instances.use"]),
    ("compute.targetPools.removeInstance", &["compute.instances.use"]),
    (
        "dns.changes.create",
        &["dns.resourceRecordSets.create", "dns.resourceRecordSets.delete", "dns.resourceRecordSets.update"],
    ),
];

/// The services whose name in permissions is another.
const SERVICES: &[(&str, &str)] = &[("sql", "cloudsql"), ("cloudresourcemanager", "resourcemanager")];

/// The verbs whose name in permissions is another.
const VERBS: &[(&str, &str)] = &[
    ("aggregatedList", "list"),
    ("getFromFamily", "get"),
    ("getHealth", "get"),
    ("insert", "create"),
    ("patch", "update"),
    ("wait", "get"),
];

/// The permission that a method needs: `compute.instances.list` for `compute.instances.aggregatedList`.
pub fn of(method: &str) -> Option<String> {
    if let Some((_, permission)) = OTHERWISE.iter().find(|(name, _)| *name == method) {
        return permission.map(str::to_owned);
    }
    let mut parts: Vec<&str> = method.split('.').collect();
    if parts.first() == Some(&"monitoring") {
        // Monitoring's resources lie beneath projects, which its permissions do not say.
        parts.retain(|part| *part != "projects");
    }
    if let Some(service) = parts.first_mut() {
        *service = renamed(service, SERVICES);
    }
    if let Some(verb) = parts.last_mut() {
        *verb = renamed(verb, VERBS);
    }
    Some(parts.join("."))
}

/// What it needs besides.
pub fn also(method: &str) -> &'static [&'static str] {
    ALSO.iter().find(|(name, _)| *name == method).map_or(&[], |(_, besides)| besides)
}

/// The name of a part in permissions.
fn renamed<'a>(part: &'a str, names: &[(&str, &'a str)]) -> &'a str {
    names.iter().find(|(name, _)| *name == part).map_or(part, |(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Face as _, google::Google};

    #[test]
    fn a_method_names_its_permission() {
        let named = |method: &str| of(method).unwrap_or_default();
        assert_eq!(named("compute.instances.aggregatedList"), "compute.instances.list");
        assert_eq!(named("sql.instances.insert"), "cloudsql.instances.create");
        assert_eq!(named("monitoring.projects.timeSeries.list"), "monitoring.timeSeries.list");
        assert_eq!(named("cloudresourcemanager.projects.get"), "resourcemanager.projects.get");
        assert_eq!(named("storage.objects.insert.upload"), "storage.objects.create");
        assert_eq!(of("cloudresourcemanager.projects.testIamPermissions"), None);
    }

    #[test]
    fn every_permission_has_a_service_a_resource_and_a_verb() {
        for method in Google::new().routes().iter().filter(|method| !method.contains(".token")) {
            let permission = of(method).unwrap_or_else(|| "a.b.c".to_owned());
            assert_eq!(permission.split('.').count(), 3, "{method}: {permission}");
        }
    }

    #[test]
    fn the_table_names_methods_that_there_are() {
        let routes = Google::new().routes();
        let named = OTHERWISE.iter().map(|(method, _)| method).chain(ALSO.iter().map(|(method, _)| method));
        for method in named {
            assert!(routes.iter().any(|route| route == method), "{method}");
        }
        assert_eq!(also("compute.instances.attachDisk"), ["compute.disks.use"]);
    }
}
