//! Secrets come in without being seen, and never come out.

use marquee_cli::{Client, Exit};
use serde_json::{Value, json};

use crate::support::{Machine, Outcome, Reply, Server, client, problem};

const ADD: [&str; 6] = ["providers", "add", "--kind", "aws", "--name", "p"];

fn assert_silent(outcome: &Outcome, secrets: &[&str]) {
    for secret in secrets {
        let debug = format!("{outcome:?}");
        assert!(!debug.contains(secret), "{secret} was shown: {debug}");
    }
}

#[tokio::test]
async fn keys_of_the_environment_are_named_but_not_shown() {
    let secrets = ["AKIAPLANTED0", "planted-secret-1", "planted-session-2", "planted-token-1f9c"];
    let answers = [
        Reply::json(&json!({"id": "prv_1", "name": "p"})).status(201),
        problem(422, "invalid", "no"),
        problem(503, "unavailable", "no"),
        Reply::new(502, "text/html", "<title>Bad gateway</title>"),
    ];
    for answer in answers {
        let server = Server::new([answer]).await;
        let mut machine = Machine::new(&server.url);
        machine.set("AWS_ACCESS_KEY_ID", secrets[0]);
        machine.set("AWS_SECRET_ACCESS_KEY", secrets[1]);
        machine.set("AWS_SESSION_TOKEN", secrets[2]);
        let outcome = machine.run(&[&ADD[..], &["--verbose"]].concat()).await;
        assert!(
            outcome.stderr.starts_with(
                "using the credentials of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN\n"
            ),
            "{}",
            outcome.stderr
        );
        assert_silent(&outcome, &secrets);
        assert_eq!(server.seen()[0].body["credentials"]["secret_access_key"], secrets[1]);
        assert_eq!(server.seen()[0].body["credentials"]["session_token"], secrets[2]);
    }
}

#[tokio::test]
async fn a_person_is_asked_without_an_echo() {
    let server = Server::new([Reply::json(&json!({"id": "prv_1"})).status(201)]).await;
    let mut machine = Machine::with_terminal(&server.url);
    machine.answers =
        vec![("Access key id: ", true, "AKIAPLANTED"), ("Secret access key: ", true, "planted-secret")];
    let outcome = machine.run(&ADD).await.expect(Exit::Ok);
    assert_silent(&outcome, &["AKIAPLANTED", "planted-secret"]);
    let expected =
        json!({"type": "static", "access_key_id": "AKIAPLANTED", "secret_access_key": "planted-secret"});
    assert_eq!(server.seen()[0].body["credentials"], expected);
}

/// What a kind takes stands in the document: no line of the command line's knows the vendor.
#[tokio::test]
async fn a_kind_brings_the_form_and_the_variable_of_its_credentials() {
    let add = ["providers", "add", "--kind", "hetzner", "--name", "p", "--project", "1483920"];
    let made = || Reply::json(&json!({"id": "prv_1"})).status(201);
    let server = Server::new([made(), made()]).await;
    let mut machine = Machine::new(&server.url);
    machine.client = Client::embedded().unwrap();
    machine.set("HCLOUD_TOKEN", "planted-token");
    let outcome = machine.run(&add).await.expect(Exit::Ok);
    assert!(outcome.stderr.starts_with("using the credentials of HCLOUD_TOKEN\n"), "{}", outcome.stderr);
    assert_silent(&outcome, &["planted-token"]);
    let mut person = Machine::with_terminal(&server.url);
    person.client = Client::embedded().unwrap();
    person.answers = vec![("Token: ", true, "planted-answer")];
    person.run(&add).await.expect(Exit::Ok);
    for (seen, token) in server.seen().iter().zip(["planted-token", "planted-answer"]) {
        assert_eq!(seen.body["credentials"], json!({"type": "api_token", "token": token}));
        assert_eq!(seen.body["settings"], json!({"project_id": "1483920"}));
    }
}

#[tokio::test]
async fn where_nobody_can_be_asked_it_says_what_to_do() {
    let server = Server::new([]).await;
    let outcome = Machine::new(&server.url).run(&ADD).await.expect(Exit::Usage);
    assert_eq!(
        outcome.stderr,
        "error: the access key id is missing and there is no terminal to ask on: use --credentials-file FILE|- or \
         set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN\n"
    );
}

