//! `marquee providers policy`, and what a person is told before being asked for secrets.

use marquee_cli::{Exit, Terminal};
use serde_json::{Value, json};

use crate::support::{Machine, Reply, Server};

const DOCUMENT: &str = "{\n  \"Version\": \"2012-10-17\"\n}\n";

fn answer() -> Value {
    json!({ "kind": "aws", "form": "IAM policy", "format": "json", "document": DOCUMENT, "file": "marquee-policy.json",
        "commands": ["aws iam create-policy --policy-document file://marquee-policy.json"] })
}

/// A person whose standard output goes to a file.
fn redirected(url: &str) -> Machine {
    let terminal = Terminal { stdin: true, stdout: false, stderr: true, width: Some(100) };
    let mut machine = Machine { terminal, ..Machine::new(url) };
    machine.set("NO_COLOR", "1");
    machine
}

#[tokio::test]
async fn the_document_comes_as_it_is_and_what_to_do_with_it_beside_it() {
    let server = Server::new([Reply::json(&answer())]).await;
    let outcome = redirected(&server.url).run(&["providers", "policy", "aws"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout, DOCUMENT);
    assert_eq!(
        outcome.stderr,
        "\nWritten to marquee-policy.json, it is for:\n  \
         aws iam create-policy --policy-document file://marquee-policy.json\n"
    );
    let server = Server::new([Reply::json(&answer())]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "policy", "aws"]).await.expect(Exit::Ok);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        (DOCUMENT, ""),
        "a script gets the document alone"
    );
}

#[tokio::test]
async fn a_program_gets_the_whole_answer() {
    let server = Server::new([Reply::json(&answer())]).await;
    let arguments = ["providers", "policy", "azure", "--subscription", "s-1", "-o", "json"];
    let outcome = redirected(&server.url).run(&arguments).await.expect(Exit::Ok);
    assert_eq!(serde_json::from_str::<Value>(&outcome.stdout).unwrap(), answer());
    assert_eq!(outcome.stderr, "");
    assert_eq!(server.seen()[0].target, "/api/cloud/kinds/azure/policy?subscription=s-1");
}

#[tokio::test]
async fn a_kind_that_there_is_not_is_told_with_those_there_are() {
    let server = Server::new([]).await;
    for arguments in
        [&["providers", "policy", "awz"][..], &["providers", "add", "--kind", "awz", "--name", "p"]]
    {
        let outcome = Machine::new(&server.url).run(arguments).await.expect(Exit::Usage);
        assert!(outcome.stderr.contains("[possible values: aws, azure"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn whoever_is_asked_for_keys_is_told_how_to_make_good_ones() {
    let add = ["providers", "add", "--kind", "aws", "--name", "p"];
    let asked =
        vec![("Access key id: ", true, "AKIAPLANTED"), ("Secret access key: ", true, "planted-secret")];
    let created = || Reply::json(&json!({ "id": "prv_1" })).status(201);
    let server = Server::new([created(), created(), created()]).await;
    let mut machine = redirected(&server.url);
    machine.answers.clone_from(&asked);
    let outcome = machine.run(&add).await.expect(Exit::Ok);
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", outcome.stderr);
    assert!(lines[0].contains("marquee providers policy aws > marquee-policy.json"), "{}", lines[0]);
    assert!(lines[1].contains("aws iam create-policy"), "{}", lines[1]);
    // A program that reads the answer is told nothing, and neither is one that brings its keys.
    machine.answers = asked;
    let outcome = machine.run(&[&add[..], &["-o", "json"]].concat()).await.expect(Exit::Ok);
    assert_eq!(outcome.stderr, "");
    machine.set("AWS_ACCESS_KEY_ID", "AKIAPLANTED");
    machine.set("AWS_SECRET_ACCESS_KEY", "planted-secret");
    let outcome = machine.run(&add).await.expect(Exit::Ok);
    assert!(!outcome.stderr.contains("policy"), "{}", outcome.stderr);
}
