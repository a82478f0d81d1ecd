//! Filters as SQL: a checked filter tree becomes a condition with bound values, never with written ones.
//!
//! Every form is made of operators that PostgreSQL holds to be leakproof, so that an index can serve it under
//! row level security: equality, order, and a prefix as a range in the "C" collation.

use std::fmt::Write as _;

use marquee_db::ToSql;
use marquee_types::filter::{
    Schema, Tree,
    checked::{Comparison, Condition, Filter, Test, Value},
};

use crate::fault::Fault;

/// A value bound to a statement.
pub type Bound = Box<dyn ToSql + Sync + Send>;

/// How one field of a filter is read.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// An expression of the field's type.
    Plain(&'static str),
    /// A column whose index is over an expression of it that is never null (so that lists can be ordered by it):
    /// the expression, and the column. Both are compared: the one for the index, the other for what it means.
    Twofold(&'static str, &'static str),
    /// Tags as rows: the SQL of the ids of those with `key = $1 AND value…`, and what the id is compared with.
    TagRows { id: &'static str },
    /// Tags as one JSON object.
    TagObject(&'static str),
}

/// A statement under construction: its text, and the values bound so far.
#[derive(Default)]
pub struct Statement {
    sql: String,
    bound: Vec<Bound>,
}

impl Statement {
    /// A statement that begins so.
    pub fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), bound: Vec::new() }
    }

    /// Adds fixed text.
    pub fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a place for `value`, cast to `sql_type`.
    pub fn bind(&mut self, value: impl ToSql + Sync + Send + 'static, sql_type: &str) -> &mut Self {
        self.bound.push(Box::new(value));
        // Writing to a String cannot fail.
        let _ = write!(self.sql, "${}::{sql_type}", self.bound.len());
        self
    }

    /// Adds `filter` as a condition over `columns`, which stand in the order of the filter's schema.
    pub fn filter(&mut self, filter: &Filter, columns: &[Column]) -> &mut Self {
        match filter {
            Tree::And(parts) => self.joined(parts, " AND ", "true", columns),
            Tree::Or(parts) => self.joined(parts, " OR ", "false", columns),
            Tree::Not(part) => {
                // What has no value is not equal to anything: NOT must hold there, and SQL's would be null.
                self.push("(").filter(part, columns).push(") IS NOT TRUE")
            }
            Tree::Leaf(test) => self.test(test, columns),
        }
    }

    /// The text, and the values as a statement takes them.
    pub fn parts(&self) -> (&str, Vec<&(dyn ToSql + Sync)>) {
        (&self.sql, self.bound.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect())
    }

    fn joined(&mut self, parts: &[Filter], word: &str, none: &str, columns: &[Column]) -> &mut Self {
        if parts.is_empty() {
            return self.push(none);
        }
        for (index, part) in parts.iter().enumerate() {
            self.push(if index == 0 { "((" } else { word });
            if index > 0 {
                self.push("(");
            }
            self.filter(part, columns).push(")");
        }
        self.push(")")
    }

    fn test(&mut self, test: &Test, columns: &[Column]) -> &mut Self {
        match columns[test.field] {
            Column::Plain(expression) => self.condition(expression, &test.condition),
            Column::Twofold(expression, column) => match &test.condition {
                Condition::Present | Condition::Compare(Comparison::NotEqual, _) => {
                    self.condition(column, &test.condition)
                }
                condition => self
                    .push("(")
                    .condition(expression, condition)
                    .push(" AND ")
                    .condition(column, condition)
                    .push(")"),
            },
            Column::TagRows { id } => self.tag_rows(id, test),
            Column::TagObject(object) => self.tag_object(object, test),
        }
    }

    fn condition(&mut self, expression: &str, condition: &Condition) -> &mut Self {
        match condition {
            Condition::Compare(comparison, value) => {
                let operator = match comparison {
                    Comparison::Equal => " = ",
                    Comparison::NotEqual => " IS DISTINCT FROM ",
                    Comparison::Less => " < ",
                    Comparison::LessOrEqual => " <= ",
                    Comparison::Greater => " > ",
                    Comparison::GreaterOrEqual => " >= ",
                };
                self.push(expression).push(operator).value(value)
            }
            Condition::StartsWith(prefix) => self.starts_with(expression, prefix),
            Condition::Contains(text) => self
                .push("position(lower(")
                .bind(text.clone(), "text")
                .push(") in lower(")
                .push(expression)
                .push(")) > 0"),
            Condition::Present => self.push(expression).push(" IS NOT NULL"),
        }
    }

    fn starts_with(&mut self, expression: &str, prefix: &str) -> &mut Self {
        self.push("(").push(expression).push(" >= ").bind(prefix.to_owned(), "text");
        if let Some(end) = after_all_with(prefix) {
            self.push(" AND ").push(expression).push(" < ").bind(end, "text");
        }
        self.push(")")
    }

    fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Text(text) => self.bind(text.clone(), "text"),
            Value::Word(word) => self.bind(*word, "text"),
            Value::Id { uuid, .. } => self.bind(*uuid, "uuid"),
            Value::Integer(number) => self.bind(*number, "bigint"),
            Value::Time(time) => self.bind(*time, "timestamptz"),
            Value::Boolean(truth) => self.bind(*truth, "boolean"),
        }
    }

    fn tag_rows(&mut self, id: &str, test: &Test) -> &mut Self {
        let (negated, condition) = match &test.condition {
            Condition::Compare(Comparison::NotEqual, value) => {
                (" NOT IN (", &Condition::Compare(Comparison::Equal, value.clone()))
            }
            condition => (" IN (", condition),
        };
        self.push(id).push(negated).push("SELECT t.resource_id FROM cloud_resource_tags t");
        if let Some(key) = &test.key {
            self.push(" WHERE t.key = ").bind(key.clone(), "text");
            if *condition != Condition::Present {
                self.push(" AND ").condition("t.value", condition);
            }
        }
        self.push(")")
    }

    fn tag_object(&mut self, object: &str, test: &Test) -> &mut Self {
        let Some(key) = &test.key else { return self.push(object).push(" <> '{}'::jsonb") };
        let place = self.bound.len() + 1;
        self.bound.push(Box::new(key.clone()));
        let expression = format!("(({object} ->> ${place}::text) COLLATE \"C\")");
        self.condition(&expression, &test.condition)
    }
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement").field("sql", &self.sql).field("bound", &self.bound.len()).finish()
    }
}

