//! Providers are named as people call them.

use marquee_cli::Exit;
use serde_json::{Value, json};

use crate::support::{Machine, Reply, Server};

fn page(names: &[&str], next: Option<&str>) -> Reply {
    let items: Vec<Value> =
        names.iter().map(|name| json!({ "id": format!("prv_{name}"), "name": name })).collect();
    Reply::json(&json!({ "items": items, "next_cursor": next }))
}

#[tokio::test]
async fn a_name_stands_for_its_id_on_whatever_page_it_is() {
    let found = json!({ "ok": true });
    let server =
        Server::new([page(&["staging"], Some("more")), page(&["production"], None), Reply::json(&found)])
            .await;
    Machine::new(&server.url).run(&["providers", "test", "Production"]).await.expect(Exit::Ok);
    let seen = server.seen();
    assert!(seen[1].target.contains("cursor=more"), "{}", seen[1].target);
    assert_eq!(seen[2].target, "/api/cloud/providers/prv_production/test-connection");
}

#[tokio::test]
async fn an_id_is_taken_as_it_is() {
    let server = Server::new([Reply::json(&json!({ "ok": true }))]).await;
    Machine::new(&server.url).run(&["providers", "test", "prv_1"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].target, "/api/cloud/providers/prv_1/test-connection");
}

#[tokio::test]
async fn an_unknown_name_is_told_with_those_that_come_near() {
    let server = Server::new([page(&["production", "staging"], None)]).await;
    let outcome =
        Machine::new(&server.url).run(&["providers", "sync", "prodution"]).await.expect(Exit::NotFound);
    assert_eq!(
        outcome.stderr,
        "error: no provider is called “prodution”\n  \
         hint: did you mean production (prv_production)? `marquee providers list` shows all\n"
    );
    let server = Server::new([page(&["production", "staging"], None)]).await;
    let outcome =
        Machine::new(&server.url).run(&["providers", "show", "lakeside"]).await.expect(Exit::NotFound);
    assert!(
        outcome
            .stderr
            .contains("`marquee providers list` shows those there are: production (prv_production), staging")
    );
    let server = Server::new([page(&[], None)]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "show", "any"]).await.expect(Exit::NotFound);
    assert!(outcome.stderr.ends_with("hint: there is no provider yet\n"), "{}", outcome.stderr);
}

#[tokio::test]
async fn names_that_differ_in_capitals_alone_are_not_guessed_between() {
    let server = Server::new([page(&["Production", "production"], None)]).await;
    let outcome =
        Machine::new(&server.url).run(&["providers", "remove", "PRODUCTION"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("more than one provider is called “PRODUCTION”"), "{}", outcome.stderr);
    assert_eq!(server.seen().len(), 1, "nothing was removed");
}

#[tokio::test]
async fn what_is_removed_by_its_name_is_asked_for_by_its_name_and_id() {
    let shown = json!({ "id": "prv_production", "name": "production" });
    let server = Server::new([page(&["production"], None), Reply::json(&shown), Reply::no_content()]).await;
    let mut machine = Machine::with_terminal(&server.url);
    let question = "remove the provider “production” (prv_production)? Its resources leave the inventory; their history \
                    stays. [y/N] ";
    machine.answers = vec![(question, false, "y")];
    machine.run(&["providers", "remove", "production"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[2].target, "/api/cloud/providers/prv_production");
}
