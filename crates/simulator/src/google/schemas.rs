//! Google's schemas, read once: which operation a request is, and whether it says what it may.

use http::Method;
use serde_json::{Map, Value};

use super::{
    call::Handler,
    numbers::{Into, Numbers},
    refusal::Refusal,
};
use crate::rest::{Api, Direction, Found, Letters, NotFound, Operation, SchemaError, Shape, What, Wrong};

const TEXTS: &[(&str, &str)] = &[
    ("compute", include_str!("../../schemas/google/compute.json")),
    ("sqladmin", include_str!("../../schemas/google/sqladmin.json")),
    ("storage", include_str!("../../schemas/google/storage.json")),
    ("monitoring", include_str!("../../schemas/google/monitoring.json")),
    ("cloudbilling", include_str!("../../schemas/google/cloudbilling.json")),
    ("dns", include_str!("../../schemas/google/dns.json")),
    ("cloudresourcemanager", include_str!("../../schemas/google/cloudresourcemanager.json")),
];

/// Parameters that every method of Google's takes ("system parameters" in Google's API documentation).
pub const COMMON: &[&str] = &[
    "$.xgafv",
    "$alt",
    "$apiVersion",
    "$fields",
    "$prettyPrint",
    "access_token",
    "alt",
    "callback",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "upload_protocol",
    "uploadType",
    "userIp",
];

/// All schemas.
#[derive(Debug)]
pub struct Schemas {
    apis: Vec<(&'static str, Api)>,
    /// Enums by number.
    pub numbers: Numbers,
}

/// An operation that was found, and the service it is of.
#[derive(Debug)]
pub struct Route<'a> {
    /// The service: `compute`.
    pub service: &'static str,
    /// Its schema.
    pub api: &'a Api,
    /// The operation.
    pub found: Found<'a>,
}

impl Schemas {
    /// Reads them.
    pub fn load() -> Result<Self, SchemaError> {
        let apis = TEXTS.iter().map(|(name, text)| Ok((*name, Api::parse(text)?)));
        let numbers = Numbers::parse(include_str!("../../schemas/google/enum-numbers.json"))?;
        Ok(Self { apis: apis.collect::<Result<_, SchemaError>>()?, numbers })
    }

    /// The schema of a service.
    pub fn api(&self, service: &str) -> Option<&Api> {
        self.apis.iter().find(|(name, _)| *name == service).map(|(_, api)| api)
    }

