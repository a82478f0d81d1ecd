//! EC2: instances, volumes, snapshots, images, networks, addresses and tags.

mod addresses;
mod images;
pub(super) mod instances;
pub(super) mod launch;
mod network;
mod places;
mod private;
mod snapshots;
mod states;
mod tags;
pub(super) mod templates;
pub(super) mod volumes;

use serde_json::{Map, Value};

use super::{
    ask::{Ask, tag_list, tags_of},
    filters::{self, Source},
    protocol::Refusal,
    service::{Handler, Row},
};
use crate::estate::{Estate, Tags, Thing};

pub(super) use addresses::{allocate as allocate_address, associate as associate_address};
pub(super) use images::{create as create_image, suitable};
pub(super) use network::{create_group, create_subnet, create_vpc};
pub(super) use snapshots::create as create_snapshot;
pub(super) use states::{stop as stop_instances, terminate as end_instances};

/// The kinds of things, as shelves are named.
pub const INSTANCES: &str = "ec2/instance";
pub const VOLUMES: &str = "ec2/volume";
pub const SNAPSHOTS: &str = "ec2/snapshot";
pub const IMAGES: &str = "ec2/image";
pub const VPCS: &str = "ec2/vpc";
pub const SUBNETS: &str = "ec2/subnet";
pub const GROUPS: &str = "ec2/security-group";
pub const TEMPLATES: &str = "ec2/launch-template";
pub const ADDRESSES: &str = "ec2/elastic-ip";

/// All of EC2's operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("AllocateAddress", Handler::Write(addresses::allocate)),
    ("AssociateAddress", Handler::Write(addresses::associate)),
    ("AttachVolume", Handler::Write(volumes::attach)),
    ("CopyImage", Handler::Write(images::copy)),
    ("CopySnapshot", Handler::Write(snapshots::copy)),
    ("CreateImage", Handler::Write(images::create)),
    ("CreateLaunchTemplate", Handler::Write(templates::create)),
    ("CreateSecurityGroup", Handler::Write(network::create_group)),
    ("CreateSnapshot", Handler::Write(snapshots::create)),
    ("CreateSubnet", Handler::Write(network::create_subnet)),
    ("CreateTags", Handler::Write(tags::create)),
    ("CreateVolume", Handler::Write(volumes::create)),
    ("CreateVpc", Handler::Write(network::create_vpc)),
    ("DeleteLaunchTemplate", Handler::Write(templates::delete)),
    ("DeleteSecurityGroup", Handler::Write(network::delete_group)),
    ("DeleteSnapshot", Handler::Write(snapshots::delete)),
    ("DeleteSubnet", Handler::Write(network::delete_subnet)),
    ("DeleteTags", Handler::Write(tags::delete)),
    ("DeleteVolume", Handler::Write(volumes::delete)),
    ("DeleteVpc", Handler::Write(network::delete_vpc)),
    ("DeregisterImage", Handler::Write(images::deregister)),
    ("DescribeAddresses", Handler::Read(addresses::describe)),
    ("DescribeAvailabilityZones", Handler::Read(places::zones)),
    ("DescribeImages", Handler::Read(images::describe)),
    ("DescribeInstanceAttribute", Handler::Read(states::attribute)),
    ("DescribeInstanceStatus", Handler::Read(instances::statuses)),
    ("DescribeInstanceTypeOfferings", Handler::Read(places::offerings)),
    ("DescribeInstanceTypes", Handler::Read(places::types)),
    ("DescribeInstances", Handler::Read(instances::describe)),
    ("DescribeLaunchTemplates", Handler::Read(templates::describe)),
    ("DescribeRegions", Handler::Read(places::regions)),
    ("DescribeSecurityGroups", Handler::Read(network::describe_groups)),
    ("DescribeSnapshots", Handler::Read(snapshots::describe)),
    ("DescribeSubnets", Handler::Read(network::describe_subnets)),
    ("DescribeTags", Handler::Read(tags::describe)),
    ("DescribeVolumes", Handler::Read(volumes::describe)),
    ("DescribeVolumesModifications", Handler::Read(volumes::modifications)),
    ("DescribeVpcs", Handler::Read(network::describe_vpcs)),
    ("DetachVolume", Handler::Write(volumes::detach)),
    ("DisassociateAddress", Handler::Write(addresses::disassociate)),
    ("ModifyInstanceAttribute", Handler::Write(states::modify)),
    ("ModifyVolume", Handler::Write(volumes::modify)),
    ("RebootInstances", Handler::Write(states::reboot)),
    ("ReleaseAddress", Handler::Write(addresses::release)),
    ("RunInstances", Handler::Write(launch::run)),
    ("StartInstances", Handler::Write(states::start)),
    ("StopInstances", Handler::Write(states::stop)),
    ("TerminateInstances", Handler::Write(states::terminate)),
];

/// How a kind of things is described.
#[derive(Debug)]
pub struct Description {
    pub kind: &'static str,
    /// The member of the input with their ids.
    pub ids: &'static str,
    /// What an id begins with.
    pub prefix: &'static str,
    /// What refusals of ids begin with: `InvalidInstanceID`.
    pub code: &'static str,
    pub filters: &'static [(&'static str, Source)],
    /// Whether ids and a length of the page exclude each other.
    pub exclusive: bool,
}

