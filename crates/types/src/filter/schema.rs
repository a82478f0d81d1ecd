//! The fields that a list can be filtered by, and the check of a filter against them.

use chrono::{DateTime, Datelike, SubsecRound, Utc};

use super::{
    Expression, Operator, Restriction, Value as Written,
    ast::Path,
    checked::{Comparison, Condition, Filter, Test, Value},
    error::{FilterError, Reason, nearest},
    lexer::shortened,
    parse,
};
use crate::id;

/// One field of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name, as in the answer's JSON.
    pub name: &'static str,
    /// What its values are.
    pub kind: FieldKind,
    /// The conditions it can stand in: what the data can answer quickly, not more.
    pub forms: &'static [Form],
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// One of these words, e.g. `ResourceKind::WORDS`.
    Word(&'static [&'static str]),
    /// A prefixed id, e.g. `prv`.
    Id(&'static str),
    /// A whole number of 64 bits.
    Integer,
    /// A moment.
    Time,
    /// `true` or `false`.
    Boolean,
    /// Texts by key: `tags.venue="Villa Cora"`.
    TagMap,
}

/// A condition that a field can stand in, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `field = value`
    Equal,
    /// `field != value`
    NotEqual,
    /// `field < value`, `<=`, `>` and `>=`
    Ordered,
    /// `field:text`
    Contains,
    /// `field:text*`
    StartsWith,
    /// `field:*`
    Present,
}

/// The fields of one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// In the order in which messages name them; a [`Test`] gives the place in here.
    pub fields: &'static [FieldSpec],
}

impl FieldSpec {
    /// A text with every form that texts have.
    pub const fn text(name: &'static str) -> Self {
        let forms = &[Form::Equal, Form::NotEqual, Form::Contains, Form::StartsWith, Form::Present];
        Self { name, kind: FieldKind::Text, forms }
    }

    /// One of `words`.
    pub const fn word(name: &'static str, words: &'static [&'static str]) -> Self {
        Self { name, kind: FieldKind::Word(words), forms: &[Form::Equal, Form::NotEqual, Form::Present] }
    }

    /// An id that begins with `prefix` and an underscore.
    pub const fn id(name: &'static str, prefix: &'static str) -> Self {
        Self { name, kind: FieldKind::Id(prefix), forms: &[Form::Equal, Form::NotEqual, Form::Present] }
    }

    /// A whole number.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Integer, forms: ORDERED }
    }

    /// A moment.
    pub const fn time(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Time, forms: ORDERED }
    }

    /// True or false.
    pub const fn boolean(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Boolean, forms: &[Form::Equal, Form::NotEqual, Form::Present] }
    }

    /// Texts by key.
    pub const fn tags(name: &'static str) -> Self {
        let forms = &[Form::Equal, Form::NotEqual, Form::Contains, Form::StartsWith, Form::Present];
        Self { name, kind: FieldKind::TagMap, forms }
    }

    /// The same field in these forms only.
    #[must_use]
    pub const fn only(self, forms: &'static [Form]) -> Self {
        Self { forms, ..self }
    }
}

const ORDERED: &[Form] = &[Form::Equal, Form::NotEqual, Form::Ordered, Form::Present];

impl FieldKind {
    /// What a value of this kind is, for people.
    pub fn describe(self) -> String {
        match self {
            Self::Text | Self::TagMap => "text".to_owned(),
            Self::Word(words) => format!("one of: {}", words.join(", ")),
            Self::Id(prefix) => format!("an id: `{prefix}_` and 32 hexadecimal digits"),
            Self::Integer => "a whole number".to_owned(),
            Self::Time => "an RFC 3339 time with a zone, such as 2026-06-20T16:00:00Z \
                           (in a URL a `+` is written %2B)"
                .to_owned(),
            Self::Boolean => "true or false".to_owned(),
        }
    }
}

impl Form {
    /// The form as it is written behind the field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "`=`",
            Self::NotEqual => "`!=`",
            Self::Ordered => "`<` `<=` `>` `>=`",
            Self::Contains => "`:text` (contains)",
            Self::StartsWith => "`:text*` (begins with)",
            Self::Present => "`:*` (has a value)",
        }
    }
}

impl Schema {
    /// The list's fields.
    pub const fn new(fields: &'static [FieldSpec]) -> Self {
        Self { fields }
    }

    /// Reads and checks a filter.
    pub fn parse(&self, text: &str) -> Result<Filter, FilterError> {
        self.check(&parse(text)?)
    }

    /// Finds every field, and makes every value one of its field's type.
    pub fn check(&self, expression: &Expression) -> Result<Filter, FilterError> {
        expression.try_map(&mut |restriction| self.check_leaf(restriction))
    }

    fn check_leaf(&self, restriction: &Restriction) -> Result<Test, FilterError> {
        let (field, spec) = self.find(&restriction.path)?;
        if spec.kind == FieldKind::TagMap {
            return check_tag(field, spec, restriction);
        }
        if restriction.path.segments.len() > 1 {
            return Err(path_error(spec, &restriction.path, "has no parts; leave out the dot".to_owned()));
        }
        let condition = condition(spec, restriction)?;
        Ok(Test { field, name: spec.name, key: None, condition })
    }

    fn find(&self, path: &Path) -> Result<(usize, &'static FieldSpec), FilterError> {
        let name = path.segments.first().map(String::as_str).unwrap_or_default();
        let found = self.fields.iter().enumerate().find(|(_, spec)| spec.name == name);
        found.ok_or_else(|| {
            let names: Vec<_> = self.fields.iter().map(|spec| spec.name).collect();
            let suggestion = nearest(name, names.iter().copied());
            let reason = Reason::UnknownField { name: shortened(name), suggestion, known: names.join(", ") };
            FilterError { span: path.span, reason }
        })
    }
}

