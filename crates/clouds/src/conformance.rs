//! What every adapter must do, checked over the wire: the tests of each adapter run these against an endpoint.
//!
//! An adapter's tests describe its endpoint as a [`Rig`] and write [`conformance!`](crate::conformance!) with it;
//! each check becomes a test of its own. Checks choose themselves by what the cloud says it offers. What an emulator
//! gets wrong is declared as a [`Gap`]: the check then demands that it still goes wrong, so that the list of gaps
//! can only shrink.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

pub mod changes;
pub mod front;
pub mod objects;
pub mod odd;
pub mod offers;
pub mod survey;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use marquee_types::ResourceKind;

use crate::{Cloud, ErrorKind, Inventory, Observed, Page, PageSink, PermissionStatus, Scope};

/// An endpoint to run against, with resources of every kind in it.
pub struct Rig {
    /// The account, with good credentials.
    pub cloud: Arc<dyn Cloud>,
    /// The regions with resources.
    pub regions: Vec<String>,
    /// The same account with a wrong secret.
    pub wrong_secret: Arc<dyn Cloud>,
    /// An endpoint that takes connections and never answers.
    pub hanging: Arc<dyn Cloud>,
    /// An account behind an endpoint where one region answers that it is broken.
    pub failing: Failing,
    /// Scopes (their service) that hold more than one page, and how many resources that is.
    pub paged: Vec<(&'static str, usize)>,
    /// Whether there are resources of every kind in every region; not so in an account that someone lives in.
    pub complete: bool,
    /// Whether checks may make and remove things in the account.
    pub writes: bool,
    /// Lets a minute pass at the endpoint, where it has a clock of its own.
    pub let_time_pass: Box<dyn Fn() + Send + Sync>,
    /// What the endpoint gets wrong.
    pub gaps: &'static [Gap],
    /// Whatever must live as long as the rig: servers, folders.
    pub keep: Box<dyn Send + Sync>,
}

/// An account with a region that is broken. It need not be the rig's own: nobody breaks a region of a real one.
pub struct Failing {
    /// The region that is broken.
    pub region: String,
    /// All regions to list.
    pub regions: Vec<String>,
    /// The account.
    pub cloud: Arc<dyn Cloud>,
}

/// Something an emulator gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The name of the check it breaks; empty if none does.
    pub check: &'static str,
    /// The scope's service; of objects, the part of the check.
    pub scope: &'static str,
    /// What it does, and what the cloud does.
    pub what: &'static str,
}

/// Makes a test of each check. The argument is an expression that gives a future of a [`Rig`].
#[macro_export]
macro_rules! conformance {
    ($rig:expr) => {
        $crate::conformance!(@each $rig, identity_names_the_account, a_wrong_secret_is_unauthenticated,
            regions_are_named_once, services_have_known_regions, scopes_cover_what_is_offered,
            every_scope_lists_its_kinds, ids_are_unique, a_look_up_sees_what_the_listing_saw,
            an_unknown_id_is_none, paging_goes_to_the_end, a_failing_region_fails_alone,
            nothing_changes_by_itself, a_test_finds_the_permissions, a_test_ends_by_its_deadline);
    };
    (@each $rig:expr, $($check:ident),*) => {
        $(#[tokio::test]
        async fn $check() {
            let rig = $rig.await;
            $crate::conformance::$check(&rig).await;
        })*
    };
}

/// Collects pages.
#[derive(Debug, Default)]
pub struct Collected {
    /// What was listed.
    pub resources: Vec<Observed>,
    /// In how many pages.
    pub pages: usize,
}

#[async_trait]
impl PageSink for Collected {
    async fn page(&mut self, page: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.resources.extend(page.resources);
        self.pages += 1;
        Ok(())
    }
}

impl std::fmt::Debug for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Failing({} of {:?})", self.region, self.regions)
    }
}

impl std::fmt::Debug for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rig({:?})", self.regions)
    }
}

