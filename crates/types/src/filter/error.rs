//! Why a filter is refused: where, what was found, what would have been understood.

use super::{MAX_BYTES, MAX_DEPTH, MAX_TERMS, Span};

/// A filter that cannot be used. Its text is meant for whoever wrote the filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at byte {})", span.start + 1)]
pub struct FilterError {
    /// The piece of the filter that is wrong, as byte offsets; the text counts bytes from 1.
    pub span: Span,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Longer than [`MAX_BYTES`].
    #[error("the filter is {length} bytes long; at most {MAX_BYTES} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// More comparisons than [`MAX_TERMS`].
    #[error("the filter has more than {MAX_TERMS} comparisons")]
    TooManyTerms,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("groups and negations are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Something else had to stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What would have been understood.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A quoted text without its end.
    #[error("the text that begins here has no closing {quote}")]
    Unclosed {
        /// The quote it began with.
        quote: char,
    },
    /// A backslash before a character that needs none.
    #[error("`\\{found}` is not an escape; known are \\\" \\' \\\\ \\n \\r \\t")]
    UnknownEscape {
        /// The character behind the backslash.
        found: char,
    },
    /// A character that cannot be part of any value.
    #[error("a filter cannot hold the character U+0000")]
    Nul,
    /// No field of this name.
    #[error("unknown field `{name}`{}; known fields: {known}", did_you_mean(suggestion.as_deref()))]
    UnknownField {
        /// The name as written.
        name: String,
        /// The nearest field there is, if one is near.
        suggestion: Option<String>,
        /// The fields there are, comma-separated.
        known: String,
    },
    /// The path goes into a field that has no inside, or does not say which part of one that has.
    #[error("`{field}` {problem}")]
    Path {
        /// The field.
        field: &'static str,
        /// What is wrong with the path, and what to write.
        problem: String,
    },
    /// The field does not have this operator.
    #[error("`{field}` cannot be compared by `{operator}`; it takes {allowed}")]
    Operator {
        /// The field.
        field: &'static str,
        /// The operator as written.
        operator: &'static str,
        /// The forms it does take.
        allowed: String,
    },
    /// The value is not of the field's type.
    #[error("`{field}` takes {expected}, not `{found}`{}", did_you_mean(suggestion.as_deref()))]
    Value {
        /// The field.
        field: &'static str,
        /// What it takes.
        expected: String,
        /// The value as written.
        found: String,
        /// The nearest value there is, if one is near.
        suggestion: Option<String>,
    },
}

impl FilterError {
    pub(super) fn new(start: usize, end: usize, reason: Reason) -> Self {
        Self { span: Span { start, end }, reason }
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The candidate that is at most a third of the letters away from `name`, and nearest.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    // Far longer than any candidate: not a slip of the hand, and not worth its comparison.
    if name.len() > 64 {
        return None;
    }
    let (distance, best) =
        candidates.map(|candidate| (edit_distance(&name, candidate), candidate)).min_by_key(|(d, _)| *d)?;
    (distance <= best.chars().count().div_ceil(3)).then(|| best.to_owned())
}

/// Levenshtein's distance, by rows.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let up = *cell;
            left = (diagonal + usize::from(x != *y)).min(up + 1).min(left + 1);
            diagonal = up;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
