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

/// Two ways to open a transaction: everything an audit trigger wants to know, or the organization alone.
///
/// Sessions are read-only by default (see `pool`), so a plain BEGIN is a read-only transaction, and a statement
/// that ever ran outside one could not write.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub write: String,
    pub read: String,
}

impl Opening {
    pub fn for_organization(context: &OrgContext) -> Result<Self, DbError> {
        let organization = literal(&context.organization.uuid().to_string())?;
        let actor = literal(&context.actor)?;
        let credential = literal(context.credential.as_deref().unwrap_or_default())?;
        let request_id = literal(&context.request_id)?;
        let address = literal(&context.address.map(|address| address.to_string()).unwrap_or_default())?;
        Ok(Self {
            write: format!(
                "BEGIN READ WRITE;\
                 SET LOCAL marquee.organization_id={organization};SET LOCAL marquee.actor={actor};\
                 SET LOCAL marquee.credential={credential};SET LOCAL marquee.request_id={request_id};\
                 SET LOCAL marquee.address={address}"
            ),
            read: format!("BEGIN;SET LOCAL marquee.organization_id={organization}"),
        })
    }

    pub fn for_system(reason: &str) -> Result<Self, DbError> {
        let actor = literal(&format!("system:{reason}"))?;
        Ok(Self { write: format!("BEGIN READ WRITE;SET LOCAL marquee.actor={actor}"), read: "BEGIN".into() })
    }

    pub fn anonymous() -> Self {
        Self { write: "BEGIN READ WRITE;SET LOCAL marquee.actor='anonymous'".into(), read: "BEGIN".into() }
    }
}

/// A SQL string literal that means exactly this text, whatever `standard_conforming_strings` says.
fn literal(text: &str) -> Result<String, DbError> {
    if text.contains('\0') {
        return Err(DbError::misuse("a value of the transaction's context contains a NUL character"));
    }
    let mut quoted = String::with_capacity(text.len() + 4);
    // A backslash is only special where the setting is off, or in the E form: the E form is the same in both.
    if text.contains('\\') {
        quoted.push_str(" E");
    }
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_doubled() {
        assert_eq!(literal("o'neill").ok().as_deref(), Some("'o''neill'"));
        assert_eq!(literal(r"a\'b").ok().as_deref(), Some(r" E'a\\''b'"));
        assert!(literal("a\0b").is_err());
    }
}