impl Rig {
    /// The cloud's inventory.
    fn inventory(&self) -> &dyn Inventory {
        self.cloud.inventory().unwrap_or_else(|| panic!("a rig needs a cloud with an inventory"))
    }

    /// Lists a scope completely.
    async fn list(&self, scope: &Scope) -> Collected {
        let mut collected = Collected::default();
        if let Err(error) = self.inventory().list(scope, &mut collected).await {
            panic!("{} in {}: {error}", scope.service, scope.region);
        }
        collected
    }

    /// All scopes of the rig's regions.
    async fn scopes(&self) -> Vec<Scope> {
        match self.inventory().scopes(&self.regions).await {
            Ok(scopes) => scopes,
            Err(error) => panic!("scopes: {error}"),
        }
    }

    /// Holds what was found against what the gaps declare for a check.
    fn settle(&self, check: &str, wrong: &BTreeMap<String, String>) {
        settle(self.gaps, check, wrong);
    }
}

/// What goes wrong must be declared, and what is declared must go wrong.
fn settle(gaps: &[Gap], check: &str, wrong: &BTreeMap<String, String>) {
    let declared: BTreeSet<_> = gaps.iter().filter(|gap| gap.check == check).map(|gap| gap.scope).collect();
    for (scope, what) in wrong {
        assert!(declared.contains(scope.as_str()), "{scope}: {what}");
    }
    for scope in declared {
        assert!(wrong.contains_key(scope), "{scope}: the declared gap is gone: take it off the list");
    }
}

/// The credentials belong to an account and a principal.
pub async fn identity_names_the_account(rig: &Rig) {
    let identity = rig.cloud.identity().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!identity.account.is_empty());
    assert!(!identity.principal.is_empty() && identity.principal != "unknown", "{identity:?}");
}

/// A wrong secret is told apart from everything else, wherever it is noticed.
pub async fn a_wrong_secret_is_unauthenticated(rig: &Rig) {
    let error =
        rig.wrong_secret.identity().await.err().unwrap_or_else(|| panic!("a wrong secret was accepted"));
    assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error}");
    assert!(error.code.is_some(), "the cloud's own code is kept: {error:?}");
    let test = rig.wrong_secret.test(Duration::from_secs(20)).await;
    assert_eq!(test.identity.err().map(|error| error.kind), Some(ErrorKind::Unauthenticated));
    assert!(test.permissions.iter().all(|p| p.status == PermissionStatus::Unknown), "{:?}", test.permissions);
}

/// Regions have names, each one once, and the rig's are among them.
pub async fn regions_are_named_once(rig: &Rig) {
    let regions = rig.cloud.regions().await.unwrap_or_else(|error| panic!("{error}"));
    let names: BTreeSet<_> = regions.iter().map(|region| region.id.as_str()).collect();
    assert_eq!(names.len(), regions.len());
    for region in &rig.regions {
        assert!(regions.iter().any(|known| &known.id == region && known.enabled), "{region}");
    }
}

/// Services name only regions that there are.
pub async fn services_have_known_regions(rig: &Rig) {
    let regions = rig.cloud.regions().await.unwrap_or_else(|error| panic!("{error}"));
    let services = rig.cloud.services().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!services.is_empty());
    for service in services {
        let unknown = service.regions.iter().find(|id| !regions.iter().any(|known| &known.id == *id));
        assert_eq!(unknown, None, "{}", service.id);
    }
}

/// The scopes have every kind that the capabilities promise, and each kind once a region.
pub async fn scopes_cover_what_is_offered(rig: &Rig) {
    let mut covered: BTreeMap<(ResourceKind, String), usize> = BTreeMap::new();
    for scope in rig.scopes().await {
        for kind in scope.kinds {
            *covered.entry((kind, scope.region.clone())).or_default() += 1;
        }
    }
    assert!(covered.values().all(|times| *times == 1), "{covered:?}");
    let offered: BTreeSet<_> = rig.cloud.capabilities().inventory.iter().copied().collect();
    assert_eq!(covered.keys().map(|(kind, _)| *kind).collect::<BTreeSet<_>>(), offered);
}

