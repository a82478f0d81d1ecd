//! Prefixed identifiers: `prv_0192f0c1a5b87c6f9d3e2b1a09f8e7d6`.
//!
//! The part behind the prefix is a UUIDv7 in plain hexadecimal, so that an id seen in a log can be pasted
//! into `psql` as a `uuid`, and ids made later sort later. The prefix makes a mix-up visible to people and
//! refusable by the server: a resource's id is not accepted where a provider's belongs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Why a text is not the id that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `{prefix}_` followed by 32 lower-case hexadecimal digits")]
pub struct ParseIdError {
    prefix: &'static str,
}

/// What every id type offers, so that code can be generic over which noun it names.
pub trait Id: Copy + fmt::Display + FromStr<Err = ParseIdError> + From<Uuid> + Into<Uuid> {
    /// The prefix without the underscore, e.g. `prv`.
    const PREFIX: &'static str;
}

pub(crate) fn parse(prefix: &'static str, text: &str) -> Result<Uuid, ParseIdError> {
    let error = ParseIdError { prefix };
    let rest =
        text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(|| error.clone())?;
    let canonical =
        rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !canonical {
        return Err(error);
    }
    Uuid::try_parse(rest).map_err(|_| error)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id from the time (milliseconds since 1970) and randomness of the caller's choice.
            pub fn from_parts(unix_millis: u64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid())
            }

            /// A new id of the present moment: time-ordered, unguessable in its last 62 bits.
            #[expect(clippy::new_without_default, reason = "a default id would hide that each is new")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, as the database stores it.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .examples([serde_json::json!(concat!($prefix, "_0192f0c1a5b87c6f9d3e2b1a09f8e7d6"))])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    /// An organization: the tenant.
    OrganizationId = "org";
    /// A person who can log in; what they may do comes from their membership.
    UserId = "usr";
    /// One log-in of one user to one organization.
    SessionId = "ses";
    /// An API key.
    ApiKeyId = "key";
    /// A connected cloud account.
    ProviderId = "prv";
    /// One thing that exists in a provider.
    ResourceId = "res";
    /// One discovery run over a provider.
    SyncId = "syn";
    /// A long-running change.
    OperationId = "op";
    /// What fires a job again and again, by a timetable.
    ScheduleId = "sch";
    /// A rule that says which changes need a second person.
    ApprovalPolicyId = "apl";
    /// One durable job.
    JobId = "job";
    /// One line of the audit log.
    AuditEntryId = "aud";
    /// One HTTP request, as `X-Request-Id` names it when the caller sent none.
    RequestId = "req";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_is_what_is_parsed(bytes in any::<[u8; 16]>()) {
            let id = ProviderId::from(Uuid::from_bytes(bytes));
            prop_assert_eq!(id.to_string().parse::<ProviderId>(), Ok(id));
            prop_assert!(id.to_string().parse::<ResourceId>().is_err());
        }

        #[test]
        fn only_the_canonical_spelling_is_accepted(text in "(prv_)?[0-9a-fA-F-]{30,36}") {
            if let Ok(id) = text.parse::<ProviderId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn in_json_an_id_is_its_text_and_another_nouns_is_refused() {
        let id = ProviderId::new();
        let json = serde_json::to_value(id).unwrap();
        assert_eq!(json, serde_json::json!(id.to_string()));
        assert_eq!(serde_json::from_value::<ProviderId>(json.clone()).unwrap(), id);
        let error = serde_json::from_value::<ResourceId>(json).unwrap_err();
        assert!(error.to_string().contains("`res_`"), "{error}");
        assert_eq!(format!("{id:?}"), id.to_string());
        assert_eq!(Uuid::from(id), id.uuid());
    }

    #[test]
    fn later_ids_sort_later() {
        let early = ResourceId::from_parts(1_000, [255; 10]);
        let late = ResourceId::from_parts(1_001, [0; 10]);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
    }
}
