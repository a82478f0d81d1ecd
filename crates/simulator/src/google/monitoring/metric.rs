//! The metrics there are, and whose they are.

use serde_json::{Value, json};

use crate::{
    estate::Thing,
    google::{call::Call, compute::link},
    load::Measure,
};

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its type.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Whether it counts what happened since the last sample.
    pub counts: bool,
    /// Whether its values are integers.
    pub whole: bool,
    /// The unit.
    pub unit: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// By which a sample is multiplied.
    pub factor: f64,
    /// The kind of things it is of.
    pub of: Of,
    /// Labels of the metric that always have the same value.
    pub labels: &'static [(&'static str, &'static str)],
}

/// What a metric is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Instances of Compute.
    Instance,
    /// Databases of Cloud SQL, of one engine if it is named.
    Database(&'static str),
}

const BASE: Metric = Metric {
    name: "",
    title: "",
    counts: false,
    whole: false,
    unit: "10^2.%",
    measure: Measure::Processor,
    factor: 1.0,
    of: Of::Instance,
    labels: &[],
};
/// Of a metric that counts, what a second's rate becomes in a minute.
const COUNT: Metric = Metric { counts: true, whole: true, unit: "By", factor: 60.0, ..BASE };
const DATABASE: Metric = Metric { of: Of::Database(""), ..BASE };

/// All of them.
pub static METRICS: &[Metric] = &[
    Metric { name: "compute.googleapis.com/instance/cpu/utilization", title: "CPU utilization", ..BASE },
    Metric {
        name: "compute.googleapis.com/instance/network/received_bytes_count",
        title: "Received bytes",
        measure: Measure::NetworkIn,
        labels: &[("loadbalanced", "false")],
        ..COUNT
    },
    Metric {
        name: "compute.googleapis.com/instance/network/sent_bytes_count",
        title: "Sent bytes",
        measure: Measure::NetworkOut,
        labels: &[("loadbalanced", "false")],
        ..COUNT
    },
    Metric {
        name: "compute.googleapis.com/instance/disk/read_ops_count",
        title: "Disk read operations",
        unit: "1",
        measure: Measure::DiskReads,
        labels: &[
            ("device_name", "persistent-disk-0"),
            ("storage_type", "pd-balanced"),
            ("device_type", "permanent"),
        ],
        ..COUNT
    },
    Metric {
        name: "compute.googleapis.com/instance/disk/write_ops_count",
        title: "Disk write operations",
        unit: "1",
        measure: Measure::DiskWrites,
        labels: &[
            ("device_name", "persistent-disk-0"),
            ("storage_type", "pd-balanced"),
            ("device_type", "permanent"),
        ],
        ..COUNT
    },
    Metric {
        name: "agent.googleapis.com/memory/percent_used",
        title: "Memory utilization",
        unit: "%",
        measure: Measure::Memory,
        factor: 100.0,
        labels: &[("state", "used")],
        ..BASE
    },
    Metric { name: "cloudsql.googleapis.com/database/cpu/utilization", title: "CPU utilization", ..DATABASE },
    Metric {
        name: "cloudsql.googleapis.com/database/memory/utilization",
        title: "Memory utilization",
        measure: Measure::Memory,
        ..DATABASE
    },
    Metric {
        name: "cloudsql.googleapis.com/database/disk/utilization",
        title: "Disk utilization",
        measure: Measure::Storage,
        ..DATABASE
    },
    Metric {
        name: "cloudsql.googleapis.com/database/network/connections",
        title: "Connections",
        whole: true,
        unit: "1",
        measure: Measure::Connections,
        of: Of::Database("MYSQL"),
        ..BASE
    },
    Metric {
        name: "cloudsql.googleapis.com/database/postgresql/num_backends",
        title: "PostgreSQL connections",
        whole: true,
        unit: "1",
        measure: Measure::Connections,
        of: Of::Database("POSTGRES"),
        labels: &[("database", "postgres")],
        ..BASE
    },
];

impl Metric {
    /// The resource that it is measured on.
    pub fn resource(&self) -> &'static str {
        match self.of {
            Of::Instance => "gce_instance",
            Of::Database(_) => "cloudsql_database",
        }
    }

    /// The shelf of the things it is of.
    pub fn shelf(&self) -> &'static str {
        match self.of {
            Of::Instance => "compute.instances",
            Of::Database(_) => "sql.instances",
        }
    }

    /// States in which there is something to measure.
    pub fn running(&self) -> &'static [&'static str] {
        match self.of {
            Of::Instance => &["RUNNING"],
            Of::Database(_) => &["RUNNABLE", "MAINTENANCE"],
        }
    }

    /// `GAUGE` or `DELTA`.
    pub fn kind(&self) -> &'static str {
        if self.counts { "DELTA" } else { "GAUGE" }
    }

    /// `INT64` or `DOUBLE`.
    pub fn value_type(&self) -> &'static str {
        if self.whole { "INT64" } else { "DOUBLE" }
    }

    /// Whether it is measured on a thing.
    pub fn is_of(&self, thing: &Thing) -> bool {
        match self.of {
            Of::Instance => true,
            Of::Database(engine) => {
                thing.body.get("databaseVersion").as_str().is_some_and(|version| version.starts_with(engine))
            }
        }
    }

    /// What a time series says of the thing that was measured: the metric's labels, and the resource's.
    pub fn labels(&self, call: &Call<'_>, thing: &Thing) -> (Value, Value) {
        let mut own: Value =
            self.labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        let resource = match self.of {
            Of::Instance => {
                own["instance_name"] = (*thing.id).into();
                json!({ "project_id": call.project(), "instance_id": thing.body.get("id"), "zone": &*thing.place })
            }
            Of::Database(_) => json!({
                "project_id": call.project(), "database_id": format!("{}:{}", call.project(), thing.id),
                "region": link::region_of(&thing.place),
            }),
        };
        (own, resource)
    }

    /// The descriptor.
    pub fn descriptor(&self, project: &str) -> Value {
        let mut labels: Vec<Value> = self.labels.iter().map(|(key, _)| json!({ "key": key })).collect();
        if self.of == Of::Instance {
            labels.push(json!({ "key": "instance_name", "description": "The name of the instance." }));
        }
        json!({
            "name": format!("projects/{project}/metricDescriptors/{}", self.name), "type": self.name,
            "displayName": self.title, "description": self.title, "metricKind": self.kind(),
            "valueType": self.value_type(), "unit": self.unit, "labels": labels, "launchStage": "GA",
            "monitoredResourceTypes": [self.resource()],
            "metadata": { "samplePeriod": "60s", "ingestDelay": "240s", "launchStage": "GA" },
        })
    }
}
