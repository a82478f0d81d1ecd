//! Who created and deleted what, and when: what a test asks whether something was made twice or left behind.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::estate::{Cause, Thing};

/// Entries that are kept; of more, the oldest are forgotten, and [`Ledger::forgotten`] counts them.
const KEPT: usize = 1_000_000;

/// The record of everything that was made and ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ledger {
    entries: std::collections::VecDeque<Entry>,
    forgotten: u64,
    /// Growing a world is no one's doing.
    #[serde(default)]
    silent: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in simulated time.
    pub at: DateTime<Utc>,
    /// Created or deleted.
    pub verb: Verb,
    /// The account.
    pub account: String,
    /// The kind, by the face's name for it.
    pub kind: String,
    /// Where.
    pub place: String,
    /// Its id.
    pub id: String,
    /// Its name, if it has one.
    pub name: String,
    /// The vendor's operation.
    pub operation: String,
    /// The client's token of idempotency.
    pub token: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A thing was made.
    Created,
    /// A thing was ended.
    Deleted,
}

impl Entry {
    pub(crate) fn new(cause: Cause<'_>, verb: Verb, kind: &str, thing: &Thing) -> Self {
        Self {
            at: cause.now,
            verb,
            account: cause.account.to_owned(),
            kind: kind.to_owned(),
            place: thing.place.to_string(),
            id: thing.id.to_string(),
            name: thing.name.to_string(),
            operation: cause.operation.to_owned(),
            token: cause.token.map(str::to_owned),
        }
    }
}

impl Ledger {
    pub(crate) fn write(&mut self, entry: Entry) {
        if self.silent {
            return;
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        self.entries.push_back(entry);
    }

    /// Whether what happens now is left out.
    pub(crate) fn silence(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Entries from the `after`th ever written on.
    pub fn after(&self, after: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let numbered = (self.forgotten..).zip(&self.entries);
        let skip = usize::try_from(after.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        numbered.skip(skip)
    }

    /// How many of the oldest are not kept any more.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}
