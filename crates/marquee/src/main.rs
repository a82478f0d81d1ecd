//! The one binary: the server's commands, and the client's, in one tree.
//!
//! `serve`, `work`, `migrate`, `demo`, `simulate`, `admin` and `config` are here; everything else is the client's
//! (`marquee-cli`) and talks to a server over HTTP.

mod admin;
mod demo;
mod server;
mod simulate;

use std::{io::Write as _, process::ExitCode};

use clap::{ArgMatches, FromArgMatches as _, Subcommand as _};

use server::ServerCommand;

/// Gives memory back after a peak, which the system's allocator does not. Without huge pages, of which one small thing
/// that stays keeps the whole two megabytes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // For this process and the PostgreSQL it starts. Where it is not permitted, or there are none, nothing is wrong: at
    // worst it needs more memory.
    #[cfg(target_os = "linux")]
    let _switched_off = rustix::thread::disable_transparent_huge_pages(true);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail("the TLS provider was installed twice");
    }
    let root = root();
    let matches = match marquee_cli::parse(&root, std::env::args_os()) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    runtime.block_on(run(&root, &matches))
}

/// The whole tree of commands.
pub(crate) fn root() -> clap::Command {
    ServerCommand::augment_subcommands(marquee_cli::command())
}

async fn run(root: &clap::Command, matches: &ArgMatches) -> ExitCode {
    if matches.subcommand_name().is_some_and(marquee_cli::is_client_command) {
        return marquee_cli::run(root, matches).await;
    }
    let command = match ServerCommand::from_arg_matches(matches) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    match command.run(root).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}")),
    }
}

/// Says why on standard error. If even that is closed, the exit code has to do.
fn fail(reason: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "error: {reason}"));
    ExitCode::FAILURE
}
