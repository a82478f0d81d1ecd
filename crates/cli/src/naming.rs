//! What the operations and their fields are called on the command line.
//!
//! The document's own words, in kebab case, unless the presentation table ([`crate::nouns`]) has a better one. A
//! name that the command line needs for itself (`--url`, `--output` …) is given way to.

use crate::{
    nouns::{self, Noun},
    spec::{Api, Operation},
};

/// Flags that every command or every command of a shape has of its own.
pub const RESERVED: [&str; 17] = [
    "url",
    "context",
    "output",
    "ca-certificate",
    "verbose",
    "help",
    "body",
    "all",
    "columns",
    "if-match",
    "idempotency-key",
    "yes",
    "wait",
    "no-wait",
    "timeout",
    "clear",
    "version",
];

/// `api_keys` → `api-keys`.
pub fn kebab(name: &str) -> String {
    name.replace(['_', '.'], "-")
}

/// Renames what the presentation table names otherwise, and what would collide.
pub fn apply(api: &mut Api) {
    for operation in &mut api.operations {
        let noun = nouns::find(&operation.noun);
        rename_verb(operation, noun);
        let renames = noun.map_or(&[][..], |noun| noun.flags);
        let singular = noun.map_or_else(
            || operation.noun.trim_end_matches('s').to_owned(),
            |noun| noun.singular.replace(' ', "-"),
        );
        for parameter in operation.path_parameters.iter_mut().chain(&mut operation.query) {
            rename(&mut parameter.flag, &parameter.name, renames, &singular);
        }
        for field in operation.body.iter_mut().flat_map(|body| &mut body.fields) {
            let named = rename(&mut field.flag, &field.pointer.join("."), renames, &singular);
            // What the table gives a flag is public, although what lies around it is not.
            field.secret &= !(named && field.secret_by_place);
        }
    }
}

fn rename_verb(operation: &mut Operation, noun: Option<&Noun>) {
    let renamed = noun.into_iter().flat_map(|noun| noun.verbs).find(|(from, _)| *from == operation.verb);
    if let Some((_, to)) = renamed {
        (*to).clone_into(&mut operation.verb);
    }
}

/// Whether the table has a name for it.
fn rename(flag: &mut String, name: &str, renames: &[(&str, &str)], singular: &str) -> bool {
    let named = renames.iter().find(|(from, _)| *from == name);
    if let Some((_, to)) = named {
        (*to).clone_into(flag);
    }
    if RESERVED.contains(&flag.as_str()) {
        *flag = format!("{singular}-{flag}");
    }
    named.is_some()
}
