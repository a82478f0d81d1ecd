//! Operations that go on: waiting, interrupting, and what their end means.

use marquee_cli::Exit;
use serde_json::{Value, json};

use crate::support::{Machine, Reply, Server, problem};

fn operation(state: &str, done: bool, scopes: u32) -> Value {
    json!({"id": "op_1", "kind": "providers.sync", "state": state, "done": done,
           "progress": {"scopes_done": scopes, "scopes_total": 4}, "error": null})
}

fn started() -> Reply {
    Reply::json(&json!({"operation": operation("pending", false, 0)})).status(202)
}

fn steps(attempt: u32) -> Reply {
    let step = json!({"name": "stop web", "state": "running", "attempt": attempt});
    Reply::json(&json!({"id": "op_1", "steps": [step]}))
}

#[tokio::test]
async fn in_a_pipe_it_is_only_started() {
    let server = Server::new([started()]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "sync", "prv_1", "-o", "json"]).await;
    let body: Value = serde_json::from_str(&outcome.expect(Exit::Ok).stdout).unwrap();
    assert_eq!(body["operation"]["id"], "op_1");
    assert_eq!(server.seen()[0].target, "/api/cloud/providers/prv_1/sync");
    assert!(server.seen()[0].header("idempotency-key").is_some());
}

#[tokio::test]
async fn waiting_tells_each_change_on_a_line() {
    let running = || Reply::json(&operation("running", false, 2));
    let done = Reply::json(&operation("succeeded", true, 4));
    let server = Server::new([started(), running(), steps(1), running(), steps(2), done, steps(2)]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "sync", "prv_1", "--wait"]).await;
    let outcome = outcome.expect(Exit::Ok);
    assert_eq!(
        outcome.stderr,
        "op_1 running: scopes done 2, scopes total 4\n  1/1 stop web running\n  1/1 stop web running, attempt 2\n\
         op_1 succeeded: scopes done 4, scopes total 4\n"
    );
    assert!(outcome.stdout.contains("succeeded"), "{}", outcome.stdout);
    assert_eq!(server.seen()[1].target, "/api/operations/op_1/wait?timeout_seconds=10");
}

#[tokio::test]
async fn each_end_has_its_exit_code() {
    let table = [
        ("succeeded", Exit::Ok),
        ("partially_succeeded", Exit::OperationPartial),
        ("failed", Exit::OperationFailed),
        ("undone", Exit::OperationFailed),
        ("cancelled", Exit::OperationFailed),
    ];
    for (state, exit) in table {
        let mut end = operation(state, true, 4);
        end["error"] = json!({"code": "some", "detail": "region eu-west-1 answered 500"});
        let server = Server::new([Reply::json(&end), Reply::json(&end)]).await;
        let outcome =
            Machine::new(&server.url).run(&["operations", "wait", "op_1", "-o", "json"]).await.expect(exit);
        let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(shown["state"], state);
        let told = outcome.stderr.contains("region eu-west-1 answered 500");
        assert_eq!(told, exit != Exit::Ok, "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn ctrl_c_leaves_it_running_and_says_where() {
    let server = Server::new([started(), Reply::hanging()]).await;
    let mut machine = Machine::new(&server.url);
    machine.interrupt = Some(Box::pin(server.is_hanging()));
    let outcome = machine.run(&["providers", "sync", "prv_1", "--wait"]).await.expect(Exit::Interrupted);
    assert_eq!(
        outcome.stderr,
        format!(
            "op_1 goes on at {}/. To see it again:\n  marquee operations show op_1\n  marquee operations wait op_1\n\
             To stop it:\n  marquee operations cancel op_1\n",
            server.url
        )
    );
    assert_eq!(server.seen().len(), 2, "nothing was cancelled");
}

#[tokio::test]
async fn a_timeout_ends_the_waiting_only() {
    let server = Server::new([Reply::json(&operation("running", false, 1)), steps(1)]).await;
    let outcome = Machine::new(&server.url).run(&["operations", "wait", "op_1", "--timeout", "0"]).await;
    let outcome = outcome.expect(Exit::Failure);
    assert!(
        outcome.stderr.ends_with("error: op_1 is still running after 0 s; it goes on\n"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_server_is_asked_once_a_second_at_most() {
    // This server never waits, so nothing but the client keeps the requests apart.
    let answers = (0..40).flat_map(|_| [Reply::json(&operation("running", false, 1)), steps(1)]);
    let server = Server::new(answers).await;
    let outcome = Machine::new(&server.url).run(&["operations", "wait", "op_1", "--timeout", "2"]).await;
    let outcome = outcome.expect(Exit::Failure);
    assert!(outcome.stderr.ends_with("op_1 is still running after 2 s; it goes on\n"), "{}", outcome.stderr);
    // At the start, a second later and at the deadline: two requests each, and fewer on a machine that is slow.
    assert!((4..=6).contains(&server.seen().len()), "{} requests", server.seen().len());
}

#[tokio::test]
async fn a_server_that_is_away_for_a_moment_does_not_end_the_waiting() {
    let away = problem(503, "unavailable", "Restarting.").header("retry-after", "0");
    let server = Server::new([away, Reply::json(&operation("succeeded", true, 4)), steps(1)]).await;
    Machine::new(&server.url).run(&["operations", "watch", "op_1"]).await.expect(Exit::Ok);
    server.assert_done();
}

#[tokio::test]
async fn a_test_that_did_not_pass_is_no_success() {
    let answer = json!({"ok": false, "identity": null, "permissions": [],
        "error": {"cloud": "aws", "operation": "sts:GetCallerIdentity", "kind": "unauthenticated",
                  "code": "SignatureDoesNotMatch", "retry_helps": false}});
    let server = Server::new([Reply::json(&answer)]).await;
    let outcome =
        Machine::new(&server.url).run(&["providers", "test", "prv_1"]).await.expect(Exit::CloudFailed);
    assert!(
        outcome.stderr.contains("aws sts:GetCallerIdentity: SignatureDoesNotMatch"),
        "{}",
        outcome.stderr
    );
}
