//! The client commands of `marquee`: they talk to a server over HTTP and know of the API only what its OpenAPI
//! document says.
//!
//! Reading order: [`spec`] and [`schema`] read the document; [`naming`] and [`nouns`] say how things are called and
//! shown; [`tree`] makes the command line of them. A command is carried out by [`perform`], which finds things by
//! name ([`names`]), builds a body ([`body`], [`secrets`]), sends it ([`http`], with [`contexts`] for where and who), waits ([`wait`]) and writes the
//! result ([`output`]). [`surroundings`] is the machine, as a value; [`failure`] and [`exit`] are how it can end.
//!
//! What is absent: wire types. An operation that is added to the API is a command in the next build.

use std::{collections::BTreeSet, ffi::OsString, process::ExitCode, sync::OnceLock};

use clap::{ArgMatches, Command};

mod body;
mod contexts;
mod exit;
mod failure;
mod http;
mod login;
mod names;
mod naming;
mod nouns;
mod output;
mod paint;
mod perform;
mod plan;
mod schema;
mod secrets;
mod spec;
mod steps;
mod surroundings;
mod times;
mod tree;
mod usage;
mod wait;

pub use exit::Exit;
pub use failure::Failure;
pub use spec::{Api, SpecError};
pub use surroundings::{Question, Surroundings, Terminal};
pub use usage::flags_there_are;

/// The description of the API that this build was made with.
static DOCUMENT: &str = include_str!("../../../openapi.json");

/// The client for one description of the API.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    api: &'static Api,
}

impl Client {
    /// The client for this build's own API.
    pub fn embedded() -> Result<Self, Failure> {
        static API: OnceLock<Api> = OnceLock::new();
        if let Some(api) = API.get() {
            return Ok(Self { api });
        }
        let read = Api::parse(DOCUMENT).map_err(|error| Failure::Local(error.to_string()))?;
        Ok(Self { api: API.get_or_init(|| read) })
    }

    /// The client for another description; it is kept for the life of the process.
    pub fn for_document(text: &str) -> Result<Self, SpecError> {
        Ok(Self { api: Box::leak(Box::new(Api::parse(text)?)) })
    }

    /// `marquee` with all client commands; a binary adds its own.
    pub fn command(&self) -> Command {
        tree::command(self.api)
    }

    /// The ids of all operations that a command carries out: read off the tree of commands, not off the document.
    pub fn reachable_operations(&self) -> BTreeSet<String> {
        let root = self.command();
        let mut found = BTreeSet::new();
        for noun in root.get_subcommands() {
            for verb in noun.get_subcommands() {
                found.extend(self.api.by_command(noun.get_name(), verb.get_name()).map(|o| o.id.clone()));
            }
        }
        found.extend(login::carried_out(self.api));
        found
    }

    /// Carries out a command. `root` is the whole tree, for the completions.
    pub async fn run(&self, root: &Command, matches: &ArgMatches, surroundings: &mut Surroundings) -> Exit {
        let result = self.dispatch(root, matches, surroundings).await;
        let result = result.and_then(|()| Ok(surroundings.stdout.flush()?));
        let Err(failure) = result else { return Exit::Ok };
        // Where even the standard error is closed there is nobody left to tell; the exit code still says it.
        drop(surroundings.stdout.flush());
        let report = failure.report(surroundings.paint_errors());
        drop(surroundings.stderr.write_all(report.as_bytes()).and_then(|()| surroundings.stderr.flush()));
        failure.exit()
    }

    async fn dispatch(
        &self,
        root: &Command,
        matches: &ArgMatches,
        surroundings: &mut Surroundings,
    ) -> Result<(), Failure> {
        let Some((name, inner)) = matches.subcommand() else {
            return Err(Failure::Usage("no command was given".into()));
        };
        match name {
            "completions" => return usage::completions(root, inner, surroundings),
            "exit-codes" => return Ok(surroundings.stdout.write_all(Exit::table().as_bytes())?),
            _ => {}
        }
        if let Some(result) = login::run(self.api, name, inner, surroundings).await {
            return result;
        }
        let found =
            inner.subcommand().and_then(|(verb, flags)| Some((self.api.by_command(name, verb)?, flags)));
        let Some((operation, flags)) = found else {
            return Err(Failure::Usage(format!("`{name}` is no client command")));
        };
        perform::perform(self.api, operation, flags, surroundings).await
    }
}

/// `marquee` with all client commands, to which the binary adds its own.
pub fn command() -> Command {
    match Client::embedded() {
        Ok(client) => client.command(),
        // A test keeps this from being released: the document is part of the build.
        Err(failure) => Command::new("marquee").after_help(failure.report(paint::Paint(false))),
    }
}

/// Whether a command of the top level is one of the client's.
pub fn is_client_command(name: &str) -> bool {
    command().get_subcommands().any(|command| command.get_name() == name)
}

/// Carries out a client command on the real terminal. `root` is the whole tree, for the completions.
pub async fn run(root: &Command, matches: &ArgMatches) -> ExitCode {
    let mut surroundings = Surroundings::of_process();
    match Client::embedded() {
        Ok(client) => client.run(root, matches, &mut surroundings).await.into(),
        Err(failure) => {
            surroundings.note(&failure.report(paint::Paint(false)));
            failure.exit().into()
        }
    }
}

/// The ids of all operations of the API that a command carries out.
pub fn reachable_operations() -> BTreeSet<String> {
    Client::embedded().map(|client| client.reachable_operations()).unwrap_or_default()
}

/// Parses the arguments; help and mistakes are told (a wrong flag with those there are) and end in an exit code.
pub fn parse(root: &Command, arguments: impl IntoIterator<Item = OsString>) -> Result<ArgMatches, ExitCode> {
    usage::parse(root, &arguments.into_iter().collect::<Vec<_>>())
}
