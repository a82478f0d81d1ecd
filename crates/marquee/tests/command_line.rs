//! The client's commands in the one binary: everything the API has is there, beside the server's own commands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

/// Runs the binary with a home folder of its own and a port on which nobody listens.
fn marquee(arguments: &[&str]) -> Output {
    let home = std::env::temp_dir().join(format!("marquee-command-line-{}", std::process::id()));
    Command::new(env!("CARGO_BIN_EXE_marquee"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("MARQUEE_URL", "http://127.0.0.1:1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_route_is_a_command() {
    let routes: BTreeSet<String> =
        marquee_control::routes::all().iter().map(|row| row.id.to_owned()).collect();
    assert_eq!(marquee_cli::reachable_operations(), routes);
}

#[test]
fn the_servers_and_the_clients_commands_stand_in_one_tree() {
    let help = marquee(&["--help"]);
    let listed = text(&help.stdout);
    for command in
        ["serve", "work", "migrate", "demo", "simulate", "admin", "config", "login", "providers", "audit"]
    {
        assert!(listed.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {listed}");
    }
    assert_eq!(help.status.code(), Some(0));
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&marquee(&["completions", shell]).stdout);
        assert!(script.contains("bootstrap") && script.contains("credentials-file"), "{shell}");
    }
}

#[test]
fn a_wrong_flag_is_met_with_those_there_are() {
    let wrong = marquee(&["providers", "list", "--page", "2"]);
    let told = text(&wrong.stderr);
    assert!(told.contains("`marquee providers list` takes: --cursor, --limit, --all"), "{told}");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    let lost = marquee(&["providers", "list"]);
    let told = text(&lost.stderr);
    assert!(told.contains("no server answers at http://127.0.0.1:1/"), "{told}");
    assert!(told.contains("make run") && told.contains("marquee serve"), "{told}");
    assert_eq!(lost.status.code(), Some(9));
}
