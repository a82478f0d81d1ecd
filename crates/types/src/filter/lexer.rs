//! Reads one word of a filter at a time. What a word is depends on where it stands: `10:30` is a field, an
//! operator and a value at the start of a comparison, and one value behind an operator.

use super::{
    Operator, Path, Span, Value,
    ast::{is_path_char, is_value_char},
    error::{FilterError, Reason},
};

/// A place in a filter's text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// The words that are not names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The offset of what comes next, blanks left out.
    pub(super) fn position(&mut self) -> usize {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    /// Whether nothing but blanks is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.position() == self.text.len()
    }

    /// Whether `c` comes next.
    pub(super) fn at_char(&mut self, c: char) -> bool {
        self.position();
        self.rest().starts_with(c)
    }

    /// Steps over `c` if it comes next.
    pub(super) fn take_char(&mut self, c: char) -> bool {
        let found = self.at_char(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Steps over `keyword` if it comes next.
    pub(super) fn take_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.peek_keyword() == Some(keyword);
        if found {
            self.at += keyword.as_str().len();
        }
        found
    }

    /// The keyword that comes next, if it is one.
    pub(super) fn peek_keyword(&mut self) -> Option<Keyword> {
        self.position();
        let word = leading(self.rest(), is_path_char);
        [Keyword::And, Keyword::Or, Keyword::Not].into_iter().find(|keyword| keyword.as_str() == word)
    }

    /// A field: `name`, `tags.venue`, `tags."cost center"`.
    pub(super) fn path(&mut self) -> Result<Path, FilterError> {
        let start = self.position();
        let first = leading(self.rest(), is_path_char);
        if first.is_empty() || first.starts_with('-') || self.peek_keyword().is_some() {
            return Err(self.unexpected("a comparison such as `name=\"web\"`, or `(`"));
        }
        self.at += first.len();
        let mut segments = vec![first.to_owned()];
        while self.rest().starts_with('.') {
            self.at += 1;
            segments.push(self.segment()?);
        }
        Ok(Path { segments, span: Span { start, end: self.at } })
    }

    fn segment(&mut self) -> Result<String, FilterError> {
        if self.rest().starts_with(['"', '\'']) {
            return self.quoted();
        }
        let word = leading(self.rest(), is_path_char);
        if word.is_empty() || word.starts_with('-') {
            return Err(self.unexpected("a name behind the dot; one with other signs needs quotes"));
        }
        self.at += word.len();
        Ok(word.to_owned())
    }

    /// One of the seven operators.
    pub(super) fn operator(&mut self, path: &Path) -> Result<Operator, FilterError> {
        self.position();
        // Longer ones first: `<=` is not `<` and something.
        let known = [
            Operator::NotEqual,
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::Equal,
            Operator::Less,
            Operator::Greater,
            Operator::Has,
        ];
        let found = known.into_iter().find(|operator| self.rest().starts_with(operator.as_str()));
        let Some(operator) = found else {
            let lower_case = matches!(path.segments.as_slice(), [word] if is_keyword_in_lower_case(word));
            return Err(if lower_case {
                let found = format!("`{path}`");
                let reason = Reason::Unexpected { expected: "AND, OR or NOT in capitals", found };
                FilterError { span: path.span, reason }
            } else {
                self.unexpected("one of the operators = != < <= > >= : behind the field")
            });
        };
        self.at += operator.as_str().len();
        Ok(operator)
    }

    /// The right side of a comparison; blanks, `)` or the end must follow.
    pub(super) fn value(&mut self) -> Result<(Value, Span), FilterError> {
        let start = self.position();
        let value = if self.rest().starts_with(['"', '\'']) {
            let text = self.quoted()?;
            if self.rest().starts_with('*') {
                self.at += 1;
                Value::Prefix(text)
            } else {
                Value::Text(text)
            }
        } else {
            self.bare_value()?
        };
        if self.rest().starts_with(|c: char| !c.is_whitespace() && c != ')') {
            return Err(self.unexpected("a blank behind the value (a value with such signs needs quotes)"));
        }
        Ok((value, Span { start, end: self.at }))
    }

    fn bare_value(&mut self) -> Result<Value, FilterError> {
        let word = leading(self.rest(), is_value_char);
        if word.is_empty() || self.peek_keyword().is_some() {
            return Err(self.unexpected("a value"));
        }
        let stem = word.strip_suffix('*').unwrap_or(word);
        if stem.contains('*') {
            return Err(self.unexpected("`*` only at the end of a value; quotes take it as it is"));
        }
        self.at += word.len();
        Ok(match stem {
            "" => Value::Any,
            _ if stem.len() < word.len() => Value::Prefix(stem.to_owned()),
            _ => Value::Text(stem.to_owned()),
        })
    }

    /// Text between quotes; the next character is known to be one.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('"', |(_, c)| c);
        let mut text = String::new();
        while let Some((offset, c)) = chars.next() {
            if c == quote {
                self.at = start + offset + c.len_utf8();
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some((_, c @ ('"' | '\'' | '\\'))) => text.push(c),
                Some((_, 'n')) => text.push('\n'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, 't')) => text.push('\t'),
                Some((end, found)) => {
                    let end = start + end + found.len_utf8();
                    return Err(FilterError::new(start + offset, end, Reason::UnknownEscape { found }));
                }
                None => break,
            }
        }
        Err(FilterError::new(start, self.text.len(), Reason::Unclosed { quote }))
    }

    /// The refusal of what comes next.
    pub(super) fn unexpected(&mut self, expected: &'static str) -> FilterError {
        let start = self.position();
        let rest = self.rest();
        let word = leading(rest, is_value_char);
        // A whole word if one stands there, else the one sign, else the end.
        let length = if word.is_empty() { rest.chars().next().map_or(0, char::len_utf8) } else { word.len() };
        let found = match rest.get(..length) {
            Some("") | None => "the end of the filter".to_owned(),
            Some(found) => format!("`{}`", shortened(found)),
        };
        FilterError::new(start, start + length, Reason::Unexpected { expected, found })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

impl Keyword {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Not => "NOT",
        }
    }
}

fn is_keyword_in_lower_case(word: &str) -> bool {
    ["and", "or", "not"].contains(&word.to_lowercase().as_str())
}

/// The longest beginning of `text` made of such characters.
fn leading(text: &str, belongs: fn(char) -> bool) -> &str {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// At most 40 characters, for a message.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
