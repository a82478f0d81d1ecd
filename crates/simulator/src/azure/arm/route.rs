//! Which operation a request is, of which provider and version.

use http::StatusCode;

use crate::{
    azure::error::{Outcome, Refused, quoted},
    face::Request,
    plan::Region,
    rest::{Api, Found, Letters, NotFound},
};

/// A provider and the schema of its operations.
#[derive(Debug)]
pub struct Service {
    /// The provider's namespace.
    pub namespace: &'static str,
    /// Its schema.
    pub api: Api,
}

/// The schemas, as they are committed.
const SCHEMAS: &[(&str, &str)] = &[
    ("Microsoft.Resources", include_str!("../../../schemas/azure/Microsoft.Subscriptions.json")),
    ("Microsoft.Resources", include_str!("../../../schemas/azure/Microsoft.Resources.json")),
    ("Microsoft.Compute", include_str!("../../../schemas/azure/Microsoft.Compute.json")),
    ("Microsoft.Network", include_str!("../../../schemas/azure/Microsoft.Network.json")),
    ("Microsoft.Network", include_str!("../../../schemas/azure/Microsoft.Network.dnsZones.json")),
    ("Microsoft.DBforPostgreSQL", include_str!("../../../schemas/azure/Microsoft.DBforPostgreSQL.json")),
    ("Microsoft.Storage", include_str!("../../../schemas/azure/Microsoft.Storage.json")),
    ("Microsoft.Insights", include_str!("../../../schemas/azure/Microsoft.Insights.json")),
    ("Microsoft.CostManagement", include_str!("../../../schemas/azure/Microsoft.CostManagement.json")),
    ("Microsoft.Authorization", include_str!("../../../schemas/azure/Microsoft.Authorization.json")),
];

/// Reads all schemas.
pub fn services() -> Result<Vec<Service>, String> {
    let read = |(namespace, text): &(&'static str, &str)| match Api::parse(text) {
        Ok(api) => Ok(Service { namespace, api }),
        Err(error) => Err(format!("{namespace}: {error}")),
    };
    SCHEMAS.iter().map(read).collect()
}

/// The operation of a request.
pub fn find<'s>(services: &'s [Service], request: &Request) -> Outcome<(&'s Service, Found<'s>)> {
    let mut method = false;
    for service in services {
        match service.api.find(&request.method, &request.path, Letters::Any) {
            Ok(found) => return Ok((service, found)),
            Err(NotFound::Method) => method = true,
            Err(NotFound::Path) => {}
            Err(NotFound::Encoding) => {
                return Err(Refused::bad("InvalidRequestUri", "The request URI is not valid."));
            }
        }
    }
    if method {
        return Err(Refused::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "HttpMethodNotSupported",
            format!("The requested resource does not support http method '{}'.", request.method),
        ));
    }
    Err(unknown(services, &request.path))
}

/// That a path leads nowhere: to an unknown provider, or an unknown type of a known one.
fn unknown(services: &[Service], path: &str) -> Refused {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let Some(at) = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers")) else {
        return Refused::missing("NotFound", "The requested resource does not exist.");
    };
    let namespace = segments.get(at + 1).copied().unwrap_or_default();
    if !services.iter().any(|service| service.namespace.eq_ignore_ascii_case(namespace)) {
        return Refused::missing(
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid."),
        );
    }
    let kind: Vec<&str> = segments.iter().skip(at + 2).step_by(2).copied().collect();
    Refused::missing(
        "InvalidResourceType",
        format!("The resource type '{}' could not be found in the namespace '{namespace}'.", kind.join("/")),
    )
}

/// Refuses a version that the operation does not have.
pub fn refuse_version(
    service: &Service,
    found: &Found<'_>,
    version: &str,
    regions: &[Region],
) -> Outcome<()> {
    let known: Vec<&str> = versions(found).collect();
    if known.contains(&version) {
        return Ok(());
    }
    if service.namespace == "Microsoft.Resources" {
        return Err(Refused::bad(
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{version}' is invalid. The supported versions are '{}'.",
                quoted(known.into_iter().rev())
            ),
        ));
    }
    let kind = found.name.split('/').next_back().and_then(|name| name.split('_').next()).unwrap_or_default();
    let locations = quoted(regions.iter().map(|region| region.id.as_ref()));
    Err(Refused::bad(
        "NoRegisteredProviderFound",
        format!(
            "No registered resource provider found for location '' and API version '{version}' for type '{kind}'. The \
             supported api-versions are '{}'. The supported locations are '{locations}'.",
            quoted(known)
        ),
    ))
}

/// The versions of an operation.
pub fn versions<'f>(found: &'f Found<'_>) -> impl Iterator<Item = &'f str> {
    let words = found.operation.query.get("api-version").and_then(|shape| shape.words.as_ref());
    words.into_iter().flatten().filter_map(serde_json::Value::as_str)
}

/// A link to an operation that goes on.
#[derive(Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The operation's name.
    pub name: &'a str,
    /// Whether it leads to the result.
    pub result: bool,
    /// The region in it; empty if there is none.
    pub region: &'a str,
    /// What following it is called.
    pub operation: &'static str,
}

/// Following a link to a status.
pub const STATUS: &str = "Microsoft.Resources/operations_status";
/// Following a link to a result.
pub const RESULT: &str = "Microsoft.Resources/operations_result";

/// Reads a path as such a link.
pub fn operation_link(path: &str) -> Option<Link<'_>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (word, name, region) = match segments.as_slice() {
        [_, _, word, name] => (*word, *name, ""),
        [_, _, "providers", _, "locations", region, word, name] => (*word, *name, *region),
        _ => return None,
    };
    match word {
        "operationresults" | "operationResults" | "asyncoperations" => {
            Some(Link { name, result: true, region, operation: RESULT })
        }
        "operations" | "azureAsyncOperation" => Some(Link { name, result: false, region, operation: STATUS }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_can_be_read_and_every_operation_has_a_handler() {
        let services = services().unwrap();
        let mut missing = Vec::new();
        for service in &services {
            for name in service.api.operations.keys() {
                if crate::azure::table::handler(name).is_none() {
                    missing.push(name.clone());
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
        let known = |name: &str| services.iter().any(|service| service.api.operations.contains_key(name));
        let without: Vec<_> =
            crate::azure::table::HANDLERS.iter().map(|(name, _)| *name).filter(|name| !known(name)).collect();
        assert_eq!(without, Vec::<&str>::new());
    }

    #[test]
    fn links_are_told_from_resources() {
        let status = "/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/operations/abc";
        assert_eq!(operation_link(status).map(|link| (link.name, link.result)), Some(("abc", false)));
        assert!(operation_link("/subscriptions/s/operationresults/abc").is_some_and(|link| link.result));
        assert_eq!(operation_link("/subscriptions/s/resourceGroups/operations"), None);
    }
}
