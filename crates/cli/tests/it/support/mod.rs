//! A scripted server and a machine to run commands on.

mod machine;
mod server;

use marquee_cli::Client;

pub use machine::{Machine, Outcome};
pub use server::{Reply, Server};

/// The client for the stand-in document.
pub fn client() -> Client {
    static CLIENT: std::sync::OnceLock<Client> = std::sync::OnceLock::new();
    *CLIENT.get_or_init(|| Client::for_document(include_str!("../../fixtures/openapi.json")).unwrap())
}

/// A problem as the API answers it.
pub fn problem(status: u16, code: &str, detail: &str) -> Reply {
    let body = serde_json::json!({
        "type": format!("/problems/{code}"), "title": format!("Title of {code}"), "status": status,
        "detail": detail, "code": code, "request_id": "req_1"
    });
    Reply::new(status, "application/problem+json", body.to_string())
}
