//! The services there are, each with its schema and its handlers.

use std::collections::HashMap;

use super::{
    ask::Ask,
    autoscaling, billing, cloudwatch, ec2, elbv2, identity,
    protocol::{Output, Refusal},
    rds, route53, s3,
    schema::Schema,
};
use crate::estate::Estate;

/// What a handler answers.
pub type Answered = Result<Output, Refusal>;

/// A handler: one that only reads lets others read at the same time.
#[derive(Debug, Clone, Copy)]
pub enum Handler {
    Read(fn(&Ask<'_>, &Estate) -> Answered),
    Write(fn(&Ask<'_>, &mut Estate) -> Answered),
}

/// A row of a service's table: an operation and its handler.
pub type Row = (&'static str, Handler);

/// One service.
#[derive(Debug)]
pub struct Service {
    /// As IAM's actions and the record of calls name it: `elasticloadbalancing`.
    pub name: &'static str,
    pub schema: Schema,
    handlers: HashMap<&'static str, Handler>,
}

/// Name, schema and handlers of every service.
type Source = (&'static str, &'static str, &'static [Row]);

const SOURCES: &[Source] = &[
    ("ec2", include_str!("../../schemas/aws/ec2.json"), ec2::HANDLERS),
    ("rds", include_str!("../../schemas/aws/rds.json"), rds::HANDLERS),
    ("s3", include_str!("../../schemas/aws/s3.json"), s3::HANDLERS),
    ("sts", include_str!("../../schemas/aws/sts.json"), identity::STS),
    ("iam", include_str!("../../schemas/aws/iam.json"), identity::IAM),
    ("cloudwatch", include_str!("../../schemas/aws/cloudwatch.json"), cloudwatch::HANDLERS),
    ("autoscaling", include_str!("../../schemas/aws/autoscaling.json"), autoscaling::HANDLERS),
    ("elasticloadbalancing", include_str!("../../schemas/aws/elbv2.json"), elbv2::HANDLERS),
    ("route53", include_str!("../../schemas/aws/route53.json"), route53::HANDLERS),
    ("ce", include_str!("../../schemas/aws/ce.json"), billing::COST_EXPLORER),
    ("pricing", include_str!("../../schemas/aws/pricing.json"), billing::PRICING),
    ("servicequotas", include_str!("../../schemas/aws/service-quotas.json"), billing::QUOTAS),
];

/// Reads all services.
pub fn all() -> Result<Vec<Service>, serde_json::Error> {
    SOURCES
        .iter()
        .map(|(name, text, handlers)| {
            Ok(Service { name, schema: Schema::read(text)?, handlers: handlers.iter().copied().collect() })
        })
        .collect()
}

impl Service {
    /// The handler of an operation.
    pub fn handler(&self, operation: &str) -> Option<Handler> {
        self.handlers.get(operation).copied()
    }

    /// The operations that have one, in order.
    pub fn operations(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.handlers.keys().copied().collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_a_schema_has_a_handler_and_the_other_way_round() {
        for service in all().unwrap() {
            let mut known: Vec<_> =
                service.schema.operations().map(|operation| operation.name.as_str()).collect();
            known.sort_unstable();
            assert_eq!(service.operations(), known, "{}", service.name);
        }
    }
}
