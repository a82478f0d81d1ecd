//! Strict reading of a JSON object: what is wrong is named by its JSON pointer, what is left over is refused.

use marquee_types::FieldError;
use serde_json::{Map, Value};
use url::Url;

use crate::ServerRules;

/// The members of an object: each taken once, what is left over refused.
#[derive(Debug)]
pub struct Fields<'e> {
    at: String,
    object: Map<String, Value>,
    errors: &'e mut Vec<FieldError>,
}

impl<'e> Fields<'e> {
    /// Reads `object`, which stands at the JSON pointer `at`.
    pub fn new(at: &str, object: Map<String, Value>, errors: &'e mut Vec<FieldError>) -> Self {
        Self { at: at.to_owned(), object, errors }
    }

    /// Where what goes wrong is noted.
    pub fn errors(&mut self) -> &mut Vec<FieldError> {
        self.errors
    }

    /// The JSON pointer of a member.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }

    /// Notes that a member is wrong, and why.
    pub fn wrong(&mut self, name: &str, detail: &str) {
        let pointer = self.pointer(name);
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// A member, whatever it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name)
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) if !text.is_empty() => return Some(text),
            Some(_) => self.wrong(name, "expected text"),
            None => self.wrong(name, "missing"),
        }
        None
    }

    /// A text that may be missing or null.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.object.get(name) {
            None => None,
            Some(Value::Null) => {
                self.object.remove(name);
                None
            }
            Some(_) => self.text(name),
        }
    }

    /// Does not complain about what is left.
    pub fn forget(&mut self) {
        self.object.clear();
    }

    /// Refuses what was not asked for.
    pub fn finish(self) {
        for name in self.object.keys() {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            self.errors.push(FieldError::new(format!("{}/{escaped}", self.at), "unknown field"));
        }
    }
}

/// The members of an object that may be left out whole; of anything else that it is wrong is noted.
pub fn optional_object(at: &str, value: &Value, errors: &mut Vec<FieldError>) -> Option<Map<String, Value>> {
    match value {
        Value::Null => Some(Map::new()),
        Value::Object(object) => Some(object.clone()),
        _ => {
            errors.push(FieldError::new(at, "expected an object"));
            None
        }
    }
}

impl Fields<'_> {
    /// A list of different texts that may be missing; `wrong` says why one cannot be, given those before it.
    pub fn texts(
        &mut self,
        name: &str,
        wrong: impl Fn(&str, &[String]) -> Option<&'static str>,
    ) -> Vec<String> {
        let listed = match self.take(name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(listed)) => listed,
            Some(_) => {
                self.wrong(name, "expected a list");
                return Vec::new();
            }
        };
        let mut texts: Vec<String> = Vec::new();
        for (index, value) in listed.iter().enumerate() {
            let at = format!("{name}/{index}");
            match value.as_str() {
                None => self.wrong(&at, "expected text"),
                Some(text) if texts.iter().any(|known| known == text) => self.wrong(&at, "named twice"),
                Some(text) => match wrong(text, &texts) {
                    Some(why) => self.wrong(&at, why),
                    None => texts.push(text.to_owned()),
                },
            }
        }
        texts
    }

    /// Scheme, host and port of another endpoint, if the server's configuration allows it: anything else would let
    /// users make this server call whom they like.
    pub fn endpoint(&mut self, name: &str, rules: &ServerRules) -> Option<Url> {
        let text = self.optional_text(name)?;
        let url =
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            self.wrong(name, "expected an http or https URL");
            return None;
        };
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !bare || url.fragment().is_some() || url.path() != "/" {
            self.wrong(name, "expected scheme, host and port only");
            return None;
        }
        let same =
            |allowed: &String| Url::parse(allowed).is_ok_and(|allowed| origin(&allowed) == origin(&url));
        if rules.allowed_endpoints.iter().any(same) || (rules.allow_loopback_endpoints && is_loopback(&url)) {
            return Some(url);
        }
        self.wrong(name, "this server's configuration does not allow this endpoint (--allow-endpoint)");
        None
    }
}

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Scheme, host and port as text.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
