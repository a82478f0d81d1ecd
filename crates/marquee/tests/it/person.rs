//! A person at the command line: the real binary, logged in, in a pipe.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::process::{OWNER, PASSWORD, Server};

/// The owner of the organization, with a home folder of their own.
pub struct Person<'a> {
    home: &'a Path,
    url: String,
}

/// What a command came to.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// What it answered, if it succeeded.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// The answer as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl<'a> Person<'a> {
    /// `marquee login`.
    pub fn log_in(server: &'a Server) -> Self {
        let person = Self { home: server.folder.path(), url: format!("http://127.0.0.1:{}", server.port) };
        let login = ["login", "--url", &person.url, "--email", OWNER, "--password-stdin"];
        person.with_input(&login, PASSWORD).well();
        person
    }

    /// `marquee` with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Said {
        self.with_input(arguments, "")
    }

    /// The answer of a command that has to succeed.
    #[track_caller]
    pub fn ask(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["-o", "json"]].concat()).well().json()
    }

    /// `marquee` with these arguments and this on its standard input.
    pub fn with_input(&self, arguments: &[&str], input: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_marquee"))
            .env_clear()
            .env("HOME", self.home)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that ends without reading it closes the pipe.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
