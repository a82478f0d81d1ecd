//! Writes the list of migrations into the program: every `migrations/NNNN_<domain>_<what>.sql`, in order.
//!
//! A list made at build time, because a program must carry its migrations with it, and because cargo then
//! rebuilds when a file is added or changed.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = from_cargo("CARGO_MANIFEST_DIR")?.join("../../migrations").canonicalize()?;
    // Relative to this package, not absolute: another checkout that shares the target folder has its own.
    println!("cargo:rerun-if-changed=../../migrations");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && Path::new(name).extension().is_some_and(|extension| extension == "sql")
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let mut list = String::from("&[\n");
    for name in names {
        // The text itself, not its path: a build that moves with its target folder must not look for it where it was made.
        let text = fs::read_to_string(folder.join(&name))?;
        writeln!(list, "    ({name:?}, {text:?}),")?;
    }
    list.push_str("]\n");
    fs::write(from_cargo("OUT_DIR")?.join("migrations.rs"), list)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]
fn from_cargo(variable: &str) -> Result<PathBuf, std::env::VarError> {
    std::env::var(variable).map(PathBuf::from)
}
