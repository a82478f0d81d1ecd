//! The filter language of every list: [AIP-160](https://google.aip.dev/160) over documented fields.
//!
//! ```text
//! kind = compute_instance AND (region = us-east-1 OR region = eu-west-1) AND NOT state = deleted
//! tags.venue = "Villa Cora" tags."cost center":* name:web* created_at >= 2026-05-01T00:00:00Z
//! state = (running OR stopped) -tags:temporary
//! ```
//!
//! - Comparisons are `field operator value`; the operators are `=` `!=` `<` `<=` `>` `>=` and `:` (has).
//! - Side by side means AND. **OR binds tighter than AND**: `a=1 AND b=2 OR c=3` is `a=1 AND (b=2 OR c=3)`.
//!   `NOT` or `-` negates one comparison or one group. The three words are written in capitals.
//! - `=` compares the whole value and, for text, its case. `!=` is exactly its opposite: it also holds where
//!   there is no value.
//! - `:` on text holds where the value contains the text, whatever the case; `field:text*` where it begins
//!   with it (case counts; this one is quick); `field:*` where there is a value. `tags:key` holds where the tag
//!   exists, whatever its value.
//! - `field = (a OR b)` is short for `(field = a OR field = b)`; for `=` and `:` only.
//! - Values need quotes (`"` or `'`) if they hold spaces, quotes, commas, parentheses, `=`, `<`, `>`, `!` or `*`.
//!   Inside quotes `\"` `\'` `\\` `\n` `\r` `\t` are understood. Times are RFC 3339 with a zone.
//! - A filter is at most [`MAX_BYTES`] long, with [`MAX_TERMS`] comparisons and groups [`MAX_DEPTH`] deep.
//!
//! Three steps: [`parse`] gives an [`Expression`] that knows positions but no fields, [`Schema::check`] turns it
//! into a [`checked::Filter`] whose every leaf is a known field, an operator that the field has and a value of
//! the field's type. Who owns the data then compiles that tree (to SQL with bound values, for instance).
//! Printing a checked filter gives its one canonical text: two filters that mean the same by spelling,
//! spacing or needless parentheses print the same, so that a cursor can be bound to a filter.
//!
//! Parsing takes time in proportion to the length and cannot fail but by a [`FilterError`].

mod ast;
pub mod checked;
mod error;
mod lexer;
mod parser;
mod schema;
#[cfg(test)]
mod tests;
mod tree;

pub use ast::{Expression, Operator, Path, Restriction, Span, Value};
pub use error::{FilterError, Reason};
pub use parser::parse;
pub use schema::{FieldKind, FieldSpec, Form, Schema};
pub use tree::Tree;

/// The longest filter, in bytes of UTF-8.
pub const MAX_BYTES: usize = 2_000;
/// The most comparisons in one filter.
pub const MAX_TERMS: usize = 50;
/// The deepest nesting of parentheses and negations.
pub const MAX_DEPTH: usize = 20;
