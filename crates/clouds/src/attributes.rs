//! What the normalised attributes of resources mean, the same for every vendor: printed in `docs/clouds.md`. An adapter
//! uses no others.

/// What an attribute means, the same for every vendor.
pub static MEANINGS: &[(&str, &str)] = &[
    ("architecture", "processor architecture, in the vendor's word"),
    ("backup_retention_days", "days that automatic backups are kept"),
    ("cidr", "address range"),
    ("default", "whether the vendor made it with the account"),
    ("deletion_protection", "whether it must be unprotected before it can be deleted"),
    ("description", "what people wrote about it"),
    ("desired_size", "instances wanted now"),
    ("egress_rules", "number of rules for outgoing traffic"),
    ("encrypted", "whether what it stores is encrypted"),
    (
        "encryption",
        "how it encrypts by default: `sse-s3`, `sse-kms`, `dsse-kms`, `sse-platform`, `other`, `none`",
    ),
    ("endpoint", "host to connect to"),
    ("engine", "database engine"),
    ("engine_mode", "`provisioned`, `serverless`, …"),
    ("engine_version", "version of the engine"),
    ("health_check", "whose word counts for the health of an instance"),
    ("health_check_path", "path of the health check"),
    ("health_check_protocol", "protocol of the health check"),
    ("ingress_rules", "number of rules for incoming traffic"),
    ("instances", "number of instances it has now"),
    ("iops", "provisioned operations a second"),
    ("ip_address_type", "`ipv4`, `dualstack`, …"),
    ("launched_at", "last start"),
    ("lifecycle", "`spot` or `scheduled`; absent for an ordinary instance"),
    ("max_size", "most instances"),
    ("memory_mib", "memory in MiB; absent if the vendor does not describe the type"),
    ("min_size", "fewest instances"),
    ("multi_zone", "whether it has a standby in another zone"),
    ("platform", "operating system and licence"),
    ("port", "port to connect to, or that traffic goes to"),
    ("private", "whether it is seen only from inside networks"),
    ("private_dns", "name inside the network"),
    ("private_ip", "address inside the network"),
    ("protocol", "protocol of the traffic"),
    ("public", "whether it can be seen or reached from outside"),
    ("public_dns", "name on the internet"),
    ("public_ip", "address on the internet"),
    ("public_ip_on_launch", "whether instances get a public address"),
    ("reader_endpoint", "host to read from"),
    ("records", "number of record sets"),
    ("scheme", "`internet-facing` or `internal`"),
    ("size_gib", "size in GiB"),
    ("storage_type", "kind of storage"),
    ("target_type", "what its targets are: `instance`, `ip`, `lambda`, `alb`"),
    ("targets", "number of targets"),
    ("tenancy", "whether the hardware is shared"),
    ("throughput_mib_per_second", "provisioned throughput in MiB/s"),
    ("unread", "what its own policy kept this account from reading"),
    ("vcpus", "virtual processors; absent if the vendor does not describe the type"),
    ("versioning", "`enabled`, `suspended`, `disabled`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_meaning() {
        assert!(MEANINGS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
