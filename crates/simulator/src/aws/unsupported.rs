//! Parameters that AWS takes and the simulator does not simulate: whoever sends one is told, since an answer of success
//! would promise what was not done. Parameters that change nothing one could see (a description of how, a key's id) are
//! taken without effect.

use serde_json::Value;

use super::protocol::{Dialect, Refusal};

/// By service, the members of inputs that are refused.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "autoscaling",
        &[
            "ActivityIds",
            "AvailabilityZoneDistribution",
            "AvailabilityZoneIds",
            "AvailabilityZoneImpairmentPolicy",
            "CapacityReservationSpecification",
            "ClassicLinkVPCId",
            "ClassicLinkVPCSecurityGroups",
            "DeletionProtection",
            "DesiredCapacityType",
            "IncludeDeletedGroups",
            "InstanceLifecyclePolicy",
            "InstanceMaintenancePolicy",
            "KernelId",
            "LifecycleHookSpecificationList",
            "LoadBalancerNames",
            "MetadataOptions",
            "Operator",
            "PlacementGroup",
            "PlacementTenancy",
            "RamdiskId",
            "SpotPrice",
            "TrafficSources",
        ],
    ),
    ("ce", &["BillingViewArn", "SortBy"]),
    ("cloudwatch", &["IncludeLinkedAccounts", "OwningAccount"]),
    (
        "ec2",
        &[
            "Address",
            "AllAvailabilityZones",
            "AmazonProvidedIpv6CidrBlock",
            "AvailabilityZoneId",
            "BootModeOverride",
            "CapacityReservationSpecification",
            "CopyImageTags",
            "CreditSpecification",
            "CustomerOwnedIpv4Pool",
            "DeleteAssociatedSnapshots",
            "DestinationAvailabilityZone",
            "DestinationAvailabilityZoneId",
            "DestinationOutpostArn",
            "DisableApiStop",
            "ElasticGpuSpecification",
            "ElasticInferenceAccelerators",
            "EnablePrimaryIpv6",
            "EnclaveOptions",
            "ExecutableUsers",
            "Hibernate",
            "HibernationOptions",
            "IncludeUnsupportedInRegion",
            "InstanceInitiatedShutdownBehavior",
            "InstanceMarketOptions",
            "IpamPoolId",
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6AddressCount",
            "Ipv6Addresses",
            "Ipv6CidrBlock",
            "Ipv6CidrBlockNetworkBorderGroup",
            "Ipv6IpamPoolId",
            "Ipv6Native",
            "Ipv6NetmaskLength",
            "Ipv6Pool",
            "Kernel",
            "KernelId",
            "LaunchTemplate",
            "LicenseSpecifications",
            "Location",
            "MetadataOptions",
            "NetworkPerformanceOptions",
            "Operator",
            "OutpostArn",
            "PrivateDnsNameOptions",
            "Ramdisk",
            "RamdiskId",
            "RestorableByUserIds",
            "SecondaryInterfaces",
            "SecurityGroups",
            "SnapshotLocation",
            "SriovNetSupport",
            "VpcEncryptionControl",
            "ZoneIds",
        ],
    ),
    (
        "elasticloadbalancing",
        &[
            "AlpnPolicy",
            "CustomerOwnedIpv4Pool",
            "EnablePrefixForIpv6SourceNat",
            "IpamPools",
            "MutualAuthentication",
            "TargetControlPort",
        ],
    ),
    ("iam", &["PermissionsBoundary"]),
    (
        "rds",
        &[
            "AdditionalStorageVolumes",
            "AllowEngineModeChange",
            "AssociatedRoles",
            "AutomationMode",
            "AwsBackupRecoveryPointArn",
            "BacktrackWindow",
            "BackupTarget",
            "CharacterSetName",
            "ClusterScalabilityType",
            "CustomIamInstanceProfile",
            "DBCapacityReservationIdentifier",
            "DBClusterInstanceClass",
            "DBClusterParameterGroupName",
            "DBInstanceParameterGroupName",
            "DBParameterGroupName",
            "DBPortNumber",
            "DBSecurityGroups",
            "DBSubnetGroupName",
            "DBSystemId",
            "DatabaseInsightsMode",
            "DedicatedLogVolume",
            "DisableDomain",
            "Domain",
            "DomainAuthSecretArn",
            "DomainDnsIps",
            "DomainFqdn",
            "DomainIAMRoleName",
            "DomainOu",
            "EnableCustomerOwnedIp",
            "EnableGlobalWriteForwarding",
            "EnableHttpEndpoint",
            "EnableIAMDatabaseAuthentication",
            "EnableLimitlessDatabase",
            "EnableLocalWriteForwarding",
            "EnablePerformanceInsights",
            "EngineLifecycleSupport",
            "GlobalClusterIdentifier",
            "MasterUserAuthenticationType",
            "MonitoringRoleArn",
            "MultiTenant",
            "NcharCharacterSetName",
            "NetworkType",
            "NewDBClusterIdentifier",
            "NewDBInstanceIdentifier",
            "OptionGroupName",
            "PerformanceInsightsKMSKeyId",
            "PerformanceInsightsRetentionPeriod",
            "ProcessorFeatures",
            "RdsCustomClusterConfiguration",
            "ReplicaMode",
            "ReplicationSourceIdentifier",
            "ResumeFullAutomationModeMinutes",
            "ScalingConfiguration",
            "ServerlessV2ScalingConfiguration",
            "SourceDBClusterIdentifier",
            "SourceDBInstanceAutomatedBackupsArn",
            "SourceDbiResourceId",
            "TagSpecifications",
            "TdeCredentialArn",
            "TdeCredentialPassword",
            "Timezone",
            "UpgradeStorageConfig",
            "VpcSecurityGroupIds",
            "WithExpressConfiguration",
        ],
    ),
    ("route53", &["DelegationSetId"]),
    (
        "s3",
        &[
            "ACL",
            "BucketNamespace",
            "GrantFullControl",
            "GrantRead",
            "GrantReadACP",
            "GrantWrite",
            "GrantWriteACP",
            "IfMatchLastModifiedTime",
            "IfMatchSize",
            "IfModifiedSince",
            "IfUnmodifiedSince",
            "MFA",
            "ObjectLockEnabledForBucket",
            "ObjectLockEventHold",
            "ObjectLockEventHoldDurationDays",
            "ObjectLockEventHoldDurationYears",
            "ObjectLockLegalHoldStatus",
            "ObjectLockMode",
            "ObjectLockRetainUntilDate",
            "ObjectOwnership",
            "OptionalObjectAttributes",
            "PartNumber",
            "ResponseCacheControl",
            "ResponseContentDisposition",
            "ResponseContentEncoding",
            "ResponseContentLanguage",
            "ResponseContentType",
            "ResponseExpires",
            "SSECustomerAlgorithm",
            "SSECustomerKey",
            "SSECustomerKeyMD5",
            "SSEKMSKeyId",
            "VersionId",
            "WebsiteRedirectLocation",
            "WriteOffsetBytes",
        ],
    ),
    ("servicequotas", &["ContextId"]),
    (
        "sts",
        &[
            "Policy",
            "PolicyArns",
            "ProvidedContexts",
            "SerialNumber",
            "SourceIdentity",
            "TokenCode",
            "TransitiveTagKeys",
        ],
    ),
];

