//! What a cloud still does with fewer permissions: for tests of the policies that Marquee asks for.
//!
//! [`Baseline`] is what a caller with every right gets. A cloud whose caller lacks some is asked for the same, and what
//! is refused or comes out otherwise is what those permissions are for.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

use std::collections::{BTreeMap, BTreeSet};

use marquee_types::ResourceKind;

use crate::{Cloud, CloudError, ErrorKind, Identity, Inventory, Observed, Scope, conformance::Collected};

/// So many resources of a kind are looked up in each place of a scope.
const LOOKED_UP: usize = 1;

/// What a caller with every right gets.
#[derive(Debug)]
pub struct Baseline {
    identity: Identity,
    regions: Vec<String>,
    scopes: Vec<(Scope, Vec<Observed>)>,
}

impl Baseline {
    /// Asks for everything, in these regions.
    pub async fn of(cloud: &dyn Cloud, regions: &[String]) -> Self {
        let identity = sure(cloud.identity().await);
        let known = sure(cloud.regions().await).into_iter().map(|region| region.id).collect();
        let mut scopes = Vec::new();
        for scope in sure(inventory(cloud).scopes(regions).await) {
            let resources = sure(listed(cloud, &scope).await);
            scopes.push((scope, resources));
        }
        Self { identity, regions: known, scopes }
    }

    /// What does not come out for another caller: `identity`, `regions`, `list SCOPE`, `look up SCOPE`. Only those are
    /// tried whose name passes `tried`. Whatever fails must fail for lack of a permission.
    pub async fn broken(&self, cloud: &dyn Cloud, tried: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut broken = BTreeSet::new();
        if tried("identity") {
            let same =
                allowed(cloud.identity().await).is_some_and(|found| found.alias == self.identity.alias);
            note(&mut broken, same, "identity");
        }
        if tried("regions") {
            let found = allowed(cloud.regions().await);
            let same = found.is_some_and(|found| found.iter().map(|region| &region.id).eq(&self.regions));
            note(&mut broken, same && allowed(cloud.services().await).is_some(), "regions");
        }
        for (scope, resources) in &self.scopes {
            let name = format!("list {}", scope.service);
            if tried(&name) {
                let same = allowed(listed(cloud, scope).await).is_some_and(|found| found == *resources);
                note(&mut broken, same, &name);
            }
            let name = format!("look up {}", scope.service);
            if tried(&name) {
                note(&mut broken, look_ups(cloud, scope, resources).await, &name);
            }
        }
        broken
    }
}

/// A written table of what does not work without a permission, as [`Baseline::broken`] finds it.
pub fn table<'a>(written: &[(&'a str, &[&str])]) -> BTreeMap<&'a str, BTreeSet<String>> {
    let owned = |features: &[&str]| features.iter().map(|&one| one.to_owned()).collect();
    written.iter().map(|(permission, features)| (*permission, owned(features))).collect()
}

/// Whether looking up gives what the listing gave.
async fn look_ups(cloud: &dyn Cloud, scope: &Scope, resources: &[Observed]) -> bool {
    let mut counts: BTreeMap<(ResourceKind, bool, &str), usize> = BTreeMap::new();
    for known in resources {
        // A thing of no region may be looked up otherwise than one that lies in one, and so may one of another type.
        let place = (known.kind, known.region == "global", collection(&known.native_id));
        let count = counts.entry(place).or_default();
        *count += 1;
        if *count > LOOKED_UP {
            continue;
        }
        let found = inventory(cloud).get(scope, known.kind, &known.native_id).await;
        if allowed(found) != Some(Some(known.clone())) {
            return false;
        }
    }
    true
}

/// The part of an id before its last: `…/disks`.
fn collection(native_id: &str) -> &str {
    native_id.rsplit(['/', ':']).nth(1).unwrap_or_default()
}

async fn listed(cloud: &dyn Cloud, scope: &Scope) -> Result<Vec<Observed>, CloudError> {
    let mut collected = Collected::default();
    inventory(cloud).list(scope, &mut collected).await?;
    collected.resources.sort_by(|a, b| a.native_id.cmp(&b.native_id));
    Ok(collected.resources)
}

fn inventory(cloud: &dyn Cloud) -> &dyn Inventory {
    cloud.inventory().unwrap_or_else(|| panic!("a cloud with an inventory is needed"))
}

fn sure<T>(answer: Result<T, CloudError>) -> T {
    answer.unwrap_or_else(|error| panic!("with every right: {error}"))
}

/// What was allowed; `None` where a permission was lacking.
fn allowed<T>(answer: Result<T, CloudError>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(error) if error.kind == ErrorKind::PermissionDenied => None,
        Err(error) => panic!("something else than a permission is lacking: {error}"),
    }
}

fn note(broken: &mut BTreeSet<String>, works: bool, name: &str) {
    if !works {
        broken.insert(name.to_owned());
    }
}
