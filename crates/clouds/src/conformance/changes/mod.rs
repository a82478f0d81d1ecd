//! What changes must do, whatever the cloud: each noun lives its life, each step of it is begun twice as after a crash,
//! and what an undo brings back is as it was.
//!
//! An adapter describes its endpoint as a [`Stage`] and writes [`changes_conformance!`](crate::changes_conformance) with it.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

mod checks;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

pub use checks::*;
use marquee_types::{ResourceKind, ResourceState};
use serde_json::{Map, Value};

use super::Gap;
use crate::{
    Action, ActionName, Change, Changes, Cloud, CloudError, Inventory, Observed, Progress, Scope, Token,
    Undo,
    changes::{
        spec::{DatabaseSpec, InstanceSpec},
        undo,
    },
};

/// How often a change is looked at before it counts as one that never ends.
const LOOKS: usize = 120;

/// An account to change, and what may be made in it.
pub struct Stage {
    /// The account.
    pub cloud: Arc<dyn Cloud>,
    /// Where.
    pub region: String,
    /// The zone for disks and their instances, where there are zones.
    pub zone: Option<String>,
    /// An instance that can be made.
    pub instance: InstanceSpec,
    /// Another size that it can have.
    pub other_size: String,
    /// A database that can be made.
    pub database: DatabaseSpec,
    /// Another size that it can have.
    pub other_database_size: String,
    /// A name that no other test's bucket has.
    pub bucket: String,
    /// The native ids of a DNS zone, and the domain it is for.
    pub dns: (String, String),
    /// The native id of a target group that takes instances of the stage, if the cloud has such.
    pub target_group: Option<String>,
    /// Lets half a minute pass at the endpoint.
    pub let_time_pass: Box<dyn Fn() + Send + Sync>,
    /// What the endpoint gets wrong; `check` is the name of the check, `scope` the name of the action.
    pub gaps: &'static [Gap],
    /// Whatever must live as long as the stage.
    pub keep: Box<dyn Send + Sync>,
}

/// Makes a test of each check. The argument is an expression that gives a future of a [`Stage`].
#[macro_export]
macro_rules! changes_conformance {
    ($stage:expr) => {
        $crate::changes_conformance!(@each $stage, an_instance_lives, tags_are_set_and_come_back, an_image_is_made,
            a_disk_lives, a_database_lives, a_database_is_restored, a_bucket_lives, a_scaling_group_lives,
            records_are_set_and_come_back, targets_are_registered, what_is_not_there_is_not_found,
            a_name_that_is_taken_is_left_alone, what_a_cloud_cannot_do_it_says);
    };
    (@each $stage:expr, $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            let stage = $stage.await;
            $crate::conformance::changes::$check(&stage).await;
        })*
    };
}

/// Gives tokens, no two alike.
static TOKENS: AtomicU32 = AtomicU32::new(0);

fn token() -> Token {
    let number = TOKENS.fetch_add(1, Ordering::Relaxed);
    // Tests of other processes may share the account.
    let text = format!("op_conformance-{}-{number}", std::process::id());
    Token::new(text).unwrap_or_else(|| panic!("a token of digits and letters"))
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stage({})", self.region)
    }
}

impl Stage {
    fn changes(&self) -> &dyn Changes {
        self.cloud.changes().unwrap_or_else(|| panic!("a stage needs a cloud that can be changed"))
    }

    fn inventory(&self) -> &dyn Inventory {
        self.cloud.inventory().unwrap_or_else(|| panic!("a stage needs a cloud with an inventory"))
    }

    /// Whether the cloud has an action, and the endpoint does it right.
    pub fn can(&self, check: &str, action: ActionName) -> bool {
        let has = self.cloud.capabilities().abilities.iter().any(|ability| ability.action == action);
        has && !self.lacks(check, action.as_str())
    }

    /// Whether a gap is declared for a part of a check.
    fn lacks(&self, check: &str, part: &str) -> bool {
        self.gaps.iter().any(|gap| gap.check == check && gap.scope == part)
    }

