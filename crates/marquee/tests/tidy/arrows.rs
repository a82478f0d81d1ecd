//! Which crate may use which: the arrows of ARCHITECTURE.md, read from the manifests.

use std::collections::BTreeMap;

use super::{assert_none, tree};

/// A crate, and those of ours that it may use; adapters, `control` and the simulator use each other's judges in
/// their tests only. A crate that is not here may not exist.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("reckon", &["types"]),
    ("clouds", &["types"]),
    ("cloud-aws", &["types", "clouds", "simulator"]),
    ("cloud-azure", &["types", "clouds", "simulator"]),
    ("cloud-gcp", &["types", "clouds", "simulator"]),
    ("cloud-hetzner", &["types", "clouds", "simulator"]),
    ("simulator", &["types", "clouds"]),
    ("db", &["types"]),
    ("jobs", &["types", "db"]),
    (
        "control",
        &[
            "types",
            "reckon",
            "clouds",
            "cloud-aws",
            "cloud-azure",
            "cloud-gcp",
            "cloud-hetzner",
            "db",
            "jobs",
            "simulator",
        ],
    ),
    ("cli", &[]),
    ("marquee", &["types", "db", "control", "cli", "simulator"]),
    ("bench", &["types", "reckon", "clouds", "cloud-aws", "db", "jobs", "control", "simulator"]),
];

/// The one file of `control` that may name an adapter: there the registry is built, to be passed in.
const REGISTRY: &str = "crates/control/src/clouds.rs";

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrongs = Vec::new();
    for manifest in tree::files("/Cargo.toml") {
        let folder = manifest.path.trim_start_matches("crates/").trim_end_matches("/Cargo.toml");
        let Some(allowed) = allowed.get(folder) else {
            wrongs.push(format!("{}: a crate that no arrow leads to; add it to ARROWS", manifest.path));
            continue;
        };
        for used in ours(&manifest.text) {
            // A crate may test itself with a feature of its own.
            if used != folder && !allowed.contains(&used.as_str()) {
                wrongs.push(format!("{}: may not use `{used}`", manifest.path));
            }
        }
    }
    assert_none("the arrows between crates", &wrongs);

    let sample =
        "[dependencies]\nmarquee-db.workspace = true\n[dev-dependencies]\nmarquee-jobs = { path = \"x\" }\n";
    assert_eq!(ours(sample), ["db", "jobs"]);
}

/// The crates of ours that a manifest names, for building or for testing.
fn ours(manifest: &str) -> Vec<String> {
    let table: toml::Table = manifest.parse().expect("a manifest in TOML");
    ["dependencies", "build-dependencies", "dev-dependencies"]
        .iter()
        .filter_map(|kind| table.get(*kind)?.as_table())
        .flat_map(toml::Table::keys)
        .filter_map(|name| name.strip_prefix("marquee-").map(str::to_owned))
        .collect()
}

#[test]
fn crates_take_versions_and_lints_from_the_workspace() {
    let mut wrongs = Vec::new();
    for manifest in tree::files("/Cargo.toml") {
        let table: toml::Table = manifest.text.parse().expect("a manifest in TOML");
        let inherits = |section: &str, key: &str| {
            let value = table.get(section).and_then(|section| section.get(key));
            value.and_then(|value| value.get("workspace").unwrap_or(value).as_bool()) == Some(true)
        };
        for (section, key) in [("lints", "workspace"), ("package", "license"), ("package", "edition")] {
            if !inherits(section, key) {
                wrongs.push(format!("{}: [{section}] {key} is not the workspace's", manifest.path));
            }
        }
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let entries = table.get(kind).and_then(toml::Value::as_table);
            for (name, entry) in entries.into_iter().flatten() {
                let own =
                    table.get("package").and_then(|package| package.get("name")?.as_str()) == Some(name);
                if !own && entry.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    wrongs.push(format!("{}: `{name}` has a version of its own", manifest.path));
                }
            }
        }
    }
    assert_none("one place says which versions and lints: the workspace manifest", &wrongs);
}

#[test]
fn only_the_registry_names_an_adapter() {
    let mut wrongs = Vec::new();
    for file in tree::files(".rs") {
        if file.path.starts_with("crates/control/src/") && file.path != REGISTRY {
            let named = file.text.lines().enumerate().filter(|(_, line)| line.contains("marquee_cloud_"));
            wrongs.extend(named.map(|(number, _)| format!("{}:{}", file.path, number + 1)));
        }
    }
    assert_none(&format!("adapters are named in {REGISTRY} only"), &wrongs);
}
