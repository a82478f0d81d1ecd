//! Changing what exists in a cloud, one change at a time.
//!
//! A [`Change`] is data: what is to become of one thing. So it can be written down before it is made, shown to whoever
//! has to approve it, made again after a crash, and answered by its [`Undo`]. A cloud that can be changed has [`Changes`];
//! which actions it knows, what each disturbs and what it needs is said by its capabilities ([`Ability`]).
//!
//! A change is **begun** and then **looked at** until it is over, both by whoever drives it: nothing in here waits. The rules
//! that every adapter keeps, and the conformance suite checks:
//!
//! 1. **Nothing is made twice.** [`Changes::begin`] may be called again with the same [`Token`] after an answer was lost or a
//!    worker died, at any point. Where the vendor takes tokens it gets ours; where it does not, the token is written with the
//!    thing as a tag ([`TOKEN_TAG`]) in the very call that makes it, and looked for before a name that is taken counts as
//!    someone else's. What is made under a token is found again by [`Changes::made`].
//! 2. **What is as wanted is done.** Beginning to stop what has stopped is no error; its ticket is over at once.
//! 3. **An action does what it says and no more.** Where the vendor wants an instance stopped before it is resized, resizing a
//!    running one is [`ErrorKind::Conflict`](crate::ErrorKind::Conflict): the plan has a step that stops it, with an undo of its own.
//! 4. **A thing of the same name that is not ours is never touched**: that is `Conflict` as well.
//! 5. **A change is over when the cloud says so**, not when it has taken the request: [`Progress::Done`] comes when the thing can
//!    be seen to be as wanted by the inventory's own look-up.
//! 6. **Nothing is left beside it.** What a vendor makes along with a thing (an interface, a boot disk, an address) goes when
//!    the thing goes, unless it was there before.
//!
//! Reading order: [`action`] (what can be done, noun by noun), [`spec`] (with what), [`undo`] (what takes it back), then the trait below.

pub mod action;
pub mod spec;
pub mod undo;

use std::fmt;

use async_trait::async_trait;
use marquee_types::ResourceKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use action::{Action, ActionName};
pub use undo::{Undo, undo};

use crate::CloudError;

/// The tag (label) that carries the token of whatever was made by Marquee.
pub const TOKEN_TAG: &str = "marquee-operation";

/// One change to one thing, or the making of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The region it lies or shall lie in; `global` for what lies in none.
    pub region: String,
    /// What is changed; none where something is made out of nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What is to be done.
    pub action: Action,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What it is.
    pub kind: ResourceKind,
    /// Its id, as the inventory gives it.
    pub native_id: String,
}

/// Says that two calls are one wish: the same at every attempt, and no other wish's. Small letters, digits, underscores and
/// hyphens, at most 60: what every vendor's tags can hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

/// What a begun change is looked at with: kept by the caller, meant for the adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The id of the thing that is made or changed, as the inventory will give it, as soon as it is known.
    pub native_id: Option<String>,
    /// What the vendor calls the work, in the adapter's own shape; null where looking at the thing tells enough.
    #[serde(default)]
    pub handle: Value,
}

/// How far a change is.
#[derive(Debug)]
pub enum Progress {
    /// Under way; what the vendor says of it, for people.
    Working(String),
    /// Over, and seen to be as wanted.
    Done {
        /// The id of the thing, as the inventory gives it.
        native_id: String,
    },
    /// Over, and not as wanted: the vendor's own reason.
    Failed(CloudError),
}

/// What one cloud's way of doing an action comes with: data, from the vendor's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ability {
    /// The action.
    pub action: ActionName,
    /// What it does to whoever uses the thing.
    pub disturbs: Disturbance,
    /// Whether an instance has to be stopped first.
    pub needs_stopped: bool,
    /// Where the vendor says so.
    pub source: &'static str,
}

marquee_types::words! {
    /// What an action does to whoever uses the thing.
    pub enum Disturbance {
        /// Nothing.
        None = "none",
        /// It is away for a while, and comes back with everything it had.
        Restart = "restart",
        /// It is away until it is started again.
        Outage = "outage",
        /// What it holds is gone for good.
        DataLoss = "data_loss",
    }
}

/// Changing things.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Begins a change, or takes up the one that was begun with this token.
    async fn begin(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError>;

    /// Looks how far a begun change is. An error is a failure to look; a change that failed is [`Progress::Failed`].
    async fn look(&self, change: &Change, ticket: &Ticket) -> Result<Progress, CloudError>;

    /// What a change with this token made, if it made anything that is still there: its id, as the inventory gives it.
    /// For a [`Change`] that makes something; whether its ticket was kept, lost, or never given out.
    async fn made(&self, change: &Change, token: &Token) -> Result<Option<String>, CloudError>;

    /// How the settings of a thing stand that an action replaces and the inventory does not show, as the action that would bring
    /// them about: what an undo needs to know beforehand. `None` if the thing has none yet.
    async fn standing(&self, change: &Change) -> Result<Option<Action>, CloudError>;
}

impl Change {
    /// Something to be made.
    pub fn make(region: impl Into<String>, action: Action) -> Self {
        Self { region: region.into(), target: None, action }
    }

    /// Something to be done to a thing.
    pub fn of(
        region: impl Into<String>,
        kind: ResourceKind,
        native_id: impl Into<String>,
        action: Action,
    ) -> Self {
        Self { region: region.into(), target: Some(Target { kind, native_id: native_id.into() }), action }
    }

    /// The id of what is changed; empty where something is made.
    pub fn native_id(&self) -> &str {
        self.target.as_ref().map_or("", |target| target.native_id.as_str())
    }
}

impl Token {
    /// A token, if every vendor's tags can hold it.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let good =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        ((1..=60).contains(&text.len()) && text.bytes().all(good)).then_some(Self(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ticket {
    /// A ticket that needs no more than the thing's id.
    pub fn of(native_id: impl Into<String>) -> Self {
        Self { native_id: Some(native_id.into()), handle: Value::Null }
    }

    /// A ticket of work that the vendor has a name for.
    pub fn with(native_id: Option<String>, handle: Value) -> Self {
        Self { native_id, handle }
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_is_what_every_vendors_tags_can_hold() {
        assert!(Token::new("op_019a0b5e-0000-7000-8000-000000000000-12").is_some());
        for wrong in ["", "Op", "a b", "ä", &"x".repeat(61)] {
            assert_eq!(Token::new(wrong), None, "{wrong}");
        }
    }
}
