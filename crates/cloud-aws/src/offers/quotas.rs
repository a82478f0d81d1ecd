//! Quotas of instances, counted in vCPUs of running ones by groups of families, and of databases; with what is used of them.
//!
//! The codes are those of "On-Demand Instance quotas" in the EC2 user guide and of "Quotas in Amazon RDS" in the RDS user guide.

use std::collections::BTreeMap;

use aws_sdk_servicequotas::Client;
use marquee_clouds::{CloudError, layers::Tally, offers::Quota};
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use super::BySize;
use crate::{
    cloud::Aws,
    inventory::enrich::each,
    query::{Params, RDS},
    xml::Shape,
};

/// The quota of DB instances.
pub(super) const DATABASES: &str = "L-7B6409FD";
/// What families of a group begin with, the longer before the shorter, and the quota of their vCPUs.
const GROUPS: &[(&str, &str)] = &[
    ("hpc", "L-F7808C92"),
    ("inf", "L-1945791B"),
    ("trn", "L-2C3B7624"),
    ("mac", ""),
    ("dl", "L-6E869C2A"),
    ("u-", "L-43DA4232"),
    ("u7", "L-43DA4232"),
    ("vt", "L-DB2E81BA"),
    ("f", "L-74FC7D96"),
    ("g", "L-DB2E81BA"),
    ("p", "L-417A185B"),
    ("x", "L-7295265B"),
    ("a", STANDARD),
    ("c", STANDARD),
    ("d", STANDARD),
    ("h", STANDARD),
    ("i", STANDARD),
    ("m", STANDARD),
    ("r", STANDARD),
    ("t", STANDARD),
    ("z", STANDARD),
];
const STANDARD: &str = "L-1216C47A";

/// Instances that count: those that run or begin to.
pub(crate) static RUNNING: Shape = Shape {
    action: "DescribeInstances",
    items: &["reservationSet", "item", "instancesSet", "item"],
    group: None,
    token: Some((0, "nextToken")),
};

pub(crate) static ALL_DATABASES: Shape = Shape {
    action: "DescribeDBInstances",
    items: &["DescribeDBInstancesResult", "DBInstances", "DBInstance"],
    group: None,
    token: Some((1, "Marker")),
};

/// The page of the console under which quotas are.
fn console(region: &str) -> String {
    let path = ["servicequotas", "home", "services"].join("/");
    format!("https://{region}.console.aws.amazon.com/{path}")
}

/// The code of the quota that a family's vCPUs count against; none for one without.
pub(super) fn quota_of(family: &str) -> Option<&'static str> {
    let group = GROUPS.iter().find(|(first, _)| family.starts_with(first));
    group.map(|(_, code)| *code).filter(|code| !code.is_empty())
}

impl Aws {
    /// The quotas that offers count against.
    pub(super) async fn all_quotas(&self, region: &str) -> Result<Vec<Quota>, CloudError> {
        let instances = self.service_quotas(region, "ec2", "vcpus");
        let databases = self.service_quotas(region, "rds", "instances");
        let (mut quotas, databases, used, there) =
            futures::try_join!(instances, databases, self.used_vcpus(region), self.databases(region))?;
        quotas.retain(|quota| GROUPS.iter().any(|(_, code)| *code == quota.code));
        for quota in &mut quotas {
            quota.used = Some(used.get(quota.code.as_str()).copied().unwrap_or(0));
        }
        let databases = databases.into_iter().filter(|quota| quota.code == DATABASES);
        quotas.extend(databases.map(|quota| Quota { used: Some(there), ..quota }));
        Ok(quotas)
    }

    async fn service_quotas(
        &self,
        region: &str,
        service: &str,
        unit: &str,
    ) -> Result<Vec<Quota>, CloudError> {
        let client = Client::new(&self.sdk_config(region));
        let caller = self.sdk_caller();
        let (mut quotas, mut token) = (Vec::new(), None);
        loop {
            let answer = caller
                .call("servicequotas", "ListServiceQuotas", Some(region), || {
                    let call = client.list_service_quotas().service_code(service).max_results(100);
                    call.set_next_token(token.clone()).send()
                })
                .await?;
            for quota in answer.quotas() {
                let (Some(code), Some(name)) = (quota.quota_code(), quota.quota_name()) else { continue };
                // AWS gives a count as a floating number.
                let limit =
                    quota.value().and_then(rust_decimal::Decimal::from_f64).and_then(|limit| limit.to_u64());
                let Some(limit) = limit else { continue };
                quotas.push(Quota {
                    code: code.to_owned(),
                    name: name.to_owned(),
                    unit: unit.to_owned(),
                    limit,
                    used: None,
                    request: format!("{}/{service}/quotas/{code}", console(region)),
                });
            }
            token = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(quotas);
            }
        }
    }

    /// The vCPUs that run, by the code of their quota.
    async fn used_vcpus(&self, region: &str) -> Result<BTreeMap<&'static str, u64>, CloudError> {
        let mut running = BySize::<u64>::new();
        let params = [
            ("Filter.1.Name", "instance-state-name"),
            ("Filter.1.Value.1", "pending"),
            ("Filter.1.Value.2", "running"),
            ("MaxResults", "1000"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        self.every(region, RUNNING, params, |node| {
            // Spot instances have a quota of their own.
            if let (Some(size), None) = (node.get("instanceType"), node.get("instanceLifecycle")) {
                *running.entry(size.to_owned()).or_default() += 1;
            }
        })
        .await?;
        let mut used = BTreeMap::new();
        for offer in self.instance_types(region).await? {
            let (Some(count), Some(code)) = (running.get(&offer.size), quota_of(&offer.family)) else {
                continue;
            };
            *used.entry(code).or_default() += count * u64::from(offer.vcpus);
        }
        Ok(used)
    }

    /// How many DB instances there are.
    async fn databases(&self, region: &str) -> Result<u64, CloudError> {
        let (mut count, mut token) = (0, None);
        loop {
            let mut params: Params = vec![("MaxRecords".to_owned(), "100".to_owned())];
            params.extend(token.map(|token| ("Marker".to_owned(), token)));
            let text =
                self.client.call(&RDS, region, ALL_DATABASES.action, &params, &Tally::default()).await?;
            token = each(&text, ALL_DATABASES, |_| count += 1)?;
            if token.is_none() {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_counts_against_the_quota_of_its_group() {
        let codes =
            ["m7g", "im4gn", "g5", "inf2", "u-6tb1", "hpc7a", "vt1", "trn1n", "x2idn", "mac2"].map(quota_of);
        let wanted = [
            Some(STANDARD),
            Some(STANDARD),
            Some("L-DB2E81BA"),
            Some("L-1945791B"),
            Some("L-43DA4232"),
            Some("L-F7808C92"),
            Some("L-DB2E81BA"),
            Some("L-2C3B7624"),
            Some("L-7295265B"),
            None,
        ];
        assert_eq!(codes, wanted);
    }
}
