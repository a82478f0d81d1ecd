//! Everything but the instances: who one is, which regions there are, and empty lists of all else.

use std::fmt::Write as _;

use super::account::{Account, NUMBER};

/// What a request asks for, as far as it matters here.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The path, without the query.
    pub path: &'a str,
    /// The parameters of query and form.
    pub parameters: &'a [(String, String)],
}

impl Asked<'_> {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An id that looks like one of AWS's.
pub fn request_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// The answer to anything but `DescribeInstances`.
pub fn other(account: &Account, asked: &Asked<'_>) -> (u16, String) {
    if let Some(action) = asked.parameter("Action") {
        return (200, query(account, action, asked.parameter("Version").unwrap_or_default()));
    }
    let path = asked.path;
    if path == "/" {
        return (200, buckets());
    }
    if path.starts_with("/2013-04-01/hostedzone") {
        return (200, zones());
    }
    (404, "<Error><Code>NoSuchBucket</Code><Message>There are no buckets here.</Message></Error>".to_owned())
}

/// The services that take their calls as forms.
fn query(account: &Account, action: &str, version: &str) -> String {
    match (action, version) {
        ("DescribeRegions", _) => ec2(action, &regions(&account.region)),
        ("DescribeAvailabilityZones", _) => ec2(action, &availability_zones(&account.region)),
        ("GetCallerIdentity", _) => {
            let result = format!(
                "<Arn>arn:aws:iam::{NUMBER}:user/replay</Arn><UserId>AIDA0000000000EXAMPLE</UserId>\
                 <Account>{NUMBER}</Account>"
            );
            wrapped(action, "https://sts.amazonaws.com/doc/2011-06-15/", &result)
        }
        ("ListAccountAliases", _) => wrapped(
            action,
            "https://iam.amazonaws.com/doc/2010-05-08/",
            "<IsTruncated>false</IsTruncated><AccountAliases><member>replay</member></AccountAliases>",
        ),
        (_, "2016-11-15") => ec2(action, &empty_set(action)),
        (_, "2014-10-31") => wrapped(action, "http://rds.amazonaws.com/doc/2014-10-31/", &empty_list(action)),
        (_, "2011-01-01") => {
            wrapped(action, "http://autoscaling.amazonaws.com/doc/2011-01-01/", &empty_list(action))
        }
        (_, version) => wrapped(
            action,
            &format!("http://elasticloadbalancing.amazonaws.com/doc/{version}/"),
            &empty_list(action),
        ),
    }
}

fn ec2(action: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response \
         xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{}</requestId>{content}</{action}Response>",
        request_id(0)
    )
}

fn wrapped(action: &str, namespace: &str, content: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{content}</{action}Result><ResponseMetadata>\
         <RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        request_id(0)
    )
}

/// The name of the list in an EC2 answer: `DescribeVolumes` → `volumeSet`.
fn empty_set(action: &str) -> String {
    let name = match action {
        "DescribeVolumes" => "volumeSet",
        "DescribeSnapshots" => "snapshotSet",
        "DescribeImages" => "imagesSet",
        "DescribeVpcs" => "vpcSet",
        "DescribeSubnets" => "subnetSet",
        "DescribeSecurityGroups" => "securityGroupInfo",
        "DescribeAddresses" => "addressesSet",
        "DescribeNetworkInterfaces" => "networkInterfaceSet",
        "DescribeInstanceTypes" => "instanceTypeSet",
        "DescribeTags" => "tagSet",
        "DescribeAccountAttributes" => "accountAttributeSet",
        _ => return String::new(),
    };
    format!("<{name}/>")
}

/// The name of the list in the other services' answers: `DescribeLoadBalancers` → `LoadBalancers`.
fn empty_list(action: &str) -> String {
    let name = match action {
        "DescribeTags" => "TagDescriptions",
        "DescribeTargetHealth" => "TargetHealthDescriptions",
        "ListTagsForResource" => "TagList",
        _ => action.strip_prefix("Describe").unwrap_or(action),
    };
    format!("<{name}/>")
}

fn regions(region: &str) -> String {
    format!(
        "<regionInfo><item><regionName>{region}</regionName><regionEndpoint>ec2.{region}.amazonaws.com\
         </regionEndpoint><optInStatus>opt-in-not-required</optInStatus></item></regionInfo>"
    )
}

fn availability_zones(region: &str) -> String {
    let mut items = String::new();
    for letter in ['a', 'b', 'c'] {
        let _ = write!(
            items,
            "<item><zoneName>{region}{letter}</zoneName><zoneState>available</zoneState><regionName>{region}\
             </regionName><zoneType>availability-zone</zoneType></item>"
        );
    }
    format!("<availabilityZoneInfo>{items}</availabilityZoneInfo>")
}

fn buckets() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{NUMBER}</ID></Owner><Buckets/>\
         </ListAllMyBucketsResult>"
    )
}

fn zones() -> String {
    "<?xml version=\"1.0\"?>\n<ListHostedZonesResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
     <HostedZones/><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>"
        .to_owned()
}
