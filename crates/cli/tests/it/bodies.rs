//! From flags to what is sent.

use marquee_cli::Exit;
use serde_json::json;

use crate::support::{Machine, Reply, Server};

fn provider() -> Reply {
    let body = json!({
        "id": "prv_1", "name": "old", "kind": "aws", "created_at": "2026-01-01T00:00:00Z",
        "settings": {"regions": ["eu-west-1"], "endpoint_url": "http://127.0.0.1:5000"},
        "credentials": {"type": "static", "access_key_id": "AKIA…WXYZ"}
    });
    Reply::json(&body).header("etag", "\"7\"")
}

#[tokio::test]
async fn nested_places_lists_and_maps_have_flags() {
    let server = Server::new([Reply::json(&json!({"id": "prv_1"})).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    machine.stdin =
        b"[default]\naws_access_key_id = AKIAPLANTED\naws_secret_access_key = planted/secret=\n".to_vec();
    let arguments = [
        "providers",
        "add",
        "--kind",
        "aws",
        "--name",
        "production",
        "--region",
        "eu-west-1",
        "--region",
        "us-east-1",
        "--endpoint-url",
        "http://127.0.0.1:5000",
        "--settings.labels",
        "team=a=b",
        "--verify=false",
        "--priority",
        "3",
        "--credentials-file",
        "-",
        "--validate-only",
    ];
    machine.run(&arguments).await.expect(Exit::Ok);
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/api/cloud/providers?validate_only=true")
    );
    let expected = json!({
        "name": "production", "kind": "aws", "verify": false, "priority": 3,
        "credentials": {"type": "static", "access_key_id": "AKIAPLANTED", "secret_access_key": "planted/secret="},
        "settings": {"regions": ["eu-west-1", "us-east-1"], "endpoint_url": "http://127.0.0.1:5000",
                     "labels": {"team": "a=b"}}
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn a_role_takes_the_keys_of_the_environment_as_its_source() {
    let server = Server::new([Reply::json(&json!({"id": "prv_1"})).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    machine.set("AWS_ACCESS_KEY_ID", "AKIAPLANTED");
    machine.set("AWS_SECRET_ACCESS_KEY", "planted-secret");
    let role = "arn:aws:iam::123456789012:role/marquee";
    let arguments =
        ["providers", "add", "--kind", "aws", "--name", "p", "--role-arn", role, "--credentials-env"];
    machine.run(&arguments).await.expect(Exit::Ok);
    let source =
        json!({"type": "static", "access_key_id": "AKIAPLANTED", "secret_access_key": "planted-secret"});
    let expected = json!({"type": "assume_role", "role_arn": role, "source": source});
    assert_eq!(server.seen()[0].body["credentials"], expected);
}

#[tokio::test]
async fn the_form_without_keys_needs_none() {
    let server = Server::new([Reply::json(&json!({"id": "prv_1"})).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    let arguments = ["providers", "add", "--kind", "aws", "--name", "p", "--credentials-type", "ambient"];
    machine.run(&arguments).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].body["credentials"], json!({"type": "ambient"}));
}

#[tokio::test]
async fn a_replacement_starts_from_what_is_there_and_names_its_version() {
    let server = Server::new([provider(), provider()]).await;
    let mut machine = Machine::new(&server.url);
    machine.set("AWS_ACCESS_KEY_ID", "AKIAPLANTED");
    machine.set("AWS_SECRET_ACCESS_KEY", "planted-secret");
    let arguments = ["providers", "update", "prv_1", "--name", "new", "--clear", "endpoint-url"];
    machine.run(&arguments).await.expect(Exit::Ok);
    let seen = &server.seen()[1];
    assert_eq!((seen.method.as_str(), seen.header("if-match")), ("PUT", Some("\"7\"")));
    // No id, no times, and above all no credentials that nobody asked to change.
    assert_eq!(seen.body, json!({"name": "new", "kind": "aws", "settings": {"regions": ["eu-west-1"]}}));
}

#[tokio::test]
async fn a_version_of_ones_own_is_sent_as_it_is() {
    let server = Server::new([provider(), provider()]).await;
    let mut machine = Machine::new(&server.url);
    let arguments = ["providers", "update", "prv_1", "--name", "new", "--if-match", "\"3\""];
    machine.run(&arguments).await.expect(Exit::Ok);
    assert_eq!(server.seen()[1].header("if-match"), Some("\"3\""));
}

#[tokio::test]
async fn a_change_in_part_sends_that_part() {
    let server = Server::new([Reply::json(&json!({"id": "web_1"}))]).await;
    let mut machine = Machine::new(&server.url);
    let url = "https://example.com/hook";
    let arguments = [
        "webhooks",
        "update",
        "web_1",
        "--webhook-url",
        url,
        "--weight",
        "1.5",
        "--enabled",
        "--clear",
        "note",
    ];
    machine.run(&arguments).await.expect(Exit::Ok);
    let expected = json!({"url": url, "weight": 1.5, "enabled": true, "note": null});
    assert_eq!((server.seen()[0].method.as_str(), &server.seen()[0].body), ("PATCH", &expected));
}

#[tokio::test]
async fn a_whole_body_comes_from_a_file_and_flags_change_it() {
    let server = Server::new([Reply::json(&json!({"id": "key_1"})).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    let file = machine.file("key.json", r#"{"name": "a", "scopes": ["x"]}"#);
    let arguments = ["api-keys", "create", "--body", &file, "--name", "b", "--expires-at", "+90d"];
    machine.run(&arguments).await.expect(Exit::Ok);
    let expected = json!({"name": "b", "scopes": ["x"], "expires_at": "2026-09-18T18:00:00Z"});
    assert_eq!(server.seen()[0].body, expected);
}

#[tokio::test]
async fn what_is_wrong_with_the_flags_is_told_before_anything_is_sent() {
    let server = Server::new([]).await;
    let mut machine = Machine::new(&server.url);
    let table: [(&[&str], &str); 7] = [
        (&["providers", "add", "--kind", "aws"], "--name"),
        (&["providers", "add", "--kind", "oracle", "--name", "p"], "[possible values: aws, azure]"),
        (&["providers", "lst"], "'list'"),
        (&["providers", "list", "--limit", "none"], "--limit"),
        (&["api-keys", "create", "--body", "/nowhere/at/all"], "cannot read /nowhere/at/all"),
        (&["webhooks", "create", "--webhook-url", "https://x", "--steps", "{"], "--steps: not valid JSON"),
        (
            &["providers", "add", "--kind", "aws", "--name", "p", "--settings.labels", "x"],
            "takes KEY=VALUE, not `x`",
        ),
    ];
    for (arguments, expected) in table {
        let outcome = machine.run(arguments).await.expect(Exit::Usage);
        assert!(outcome.stderr.contains(expected), "{arguments:?}: {}", outcome.stderr);
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_removal_asks_the_person_and_takes_no_for_an_answer() {
    let question =
        "remove the provider “old” (prv_1)? Its resources leave the inventory; their history stays. [y/N] ";
    let server = Server::new([provider()]).await;
    let mut machine = Machine::with_terminal(&server.url);
    machine.answers = vec![(question, false, "")];
    let outcome = machine.run(&["providers", "remove", "prv_1"]).await.expect(Exit::Failure);
    assert_eq!(outcome.stderr, "error: nothing was changed\n");
    assert_eq!(server.seen().len(), 1);

    let server = Server::new([provider(), Reply::no_content()]).await;
    let mut machine = Machine::with_terminal(&server.url);
    machine.answers = vec![(question, false, "y")];
    let outcome = machine.run(&["providers", "remove", "prv_1"]).await.expect(Exit::Ok);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", "done\n"));
    assert_eq!(
        (server.seen()[1].method.as_str(), server.seen()[1].header("if-match")),
        ("DELETE", Some("\"7\""))
    );
}

#[tokio::test]
async fn an_id_cannot_become_another_path() {
    let server = Server::new([Reply::json(&json!({"id": "x"}))]).await;
    Machine::new(&server.url).run(&["providers", "show", "prv_../../members?x=1"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].target, "/api/cloud/providers/prv_..%2F..%2Fmembers%3Fx%3D1");
}

#[tokio::test]
async fn a_certificate_comes_from_a_file_or_as_it_is() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n";
    let common = ["providers", "add", "--kind", "aws", "--name", "p", "--credentials-type", "ambient"];
    let server =
        Server::new([Reply::json(&json!({"id": "prv_1"})), Reply::json(&json!({"id": "prv_1"}))]).await;
    let mut machine = Machine::new(&server.url);
    let file = format!("@{}", machine.file("authority.pem", pem));
    for given in [file.as_str(), pem] {
        machine.run(&[&common[..], &["--provider-ca-certificate", given]].concat()).await.expect(Exit::Ok);
    }
    assert!(server.seen().iter().all(|seen| seen.body["settings"]["ca_certificate"] == pem));
    let refused =
        machine.run(&[&common[..], &["--provider-ca-certificate", "--verify=false"]].concat()).await;
    assert!(refused.expect(Exit::Usage).stderr.contains("@FILE"), "the next flag is no certificate");
    let refused = machine.run(&[&common[..], &["--provider-ca-certificate", "@/nowhere.pem"]].concat()).await;
    assert!(refused.expect(Exit::Usage).stderr.contains("cannot read /nowhere.pem"));
}
