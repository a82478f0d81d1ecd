//! Closed sets of words: an enum whose variants each have one spelling, the same in JSON, SQL and on the
//! command line.

/// The text is none of the words of the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: {expected}")]
pub struct UnknownWord {
    /// The words that would have been understood, comma-separated.
    pub expected: String,
}

/// Declares an enum with one spelling a variant: `ALL`, `as_str`, `FromStr`, `Display`, serde and a schema.
#[macro_export]
#[doc(hidden)]
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub enum $name {
            // Said twice because the schema does not see serde's spelling through a macro.
            $($(#[$vdoc])* #[serde(rename = $word)] #[schema(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every word of the set, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The spelling of every word, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// The one spelling, in JSON, SQL and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    $crate::words::UnknownWord { expected: words.join(", ") }
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use crate::{ResourceKind, Role};

    #[test]
    fn every_word_has_one_spelling_everywhere() {
        for kind in ResourceKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
            assert_eq!(serde_json::from_value::<ResourceKind>(kind.as_str().into()).unwrap(), *kind);
        }
        let spellings: Vec<_> = ResourceKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(spellings, ResourceKind::WORDS);
    }

    #[test]
    fn an_unknown_word_is_refused_with_those_that_are_known() {
        let error = "king".parse::<Role>().unwrap_err();
        assert_eq!(error.to_string(), "expected one of: viewer, engineer, manager, admin, owner");
        assert_eq!(format!("[{:>8}]", Role::Owner), "[   owner]");
    }

    #[test]
    fn the_schema_spells_the_words_as_json_does() {
        let schema = serde_json::to_value(crate::Role::schema()).unwrap();
        let spelled: Vec<&str> =
            schema["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(spelled, crate::Role::WORDS);
        assert_eq!(serde_json::to_value(crate::Role::Owner).unwrap(), "owner");
    }
}
