//! What Google calls its work: operations of Compute Engine and of Cloud SQL, changes of Cloud DNS. A ticket holds the name
//! of one, and each look asks how far it is.

use marquee_clouds::{CloudError, ErrorKind, Progress, Ticket, Token, layers::Tally};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{calls, text, token::request_id};
use crate::{
    api::{Call, Sent},
    cloud::Google,
    error::{CLOUD, kind_of},
};

/// What a ticket holds, in this adapter's shape.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    /// What works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// The token, for a change that takes several calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// Whether the work was there before, and may be someone else's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopted: bool,
    /// Whether what is made was seen already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub seen: bool,
    /// The token that a clone has of its original, until it has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<String>,
    /// The template of a group that is deleted with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A piece of work that Google has a name for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// An operation of Compute Engine.
    Compute {
        /// Its path below the project: `zones/z/operations/o`.
        path: String,
        /// The number of what it works on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    },
    /// An operation of Cloud SQL.
    Sql {
        /// Its name.
        name: String,
    },
    /// A change of a zone's records.
    Dns {
        /// The zone.
        zone: String,
        /// The change's number.
        id: String,
    },
}

impl Handle {
    /// A handle of work.
    pub fn of(work: Option<Work>) -> Self {
        Self { work, ..Self::default() }
    }

    /// Reads what a ticket holds; what is not of our own making is refused.
    pub fn read(value: &Value) -> Result<Self, CloudError> {
        let wrong = || {
            CloudError::new(CLOUD, "changes:Look", ErrorKind::Invalid, "the ticket is not of Google Cloud's")
        };
        if value.is_null() {
            return Ok(Self::default());
        }
        let handle: Self = Self::deserialize(value).map_err(|_| wrong())?;
        let fits = match &handle.work {
            None => true,
            Some(Work::Compute { path, .. }) => is_path(path),
            Some(Work::Sql { name }) => is_name(name),
            Some(Work::Dns { zone, id }) => is_name(zone) && is_name(id),
        };
        if fits { Ok(handle) } else { Err(wrong()) }
    }

    /// A ticket with it.
    pub fn ticket(&self, native_id: impl Into<String>) -> Ticket {
        Ticket::with(Some(native_id.into()), json!(self))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// `zones/z/operations/o`, `regions/r/operations/o`, `global/operations/o`.
fn is_path(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["zones" | "regions", place, "operations", name] => is_name(place) && is_name(name),
        ["global", "operations", name] => is_name(name),
        _ => false,
    }
}

/// The methods by which the operations of a place are asked for.
fn operations_of(path: &str) -> (&'static Call, &'static Call) {
    match path.split('/').next() {
        Some("zones") => (&calls::GET_ZONE_OPERATION, &calls::LIST_ZONE_OPERATIONS),
        Some("regions") => (&calls::GET_REGION_OPERATION, &calls::LIST_REGION_OPERATIONS),
        _ => (&calls::GET_GLOBAL_OPERATION, &calls::LIST_GLOBAL_OPERATIONS),
    }
}

impl Google {
    /// Makes a call of Compute Engine under a token, and gives the operation that it began, now or when it was made before.
    pub(super) async fn compute(
        &self,
        (call, method): (&Call, Method),
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        token: &Token,
    ) -> Result<Work, CloudError> {
        // What the query says belongs to the request as much as its body.
        let whole = format!("{path}?{query:?}");
        let id = request_id(token, call.method, &whole, body);
        let query: Vec<_> = query.iter().copied().chain([("requestId", id.as_str())]).collect();
        let sent = Sent { method, id: path, query: &query, body };
        let operation = self.client.change(call, sent).await?;
        self.compute_work(call, &operation)
    }

    /// The operation that a call with this token and body began, if Google still knows it. `place` is `zones/z` or `global`.
    pub(super) async fn earlier(
        &self,
        call: &Call,
        place: &str,
        body: Option<&Value>,
        token: &Token,
    ) -> Result<Option<Work>, CloudError> {
        let path = place.split('/').take(2).collect::<Vec<_>>().join("/");
        let path = if path.starts_with("global") { "global" } else { &path };
        let id = request_id(token, call.method, &format!("{place}?[]"), body);
        let list = operations_of(path).1;
        let filter = format!("clientOperationId=\"{id}\"");
        let found = self.client.all_with(list, path, &[("filter", &filter)], &Tally::default()).await?;
        let found = found.iter().find(|operation| operation["clientOperationId"] == *id);
        found.map(|operation| self.compute_work(list, operation)).transpose()
    }