/// Every scope lists something, only of its kinds and its region, with names and sorted tags.
pub async fn every_scope_lists_its_kinds(rig: &Rig) {
    let mut empty = BTreeMap::new();
    for scope in rig.scopes().await {
        let found = rig.list(&scope).await.resources;
        if found.is_empty() {
            empty.insert(scope.service.clone(), format!("nothing in {}", scope.region));
        }
        for observed in found {
            assert!(scope.kinds.contains(&observed.kind), "{} in {}", observed.kind, scope.service);
            assert!(scope.region == "global" || observed.region == scope.region, "{observed:?}");
            assert!(!observed.name.is_empty() && !observed.native_id.is_empty(), "{observed:?}");
            assert!(observed.tags.is_sorted() && observed.relations.is_sorted(), "{observed:?}");
            assert!(observed.raw.to_value().is_object(), "{observed:?}");
        }
    }
    if rig.complete {
        rig.settle("every_scope_lists_its_kinds", &empty);
    }
}

/// No two resources share an id, in whatever scope or region.
pub async fn ids_are_unique(rig: &Rig) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for scope in rig.scopes().await {
        for observed in rig.list(&scope).await.resources {
            let place = format!("{} in {}", scope.service, scope.region);
            if let Some(before) = seen.insert(observed.native_id.clone(), place.clone()) {
                panic!("{} is listed by {before} and by {place}", observed.native_id);
            }
        }
    }
}

/// Looking a resource up by id gives exactly what the listing gave.
pub async fn a_look_up_sees_what_the_listing_saw(rig: &Rig) {
    let mut wrong = BTreeMap::new();
    for scope in rig.scopes().await {
        let mut checked: BTreeMap<ResourceKind, usize> = BTreeMap::new();
        for listed in rig.list(&scope).await.resources {
            let so_far = checked.entry(listed.kind).or_default();
            if *so_far == 3 {
                continue;
            }
            *so_far += 1;
            match rig.inventory().get(&scope, listed.kind, &listed.native_id).await {
                Ok(Some(found)) if found == listed => {}
                other => {
                    wrong.insert(scope.service.clone(), format!("listed {listed:#?}\nlooked up {other:#?}"));
                }
            }
        }
    }
    rig.settle("a_look_up_sees_what_the_listing_saw", &wrong);
}

/// An id that no one has is no error but nothing.
pub async fn an_unknown_id_is_none(rig: &Rig) {
    let mut wrong = BTreeMap::new();
    for scope in rig.scopes().await {
        for listed in rig.list(&scope).await.resources.into_iter().take(1) {
            let unknown = nobodys(&listed.native_id);
            match rig.inventory().get(&scope, listed.kind, &unknown).await {
                Ok(None) => {}
                other => {
                    wrong.insert(scope.service.clone(), format!("{unknown}: {other:?}"));
                }
            }
        }
    }
    rig.settle("an_unknown_id_is_none", &wrong);
}

/// An id of the same shape that no one has: the last letters and digits of its last part turned.
fn nobodys(native_id: &str) -> String {
    let part = native_id.rfind(['/', ':']).map_or(0, |at| at + 1);
    let tail = native_id.len().saturating_sub(6).max(part);
    let turned = native_id.char_indices().map(|(at, letter)| match letter {
        'a'..='f' if at >= tail => char::from(b'a' + (letter as u8 - b'a' + 3) % 6),
        'g'..='z' if at >= tail => char::from(b'g' + (letter as u8 - b'g' + 7) % 20),
        'A'..='Z' if at >= tail => char::from(b'A' + (letter as u8 - b'A' + 7) % 26),
        '0'..='9' if at >= tail => char::from(b'0' + (letter as u8 - b'0' + 7) % 10),
        other => other,
    });
    turned.collect()
}

