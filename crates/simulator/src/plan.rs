//! The world file: accounts and what they own, sizes, prices and loads. It is read once and never changes.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{face::FaceName, load::Load};

/// A world as it is written down, in TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The world's name.
    pub name: String,
    /// What ids, keys and noise follow from.
    pub seed: u64,
    /// How long it existed before it is entered, in days.
    pub history_days: u32,
    /// The accounts.
    #[serde(default)]
    pub accounts: Vec<Account>,
    /// What drives measurements, by name.
    #[serde(default)]
    pub loads: BTreeMap<String, Load>,
    /// What sizes there are.
    #[serde(default)]
    pub sizes: Vec<Size>,
    /// What things cost.
    #[serde(default)]
    pub prices: Vec<Price>,
}

/// One account, subscription or project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The vendor.
    pub face: FaceName,
    /// The account's, subscription's or project's id, in the vendor's shape.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// The regions it may use.
    pub regions: Vec<Region>,
    /// What it owns when the world is entered.
    #[serde(default)]
    pub groups: Vec<Group>,
}

/// One region.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The vendor's id: `eu-west-1`, `westeurope`, `europe-west1`.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// Its zones: `eu-west-1a`, `1`, `europe-west1-b`.
    pub zones: Vec<Arc<str>>,
    /// Whether the account may use it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What prices are multiplied by here.
    #[serde(default = "one")]
    pub price_factor: f64,
}

/// Things of one kind that an account owns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The kind.
    pub what: What,
    /// Their names, with `{n}` for a number and `{region}` for the region.
    pub name: String,
    /// How many there are in each region.
    #[serde(default = "one_thing")]
    pub count: u32,
    /// Which regions; all of the account, if none are named.
    #[serde(default)]
    pub regions: Vec<Arc<str>>,
    /// The vendor's size or type.
    #[serde(default)]
    pub size: String,
    /// Size in GiB, of disks, databases and their storage.
    #[serde(default)]
    pub gib: u64,
    /// Database engine in the vendor's word.
    #[serde(default)]
    pub engine: String,
    /// Version of the engine.
    #[serde(default)]
    pub version: String,
    /// Tags or labels.
    #[serde(default)]
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// The load that drives them.
    pub load: Option<String>,
    /// Utilization at the load's peak.
    #[serde(default = "busy")]
    pub at_peak: f64,
    /// Days before now between which they were made: oldest, youngest.
    #[serde(default = "since_long")]
    pub age_days: [u32; 2],
    /// Whether they are stopped.
    #[serde(default)]
    pub stopped: bool,
    /// Whether they have a standby in another zone.
    #[serde(default)]
    pub multi_zone: bool,
    /// Name of the group they belong to or were made from: the targets of a load balancer, the source of snapshots and
    /// replicas.
    pub of: Option<String>,
}

/// What a group is made of, in words of no vendor. A face grows those it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A network with a subnet in each zone, and what protects it.
    Network,
    /// Virtual machines, each with a boot disk.
    Instance,
    /// Data disks, attached to the instances of `of` if it is given.
    Disk,
    /// Snapshots of the disks of `of`.
    Snapshot,
    /// Images.
    Image,
    /// Managed databases.
    Database,
    /// Read replicas of the databases of `of`.
    Replica,
    /// Snapshots or backups of the databases of `of`.
    DatabaseSnapshot,
    /// Object storage: buckets or storage accounts.
    Bucket,
    /// Load balancers in front of the instances or scaling group of `of`.
    LoadBalancer,
    /// Scaling groups; `count` is how many groups, `gib` how many instances each has.
    ScalingGroup,
    /// Reserved public addresses.
    PublicIp,
    /// DNS zones.
    DnsZone,
}

/// A size of instances or databases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// The vendor.
    pub face: FaceName,
    /// The vendor's name: `m7g.large`, `Standard_D4s_v5`, `n2-standard-4`, `db.m7g.large`.
    pub name: Arc<str>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory_mib: u64,
    /// `x86_64` or `arm64`.
    #[serde(default = "x86")]
    pub architecture: Arc<str>,
    /// The vendor's name of the family: `m7g`, `standardDSv5Family`, `N2`.
    #[serde(default)]
    pub family: Arc<str>,
    /// Whether it is a size of databases.
    #[serde(default)]
    pub database: bool,
}

/// What a unit of something costs in the region with factor 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The vendor.
    pub face: FaceName,
    /// What a [`Meter`](crate::estate::Meter) names: `compute/m7g.large`, `disk/gp3`.
    pub sku: Arc<str>,
    /// The vendor's service as its bill names it: `Amazon Elastic Compute Cloud - Compute`.
    pub service: Arc<str>,
    /// What is counted.
    pub unit: Unit,
    /// Millionths of a US dollar a unit.
    pub usd_micros: u64,
}

/// What a price counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Hours that a thing is charged for.
    Hour,
    /// GiB kept for a month of 730 hours.
    GibMonth,
}

impl Plan {
    /// Reads a world file; what is wrong is said with its place.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// An account by its id.
    pub fn account(&self, face: FaceName, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.face == face && account.id.as_ref() == id)
    }

    /// The accounts of a vendor.
    pub fn accounts_of(&self, face: FaceName) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(move |account| account.face == face)
    }

    /// A size by its name.
    pub fn size(&self, face: FaceName, name: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.face == face && size.name.as_ref() == name)
    }

    /// A price by its sku.
    pub fn price(&self, face: FaceName, sku: &str) -> Option<&Price> {
        self.prices.iter().find(|price| price.face == face && price.sku.as_ref() == sku)
    }
}

impl Account {
    /// A region by its id.
    pub fn region(&self, id: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.id.as_ref() == id)
    }

    /// The region that a zone is in.
    pub fn region_of_zone(&self, zone: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.zones.iter().any(|known| known.as_ref() == zone))
    }
}

impl Group {
    /// The regions it is in.
    pub fn regions<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a Region> {
        let named = move |region: &&Region| self.regions.is_empty() || self.regions.contains(&region.id);
        account.regions.iter().filter(named)
    }

    /// The name of its `n`th thing in a region, from 1 on.
    pub fn name_of(&self, n: u32, region: &Region) -> String {
        self.name.replace("{n}", &format!("{n:02}")).replace("{region}", &region.id)
    }
}

fn yes() -> bool {
    true
}
fn one() -> f64 {
    1.0
}
fn one_thing() -> u32 {
    1
}
fn busy() -> f64 {
    0.6
}
fn since_long() -> [u32; 2] {
    [700, 30]
}
fn x86() -> Arc<str> {
    "x86_64".into()
}
