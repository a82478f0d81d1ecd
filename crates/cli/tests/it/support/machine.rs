//! A machine of its own for each test: home folder, environment, terminal, streams.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use marquee_cli::{Client, Exit, Surroundings, Terminal};
use tempfile::TempDir;

/// What a command is run on.
pub struct Machine {
    pub home: TempDir,
    pub variables: BTreeMap<String, String>,
    pub stdin: Vec<u8>,
    pub terminal: Terminal,
    /// What the person answers, in order; the questions are checked.
    pub answers: Vec<(&'static str, bool, &'static str)>,
    pub interrupt: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether nobody reads the standard output.
    pub closed_pipe: bool,
    /// What drives the command line: the stand-in document, unless said.
    pub client: Client,
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Fails with everything that was written unless it ended so.
    pub fn expect(self, exit: Exit) -> Self {
        assert_eq!(self.exit, exit, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl Machine {
    /// A machine in a pipe, logged in to nothing, whose server is at `url`.
    pub fn new(url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut variables = BTreeMap::new();
        variables.insert("HOME".to_owned(), home.path().to_str().unwrap().to_owned());
        variables.insert("MARQUEE_URL".to_owned(), url.to_owned());
        variables.insert("MARQUEE_TOKEN".to_owned(), "planted-token-1f9c".to_owned());
        Self {
            home,
            variables,
            stdin: Vec::new(),
            terminal: Terminal::default(),
            answers: Vec::new(),
            interrupt: None,
            closed_pipe: false,
            client: super::client(),
        }
    }

    /// The same with a person in front of it.
    pub fn with_terminal(url: &str) -> Self {
        let terminal = Terminal { stdin: true, stdout: true, stderr: false, width: Some(100) };
        let mut machine = Self { terminal, ..Self::new(url) };
        machine.set("NO_COLOR", "1");
        machine
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    pub fn credentials_file(&self) -> PathBuf {
        self.home.path().join(".config/marquee/credentials.toml")
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `marquee` with these arguments.
    pub async fn run(&mut self, arguments: &[&str]) -> Outcome {
        let client = self.client;
        let root = client.command();
        let all = std::iter::once("marquee").chain(arguments.iter().copied());
        let matches = match root.clone().try_get_matches_from(all) {
            Ok(matches) => matches,
            Err(error) => {
                let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
                return Outcome { exit, stdout: String::new(), stderr: error.to_string() };
            }
        };
        let (stdout, stderr) = (Sink::default(), Sink::default());
        let answers = Arc::new(Mutex::new(std::mem::take(&mut self.answers).into_iter()));
        let variables = self.variables.clone();
        let mut surroundings = Surroundings {
            stdin: Box::new(io::Cursor::new(std::mem::take(&mut self.stdin))),
            stdout: if self.closed_pipe { Box::new(Closed) } else { Box::new(stdout.clone()) },
            stderr: Box::new(stderr.clone()),
            terminal: self.terminal,
            variable: Box::new(move |name| variables.get(name).cloned()),
            now: Box::new(now),
            ask: Box::new(move |question| {
                let (text, hidden, answer) =
                    answers.lock().unwrap().next().expect("a question nobody expected");
                assert_eq!((question.text, question.hidden), (text, hidden));
                Ok(answer.to_owned().into())
            }),
            interrupt: self.interrupt.take().unwrap_or_else(|| Box::pin(std::future::pending())),
        };
        let exit = client.run(&root, &matches, &mut surroundings).await;
        Outcome { exit, stdout: stdout.text(), stderr: stderr.text() }
    }
}

/// The time on every machine.
pub fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-06-20T18:00:00Z").unwrap().to_utc()
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}
