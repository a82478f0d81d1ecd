//! Tables for people, JSON and CSV for programs.

use marquee_cli::{Exit, Terminal};
use serde_json::{Value, json};

use crate::support::{Machine, Reply, Server};

fn providers() -> Value {
    json!({"items": [
        {"id": "prv_01989f2c7a7e7cc0a1f5d1a2b3c4d5e6", "name": "production", "kind": "aws", "account": "123456789012",
         "last_sync": {"state": "succeeded", "finished_at": "2026-06-20T17:57:00Z"},
         "next_sync_at": "2026-06-20T18:12:00Z", "settings": {"regions": ["eu-west-1", "us-east-1"]}},
        {"id": "prv_01989f2c7a7e7cc0a1f5d1a2b3c4d5e7", "name": "a very, very \"long\" name\u{1b}[2J of a provider",
         "kind": "aws", "account": null, "last_sync": null, "next_sync_at": null, "settings": {}}
    ]})
}

async fn list(machine: impl FnOnce(&str) -> Machine, arguments: &[&str]) -> String {
    let server = Server::new([Reply::json(&providers())]).await;
    let arguments = [&["providers", "list"], arguments].concat();
    machine(&server.url).run(&arguments).await.expect(Exit::Ok).stdout
}

#[tokio::test]
async fn a_table_on_a_terminal() {
    insta::assert_snapshot!(list(Machine::with_terminal, &[]).await);
}

#[tokio::test]
async fn a_table_on_a_narrow_terminal_fits() {
    let narrow = |url: &str| {
        let mut machine = Machine::with_terminal(url);
        machine.terminal.width = Some(60);
        machine
    };
    let table = list(narrow, &[]).await;
    assert!(table.lines().all(|line| line.chars().count() <= 60), "{table}");
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_table_in_a_pipe_has_exact_times_and_a_line_for_each() {
    let table = list(Machine::new, &[]).await;
    assert_eq!(table.lines().count(), 3, "{table}");
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn columns_of_ones_own_choice() {
    let table = list(Machine::new, &["--columns", "name,settings.regions", "--columns", "nothing"]).await;
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn csv_keeps_every_value_as_it_is() {
    let text = list(Machine::new, &["-o", "csv", "--columns", "name,settings,last_sync.finished_at"]).await;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(
        rows[0],
        ["production", "{\"regions\":[\"eu-west-1\",\"us-east-1\"]}", "2026-06-20T17:57:00Z"]
    );
    assert_eq!(rows[1][0], "a very, very \"long\" name\u{1b}[2J of a provider");
    assert_eq!(rows[1][2], "");
}

#[tokio::test]
async fn json_is_the_answer_itself() {
    let body: Value = serde_json::from_str(&list(Machine::new, &["-o", "json"]).await).unwrap();
    assert_eq!(body["items"], providers()["items"]);
}

#[tokio::test]
async fn one_thing_is_shown_line_by_line() {
    let thing = json!({
        "id": "prv_1", "name": "production", "created_at": "2026-06-19T18:00:00Z", "verified_at": null,
        "settings": {"regions": ["eu-west-1", "us-east-1"], "limits": {"per_second": 10}}, "labels": {},
        "permissions": [{"permission": "ec2:DescribeInstances", "status": "granted"},
                        {"permission": "rds:DescribeDBInstances", "status": "missing"}]
    });
    let server = Server::new([Reply::json(&thing), Reply::json(&thing)]).await;
    let outcome =
        Machine::with_terminal(&server.url).run(&["providers", "show", "prv_1"]).await.expect(Exit::Ok);
    insta::assert_snapshot!(outcome.stdout);
    let outcome =
        Machine::new(&server.url).run(&["providers", "show", "prv_1", "-o", "csv"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
}

#[tokio::test]
async fn an_answer_that_is_a_small_list_is_a_table() {
    let regions = json!({"items": [{"id": "eu-west-1", "name": "Ireland", "enabled": true},
        {"id": "af-south-1", "name": null, "enabled": false}], "discovered_at": "2026-06-20T17:00:00Z"});
    let groups = json!({"groups": [{"by": {"kind": "disk", "region": "eu-west-1"}, "count": 12},
        {"by": {"kind": "bucket", "region": null}, "count": 3}], "total": 15});
    let server = Server::new([Reply::json(&regions), Reply::json(&groups)]).await;
    let mut machine = Machine::with_terminal(&server.url);
    let first = machine.run(&["providers", "regions", "prv_1", "--refresh"]).await.expect(Exit::Ok).stdout;
    let arguments = ["resources", "summary", "--group-by", "kind,region"];
    let second = machine.run(&arguments).await.expect(Exit::Ok).stdout;
    insta::assert_snapshot!(format!("{first}\n{second}"));
    assert_eq!(server.seen()[0].target, "/api/cloud/providers/prv_1/regions?refresh=true");
    assert_eq!(server.seen()[1].target, "/api/cloud/resources/summary?group_by=kind%2Cregion");
}

#[tokio::test]
async fn items_with_more_around_them_have_their_columns() {
    let regions = json!({"items": [{"id": "eu-west-1", "name": "Ireland", "enabled": true, "unseen": 1}],
        "asked": [{"at": "the vendor", "answered": 1}]});
    let server = Server::new([Reply::json(&regions), Reply::json(&regions)]).await;
    let mut machine = Machine::new(&server.url);
    let table = machine.run(&["providers", "regions", "prv_1"]).await.expect(Exit::Ok).stdout;
    insta::assert_snapshot!(table);
    let csv = machine.run(&["providers", "regions", "prv_1", "-o", "csv"]).await.expect(Exit::Ok).stdout;
    assert_eq!(csv.lines().count(), 2, "only the items: {csv}");
}

#[tokio::test]
async fn colour_only_where_it_is_wanted() {
    let colourful = |url: &str| {
        let mut machine = Machine::with_terminal(url);
        machine.unset("NO_COLOR");
        machine
    };
    assert!(list(colourful, &[]).await.contains("\u{1b}[38;5;10m"), "a state in green");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = |url: &str| {
            let mut machine = colourful(url);
            machine.set(name, value);
            machine
        };
        assert!(!list(plain, &[]).await.contains('\u{1b}'), "{name}");
    }
    let pipe = |url: &str| Machine { terminal: Terminal::default(), ..colourful(url) };
    assert!(!list(pipe, &[]).await.contains('\u{1b}'));
}

#[tokio::test]
async fn requests_are_shown_where_that_is_asked_for() {
    let server = Server::new([Reply::json(&providers()).header("x-request-id", "req_7")]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list", "-v"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stderr, "GET /api/cloud/providers → 200, request req_7\n");
}