    /// Every operation there is a schema of.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.apis.iter().flat_map(|(_, api)| api.operations.keys().map(String::as_str))
    }

    /// The operation of a request.
    pub fn route(&self, method: &Method, path: &str) -> Result<Route<'_>, Refusal> {
        let mut known = false;
        for (service, api) in &self.apis {
            match api.find(method, path, Letters::Exact) {
                Ok(found) => return Ok(Route { service, api, found }),
                Err(NotFound::Encoding) => return Err(Refusal::bad("The path is not valid UTF-8.")),
                Err(NotFound::Method) => known = true,
                Err(NotFound::Path) => {}
            }
        }
        let services =
            ["/compute/v1/", "/storage/v1/", "/dns/v1/", "/upload/", "/v1/projects/", "/v3/", "/v1/services"];
        if known || services.iter().any(|prefix| path.starts_with(prefix)) {
            return Err(Refusal::unimplemented(&format!("{method} {path}")));
        }
        Err(Refusal::new(404, "notFound", format!("The requested URL {path} was not found on this server.")))
    }

    /// The query of a request by the types of its operation. What is empty, or a limit of 0, was not sent.
    pub fn query(
        &self,
        route: &Route<'_>,
        pairs: Vec<(String, String)>,
    ) -> Result<Map<String, Value>, Refusal> {
        let (operation, mut query) = (route.found.operation, Map::new());
        for (name, text) in pairs {
            let Some(shape) = operation.query.get(&name) else {
                if COMMON.contains(&name.as_str()) {
                    continue;
                }
                let what = format!(
                    "Cannot bind query parameter. Field '{name}' could not be found in request message."
                );
                return Err(unknown_query(&name, &what));
            };
            if text.is_empty() {
                continue;
            }
            let inner = shape.items.as_deref().filter(|_| shape.kind.as_deref() == Some("array"));
            let value = self.parameter(route, &name, inner.unwrap_or(shape), &text)?;
            if inner.is_none() {
                query.insert(name, value);
            } else if let Value::Array(values) = query.entry(name).or_insert_with(|| Value::Array(vec![])) {
                values.push(value);
            }
        }
        for (name, shape) in &operation.query {
            if shape.required.is_set() && !query.contains_key(name) {
                return Err(Refusal::new(400, "required", format!("Required parameter: {name}")));
            }
        }
        Ok(query)
    }

    fn parameter(&self, route: &Route<'_>, name: &str, shape: &Shape, text: &str) -> Result<Value, Refusal> {
        let wrong = |kind: &str| {
            let message = format!("Invalid value at '{name}' ({kind}), {}", Value::from(text));
            Refusal {
                violations: vec![(name.to_owned(), message.clone())],
                ..Refusal::new(400, "invalid", message)
            }
        };
        let by_number = self.numbers.name_of(route.service, route.found.name, name, text);
        let text = by_number.filter(|_| shape.words.is_some()).unwrap_or(text);
        match shape.kind.as_deref() {
            Some("integer") => text.parse::<i64>().map(Value::from).map_err(|_| {
                wrong(if shape.format.as_deref() == Some("uint32") { "TYPE_UINT32" } else { "TYPE_INT32" })
            }),
            Some("boolean") => match text {
                "true" | "1" => Ok(Value::Bool(true)),
                "false" | "0" => Ok(Value::Bool(false)),
                _ => Err(wrong("TYPE_BOOL")),
            },
            _ => {
                let known = shape.words.as_ref().is_none_or(|words| words.iter().any(|word| word == text));
                if known { Ok(text.into()) } else { Err(wrong("TYPE_ENUM")) }
            }
        }
    }

    /// The body of a request, held against its shape.
    pub fn body(
        &self,
        route: &Route<'_>,
        content_type: &str,
        bytes: &[u8],
    ) -> Result<Map<String, Value>, Refusal> {
        let Some(shape) = &route.found.operation.body else { return Ok(Map::new()) };
        if bytes.is_empty() {
            return self.checked(route, shape, Value::Object(Map::new()));
        }
        if !content_type.starts_with("application/json") {
            return Err(Refusal::bad(format!(
                "Content-Type {content_type} is not supported: application/json is expected."
            )));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            Refusal::new(400, "parseError", format!("Invalid JSON payload received. {error}"))
        })?;
        self.checked(route, shape, value)
    }

    fn checked(
        &self,
        route: &Route<'_>,
        shape: &Shape,
        mut value: Value,
    ) -> Result<Map<String, Value>, Refusal> {
        self.numbers.rewrite(route.service, route.api, shape, &mut value, Into::Names);
        let wrongs = route.api.check(shape, &value, Direction::Request);
        if let Some(refusal) = refusal(&wrongs) {
            return Err(refusal);
        }
        match value {
            Value::Object(body) => Ok(body),
            _ => {
                Err(Refusal::new(400, "parseError", "Invalid JSON payload received. An object is expected."))
            }
        }
    }

    /// What is wrong with an answer of ours; nothing, unless the simulator is.
    pub fn wrongs(operation: &Operation, api: &Api, answer: &Value) -> Vec<Wrong> {
        operation
            .response
            .as_ref()
            .map(|shape| api.check(shape, answer, Direction::Answer))
            .unwrap_or_default()
    }
}

fn unknown_query(name: &str, what: &str) -> Refusal {
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\": {what}");
    Refusal { violations: vec![(String::new(), message.clone())], ..Refusal::new(400, "invalid", message) }
}