/// Reads `?filter=`; the canonical text of the result is what a cursor is bound to.
pub fn parse(schema: &Schema, text: Option<&str>) -> Result<Option<Filter>, Fault> {
    let Some(text) = text else { return Ok(None) };
    schema.parse(text).map(Some).map_err(|error| Fault::invalid("?filter", error.to_string()))
}

/// The least text that is greater than every text with this prefix, in code point order; none if there is none.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            char::MAX => None,
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use marquee_types::filter::FieldSpec;
    use proptest::prelude::*;

    use super::*;

    static FIELDS: &[FieldSpec] = &[
        FieldSpec::text("name"),
        FieldSpec::integer("vcpus"),
        FieldSpec::tags("tags"),
        FieldSpec::time("created_at"),
    ];
    const COLUMNS: &[Column] = &[
        Column::Plain("r.name"),
        Column::Plain("r.vcpus"),
        Column::TagRows { id: "r.id" },
        Column::Twofold("coalesce(r.created_at, '-infinity')", "r.created_at"),
    ];

    fn sql(text: &str) -> String {
        let filter = Schema::new(FIELDS).parse(text).expect("a valid filter");
        let mut statement = Statement::default();
        statement.filter(&filter, COLUMNS);
        statement.parts().0.to_owned()
    }

    #[test]
    fn values_are_bound_and_never_written() {
        assert_eq!(sql("name = \"x'; DROP TABLE users --\""), "r.name = $1::text");
        assert_eq!(
            sql("name:web* AND vcpus >= 8"),
            "(((r.name >= $1::text AND r.name < $2::text)) AND (r.vcpus >= $3::bigint))"
        );
        assert_eq!(
            sql("tags.venue = orangery"),
            "r.id IN (SELECT t.resource_id FROM cloud_resource_tags t WHERE t.key = $1::text AND t.value = $2::text)"
        );
        assert_eq!(sql("NOT vcpus = 4"), "(r.vcpus = $1::bigint) IS NOT TRUE");
    }

    proptest! {
        #[test]
        fn the_end_of_a_prefix_is_beyond_it_and_within_nothing_else(prefix in "\\PC{1,6}", rest in "\\PC{0,4}") {
            if let Some(end) = after_all_with(&prefix) {
                let with_prefix = format!("{prefix}{rest}");
                prop_assert!(prefix.as_str() <= with_prefix.as_str() && with_prefix < end);
            }
        }
    }
}
