//! A server whose key is lost or another does not start: it would keep credentials that nobody can open.

use std::process::Command;

use marquee_db::testing::TestDb;
use marquee_types::Clock;
use serde_json::json;

use crate::process::Server;

const OTHER_KEY: &str = "HxweHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=";

/// Starts it once more, in the expectation that it refuses; what it says.
fn refusal(command: &mut Command) -> String {
    let output = command.args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it started: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_credentials_need_is_missed_at_the_start() {
    let database = TestDb::new(Clock::system()).await;
    let mut server = Server::start(&database).await;
    let owner = server.owner().await;
    let provider = json!({
        "name": "production", "kind": "aws", "verify": false,
        "credentials": { "type": "static", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "secret" },
    });
    owner.post("/api/cloud/providers", provider).await.expect(201);
    server.kill();

    let said = refusal(server.command().env("MARQUEE_ENCRYPTION_KEY", OTHER_KEY));
    assert!(said.contains("is not among those given"), "{said}");
    let folder = server.folder.path().join("data");
    let said = refusal(server.command().env("MARQUEE_DATA_DIR", &folder));
    assert!(said.contains("encryption.key is missing") && said.contains("backup"), "{said}");
    assert!(!folder.join("keys/encryption.key").exists(), "a new key would hide that the old is lost");
    server.restart().await;
}
