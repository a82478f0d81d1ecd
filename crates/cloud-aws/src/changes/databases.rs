//! Databases, their copies and replicas. RDS takes no tokens; but only one database of a region can have a name, and tags are
//! given in the call that makes it: so each of these calls may be repeated, and a name that is taken is ours if it carries the
//! token. Of a database that was made and deleted since RDS tells nothing, so a beginning after that makes it anew.
//!
//! The administrator's password is made by RDS and kept in Secrets Manager (`ManageMasterUserPassword`): it passes through no
//! hands of ours.

use marquee_clouds::{
    CloudError, ErrorKind, Observed, Progress, Retry, Ticket, Token,
    changes::spec::{DatabaseSpec, Named, RestoreSpec, RestoreToTimeSpec, Size, TagMap},
};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde::Deserialize;
use serde_json::Value;

use super::calls::{
    Calls, carries, conflict, done, extensions, invalid, marked, pairs, param, taken, unseen, working,
};
use crate::query::{Params, RDS};

const KIND: ResourceKind = ResourceKind::Database;
const COPY: ResourceKind = ResourceKind::DatabaseSnapshot;

/// What only AWS has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Extensions {
    /// The name of the first database in it.
    db_name: Option<String>,
    db_subnet_group_name: Option<String>,
    db_parameter_group_name: Option<String>,
    vpc_security_group_ids: Vec<String>,
    availability_zone: Option<String>,
    publicly_accessible: Option<bool>,
    deletion_protection: Option<bool>,
    storage_type: Option<String>,
    iops: Option<u32>,
    storage_throughput: Option<u32>,
    /// Storage is encrypted unless this says otherwise.
    storage_encrypted: Option<bool>,
    kms_key_id: Option<String>,
    port: Option<u16>,
}

/// Begins to make a database.
pub async fn create(calls: &Calls<'_>, spec: &DatabaseSpec, token: &Token) -> Result<Ticket, CloudError> {
    let own: Extensions = extensions(&spec.extensions)?;
    let mut params = vec![
        param("Engine", &spec.engine),
        param("DBInstanceClass", &spec.size),
        param("AllocatedStorage", spec.storage_gib.to_string()),
        param("MasterUsername", &spec.admin_name),
        param("ManageMasterUserPassword", "true"),
        param("MultiAZ", spec.multi_zone.to_string()),
        param("StorageEncrypted", own.storage_encrypted.unwrap_or(true).to_string()),
        param("StorageType", own.storage_type.as_deref().unwrap_or("gp3")),
        // Nobody is let in from the internet who was not meant to be.
        param("PubliclyAccessible", own.publicly_accessible.unwrap_or(false).to_string()),
    ];
    let number = |name: &str, value: Option<u32>| value.map(|value| param(name, value.to_string()));
    let text = |name: &str, value: &Option<String>| value.as_ref().map(|value| param(name, value));
    params.extend(text("EngineVersion", &spec.engine_version));
    params.extend(number("BackupRetentionPeriod", spec.backup_retention_days));
    params.extend(text("DBName", &own.db_name));
    params.extend(text("DBSubnetGroupName", &own.db_subnet_group_name));
    params.extend(text("DBParameterGroupName", &own.db_parameter_group_name));
    params.extend(text("AvailabilityZone", &own.availability_zone));
    params.extend(text("KmsKeyId", &own.kms_key_id));
    params.extend(number("Iops", own.iops));
    params.extend(number("StorageThroughput", own.storage_throughput));
    params.extend(number("Port", own.port.map(u32::from)));
    params.extend(own.deletion_protection.map(|on| param("DeletionProtection", on.to_string())));
    for (index, group) in own.vpc_security_group_ids.iter().enumerate() {
        let group = calls.id(ResourceKind::SecurityGroup, group)?;
        params.push(param(format!("VpcSecurityGroupIds.VpcSecurityGroupId.{}", index + 1), group));
    }
    make(calls, "CreateDBInstance", "DBInstanceIdentifier", (&spec.name, &spec.tags), params, token).await
}

