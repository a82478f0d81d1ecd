//! The table of `docs/errors.md` is the list that the server answers from.

use std::collections::BTreeSet;

use super::{assert_none, tree};

#[test]
fn the_table_of_problem_codes_is_the_servers_list() {
    let page = tree::read("docs/errors.md");
    let rows: BTreeSet<_> = page.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
    let expected: BTreeSet<_> = marquee_control::fault::CODES
        .iter()
        .map(|(code, status, when)| format!("| `{code}` | {status} | {when} |"))
        .collect();
    let missing = expected.difference(&rows).map(|row| format!("missing: {row}"));
    let unknown = rows.difference(&expected).map(|row| format!("unknown: {row}"));
    assert_none("docs/errors.md against fault.rs", &missing.chain(unknown).collect::<Vec<_>>());
}
