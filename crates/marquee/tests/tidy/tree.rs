//! The project's files, as they lie in the work tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A text file of the project.
pub struct File {
    /// From the project's root, with `/`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// The name without folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The project's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("two folders down from the root")
        .to_owned()
}

/// One file; it must be there.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The paths of all files that belong to the project, sorted; nothing built, fetched or of git.
pub fn paths() -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found.sort();
    found
}

/// All files whose name ends with `suffix`.
pub fn files(suffix: &str) -> Vec<File> {
    let files: Vec<_> = paths()
        .into_iter()
        .filter(|path| path.ends_with(suffix))
        .map(|path| File { text: read(&path), path })
        .collect();
    assert!(!files.is_empty(), "there is no file *{suffix}: the walk is broken");
    files
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().expect("a kind of file");
        if is_foreign(&path, &name) {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

/// What cargo, git, pip and npm put into the work tree.
fn is_foreign(path: &str, name: &str) -> bool {
    matches!(path, "target" | ".git" | ".venv" | ".venv-clients" | ".cache")
        || matches!(name, "node_modules" | "__pycache__")
}
