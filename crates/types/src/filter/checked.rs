//! A filter that is known to make sense: every leaf is a field of one schema, a condition that the field has,
//! and a value of the field's type.
//!
//! Printed, it is the canonical text of the filter. That text parses and checks to the same filter again, but
//! may be longer than [`MAX_BYTES`](super::MAX_BYTES), since lists of values are written out.

use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::{
    Tree,
    ast::{fmt_quoted, fmt_segment},
};

/// A checked filter.
///
/// ```
/// use marquee_types::filter::{FieldSpec, Schema, Tree, checked::{Condition, Filter}};
///
/// static FIELDS: &[FieldSpec] = &[FieldSpec::text("name"), FieldSpec::integer("size_bytes")];
///
/// fn columns(filter: &Filter, sql: &mut String) {
///     match filter {
///         Tree::And(parts) | Tree::Or(parts) => parts.iter().for_each(|part| columns(part, sql)),
///         Tree::Not(part) => columns(part, sql),
///         Tree::Leaf(test) => match &test.condition {
///             Condition::Compare(comparison, _value) => sql.push_str(&format!("{} {comparison} $1;", test.name)),
///             other => sql.push_str(&format!("{other:?};")),
///         },
///     }
/// }
///
/// let filter = Schema::new(FIELDS).parse("size_bytes >= 10 AND name:web*").unwrap();
/// let mut sql = String::new();
/// columns(&filter, &mut sql);
/// assert_eq!(sql, "size_bytes >= $1;StartsWith(\"web\");");
/// assert_eq!(filter.to_string(), "size_bytes>=10 AND name:\"web\"*");
/// ```
pub type Filter = Tree<Test>;

/// One leaf: a condition on one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Test {
    /// The field's place in the schema.
    pub field: usize,
    /// The field's name in the schema.
    pub name: &'static str,
    /// For a field of tags: which tag. `None` only with [`Condition::Present`]: is there any tag at all.
    pub key: Option<String>,
    /// What must hold of it.
    pub condition: Condition,
}

/// What must hold of a field's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It stands so to this value, which is of the field's type. [`Comparison::NotEqual`] holds where there is no
    /// value; every other fails there.
    Compare(Comparison, Value),
    /// It contains this text, whatever the case.
    Contains(String),
    /// It begins with this text, case as given.
    StartsWith(String),
    /// There is a value.
    Present,
}

/// How a value stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Not the same, or no value.
    NotEqual,
    /// Less, or earlier.
    Less,
    /// Less or the same.
    LessOrEqual,
    /// Greater, or later.
    Greater,
    /// Greater or the same.
    GreaterOrEqual,
}

/// A value of a field's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of a text field, or of a tag.
    Text(String),
    /// One of the words of a closed set.
    Word(&'static str),
    /// The UUID within a prefixed id.
    Id {
        /// The prefix without its underscore.
        prefix: &'static str,
        /// What stands behind it.
        uuid: Uuid,
    },
    /// A whole number.
    Integer(i64),
    /// A moment, to the microsecond.
    Time(DateTime<Utc>),
    /// True or false.
    Boolean(bool),
}

impl Comparison {
    /// The comparison as it is written; `!=` stands for "is distinct from".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(key) = &self.key {
            f.write_str(".")?;
            fmt_segment(key, f)?;
        }
        match &self.condition {
            Condition::Compare(comparison, value) => write!(f, "{comparison}{value}"),
            Condition::Contains(text) => {
                f.write_str(":")?;
                fmt_quoted(text, f)
            }
            Condition::StartsWith(text) => {
                f.write_str(":")?;
                fmt_quoted(text, f)?;
                f.write_str("*")
            }
            Condition::Present => f.write_str(":*"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => fmt_quoted(text, f),
            Self::Word(word) => f.write_str(word),
            Self::Id { prefix, uuid } => write!(f, "{prefix}_{}", uuid.as_simple()),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true)),
            Self::Boolean(truth) => write!(f, "{truth}"),
        }
    }
}
