//! The policy that Marquee asks for is enough, and none of it can be left out: moto enforces it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use marquee_cloud_aws::permissions::CAPABILITIES;
use marquee_clouds::{
    Cloud, Connector as _, PermissionStatus, PolicyRequest,
    rights::{Baseline, table},
};
use serde_json::{Value, json};

use crate::{
    bed::{self, Account},
    simulated,
};

const REGION: &str = "eu-west-1";

/// So many users are tried at the same time.
const AT_ONCE: usize = 8;

/// What does not work without an action.
const BREAKS: &[(&str, &[&str])] = &[
    ("autoscaling:DescribeAutoScalingGroups", &["list autoscaling/groups", "look up autoscaling/groups"]),
    ("ec2:DescribeAddresses", &["list ec2/addresses", "look up ec2/addresses"]),
    ("ec2:DescribeImages", &["list ec2/images", "look up ec2/images"]),
    ("ec2:DescribeInstanceTypes", &["list ec2/instances", "look up ec2/instances"]),
    ("ec2:DescribeInstances", &["list ec2/instances", "look up ec2/instances"]),
    ("ec2:DescribeRegions", &["regions"]),
    ("ec2:DescribeSecurityGroups", &["list ec2/security-groups", "look up ec2/security-groups"]),
    ("ec2:DescribeSnapshots", &["list ec2/snapshots", "look up ec2/snapshots"]),
    ("ec2:DescribeSubnets", &["list ec2/subnets", "look up ec2/subnets"]),
    ("ec2:DescribeVolumes", &["list ec2/volumes", "look up ec2/volumes"]),
    ("ec2:DescribeVpcs", &["list ec2/vpcs", "look up ec2/vpcs"]),
    (
        "elasticloadbalancing:DescribeLoadBalancers",
        &["list elbv2/load-balancers", "look up elbv2/load-balancers"],
    ),
    (
        "elasticloadbalancing:DescribeTags",
        &[
            "list elbv2/load-balancers",
            "list elbv2/target-groups",
            "look up elbv2/load-balancers",
            "look up elbv2/target-groups",
        ],
    ),
    (
        "elasticloadbalancing:DescribeTargetGroups",
        &[
            "list elbv2/load-balancers",
            "list elbv2/target-groups",
            "look up elbv2/load-balancers",
            "look up elbv2/target-groups",
        ],
    ),
    (
        "elasticloadbalancing:DescribeTargetHealth",
        &["list elbv2/target-groups", "look up elbv2/target-groups"],
    ),
    ("iam:ListAccountAliases", &["identity"]),
    ("rds:DescribeDBClusterSnapshots", &["list rds/snapshots", "look up rds/snapshots"]),
    ("rds:DescribeDBClusters", &["list rds/clusters", "look up rds/clusters"]),
    ("rds:DescribeDBInstances", &["list rds/instances", "look up rds/instances"]),
    ("rds:DescribeDBSnapshots", &["list rds/snapshots", "look up rds/snapshots"]),
    ("route53:GetHostedZone", &["list route53/zones", "look up route53/zones"]),
    ("route53:ListHostedZones", &["list route53/zones"]),
    ("route53:ListTagsForResources", &["list route53/zones", "look up route53/zones"]),
    ("s3:GetBucketLocation", &["list s3/buckets", "look up s3/buckets"]),
    ("s3:GetBucketTagging", &["list s3/buckets", "look up s3/buckets"]),
    ("s3:GetBucketVersioning", &["list s3/buckets", "look up s3/buckets"]),
    ("s3:GetEncryptionConfiguration", &["list s3/buckets", "look up s3/buckets"]),
    ("s3:ListAllMyBuckets", &["list s3/buckets", "look up s3/buckets"]),
];

/// Actions that moto asks for under another name than AWS, and where that is seen.
const ASKED_OTHERWISE: &[(&str, &str, &str)] =
    &[("s3:GetEncryptionConfiguration", "s3:ListBucket", "list s3/buckets")];

/// The policy as it is handed out.
fn policy() -> Value {
    let connector = bed::connector(bed::policy());
    let groups = connector.permission_groups().into_iter().take(1).collect();
    let request = PolicyRequest { groups, ..PolicyRequest::default() };
    serde_json::from_str(&connector.policy(&request).unwrap().document).unwrap()
}

/// The policy in moto's spelling.
fn as_moto_asks(policy: &Value) -> Value {
    let text =
        ASKED_OTHERWISE.iter().fold(policy.to_string(), |text, (aws, moto, _)| text.replace(aws, moto));
    serde_json::from_str(&text).unwrap()
}

