//! What every file of code opens with, what no file is called, and what none may say.

use super::{assert_none, tree};

/// Names that say nothing about what is inside, so that everything ends up there.
const DRAWERS: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "stuff"];

/// What may not stand in code: the text (in two parts, or this file would break its own rule), and why.
const BANNED_IN_CODE: &[(&str, &str, &str)] = &[
    (
        "#[utoipa",
        "::path",
        "operations come from the endpoint ledger, so that a route and its docs cannot differ",
    ),
    ("#[igno", "re", "a test that is not run proves nothing; fix it or remove it"),
    ("set_var", "(", "tests share a process's environment; pass the value"),
];

/// Where a banned text may stand after all. Only to be shortened.
const EXEMPT: &[(&str, &str, &str)] = &[
    // Where Azure wants a machine's keys: on that machine.
    ("crates/cloud-azure/src/changes/compute.rs", "/home", "/"),
    // Not tests, but the processes that the tests of the file start and kill.
    ("crates/cloud-aws/tests/it/permissions.rs", "#[igno", "re"),
    ("crates/db/tests/it/embedded.rs", "#[igno", "re"),
    ("crates/jobs/tests/it/crash.rs", "#[igno", "re"),
];

/// The same for every file, docs and scripts included.
const BANNED_EVERYWHERE: &[(&str, &str, &str)] = &[
    ("/wo", "rk/", "a path of somebody's machine"),
    ("/ro", "ot/", "a path of somebody's machine"),
    ("/home", "/", "a path of somebody's machine"),
    ("shared", "/design", "not part of the project: say it here, or link to the decision"),
    ("FIX", "ME", "do it, or write it down where it is planned"),
    ("TO", "DO", "do it, or write it down where it is planned"),
];

#[test]
fn every_file_of_code_says_first_what_it_is() {
    let bare = tree::files(".rs").into_iter().filter(|file| !file.text.starts_with("//! "));
    let wrongs: Vec<_> = bare.map(|file| file.path).collect();
    assert_none("a file of code opens with `//!`: what it is, and why it is here", &wrongs);
}

#[test]
fn nothing_is_called_a_drawer() {
    let wrongs: Vec<_> = tree::paths().into_iter().filter(|path| is_drawer(path)).collect();
    assert_none("a file or folder is named after what is in it", &wrongs);

    assert!(!is_drawer("crates/control/src/domains/identity/policies/manager.cedar"));
    assert!(is_drawer("crates/db/src/utils.rs") && is_drawer("crates/misc/Cargo.toml"));
    assert!(!is_drawer("crates/db/src/utilization.rs"));
}

fn is_drawer(path: &str) -> bool {
    // What a role may stands under the role's name.
    let file = path.strip_prefix("crates/control/src/domains/identity/policies/").map_or(path, |_| "");
    file.split('/').any(|part| DRAWERS.contains(&part.split('.').next().unwrap_or_default()))
}

#[test]
fn nothing_says_what_none_may_say() {
    let mut wrongs = Vec::new();
    let mut used = 0;
    for path in tree::paths() {
        // Read as bytes: a picture is a file too.
        let Ok(bytes) = std::fs::read(tree::root().join(&path)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let code = if path.strip_suffix(".rs").is_some() { BANNED_IN_CODE } else { &[] };
        for (number, line) in text.lines().enumerate() {
            for (head, tail, reason) in code.iter().chain(BANNED_EVERYWHERE) {
                if !line.contains(&format!("{head}{tail}")) {
                    continue;
                }
                if EXEMPT.contains(&(path.as_str(), head, tail)) {
                    used += 1;
                } else {
                    wrongs.push(format!("{path}:{}: `{head}{tail}`: {reason}", number + 1));
                }
            }
        }
    }
    if used != EXEMPT.len() {
        wrongs.push(format!("{} exemptions, but {used} uses of one: shorten the list", EXEMPT.len()));
    }
    assert_none("banned text", &wrongs);
}

#[test]
fn the_license_is_apache_2_in_full() {
    let license = tree::read("LICENSE");
    let title = license.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
    assert_eq!(title, "Apache License Version 2.0, January 2004");
    assert!(license.contains("END OF TERMS AND CONDITIONS"), "LICENSE is cut short");
    assert!(
        tree::read("Cargo.toml").contains("license = \"Apache-2.0\""),
        "Cargo.toml names another license"
    );
}
