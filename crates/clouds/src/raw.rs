//! JSON kept as its text: what a vendor said goes from the wire to the database without becoming a tree.
//!
//! At 10,000 instances the trees would cost more memory and time than everything else of a sync. Equal text is
//! equal content: adapters write members in the vendor's order and sort lists that have no order of their own.

use std::fmt;

use serde_json::Value;

/// A complete JSON value, as text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Box<str>);

impl RawJson {
    /// Takes text that is already JSON. The caller vouches for it: an adapter's writer, never a vendor's bytes.
    pub fn from_trusted(text: String) -> Self {
        debug_assert!(
            serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(),
            "an adapter wrote text that is not JSON: {text}"
        );
        Self(text.into_boxed_str())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, given away.
    pub fn into_text(self) -> String {
        self.0.into_string()
    }

    /// The tree; `null` is never a surprise here, since the text was written as JSON.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

impl From<&Value> for RawJson {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into_boxed_str())
    }
}

impl Default for RawJson {
    fn default() -> Self {
        Self("{}".into())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
