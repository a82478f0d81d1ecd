//! `marquee simulate` as a process: started, spoken to by its own command line, and stopped.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

const CERTIFICATE: &str = "certificate.pem";

/// A simulator on ports that the system chose.
pub struct Simulator {
    child: Child,
    control: String,
    folder: TempDir,
}

impl Simulator {
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = marquee()
            .args(["simulate", "--port", "0"])
            .arg("--certificate")
            .arg(folder.path().join(CERTIFICATE))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let control = lines
            .map_while(Result::ok)
            .find_map(|line| line.trim().strip_prefix("control").map(|url| url.trim().to_owned()))
            .expect("it says where its control is");
        Self { child, control, folder }
    }

    /// The file of the certificate that clients of Azure must trust.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// A command that speaks to it: whether it succeeded, what it said, what it complained of.
    fn ask(&self, arguments: &[&str]) -> (bool, String, String) {
        let output = marquee()
            .arg("simulate")
            .args(arguments)
            .env("MARQUEE_SIMULATOR", &self.control)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// The answer of such a command.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let (ok, said, error) = self.ask(arguments);
        assert!(ok, "{arguments:?}: {error}");
        serde_json::from_str(&said).unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn marquee() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee"));
    command.env_clear();
    command
}

#[test]
fn faults_and_clock_are_set_from_the_command_line() {
    let simulator = Simulator::start(&["--speed", "0", "--now", "2026-06-20T12:00:00Z"]);
    assert_eq!(simulator.json(&["clock"])["now"], "2026-06-20T12:00:00Z");
    assert_eq!(simulator.json(&["clock", "--advance-seconds", "3600"])["now"], "2026-06-20T13:00:00Z");
    let (ok, _, error) = simulator.ask(&["clock", "--now", "2020-01-01T00:00:00Z"]);
    assert!(!ok && error.contains("only moves forward"), "{error}");

    let added = simulator.json(&["fault", "add", "no-capacity", "--face", "aws", "--zone", "eu-west-1a"]);
    assert_eq!(added["id"], 1);
    assert_eq!(simulator.json(&["fault", "list"])[0]["zone"], "eu-west-1a");
    let (ok, _, error) = simulator.ask(&["fault", "add", "throttled", "--share", "7"]);
    assert!(!ok && error.contains("from 0 to 1"), "{error}");
    let (ok, _, error) = simulator.ask(&["fault", "clear", "9"]);
    assert!(!ok && error.contains("no fault 9"), "{error}");
    assert_eq!(simulator.json(&["fault", "clear"]), serde_json::json!([]));
}

#[test]
fn what_was_exported_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.json");
    let first = Simulator::start(&["--speed", "0", "--now", "2026-06-20T12:00:00Z"]);
    first.json(&["clock", "--advance-seconds", "86400"]);
    let (ok, _, error) = first.ask(&["export", file.to_str().unwrap()]);
    assert!(ok, "{error}");
    let second = Simulator::start(&[
        "--speed",
        "0",
        "--now",
        "2026-06-20T12:00:00Z",
        "--state",
        file.to_str().unwrap(),
    ]);
    assert_eq!(second.json(&["clock"])["now"], "2026-06-21T12:00:00Z");
}

#[test]
fn mistakes_are_answered_with_what_helps() {
    for (arguments, expected) in [
        (&["simulate", "--world", "weding"][..], "built in are wedding-season, large, staging"),
        (&["simulate", "--host", "0.0.0.0"], "loopback only"),
        (&["simulate", "--speed=-1", "--port", "0"], "speed must be"),
        (&["simulate", "fault", "add", "earthquake"], "throttled"),
        (&["simulate", "clock", "--control", "http://127.0.0.1:9"], "`marquee simulate` starts one"),
    ] {
        let output = marquee().args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{arguments:?}: {error}");
    }
}