/// Begins to make a database from a copy.
pub async fn restore(
    calls: &Calls<'_>,
    native_id: &str,
    spec: &RestoreSpec,
    token: &Token,
) -> Result<Ticket, CloudError> {
    if let Some(ticket) = begun(calls, &spec.name, token).await? {
        return Ok(ticket);
    }
    let mut params = vec![param("DBSnapshotIdentifier", calls.id(COPY, native_id)?)];
    let copy = calls.sight(COPY, native_id).await?;
    let from = copy.relations.iter().find(|relation| relation.kind == KIND);
    // The original may be gone: then there is nothing to be like.
    if let Some(from) = from
        && let Some(original) = calls.see(KIND, &from.target).await?
    {
        params.extend(surroundings(&original, true));
    }
    params.extend(spec.size.as_ref().map(|size| param("DBInstanceClass", size)));
    let named = (spec.name.as_str(), &spec.tags);
    make(calls, "RestoreDBInstanceFromDBSnapshot", "DBInstanceIdentifier", named, params, token).await
}

/// Begins to make a database as another was.
pub async fn restore_to_time(
    calls: &Calls<'_>,
    native_id: &str,
    spec: &RestoreToTimeSpec,
    token: &Token,
) -> Result<Ticket, CloudError> {
    if let Some(ticket) = begun(calls, &spec.name, token).await? {
        return Ok(ticket);
    }
    let time = spec.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let source = calls.id(KIND, native_id)?;
    let mut params = vec![param("SourceDBInstanceIdentifier", source), param("RestoreTime", time)];
    params.extend(surroundings(&calls.sight(KIND, native_id).await?, true));
    params.extend(spec.size.as_ref().map(|size| param("DBInstanceClass", size)));
    let named = (spec.name.as_str(), &spec.tags);
    make(calls, "RestoreDBInstanceToPointInTime", "TargetDBInstanceIdentifier", named, params, token).await
}

/// Begins to make a replica.
pub async fn replicate(
    calls: &Calls<'_>,
    native_id: &str,
    spec: &RestoreSpec,
    token: &Token,
) -> Result<Ticket, CloudError> {
    if let Some(ticket) = begun(calls, &spec.name, token).await? {
        return Ok(ticket);
    }
    let mut params = vec![param("SourceDBInstanceIdentifier", calls.id(KIND, native_id)?)];
    params.extend(surroundings(&calls.sight(KIND, native_id).await?, false));
    params.extend(spec.size.as_ref().map(|size| param("DBInstanceClass", size)));
    let named = (spec.name.as_str(), &spec.tags);
    make(calls, "CreateDBInstanceReadReplica", "DBInstanceIdentifier", named, params, token).await
}

/// Where a database lies and who reaches it: RDS puts what is restored into the account's default network, behind its default
/// group, unless it is told otherwise. A replica lies where its source does; it has only groups of its own.
fn surroundings(original: &Observed, restored: bool) -> Params {
    let raw = original.raw.to_value();
    let mut params = Params::new();
    let groups = raw["VpcSecurityGroups"].as_array().map_or(&[][..], Vec::as_slice);
    let groups = groups.iter().filter_map(|group| group["VpcSecurityGroupId"].as_str());
    for (index, group) in groups.enumerate() {
        params.push(param(format!("VpcSecurityGroupIds.VpcSecurityGroupId.{}", index + 1), group));
    }
    if let Some(public) = original.attributes.get("public").and_then(Value::as_bool) {
        params.push(param("PubliclyAccessible", public.to_string()));
    }
    if !restored {
        return params;
    }
    let subnets = raw["DBSubnetGroup"]["DBSubnetGroupName"].as_str();
    params.extend(subnets.filter(|name| *name != "default").map(|name| param("DBSubnetGroupName", name)));
    let settings = raw["DBParameterGroups"][0]["DBParameterGroupName"].as_str();
    let own = settings.filter(|name| !name.starts_with("default."));
    params.extend(own.map(|name| param("DBParameterGroupName", name)));
    params
}

/// Begins to copy a database.
pub async fn snapshot(
    calls: &Calls<'_>,
    native_id: &str,
    named: &Named,
    token: &Token,
) -> Result<Ticket, CloudError> {
    let params = vec![param("DBInstanceIdentifier", calls.id(KIND, native_id)?)];
    let named = (named.name.as_str(), &named.tags);
    make(calls, "CreateDBSnapshot", "DBSnapshotIdentifier", named, params, token).await
}

