//! The command line as a tree of commands: one command for each noun, one below it for each operation.

use clap::{Arg, ArgAction, Command, builder::PossibleValuesParser, value_parser};

use crate::{
    exit::Exit,
    login,
    nouns::{self, Noun},
    schema::{Field, Kind},
    secrets,
    spec::{Api, Operation, Parameter},
    times,
};

/// The whole client: `marquee` with everything that talks to a server.
pub fn command(api: &'static Api) -> Command {
    let mut root = Command::new("marquee")
        .about("One control plane for all your clouds")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(login::commands(api));
    for name in ordered_nouns(api) {
        root = root.subcommand(noun_command(api, name));
    }
    root.subcommand(completions()).subcommand(exit_codes())
}

/// Nouns of the presentation table first, in its order; then the others, in the document's.
fn ordered_nouns(api: &'static Api) -> Vec<&'static str> {
    let there = api.nouns();
    let known = nouns::NOUNS.iter().map(|noun| noun.name).filter(|name| there.contains(name));
    let others = there.iter().copied().filter(|name| nouns::find(name).is_none());
    known
        .chain(others)
        .filter(|noun| api.operations.iter().any(|o| o.noun == *noun && !login::claims(o)))
        .collect()
}

fn noun_command(api: &'static Api, name: &'static str) -> Command {
    let noun = nouns::find(name);
    let operations = api.operations.iter().filter(|o| o.noun == name && !login::claims(o));
    let taken: Vec<&str> = operations.clone().map(|operation| operation.verb.as_str()).collect();
    let unknown = || format!("The API's {}: {}", name.replace('-', " "), taken.join(", "));
    let about = noun.map_or_else(unknown, |noun| noun.about.to_owned());
    let mut command = Command::new(name).about(about).subcommand_required(true).arg_required_else_help(true);
    for operation in operations {
        command = command.subcommand(operation_command(api, operation, noun, &taken));
    }
    command.args(connection_args())
}

/// Words that people try for a verb; they work, unless the noun has such a verb itself.
const OTHER_WORDS: [(&str, &[&str]); 5] = [
    ("list", &["ls"]),
    ("show", &["get"]),
    ("add", &["create", "connect"]),
    ("remove", &["rm", "delete"]),
    ("wait", &["watch"]),
];

fn operation_command(
    api: &'static Api,
    operation: &'static Operation,
    noun: Option<&'static Noun>,
    taken: &[&str],
) -> Command {
    let mut command = Command::new(operation.verb.as_str()).about(about(operation));
    if !operation.description.is_empty() {
        command = command.long_about(format!("{}\n\n{}", about(operation), operation.description));
    }
    let words =
        OTHER_WORDS.iter().find(|(verb, _)| *verb == operation.verb).map_or(&[][..], |(_, words)| *words);
    for word in words.iter().filter(|word| !taken.contains(*word)) {
        command = command.visible_alias(*word);
    }
    let examples = noun.and_then(|noun| noun.examples.iter().find(|(verb, _)| *verb == operation.verb));
    if let Some((_, examples)) = examples {
        command = command.after_help(format!("Examples:\n{examples}"));
    }
    for (index, parameter) in operation.path_parameters.iter().enumerate() {
        command = command.arg(positional(operation, parameter, noun).index(index + 1));
    }
    command = command.args(body_args(operation, noun));
    for parameter in operation.query.iter().filter(|p| !is_handled(operation, &p.name)) {
        command = command.arg(query_flag(parameter));
    }
    command.args(shape_args(api, operation))
}

fn about(operation: &Operation) -> String {
    if operation.summary.is_empty() {
        format!("{} {}", operation.method, operation.path)
    } else {
        operation.summary.clone()
    }
}

/// Query parameters that a flag of the command line's own stands for.
fn is_handled(operation: &Operation, name: &str) -> bool {
    (operation.is_list && name == "limit") || (is_wait(operation) && name == "timeout_seconds")
}

/// Whether it is the operation that waits for another one.
pub fn is_wait(operation: &Operation) -> bool {
    operation.id == "operations.wait"
}

fn positional(
    operation: &'static Operation,
    parameter: &'static Parameter,
    noun: Option<&'static Noun>,
) -> Arg {
    let only = operation.path_parameters.len() == 1;
    let is_id = parameter.name == "id" || (only && parameter.help.is_empty());
    let (name, help) = match noun.and_then(|noun| noun.by_name) {
        Some(_) if is_id => ("NAME|ID", "Which one, by its name or its id"),
        _ if is_id && only => ("ID", "Which one, by its id"),
        _ => (parameter.name.as_str(), "Which one, by its id"),
    };
    let help = if parameter.help.is_empty() { help.to_owned() } else { parameter.help.clone() };
    let arg = Arg::new(parameter.key.as_str()).help(help).required(true);
    let arg = if let Kind::Choice(_) = parameter.kind { with_kind(arg, &parameter.kind) } else { arg };
    arg.value_name(leaked(name.to_uppercase()))
}

fn query_flag(parameter: &'static Parameter) -> Arg {
    let arg = Arg::new(parameter.key.as_str()).long(parameter.flag.as_str()).help(format!(
        "{}{}",
        parameter.help,
        times::hint(&parameter.kind)
    ));
    let arg = match &parameter.kind {
        Kind::Boolean { default: false } => return arg.action(ArgAction::SetTrue),
        kind => with_kind(arg, kind),
    };
    arg.required(parameter.required).action(if parameter.repeated {
        ArgAction::Append
    } else {
        ArgAction::Set
    })
}

fn with_kind(arg: Arg, kind: &Kind) -> Arg {
    match kind {
        Kind::Text(word) if *word == times::PLACEHOLDER => {
            arg.value_name(*word).value_parser(times::check).allow_hyphen_values(true)
        }
        Kind::Text(word) => arg.value_name(*word),
        Kind::Integer { minimum, maximum } => {
            let range = (*minimum).unwrap_or(i64::MIN)..=(*maximum).unwrap_or(i64::MAX);
            arg.value_name("N").value_parser(value_parser!(i64).range(range)).allow_negative_numbers(true)
        }
        Kind::Number => arg.value_name("N").value_parser(value_parser!(f64)).allow_negative_numbers(true),
        Kind::Boolean { .. } => arg
            .value_name("true|false")
            .value_parser(value_parser!(bool))
            .hide_possible_values(true)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Choice(values) => arg
            .value_name("WORD")
            .value_parser(PossibleValuesParser::new(values.clone().into_iter().map(leaked))),
        Kind::Pairs => arg.value_name("KEY=VALUE").action(ArgAction::Append),
        Kind::Pem => arg.value_name("PEM|@FILE").value_parser(pem).allow_hyphen_values(true),
        Kind::Json => arg.value_name("JSON|@FILE"),
    }
}

/// So that a flag whose value was forgotten does not take the next flag for it.
fn pem(text: &str) -> Result<String, String> {
    let well = text.starts_with('@') || text.trim_start().starts_with("-----BEGIN ");
    if well { Ok(text.to_owned()) } else { Err("write @FILE, or the PEM itself".to_owned()) }
}

/// The tree lives as long as the process; so may its few words.
fn leaked(text: String) -> &'static str {
    String::leak(text)
}