    /// Whether what an operation made was deleted since, by Google's own list of what was done.
    pub(super) async fn was_deleted(&self, path: &str, target: &str) -> Result<bool, CloudError> {
        let place = path.split("/operations/").next().unwrap_or_default();
        let filter = format!("targetId={target}");
        let list = operations_of(path).1;
        let found = self.client.all_with(list, place, &[("filter", &filter)], &Tally::default()).await?;
        Ok(found.iter().any(|other| other["targetId"] == target && other["operationType"] == "delete"))
    }

    /// The work that an operation of Compute Engine is, by its link.
    fn compute_work(&self, call: &Call, operation: &Value) -> Result<Work, CloudError> {
        let link = text(operation, "selfLink");
        let own =
            self.client.endpoint.as_ref().map(url::Url::as_str).unwrap_or_default().trim_end_matches('/');
        let hosts = ["https://www.googleapis.com", "https://compute.googleapis.com", own];
        let rest = hosts.iter().filter(|host| !host.is_empty()).find_map(|host| link.strip_prefix(host));
        let prefix = format!("/compute/v1/projects/{}/", self.client.project);
        let path = rest.and_then(|rest| rest.strip_prefix(&prefix)).filter(|path| is_path(path));
        let path = path.ok_or_else(|| {
            self.client.wrong(call, "the operation's link does not lead to the connection's own project")
        })?;
        let target = operation["targetId"].as_str().filter(|target| is_name(target));
        Ok(Work::Compute { path: path.to_owned(), target: target.map(str::to_owned) })
    }

    /// How far a piece of work is: `None` once it is over and has not failed.
    pub(super) async fn poll(&self, work: &Work) -> Result<Option<Progress>, CloudError> {
        let (call, id) = match work {
            Work::Compute { path, .. } => (operations_of(path).0, path.clone()),
            Work::Sql { name } => (&calls::GET_SQL_OPERATION, format!("operations/{name}")),
            Work::Dns { zone, id } => (&calls::GET_CHANGE, format!("managedZones/{zone}/changes/{id}")),
        };
        // Google forgets operations after some weeks: the thing itself tells then.
        let Some(operation) = self.client.find(call, &id).await? else { return Ok(None) };
        let status = text(&operation, "status");
        if !status.eq_ignore_ascii_case("done") {
            let kind = Some(text(&operation, "operationType")).filter(|kind| !kind.is_empty());
            return Ok(Some(Progress::Working(format!("{}: {status}", kind.unwrap_or("change")))));
        }
        Ok(failure(call, &operation).map(Progress::Failed))
    }
}

/// Why an operation failed, if it did.
fn failure(call: &Call, operation: &Value) -> Option<CloudError> {
    let first = operation["error"]["errors"].as_array()?.first()?;
    let code = text(first, "code");
    let status = operation["httpErrorStatusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let kind = kind_of(&[code], status.unwrap_or(400));
    let message = Some(text(first, "message")).filter(|message| !message.is_empty()).unwrap_or(code);
    let operation = format!("{}:{}", call.api.name, text(operation, "operationType"));
    Some(CloudError::new(CLOUD, operation, kind, message).with_code(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_leads_to_an_operation_and_nowhere_else() {
        let handle = |path: &str| Handle::read(&json!({ "work": { "of": "compute", "path": path } }));
        assert!(handle("zones/europe-west1-b/operations/operation-1").is_ok());
        assert!(handle("global/operations/operation-1").is_ok());
        for wrong in
            ["zones/z/instances/i", "../x/operations/o", "zones/z/operations/o?x=y", "global/operations/"]
        {
            assert!(handle(wrong).is_err(), "{wrong}");
        }
        assert!(Handle::read(&Value::Null).unwrap().work.is_none());
        assert!(Handle::read(&json!({ "other": 1 })).is_err());
    }

    #[test]
    fn a_failed_operation_says_why() {
        let failed = json!({ "status": "DONE", "operationType": "insert", "httpErrorStatusCode": 503,
            "error": { "errors": [{ "code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "none left" }] } });
        let error = failure(&calls::GET_ZONE_OPERATION, &failed).unwrap();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::InsufficientCapacity, "none left"));
        assert!(failure(&calls::GET_ZONE_OPERATION, &json!({ "status": "DONE" })).is_none());
    }
}
