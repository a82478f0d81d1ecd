//! The shape of a domain folder, and which domain may use which.

use std::collections::BTreeSet;

use super::{assert_none, tree};

const DOMAINS: &str = "crates/control/src/domains/";

/// The domains there may be, so that a noun is not split or named twice.
const NOUNS: &[&str] = &[
    "alerts",
    "audit",
    "calendars",
    "compliance",
    "costs",
    "deployments",
    "identity",
    "metrics",
    "operations",
    "partners",
    "providers",
    "recovery",
    "resources",
    "templates",
    "webhooks",
];

/// The files a domain is made of; one may be left out, or become a folder of its name, but none invented.
const FILES: &[&str] = &["mod", "wire", "model", "routes", "actions", "store", "workers"];

#[test]
fn every_domain_has_the_same_files() {
    let mut wrongs = Vec::new();
    for file in tree::files(".rs") {
        let Some(rest) = file.path.strip_prefix(DOMAINS) else { continue };
        let Some((domain, inside)) = rest.split_once('/') else {
            if rest != "mod.rs" {
                wrongs.push(format!("{}: a domain is a folder", file.path));
            }
            continue;
        };
        if !NOUNS.contains(&domain) {
            wrongs.push(format!("{}: `{domain}` is no domain of the glossary", file.path));
        }
        let part = inside.split(['/', '.']).next().unwrap_or_default();
        if !FILES.contains(&part) {
            wrongs.push(format!("{}: not one of the seven files", file.path));
        }
    }
    assert_none(&format!("a domain is made of {}", FILES.join(", ")), &wrongs);
}

#[test]
fn every_domain_says_first_what_its_nouns_are() {
    let mut wrongs = Vec::new();
    for file in tree::files("/mod.rs") {
        let inside = file.path.strip_prefix(DOMAINS).and_then(|rest| rest.strip_suffix("/mod.rs"));
        if inside.is_some_and(|domain| !domain.contains('/')) {
            let essay = file.text.lines().take_while(|line| line.starts_with("//!")).count();
            if essay < 5 {
                wrongs.push(format!("{}: {essay} lines of essay", file.path));
            }
        }
    }
    assert_none("a domain's mod.rs opens with what its nouns are and the rules in sentences", &wrongs);
}

#[test]
fn domains_use_each_other_only_along_the_listed_edges() {
    let edges = edges(&tree::read(&format!("{DOMAINS}mod.rs")));
    let mut used = BTreeSet::new();
    let mut wrongs = Vec::new();
    for file in tree::files(".rs") {
        let Some((from, _)) = file.path.strip_prefix(DOMAINS).and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        for (line, to, inside) in uses(&file.text) {
            if to == from {
                continue;
            }
            if inside == "store" {
                wrongs.push(format!("{}:{line}: reaches into the SQL of `{to}`; ask its actions", file.path));
            }
            if !edges.contains(&(from.to_owned(), to.clone())) {
                wrongs.push(format!("{}:{line}: (\"{from}\", \"{to}\") is not in EDGES", file.path));
            }
            used.insert((from.to_owned(), to));
        }
    }
    let idle = edges.iter().filter(|edge| !used.contains(*edge));
    wrongs.extend(
        idle.map(|(from, to)| format!("{DOMAINS}mod.rs: nothing uses the edge (\"{from}\", \"{to}\")")),
    );
    assert_none("the edges between domains", &wrongs);
}

/// The pairs in `pub const EDGES: &[(&str, &str)] = &[("from", "to"), …];`.
fn edges(text: &str) -> BTreeSet<(String, String)> {
    let list = text.split_once("const EDGES").and_then(|(_, rest)| rest.split_once("= &["));
    let list = list.and_then(|(_, rest)| rest.split_once("];")).map(|(list, _)| list);
    let words: Vec<_> = list
        .expect("`const EDGES: &[(&str, &str)] = &[…];` in domains/mod.rs")
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    words.chunks(2).filter_map(|pair| Some((pair.first()?.clone(), pair.get(1)?.clone()))).collect()
}

/// Line, domain and the word behind it, for every `domains::…` in code (not in comments).
fn uses(text: &str) -> Vec<(usize, String, String)> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    for (at, marker) in code.match_indices("domains::") {
        let line = code[..at].lines().count().max(1);
        let rest = &code[at + marker.len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        for item in list {
            let to = word(item.trim_start());
            let inside = item.trim_start().strip_prefix(to.as_str()).and_then(|rest| rest.strip_prefix("::"));
            found.push((line, to, word(inside.unwrap_or_default())));
        }
    }
    found
}

/// The parts of `a::b, c::{d, e}, f}…` up to the brace that closes the list.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[test]
fn uses_and_edges_are_found_where_they_stand() {
    let code = "//! domains::comment\nuse crate::domains::{\n    audit, identity::{Role, store},\n};\nx(domains::costs::store::y);";
    let found = uses(code);
    let expected = [(2, "audit", ""), (2, "identity", ""), (5, "costs", "store")];
    let expected = expected.map(|(line, to, inside)| (line, to.to_owned(), inside.to_owned()));
    assert_eq!(found, expected);

    let listed =
        edges("pub const EDGES: &[(&str, &str)] = &[\n  (\"a\", \"b\"), // \"why\"\n  (\"c\", \"d\"),\n];");
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(listed, BTreeSet::from([pair("a", "b"), pair("c", "d")]));
}