/// The policy without an action; a statement that is left with none goes too, as AWS takes no empty ones.
fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut() {
        statement["Action"].as_array_mut().unwrap().retain(|one| one != action);
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

/// An account with something of everything in it, and an alias.
fn account() -> Account {
    let account = bed::claim();
    bed::make(&account, &[REGION], 1, &account.id);
    bed::python(
        &account,
        REGION,
        &format!("client('iam').create_account_alias(AccountAlias='venue-{}')", account.id),
    );
    account
}

/// What the account's owner gets.
async fn baseline(account: &Account) -> Baseline {
    Baseline::of(&*bed::connect(account, &bed::moto(), &[REGION]), &[REGION.to_owned()]).await
}

/// A user for each policy.
fn users(account: &Account, policies: &[Value]) -> Vec<Account> {
    let code = format!(
        r#"
iam = client("iam")
keys = []
for n, policy in enumerate(json.loads({:?})):
    name = f"limited-{{n}}"
    iam.create_user(UserName=name)
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys.append([key["AccessKeyId"], key["SecretAccessKey"]])
print(json.dumps(keys))"#,
        json!(policies).to_string()
    );
    let keys: Vec<[String; 2]> = serde_json::from_slice(&bed::python(account, REGION, &code)).unwrap();
    keys.into_iter().map(|[key_id, secret]| Account { id: account.id.clone(), key_id, secret }).collect()
}

/// The actions that a test of the connection finds to be as `status` says.
async fn tested(cloud: &dyn Cloud, status: PermissionStatus) -> BTreeSet<&'static str> {
    let test = cloud.test(std::time::Duration::from_mins(1)).await;
    test.permissions.iter().filter(|found| found.status == status).map(|found| found.permission).collect()
}

#[tokio::test]
async fn the_policy_is_enough() {
    let account = account();
    let baseline = baseline(&account).await;
    let user = users(&account, &[as_moto_asks(&policy())]).remove(0);
    let limited = bed::connect(&user, &bed::moto(), &[REGION]);
    assert_eq!(baseline.broken(&*limited, |_| true).await, BTreeSet::new());
    let all: BTreeSet<_> = CAPABILITIES.permissions.iter().map(|need| need.permission).collect();
    assert_eq!(tested(&*limited, PermissionStatus::Granted).await, all);
}

/// What is broken without an action, held against the table but for what is `unseen`.
fn settle(found: &BTreeMap<&str, BTreeSet<String>>, unseen: &[(&str, &str)]) {
    let mut wanted: BTreeMap<&str, BTreeSet<String>> = table(BREAKS);
    for (action, feature) in unseen {
        assert!(wanted.get_mut(action).unwrap().remove(*feature), "{action}: {feature}");
    }
    assert_eq!(found, &wanted);
}

#[tokio::test]
async fn without_any_one_action_its_features_break() {
    let account = account();
    let baseline = baseline(&account).await;
    let actions: Vec<&str> = CAPABILITIES.permissions.iter().map(|need| need.permission).collect();
    let policies: Vec<Value> =
        actions.iter().map(|action| as_moto_asks(&without(&policy(), action))).collect();
    let tried = actions.iter().zip(users(&account, &policies)).map(|(action, user)| {
        let baseline = &baseline;
        async move {
            let limited = bed::connect(&user, &bed::moto(), &[REGION]);
            // moto takes its time: the test of the connection, and what has nothing to do with an action, are tried
            // against the simulator.
            let (_, concerned) = BREAKS.iter().find(|(known, _)| known == action).unwrap();
            (*action, baseline.broken(&*limited, |name| concerned.contains(&name)).await)
        }
    });
    settle(&stream::iter(tried).buffer_unordered(AT_ONCE).collect().await, &[]);
}

/// What the simulator's world does not show: it has no clusters of databases and no private zones, and its list of buckets
/// says where each is.
const UNSEEN: &[(&str, &str)] = &[
    ("rds:DescribeDBClusterSnapshots", "look up rds/snapshots"),
    ("rds:DescribeDBClusters", "look up rds/clusters"),
    ("route53:GetHostedZone", "list route53/zones"),
    ("s3:GetBucketLocation", "list s3/buckets"),
    ("s3:GetBucketLocation", "look up s3/buckets"),
];

/// The simulator knows all of AWS's own names, and is quick enough to try everything without each action.
#[tokio::test]
async fn without_any_one_action_nothing_else_breaks_and_the_test_names_it() {
    let simulator = simulated::simulator().await;
    let regions = simulated::REGIONS.map(str::to_owned);
    let baseline = Baseline::of(&*simulated::cloud(&simulator, None), &regions).await;
    let deny = |denied: Value| {
        simulator.world().faults.clear();
        simulated::fault(&simulator, denied);
        // What another cloud of the connection has learned is not known to this one.
        simulated::cloud(&simulator, None)
    };
    let all = CAPABILITIES.permissions.iter().map(|need| need.permission);
    let limited = deny(json!({ "kind": "denied", "except": all.clone().collect::<Vec<_>>() }));
    assert_eq!(baseline.broken(&*limited, |_| true).await, BTreeSet::new());
    let mut found = BTreeMap::new();
    for action in all {
        let limited = deny(json!({ "kind": "denied", "permissions": [action] }));
        assert_eq!(tested(&*limited, PermissionStatus::Missing).await, [action].into());
        found.insert(action, baseline.broken(&*limited, |_| true).await);
    }
    settle(&found, UNSEEN);
}

#[tokio::test]
async fn moto_still_asks_for_other_actions_than_aws() {
    let account = account();
    let baseline = baseline(&account).await;
    for (aws, _, feature) in ASKED_OTHERWISE {
        let others = ASKED_OTHERWISE.iter().filter(|(other, ..)| other != aws);
        let policy = others.fold(policy().to_string(), |text, (aws, moto, _)| text.replace(aws, moto));
        let user = users(&account, &[serde_json::from_str(&policy).unwrap()]).remove(0);
        let limited = bed::connect(&user, &bed::moto(), &[REGION]);
        let broken = baseline.broken(&*limited, |name| name == *feature).await;
        assert!(broken.contains(*feature), "moto asks for {aws} now: take it off the list");
    }
}
