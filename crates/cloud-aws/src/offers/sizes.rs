//! Instance types, as EC2 describes those of a region, and the zones that have each.

use marquee_clouds::{
    CloudError,
    layers::Tally,
    offers::{Architecture, Counts, Offer},
};

use super::{BySize, quotas::quota_of};
use crate::{
    cloud::Aws,
    inventory::enrich::{INSTANCE_TYPES, each},
    query::{EC2, Params},
    xml::{Node, Shape},
};

pub(crate) static OFFERINGS: Shape = Shape {
    action: "DescribeInstanceTypeOfferings",
    items: &["instanceTypeOfferingSet", "item"],
    group: None,
    token: Some((0, "nextToken")),
};

impl Aws {
    /// The instance types of a region, without zones and prices.
    pub(super) async fn instance_types(&self, region: &str) -> Result<Vec<Offer>, CloudError> {
        let mut offers = Vec::new();
        let page = vec![("MaxResults".to_owned(), "100".to_owned())];
        self.every(region, INSTANCE_TYPES, page, |node| offers.extend(offer(node))).await?;
        Ok(offers)
    }

    /// The zones of a region that have each type.
    pub(super) async fn zones_of_types(&self, region: &str) -> Result<BySize<Vec<String>>, CloudError> {
        let mut zones = BySize::<Vec<String>>::new();
        let params = [("LocationType", "availability-zone"), ("MaxResults", "1000")];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        self.every(region, OFFERINGS, params, |node| {
            if let (Some(size), Some(zone)) = (node.get("instanceType"), node.get("location")) {
                zones.entry(size.to_owned()).or_default().push(zone.to_owned());
            }
        })
        .await?;
        for zones in zones.values_mut() {
            zones.sort_unstable();
        }
        Ok(zones)
    }

    /// Every item of all pages of one of EC2's lists.
    pub(super) async fn every(
        &self,
        region: &str,
        shape: Shape,
        params: Params,
        mut read: impl FnMut(Node<'_, '_>) + Send,
    ) -> Result<(), CloudError> {
        let mut token: Option<String> = None;
        loop {
            let mut params = params.clone();
            params.extend(token.map(|token| ("NextToken".to_owned(), token)));
            let text = self.client.call(&EC2, region, shape.action, &params, &Tally::default()).await?;
            token = each(&text, shape, &mut read)?;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}

fn offer(node: Node<'_, '_>) -> Option<Offer> {
    let size = node.get("instanceType")?;
    let family = size.split('.').next()?;
    let vcpus = node.get_in("vCpuInfo", "defaultVCpus")?.parse().ok()?;
    let processors = node.child("processorInfo");
    let architectures: Vec<&str> = processors
        .into_iter()
        .flat_map(|processors| processors.list("supportedArchitectures"))
        .map(Node::text)
        .collect();
    let accelerators = ["gpuInfo", "inferenceAcceleratorInfo", "fpgaInfo"].map(|kind| {
        let list = match kind {
            "gpuInfo" => "gpus",
            "fpgaInfo" => "fpgas",
            _ => "accelerators",
        };
        let all = node.child(kind).into_iter().flat_map(move |info| info.list(list));
        all.filter_map(|one| one.get("count")?.parse::<u32>().ok()).sum::<u32>()
    });
    Some(Offer {
        size: size.to_owned(),
        family: family.to_owned(),
        generation: generation(family),
        current: node.get("currentGeneration") == Some("true"),
        vcpus,
        memory_mib: node.get_in("memoryInfo", "sizeInMiB")?.parse().ok()?,
        architecture: ["arm64", "x86_64"]
            .iter()
            .find(|known| architectures.contains(known))
            .and_then(|word| word.parse::<Architecture>().ok()),
        burstable: node.get("burstablePerformanceSupported") == Some("true"),
        accelerators: accelerators.iter().sum(),
        zones: Vec::new(),
        price: None,
        counts: quota_of(family).map(|code| Counts { quota: code.to_owned(), units: u64::from(vcpus) }),
    })
}

/// The first number of a family's name: 7 of `m7g`.
pub(super) fn generation(family: &str) -> Option<u32> {
    let digits = family.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::generation;

    #[test]
    fn a_generation_is_read_off_a_name() {
        assert_eq!(["m7g", "u-6tb1", "t3", "x"].map(generation), [Some(7), Some(6), Some(3), None]);
    }
}
