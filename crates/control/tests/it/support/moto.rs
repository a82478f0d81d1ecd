//! AWS as moto plays it, with authentication on: an account of the test's own, and boto3 to change it behind
//! Marquee's back.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};

/// An account that no other test has.
#[derive(Debug, Clone)]
pub struct Account {
    pub endpoint: String,
    pub number: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl Account {
    /// Takes one from the test bed's stock.
    pub fn take() -> Self {
        let endpoint = bed("MARQUEE_TEST_MOTO");
        let folder = PathBuf::from(bed("MARQUEE_TEST_MOTO_ACCOUNTS"));
        for entry in std::fs::read_dir(&folder).expect("the stock of accounts") {
            let path = entry.expect("an entry of the stock").path();
            let taken = path.with_extension("taken");
            // Whoever renames the file has the account.
            if path.extension().is_some_and(|e| e == "json") && std::fs::rename(&path, &taken).is_ok() {
                let account: Value = serde_json::from_slice(&std::fs::read(&taken).unwrap()).unwrap();
                let text = |name: &str| account[name].as_str().unwrap().to_owned();
                return Self {
                    endpoint,
                    number: text("account"),
                    access_key_id: text("access_key_id"),
                    secret_access_key: text("secret_access_key"),
                };
            }
        }
        panic!("all accounts of the test bed are taken");
    }

    /// The body that connects it.
    pub fn provider(&self, name: &str, regions: &[&str]) -> Value {
        json!({
            "name": name, "kind": "aws",
            "credentials": {
                "type": "static",
                "access_key_id": self.access_key_id,
                "secret_access_key": self.secret_access_key,
            },
            "settings": { "regions": regions, "endpoint_url": self.endpoint },
            "sync_interval_seconds": 604_800,
        })
    }

    /// Runs boto3: `script` finds `client(service, region)` and prints one JSON value, which comes back.
    pub fn boto3(&self, script: &str) -> Value {
        let prelude = "
import boto3, json, os
from botocore.config import Config
def client(service, region='eu-west-1'):
    return boto3.client(service, region_name=region, endpoint_url=os.environ['ENDPOINT'],
                        config=Config(s3={'addressing_style': 'path'}))
";
        let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
        let output = Command::new(python)
            .args(["-c", &format!("{prelude}\n{script}")])
            .env("ENDPOINT", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .expect("boto3 runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "boto3 failed: {errors}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }
}

fn bed(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test bed tells its addresses by the environment")]
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("{name} is not set: run the tests by `cargo nextest run` or `make test`"))
}
