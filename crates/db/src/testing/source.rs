//! Reads Rust source as far as the ledgers need it: the string literals outside tests, and what stands before
//! each.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A string literal of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    /// The file and line, e.g. `crates/jobs/src/queue.rs:41`.
    pub place: String,
    /// The code in front of it on the way back to the previous literal, comments left out.
    pub before: String,
    /// What it says, escapes resolved.
    pub text: String,
}

/// Every string literal in `crates/*/src`, up to where a file's tests begin; the harness itself is left out.
pub(super) fn literals() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for krate in fs::read_dir(root.join("crates")).unwrap() {
        collect(&krate.unwrap().path().join("src"), &mut files);
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        found.extend(of_source(&name, &fs::read_to_string(&file).unwrap()));
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    // A crate without sources has no statements.
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "testing" && name != "tests") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
        {
            files.push(path);
        }
    }
}

/// The literals of one file.
fn of_source(name: &str, source: &str) -> Vec<Literal> {
    let code = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let bytes = code.as_bytes();
    let (mut at, mut before, mut found) = (0, String::new(), Vec::new());
    while at < bytes.len() {
        let rest = &code[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if let Some(length) = character(rest) {
            at += length;
        } else if let Some((length, text)) = string(rest, before.chars().last()) {
            let line = 1 + code[..at].matches('\n').count();
            found.push(Literal {
                place: format!("{name}:{line}"),
                before: std::mem::take(&mut before),
                text,
            });
            at += length;
        } else {
            let c = rest.chars().next().unwrap();
            before.push(c);
            at += c.len_utf8();
        }
    }
    found
}

/// The length of a character literal (not of a lifetime).
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let mut chars = inner.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next()?;
        return inner[2..].find('\'').map(|end| end + 4);
    }
    let (end, quote) = chars.next()?;
    (quote == '\'').then_some(end + 2)
}

/// The length and meaning of a string literal. `previous` keeps an `r` that ends a name from starting one.
fn string(rest: &str, previous: Option<char>) -> Option<(usize, String)> {
    if let Some(body) = rest.strip_prefix('"') {
        return Some(quoted(body));
    }
    if previous.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let hashes = rest.strip_prefix('r')?;
    let count = hashes.bytes().take_while(|byte| *byte == b'#').count();
    let body = hashes[count..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(count));
    let end = body.find(&close)?;
    Some((1 + count + 1 + end + close.len(), body[..end].to_owned()))
}

fn quoted(body: &str) -> (usize, String) {
    let (mut text, mut chars) = (String::new(), body.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (at + 2, text),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                // A line that goes on in the next one: the break and what indents that are not meant.
                Some((_, '\n')) => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some((_, c)) => text.push(c),
                None => {}
            },
            c => text.push(c),
        }
    }
    (body.len() + 1, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_where_they_are() {
        // The inner raw string's hashes are put in afterwards: they would end this one.
        let source = r#"
            // "not this"
            const A: &str = "SELECT 1 \
                             FROM \"t\"";
            fn f<'a>(c: char) { if c == '"' || c == '\'' { g(r@"raw "x""@, "last") } }
        "#
        .replace('@', "#");
        let found = of_source("f.rs", &source);
        let texts: Vec<&str> = found.iter().map(|literal| literal.text.as_str()).collect();
        assert_eq!(texts, ["SELECT 1 FROM \"t\"", "raw \"x\"", "last"]);
        assert_eq!(found[0].place, "f.rs:3");
        assert!(found[1].before.ends_with("g("));
    }
}
