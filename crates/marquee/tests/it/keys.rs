//! A server whose key is lost or another does not start: it would keep credentials that nobody can open.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    time::Duration,
};

use marquee_db::testing::TestDb;
use marquee_types::Clock;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

use crate::process::Server;

const OTHER_KEY: &str = "HxweHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=";

/// Starts it once more, in the expectation that it refuses; what it says.
async fn refusal(command: Command) -> String {
    let refused = tokio::time::timeout(Duration::from_secs(30), serve(command).wait_with_output());
    let output = refused.await.expect("it started").unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn with(server: &Server, name: &str, value: &OsStr) -> Command {
    let mut command = server.command();
    command.env(name, value);
    command
}

fn serve(mut command: Command) -> Child {
    command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap()
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

    let said = refusal(with(&server, "MARQUEE_ENCRYPTION_KEY", OTHER_KEY.as_ref())).await;
    assert!(said.contains("is not among those given"), "{said}");
    let folder = server.folder.path().join("data");
    let said = refusal(with(&server, "MARQUEE_DATA_DIR", folder.as_ref())).await;
    assert!(said.contains("encryption.key is missing") && said.contains("backup"), "{said}");
    assert!(!folder.join("keys/encryption.key").exists(), "a new key would hide that the old is lost");
    let mut command = with(&server, "MARQUEE_ENCRYPTION_KEY", OTHER_KEY.as_ref());
    command.env("MARQUEE_ACCEPT_LOST_KEYS", "true");
    let mut accepting = serve(command);
    let mut log = BufReader::new(accepting.stderr.take().unwrap()).lines();
    let mut warned = false;
    while let Some(line) = log.next_line().await.unwrap() {
        warned = line.contains("sealed with a lost key");
        if warned {
            break;
        }
    }
    accepting.kill().await.unwrap();
    assert!(warned, "it said nothing of the lost key");
    server.restart().await;
}
