//! Which of Hetzner's members each normalised attribute comes from: printed in `docs/hetzner.md`, and held against what
//! the normalisers in fact do by a test.

use marquee_types::ResourceKind::{
    self, ComputeInstance, Disk, Image, LoadBalancer, Network, PublicIp, SecurityGroup, Snapshot, Subnet,
};

const PROTECTED: (&str, &str) = ("deletion_protection", "protection.delete");

/// By kind, each attribute and the member it comes from.
pub static ATTRIBUTES: &[(ResourceKind, &[(&str, &str)])] = &[
    (
        ComputeInstance,
        &[
            ("architecture", "server_type.architecture"),
            PROTECTED,
            ("memory_mib", "server_type.memory"),
            ("platform", "image.os_flavor"),
            ("private_ip", "private_net: ip of the first"),
            ("public_dns", "public_net.ipv4.dns_ptr"),
            ("public_ip", "public_net.ipv4.ip"),
            ("tenancy", "server_type.cpu_type"),
            ("vcpus", "server_type.cores"),
        ],
    ),
    (Disk, &[PROTECTED, ("size_gib", "size")]),
    (
        Snapshot,
        &[
            ("architecture", "architecture"),
            PROTECTED,
            ("description", "description"),
            ("size_gib", "disk_size"),
        ],
    ),
    (Network, &[("cidr", "ip_range"), PROTECTED]),
    (Subnet, &[("cidr", "ip_range")]),
    (
        SecurityGroup,
        &[
            ("egress_rules", "count of rules, if direction is out"),
            ("ingress_rules", "count of rules, if direction is in"),
        ],
    ),
    (
        PublicIp,
        &[
            PROTECTED,
            ("description", "description"),
            ("ip_address_type", "type"),
            ("public_dns", "dns_ptr: the first"),
            ("public_ip", "ip"),
        ],
    ),
    (
        LoadBalancer,
        &[
            PROTECTED,
            ("private_ip", "private_net: ip of the first"),
            ("public_dns", "public_net.ipv4.dns_ptr"),
            ("public_ip", "public_net.ipv4.ip, if it is enabled"),
            ("scheme", "public_net.enabled"),
            ("targets", "count of targets, and of what labels select"),
        ],
    ),
];

/// Relations by the kind that has them, and where each comes from.
pub static RELATIONS: &[(ResourceKind, &str, ResourceKind, &str)] = &[
    (ComputeInstance, "member_of", Network, "private_net: network"),
    (ComputeInstance, "protected_by", SecurityGroup, "public_net.firewalls"),
    (ComputeInstance, "created_from", Image, "image, if it is Hetzner's"),
    (ComputeInstance, "created_from", Snapshot, "image, if it is the project's"),
    (Disk, "attached_to", ComputeInstance, "server"),
    (Snapshot, "created_from", ComputeInstance, "created_from"),
    (Subnet, "member_of", Network, "the network that lists it"),
    (PublicIp, "attached_to", ComputeInstance, "assignee_id, of a floating address server"),
    (LoadBalancer, "member_of", Network, "private_net: network"),
    (LoadBalancer, "routes_to", ComputeInstance, "targets: server"),
];
