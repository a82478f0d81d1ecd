//! Tables in the documentation that are made from code: an adapter's tests hold them against each other. With `UPDATE_DOCS=1`
//! in the environment they are written instead.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use marquee_types::ResourceKind;

use crate::{Connector, PermissionNeed, PolicyRequest, attributes::MEANINGS, draft::States};

/// Attributes by kind, each with the vendor's member it comes from.
pub type Attributes = &'static [(ResourceKind, &'static [(&'static str, &'static str)])];

/// Relations: from, relation, to, and the vendor's member.
pub type Relations = &'static [(ResourceKind, &'static str, ResourceKind, &'static str)];

/// Compares what stands between `<!-- name -->` and `<!-- end -->` in a file of `docs` with what ought to.
pub fn check(file: &str, name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/{file}: {error}"));
    let start = format!("<!-- {name} -->\n");
    let from = text.find(&start).unwrap_or_else(|| panic!("docs/{file} has no {start}")) + start.len();
    let to =
        from + text[from..].find("<!-- end -->").unwrap_or_else(|| panic!("docs/{file}: {name} has no end"));
    if text[from..to] == *wanted {
        return;
    }
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(update, "docs/{file}: the table {name} is stale; run these tests with UPDATE_DOCS=1\n{wanted}");
    let written = fs::write(&path, format!("{}{wanted}{}", &text[..from], &text[to..]));
    written.unwrap_or_else(|error| panic!("docs/{file}: {error}"));
}

/// A table.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        // Writing to a text does not fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// A word of code.
pub fn code(text: &str) -> String {
    format!("`{text}`")
}

/// What the attributes mean.
pub fn meanings() -> String {
    table(
        &["attribute", "what it says"],
        MEANINGS.iter().map(|(name, meaning)| vec![code(name), (*meaning).to_owned()]),
    )
}

/// Where a vendor's attributes come from. Each of them has a meaning.
pub fn attributes(member: &str, rows: Attributes) -> String {
    let rows = rows.iter().flat_map(|(kind, attributes)| {
        attributes.iter().map(|(name, from)| {
            assert!(
                MEANINGS.iter().any(|(known, _)| known == name),
                "{name} has no meaning: see attributes.rs"
            );
            vec![code(kind.as_str()), code(name), (*from).to_owned()]
        })
    });
    table(&["kind", "attribute", member], rows)
}

/// Where a vendor's relations come from.
pub fn relations(member: &str, rows: Relations) -> String {
    let rows = rows.iter().map(|(from, relation, to, member)| {
        vec![code(from.as_str()), code(relation), code(to.as_str()), (*member).to_owned()]
    });
    table(&["from", "relation", "to", member], rows)
}

/// What a vendor's words for states mean.
pub fn states(words: &str, rows: States) -> String {
    let rows = rows.iter().flat_map(|(kind, words)| {
        let mut by_state: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (word, state) in *words {
            by_state.entry(state.as_str()).or_default().push(code(word));
        }
        let row =
            |(state, words): (&str, Vec<String>)| vec![code(kind.as_str()), code(state), words.join(", ")];
        by_state.into_iter().map(row).collect::<Vec<_>>()
    });
    table(&["kind", "state", words], rows)
}

/// The policy that a connector hands out to whoever asks for nothing special.
pub fn policy(connector: &dyn Connector) -> String {
    let groups = connector.permission_groups().into_iter().take(1).collect();
    let written = connector.policy(&PolicyRequest { groups, ..PolicyRequest::default() });
    let policy = written.unwrap_or_else(|error| panic!("{}: {}", error.pointer, error.detail));
    format!("```{}\n{}```\n", policy.format, policy.document)
}

/// The vendor's own commands that make a credential with it.
pub fn commands(connector: &dyn Connector) -> String {
    let written = connector.policy(&PolicyRequest::default());
    let policy = written.unwrap_or_else(|error| panic!("{}: {}", error.pointer, error.detail));
    let mut lines = vec![format!("$ marquee providers policy {} > {}", connector.kind(), policy.file)];
    lines.extend(policy.commands.iter().map(|command| format!("$ {command}")));
    format!("```console\n{}\n```\n", lines.join("\n"))
}

/// Permissions and the features that need them.
pub fn permissions(needs: &[PermissionNeed]) -> String {
    table(
        &["permission", "for"],
        needs.iter().map(|need| vec![code(need.permission), need.feature.to_owned()]),
    )
}
