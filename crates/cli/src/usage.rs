//! Parsing the arguments, and telling what was wrong with them; completion scripts.

use std::{ffi::OsString, process::ExitCode};

use clap::{ArgMatches, Command, error::ErrorKind};
use clap_complete::Shell;

use crate::{exit::Exit, failure::Failure, perform, surroundings::Surroundings};

/// Parses; where that fails, or help was asked for, prints it and returns the exit code.
pub fn parse(root: &Command, arguments: &[OsString]) -> Result<ArgMatches, ExitCode> {
    root.clone().try_get_matches_from(arguments).map_err(|error| {
        // What cannot be printed cannot be told; the code still says it.
        drop(error.print());
        if error.use_stderr() && error.kind() == ErrorKind::UnknownArgument {
            let text = flags_there_are(root, arguments);
            drop(std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()));
        }
        let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        exit.into()
    })
}

/// The flags of the command that the arguments lead to.
pub fn flags_there_are(root: &Command, arguments: &[OsString]) -> String {
    let mut root = root.clone();
    root.build();
    let mut command = &root;
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    for word in words.take_while(|word| !word.starts_with('-')) {
        match command.find_subcommand(word) {
            Some(inner) => command = inner,
            None => break,
        }
    }
    let flags: Vec<String> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
        .collect();
    let path: Vec<&str> = command.get_bin_name().unwrap_or("marquee").split_whitespace().collect();
    format!("\n`{}` takes: {}\n", path.join(" "), flags.join(", "))
}

/// Writes the completion script of a shell.
pub fn completions(
    root: &Command,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let shell = match perform::one(matches, "shell").as_deref() {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut root = root.clone();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root, "marquee", &mut script);
    Ok(surroundings.stdout.write_all(&script)?)
}