/// A page of things: what they look like, and the token of the next one.
pub type Described = (Vec<Value>, Option<String>);

impl Description {
    /// Describes what a request asks for.
    pub fn page(
        &self,
        ask: &Ask<'_>,
        estate: &Estate,
        show: impl Fn(&Ask<'_>, &Thing) -> Value,
    ) -> Result<Described, Refusal> {
        self.page_of(ask, estate, show, |_| true)
    }

    /// The same, of what `also` takes as well.
    pub fn page_of(
        &self,
        ask: &Ask<'_>,
        estate: &Estate,
        show: impl Fn(&Ask<'_>, &Thing) -> Value,
        also: impl Fn(&Thing) -> bool,
    ) -> Result<Described, Refusal> {
        let ids = ask.texts(self.ids);
        self.check(ask, estate, &ids)?;
        if self.exclusive && !ids.is_empty() && ask.get("MaxResults").is_some() {
            let message = format!("The parameter {} cannot be used with the parameter maxResults", self.ids);
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
        if let Some(size) = ask.number("MaxResults").filter(|size| !(5..=1000).contains(size)) {
            let message = format!(
                "Value ( {size} ) for parameter maxResults is invalid. Expecting a value from 5 to 1000."
            );
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        let filters = filters::read(ask.list("Filters"));
        if let Some(name) = filters::unknown(&filters, self.filters) {
            return Err(Refusal::new("InvalidParameterValue", format!("The filter '{name}' is invalid")));
        }
        let wanted = |thing: &Thing| {
            (ids.is_empty() || ids.contains(&&*thing.id))
                && filters::pass(thing, thing.state(ask.now), ask.owner(), &filters, self.filters)
                && also(thing)
        };
        let paging = (ask.limit("MaxResults", 1000), ask.text("NextToken"));
        let page = ask.page(estate, self.kind, paging, "InvalidNextToken", wanted)?;
        Ok((page.things.iter().map(|thing| show(ask, thing)).collect(), page.next))
    }

    /// Refuses ids that are none, or of nothing.
    pub fn check(&self, ask: &Ask<'_>, estate: &Estate, ids: &[&str]) -> Result<(), Refusal> {
        for id in ids {
            self.well_formed(id)?;
        }
        let missing: Vec<&str> =
            ids.iter().copied().filter(|id| ask.find(estate, self.kind, id).is_none()).collect();
        if missing.is_empty() { Ok(()) } else { Err(self.not_found(&missing.join(", "))) }
    }

    fn well_formed(&self, id: &str) -> Result<(), Refusal> {
        let rest = id.strip_prefix(self.prefix).unwrap_or_default();
        if matches!(rest.len(), 8 | 17) && rest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(());
        }
        Err(Refusal::new(format!("{}.Malformed", self.code), format!("Invalid id: \"{id}\"")))
    }

    /// What is said of an id of nothing.
    pub fn not_found(&self, id: &str) -> Refusal {
        let noun = self.ids.trim_end_matches('s');
        Refusal::new(format!("{}.NotFound", self.code), format!("The {noun} '{id}' does not exist"))
    }

    /// The thing of an id.
    pub fn one<'e>(&self, ask: &Ask<'_>, estate: &'e Estate, id: &str) -> Result<&'e Thing, Refusal> {
        self.well_formed(id)?;
        ask.find(estate, self.kind, id).ok_or_else(|| self.not_found(id))
    }

    /// The thing of an id, to be changed.
    pub fn one_mut<'e>(
        &self,
        ask: &Ask<'_>,
        estate: &'e mut Estate,
        id: &str,
    ) -> Result<&'e mut Thing, Refusal> {
        self.well_formed(id)?;
        ask.find_mut(estate, self.kind, id).ok_or_else(|| self.not_found(id))
    }
}

/// The tags that a request gives to things of one type.
fn given_tags(ask: &Ask<'_>, resource_type: &str) -> Tags {
    let of_type = |spec: &&Value| spec.get("ResourceType").and_then(Value::as_str) == Some(resource_type);
    let specs = ask.list("TagSpecifications").iter().filter(of_type);
    let lists = specs.filter_map(|spec| spec.get("Tags").and_then(Value::as_array));
    lists.flat_map(|list| tags_of(list)).collect()
}

/// Gives a thing tags, and the name among them.
pub fn tag(thing: &mut Thing, tags: Tags) {
    thing.tags.extend(tags);
    thing.name = thing.tags.get("Name").cloned().unwrap_or_default();
}

/// A thing's body with its tags, as most answers have them.
fn with_tags(thing: &Thing) -> Map<String, Value> {
    let mut shown = thing.body.read();
    if !thing.tags.is_empty() {
        shown.insert("Tags".to_owned(), tag_list(&thing.tags));
    }
    shown
}

/// An output of a list and the token of the next page.
fn paged(name: &str, (items, next): Described) -> Value {
    let mut output = Map::new();
    output.insert(name.to_owned(), Value::Array(items));
    if let Some(next) = next {
        output.insert("NextToken".to_owned(), next.into());
    }
    Value::Object(output)
}

/// What EC2 answers where only success matters.
fn done() -> Value {
    Value::Null
}

fn set(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}
