//! The one tree of commands: complete, and honest about mistakes.

use std::{collections::BTreeSet, process::Command};

use marquee_control::routes;

fn marquee(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_marquee")).env_clear().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_operation_of_the_api_has_a_command() {
    let operations: BTreeSet<String> = routes::all().iter().map(|row| row.id.to_owned()).collect();
    let reachable = marquee_cli::reachable_operations();
    let missing: Vec<_> = operations.difference(&reachable).collect();
    assert!(missing.is_empty(), "no command carries out {missing:?}");
}

#[test]
fn what_cannot_work_is_said_before_anything_starts() {
    for (arguments, expected) in [
        (&["serve"][..], "--data-dir"),
        (&["serve", "--data-dir", "/tmp/x", "--listen", "0.0.0.0:1"], "--insecure-http"),
        (&["serve", "--database-url", "postgres://a:b@localhost/c"], "MARQUEE_ENCRYPTION_KEY"),
        (&["serve", "--database-url", "mysql://a"], "postgres://"),
        (&["serve", "--data-dir", "/tmp/x", "--tls-cert", "c.pem"], "--tls-key"),
        (&["config", "check", "--data-dir", "/tmp/x", "--config", "/does/not/exist"], "/does/not/exist"),
        (&["srve"], "serve"),
    ] {
        let (ok, _, error) = marquee(arguments);
        assert!(!ok && error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn the_configuration_is_shown_with_its_secrets_masked() {
    let (ok, shown, error) = marquee(&[
        "config",
        "check",
        "--database-url",
        "postgres://app:hunter2@db/m",
        "--encryption-key-file",
        "k",
    ]);
    assert!(ok, "{error}");
    assert!(shown.contains("postgres://app:") && !shown.contains("hunter2"), "{shown}");
    let parsed: toml::Table = shown.parse().expect("what is shown can be used as a file");
    assert_eq!(parsed["listen"].as_str(), Some("127.0.0.1:7300"));
}

#[test]
fn a_variable_that_means_nothing_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_marquee"))
        .env_clear()
        .env("MARQUEE_LISTN", "127.0.0.1:1")
        .args(["config", "check", "--data-dir", "/tmp/x"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("MARQUEE_LISTN"));
    assert!(!output.status.success());
}
