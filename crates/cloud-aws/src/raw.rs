//! What AWS said about one resource, written as JSON text straight from the tape.
//!
//! Member names are AWS's; every value is the text AWS sent. Lists become arrays; their names are known from AWS's
//! models ([`LISTS`], which a test compares with botocore's), because an empty or one-element list looks like a
//! structure in XML. Lists without an order of their own are sorted, so that the same content is the same text.

use marquee_clouds::RawJson;

use crate::xml::Node;

/// Writes `node`'s members as a JSON object, leaving out the members named in `omit`.
pub fn object(node: Node<'_, '_>, omit: &[&str]) -> String {
    let mut out = String::with_capacity(4 * 1024);
    members(node, omit, &mut out);
    out
}

/// The same as a finished value.
pub fn json(node: Node<'_, '_>, omit: &[&str]) -> RawJson {
    RawJson::from_trusted(object(node, omit))
}

/// Adds a member to an object written by [`object`].
pub fn add(out: &mut String, name: &str, node: Node<'_, '_>) {
    if out.pop().is_none() {
        out.push('{');
    }
    if out.len() > 1 {
        out.push(',');
    }
    string(name, out);
    out.push(':');
    value(node, out);
    out.push('}');
}

fn members(node: Node<'_, '_>, omit: &[&str], out: &mut String) {
    out.push('{');
    let start = out.len();
    for child in node.children().filter(|child| !omit.contains(&child.name())) {
        if out.len() > start {
            out.push(',');
        }
        string(child.name(), out);
        out.push(':');
        value(child, out);
    }
    out.push('}');
}

fn value(node: Node<'_, '_>, out: &mut String) {
    if is_list(node.name()) {
        array(node, out);
    } else if node.has_children() {
        members(node, &[], out);
    } else if node.text().is_empty() {
        out.push_str("null");
    } else {
        string(node.text(), out);
    }
}

fn array(node: Node<'_, '_>, out: &mut String) {
    out.push('[');
    let start = out.len();
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for child in node.children() {
        if out.len() > start {
            out.push(',');
        }
        let from = out.len();
        // An element of a list is a structure or a text, whatever its name is elsewhere.
        if child.has_children() {
            members(child, &[], out);
        } else {
            string(child.text(), out);
        }
        parts.push((from, out.len()));
    }
    let part = |&(from, to): &(usize, usize)| &out[from..to];
    if !ORDERED.contains(&node.name()) && !parts.is_sorted_by_key(part) {
        parts.sort_by_key(|&(from, to)| out[from..to].to_owned());
        let sorted = parts.iter().map(part).collect::<Vec<_>>().join(",");
        out.truncate(start);
        out.push_str(&sorted);
    }
    out.push(']');
}

/// Writes a JSON string.
fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..0x20 => {
                out.push_str(&text[copied..at]);
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
                copied = at + 1;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[copied..at]);
        out.push_str(escaped);
        copied = at + 1;
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn is_list(name: &str) -> bool {
    LISTS.binary_search(&name).is_ok()
}

/// Lists whose order means something.
pub static ORDERED: &[&str] = &["Overrides", "TerminationPolicies"];

