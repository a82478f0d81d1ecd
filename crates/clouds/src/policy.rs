//! What a credential must be allowed, as a document that the vendor's own tools take.
//!
//! An adapter writes it from the permissions that it calls for ([`Capabilities::permissions`](crate::Capabilities)), so
//! that whoever makes a credential can give Marquee these and no more. Permissions that only one feature needs, and that
//! are off until somebody wants it, stand in groups of their own.

use marquee_types::FieldError;

use crate::PermissionNeed;

/// Permissions that are needed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionGroup {
    /// A word for it: `inventory`.
    pub name: &'static str,
    /// What they are for, in a few words.
    pub about: &'static str,
    /// The permissions.
    pub permissions: &'static [PermissionNeed],
}

/// The group that every credential needs: the permissions of [`Capabilities`](crate::Capabilities).
pub const INVENTORY: &str = "inventory";

/// What a policy is asked for.
#[derive(Debug, Clone, Default)]
pub struct PolicyRequest {
    /// The groups it is for, [`INVENTORY`] first.
    pub groups: Vec<PermissionGroup>,
    /// The subscription that it may be assigned in, where the vendor's form names one.
    pub subscription: Option<String>,
    /// The form; the vendor's usual one if it is left open.
    pub format: Option<PolicyFormat>,
}

marquee_types::words! {
    /// What a policy is written in.
    pub enum PolicyFormat {
        /// JSON.
        Json = "json",
        /// YAML.
        Yaml = "yaml",
        /// Sentences for people, where a vendor's credentials have no policies.
        Text = "text",
    }
}

/// A policy in the vendor's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    /// What it is called there: `IAM policy`.
    pub form: &'static str,
    /// What it is written in.
    pub format: PolicyFormat,
    /// The document, with a line's end at its end.
    pub document: String,
    /// The vendor's own commands that make a credential with it, in their order. They name the file [`PolicyDocument::file`].
    pub commands: Vec<String>,
    /// The name of the file that the commands take; empty where they take none.
    pub file: &'static str,
}

impl PolicyRequest {
    /// Every permission, group by group.
    pub fn permissions(&self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().flat_map(|group| group.permissions).map(|need| need.permission)
    }

    /// The form to write: the one that was asked for, if it is one of these, and else the first.
    pub fn format_of(&self, known: &[PolicyFormat]) -> Result<PolicyFormat, FieldError> {
        match (self.format, known) {
            (Some(format), known) if known.contains(&format) => Ok(format),
            (None, [first, ..]) => Ok(*first),
            _ => {
                let words: Vec<_> = known.iter().map(|format| format.as_str()).collect();
                Err(FieldError::new("?format", format!("expected one of: {}", words.join(", "))))
            }
        }
    }

    /// Refuses a subscription where the vendor has none.
    pub fn refuse_subscription(&self) -> Result<(), FieldError> {
        match self.subscription {
            Some(_) => Err(FieldError::new("?subscription", "only Azure has subscriptions")),
            None => Ok(()),
        }
    }
}

impl PolicyDocument {
    /// That credentials of a vendor have no policies, so that there is nothing to hand to a tool.
    pub fn none(title: &str) -> Self {
        let document = format!(
            "Tokens of {title} have no policies: a token is read-only or read-write.\n\
             Make a read-only one for Marquee; it needs no more.\n"
        );
        Self { form: "token", format: PolicyFormat::Text, document, commands: Vec::new(), file: "" }
    }
}
