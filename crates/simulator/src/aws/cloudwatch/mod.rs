//! `CloudWatch`: the metrics of instances, databases and load balancers, computed from the world's loads.

mod metrics;
mod queries;

use super::service::{Handler, Row};

/// All of the operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("GetMetricData", Handler::Read(queries::data)),
    ("GetMetricStatistics", Handler::Read(queries::statistics)),
    ("ListMetrics", Handler::Read(queries::list)),
];