#[tokio::test]
async fn a_file_of_json_is_taken_as_it_is() {
    let server = Server::new([Reply::json(&json!({"id": "prv_1"})).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    let credentials = json!({"type": "assume_role", "role_arn": "arn:x", "source": {"type": "static",
        "access_key_id": "AKIAPLANTED", "secret_access_key": "planted-secret"}});
    let file = machine.file("credentials.json", &credentials.to_string());
    machine.run(&[&ADD[..], &["--credentials-file", &file]].concat()).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].body["credentials"], credentials);
}

#[tokio::test]
async fn a_file_that_is_not_understood_is_not_quoted() {
    let server = Server::new([]).await;
    let mut machine = Machine::new(&server.url);
    for text in ["planted-secret", "{\"secret_access_key\": planted-secret}", "[a]\nplanted-secret"] {
        let file = machine.file("credentials", text);
        let outcome =
            machine.run(&[&ADD[..], &["--credentials-file", &file]].concat()).await.expect(Exit::Usage);
        assert!(outcome.stderr.contains("are not understood"), "{}", outcome.stderr);
        assert_silent(&outcome, &["planted-secret"]);
        let outcome = machine.run(&["api-keys", "create", "--body", &file]).await.expect(Exit::Usage);
        assert!(outcome.stderr.contains("the body is not valid JSON"), "{}", outcome.stderr);
        assert_silent(&outcome, &["planted-secret"]);
    }
}

#[tokio::test]
async fn a_plain_secret_comes_from_a_file_too() {
    let server = Server::new([Reply::json(&json!({"id": "web_1"})).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    machine.stdin = b"planted-signing\n".to_vec();
    let arguments = ["webhooks", "create", "--webhook-url", "https://x", "--signing-secret-file", "-"];
    machine.run(&arguments).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].body["signing_secret"], "planted-signing");
}

#[tokio::test]
async fn new_keys_for_an_old_provider_are_taken_only_when_asked_for() {
    let old = || Reply::json(&json!({"id": "prv_1", "name": "p", "kind": "aws", "settings": {}}));
    let server = Server::new([old(), old()]).await;
    let mut machine = Machine::new(&server.url);
    machine.set("AWS_ACCESS_KEY_ID", "AKIAPLANTED");
    machine.set("AWS_SECRET_ACCESS_KEY", "planted-secret");
    machine.run(&["providers", "update", "prv_1", "--credentials-env"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[1].body["credentials"]["access_key_id"], "AKIAPLANTED");
}

#[test]
fn no_flag_takes_a_secret() {
    for client in [client(), Client::embedded().unwrap()] {
        assert_no_flag_takes_a_secret(client.command());
    }
}

fn assert_no_flag_takes_a_secret(mut root: clap::Command) {
    root.build();
    for noun in root.get_subcommands() {
        for verb in noun.get_subcommands().chain([noun]) {
            for flag in verb.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg))) {
                let (name, arg) = flag;
                let takes_value = arg.get_action().takes_values();
                let harmless = ["-file", "-type", "-stdin"].iter().any(|end| name.ends_with(end));
                let secret = ["password", "secret", "token", "credentials", "access-key"]
                    .iter()
                    .any(|w| name.contains(w));
                assert!(!takes_value || !secret || harmless, "{} --{name}", verb.get_name());
            }
        }
    }
}

#[tokio::test]
async fn a_new_key_is_shown_once_because_that_is_its_purpose() {
    let created = json!({"id": "key_1", "name": "ci", "secret": "mq_shown_once"});
    let server = Server::new([Reply::json(&created).status(201)]).await;
    let mut machine = Machine::new(&server.url);
    let arguments = ["api-keys", "create", "--name", "ci", "--scopes", "providers.read", "-o", "json"];
    let outcome = machine.run(&arguments).await.expect(Exit::Ok);
    assert_eq!(serde_json::from_str::<Value>(&outcome.stdout).unwrap(), created);
    assert!(!outcome.stderr.contains("mq_shown_once"));
}
