//! The filter language of Google's lists: `status = RUNNING AND labels.venue:orangery`, `(name eq web-.*)`,
//! `metric.type = "…" AND resource.labels.zone = one_of("a", "b")`. Compute, SQL Admin, Resource Manager and Monitoring
//! speak dialects of it, so it is read once.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// A filter that has been read.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one of these.
    All(Vec<Filter>),
    /// One of these.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A comparison.
    Term(Term),
}

/// One comparison: a member of the thing, how it is compared, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The way to the member, as it is named in JSON.
    pub path: Vec<String>,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub operand: Operand,
}

/// How a member is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `:` contains, or with `*` is there.
    Has,
    /// `eq`: the whole matches a pattern.
    Matches,
    /// `ne`: the whole does not match a pattern.
    Differs,
}

/// What a member is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A word or a quoted text.
    Text(String),
    /// `starts_with("a")`, `one_of("a", "b")`.
    Call(String, Vec<String>),
    /// What the whole must match: of `eq`, `ne` and `monitoring.regex.full_match("a.*")`.
    Pattern(Pattern),
}

/// A regular expression that has been compiled, of RE2's kind: what it takes to match is linear in the text.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Compiles an expression that the whole of a text must match; the error says what is wrong with it.
    fn read(text: &str) -> Result<Self, String> {
        let whole = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(LARGEST_PATTERN).build();
        whole.map(Self).map_err(|_| format!("{text} is no regular expression"))
    }

    fn matches(&self, value: &Value) -> bool {
        self.0.is_match(&plain(value))
    }
}

/// The most bytes that a compiled expression may take.
const LARGEST_PATTERN: usize = 1024 * 1024;

/// How deep parentheses and negations may stand in each other.
const DEEPEST: usize = 32;

impl Filter {
    /// Reads a filter; the error says what was not understood.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { tokens: tokens(text)?, at: 0, depth: 0 };
        let filter = reader.any()?;
        match reader.tokens.get(reader.at) {
            None => Ok(filter),
            Some(token) => Err(format!("unexpected {token:?} in the filter")),
        }
    }

    /// Whether `thing` passes.
    pub fn passes(&self, thing: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.passes(thing)),
            Self::Any(parts) => parts.iter().any(|part| part.passes(thing)),
            Self::Not(part) => !part.passes(thing),
            Self::Term(term) => term.passes(thing),
        }
    }

    /// The terms that must all hold, if the filter is nothing but such terms.
    pub fn terms(&self) -> Option<Vec<&Term>> {
        match self {
            Self::Term(term) => Some(vec![term]),
            Self::All(parts) => Some(
                parts.iter().map(Self::terms).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect(),
            ),
            Self::Any(_) | Self::Not(_) => None,
        }
    }
}

impl Term {
    fn passes(&self, thing: &Value) -> bool {
        let mut found = Vec::new();
        members(thing, &self.path, &mut found);
        let any = |test: &dyn Fn(&Value) -> bool| found.iter().any(|value| test(value));
        match (&self.operand, self.operator) {
            (Operand::Text(text), Operator::Unequal) => !any(&|value| equal(value, text)),
            (Operand::Text(text), operator) => any(&|value| compare(value, operator, text)),
            (Operand::Pattern(pattern), Operator::Unequal | Operator::Differs) => {
                !any(&|value| pattern.matches(value))
            }
            (Operand::Pattern(pattern), _) => any(&|value| pattern.matches(value)),
            (Operand::Call(name, texts), Operator::Unequal | Operator::Differs) => {
                !any(&|value| call(value, name, texts))
            }
            (Operand::Call(name, texts), _) => any(&|value| call(value, name, texts)),
        }
    }
}

/// All values that a path leads to; a list on the way stands for each of its elements.
fn members<'a>(thing: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    match (thing, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| members(item, path, found)),
        (value, None) => found.push(value),
        (Value::Object(object), Some((first, rest))) => {
            if let Some(member) = object.get(first.as_str()) {
                members(member, rest, found);
            }
        }
        _ => {}
    }
}

fn compare(value: &Value, operator: Operator, text: &str) -> bool {
    match operator {
        // What `eq` and `ne` are followed by is a pattern, which was met before.
        Operator::Equal | Operator::Matches => equal(value, text),
        Operator::Unequal | Operator::Differs => !equal(value, text),
        Operator::Has if text == "*" => true,
        Operator::Has if value.is_object() => value.get(text).is_some(),
        Operator::Has => plain(value).to_lowercase().contains(&text.trim_matches('*').to_lowercase()),
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
            let own = plain(value);
            let order = match (own.parse::<f64>(), text.parse::<f64>()) {
                (Ok(left), Ok(right)) => left.total_cmp(&right),
                _ => own.as_str().cmp(text),
            };
            match operator {
                Operator::Less => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::Greater => order.is_gt(),
                _ => order.is_ge(),
            }
        }
    }
}

