//! What a command sees of the machine: its streams, the terminal, the environment, the time and Ctrl-C.
//!
//! Passed in as one value, so that a test can run a command with scripted answers and read everything it wrote.

use std::{
    fmt,
    future::Future,
    io::{self, IsTerminal, Read, Write},
    pin::Pin,
};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::{failure::Failure, paint::Paint};

/// What a command sees of the machine.
pub struct Surroundings {
    /// The standard input.
    pub stdin: Box<dyn Read + Send>,
    /// The standard output: results only.
    pub stdout: Box<dyn Write + Send>,
    /// The standard error: everything else.
    pub stderr: Box<dyn Write + Send>,
    /// Which of them are terminals.
    pub terminal: Terminal,
    /// Looks up an environment variable; an empty one counts as absent.
    pub variable: Variables,
    /// The time.
    pub now: Box<dyn Fn() -> DateTime<Utc> + Send>,
    /// Asks the person at the terminal.
    pub ask: Box<dyn FnMut(Question<'_>) -> io::Result<SecretString> + Send>,
    /// Resolves when Ctrl-C is pressed. Until it is first polled, Ctrl-C ends the process as usual.
    pub interrupt: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Looks up a variable by its name.
pub type Variables = Box<dyn Fn(&str) -> Option<String> + Send>;

/// Which streams are terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Somebody can be asked.
    pub stdin: bool,
    /// The result is read by a person.
    pub stdout: bool,
    /// Progress is watched by a person.
    pub stderr: bool,
    /// How many columns there are.
    pub width: Option<u16>,
}

/// A question to the person at the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The text before the answer.
    pub text: &'a str,
    /// Whether the answer must not be shown.
    pub hidden: bool,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// The real ones.
    pub fn of_process() -> Self {
        let terminal = Terminal {
            stdin: io::stdin().is_terminal(),
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
            width: comfy_table::Table::new().width(),
        };
        Self {
            stdin: Box::new(io::stdin()),
            stdout: Box::new(io::BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            terminal,
            variable: Box::new(environment_variable),
            now: Box::new(system_time),
            ask: Box::new(ask_at_terminal),
            interrupt: Box::pin(async {
                if tokio::signal::ctrl_c().await.is_err() {
                    // No handler could be installed: Ctrl-C then ends the process, as it does everywhere.
                    std::future::pending::<()>().await;
                }
            }),
        }
    }

    /// An environment variable that says something.
    pub fn set_variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// Colour for the standard output.
    pub fn paint(&self) -> Paint {
        Paint(self.terminal.stdout && self.wants_colour())
    }

    /// Colour for the standard error.
    pub fn paint_errors(&self) -> Paint {
        Paint(self.terminal.stderr && self.wants_colour())
    }

    fn wants_colour(&self) -> bool {
        self.set_variable("NO_COLOR").is_none() && self.set_variable("TERM").as_deref() != Some("dumb")
    }

    /// A line for the person, on the standard error. A standard error that is closed is no reason to stop.
    pub fn note(&mut self, text: &str) {
        let line = format!("{}\n", crate::failure::clean(text));
        drop(self.stderr.write_all(line.as_bytes()).and_then(|()| self.stderr.flush()));
    }

    /// Asks, if somebody is there to answer.
    pub fn question(&mut self, text: &str, hidden: bool) -> Result<Option<SecretString>, Failure> {
        if !self.terminal.stdin {
            return Ok(None);
        }
        let answer = (self.ask)(Question { text, hidden });
        answer.map(Some).map_err(|error| Failure::Local(format!("cannot read the answer: {error}")))
    }

    /// The whole standard input, at most `limit` bytes of it, as text.
    pub fn read_stdin(&mut self, limit: u64) -> Result<String, Failure> {
        let mut text = String::new();
        let read = (&mut self.stdin).take(limit).read_to_string(&mut text);
        read.map_err(|error| Failure::Usage(format!("cannot read the standard input: {error}")))?;
        Ok(text)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the client has no config.rs of the server: this is its one place"
)]
fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the client's one clock, handed on as a value")]
fn system_time() -> DateTime<Utc> {
    Utc::now()
}

fn ask_at_terminal(question: Question<'_>) -> io::Result<SecretString> {
    if question.hidden {
        return rpassword::prompt_password(question.text).map(SecretString::from);
    }
    let mut stderr = io::stderr();
    stderr.write_all(question.text.as_bytes())?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned().into())
}
