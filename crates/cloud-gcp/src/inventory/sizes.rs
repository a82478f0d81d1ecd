//! vCPUs and memory of machine types, which no list of instances says: each type is asked for once.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use marquee_clouds::{CloudError, ErrorKind, Observed, draft::whole, layers::Tally};
use marquee_types::ResourceKind;
use tokio::sync::Mutex;

use crate::api::{COMPUTE, Call, Client, Items};

static MACHINE_TYPE: Call = Call {
    api: &COMPUTE,
    method: "compute.machineTypes.get",
    path: "/compute/v1/projects/{project}/zones/{id}",
    query: "",
    items: Items::One,
};

/// Types by name: one is the same in every zone. `None` for one that Google does not describe any more.
#[derive(Debug, Default)]
pub struct SizeCatalog(Mutex<HashMap<String, Option<Size>>>);

/// One machine type.
#[derive(Debug, Clone, Copy)]
struct Size {
    vcpus: u64,
    memory_mib: u64,
}

impl SizeCatalog {
    /// Adds what is known of the sizes of instances.
    pub async fn fill(
        &self,
        client: &Client,
        found: &mut [Observed],
        tally: &Tally,
    ) -> Result<(), CloudError> {
        let mut known = self.0.lock().await;
        for (size, zone) in wanted(found) {
            if let Entry::Vacant(place) = known.entry(size) {
                let path = format!("{zone}/machineTypes/{}", place.key());
                let described = match client.get(&MACHINE_TYPE, &path, tally).await {
                    Ok(described) => whole(&described["guestCpus"])
                        .zip(whole(&described["memoryMb"]))
                        .map(|(vcpus, memory_mib)| Size { vcpus, memory_mib }),
                    Err(error) if error.kind == ErrorKind::NotFound => None,
                    Err(error) => return Err(error),
                };
                place.insert(described);
            }
        }
        for observed in found.iter_mut().filter(|observed| observed.kind == ResourceKind::ComputeInstance) {
            let size = observed.size.as_ref().and_then(|size| known.get(size)?.as_ref());
            if let Some(size) = size {
                observed.attributes.insert("vcpus".to_owned(), size.vcpus.into());
                observed.attributes.insert("memory_mib".to_owned(), size.memory_mib.into());
            }
        }
        Ok(())
    }
}

/// The sizes of instances, each with a zone where one is.
fn wanted(found: &[Observed]) -> BTreeMap<String, String> {
    let instances = found.iter().filter(|observed| observed.kind == ResourceKind::ComputeInstance);
    instances.filter_map(|observed| Some((observed.size.clone()?, observed.zone.clone()?))).collect()
}
