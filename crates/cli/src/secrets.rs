//! How secrets come in: from a file, the standard input, the environment or a hidden prompt; never as an argument,
//! where the process list and the shell's history would show them.

use std::fs;

use clap::{Arg, ArgAction, ArgMatches};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::{
    body,
    failure::Failure,
    naming,
    nouns::Noun,
    perform,
    schema::{Field, Kind},
    spec::{Body, Operation},
    surroundings::Surroundings,
};

/// The largest file of credentials.
const LARGEST: u64 = 64 * 1024;

/// The first names of all places that hold secrets: `password`, `credentials`.
pub fn groups(body: &Body) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for field in body.fields.iter().filter(|field| field.secret) {
        if let Some(first) = field.pointer.first().filter(|first| !found.contains(&first.as_str())) {
            found.push(first);
        }
    }
    found
}

/// The flags that say where the secrets come from.
pub fn args(body: &Body, noun: Option<&'static Noun>) -> Vec<Arg> {
    let mut args = Vec::new();
    for group in groups(body) {
        let flag = naming::kebab(group);
        let names = variable_names(body, noun, group);
        let words = flag.replace('-', " ");
        args.push(
            Arg::new(format_static("secret-file", group))
                .long(format_static("file", &flag))
                .value_name("FILE|-")
                .help(format!("Take the {words} from a file or, with -, from the standard input")),
        );
        args.push(
            Arg::new(format_static("secret-prompt", group))
                .long(format_static("prompt", &flag))
                .action(ArgAction::SetTrue)
                .help(format!("Ask for the {words} without an echo")),
        );
        if !names.is_empty() {
            args.push(
                Arg::new(format_static("secret-env", group))
                    .long(format_static("env", &flag))
                    .action(ArgAction::SetTrue)
                    .help(format!("Take the {words} from {}", names.join(", "))),
            );
        }
    }
    args
}

/// `secret-file:credentials` as an id, `credentials-file` as a flag. The tree lives as long as the process.
fn format_static(what: &str, group: &str) -> &'static str {
    let text =
        if what.starts_with("secret-") { format!("{what}:{group}") } else { format!("{group}-{what}") };
    String::leak(text)
}

/// Places of a group and the variables they are taken from: those of the table of nouns, then those of the document.
fn variables(body: &Body, noun: Option<&'static Noun>, group: &str) -> Vec<(String, String)> {
    let known = noun.map_or(&[][..], |noun| noun.secret_variables).iter();
    let known = known.map(|(place, name)| ((*place).to_owned(), (*name).to_owned()));
    let told =
        body.fields.iter().filter_map(|field| Some((field.pointer.join("."), field.variable.clone()?)));
    let inside =
        |place: &str| place.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    known.chain(told).filter(|(place, _)| inside(place)).collect()
}

fn variable_names(body: &Body, noun: Option<&'static Noun>, group: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (_, name) in variables(body, noun, group) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Puts the secrets into a body. A change of something that exists takes only those that were asked for.
pub fn fill(
    target: &mut Value,
    operation: &Operation,
    noun: Option<&'static Noun>,
    matches: &ArgMatches,
    surroundings: &mut Surroundings,
) -> Result<(), Failure> {
    let Some(described) = &operation.body else { return Ok(()) };
    for group in groups(described) {
        let for_a_program = perform::one(matches, "output").is_some_and(|format| format != "table");
        let mut task =
            Fill { operation, body: described, group, noun, for_a_program, surroundings: &mut *surroundings };
        task.run(target, matches)?;
    }
    Ok(())
}

struct Fill<'a> {
    operation: &'a Operation,
    body: &'a Body,
    group: &'a str,
    noun: Option<&'static Noun>,
    /// Whether the answer is for a program rather than for a person.
    for_a_program: bool,
    surroundings: &'a mut Surroundings,
}