    /// The extension that every noun takes where whatever is made is made in a group: that of the database.
    fn group(&self) -> Map<String, Value> {
        let named = self.database.extensions.iter().filter(|(name, _)| *name == "resource_group");
        named.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    async fn scope(&self, kind: ResourceKind) -> Scope {
        let scopes = sure(self.inventory().scopes(std::slice::from_ref(&self.region)).await);
        let here = |scope: &&Scope| scope.region == self.region || scope.region == "global";
        let found = scopes.iter().filter(here).find(|scope| scope.kinds.contains(&kind)).cloned();
        found.unwrap_or_else(|| panic!("no scope has {kind}"))
    }

    /// A thing as the inventory sees it now; `None` also for what is gone but still shown.
    pub async fn see(&self, kind: ResourceKind, native_id: &str) -> Option<Observed> {
        let found = sure(self.inventory().get(&self.scope(kind).await, kind, native_id).await);
        found.filter(|found| found.state != ResourceState::Deleted)
    }

    /// The same of what must be there.
    pub async fn sight(&self, kind: ResourceKind, native_id: &str) -> Observed {
        self.see(kind, native_id).await.unwrap_or_else(|| panic!("{kind} {native_id} is not there"))
    }

    /// Carries a change out as if the worker had died after its first beginning, and gives the id of the thing.
    pub async fn carry_out(&self, change: &Change) -> String {
        self.carry_out_as(change, &token()).await
    }

    /// The same with a given token.
    pub async fn carry_out_as(&self, change: &Change, token: &Token) -> String {
        let name = change.action.name();
        let lost = sure_of(name, self.changes().begin(change, token).await);
        let ticket = sure_of(name, self.changes().begin(change, token).await);
        if let (Some(first), Some(second)) = (&lost.native_id, &ticket.native_id) {
            assert_eq!(first, second, "{name}: begun twice with one token, it is about two things");
        }
        let written = serde_json::to_string(&ticket).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ticket = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
        for _ in 0..LOOKS {
            match sure_of(name, self.changes().look(change, &ticket).await) {
                Progress::Working(_) => (self.let_time_pass)(),
                Progress::Done { native_id } => return native_id,
                Progress::Failed(error) => panic!("{name}: {error}"),
            }
        }
        panic!("{name} never ends");
    }

    /// Makes something, and gives its id: its token is on it, and it can be found by it.
    pub async fn make(&self, change: &Change) -> String {
        let (token, name) = (token(), change.action.name());
        assert_eq!(
            sure_of(name, self.changes().made(change, &token).await),
            None,
            "{name}: nothing is made yet"
        );
        let native_id = self.carry_out_as(change, &token).await;
        let found = sure_of(name, self.changes().made(change, &token).await);
        assert_eq!(found.as_deref(), Some(native_id.as_str()), "{name}: what was made is found by its token");
        if let Some(kind) = name.makes() {
            self.sight(kind, &native_id).await;
        }
        native_id
    }

    /// Removes what was made, twice: the second time there is nothing to do.
    pub async fn remove(&self, kind: ResourceKind, native_id: &str, action: Action) {
        let change = Change::of(&self.region, kind, native_id, action);
        self.carry_out(&change).await;
        assert_eq!(self.see(kind, native_id).await, None, "{kind} {native_id} is still there");
        self.carry_out(&change).await;
    }

    /// Does something and takes it back; between the two, `seen` looks at it. What is there afterwards is what was before.
    pub async fn there_and_back(
        &self,
        kind: ResourceKind,
        native_id: &str,
        action: Action,
        seen: impl FnOnce(&Observed),
    ) {
        let name = action.name();
        let change = Change::of(&self.region, kind, native_id, action);
        let before = self.sight(kind, native_id).await;
        let standing = sure_of(name, self.changes().standing(&change).await);
        let Undo::Change { change: back } = undo(&change, Some(&before), standing.as_ref()) else {
            panic!("{name} can be taken back")
        };
        self.carry_out(&change).await;
        seen(&self.sight(kind, native_id).await);
        self.carry_out(&back).await;
        let after = self.sight(kind, native_id).await;
        assert_eq!(gist(&after), gist(&before), "{name} was taken back");
        let stands = sure_of(name, self.changes().standing(&change).await);
        assert_eq!(stands, standing, "{name} was taken back");
    }

    fn instance(&self, name: &str) -> InstanceSpec {
        let tags = [("venue".to_owned(), "orangery".to_owned())];
        InstanceSpec { name: name.to_owned(), tags: tags.into(), ..self.instance.clone() }
    }

    /// An instance that runs.
    pub async fn an_instance(&self, name: &str) -> String {
        self.make(&Change::make(&self.region, Action::CreateInstance(self.instance(name)))).await
    }
}

/// What an undo has to bring back.
fn gist(observed: &Observed) -> impl PartialEq + std::fmt::Debug + use<> {
    let settings = ["size_gib", "min_size", "desired_size", "max_size", "versioning", "public", "encryption"];
    let shown =
        |name: &&str| observed.attributes.get(*name).map(|value| ((*name).to_owned(), value.to_string()));
    (
        observed.state,
        observed.size.clone(),
        settings.iter().filter_map(shown).collect::<BTreeMap<_, _>>(),
        observed.tags.clone(),
    )
}

fn sure<T>(answer: Result<T, CloudError>) -> T {
    answer.unwrap_or_else(|error| panic!("{error}"))
}

fn sure_of<T>(name: ActionName, answer: Result<T, CloudError>) -> T {
    answer.unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn tag<'o>(observed: &'o Observed, key: &str) -> Option<&'o str> {
    observed.tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}
