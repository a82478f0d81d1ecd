//! What a refusal looks like, and the exit code that goes with it.

use marquee_cli::Exit;
use serde_json::json;

use crate::support::{Machine, Reply, Server, problem};

#[tokio::test]
async fn each_status_has_its_exit_code() {
    let table = [
        (400, Exit::Invalid),
        (401, Exit::NotAuthenticated),
        (403, Exit::Forbidden),
        (404, Exit::NotFound),
        (405, Exit::Failure),
        (408, Exit::Unavailable),
        (409, Exit::Conflict),
        (412, Exit::Conflict),
        (413, Exit::Invalid),
        (415, Exit::Invalid),
        (422, Exit::Invalid),
        (423, Exit::Conflict),
        (429, Exit::Unavailable),
        (500, Exit::Failure),
        (502, Exit::CloudFailed),
        (503, Exit::Unavailable),
        (504, Exit::CloudFailed),
    ];
    for (status, exit) in table {
        let server = Server::new([problem(status, "some_code", "What is wrong.")]).await;
        let outcome = Machine::new(&server.url).run(&["providers", "show", "prv_1"]).await.expect(exit);
        let head =
            format!("error: Title of some_code ({status} some_code)\n  What is wrong.\n  request: req_1\n");
        assert!(outcome.stderr.starts_with(&head), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }
}

#[tokio::test]
async fn invalid_input_is_told_by_its_flag_and_the_cloud_by_its_words() {
    let body = json!({
        "type": "/problems/provider_verification_failed", "title": "The cloud refused the credentials", "status": 422,
        "detail": "AWS does not know the access key.", "code": "provider_verification_failed", "request_id": "req_9",
        "errors": [
            {"pointer": "/settings/regions/0", "detail": "no such region"},
            {"pointer": "/credentials/secret_access_key", "detail": "is wrong"},
            {"pointer": "?validate_only", "detail": "must be true or false"}
        ],
        "cloud": {"cloud": "aws", "operation": "sts:GetCallerIdentity", "kind": "unauthenticated",
                  "code": "InvalidClientTokenId", "region": "us-east-1", "request_id": "aws-1", "retry_helps": false}
    });
    let server =
        Server::new([Reply::new(422, "application/problem+json; charset=utf-8", body.to_string())]).await;
    let mut machine = Machine::new(&server.url);
    machine.set("AWS_ACCESS_KEY_ID", "AKIAPLANTED");
    machine.set("AWS_SECRET_ACCESS_KEY", "planted-secret");
    let outcome =
        machine.run(&["providers", "add", "--kind", "aws", "--name", "p"]).await.expect(Exit::Invalid);
    insta::assert_snapshot!(outcome.stderr);
}

#[tokio::test]
async fn nobody_knows_you_and_what_to_do() {
    let server = Server::new([problem(401, "unauthenticated", "Log in.")]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::NotAuthenticated);
    let hint = format!("  hint: log in with: marquee login --url {}/ (or set MARQUEE_TOKEN)\n", server.url);
    assert!(outcome.stderr.ends_with(&hint), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let busy = || problem(503, "unavailable", "The database is away.").header("retry-after", "0");
    let limited = problem(429, "limited", "Too many requests.").header("retry-after", "0");
    let server = Server::new([busy(), limited, Reply::json(&json!({"id": "prv_1"}))]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "show", "prv_1"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout, "id  prv_1\n");
    assert_eq!(outcome.stderr, "the server asks to wait: again in 0 s\n".repeat(2));
}

#[tokio::test]
async fn a_server_that_stays_busy_is_left_alone_after_five_times() {
    let busy = || problem(503, "unavailable", "The database is away.").header("retry-after", "0");
    let server = Server::new(std::iter::repeat_with(busy).take(5)).await;
    let outcome =
        Machine::new(&server.url).run(&["providers", "show", "prv_1"]).await.expect(Exit::Unavailable);
    assert!(outcome.stderr.contains("error: Title of unavailable (503 unavailable)"), "{}", outcome.stderr);
    server.assert_done();
}

#[tokio::test]
async fn nobody_waits_an_hour() {
    let server = Server::new([problem(429, "limited", "Too many.").header("retry-after", "3600")]).await;
    Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Unavailable);
    server.assert_done();
}

#[tokio::test]
async fn a_repetition_carries_the_same_key() {
    let in_flight = problem(409, "idempotency_in_flight", "Wait.").header("retry-after", "0");
    let created = Reply::json(&json!({"id": "key_1", "name": "ci"})).status(201);
    let server = Server::new([in_flight, created]).await;
    let mut machine = Machine::new(&server.url);
    machine.run(&["api-keys", "create", "--name", "ci", "--scopes", "providers.read"]).await.expect(Exit::Ok);
    let seen = server.seen();
    let key = seen[0].header("idempotency-key").unwrap();
    assert!(key.len() >= 32, "{key}");
    assert_eq!(seen[1].header("idempotency-key"), Some(key));
}

#[tokio::test]
async fn escape_sequences_of_others_do_not_reach_the_terminal() {
    let server = Server::new([problem(404, "not_found", "no \u{1b}]0;evil\u{7} thing")]).await;
    let outcome = Machine::with_terminal(&server.url).run(&["providers", "show", "prv_x"]).await;
    let outcome = outcome.expect(Exit::NotFound);
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\u{7}'), "{:?}", outcome.stderr);
}
