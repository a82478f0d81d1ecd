//! RFC 9457 problem details: how every refusal of the API looks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every answer that is not a success, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI reference naming the kind of problem: `/problems/` and the code.
    #[serde(rename = "type")]
    pub type_: String,
    /// The kind of problem in a few words, always the same for one code.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// The stable, documented name of the kind of problem.
    pub code: String,
    /// Finds this request in the logs.
    pub request_id: String,
    /// For invalid input: each place that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// When a cloud failed: what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudProblem>,
}

/// One wrong place in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body (`/settings/regions/0`), or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

impl FieldError {
    /// A wrong place in the body; `pointer` is a JSON pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// What a cloud answered when it failed us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CloudProblem {
    /// Which vendor: `aws`, `azure`, …
    pub cloud: String,
    /// The vendor's call, e.g. `ec2:DescribeInstances`.
    pub operation: String,
    /// Normalised kind, e.g. `unauthenticated`, `permission_denied`, `throttled`.
    pub kind: String,
    /// The vendor's own error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The region asked, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The vendor's id of the failed request, for its support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whether the same request may succeed later.
    pub retry_helps: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_apply_is_left_out() {
        let mut problem = Problem {
            type_: "/problems/invalid".to_owned(),
            title: "The request is not valid".to_owned(),
            status: 422,
            detail: "see `errors`".to_owned(),
            code: "invalid".to_owned(),
            request_id: "req_1".to_owned(),
            errors: Vec::new(),
            cloud: None,
        };
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["type"], "/problems/invalid");
        assert!(json.get("errors").is_none() && json.get("cloud").is_none());

        problem.errors.push(FieldError::new("/name", "is missing"));
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["errors"], serde_json::json!([{ "pointer": "/name", "detail": "is missing" }]));
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }
}
