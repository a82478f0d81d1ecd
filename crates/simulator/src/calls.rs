//! Which operations were called, by which client, with what answer: what the tests ask to know whether every simulated
//! route was proven by a client that no one here wrote.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

/// Different rows that are kept; a client that makes up names cannot fill the memory.
const ROWS: usize = 10_000;

/// Counts of calls.
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<Key, Count>>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    operation: String,
    client: String,
}

/// How often an operation was called and with what success.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Count {
    /// Answered with success.
    pub succeeded: u64,
    /// Refused, in the vendor's shape.
    pub refused: u64,
    /// Failed, with a status of 500 or more, by a fault or a defect.
    pub failed: u64,
}

/// A row as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The operation, by the face's name for it.
    pub operation: String,
    /// The client: the product of its `User-Agent`.
    pub client: String,
    /// How often.
    #[serde(flatten)]
    pub count: Count,
}

impl Calls {
    pub(crate) fn note(&self, operation: &str, agent: &str, status: u16) {
        let client = agent.split([' ', '/']).next().unwrap_or_default().to_owned();
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Key { operation: operation.to_owned(), client };
        if rows.len() >= ROWS && !rows.contains_key(&key) {
            return;
        }
        let count = rows.entry(key).or_default();
        match status {
            0..400 => count.succeeded += 1,
            400..500 => count.refused += 1,
            _ => count.failed += 1,
        }
    }

    /// All rows, by operation and client.
    pub fn rows(&self) -> Vec<Row> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(key, count): (&Key, &Count)| Row {
            operation: key.operation.clone(),
            client: key.client.clone(),
            count: *count,
        };
        rows.iter().map(row).collect()
    }

    /// Begins to count anew.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