/// The names of all lists in the answers we read, sorted.
pub static LISTS: &[&str] = &[
    "AcceleratorManufacturers",
    "AcceleratorNames",
    "AcceleratorTypes",
    "AccountAliases",
    "AdditionalStorageVolumes",
    "AllowedInstanceTypes",
    "AssociatedRoles",
    "AutoScalingGroups",
    "AvailabilityZoneIds",
    "AvailabilityZones",
    "CapacityReservationIds",
    "CapacityReservationResourceGroupArns",
    "CpuManufacturers",
    "CustomEndpoints",
    "DBClusterMembers",
    "DBClusterOptionGroupMemberships",
    "DBClusterSnapshots",
    "DBClusters",
    "DBInstanceAutomatedBackupsReplications",
    "DBInstances",
    "DBParameterGroups",
    "DBSecurityGroups",
    "DBSnapshots",
    "DistributionSegments",
    "DnsIps",
    "DomainMemberships",
    "EnabledCloudwatchLogsExports",
    "EnabledMetrics",
    "ExcludedInstanceTypes",
    "InstanceGenerations",
    "Instances",
    "LoadBalancerAddresses",
    "LoadBalancerArns",
    "LoadBalancerNames",
    "LoadBalancers",
    "LocalStorageTypes",
    "LogTypesToDisable",
    "LogTypesToEnable",
    "OptionGroupMemberships",
    "Overrides",
    "ProcessorFeatures",
    "ReadReplicaDBClusterIdentifiers",
    "ReadReplicaDBInstanceIdentifiers",
    "ReadReplicaIdentifiers",
    "Reference",
    "SecurityGroups",
    "SourceNatIpv6Prefixes",
    "StatusInfos",
    "Subnets",
    "SupportedNetworkTypes",
    "SuspendedProcesses",
    "TagDescriptions",
    "TagList",
    "Tags",
    "TargetCapacityTypes",
    "TargetGroupARNs",
    "TargetGroups",
    "TargetHealthDescriptions",
    "TerminationPolicies",
    "TrafficSources",
    "VpcSecurityGroups",
    "accelerators",
    "addressesSet",
    "associatedKmsKeySet",
    "attachmentSet",
    "bandwidthWeightings",
    "blockDeviceMapping",
    "cidrBlockAssociationSet",
    "disks",
    "ebsCardSet",
    "elasticGpuAssociationSet",
    "elasticInferenceAcceleratorAssociationSet",
    "fpgas",
    "geographySet",
    "gpus",
    "groupSet",
    "groups",
    "imageWatermarkSet",
    "imagesSet",
    "instanceTypeSet",
    "instancesSet",
    "interfaceTypeSet",
    "ipPermissions",
    "ipPermissionsEgress",
    "ipRanges",
    "ipv4PrefixSet",
    "ipv6AddressesSet",
    "ipv6CidrBlockAssociationSet",
    "ipv6PrefixSet",
    "ipv6Ranges",
    "licenseSet",
    "metricCategoryIdSet",
    "networkCards",
    "networkInterfaceSet",
    "neuronDevices",
    "prefixListIds",
    "privateIpAddressSet",
    "privateIpAddressesSet",
    "productCodes",
    "regionInfo",
    "reservationSet",
    "secondaryInterfaceSet",
    "securityGroupInfo",
    "snapshotSet",
    "subnetSet",
    "supportedArchitectures",
    "supportedBootModes",
    "supportedFeatures",
    "supportedInstanceTypeSet",
    "supportedRootDeviceTypes",
    "supportedStrategies",
    "supportedUsageClasses",
    "supportedVersions",
    "supportedVirtualizationTypes",
    "tagSet",
    "unsupportedInstanceTypeSet",
    "validCores",
    "validThreadsPerCore",
    "volumeSet",
    "vpcSet",
    "workloadSet",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::xml::read_whole;

    fn written(xml: &str, omit: &[&str]) -> Value {
        let tape = read_whole(xml).unwrap();
        serde_json::from_str(&object(tape.root().unwrap(), omit)).unwrap()
    }

    #[test]
    fn members_lists_and_texts_become_json() {
        let xml = "<item><instanceId>i-1</instanceId><tagSet><item><key>k</key></item></tagSet>\
            <groupSet><item><groupId>sg-2</groupId></item><item><groupId>sg-1</groupId></item></groupSet>\
            <productCodes/><placement><availabilityZone>a</availabilityZone></placement><reason/></item>";
        assert_eq!(
            written(xml, &["tagSet"]),
            json!({ "instanceId": "i-1", "groupSet": [{ "groupId": "sg-1" }, { "groupId": "sg-2" }],
                "productCodes": [], "placement": { "availabilityZone": "a" }, "reason": null })
        );
    }

    #[test]
    fn an_order_that_means_something_is_kept() {
        let xml = "<m><TerminationPolicies><member>OldestInstance</member><member>Default</member></TerminationPolicies></m>";
        assert_eq!(written(xml, &[]), json!({ "TerminationPolicies": ["OldestInstance", "Default"] }));
    }

    #[test]
    fn a_member_can_be_added() {
        let tape = read_whole("<item><a>1</a></item>").unwrap();
        let mut out = object(tape.root().unwrap(), &[]);
        add(&mut out, "reservation", tape.root().unwrap());
        assert_eq!(out, r#"{"a":"1","reservation":{"a":"1"}}"#);
        let mut out = object(tape.root().unwrap(), &["a"]);
        add(&mut out, "b", tape.root().unwrap());
        assert_eq!(out, r#"{"b":{"a":"1"}}"#);
    }

    #[test]
    fn the_table_can_be_searched() {
        assert!(LISTS.is_sorted());
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_writes_it(text in any::<String>()) {
            let mut out = String::new();
            string(&text, &mut out);
            prop_assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }
}