impl Fill<'_> {
    fn run(&mut self, target: &mut Value, matches: &ArgMatches) -> Result<(), Failure> {
        let wants = |what: &str| {
            let id = format!("{what}:{}", self.group);
            matches.try_get_one::<bool>(&id).ok().flatten().copied().unwrap_or(false)
        };
        let (prompt, env) = (wants("secret-prompt"), wants("secret-env"));
        let file = matches.try_get_one::<String>(&format!("secret-file:{}", self.group)).ok().flatten();
        if let Some(file) = file {
            return self.take_file(target, file);
        }
        if env || self.by_default(target) && !prompt && self.variables_are_set(target) {
            return self.take_variables(target);
        }
        if prompt || self.by_default(target) {
            return self.ask(target);
        }
        Ok(())
    }

    /// Whether they are needed although nobody said where they come from.
    fn by_default(&self, target: &Value) -> bool {
        let creates = self.operation.method == "POST";
        creates && !self.missing(target).is_empty()
    }

    /// The required secrets that the body lacks, in the form it takes.
    fn missing(&self, target: &Value) -> Vec<&Field> {
        let inside = self
            .body
            .fields
            .iter()
            .filter(|f| f.secret && f.pointer.first().is_some_and(|p| p == self.group));
        inside
            .filter(|f| f.required && body::counts(f, target) && body::at(target, &f.pointer).is_none())
            .collect()
    }

    fn variables_are_set(&self, target: &Value) -> bool {
        let known = variables(self.body, self.noun, self.group);
        let set = |field: &Field| {
            let place = field.pointer.join(".");
            let variable = known.iter().find(|(of, _)| *of == place);
            variable.is_some_and(|(_, name)| self.surroundings.set_variable(name).is_some())
        };
        !known.is_empty() && self.missing(target).into_iter().all(set)
    }

    fn take_variables(&mut self, target: &mut Value) -> Result<(), Failure> {
        let mut used = Vec::new();
        body::settle_group(target, self.body, self.group, self.noun);
        for (place, name) in variables(self.body, self.noun, self.group) {
            let field = self.body.fields.iter().find(|field| field.pointer.join(".") == place);
            let Some(field) = field.filter(|field| body::counts(field, target)) else { continue };
            if let Some(value) = self.surroundings.set_variable(&name) {
                body::set(target, &field.pointer, Value::String(value));
                used.push(name);
            }
        }
        body::settle_tags(target, self.body, self.noun);
        if used.is_empty() {
            let names = variable_names(self.body, self.noun, self.group).join(", ");
            return Err(Failure::Usage(format!("none of {names} is set")));
        }
        self.surroundings.note(&format!("using the {} of {}", self.group, used.join(", ")));
        Ok(())
    }

    fn ask(&mut self, target: &mut Value) -> Result<(), Failure> {
        body::settle_group(target, self.body, self.group, self.noun);
        let wanted: Vec<Field> = self.missing(target).into_iter().cloned().collect();
        if !wanted.is_empty() {
            self.guide(target);
        }
        for field in wanted {
            let name = field.pointer.last().map_or("", String::as_str).replace('_', " ");
            let mut words = name.clone();
            if let Some(first) = words.get_mut(0..1) {
                first.make_ascii_uppercase();
            }
            let Some(answer) = self.surroundings.question(&format!("{words}: "), true)? else {
                return Err(Failure::Usage(self.no_source(&name, target)));
            };
            if answer.expose_secret().is_empty() {
                return Err(Failure::Usage(format!("no {name} was given")));
            }
            body::set(target, &field.pointer, Value::String(answer.expose_secret().to_owned()));
        }
        Ok(())
    }

    /// Tells a person how to come by what is asked for.
    fn guide(&mut self, target: &Value) {
        let terminal = &self.surroundings.terminal;
        if !(terminal.stdin && terminal.stderr) || self.for_a_program {
            return;
        }
        let known = self.noun.map_or(&[][..], |noun| noun.guidance);
        let holds = |(field, value): (&str, &str)| target.get(field).and_then(Value::as_str) == Some(value);
        if let Some((_, lines)) = known.iter().find(|(condition, _)| holds(*condition)) {
            self.surroundings.note(lines);
        } else if let (Some(((field, _), _)), Some(noun)) = (known.first(), self.noun) {
            let value = target.get(field).and_then(Value::as_str).unwrap_or_default();
            self.surroundings.note(&format!("What it must be allowed: marquee {} policy {value}", noun.name));
        }
    }

    /// Where the secret could come from: of the variables only those that this form of the group has.
    fn no_source(&self, name: &str, target: &Value) -> String {
        let flag = naming::kebab(self.group);
        let counts = |place: &str| {
            let mut fields = self.body.fields.iter().filter(|field| field.pointer.join(".") == place);
            fields.any(|field| body::counts(field, target))
        };
        let known = variables(self.body, self.noun, self.group);
        let names: Vec<_> =
            known.into_iter().filter(|(place, _)| counts(place)).map(|(_, name)| name).collect();
        let environment =
            if names.is_empty() { String::new() } else { format!(" or set {}", names.join(", ")) };
        format!(
            "the {name} is missing and there is no terminal to ask on: use --{flag}-file FILE|-{environment}"
        )
    }

    fn take_file(&mut self, target: &mut Value, file: &str) -> Result<(), Failure> {
        let text = read(file, self.surroundings)?;
        let whole = self.body.fields.iter().find(|f| f.pointer.len() == 1 && f.pointer[0] == self.group);
        if let Some(field) = whole.filter(|field| matches!(field.kind, Kind::Text(_))) {
            let line = text.expose_secret().trim_end_matches(['\r', '\n']);
            body::set(target, &field.pointer, Value::String(line.to_owned()));
            return Ok(());
        }
        let Some(parts) = parse_parts(text.expose_secret()) else {
            let form = "a JSON object or lines of the form `name = value`";
            return Err(Failure::Usage(format!(
                "the {} in {file} are not understood: {form} are expected",
                self.group
            )));
        };
        match parts {
            Parts::Object(map) => {
                let places = map.into_iter().map(|(name, value)| (vec![self.group.to_owned(), name], value));
                places.for_each(|(place, value)| body::set(target, &place, value));
            }
            Parts::Lines(lines) => {
                body::settle_group(target, self.body, self.group, self.noun);
                for (name, value) in lines {
                    let place = self.place_of(&name, target).ok_or_else(|| {
                        Failure::Usage(format!("`{name}` in {file} is no part of the {}", self.group))
                    })?;
                    body::set(target, &place, Value::String(value));
                }
            }
        }
        body::settle_group(target, self.body, self.group, self.noun);
        Ok(())
    }

    /// Where a line of a credentials file belongs in the form that the body takes: a role's own keys stand one
    /// level deeper than plain ones.
    fn place_of(&self, name: &str, target: &Value) -> Option<Vec<String>> {
        let inside =
            self.body.fields.iter().filter(|f| f.pointer.first().is_some_and(|first| first == self.group));
        let mut counting = inside.filter(|field| body::counts(field, target));
        let found = counting.find(|field| field.pointer.last().is_some_and(|last| last == name));
        found.map(|field| field.pointer.clone())
    }
}

