//! From text to [`Expression`], by recursive descent over AIP-160's grammar:
//!
//! ```text
//! filter      : [expression]
//! expression  : factor {[AND] factor}
//! factor      : term {OR term}
//! term        : [NOT | "-"] simple
//! simple      : restriction | "(" expression ")"
//! restriction : path operator (value | "(" value {OR value} ")")
//! ```
//!
//! Left out of AIP-160: bare words as a search over everything, and functions; a refusal says so.

use super::{
    Expression, MAX_BYTES, MAX_DEPTH, MAX_TERMS, Operator, Path, Restriction, Span, Value,
    error::{FilterError, Reason},
    lexer::{Keyword, Lexer},
};

/// Reads a filter. An empty or blank one lets everything pass.
pub fn parse(text: &str) -> Result<Expression, FilterError> {
    if text.len() > MAX_BYTES {
        return Err(FilterError::new(MAX_BYTES, text.len(), Reason::TooLong { length: text.len() }));
    }
    if let Some(at) = text.find('\0') {
        return Err(FilterError::new(at, at + 1, Reason::Nul));
    }
    parse_any_length(text)
}

/// [`parse`] for a text that is known to be short enough, or was printed from one.
pub(super) fn parse_any_length(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { lexer: Lexer::new(text), terms: 0, depth: 0 };
    if parser.lexer.at_end() {
        return Ok(Expression::all(Vec::new()));
    }
    let expression = parser.expression()?;
    if parser.lexer.at_end() { Ok(expression) } else { Err(parser.lexer.unexpected("AND or OR")) }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    terms: usize,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.factor()?];
        loop {
            // Without AND another factor may simply follow.
            let and = self.lexer.take_keyword(Keyword::And);
            if !and && (self.lexer.at_end() || self.lexer.at_char(')')) {
                return Ok(Expression::all(parts));
            }
            parts.push(self.factor()?);
        }
    }

    fn factor(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.term()?];
        while self.lexer.take_keyword(Keyword::Or) {
            parts.push(self.term()?);
        }
        Ok(Expression::any(parts))
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        if self.lexer.take_keyword(Keyword::Not) || self.lexer.take_char('-') {
            let inner = self.nested(Self::simple)?;
            return Ok(Expression::Not(Box::new(inner)));
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<Expression, FilterError> {
        if !self.lexer.take_char('(') {
            return self.restriction();
        }
        let inner = self.nested(Self::expression)?;
        self.close("AND, OR or `)`")?;
        Ok(inner)
    }

    fn restriction(&mut self) -> Result<Expression, FilterError> {
        let path = self.lexer.path()?;
        let operator = self.lexer.operator(&path)?;
        if !self.lexer.at_char('(') {
            let (value, value_span) = self.value()?;
            return Ok(Expression::Leaf(Restriction { path, operator, value, value_span }));
        }
        // `a != (x OR y)` reads as "neither", but would mean "always": only those that mean what they say.
        if !matches!(operator, Operator::Equal | Operator::Has) {
            return Err(self.lexer.unexpected("one value; a list of values takes `=` or `:`"));
        }
        self.lexer.take_char('(');
        let parts = self.nested(|parser| parser.values(&path, operator))?;
        self.close("OR or `)`")?;
        Ok(parts)
    }

    fn values(&mut self, path: &Path, operator: Operator) -> Result<Expression, FilterError> {
        let mut parts = Vec::new();
        loop {
            let (value, value_span) = self.value()?;
            let path = path.clone();
            parts.push(Expression::Leaf(Restriction { path, operator, value, value_span }));
            if !self.lexer.take_keyword(Keyword::Or) {
                return Ok(Expression::any(parts));
            }
        }
    }

    fn value(&mut self) -> Result<(Value, Span), FilterError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            let at = self.lexer.position();
            return Err(FilterError::new(at, at, Reason::TooManyTerms));
        }
        self.lexer.value()
    }

    fn close(&mut self, expected: &'static str) -> Result<(), FilterError> {
        if self.lexer.take_char(')') { Ok(()) } else { Err(self.lexer.unexpected(expected)) }
    }

    /// One level deeper, if there is one left: what keeps the stack, and every later walk, bounded.
    fn nested(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<Expression, FilterError>,
    ) -> Result<Expression, FilterError> {
        if self.depth == MAX_DEPTH {
            let at = self.lexer.position();
            return Err(FilterError::new(at, at, Reason::TooDeep));
        }
        self.depth += 1;
        let inner = inside(self)?;
        self.depth -= 1;
        Ok(inner)
    }
}
