//! What the tests find ready: a moto, accounts in it, and a way to fill them.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use marquee_cloud_aws::AwsConnector;
use marquee_clouds::{Cloud, Connection, Connector as _, ServerRules, layers::Policy};
use marquee_types::Clock;
use secrecy::SecretString;
use serde_json::{Value, json};

/// An account at moto, and its owner's key.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub key_id: String,
    pub secret: String,
}

/// The address of moto.
pub fn moto() -> String {
    variable("MARQUEE_TEST_MOTO")
}

/// An account that this test has for itself.
pub fn claim() -> Account {
    let accounts = PathBuf::from(variable("MARQUEE_TEST_MOTO_ACCOUNTS"));
    for entry in fs::read_dir(&accounts).unwrap() {
        let free = entry.unwrap().path();
        if free.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let taken = free.with_extension("taken");
        match fs::rename(&free, &taken) {
            Ok(()) => return read(&taken),
            // Another test was quicker.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("all accounts of the test bed are taken: make more in scripts/testbed/moto");
}

/// What the shared account has more than a page of.
pub const PAGED: [(&str, usize); 2] = [("route53/zones", 103), ("rds/instances", 106)];

/// The regions of the shared account.
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// An account with resources of every kind that all tests may read and none may change. The first test that needs
/// it makes it.
pub fn shared() -> Account {
    let accounts = PathBuf::from(variable("MARQUEE_TEST_MOTO_ACCOUNTS"));
    let lock = File::create(accounts.join("shared.lock")).unwrap();
    lock.lock().unwrap();
    let made = accounts.join("shared.made");
    if let Ok(text) = fs::read_to_string(&made) {
        return account(&serde_json::from_str(&text).unwrap());
    }
    let account = claim();
    make(&account, &REGIONS, 2, "shared");
    // More than a page of what moto pages as AWS does.
    python(
        &account,
        REGIONS[0],
        r#"
dns, rds = client("route53"), client("rds")
for n in range(100):
    dns.create_hosted_zone(Name=f"guest-{n}.example", CallerReference=f"guest-{n}")
    rds.create_db_instance(DBInstanceIdentifier=f"guest-{n}", DBInstanceClass="db.t4g.micro", Engine="postgres",
        AllocatedStorage=20, MasterUsername="planner", MasterUserPassword="not-a-secret-1", BackupRetentionPeriod=0)"#,
    );
    fs::write(
        &made,
        json!({ "account": account.id, "access_key_id": account.key_id,
        "secret_access_key": account.secret })
        .to_string(),
    )
    .unwrap();
    account
}

/// Fills an account.
pub fn make(account: &Account, regions: &[&str], venues: usize, name: &str) {
    let venues = venues.to_string();
    script(account, &["make", "--venues", &venues, "--name", name, "--regions"], regions);
}

/// What AWS's own client lists: ids by region and kind.
pub fn count(account: &Account, regions: &[&str]) -> Value {
    serde_json::from_slice(&script(account, &["count", "--regions"], regions)).unwrap()
}

/// Runs Python with AWS's own client, as the account's owner; `endpoint` and `session` are defined.
pub fn python(account: &Account, region: &str, code: &str) -> Vec<u8> {
    let prelude = format!(
        "import boto3, json\nendpoint = {:?}\n\
         def client(service):\n    return boto3.client(service, region_name={region:?}, endpoint_url=endpoint)\n",
        moto()
    );
    run(account, Command::new(project().join(".venv/bin/python")).arg("-c").arg(prelude + code))
}

fn script(account: &Account, arguments: &[&str], regions: &[&str]) -> Vec<u8> {
    let mut command = Command::new(project().join(".venv/bin/python"));
    command.arg(project().join("scripts/demo/aws-resources"));
    let (what, rest) = arguments.split_first().unwrap();
    run(account, command.args([what, "--endpoint", &moto()]).args(rest).args(regions))
}

fn run(account: &Account, command: &mut Command) -> Vec<u8> {
    let output = command
        .env_clear()
        .envs([("AWS_ACCESS_KEY_ID", &account.key_id), ("AWS_SECRET_ACCESS_KEY", &account.secret)])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stderr(Stdio::piped())
        .output()
        .expect("the Python of the test bed: run `scripts/setup test`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The project's root.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &Path) -> Account {
    account(&serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
}

fn account(value: &Value) -> Account {
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Account { id: text("account"), key_id: text("access_key_id"), secret: text("secret_access_key") }
}

fn variable(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test bed is found through the environment")]
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with cargo nextest"))
}

/// Patience that fits a loaded machine and an emulator, with quick retries.
pub fn policy() -> Policy {
    let mut policy = Policy { attempt_timeout: Duration::from_mins(1), max_attempts: 3, ..Policy::default() };
    policy.backoff.first = Duration::from_millis(5);
    policy
}

/// What a test server allows.
pub fn rules() -> ServerRules {
    ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() }
}

/// Installs the TLS provider of this process.
pub fn tls() {
    // It may have been installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub fn connector(policy: Policy) -> AwsConnector {
    connector_at(Clock::system(), policy)
}

/// The same with a clock of its own.
pub fn connector_at(clock: Clock, policy: Policy) -> AwsConnector {
    tls();
    AwsConnector::with_policy(clock, policy).unwrap()
}

/// A connection with an account's key.
pub fn connection(account: &Account, endpoint: &str, regions: &[&str]) -> Connection {
    let credentials =
        json!({ "type": "static", "access_key_id": account.key_id, "secret_access_key": account.secret });
    Connection {
        credentials: SecretString::from(credentials.to_string()),
        settings: json!({ "regions": regions, "endpoint_url": endpoint }),
        external_id: "mq-test-external-id".to_owned(),
    }
}

/// A cloud with an account's key.
pub fn connect(account: &Account, endpoint: &str, regions: &[&str]) -> Arc<dyn Cloud> {
    connect_with(account, endpoint, regions, policy())
}

/// The same with other patience.
pub fn connect_with(account: &Account, endpoint: &str, regions: &[&str], policy: Policy) -> Arc<dyn Cloud> {
    connector(policy).connect(&connection(account, endpoint, regions), &rules()).unwrap()
}