/// A file or, for `-`, the standard input.
pub fn read(file: &str, surroundings: &mut Surroundings) -> Result<SecretString, Failure> {
    if file == "-" {
        return surroundings.read_stdin(LARGEST).map(SecretString::from);
    }
    let unreadable = |what: String| Failure::Usage(format!("cannot read {file}: {what}"));
    let size = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if size > LARGEST {
        return Err(unreadable(format!("it has {size} bytes; 64 KiB are the most")));
    }
    fs::read_to_string(file).map(SecretString::from).map_err(|error| unreadable(error.to_string()))
}

/// What a file of credentials holds.
enum Parts {
    /// The API's own form.
    Object(Map<String, Value>),
    /// Names and values.
    Lines(Vec<(String, String)>),
}

/// A JSON object, or the lines of the first section of the AWS command line's credentials file.
fn parse_parts(text: &str) -> Option<Parts> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).ok().map(Parts::Object);
    }
    let mut lines = Vec::new();
    let mut sections = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if line.starts_with('[') {
            sections += 1;
            continue;
        }
        let (name, value) = line.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        if sections <= 1 {
            lines.push((name.strip_prefix("aws_").unwrap_or(&name).to_owned(), value.trim().to_owned()));
        }
    }
    if lines.is_empty() { None } else { Some(Parts::Lines(lines)) }
}