/// `tags.key operator value`, `tags:key` (the tag exists) and `tags:*` (there is a tag).
fn check_tag(field: usize, spec: &'static FieldSpec, restriction: &Restriction) -> Result<Test, FilterError> {
    let name = spec.name;
    let present = |key| {
        let condition = allowed(spec, restriction, Form::Present, Condition::Present)?;
        Ok(Test { field, name, key, condition })
    };
    match restriction.path.segments.as_slice() {
        [_] if restriction.operator == Operator::Has => match &restriction.value {
            Written::Any => present(None),
            Written::Text(key) => present(Some(key.clone())),
            Written::Prefix(_) => {
                let problem = format!("takes a whole key: `{name}:key`, or `{name}:*` for any");
                Err(path_error(spec, &restriction.path, problem))
            }
        },
        [_, key] => {
            Ok(Test { field, name, key: Some(key.clone()), condition: condition(spec, restriction)? })
        }
        [_] => {
            let problem = format!("needs a key: `{name}.key{}…`", restriction.operator.as_str());
            Err(path_error(spec, &restriction.path, problem))
        }
        [_, parts @ ..] => {
            let problem =
                format!("has keys of one part; quote one that holds dots: `{name}.\"{}\"`", parts.join("."));
            Err(path_error(spec, &restriction.path, problem))
        }
        [] => Err(path_error(spec, &restriction.path, "needs a name".to_owned())),
    }
}

fn path_error(spec: &'static FieldSpec, path: &Path, problem: String) -> FilterError {
    FilterError { span: path.span, reason: Reason::Path { field: spec.name, problem } }
}

/// The condition, if the field has it and the value fits.
fn condition(spec: &'static FieldSpec, restriction: &Restriction) -> Result<Condition, FilterError> {
    let closed = !matches!(spec.kind, FieldKind::Text | FieldKind::TagMap);
    let comparison = match (restriction.operator, &restriction.value) {
        (Operator::Has, Written::Any) => {
            return allowed(spec, restriction, Form::Present, Condition::Present);
        }
        (Operator::Has, Written::Prefix(text)) if !closed => {
            return allowed(spec, restriction, Form::StartsWith, Condition::StartsWith(text.clone()));
        }
        (Operator::Has, Written::Text(text)) if !closed => {
            return allowed(spec, restriction, Form::Contains, Condition::Contains(text.clone()));
        }
        // AIP-160: on a single value that is not text, `:` is `=`.
        (Operator::Has | Operator::Equal, _) => Comparison::Equal,
        (Operator::NotEqual, _) => Comparison::NotEqual,
        (Operator::Less, _) => Comparison::Less,
        (Operator::LessOrEqual, _) => Comparison::LessOrEqual,
        (Operator::Greater, _) => Comparison::Greater,
        (Operator::GreaterOrEqual, _) => Comparison::GreaterOrEqual,
    };
    let form = match comparison {
        Comparison::Equal => Form::Equal,
        Comparison::NotEqual => Form::NotEqual,
        _ => Form::Ordered,
    };
    let value = value(spec, restriction)?;
    allowed(spec, restriction, form, Condition::Compare(comparison, value))
}

fn allowed(
    spec: &'static FieldSpec,
    restriction: &Restriction,
    form: Form,
    condition: Condition,
) -> Result<Condition, FilterError> {
    if spec.forms.contains(&form) {
        return Ok(condition);
    }
    let operator = match form {
        Form::Contains => ":text",
        Form::StartsWith => ":text*",
        Form::Present => ":*",
        Form::Equal | Form::NotEqual | Form::Ordered => restriction.operator.as_str(),
    };
    let forms: Vec<_> = spec.forms.iter().map(|form| form.as_str()).collect();
    let reason = Reason::Operator { field: spec.name, operator, allowed: forms.join(", ") };
    Err(FilterError { span: restriction.path.span, reason })
}

/// The written value as one of the field's type.
fn value(spec: &'static FieldSpec, restriction: &Restriction) -> Result<Value, FilterError> {
    let refuse = |expected: String, suggestion: Option<String>| {
        let found = shortened(&restriction.value.to_string());
        let found =
            found.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&found).to_owned();
        let reason = Reason::Value { field: spec.name, expected, found, suggestion };
        FilterError { span: restriction.value_span, reason }
    };
    let Written::Text(text) = &restriction.value else {
        let expected = "a whole value (a `*` behind `:` only; in quotes it stands for itself)";
        return Err(refuse(expected.to_owned(), None));
    };
    let value = match spec.kind {
        FieldKind::Text | FieldKind::TagMap => Some(Value::Text(text.clone())),
        FieldKind::Word(words) => words.iter().find(|word| *word == text).map(|word| Value::Word(word)),
        FieldKind::Id(prefix) => id::parse(prefix, text).ok().map(|uuid| Value::Id { prefix, uuid }),
        FieldKind::Integer => text.parse().ok().map(Value::Integer),
        FieldKind::Time => moment(text).map(Value::Time),
        FieldKind::Boolean => text.parse().ok().map(Value::Boolean),
    };
    value.ok_or_else(|| {
        let suggestion = match spec.kind {
            FieldKind::Word(words) => nearest(text, words.iter().copied()),
            _ => None,
        };
        refuse(spec.kind.describe(), suggestion)
    })
}

/// To the microsecond, which is what PostgreSQL keeps.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    // The zone may carry it over the edge of what RFC 3339 can write.
    let time = Some(time).filter(|time| (1..=9999).contains(&time.year()))?;
    DateTime::from_timestamp_micros(time.trunc_subsecs(6).timestamp_micros())
}