fn body_args(operation: &'static Operation, noun: Option<&'static Noun>) -> Vec<Arg> {
    let Some(body) = &operation.body else { return Vec::new() };
    // A replacement starts from what is there, so nothing is required of its flags.
    let needs_all = operation.method != "PUT";
    let mut args: Vec<Arg> = body
        .fields
        .iter()
        .filter(|field| !field.secret && !is_settled(field))
        .map(|field| {
            let settled = matches!(&field.kind, Kind::Choice(values) if values.len() == 1);
            let required = needs_all && field.required && field.when.is_empty() && !settled;
            let is_tag = body.fields.iter().any(|f| f.when.iter().any(|tag| tag.pointer == field.pointer));
            body_flag(field, required && !is_tag)
        })
        .collect();
    args.extend(secrets::args(body, noun));
    let long =
        "The whole body as JSON, from a file or, with -, from the standard input; flags change parts of it";
    args.push(Arg::new("body").long("body").value_name("FILE|-").help(long));
    if operation.method != "POST" {
        let names: Vec<&'static str> =
            body.fields.iter().filter(|f| !f.secret && !f.required).map(|f| f.flag.as_str()).collect();
        if !names.is_empty() {
            let help = "Takes a value away, so that the default holds; by the name of its flag";
            let parser = PossibleValuesParser::new(names);
            args.push(
                Arg::new("clear")
                    .long("clear")
                    .value_name("FLAG")
                    .help(help)
                    .value_parser(parser)
                    .hide_possible_values(true)
                    .action(ArgAction::Append),
            );
        }
    }
    args
}

/// Whether there is nothing to choose: the only form that something nested has.
fn is_settled(field: &Field) -> bool {
    field.pointer.len() > 1 && matches!(&field.kind, Kind::Choice(values) if values.len() == 1)
}

