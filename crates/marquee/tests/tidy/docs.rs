//! The docs name only what exists: paths, links, `make` targets, routes and commands.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use super::{
    assert_none,
    markdown::{Named, Names, names},
    tree,
};

/// Endings by which a name is known to be a file's.
const ENDINGS: &[&str] = &[".rs", ".toml", ".md", ".sql", ".json", ".txt", ".cedar", ".sh"];

/// Files that Marquee or cargo makes where it runs, and that are not in the project.
const MADE_LATER: &[&str] = &["runtime.json"];

fn pages() -> Vec<Names> {
    tree::files(".md").iter().map(names).collect()
}

#[test]
fn every_path_and_link_leads_somewhere() {
    let known = Known::new();
    let mut wrongs = Vec::new();
    for page in pages() {
        let missing =
            page.spans.iter().filter(|span| looks_like_a_path(&span.text) && !known.has(&span.text));
        wrongs.extend(missing.map(|span| format!("{}: `{}` does not exist", span.place, span.text)));
        let broken = page.links.iter().filter(|link| !known.has(&resolve(link)));
        wrongs.extend(broken.map(|link| format!("{}: the link {} leads nowhere", link.place, link.text)));
    }
    assert_none("paths named in the docs", &wrongs);

    assert!(known.has("crates/types/src/lib.rs") && known.has("crates/types/") && known.has("lib.rs"));
    assert!(!known.has("crates/types/src/nothing.rs") && !known.has("nothing.rs"));
    assert!(looks_like_a_path("crates/nothing") && looks_like_a_path("nothing.rs"));
    assert!(!looks_like_a_path("application/problem+json") && !looks_like_a_path("NNNN_what.sql"));
}

#[test]
fn every_page_that_the_code_points_to_exists() {
    let known = Known::new();
    let mut wrongs = Vec::new();
    for file in tree::files(".rs") {
        for (at, _) in file.text.match_indices("docs/") {
            let page: String = file.text[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "/._-".contains(*c))
                .collect();
            // An address of the web may have such a part.
            let ours = !file.text[..at].ends_with('/') || file.text[..at].ends_with("../");
            if ours
                && looks_like_a_path(&page)
                && !page.contains("..")
                && !file.path.contains("/tidy/")
                && !known.has(page.trim_end_matches('.'))
            {
                wrongs.push(format!("{}: {page}", file.path));
            }
        }
    }
    assert_none("pages of the docs named in code", &wrongs);
}

/// Every file and folder, by path and by bare name.
struct Known(BTreeSet<String>);

impl Known {
    fn new() -> Self {
        let mut known = BTreeSet::new();
        for path in tree::paths() {
            known.insert(path.rsplit('/').next().unwrap_or_default().to_owned());
            known.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
            known.insert(path);
        }
        Self(known)
    }

    fn has(&self, path: &str) -> bool {
        path.is_empty() || self.0.contains(path.trim_end_matches('/'))
    }
}

fn looks_like_a_path(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let placeholder = text
        .split(['/', '_', '.', '-'])
        .any(|part| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase()));
    let ours = ["crates/", "docs/", "scripts/", "migrations/", ".config/", ".ci/"];
    plain
        && !text.starts_with('/')
        && !placeholder
        && !MADE_LATER.contains(&text)
        && (ours.iter().any(|folder| text.starts_with(folder))
            || ENDINGS.iter().any(|ending| text.len() > ending.len() && text.ends_with(ending)))
        || ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].contains(&text)
}

/// A link's target, from the project's root.
fn resolve(link: &Named) -> String {
    let page = link.place.rsplit_once(':').map_or("", |(page, _)| page);
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in link.text.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_page_stands_in_the_index() {
    let index = tree::read("docs/README.md");
    let mut wrongs = Vec::new();
    for page in tree::files(".md") {
        let Some(path) = page.path.strip_prefix("docs/").filter(|path| *path != "README.md") else {
            continue;
        };
        // A decision stands in the list of decisions, and that list in the index.
        let listed = match path.strip_prefix("decisions/").filter(|name| *name != "README.md") {
            Some(name) => tree::read("docs/decisions/README.md").contains(&format!("({name})")),
            None => index.contains(&format!("({path})")),
        };
        if !listed {
            wrongs.push(page.path);
        }
    }
    assert_none("docs/README.md lists every page, and docs/decisions/README.md every decision", &wrongs);
}

#[test]
fn every_make_target_exists() {
    let makefile = tree::read("Makefile");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target.to_owned())
        .collect();
    let mut wrongs = Vec::new();
    for named in pages().iter().flat_map(|page| page.spans.iter().chain(&page.examples)) {
        let mut words = named.text.split_whitespace();
        if words.next() != Some("make") {
            continue;
        }
        let target = words.find(|word| !word.contains('='));
        if target.is_some_and(|target| !targets.contains(target)) {
            wrongs.push(format!("{}: `{}`", named.place, named.text));
        }
    }
    assert_none("make targets named in the docs", &wrongs);
    assert!(targets.contains("test"), "the targets are not read");
}