/// Refuses an input with a parameter that is not simulated.
pub fn check(service: &str, dialect: Dialect, input: &Value) -> Result<(), Refusal> {
    let refused = REFUSED.iter().find(|(name, _)| *name == service).map_or(&[][..], |(_, members)| members);
    let given = input.as_object().into_iter().flat_map(|members| members.keys());
    let Some(name) = given.into_iter().find(|name| refused.binary_search(&name.as_str()).is_ok()) else {
        return Ok(());
    };
    let message = format!("The parameter {name} is not supported by the simulator.");
    Err(match (dialect, service) {
        (Dialect::Ec2, _) => Refusal::new("UnsupportedOperation", message),
        (Dialect::RestXml, "s3") => Refusal::new("NotImplemented", message).status(501),
        (Dialect::RestXml, _) => Refusal::new("InvalidInput", message),
        (Dialect::Json, _) => Refusal::new("ValidationException", message).status(400),
        (Dialect::Query, "rds") => Refusal::new("InvalidParameterCombination", message).status(400),
        (Dialect::Query, _) => Refusal::new("ValidationError", message).status(400),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::service;

    #[test]
    fn what_is_refused_can_be_asked() {
        let services = service::all().unwrap();
        for (name, members) in REFUSED {
            let service = services.iter().find(|service| service.name == *name).unwrap();
            let inputs = service.schema.operations().filter_map(|one| service.schema.structure(one.input?));
            let inputs: Vec<_> = inputs.collect();
            for member in *members {
                assert!(inputs.iter().any(|input| input.member(member).is_some()), "{name}: {member}");
            }
            assert!(members.is_sorted(), "{name}");
        }
    }
}
