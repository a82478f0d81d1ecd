//! A real account to run the conformance suite against, as the environment describes it: for `make conform-aws` and the
//! like. Credentials come in the vendor's own variables, and are never printed.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

use std::collections::BTreeMap;

/// Says which vendor's suite runs against a real account; `scripts/conform` sets it.
const SWITCH: &str = "MARQUEE_CONFORM";
/// The regions to look at, comma-separated; all that the account may use if it is not set.
const REGIONS: &str = "MARQUEE_CONFORM_REGIONS";
/// Another endpoint for all of the vendor's services.
const ENDPOINT: &str = "MARQUEE_CONFORM_ENDPOINT";
/// Whether checks may make and remove things there: `1`.
const WRITE: &str = "WRITE";

/// Environment variables.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those of this process, if a vendor's suite is to run against a real account.
    pub fn of_process(kind: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the choice is that of who runs the tests")]
        let all: BTreeMap<String, String> = std::env::vars().collect();
        (all.get(SWITCH).map(String::as_str) == Some(kind)).then_some(Self(all))
    }

    /// These.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A variable that says something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Variables that all must say something; `hint` tells what else would do.
    pub fn required<const N: usize>(&self, names: [&str; N], hint: &str) -> [&str; N] {
        let missing: Vec<&str> = names.into_iter().filter(|name| self.get(name).is_none()).collect();
        assert!(missing.is_empty(), "no credentials of an account: {} not set{hint}", missing.join(", "));
        names.map(|name| self.get(name).unwrap_or_default())
    }

    /// The regions to look at; empty for all.
    pub fn regions(&self) -> Vec<String> {
        let names = self.get(REGIONS).unwrap_or_default().split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Another endpoint for all services.
    pub fn endpoint(&self) -> Option<&str> {
        self.get(ENDPOINT)
    }

    /// Whether checks may write.
    pub fn may_write(&self) -> bool {
        match self.get(WRITE) {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => panic!("{WRITE}={other}: expected 1 or nothing"),
        }
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Variables;

    #[test]
    fn nothing_is_written_unless_that_is_said() {
        assert!(!Variables::default().may_write());
        assert!(!Variables::of([("WRITE", "0")]).may_write());
        assert!(Variables::of([("WRITE", "1")]).may_write());
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", Variables::of([("AWS_SECRET_ACCESS_KEY", "planted")]));
        assert_eq!(shown, r#"{"AWS_SECRET_ACCESS_KEY"}"#);
    }

    #[test]
    #[should_panic(expected = "no credentials of an account: B, C not set; or set D")]
    fn what_is_missing_is_named() {
        Variables::of([("A", "1"), ("C", "")]).required(["A", "B", "C"], "; or set D");
    }
}
