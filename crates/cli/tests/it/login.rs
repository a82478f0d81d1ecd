//! Logging in, the credentials file, and which token goes to which server.

use std::os::unix::fs::PermissionsExt;

use marquee_cli::Exit;
use serde_json::json;

use crate::support::{Machine, Reply, Server, problem};

fn token(token: &str) -> Reply {
    Reply::json(&json!({"token": token, "expires_at": "2026-06-21T18:00:00Z"}))
}

fn stranger(url: &str) -> Machine {
    let mut machine = Machine::new(url);
    machine.unset("MARQUEE_TOKEN");
    machine
}

#[tokio::test]
async fn a_login_is_kept_for_its_owner_only_and_used_afterwards() {
    let server = Server::new([token("ses_planted"), Reply::json(&json!({"email": "ada@example.com"}))]).await;
    let mut machine = stranger(&server.url);
    machine.stdin = b"planted password \n".to_vec();
    let arguments = ["login", "--email", "ada@example.com", "--password-stdin", "-o", "json"];
    let outcome = machine.run(&arguments).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].body, json!({"email": "ada@example.com", "password": "planted password "}));
    assert_eq!(server.seen()[0].header("authorization"), None);
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!told.contains("planted"), "{told}");

    let file = machine.credentials_file();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    machine.unset("MARQUEE_URL");
    machine.run(&["whoami"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[1].header("authorization"), Some("Bearer ses_planted"));
}

#[tokio::test]
async fn a_person_is_asked() {
    let server = Server::new([token("ses_1")]).await;
    let mut machine = Machine::with_terminal(&server.url);
    machine.answers =
        vec![("E-mail: ", false, " ada@example.com "), ("Password: ", true, "planted-password")];
    machine.run(&["login"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[0].body, json!({"email": "ada@example.com", "password": "planted-password"}));
}

#[tokio::test]
async fn without_a_terminal_it_says_how() {
    let server = Server::new([]).await;
    let outcome = stranger(&server.url).run(&["login", "--email", "a@b.c"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("--password-stdin"), "{}", outcome.stderr);
    let outcome = stranger(&server.url).run(&["login", "--password-stdin"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("--email EMAIL"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_wrong_password_stores_nothing() {
    let server = Server::new([problem(401, "login_failed", "E-mail or password is wrong.")]).await;
    let mut machine = stranger(&server.url);
    machine.stdin = b"wrong".to_vec();
    let outcome =
        machine.run(&["login", "--email", "a@b.c", "--password-stdin"]).await.expect(Exit::NotAuthenticated);
    assert!(!outcome.stderr.contains("hint"), "{}", outcome.stderr);
    assert!(!machine.credentials_file().exists());
}

#[tokio::test]
async fn a_token_goes_to_its_own_server_and_to_no_other() {
    let home = Server::new([token("ses_planted"), Reply::json(&json!({"items": []}))]).await;
    let other = Server::new([problem(401, "unauthenticated", "Who?")]).await;
    let mut machine = stranger(&home.url);
    machine.stdin = b"pw".to_vec();
    machine.run(&["login", "--email", "a@b.c", "--password-stdin"]).await.expect(Exit::Ok);
    let outcome =
        machine.run(&["providers", "list", "--url", &other.url]).await.expect(Exit::NotAuthenticated);
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert!(outcome.stderr.contains("none of the stored logins is for"), "{}", outcome.stderr);
    machine.run(&["providers", "list", "--url", &format!("{}/", home.url)]).await.expect(Exit::Ok);
    assert_eq!(home.seen()[1].header("authorization"), Some("Bearer ses_planted"));
}

#[tokio::test]
async fn several_servers_have_several_contexts() {
    let (one, two) =
        (Server::new([token("ses_1"), page()]).await, Server::new([token("ses_2"), page()]).await);
    let mut machine = stranger(&one.url);
    machine.unset("MARQUEE_URL");
    for (name, server) in [("production", &one), ("staging", &two)] {
        machine.stdin = b"pw".to_vec();
        let arguments =
            ["login", "--context", name, "--url", &server.url, "--email", "a@b.c", "--password-stdin"];
        machine.set("MARQUEE_URL", &server.url);
        machine.run(&arguments).await.expect(Exit::Ok);
        machine.unset("MARQUEE_URL");
    }
    machine.run(&["providers", "list", "--context", "production"]).await.expect(Exit::Ok);
    machine.run(&["providers", "list"]).await.expect(Exit::Ok);
    assert_eq!(one.seen()[1].header("authorization"), Some("Bearer ses_1"));
    assert_eq!(two.seen()[1].header("authorization"), Some("Bearer ses_2"));
    let outcome = machine.run(&["providers", "list", "--context", "nothing"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("there is production, staging"), "{}", outcome.stderr);
}

fn page() -> Reply {
    Reply::json(&json!({"items": []}))
}

#[tokio::test]
async fn a_file_that_others_may_read_is_refused() {
    let server = Server::new([]).await;
    let mut machine = stranger(&server.url);
    let file = machine.credentials_file();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "[contexts]").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = machine.run(&["providers", "list"]).await.expect(Exit::Failure);
    assert!(outcome.stderr.contains(&format!("chmod 600 {}", file.display())), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_broken_file_is_named_by_its_line_and_not_quoted() {
    let server = Server::new([]).await;
    let mut machine = stranger(&server.url);
    let file = machine.credentials_file();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    for text in ["\ncontexts = \"ses_planted\"", "\ntoken ses_planted", "\nses_planted = 1"] {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let outcome = machine.run(&["providers", "list"]).await.expect(Exit::Failure);
        assert!(outcome.stderr.contains("line 2: not understood"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("ses_planted"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_logout_ends_the_session_and_forgets_it() {
    let server = Server::new([token("ses_planted"), Reply::no_content()]).await;
    let mut machine = stranger(&server.url);
    machine.stdin = b"pw".to_vec();
    machine.run(&["login", "--email", "a@b.c", "--password-stdin"]).await.expect(Exit::Ok);
    machine.run(&["logout"]).await.expect(Exit::Ok);
    assert_eq!(server.seen()[1].target, "/api/auth/logout");
    let text = std::fs::read_to_string(machine.credentials_file()).unwrap();
    assert!(!text.contains("ses_planted") && text.contains(&server.url), "{text}");
    let outcome = machine.run(&["logout"]).await.expect(Exit::Ok);
    assert!(outcome.stderr.starts_with("not logged in"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_url_is_checked_before_anything_is_sent() {
    let mut machine = stranger("http://127.0.0.1:1");
    for (url, expected) in [
        ("marquee.example.com", "it looks like http://127.0.0.1:7300"),
        ("ftp://marquee.example.com", "must begin with http:// or https://"),
        ("http://ada:planted@example.com", "must not carry a user or password"),
    ] {
        let outcome = machine.run(&["providers", "list", "--url", url]).await.expect(Exit::Usage);
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("planted"), "{}", outcome.stderr);
    }
}
