//! Refusals of Entra, with the numbers that its clients and their people know.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::json;

use crate::{face::Reply, world::World};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    status: StatusCode,
    error: &'static str,
    number: u32,
    message: String,
    retry_after: Option<u64>,
}

impl Denied {
    fn new(status: StatusCode, error: &'static str, number: u32, message: String) -> Self {
        Self { status, error, number, message, retry_after: None }
    }

    fn request(number: u32, message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", number, message)
    }

    fn client(number: u32, message: String) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", number, message)
    }

    /// The number: `AADSTS7000215` is 7000215.
    #[cfg(test)]
    pub fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn missing(name: &str) -> Self {
        let message = format!("The request body must contain the following parameter: '{name}'.");
        Self::request(900_144, message)
    }

    pub(super) fn tenant(asked: &str) -> Self {
        Self::request(
            90_002,
            format!(
                "Tenant '{asked}' not found. Check to make sure you have the correct tenant ID and are signing into the \
                 correct cloud. Check with your subscription administrator, this may happen if there are no active \
                 subscriptions for the tenant."
            ),
        )
    }

    pub(super) fn application(client: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{client}' was not found in the directory. This can happen if the \
                 application has not been installed by the administrator of the tenant or consented to by any user in \
                 the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        )
    }

    pub(super) fn grant(grant: &str) -> Self {
        let message = format!("The app requested an unsupported grant type '{grant}'.");
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", 70_003, message)
    }

    pub(super) fn scope(scope: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
                 /.default suffixed to the resource identifier (application ID URI)."
            ),
        )
    }

    pub(super) fn resource(resource: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
            ),
        )
    }

    pub(super) fn no_credential() -> Self {
        let message =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        Self::client(7_000_218, message.to_owned())
    }

    pub(super) fn secret(client: &str) -> Self {
        Self::client(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
                 not the client secret ID, for a secret added to app '{client}'."
            ),
        )
    }

    pub(super) fn secret_expired(client: &str) -> Self {
        Self::client(
            7_000_222,
            format!(
                "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new \
                 keys for your app."
            ),
        )
    }

    pub(super) fn assertion(why: &str) -> Self {
        Self::client(50_027, format!("JWT token is invalid or malformed. {why}"))
    }

    pub(super) fn signature(why: &str) -> Self {
        let message = format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {why}.]"
        );
        Self::client(700_027, message)
    }

    pub(super) fn assertion_time() -> Self {
        Self::client(
            700_024,
            "Client assertion is not within its valid time range. Please review the documentation at \
             https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."
                .to_owned(),
        )
    }

    pub(super) fn audience(audience: &str) -> Self {
        let message = format!(
            "Client assertion audience claim does not match Realm issuer. Review the documentation. [Audience: {audience}]"
        );
        Self::client(700_023, message)
    }

    pub(super) fn issuer(issuer: &str) -> Self {
        let message =
            format!("No matching federated identity record found for presented assertion issuer '{issuer}'.");
        Self::client(700_211, message)
    }

    pub(super) fn federated_audience(audience: &str) -> Self {
        let message = format!(
            "No matching federated identity record found for presented assertion audience '{audience}'."
        );
        Self::client(700_212, message)
    }

    pub(super) fn subject(subject: &str) -> Self {
        let message = format!(
            "No matching federated identity record found for presented assertion subject '{subject}'."
        );
        Self::client(700_213, message)
    }

    pub(super) fn throttled(retry_after: Option<u64>) -> Self {
        let message = "Too many requests. Please retry later.".to_owned();
        let denied = Self::new(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", 90_055, message);
        Self { retry_after, ..denied }
    }

    pub(super) fn failing(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = "A transient error has occurred. Please try again.".to_owned();
        Self::new(status, "temporarily_unavailable", 90_033, message)
    }

    pub(super) fn server(why: String) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", 90_000, why)
    }

    /// As an answer.
    pub fn reply(&self, world: &World, now: DateTime<Utc>) -> Reply {
        let nanos = now.timestamp_nanos_opt().unwrap_or_default().to_string();
        let [trace, correlation] =
            ["trace", "correlation"].map(|what| world.seed().uuid(&["azure", what, &nanos]));
        let stamp = now.format("%Y-%m-%d %H:%M:%SZ").to_string();
        let description = format!(
            "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
            self.number, self.message
        );
        let body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.number),
        });
        let reply = Reply::new(self.status).with("application/json; charset=utf-8", body.to_string());
        match self.retry_after {
            Some(seconds) => reply.header("retry-after", &seconds.to_string()),
            None => reply,
        }
    }
}
