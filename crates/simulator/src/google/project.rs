//! Resource Manager: the caller's project, and what the caller may do in it.

use serde_json::{Value, json};

use super::{
    call::{
        Answer, Call,
        Handler::{self, Read},
        Outcome, fingerprint, zulu,
    },
    filter::Filter,
    refusal::Refusal,
};
use crate::{estate::Estate, face::FaceName, world::World};

/// Services whose permissions the owner of a project has here.
const SERVICES: &[&str] =
    &["compute", "cloudsql", "storage", "monitoring", "billing", "dns", "resourcemanager"];

/// Who answers an operation of Resource Manager.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("projects", "get") => Read(get),
        ("projects", "search") => Read(search),
        ("projects", "testIamPermissions") => Read(test_permissions),
        _ => return None,
    })
}

/// The number of the project of a call.
pub fn number(call: &Call<'_>) -> String {
    number_of(call.world, call.project())
}

/// The number of a project.
pub fn number_of(world: &World, project: &str) -> String {
    (world.seed().number(&["project", project]) % 900_000_000_000 + 100_000_000_000).to_string()
}

/// What is said to a caller who asks for a project that is not theirs, in the words of the service.
pub fn refused(world: &World, operation: &str, project: &str) -> Refusal {
    let known = world.plan.account(FaceName::Google, project).is_some();
    match operation.split('.').next().unwrap_or_default() {
        "compute" if known => Refusal::new(
            403,
            "forbidden",
            format!("Required '{operation}' permission for 'projects/{project}'"),
        ),
        "compute" => {
            Refusal::new(404, "notFound", format!("The resource 'projects/{project}' was not found"))
        }
        "sql" => Refusal::new(403, "notAuthorized", "The client is not authorized to make this request."),
        "storage" => Refusal::new(
            403,
            "forbidden",
            format!("The caller does not have access to the project {project}."),
        ),
        _ => Refusal::new(403, "forbidden", "The caller does not have permission"),
    }
}

fn shown(call: &Call<'_>) -> Value {
    json!({
        "name": format!("projects/{}", number(call)),
        "projectId": call.project(),
        "displayName": call.account.name,
        "parent": format!("organizations/{}", call.seed().number(&["organization"]) % 900_000_000_000 + 100_000_000_000),
        "state": "ACTIVE",
        "createTime": zulu(call.world.began()),
        "updateTime": zulu(call.world.began()),
        "etag": fingerprint(&["project", call.project()]),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "a handler as all are")]
fn get(call: &Call<'_>, _estate: &Estate) -> Outcome {
    Ok(Answer::Json(shown(call)))
}

/// `projects.search`: the one project that the caller sees, if it fits.
fn search(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let (project, text) = (shown(call), call.asked("query"));
    if !call.asked("pageToken").is_empty() {
        return Err(super::list::bad_token());
    }
    let fits = if text.is_empty() {
        true
    } else {
        let filter = Filter::read(text).map_err(Refusal::bad)?;
        let mut known = project.clone();
        // The query knows names of its own for what the project says.
        known["id"] = project["projectId"].clone();
        known["name"] = project["displayName"].clone();
        filter.passes(&known)
    };
    Ok(Answer::Json(if fits { json!({ "projects": [project] }) } else { json!({}) }))
}

/// `projects.testIamPermissions`: an owner has every permission of the services that there are, but for what a
/// fault denies.
fn test_permissions(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let mut granted = Vec::new();
    for permission in call.body.get("permissions").and_then(Value::as_array).into_iter().flatten() {
        let text = permission.as_str().unwrap_or_default();
        let parts: Vec<&str> = text.split('.').collect();
        if text.contains('*') || parts.len() < 3 || parts.iter().any(|part| part.is_empty()) {
            let message = format!("Permission {text} is not valid for this resource.");
            return Err(Refusal::bad(message));
        }
        let denied = call.world.faults.denies(FaceName::Google, &call.account.id, text, call.now);
        if SERVICES.contains(&parts[0]) && !denied {
            granted.push(text);
        }
    }
    Ok(Answer::Json(if granted.is_empty() { json!({}) } else { json!({ "permissions": granted }) }))
}
