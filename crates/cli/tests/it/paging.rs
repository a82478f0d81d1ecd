//! Lists: one page, so many, or all of them, as they come.

use marquee_cli::Exit;
use serde_json::{Value, json};

use crate::support::{Machine, Reply, Server};

fn page(from: u32, to: u32, next: Option<&str>) -> Reply {
    let items: Vec<Value> =
        (from..to).map(|n| json!({"id": format!("prv_{n}"), "name": format!("p{n}")})).collect();
    match next {
        Some(next) => Reply::json(&json!({"items": items, "next_cursor": next})),
        None => Reply::json(&json!({"items": items})),
    }
}

#[tokio::test]
async fn one_page_by_default_and_a_word_that_there_is_more() {
    let server = Server::new([page(0, 2, Some("c1"))]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout, "ID     NAME\nprv_0  p0\nprv_1  p1\n");
    assert_eq!(outcome.stderr, "2 shown; there are more: --limit N, or --all\n");
    assert_eq!(server.seen()[0].target, "/api/cloud/providers");
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer planted-token-1f9c"));
}

#[tokio::test]
async fn all_follows_the_cursors_and_keeps_the_filter() {
    let server = Server::new([page(0, 2, Some("c 1&")), page(2, 3, Some("c2")), page(3, 4, None)]).await;
    let mut machine = Machine::new(&server.url);
    let arguments = ["providers", "list", "--all", "--filter", "kind = \"aws\"", "-o", "json"];
    let outcome = machine.run(&arguments).await.expect(Exit::Ok);
    let body: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let ids: Vec<&str> =
        body["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["prv_0", "prv_1", "prv_2", "prv_3"]);
    assert_eq!(body["next_cursor"], Value::Null);
    let targets: Vec<String> = server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(
        targets,
        [
            "/api/cloud/providers?filter=kind+%3D+%22aws%22&limit=200",
            "/api/cloud/providers?filter=kind+%3D+%22aws%22&cursor=c+1%26&limit=200",
            "/api/cloud/providers?filter=kind+%3D+%22aws%22&cursor=c2&limit=200",
        ]
    );
}

#[tokio::test]
async fn a_limit_over_a_page_takes_several_and_stops_exactly() {
    let server = Server::new([page(0, 200, Some("c1")), page(200, 250, Some("c2"))]).await;
    let mut machine = Machine::new(&server.url);
    let outcome = machine.run(&["providers", "list", "--limit", "250", "-o", "csv"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout.lines().count(), 251);
    assert_eq!(outcome.stdout.lines().last(), Some("prv_249,p249"));
    assert_eq!(server.seen()[1].target, "/api/cloud/providers?cursor=c1&limit=50");
    server.assert_done();
}

#[tokio::test]
async fn an_empty_list_says_so() {
    let server = Server::new([page(0, 0, None), page(0, 0, None)]).await;
    let mut machine = Machine::new(&server.url);
    assert_eq!(machine.run(&["providers", "list"]).await.expect(Exit::Ok).stdout, "(nothing)\n");
    let json = machine.run(&["providers", "list", "-o", "json"]).await.expect(Exit::Ok).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), json!({"items": [], "next_cursor": null}));
}

#[tokio::test]
async fn a_page_is_written_before_the_next_one_is_asked_for() {
    let server = Server::new([page(0, 1, Some("c1")), Reply::new(500, "text/plain", "")]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list", "--all", "-o", "csv"]).await;
    let outcome = outcome.expect(Exit::Failure);
    assert_eq!(outcome.stdout, "id,name\nprv_0,p0\n");
    assert!(outcome.stderr.contains("500"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_pipe_that_is_closed_early_is_no_error() {
    let server = Server::new([page(0, 2, Some("c1"))]).await;
    let mut machine = Machine { closed_pipe: true, ..Machine::new(&server.url) };
    let outcome = machine.run(&["providers", "list", "--all"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stderr, "");
    assert_eq!(server.seen().len(), 1, "nobody reads the second page");
}
