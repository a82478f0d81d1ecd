//! Databases, their replicas and snapshots, and buckets.

use chrono::TimeDelta;
use serde_json::json;

use super::Plot;
use crate::{
    aws::{rds, s3},
    estate::{Estate, Meter},
    world::GrowError,
};

impl Plot<'_> {
    pub(super) fn database(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let group = self.bed.group;
        let engine = if group.engine.is_empty() { "postgres" } else { &group.engine };
        let mut input = json!({
            "DBInstanceIdentifier": self.name, "DBInstanceClass": group.size, "Engine": engine,
            "AllocatedStorage": group.gib.max(20), "MasterUsername": "marquee", "MasterUserPassword": "from-the-world-file",
            "BackupRetentionPeriod": 7, "MultiAZ": group.multi_zone, "StorageEncrypted": true, "Tags": self.tag_list(),
        });
        if !group.version.is_empty() {
            input["EngineVersion"] = group.version.as_str().into();
        }
        self.run(estate, rds::create_instance, "rds:CreateDBInstance", &input)?;
        self.adorn(estate, rds::INSTANCES, &self.region.id, &self.name.to_lowercase());
        Ok(())
    }

    pub(super) fn replica(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let source = self.other(estate, rds::INSTANCES);
        let source = source.ok_or_else(|| GrowError("a replica needs the databases of `of`".to_owned()))?;
        let later = (source.born + TimeDelta::hours(1) - self.born).max(TimeDelta::zero());
        let mut input = json!({
            "DBInstanceIdentifier": self.name, "SourceDBInstanceIdentifier": source.id, "Tags": self.tag_list(),
        });
        if !self.bed.group.size.is_empty() {
            input["DBInstanceClass"] = self.bed.group.size.as_str().into();
        }
        self.run_later(estate, rds::create_replica, "rds:CreateDBInstanceReadReplica", &input, later)?;
        self.adorn(estate, rds::INSTANCES, &self.region.id, &self.name.to_lowercase());
        Ok(())
    }

    pub(super) fn database_snapshot(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let source = self.other(estate, rds::INSTANCES);
        let source = source.ok_or_else(|| GrowError("a snapshot needs the databases of `of`".to_owned()))?;
        let later = (source.born + TimeDelta::hours(1) - self.born).max(TimeDelta::zero());
        let input = json!({
            "DBInstanceIdentifier": source.id, "DBSnapshotIdentifier": self.name, "Tags": self.tag_list(),
        });
        self.run_later(estate, rds::create_snapshot, "rds:CreateDBSnapshot", &input, later)?;
        Ok(())
    }

    pub(super) fn bucket(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let mut input = json!({ "Bucket": self.name });
        if &*self.region.id != "us-east-1" {
            input["CreateBucketConfiguration"] = json!({ "LocationConstraint": self.region.id });
        }
        self.run(estate, s3::create_bucket, "s3:CreateBucket", &input)?;
        self.adorn(estate, s3::BUCKETS, s3::GLOBAL, &self.name);
        let account = &self.bed.account.id;
        if let Some(bucket) =
            estate.get_mut(account, s3::BUCKETS, s3::GLOBAL, &self.name, self.bed.world.entered())
        {
            #[expect(clippy::cast_precision_loss, reason = "a size in GiB")]
            bucket.meter(self.born, [Meter::new("bucket/standard", self.bed.group.gib as f64)]);
        }
        Ok(())
    }
}
