//! AWS partitions, endpoints and ARNs: which host answers for a region, and how a resource is named there.
//!
//! The table is that of the vendor's own clients (`partitions.json` in botocore); a test compares them.

use std::fmt;

use marquee_types::ResourceKind;

/// A part of AWS with its own accounts, names and hosts.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// As in an ARN: `aws`, `aws-cn`, …
    pub id: &'static str,
    /// What its regions' names begin with; empty for the commercial partition, which has all others.
    pub region_prefix: &'static str,
    /// What its hosts' names end with.
    pub dns_suffix: &'static str,
    /// Where questions are asked that belong to no region.
    pub home_region: &'static str,
}

/// All partitions; the commercial one is last, since its prefix fits every region.
pub static PARTITIONS: &[Partition] = &[
    partition("aws-cn", "cn-", "amazonaws.com.cn", "cn-north-1"),
    partition("aws-us-gov", "us-gov-", "amazonaws.com", "us-gov-west-1"),
    partition("aws-iso", "us-iso-", "c2s.ic.gov", "us-iso-east-1"),
    partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "us-isob-east-1"),
    partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "eu-isoe-west-1"),
    partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "us-isof-south-1"),
    partition("aws-eusc", "eusc-", "amazonaws.eu", "eusc-de-east-1"),
    partition("aws", "", "amazonaws.com", "us-east-1"),
];

const fn partition(
    id: &'static str,
    region_prefix: &'static str,
    dns_suffix: &'static str,
    home_region: &'static str,
) -> Partition {
    Partition { id, region_prefix, dns_suffix, home_region }
}

impl Partition {
    /// The partition a region lies in.
    pub fn of_region(region: &str) -> &'static Self {
        PARTITIONS
            .iter()
            .find(|p| region.starts_with(p.region_prefix))
            .unwrap_or(&PARTITIONS[PARTITIONS.len() - 1])
    }
}

/// Whether `name` can be a region. It becomes part of a host's name, so nothing else may pass.
pub fn is_region_name(name: &str) -> bool {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default();
    let last = parts.next_back().unwrap_or_default();
    (2..=4).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_lowercase())
        && (1..=2).contains(&last.len())
        && last.bytes().all(|b| b.is_ascii_digit())
        && parts.clone().count() >= 1
        && parts
            .all(|part| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_lowercase()))
}

/// The account and region that a listing looks at; it names the resources found there.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The partition of `region`.
    pub partition: &'static Partition,
    /// The region.
    pub region: &'a str,
    /// The twelve digits of the account.
    pub account: &'a str,
}

impl Place<'_> {
    /// The ARN of something of this account in this region, e.g. `arn("ec2", "instance", "i-1")`.
    pub fn arn(&self, service: &str, kind: &str, id: &str) -> String {
        self.arn_of(service, self.account, kind, id)
    }

    /// The same for what another account may own; `owner` is empty for what has none in its ARN.
    pub fn arn_of(&self, service: &str, owner: &str, kind: &str, id: &str) -> String {
        self.join(service, owner, kind, "/", id)
    }

    /// The same for services that put a colon before the id, e.g. RDS.
    pub fn arn_with_colon(&self, service: &str, kind: &str, id: &str) -> String {
        self.join(service, self.account, kind, ":", id)
    }

    fn join(&self, service: &str, owner: &str, kind: &str, separator: &str, id: &str) -> String {
        let (partition, region) = (self.partition.id, self.region);
        ["arn:", partition, ":", service, ":", region, ":", owner, ":", kind, separator, id].concat()
    }
}

/// An ARN taken apart: `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    /// Everything behind the account: `instance/i-1`, `db:orders`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart; `None` if it is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let ("arn", partition, service, region, account, resource) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        let whole = !partition.is_empty() && !service.is_empty() && !resource.is_empty();
        whole.then_some(Self { partition, service, region, account, resource })
    }

    /// The id behind `kind/` or `kind:` if this is a resource of that kind. A `*` in `kind` stands for anything up
    /// to the next colon.
    pub fn id_of(&self, kind: &str) -> Option<&'a str> {
        let rest = match kind.split_once("*:") {
            Some((before, after)) => {
                let (_, rest) = self.resource.strip_prefix(before)?.split_once(':')?;
                rest.strip_prefix(after)?
            }
            None => self.resource.strip_prefix(kind)?,
        };
        rest.strip_prefix(['/', ':']).filter(|id| !id.is_empty())
    }
}

/// Services and the beginnings of resources in ARNs, by kind.
static KINDS: &[(&str, &str, ResourceKind)] = &[
    ("autoscaling", "autoScalingGroup:", ResourceKind::ScalingGroup),
    ("ec2", "elastic-ip/", ResourceKind::PublicIp),
    ("ec2", "image/", ResourceKind::Image),
    ("ec2", "instance/", ResourceKind::ComputeInstance),
    ("ec2", "security-group/", ResourceKind::SecurityGroup),
    ("ec2", "snapshot/", ResourceKind::Snapshot),
    ("ec2", "subnet/", ResourceKind::Subnet),
    ("ec2", "volume/", ResourceKind::Disk),
    ("ec2", "vpc/", ResourceKind::Network),
    ("elasticloadbalancing", "loadbalancer/", ResourceKind::LoadBalancer),
    ("elasticloadbalancing", "targetgroup/", ResourceKind::TargetGroup),
    ("rds", "cluster-snapshot:", ResourceKind::DatabaseSnapshot),
    ("rds", "cluster:", ResourceKind::DatabaseCluster),
    ("rds", "db:", ResourceKind::Database),
    ("rds", "snapshot:", ResourceKind::DatabaseSnapshot),
    ("route53", "hostedzone/", ResourceKind::DnsZone),
    ("s3", "", ResourceKind::Bucket),
];

impl Arn<'_> {
    /// What it names, if that is of a kind that is listed.
    pub fn kind(&self) -> Option<ResourceKind> {
        let fits = |(service, start, _): &&(&str, &str, _)| {
            self.service == *service && self.resource.starts_with(start)
        };
        KINDS.iter().find(fits).map(|(_, _, kind)| *kind)
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn regions_belong_to_their_partition() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Partition::of_region(region).id, partition);
            assert!(is_region_name(region), "{region}");
        }
    }

    #[test]
    fn what_could_lead_to_another_host_is_no_region() {
        for name in [
            "",
            "eu",
            "eu-west",
            "eu-west-1.evil.example",
            "eu-west-1/",
            "eu-WEST-1",
            "-west-1",
            "eu--1",
            "a@b-c-1",
            "eu-west-1:80",
            "eu-west-123",
            "127.0.0.1",
        ] {
            assert!(!is_region_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_arn_survives_being_taken_apart(kind in "[a-z-]{1,12}", id in "[a-z0-9:/-]{1,30}") {
            let place = Place { partition: Partition::of_region("eu-west-1"), region: "eu-west-1", account: "123456789012" };
            let text = place.arn("ec2", &kind, &id);
            let arn = Arn::parse(&text).unwrap();
            prop_assert_eq!(arn.id_of(&kind), Some(&*id));
            prop_assert_eq!(arn.to_string(), text);
        }

        #[test]
        fn taking_apart_never_panics(text in ".*") {
            let _ = Arn::parse(&text).map(|arn| arn.id_of("x"));
            let _ = is_region_name(&text);
        }
    }
}
