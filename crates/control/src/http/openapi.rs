//! The OpenAPI 3.1 document, made from the endpoint ledger and nothing else.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, schema::Schema};

use super::{
    decode::OnConflict,
    endpoint::{Access, Endpoint, NamedSchema},
};

/// The document of these rows. Deterministic: the same rows give the same bytes.
pub fn document(rows: &[Endpoint]) -> Value {
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    collect(&mut schemas, "Problem", &<marquee_types::Problem as utoipa::PartialSchema>::schema());
    let mut problem_parts = Vec::new();
    <marquee_types::Problem as utoipa::ToSchema>::schemas(&mut problem_parts);
    for (name, schema) in &problem_parts {
        collect(&mut schemas, name, schema);
    }
    for row in rows {
        for (name, schema) in &row.shapes.referenced {
            collect(&mut schemas, name, schema);
        }
        for named in [&row.shapes.request, &row.shapes.response].into_iter().flatten() {
            collect(&mut schemas, &named.name, &named.schema);
        }
        paths.entry(row.path).or_default().insert(row.method.as_str().to_lowercase(), operation(row));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Marquee",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A self-hosted control plane for businesses that run on several clouds and whose load has a calendar.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "tags": tags(rows),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A session token of `POST /api/auth/login`, or an API key (`mq_…`)."
                }
            }
        }
    })
}

fn collect(schemas: &mut BTreeMap<String, Value>, name: &str, schema: &RefOr<Schema>) {
    schemas.entry(name.to_owned()).or_insert_with(|| json!(schema));
}

fn tags(rows: &[Endpoint]) -> Vec<Value> {
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row.id.split('.').next()).collect();
    names.dedup();
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(*name)).map(|name| json!({ "name": name })).collect()
}

fn operation(row: &Endpoint) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".into(), json!(row.id));
    operation.insert("summary".into(), json!(row.summary));
    operation.insert("tags".into(), json!([row.id.split('.').next()]));
    let (security, access) = match row.access {
        Access::Needs(permission) => {
            (json!([{ "bearer": [] }]), json!({ "permission": permission.as_str() }))
        }
        Access::AnyActor(why) => (json!([{ "bearer": [] }]), json!({ "any_actor": why })),
        Access::Public(why) => (json!([]), json!({ "public": why })),
    };
    operation.insert("security".into(), security);
    operation.insert("x-marquee-access".into(), access);
    operation.insert("x-marquee-rate-class".into(), json!(row.rate.as_str()));
    let parameters = parameters(row);
    if !parameters.is_empty() {
        operation.insert("parameters".into(), json!(parameters));
    }
    if let Some(body) = &row.shapes.request {
        let mut content = json!({ "schema": reference(body) });
        if let Some(example) = row.example {
            content["example"] = example();
        }
        operation.insert(
            "requestBody".into(),
            json!({ "required": true, "content": { "application/json": content } }),
        );
    }
    operation.insert("responses".into(), responses(row));
    Value::Object(operation)
}

fn parameters(row: &Endpoint) -> Vec<Value> {
    let mut parameters: Vec<Value> = row
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(row.shapes.query.iter().map(|parameter| json!(parameter)));
    let header = |name: &str, description: &str| {
        json!({ "name": name, "in": "header", "required": false, "description": description,
                "schema": { "type": "string" } })
    };
    if row.validates {
        parameters.push(json!({ "name": "validate_only", "in": "query", "required": false,
            "description": "Say what would happen and change nothing.", "schema": { "type": "boolean" } }));
    }
    if row.waits {
        parameters.push(json!({ "name": "on_conflict", "in": "query", "required": false,
            "description": "While another operation has the thing in hand: refuse (409), or wait and come next.",
            "schema": { "type": "string", "enum": OnConflict::WORDS, "default": "refuse" } }));
    }
    if row.idempotent {
        parameters.push(header(
            "Idempotency-Key",
            "Makes a repetition answer what the first request answered; kept 24 h.",
        ));
    }
    if row.conditional {
        parameters
            .push(header("If-Match", "The `ETag` the change is based on; 412 if it is no longer current."));
    }
    parameters
}

fn responses(row: &Endpoint) -> Value {
    let mut responses = Map::new();
    let description = row.success.canonical_reason().unwrap_or("Success");
    let success = match &row.shapes.response {
        Some(body) => json!({ "description": description,
            "content": { "application/json": { "schema": reference(body) } } }),
        None => json!({ "description": description }),
    };
    responses.insert(row.success.as_str().to_owned(), success);
    let problem = |description: &str| {
        json!({ "description": description, "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" } } } })
    };
    let mut add = |status: &str, description: &str| {
        responses.insert(status.to_owned(), problem(description));
    };
    add("400", "The request cannot be read");
    let public = matches!(row.access, Access::Public(_));
    add("401", if public { "The credentials are wrong" } else { "Nobody we know" });
    if matches!(row.access, Access::Needs(_)) {
        add("403", "Not permitted");
    }
    if row.path.contains('{') {
        add("404", "Not found, or not to be seen by this caller");
    }
    if row.audit.is_some() {
        add("408", "The request took too long to arrive");
        add("409", "Conflict");
        add("413", "The body is over the limit");
        add("415", "The body is not JSON");
    }
    if row.conditional {
        add("412", "`If-Match` names an old version");
    }
    add("422", "The request is not valid");
    add("429", "Too many requests");
    add("500", "A defect of Marquee");
    if row.rate == super::endpoint::RateClass::Cloud {
        add("502", "The cloud failed");
        add("504", "The cloud did not answer in time");
    }
    add("503", "Something Marquee stands on is away");
    Value::Object(responses)
}

fn reference(named: &NamedSchema) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", named.name) })
}
