//! The help, as people read it; and what is reachable.

use std::collections::BTreeSet;

use marquee_cli::{Client, Exit};

use crate::support::{Machine, client};

fn help(arguments: &[&str]) -> String {
    let root = client().command().term_width(100);
    let all = std::iter::once("marquee").chain(arguments.iter().copied());
    root.try_get_matches_from(all).unwrap_err().to_string()
}

#[test]
fn the_commands() {
    insta::assert_snapshot!(help(&["help"]));
}

#[test]
fn the_verbs_of_a_noun() {
    insta::assert_snapshot!(help(&["providers", "--help"]));
}

#[test]
fn the_flags_of_a_verb() {
    insta::assert_snapshot!(help(&["providers", "add", "--help"]));
}

#[test]
fn the_flags_of_a_list() {
    insta::assert_snapshot!(help(&["resources", "list", "-h"]));
}

#[test]
fn the_exit_codes() {
    let text = help(&["help", "exit-codes"]);
    assert_eq!(text.lines().count(), 2 + Exit::ALL.len(), "{text}");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_mistyped_command_is_met_with_the_right_one() {
    let mut machine = Machine::new("http://127.0.0.1:1");
    let outcome = machine.run(&["provider", "list"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("'providers'"), "{}", outcome.stderr);
    let outcome = machine.run(&["providers", "list", "--filtre", "x"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("a similar argument exists: '--filter'"), "{}", outcome.stderr);
}

#[test]
fn a_wrong_flag_says_which_there_are() {
    let root = client().command();
    let arguments = ["marquee", "api-keys", "list", "--colour"].map(Into::into);
    let text = marquee_cli::flags_there_are(&root, &arguments);
    assert!(text.starts_with("\n`marquee api-keys list` takes: --cursor, --limit, --all, "), "{text}");
    assert!(text.contains("--output"), "{text}");
}

#[test]
fn every_operation_of_the_document_is_reachable() {
    let stand_in = include_str!("../fixtures/openapi.json");
    let own = include_str!("../../../../openapi.json");
    for (client, text) in [(client(), stand_in), (Client::embedded().unwrap(), own)] {
        let ids = operation_ids(text);
        assert!(ids.len() > 15, "{ids:?}");
        assert_eq!(client.reachable_operations(), ids);
    }
}

fn operation_ids(document: &str) -> BTreeSet<String> {
    let starts = document.split("\"operationId\": \"").skip(1);
    starts.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn the_tree_is_sound() {
    client().command().debug_assert();
    Client::embedded().unwrap().command().debug_assert();
}

#[test]
fn two_operations_that_would_be_one_command_are_refused() {
    let document = r#"{"paths": {
        "/a": {"post": {"operationId": "providers.create", "responses": {}}},
        "/b": {"post": {"operationId": "providers.add", "responses": {}}}}}"#;
    let error = Client::for_document(document).unwrap_err().to_string();
    assert_eq!(error, "providers.create and providers.add would be the same command");
    let error = Client::for_document(r#"{"paths": {"/a": {"get": {}}}}"#).unwrap_err().to_string();
    assert_eq!(error, "GET /a has no operationId of the form noun.verb");
}

#[tokio::test]
async fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = Machine::new("http://127.0.0.1:1").run(&["completions", shell]).await.expect(Exit::Ok);
        assert!(
            outcome.stdout.contains("providers") && outcome.stdout.contains("credentials-file"),
            "{shell}"
        );
    }
}
