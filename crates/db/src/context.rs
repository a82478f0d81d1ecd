//! For whom a transaction acts, and how that is told to PostgreSQL.
//!
//! The text built here travels in front of the first statement. Actor, request id and credential may hold what
//! a caller sent in a header, so every value is quoted as a literal, and a value that no literal can hold (a NUL)
//! is refused before anything is sent.

use std::net::IpAddr;

use marquee_types::OrganizationId;

use crate::error::DbError;

/// For whom a transaction acts.
#[derive(Clone, Debug)]
pub struct OrgContext {
    /// The tenant: every row read or written belongs to it.
    pub organization: OrganizationId,
    /// `user:usr_…`, `api_key:key_…` or `worker:<job kind>`.
    pub actor: String,
    /// What the actor showed: `session:ses_…` or `api_key:key_…`.
    pub credential: Option<String>,
    /// The HTTP request, or the job run, this belongs to.
    pub request_id: String,
    /// Where the request came from.
    pub address: Option<IpAddr>,
}

/// Who opens a transaction, and with which words: for a write everything an audit trigger wants to know, for a
/// read the organization alone.
///
/// Sessions are read-only by default (see `connection`), so a plain BEGIN is a read-only transaction, and a
/// statement that ever ran outside one could not write.
#[derive(Debug, Clone)]
pub(crate) enum Opening {
    /// With the verb of the call that the transaction is for, if it is for one.
    Organization(OrgContext, Option<&'static str>),
    System(&'static str),
    Anonymous,
}

impl Opening {
    pub fn for_organization(context: &OrgContext) -> Result<Self, DbError> {
        let texts = [Some(&context.actor), context.credential.as_ref(), Some(&context.request_id)];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(DbError::misuse("a value of the transaction's context contains a NUL character"));
        }
        Ok(Self::Organization(context.clone(), None))
    }

    pub fn context(&self) -> Option<&OrgContext> {
        match self {
            Self::Organization(context, _) => Some(context),
            Self::System(_) | Self::Anonymous => None,
        }
    }

    /// Says which call the transaction is for; only one of an organization is for any.
    pub fn set_action(&mut self, verb: &'static str) {
        if let Self::Organization(_, action) = self {
            *action = Some(verb);
        }
    }

    pub fn read(&self) -> String {
        match self {
            Self::Organization(context, _) => {
                format!("BEGIN;SET LOCAL marquee.organization_id='{}'", context.organization.uuid())
            }
            Self::System(_) => "BEGIN".to_owned(),
            // Said, though it is so: this one may share its connection with those that have an organization.
            Self::Anonymous => "BEGIN;SET LOCAL marquee.organization_id=''".to_owned(),
        }
    }

    pub fn write(&self) -> String {
        let mut words = String::with_capacity(384);
        words.push_str("BEGIN READ WRITE");
        let mut set = |name: &str, value: &str| {
            words.push_str(";SET LOCAL marquee.");
            words.push_str(name);
            words.push('=');
            push_literal(&mut words, value);
        };
        match self {
            Self::Organization(context, action) => {
                if let Some(action) = action {
                    set("action", action);
                }
                set("organization_id", &context.organization.uuid().to_string());
                set("actor", &context.actor);
                set("credential", context.credential.as_deref().unwrap_or_default());
                set("request_id", &context.request_id);
                set("address", &context.address.map(|address| address.to_string()).unwrap_or_default());
            }
            Self::System(reason) => set("actor", &format!("system:{reason}")),
            Self::Anonymous => set("actor", "anonymous"),
        }
        words
    }
}

/// Adds a SQL string literal that means exactly this text, whatever `standard_conforming_strings` says.
fn push_literal(words: &mut String, text: &str) {
    // A backslash is only special where the setting is off, or in the E form: the E form is the same in both.
    if text.contains('\\') {
        words.push_str(" E");
    }
    words.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            words.push(c);
        }
        words.push(c);
    }
    words.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_doubled() {
        let literal = |text| {
            let mut words = String::new();
            push_literal(&mut words, text);
            words
        };
        assert_eq!(literal("o'neill"), "'o''neill'");
        assert_eq!(literal(r"a\'b"), r" E'a\\''b'");
        assert_eq!(literal(""), "''");
    }
}
