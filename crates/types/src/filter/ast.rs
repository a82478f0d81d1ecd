//! The tree of a filter as it was written: fields are only names, values only text, everything has a place.

use std::fmt::{self, Display, Formatter, Write as _};

use super::Tree;

/// A piece of the filter's text, as byte offsets `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

/// A filter, parsed but not yet checked against the fields there are.
pub type Expression = Tree<Restriction>;

/// One comparison: `path operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// What is compared.
    pub path: Path,
    /// How.
    pub operator: Operator,
    /// With what.
    pub value: Value,
    /// Where the value stands.
    pub value_span: Span,
}

/// A field, or a place inside one: `name`, `tags."cost center"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The parts between the dots, without their quotes; at least one.
    pub segments: Vec<String>,
    /// Where the path stands.
    pub span: Span,
}

/// The operators of the language, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`
    Has,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A bare `*`: any value at all.
    Any,
    /// `text*` or `"some text"*`: whatever begins with this.
    Prefix(String),
    /// A word, number, time or quoted text.
    Text(String),
}

impl Operator {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Has => ":",
        }
    }
}

impl Display for Restriction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)?;
        f.write_str(self.operator.as_str())?;
        self.value.fmt(f)
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments.iter().enumerate() {
            if i > 0 {
                f.write_char('.')?;
            }
            fmt_segment(segment, f)?;
        }
        Ok(())
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_char('*'),
            Self::Prefix(text) => {
                fmt_quoted(text, f)?;
                f.write_char('*')
            }
            Self::Text(text) => fmt_quoted(text, f),
        }
    }
}

/// A part of a path, quoted only where it must be.
pub(super) fn fmt_segment(segment: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let bare = segment.chars().next().is_some_and(|c| c != '-') && segment.chars().all(is_path_char);
    if bare { f.write_str(segment) } else { fmt_quoted(segment, f) }
}

/// Text between double quotes.
pub(super) fn fmt_quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

/// What a part of a path may hold without quotes.
pub(super) fn is_path_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '@' | '+')
}

/// What a value may hold without quotes; `*` has its own meaning.
pub(super) fn is_value_char(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c, '(' | ')' | '"' | '\'' | '=' | '<' | '>' | '!' | ',' | '\\')
}
