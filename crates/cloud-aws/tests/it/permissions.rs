//! What an account may not do, and roles.

use std::{collections::BTreeSet, time::Duration};

use marquee_clouds::{
    Connection, Connector as _, ErrorKind, PermissionStatus, Scope, ServerRules, conformance::Collected,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::bed::{self, Account};

const REGION: &str = "eu-west-1";

/// A user of the account with all rights but `denied`.
fn user_without(account: &Account, denied: &str) -> Account {
    let code = format!(
        r#"
iam = client("iam")
iam.create_user(UserName="auditor")
policy = {{"Version": "2012-10-17", "Statement": [
    {{"Effect": "Allow", "Action": "*", "Resource": "*"}}, {{"Effect": "Deny", "Action": {denied:?}, "Resource": "*"}}]}}
iam.put_user_policy(UserName="auditor", PolicyName="most", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="auditor")["AccessKey"]
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))"#
    );
    let [key_id, secret]: [String; 2] = serde_json::from_slice(&bed::python(account, REGION, &code)).unwrap();
    Account { id: account.id.clone(), key_id, secret }
}

#[tokio::test]
async fn a_missing_permission_costs_its_scopes_only_and_is_named() {
    let auditor = user_without(&bed::claim(), "rds:Describe*");
    let cloud = bed::connect(&auditor, &bed::moto(), &[REGION]);
    let inventory = cloud.inventory().unwrap();
    let mut denied = BTreeSet::new();
    for scope in inventory.scopes(&[REGION.to_owned()]).await.unwrap() {
        match inventory.list(&scope, &mut Collected::default()).await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::PermissionDenied, "{}: {error}", scope.service);
                assert!(!error.retry_helps());
                denied.insert(scope.service);
            }
        }
    }
    assert_eq!(denied, ["rds/instances", "rds/clusters", "rds/snapshots"].map(str::to_owned).into());

    let test = cloud.test(Duration::from_mins(1)).await;
    let missing: BTreeSet<_> = test
        .permissions
        .iter()
        .filter(|found| found.status == PermissionStatus::Missing)
        .map(|found| (found.permission, found.feature))
        .collect();
    let expected = [
        ("rds:DescribeDBInstances", "inventory of databases"),
        ("rds:DescribeDBClusters", "inventory of database clusters"),
        ("rds:DescribeDBSnapshots", "inventory of database snapshots"),
        ("rds:DescribeDBClusterSnapshots", "inventory of snapshots of database clusters"),
    ];
    assert_eq!(missing, expected.into());
    assert!(test.identity.unwrap().principal.ends_with("user/auditor"));
}

#[tokio::test]
async fn without_the_facts_of_instance_types_they_are_absent_and_not_guessed() {
    let account = bed::claim();
    bed::python(
        &account,
        REGION,
        r#"
ec2 = client("ec2")
image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
ec2.run_instances(ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1)"#,
    );
    let cloud = bed::connect(&user_without(&account, "ec2:DescribeInstanceTypes"), &bed::moto(), &[REGION]);
    let scope = Scope { service: "ec2/instances".into(), region: REGION.into(), kinds: Vec::new() };
    let mut collected = Collected::default();
    cloud.inventory().unwrap().list(&scope, &mut collected).await.unwrap();
    let attributes = &collected.resources[0].attributes;
    assert!(!attributes.contains_key("vcpus") && !attributes.contains_key("memory_mib"), "{attributes:?}");
}

/// A connection that becomes a role.
fn role(account: &Account, name: &str, source: Value) -> Connection {
    let mut credentials = json!({ "type": "assume_role", "session_name": "marquee-test",
        "role_arn": format!("arn:aws:iam::{}:role/{name}", account.id) });
    credentials["source"] = source;
    Connection {
        credentials: SecretString::from(credentials.to_string()),
        ..bed::connection(account, &bed::moto(), &[REGION])
    }
}

#[tokio::test]
async fn a_role_is_assumed_with_the_external_id_and_only_with_it() {
    let account = bed::claim();
    bed::python(
        &account,
        REGION,
        r#"
iam = client("iam")
account = client("sts").get_caller_identity()["Account"]
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
for name, external_id in (("ours", "mq-test-external-id"), ("theirs", "someone-elses")):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{account}:user/owner"},
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}}}]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))"#,
    );
    let source =
        json!({ "type": "static", "access_key_id": account.key_id, "secret_access_key": account.secret });
    let connector = bed::connector(bed::policy());

    let ours = connector.connect(&role(&account, "ours", source.clone()), &bed::rules()).unwrap();
    let identity = ours.identity().await.unwrap();
    assert!(identity.principal.ends_with("assumed-role/ours/marquee-test"), "{}", identity.principal);
    let scope = Scope { service: "ec2/vpcs".into(), region: REGION.into(), kinds: Vec::new() };
    let mut collected = Collected::default();
    ours.inventory().unwrap().list(&scope, &mut collected).await.unwrap();
    assert_eq!(collected.resources.len(), 1, "the default network");

    let theirs = connector.connect(&role(&account, "theirs", source), &bed::rules()).unwrap();
    let error = theirs.identity().await.unwrap_err();
    assert_eq!((error.kind, &*error.operation), (ErrorKind::PermissionDenied, "sts:AssumeRole"), "{error}");
}

#[tokio::test]
async fn the_servers_own_identity_is_used_only_where_it_may_be() {
    let account = bed::shared();
    let connector = bed::connector(bed::policy());
    let own = role(&account, "any", Value::Null);
    let refused = connector.connect(&own, &bed::rules()).err().unwrap();
    assert_eq!(refused.0[0].pointer, "/credentials/source");
    let open = ServerRules { allow_ambient_credentials: true, ..bed::rules() };
    connector.connect(&own, &open).unwrap();
}