/// Listings of more than one page have all of it.
pub async fn paging_goes_to_the_end(rig: &Rig) {
    let scopes = rig.scopes().await;
    for (service, count) in &rig.paged {
        let scope = scopes.iter().find(|scope| scope.service == *service);
        let collected = rig.list(scope.unwrap_or_else(|| panic!("no scope {service}"))).await;
        let unique: BTreeSet<_> = collected.resources.iter().map(|observed| &observed.native_id).collect();
        assert_eq!(unique.len(), *count, "{service}");
        assert!(collected.pages > 1, "{service} came in one page");
    }
}

/// One region that is broken breaks its own scopes and no others.
pub async fn a_failing_region_fails_alone(rig: &Rig) {
    let Failing { region: broken, regions, cloud } = &rig.failing;
    let inventory = cloud.inventory().unwrap_or_else(|| panic!("no inventory"));
    let scopes = inventory.scopes(regions).await.unwrap_or_else(|error| panic!("{error}"));
    let (mut whole, mut failed) = (0, 0);
    for scope in scopes {
        let mut collected = Collected::default();
        let listed = inventory.list(&scope, &mut collected).await;
        if listed.is_ok() {
            whole += 1;
        } else {
            failed += 1;
        }
        match listed {
            Ok(()) => assert_ne!(&scope.region, broken, "{} came from a broken region", scope.service),
            Err(error) => {
                // What lies in no region may have parts in the broken one.
                assert!(&scope.region == broken || scope.region == "global", "{}: {error}", scope.region);
                assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
                assert!(error.retry_helps());
            }
        }
    }
    assert!(whole > 0 && failed > 0, "{whole} scopes were listed, {failed} failed");
}

/// An unchanged resource is not written at all: so nothing may change because time passes.
pub async fn nothing_changes_by_itself(rig: &Rig) {
    let mut seen: Vec<BTreeMap<String, Observed>> = Vec::new();
    for _ in 0..2 {
        let mut resources = BTreeMap::new();
        for scope in rig.scopes().await {
            let listed = rig.list(&scope).await.resources;
            resources.extend(listed.into_iter().map(|observed| (observed.native_id.clone(), observed)));
        }
        seen.push(resources);
        (rig.let_time_pass)();
    }
    let (before, after) = (&seen[0], &seen[1]);
    let differs = |id: &&String| before.get(*id) != after.get(*id);
    let changed: BTreeSet<_> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(!rig.complete || changed.is_empty(), "{changed:#?}");
}

/// With full rights no permission is missing, and most are known to be there.
pub async fn a_test_finds_the_permissions(rig: &Rig) {
    let test = rig.cloud.test(Duration::from_mins(1)).await;
    assert!(test.identity.is_ok(), "{:?}", test.identity);
    assert!(test.latency.is_some_and(|latency| !latency.is_zero()));
    let needs = rig.cloud.capabilities().permissions;
    assert!(
        test.permissions.iter().map(|found| found.permission).eq(needs.iter().map(|need| need.permission))
    );
    let not_granted = test.permissions.iter().filter(|found| match found.status {
        PermissionStatus::Granted => false,
        PermissionStatus::Missing => true,
        // In an account that someone lives in there may be nothing to try a permission on.
        PermissionStatus::Unknown => rig.complete,
    });
    let wrong = not_granted.map(|found| (found.permission.to_owned(), format!("{found:?}"))).collect();
    rig.settle("a_test_finds_the_permissions", &wrong);
}

/// A cloud that hangs does not keep whoever asks.
pub async fn a_test_ends_by_its_deadline(rig: &Rig) {
    let deadline = Duration::from_millis(700);
    let started = Instant::now();
    let test = rig.hanging.test(deadline).await;
    let took = started.elapsed();
    // The grace is for a loaded machine, not for the adapter.
    assert!(took < deadline + Duration::from_millis(500), "took {took:?}");
    assert_eq!(test.identity.err().map(|error| error.kind), Some(ErrorKind::Timeout));
    assert!(test.permissions.iter().all(|found| found.status == PermissionStatus::Unknown));
    assert_eq!(test.permissions.len(), rig.hanging.capabilities().permissions.len());
}