#[test]
fn every_route_exists() {
    let routes = Routes::read();
    let mut wrongs = Vec::new();
    for span in pages().iter().flat_map(|page| &page.spans) {
        let (method, path) = match span.text.split_once(' ') {
            Some((method, path)) if METHODS.contains(&method) => (Some(method), path),
            _ => (None, span.text.as_str()),
        };
        if path.starts_with("/api/")
            && !path.contains('…')
            && !path.ends_with('*')
            && !routes.has(method, path)
        {
            wrongs.push(format!("{}: `{}`", span.place, span.text));
        }
    }
    assert_none("routes named in the docs", &wrongs);
}

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Method by method, the paths of openapi.json with their parameters unnamed.
struct Routes(BTreeMap<String, BTreeSet<String>>);

impl Routes {
    fn read() -> Self {
        let document: serde_json::Value = serde_json::from_str(&tree::read("openapi.json")).expect("JSON");
        let paths = document["paths"].as_object().expect("an OpenAPI document has paths");
        let mut routes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, methods) in paths {
            let methods = methods.as_object().expect("methods of a path");
            routes
                .entry(unnamed(path))
                .or_default()
                .extend(methods.keys().map(|method| method.to_uppercase()));
        }
        // The document does not describe itself and its reader.
        for path in ["/api/openapi.json", "/api/docs"] {
            routes.entry(path.to_owned()).or_default().insert("GET".to_owned());
        }
        Self(routes)
    }

    fn has(&self, method: Option<&str>, path: &str) -> bool {
        let path = unnamed(path.split('?').next().unwrap_or_default());
        self.0.get(&path).is_some_and(|methods| method.is_none_or(|method| methods.contains(method)))
    }
}

/// `/a/{b}/c` as `/a/{}/c`; so is `/a/prv_…/c`.
fn unnamed(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.contains(['{', '_']) && part.contains(['{', '…']) { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_command_and_its_flags_exist() {
    let mut help: BTreeMap<Vec<String>, Option<String>> = BTreeMap::new();
    let mut wrongs = Vec::new();
    for named in pages().iter().flat_map(|page| page.spans.iter().chain(&page.examples)) {
        let Some(line) = named.text.strip_prefix("marquee ") else { continue };
        let (command, flags) = command_and_flags(line);
        match help.entry(command.clone()).or_insert_with(|| help_of(&command)) {
            None => wrongs.push(format!("{}: no command `{}`", named.place, named.text)),
            Some(text) => {
                let unknown = flags.iter().filter(|flag| !text.contains(flag.as_str()));
                wrongs.extend(unknown.map(|flag| format!("{}: no {flag} in `{}`", named.place, named.text)));
            }
        }
    }
    assert_none("commands named in the docs", &wrongs);
    assert!(help_of(&["no-such-command".to_owned()]).is_none(), "an unknown command is not refused");
}

/// The leading words of a command line, and its long flags up to a pipe.
fn command_and_flags(line: &str) -> (Vec<String>, Vec<String>) {
    let line = line.split(['|', '#', ';', '>']).next().unwrap_or_default();
    let is_word =
        |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
    let command = line.split_whitespace().take_while(is_word).map(str::to_owned).collect();
    let flags = line.split_whitespace().map(|word| word.trim_start_matches('[').trim_end_matches([']', '…']));
    let flags = flags.filter(|word| word.starts_with("--") && word.len() > 2);
    (command, flags.filter_map(|flag| flag.split('=').next()).map(str::to_owned).collect())
}

fn help_of(command: &[String]) -> Option<String> {
    // `marquee help exit-codes` is help already.
    let more = command.first().is_none_or(|word| word != "help").then_some("--help");
    let output =
        Command::new(env!("CARGO_BIN_EXE_marquee")).args(command).args(more).output().expect("marquee runs");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn command_lines_are_taken_apart() {
    let (command, flags) = command_and_flags("providers add --name x [--allow-endpoint ORIGIN]… | cat --y");
    assert_eq!(command, ["providers", "add"]);
    assert_eq!(flags, ["--name", "--allow-endpoint"]);
}