fn body_flag(field: &'static Field, required: bool) -> Arg {
    let mut arg = Arg::new(field.key.as_str()).long(field.flag.as_str());
    arg = with_kind(arg, &field.kind).help(help_of(field));
    if field.repeated {
        arg = arg.action(ArgAction::Append);
    }
    if field.repeated && matches!(field.kind, Kind::Choice(_)) {
        arg = arg.value_delimiter(',');
    }
    if required {
        arg = arg
            .required_unless_present("body")
            .help(format!("{} [required]", help_of(field)).trim().to_owned());
    }
    arg
}

fn help_of(field: &Field) -> String {
    let mut help = format!("{}{}", field.help, times::hint(&field.kind));
    if let Kind::Boolean { default: true } = field.kind {
        help.push_str(" (on unless =false)");
    }
    if let Kind::Integer { minimum: Some(minimum), maximum: Some(maximum) } = field.kind
        && !help.contains(&maximum.to_string())
    {
        help = format!("{help} ({minimum} to {maximum})");
    }
    if let [only] = &field.when[..] {
        help.push_str(" (only for ");
        help.push_str(&only.value);
        help.push(')');
    }
    help.trim().to_owned()
}

/// The flags that come with the shape of an operation: lists, versions, operations that go on.
fn shape_args(api: &Api, operation: &Operation) -> Vec<Arg> {
    let mut args = Vec::new();
    if operation.is_list {
        args.push(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("How many at most (default: one page of 50)"),
        );
        args.push(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with("limit")
                .help("All of them, page after page"),
        );
    }
    if operation.method == "GET" || operation.is_list {
        args.push(
            Arg::new("columns")
                .long("columns")
                .value_name("A,B")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("Which columns, by the names of the JSON output; dots go into objects"),
        );
    }
    if operation.takes_if_match
        || (operation.method != "POST" && api.reader_of(operation).is_some_and(|r| r.id != operation.id))
    {
        args.push(
            Arg::new("if-match")
                .long("if-match")
                .value_name("ETAG")
                .help("Only if it is still this version (default: the version it has now)"),
        );
    }
    if operation.takes_idempotency_key {
        args.push(
            Arg::new("idempotency-key")
                .long("idempotency-key")
                .value_name("TEXT")
                .help("Makes it safe to run again: the same key does it once (default: a new key)"),
        );
    }
    if operation.method == "DELETE" || operation.plans {
        let help = if operation.plans {
            "Do not show the plan and ask (what cannot be undone needs it where there is no terminal)"
        } else {
            "Do not ask (nobody is asked where there is no terminal)"
        };
        args.push(Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue).help(help));
    }
    if operation.starts_operation {
        args.push(
            Arg::new("wait")
                .long("wait")
                .action(ArgAction::SetTrue)
                .help("Wait until it is done (the default on a terminal)"),
        );
        args.push(
            Arg::new("no-wait")
                .long("no-wait")
                .action(ArgAction::SetTrue)
                .conflicts_with("wait")
                .help("Only start it (the default in a pipe)"),
        );
    }
    if operation.starts_operation || is_wait(operation) {
        args.push(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64))
                .help("Stop waiting after this time; the operation goes on"),
        );
    }
    args
}

/// Where the server is and how results are shown: the same for every command.
pub fn connection_args() -> Vec<Arg> {
    let heading = "Connection and output";
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).global(true).help_heading(heading)
    };
    vec![
        text("url", "URL", "The server (MARQUEE_URL, then the current login)"),
        text("context", "NAME", "Which stored login to use (MARQUEE_CONTEXT)"),
        text("ca-certificate", "FILE", "Certificates to trust besides the system's (MARQUEE_CA_CERTIFICATE)"),
        text("output", "FORMAT", "How results are shown")
            .short('o')
            .value_parser(PossibleValuesParser::new(["table", "json", "csv"]))
            .default_value("table"),
        Arg::new("verbose")
            .long("verbose")
            .short('v')
            .action(ArgAction::SetTrue)
            .global(true)
            .help_heading(heading)
            .help("Show each request and its id on the standard error"),
    ]
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print a completion script for a shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .help("Which shell")
                .value_parser(PossibleValuesParser::new(["bash", "zsh", "fish"])),
        )
        .after_help(
            "Examples:
  marquee completions bash > ~/.local/share/bash-completion/completions/marquee
  marquee completions zsh > ~/.zfunc/_marquee
  marquee completions fish > ~/.config/fish/completions/marquee.fish",
        )
}

/// A topic of the help rather than a command: `marquee help exit-codes` and `marquee exit-codes` show the table.
fn exit_codes() -> Command {
    let text = format!("The exit codes of the client commands:\n\n{}", Exit::table());
    Command::new("exit-codes")
        .about("The exit codes, for scripts")
        .long_about(text)
        .help_template("{about}\n")
}