/// Google's words for what is wrong with a body: all of it at once.
fn refusal(wrongs: &[Wrong]) -> Option<Refusal> {
    let told: Vec<(String, String)> = wrongs.iter().map(|wrong| (wrong.at.clone(), told(wrong))).collect();
    let reason = match wrongs.first()?.what {
        What::Missing => "required",
        What::Unknown => "badRequest",
        _ => "invalid",
    };
    let message = told.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    Some(Refusal { violations: told, ..Refusal::new(400, reason, message) })
}

fn told(wrong: &Wrong) -> String {
    let at = &wrong.at;
    match &wrong.what {
        What::Unknown => {
            let parent = at.strip_suffix(&wrong.member).unwrap_or_default().trim_end_matches('.');
            let place = if parent.is_empty() { String::new() } else { format!(" at '{parent}'") };
            format!(
                "Invalid JSON payload received. Unknown name \"{}\"{place}: Cannot find field.",
                wrong.member
            )
        }
        What::Missing => format!("Required field 'resource.{at}' not specified"),
        What::Type(kind) => format!("Invalid value at '{at}' (TYPE_{})", kind.to_uppercase()),
        What::Word(word) => format!("Invalid value at '{at}' (TYPE_ENUM), \"{word}\""),
    }
}

/// The handler of an operation: `compute.instances.insert`, `monitoring.projects.timeSeries.list`.
pub fn handler(operation: &str) -> Option<Handler> {
    let parts: Vec<&str> = operation.split('.').collect();
    let (service, noun, verb) = match *parts {
        [service, "objects", "insert", "upload"] => (service, "objects", "upload"),
        [service, .., noun, verb] => (service, noun, verb),
        _ => return None,
    };
    match service {
        "compute" => super::compute::handler(noun, verb),
        "sql" => super::sql::handler(noun, verb),
        "storage" => super::storage::handler(noun, verb),
        "monitoring" => super::monitoring::handler(noun, verb),
        "cloudbilling" => super::billing::handler(noun, verb),
        "dns" => super::dns::handler(noun, verb),
        "cloudresourcemanager" => super::project::handler(noun, verb),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_schemas_has_a_handler() {
        let schemas = Schemas::load().unwrap();
        let without: Vec<&str> = schemas.operations().filter(|name| handler(name).is_none()).collect();
        assert_eq!(without, Vec::<&str>::new());
    }

    #[test]
    fn what_google_does_not_know_is_refused_with_its_place() {
        let schemas = Schemas::load().unwrap();
        let route = schemas.route(&Method::POST, "/compute/v1/projects/p/zones/z/instances").unwrap();
        let body = br#"{"name": "a", "nam": 1, "disks": [{"boot": "yes", "x": 2}]}"#;
        let refusal = schemas.body(&route, "application/json", body).unwrap_err();
        assert!(refusal.message.contains("Unknown name \"nam\": Cannot find field."), "{}", refusal.message);
        assert!(refusal.message.contains("Unknown name \"x\" at 'disks[0]'"), "{}", refusal.message);
        assert!(
            refusal.message.contains("Invalid value at 'disks[0].boot' (TYPE_BOOLEAN)"),
            "{}",
            refusal.message
        );
        let refusal = schemas.body(&route, "application/json", b"{}").unwrap_err();
        assert_eq!((refusal.reason, refusal.code), ("required", 400));
        let pairs = |text: &str| form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>();
        assert!(schemas.query(&route, pairs("requestid=1")).is_err());
        assert!(schemas.query(&route, pairs("requestId=&$alt=json&fields=name")).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_simulated_is_said_so() {
        let schemas = Schemas::load().unwrap();
        let code = |method: Method, path: &str| schemas.route(&method, path).unwrap_err().code;
        assert_eq!(code(Method::GET, "/compute/v1/projects/p/global/urlMaps"), 501);
        assert_eq!(code(Method::PATCH, "/compute/v1/projects/p/zones/z/instances/i"), 501);
        assert_eq!(code(Method::GET, "/elsewhere"), 404);
    }
}