/// Makes a call that makes something of a name, which `param_of_name` takes.
async fn make(
    calls: &Calls<'_>,
    action: &'static str,
    param_of_name: &str,
    (name, tags): (&str, &TagMap),
    mut params: Params,
    token: &Token,
) -> Result<Ticket, CloudError> {
    if name.is_empty() {
        return Err(invalid("/name: it needs a name"));
    }
    let kind = if param_of_name.contains("Snapshot") { COPY } else { KIND };
    let arn = arn(calls, kind, name);
    if let Some(ticket) = whose(calls, kind, &arn, token).await? {
        return Ok(ticket);
    }
    params.push(param(param_of_name, name));
    params.extend(pairs("Tags.Tag", &marked(tags, None, token)?));
    match calls.ask(&RDS, action, params).await {
        Ok(_) => Ok(Ticket::of(arn)),
        Err(error) if error.code.as_deref().is_some_and(|code| code.contains("AlreadyExists")) => {
            whose(calls, kind, &arn, token).await?.ok_or_else(|| unseen(&format!("the name {name}")))
        }
        Err(error) => Err(error),
    }
}

/// RDS keeps names in small letters.
fn arn(calls: &Calls<'_>, kind: ResourceKind, name: &str) -> String {
    let noun = if kind == COPY { "snapshot" } else { "db" };
    calls.place().arn_with_colon("rds", noun, &name.to_lowercase())
}

/// A ticket if there is a thing of the name and it is this change's; an error if it is not.
async fn whose(
    calls: &Calls<'_>,
    kind: ResourceKind,
    arn: &str,
    token: &Token,
) -> Result<Option<Ticket>, CloudError> {
    match calls.see(kind, arn).await? {
        None => Ok(None),
        Some(found) if carries(&found, token) => Ok(Some(Ticket::of(arn))),
        Some(_) => Err(taken(arn)),
    }
}

/// A ticket if the database of a name is this change's already, whatever became of its original since.
async fn begun(calls: &Calls<'_>, name: &str, token: &Token) -> Result<Option<Ticket>, CloudError> {
    if name.is_empty() {
        return Err(invalid("/name: it needs a name"));
    }
    whose(calls, KIND, &arn(calls, KIND, name), token).await
}

/// What a token made under a name.
pub async fn made(
    calls: &Calls<'_>,
    kind: ResourceKind,
    name: &str,
    token: &Token,
) -> Result<Option<String>, CloudError> {
    if name.is_empty() {
        return Ok(None);
    }
    let arn = arn(calls, kind, name);
    let found = calls.see(kind, &arn).await?;
    let ours = found.filter(|found| carries(found, token) && found.state != ResourceState::Deleting);
    Ok(ours.map(|_| arn))
}

fn serves(found: &Observed) -> bool {
    matches!(found.state, ResourceState::Running | ResourceState::Available)
}

fn failed(found: &Observed) -> Progress {
    let said = found.native_state.as_deref().unwrap_or_default();
    Progress::Failed(conflict(format!("{}: RDS says {said}", found.native_id)))
}

/// Whether what was made can be used.
pub async fn look_made(
    calls: &Calls<'_>,
    kind: ResourceKind,
    native_id: &str,
) -> Result<Progress, CloudError> {
    let Some(found) = calls.see(kind, native_id).await? else { return Ok(working(None)) };
    Ok(match found.state {
        _ if serves(&found) => done(native_id),
        ResourceState::Failed | ResourceState::Deleting | ResourceState::Deleted => failed(&found),
        _ => working(Some(&found)),
    })
}

/// The size that is asked for and not there yet.
fn pending_size(found: &Observed) -> Option<String> {
    let raw = found.raw.to_value();
    raw["PendingModifiedValues"]["DBInstanceClass"].as_str().map(str::to_owned)
}

/// Begins to give a database another size, at once.
pub async fn resize(calls: &Calls<'_>, native_id: &str, to: &Size) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    let found = calls.sight(KIND, native_id).await?;
    let under_way = found.state == ResourceState::Updating && pending_size(&found).as_ref() == Some(&to.size);
    if found.size.as_ref() != Some(&to.size) && !under_way {
        let params = vec![
            param("DBInstanceIdentifier", id),
            param("DBInstanceClass", &to.size),
            param("ApplyImmediately", "true"),
        ];
        calls.ask(&RDS, "ModifyDBInstance", params).await?;
    }
    Ok(Ticket::of(native_id))
}

/// Whether a database has its size. One that serves in its old size and wants no other any more was not given it.
pub async fn look_resized(calls: &Calls<'_>, native_id: &str, to: &Size) -> Result<Progress, CloudError> {
    calls
        .turned(KIND, native_id, |found| {
            let has = found.size.as_ref() == Some(&to.size);
            match found.state {
                ResourceState::Failed | ResourceState::Deleting => Some(failed(found)),
                _ if has && pending_size(found).is_none() && !busy(found) => Some(done(native_id)),
                _ if !has && serves(found) && pending_size(found).is_none() => {
                    let message = format!("RDS gave {native_id} no size {}; its events say why", to.size);
                    Some(Progress::Failed(conflict(message)))
                }
                _ => None,
            }
        })
        .await
}

