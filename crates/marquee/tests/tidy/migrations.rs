//! Migrations are numbered without gaps, say whose they are, and never change once they were released.

use sha2::{Digest, Sha256};

use super::{assert_none, tree};

/// The migrations that a release carried, a line each: SHA-256 and file name, as `sha256sum` prints them.
/// Cutting a release adds its new ones.
const RELEASED: &str = include_str!("released-migrations.txt");

#[test]
fn migrations_are_numbered_without_gaps_and_named_by_domain() {
    let mut wrongs = Vec::new();
    for (index, file) in
        tree::files(".sql").iter().filter(|file| file.path.starts_with("migrations/")).enumerate()
    {
        let expected = format!("{:04}_", index + 1);
        let Some(name) = file.name().strip_prefix(&expected) else {
            wrongs.push(format!("{}: expected a name that begins with {expected}", file.path));
            continue;
        };
        let stem = name.trim_end_matches(".sql");
        if stem.is_empty() || !stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            wrongs.push(format!("{}: expected NNNN_<domain>_<what>.sql in lower case", file.path));
        }
        if !file.text.starts_with("-- ") {
            wrongs.push(format!("{}: opens with a comment that says what it is for", file.path));
        }
    }
    assert_none("migrations", &wrongs);
}

#[test]
fn a_released_migration_never_changes() {
    let mut wrongs = Vec::new();
    for line in RELEASED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sum, name) = line.split_once("  ").expect("`<sha256>  <file name>`");
        let found = hex::encode(Sha256::digest(tree::read(&format!("migrations/{name}"))));
        if found != sum {
            wrongs.push(format!("{name}: was released and must not change; write the next migration"));
        }
    }
    assert_none("released migrations", &wrongs);
}
