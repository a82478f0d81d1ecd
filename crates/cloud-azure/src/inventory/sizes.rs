//! vCPUs and memory of sizes, which no list of machines says: asked once, and kept for a day.

use std::{collections::HashMap, sync::Arc};

use marquee_clouds::{CloudError, layers::Tally};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use crate::arm::{Arm, Read};

/// What sizes there are.
pub static SKUS: Read = Read {
    service: "Microsoft.Compute",
    operation: "ResourceSkus_List",
    path: "/providers/Microsoft.Compute/skus",
    query: "",
    version: "2021-07-01",
};

/// How long what a size is stays believed.
const KEPT: std::time::Duration = std::time::Duration::from_hours(24);

/// By name, in small letters: a size is the same everywhere.
pub type Sizes = Arc<HashMap<String, Size>>;

/// One size.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    /// Virtual processors.
    pub vcpus: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// `x64` or `Arm64`.
    pub architecture: Option<String>,
}

/// The catalog of one connection.
#[derive(Debug, Default)]
pub struct SizeCatalog(Mutex<Option<(Instant, Sizes)>>);

impl SizeCatalog {
    /// The sizes there are.
    pub async fn get(&self, arm: &Arm, tally: &Tally) -> Result<Sizes, CloudError> {
        let mut kept = self.0.lock().await;
        if let Some((_, sizes)) = kept.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
            return Ok(sizes.clone());
        }
        let skus = arm.all(&SKUS, "", tally).await?;
        let sizes: Sizes = Arc::new(skus.iter().filter_map(read).collect());
        *kept = Some((Instant::now(), sizes.clone()));
        Ok(sizes)
    }
}

fn read(sku: &Value) -> Option<(String, Size)> {
    if sku["resourceType"] != "virtualMachines" {
        return None;
    }
    let capability = |name: &str| {
        let listed = sku["capabilities"].as_array()?;
        listed.iter().find(|capability| capability["name"] == name)?["value"].as_str()
    };
    let gib: f64 = capability("MemoryGB")?.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousand GiB, never below zero"
    )]
    let memory_mib = (gib.max(0.0) * 1024.0).round() as u64;
    let vcpus = capability("vCPUs")?.parse().ok()?;
    let architecture = capability("CpuArchitectureType").map(str::to_owned);
    Some((sku["name"].as_str()?.to_lowercase(), Size { vcpus, memory_mib, architecture }))
}