fn call(value: &Value, name: &str, texts: &[String]) -> bool {
    let own = plain(value);
    let first = texts.first().map_or("", String::as_str);
    match name {
        "starts_with" => own.starts_with(first),
        "ends_with" => own.ends_with(first),
        "has_substring" => own.contains(first),
        "one_of" => texts.contains(&own),
        _ => false,
    }
}

/// The function that a value may be and whose text is an expression.
const FULL_MATCH: &str = "monitoring.regex.full_match";
/// The functions that a value may be; any other is refused when the filter is read.
const CALLS: [&str; 5] = ["starts_with", "ends_with", "has_substring", "one_of", FULL_MATCH];

fn equal(value: &Value, text: &str) -> bool {
    plain(value) == text
}

/// A member as a filter sees it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Operator(Operator),
    Word(String),
    Quoted(String),
}

const SIGNS: [(&str, Operator); 7] = [
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    (":", Operator::Has),
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '"' | '\'' => {
                let end = rest[1..].find(first).ok_or("a quoted text does not end")?;
                (Token::Quoted(rest[1..=end].to_owned()), end + 2)
            }
            _ => {
                if let Some((sign, operator)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
                    (Token::Operator(*operator), sign.len())
                } else {
                    let end = rest.find(|c: char| c.is_whitespace() || "(),=!<>:\"'".contains(c));
                    let end = end.filter(|end| *end > 0).unwrap_or(rest.len());
                    (Token::Word(rest[..end].to_owned()), end)
                }
            }
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// In how many parentheses and negations it stands.
    depth: usize,
}

impl Reader {
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn take(&mut self, token: &Token) -> bool {
        let is = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(is);
        is
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.word("OR") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    /// Terms joined by AND, or standing side by side.
    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        loop {
            let next = self.tokens.get(self.at);
            let ends = match next {
                None | Some(Token::Close) => true,
                Some(Token::Word(word)) => word == "OR",
                _ => false,
            };
            if ends {
                return Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) });
            }
            self.word("AND");
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Filter, String> {
        if self.depth > DEEPEST {
            return Err(format!("the filter is nested deeper than {DEEPEST}"));
        }
        self.depth += 1;
        let one = self.nested();
        self.depth -= 1;
        one
    }

    fn nested(&mut self) -> Result<Filter, String> {
        if self.word("NOT") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.take(&Token::Open) {
            let inner = self.any()?;
            return if self.take(&Token::Close) {
                Ok(inner)
            } else {
                Err("a parenthesis is not closed".into())
            };
        }
        self.term().map(Filter::Term)
    }

    fn term(&mut self) -> Result<Term, String> {
        let mut path = Vec::new();
        // A quoted part of the path is a key as it is: labels."my.key".
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Word(word) if path.is_empty() => {
                    path.extend(word.split('.').filter(|part| !part.is_empty()).map(str::to_owned));
                }
                Token::Quoted(key) if !path.is_empty() => path.push(key.clone()),
                _ => break,
            }
            self.at += 1;
        }
        if path.is_empty() {
            return Err("the name of a member was expected in the filter".into());
        }
        let operator = match self.tokens.get(self.at) {
            Some(Token::Operator(operator)) => *operator,
            Some(Token::Word(word)) if word == "eq" => Operator::Matches,
            Some(Token::Word(word)) if word == "ne" => Operator::Differs,
            _ => return Err(format!("a comparison was expected after {}", path.join("."))),
        };
        self.at += 1;
        let operand = match (operator, self.operand()?) {
            (Operator::Matches | Operator::Differs, Operand::Text(text)) => {
                Operand::Pattern(Pattern::read(&text)?)
            }
            (_, operand) => operand,
        };
        Ok(Term { path, operator, operand })
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Quoted(text)) => Ok(Operand::Text(text)),
            Some(Token::Word(word)) if CALLS.contains(&word.as_str()) && self.take(&Token::Open) => {
                let mut texts = Vec::new();
                while !self.take(&Token::Close) {
                    match self.tokens.get(self.at) {
                        Some(Token::Quoted(text) | Token::Word(text)) => texts.push(text.clone()),
                        Some(Token::Comma) => {}
                        _ => return Err(format!("{word} was not closed")),
                    }
                    self.at += 1;
                }
                match texts.first() {
                    Some(text) if word == FULL_MATCH => Pattern::read(text).map(Operand::Pattern),
                    _ => Ok(Operand::Call(word, texts)),
                }
            }
            Some(Token::Word(word)) => Ok(Operand::Text(word)),
            _ => Err("a value was expected in the filter".into()),
        }
    }
}

#[cfg(test)]
mod tests;
