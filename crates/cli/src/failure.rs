//! What can go wrong, how it is told, and the exit code that goes with it.

use std::{fmt::Write as _, io};

use serde_json::Value;

use crate::{exit::Exit, paint::Paint};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong in a way that only shows when it is carried out.
    Usage(String),
    /// Something on this machine failed: a file, the terminal.
    Local(String),
    /// The output could not be written; a closed pipe is no error to the person who closed it.
    Output(io::Error),
    /// No server answered.
    Unreachable {
        /// What happened.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Something answered that is not Marquee.
    NotMarquee {
        /// What came instead.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Nothing has the name that was given.
    NoSuchName {
        /// What was looked for.
        what: String,
        /// What there is.
        hint: String,
    },
    /// The server refused.
    Problem {
        /// The HTTP status.
        status: u16,
        /// The `application/problem+json` body.
        problem: Value,
        /// Which flag stands for a place of the body: JSON pointer and flag.
        flags: Vec<(String, String)>,
        /// What to do.
        hint: Option<String>,
    },
    /// The operation that was waited for did not succeed; it has been shown already.
    Operation {
        /// One sentence.
        what: String,
        /// Which code it is.
        exit: Exit,
    },
    /// The server's answer says that what was asked for is not well.
    NotWell(String),
    /// Ctrl-C, with what to tell.
    Interrupted(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// The code of the process.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Self::Local(_) | Self::NotMarquee { .. } | Self::Output(_) => Exit::Failure,
            Self::Unreachable { .. } => Exit::Unavailable,
            Self::NoSuchName { .. } => Exit::NotFound,
            Self::Problem { status, .. } => Exit::of_status(*status),
            Self::Operation { exit, .. } => *exit,
            Self::NotWell(_) => Exit::CloudFailed,
            Self::Interrupted(_) => Exit::Interrupted,
        }
    }

    /// The lines for the standard error; nothing for a pipe that was closed.
    pub fn report(&self, paint: Paint) -> String {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => String::new(),
            Self::Output(error) => headline(paint, &format!("cannot write the output: {error}")),
            Self::Usage(what) | Self::Local(what) | Self::Operation { what, .. } | Self::NotWell(what) => {
                headline(paint, what)
            }
            Self::Unreachable { what, hint }
            | Self::NotMarquee { what, hint }
            | Self::NoSuchName { what, hint } => {
                format!("{}{}", headline(paint, what), hint_line(hint))
            }
            Self::Problem { status, problem, flags, hint } => {
                report_problem(paint, *status, problem, flags, hint.as_deref())
            }
            Self::Interrupted(what) => format!("{}\n", clean(what)),
        }
    }
}

fn headline(paint: Paint, what: &str) -> String {
    format!("{} {}\n", paint.bad("error:"), clean(what))
}

fn hint_line(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("  hint: {}\n", clean(hint)) }
}

fn report_problem(
    paint: Paint,
    status: u16,
    problem: &Value,
    flags: &[(String, String)],
    hint: Option<&str>,
) -> String {
    let text = |key: &str| problem.get(key).and_then(Value::as_str).unwrap_or_default();
    let title = if text("title").is_empty() { "The server refused" } else { text("title") };
    let code = if text("code").is_empty() { String::new() } else { format!(" {}", text("code")) };
    let mut out = headline(paint, &format!("{title} ({status}{code})"));
    let first = problem.pointer("/errors/0").map(|error| {
        let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{}: {}", part("pointer"), part("detail"))
    });
    // Where it only repeats the one wrong place, the line of that place is enough: it also names the flag.
    if !text("detail").is_empty() && first.as_deref() != Some(text("detail")) {
        let _ = writeln!(out, "  {}", clean(text("detail")));
    }
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "  {}: {}", clean(&place(part("pointer"), flags)), clean(part("detail")));
    }
    if let Some(cloud) = problem.get("cloud").filter(|cloud| cloud.is_object()) {
        let _ = writeln!(out, "  cloud: {}", clean(&cloud_words(cloud)));
    }
    if !text("request_id").is_empty() {
        let _ = writeln!(out, "  request: {}", clean(text("request_id")));
    }
    out + &hint.map(hint_line).unwrap_or_default()
}

/// The flag that stands for a place, with the place; a place in a list stands for its flag too.
fn place(pointer: &str, flags: &[(String, String)]) -> String {
    if let Some(parameter) = pointer.strip_prefix('?') {
        let known = flags.iter().find(|(from, _)| from == pointer);
        return known.map_or_else(|| format!("?{parameter}"), |(_, flag)| flag.clone());
    }
    let covers = |from: &str| pointer == from || pointer.starts_with(&format!("{from}/"));
    let found = flags.iter().filter(|(from, _)| covers(from)).max_by_key(|(from, _)| from.len());
    found.map_or_else(|| pointer.to_owned(), |(_, flag)| format!("{flag} ({pointer})"))
}

/// What a cloud said, in a line.
pub fn cloud_words(cloud: &Value) -> String {
    let text = |key: &str| cloud.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{} {}", text("cloud"), text("operation"));
    if !text("region").is_empty() {
        let _ = write!(line, " in {}", text("region"));
    }
    let code = if text("code").is_empty() { text("kind") } else { text("code") };
    let _ = write!(line, ": {code}");
    if !text("request_id").is_empty() {
        let _ = write!(line, " (request {})", text("request_id"));
    }
    if let Some(helps) = cloud.get("retry_helps").and_then(Value::as_bool) {
        line.push_str(if helps { "; trying again may help" } else { "; trying again will not help" });
    }
    line
}

/// Text from elsewhere, made harmless for a terminal: no control characters, so no escape sequences.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_stands_for_its_flag() {
        let flags = vec![
            ("/settings".to_owned(), "--settings".to_owned()),
            ("/settings/regions".to_owned(), "--region".to_owned()),
        ];
        assert_eq!(place("/settings/regions/0", &flags), "--region (/settings/regions/0)");
        assert_eq!(place("/settings_more", &flags), "/settings_more");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\tc"), "a\u{fffd}[31mb\u{fffd}c");
    }
}
