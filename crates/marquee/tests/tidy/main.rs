//! The rules of the house that no compiler checks. Each test names the rule; ARCHITECTURE.md says why it is one.
//!
//! A refusal lists every place at once, so that one run is enough to put things right. Lists of exemptions may
//! only shrink: an entry that is no longer needed fails as well.

#![expect(clippy::expect_used, reason = "a test fails by panicking, and says what it expected")]

mod arrows;
mod docs;
mod domains;
mod errors;
mod markdown;
mod migrations;
mod sizes;
mod text;
mod tree;

/// Fails with all of `wrongs`, one a line, if there are any.
#[track_caller]
fn assert_none(rule: &str, wrongs: &[String]) {
    assert!(wrongs.is_empty(), "{rule}\n  {}\n", wrongs.join("\n  "));
}
