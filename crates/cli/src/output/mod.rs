//! Results: tables for people, JSON and CSV for programs.
//!
//! [`cell`] turns values into text, [`list`] writes pages as they come, [`object`] writes one thing.

pub mod cell;
pub mod list;
pub mod object;

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// The API's own form.
    Json,
    /// For spreadsheets.
    Csv,
}

impl Format {
    /// By the word of `--output`.
    pub fn of(word: &str) -> Self {
        match word {
            "json" => Self::Json,
            "csv" => Self::Csv,
            _ => Self::Table,
        }
    }
}
