//! What an account may not do, and roles.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;

use marquee_clouds::{
    Connection, Connector as _, ErrorKind, PermissionStatus, Scope, ServerRules,
    conformance::Collected,
    objects::{Bucket, Condition, Get, Put},
};
use marquee_types::Clock;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    bed::{self, Account},
    front::{Front, Verdict},
};

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
async fn a_missing_permission_of_objects_costs_the_one_verb() {
    let account = bed::claim();
    let create = r#"client("s3").create_bucket(Bucket="anchors-of-one", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})"#;
    bed::python(&account, REGION, create);
    let bucket = Bucket {
        native_id: "arn:aws:s3:::anchors-of-one".to_owned(),
        region: REGION.to_owned(),
        container: None,
    };
    let owner = bed::connect(&account, &bed::moto(), &[REGION]);
    let etag = owner.objects().unwrap().put(&bucket, "x", &Put::new("kept")).await.unwrap();
    let auditor = bed::connect(&user_without(&account, "s3:PutObject"), &bed::moto(), &[REGION]);
    let objects = auditor.objects().unwrap();
    let only_if = Condition::Matches(etag);
    let error = objects.put(&bucket, "x", &Put { only_if, ..Put::new("changed") }).await.unwrap_err();
    assert_eq!((error.kind, error.retry_helps()), (ErrorKind::PermissionDenied, false), "{error}");
    assert_eq!(objects.get(&bucket, "x", &Get::default()).await.unwrap().unwrap().bytes, "kept");
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

/// Makes roles that the account's owner may assume: one with the tests' external id, one with another.
fn make_roles(account: &Account) -> Value {
    bed::python(
        account,
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
    json!({ "type": "static", "access_key_id": account.key_id, "secret_access_key": account.secret })
}

#[tokio::test]
async fn a_role_is_assumed_with_the_external_id_and_only_with_it() {
    let account = bed::claim();
    let source = make_roles(&account);
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

#[tokio::test]
async fn a_role_is_assumed_once_until_its_keys_run_out_or_are_refused() {
    let account = bed::claim();
    let source = make_roles(&account);
    let assumed = Arc::new(AtomicUsize::new(0));
    let refuse = Arc::new(AtomicBool::new(false));
    let (count, refusing) = (Arc::clone(&assumed), Arc::clone(&refuse));
    let front = Front::before(&bed::moto(), move |seen| match seen.action.as_str() {
        "AssumeRole" => {
            count.fetch_add(1, Ordering::SeqCst);
            Verdict::Pass
        }
        "DescribeRegions" if refusing.swap(false, Ordering::SeqCst) => Verdict::Answer(
            403,
            "<Response><Errors><Error><Code>ExpiredToken</Code><Message>revoked</Message></Error></Errors></Response>".into(),
        ),
        _ => Verdict::Pass,
    })
    .await;
    let clock = Clock::manual(Clock::system().now());
    let mut connection = role(&account, "ours", source);
    connection.settings["endpoint_url"] = json!(front.url);
    let cloud = bed::connector_at(clock.clone(), bed::policy()).connect(&connection, &bed::rules()).unwrap();
    let assumptions = || assumed.load(Ordering::SeqCst);

    let all = (0..8).map(|_| cloud.regions());
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(assumptions(), 1, "callers that come together wait for one assumption");
    refuse.store(true, Ordering::SeqCst);
    assert_eq!(cloud.regions().await.unwrap_err().kind, ErrorKind::Unauthenticated);
    cloud.regions().await.unwrap();
    assert_eq!(assumptions(), 2, "keys that were refused are not used again");
    clock.advance(TimeDelta::minutes(50));
    cloud.regions().await.unwrap();
    assert_eq!(assumptions(), 2, "an hour's keys are good after fifty minutes");
    clock.advance(TimeDelta::minutes(6));
    cloud.regions().await.unwrap();
    assert_eq!(assumptions(), 3, "and renewed before they end");
}

/// What the surroundings provide is read from this process's environment, which no test may change: so the test runs
/// itself again as a child with an environment of its own.
#[tokio::test]
async fn surroundings_and_profiles_provide_credentials() {
    let account = bed::shared();
    let home = tempfile::tempdir().unwrap();
    let files = format!(
        "[season]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        account.key_id, account.secret
    );
    std::fs::write(home.path().join("credentials"), files).unwrap();
    let empty = home.path().join("config");
    std::fs::write(&empty, "").unwrap();
    for (kind, keys) in [("ambient", true), ("profile", false), ("nothing", false)] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "permissions::child_with_an_environment", "--ignored", "--nocapture"]);
        child
            .env_clear()
            .env("KIND", kind)
            .env("ENDPOINT", bed::moto())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        child.env("HOME", home.path()).env("AWS_CONFIG_FILE", &empty);
        child.env("AWS_SHARED_CREDENTIALS_FILE", home.path().join("credentials"));
        if keys {
            child.env("AWS_ACCESS_KEY_ID", &account.key_id).env("AWS_SECRET_ACCESS_KEY", &account.secret);
        }
        let output = child.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{kind}: {told}{}", String::from_utf8_lossy(&output.stderr));
        let wanted = if kind == "nothing" { "unauthenticated".to_owned() } else { account.id.clone() };
        assert!(told.contains(&format!("FOUND {wanted}")), "{kind}: {told}");
    }
}

#[tokio::test]
#[ignore = "runs as a child of surroundings_and_profiles_provide_credentials"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "this is how it is asked, and how it answers"
)]
async fn child_with_an_environment() {
    let (kind, endpoint) = (std::env::var("KIND").unwrap(), std::env::var("ENDPOINT").unwrap());
    let credentials = match kind.as_str() {
        "profile" => json!({ "type": "profile", "name": "season" }),
        _ => json!({ "type": "ambient" }),
    };
    let connection = Connection {
        credentials: SecretString::from(credentials.to_string()),
        settings: json!({ "regions": [REGION], "endpoint_url": endpoint }),
        external_id: String::new(),
    };
    let rules = ServerRules { allow_ambient_credentials: true, ..bed::rules() };
    let cloud = bed::connector(bed::policy()).connect(&connection, &rules).unwrap();
    match cloud.identity().await {
        Ok(identity) => println!("FOUND {}", identity.account),
        Err(error) => println!("FOUND {} {error:?}", error.kind.as_str()),
    }
}
