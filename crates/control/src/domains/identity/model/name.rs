//! What people and organizations are called: e-mail addresses and display names.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// An e-mail address as a login name: trimmed and in lower case, so that one person is one account.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Checks the form only; whether mail arrives is found out by sending some.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim().to_lowercase();
        let right = match text.split_once('@') {
            Some((local, domain)) => !local.is_empty() && !domain.is_empty() && !domain.contains('@'),
            None => false,
        };
        let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if right && clean && text.chars().count() <= 254 {
            Ok(Self(text))
        } else {
            Err("must be an e-mail address, e.g. ana@example.com")
        }
    }

    /// The address, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 16 hexadecimal digits that tell one address from another without telling it.
    pub fn digest(&self) -> String {
        hex::encode(&Sha256::digest(self.0.as_bytes())[..8])
    }
}

/// Personal, so it is not printed by accident.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({}…)", self.digest())
    }
}

/// A name that a person chose for something: 1 to 100 characters, trimmed, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Trims and checks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err("must have 1 to 100 characters and no line breaks")
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_address() {
        assert_eq!(Email::parse(" Ana@Example.COM "), Email::parse("ana@example.com"));
        for bad in ["", "ana", "@example.com", "ana@", "a@b@c", "a b@c", "a@b\nc"] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@b", "a".repeat(253))).is_err());
    }

    #[test]
    fn addresses_are_not_printed() {
        let printed = format!("{:?}", Email::parse("ana@example.com"));
        assert!(!printed.contains("ana"), "{printed}");
    }

    #[test]
    fn names_are_one_trimmed_line() {
        assert_eq!(DisplayName::parse("  Villa Cora ").map(|name| name.0), Ok("Villa Cora".to_owned()));
        for bad in ["", "   ", "a\nb", &"x".repeat(101)] {
            assert!(DisplayName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