fn busy(found: &Observed) -> bool {
    !serves(found) && found.state != ResourceState::Stopped
}

/// Begins to start a database.
pub async fn start(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let there = |found: &Observed| serves(found) || found.native_state.as_deref() == Some("starting");
    tell(calls, "StartDBInstance", native_id, there).await
}

/// Begins to stop a database. AWS starts it by itself after a week.
pub async fn stop(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let there = |found: &Observed| matches!(found.state, ResourceState::Stopped | ResourceState::Stopping);
    tell(calls, "StopDBInstance", native_id, there).await
}

/// Begins to make a replica a database of its own.
pub async fn promote(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    tell(calls, "PromoteReadReplica", native_id, |found| !follows(found)).await
}

/// Makes a call that RDS refuses where it is not needed: not if a look says so.
async fn tell(
    calls: &Calls<'_>,
    action: &'static str,
    native_id: &str,
    there: impl Fn(&Observed) -> bool,
) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    let found = calls.sight(KIND, native_id).await?;
    if there(&found) {
        return Ok(Ticket::of(native_id));
    }
    match calls.ask(&RDS, action, vec![param("DBInstanceIdentifier", id)]).await {
        Ok(_) => Ok(Ticket::of(native_id)),
        // Something is under way, perhaps this: when it is over, it is as wanted, or can be told.
        Err(error) if error.kind == ErrorKind::Conflict => {
            let found = calls.sight(KIND, native_id).await?;
            if there(&found) {
                return Ok(Ticket::of(native_id));
            }
            let retry = if busy(&found) { Retry::Now } else { Retry::Never };
            Err(CloudError { retry, ..error })
        }
        Err(error) => Err(error),
    }
}

fn follows(found: &Observed) -> bool {
    found.relations.iter().any(|relation| relation.relation == Relation::ReplicaOf)
}

/// Whether a database serves.
pub async fn look_started(calls: &Calls<'_>, native_id: &str) -> Result<Progress, CloudError> {
    calls
        .turned(KIND, native_id, |found| match found.state {
            _ if serves(found) => Some(done(native_id)),
            ResourceState::Failed | ResourceState::Deleting => Some(failed(found)),
            _ => None,
        })
        .await
}

/// Whether a database stands still.
pub async fn look_stopped(calls: &Calls<'_>, native_id: &str) -> Result<Progress, CloudError> {
    calls
        .turned(KIND, native_id, |found| match found.state {
            ResourceState::Stopped => Some(done(native_id)),
            ResourceState::Failed | ResourceState::Deleting => Some(failed(found)),
            _ => None,
        })
        .await
}

/// Whether a database follows no other and serves.
pub async fn look_promoted(calls: &Calls<'_>, native_id: &str) -> Result<Progress, CloudError> {
    calls
        .turned(KIND, native_id, |found| match found.state {
            _ if serves(found) && !follows(found) => Some(done(native_id)),
            ResourceState::Failed | ResourceState::Deleting => Some(failed(found)),
            _ => None,
        })
        .await
}

/// Begins to delete a database, without a last copy: whoever wants one takes it before.
pub async fn delete(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let id = calls.id(KIND, native_id)?;
    let Some(found) = calls.see(KIND, native_id).await? else { return Ok(Ticket::of(native_id)) };
    if found.state == ResourceState::Deleting {
        return Ok(Ticket::of(native_id));
    }
    if found.attributes.get("deletion_protection") == Some(&true.into()) {
        return Err(conflict(format!("{native_id} is protected from deletion")));
    }
    let params = vec![param("DBInstanceIdentifier", id), param("SkipFinalSnapshot", "true")];
    forgive(calls.ask(&RDS, "DeleteDBInstance", params).await.map(drop), native_id)
}

/// Deletes a copy; one that is gone is deleted.
pub async fn delete_snapshot(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let params = vec![param("DBSnapshotIdentifier", calls.id(COPY, native_id)?)];
    forgive(calls.ask(&RDS, "DeleteDBSnapshot", params).await.map(drop), native_id)
}

fn forgive(answer: Result<(), CloudError>, native_id: &str) -> Result<Ticket, CloudError> {
    match answer {
        Err(error) if error.kind != ErrorKind::NotFound => Err(error),
        _ => Ok(Ticket::of(native_id)),
    }
}
