//! What can be changed at AWS, and what each change disturbs, with the page of AWS's documentation that says so.

use marquee_clouds::{Ability, ActionName, Disturbance};

use ActionName as A;
use Disturbance::{DataLoss, None as Nothing, Outage, Restart};

/// What this adapter does.
pub const ABILITIES: &[Ability] = &[
    can(
        A::CreateInstance,
        Nothing,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html",
    ),
    can(
        A::StartInstance,
        Nothing,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html",
    ),
    can(
        A::StopInstance,
        Outage,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html",
    ),
    can(
        A::RebootInstance,
        Restart,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RebootInstances.html",
    ),
    Ability {
        action: A::ResizeInstance,
        disturbs: Nothing,
        needs_stopped: true,
        source: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/change-instance-type-of-ebs-backed-instance.html",
    },
    can(
        A::TerminateInstance,
        DataLoss,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html",
    ),
    can(
        A::CreateImage,
        Nothing,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html",
    ),
    can(
        A::DeleteImage,
        DataLoss,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html",
    ),
    can(
        A::CreateDisk,
        Nothing,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html",
    ),
    can(
        A::AttachDisk,
        Nothing,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html",
    ),
    can(
        A::DetachDisk,
        Outage,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachVolume.html",
    ),
    can(A::GrowDisk, Nothing, "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html"),
    can(
        A::SnapshotDisk,
        Nothing,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshot.html",
    ),
    can(
        A::DeleteDisk,
        DataLoss,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVolume.html",
    ),
    can(
        A::DeleteSnapshot,
        DataLoss,
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSnapshot.html",
    ),
    can(
        A::CreateDatabase,
        Nothing,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
    ),
    can(
        A::ResizeDatabase,
        Restart,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html",
    ),
    can(
        A::StartDatabase,
        Nothing,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html",
    ),
    can(
        A::StopDatabase,
        Outage,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StopDBInstance.html",
    ),
    can(
        A::SnapshotDatabase,
        Nothing,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html",
    ),
    can(
        A::RestoreSnapshot,
        Nothing,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html",
    ),
    can(
        A::RestoreToTime,
        Nothing,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html",
    ),
    can(
        A::CreateReplica,
        Nothing,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html",
    ),
    can(
        A::PromoteReplica,
        Restart,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_PromoteReadReplica.html",
    ),
    can(
        A::DeleteDatabase,
        DataLoss,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html",
    ),
    can(
        A::DeleteDatabaseSnapshot,
        DataLoss,
        "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html",
    ),
    can(A::CreateBucket, Nothing, "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"),
    can(
        A::SetVersioning,
        Nothing,
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html",
    ),
    // Objects that are old enough go within a day.
    can(
        A::SetLifecycle,
        DataLoss,
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html",
    ),
    can(
        A::SetEncryption,
        Nothing,
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html",
    ),
    can(
        A::SetPublicAccess,
        Nothing,
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html",
    ),
    can(A::DeleteBucket, Nothing, "https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html"),
    can(
        A::CreateScalingGroup,
        Nothing,
        "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html",
    ),
    can(
        A::SetScale,
        Nothing,
        "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html",
    ),
    can(
        A::DeleteScalingGroup,
        DataLoss,
        "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html",
    ),
    can(
        A::RegisterTarget,
        Nothing,
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html",
    ),
    can(
        A::DeregisterTarget,
        Nothing,
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html",
    ),
    can(
        A::SetRecords,
        Nothing,
        "https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html",
    ),
    can(
        A::RemoveRecords,
        Nothing,
        "https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html",
    ),
    can(A::SetTags, Nothing, "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html"),
];

const fn can(action: A, disturbs: Disturbance, source: &'static str) -> Ability {
    Ability { action, disturbs, needs_stopped: false, source }
}
