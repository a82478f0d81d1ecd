//! The face of AWS: EC2, RDS, S3, STS, ELBv2, Auto Scaling, Route 53, `CloudWatch`, Cost Explorer, Pricing and Service
//! Quotas, at one address.
//!
//! A request goes this way: [`sigv4`] says who asks, for which service and region; [`protocol`] reads what is asked by
//! AWS's own models ([`schema`]); faults have their say; a handler of [`ec2`], [`rds`] and so on reads or changes the
//! estate; [`protocol`] writes the answer, and refuses to write what AWS's models do not know.
//!
//! A handler is a function from an [`Ask`](ask::Ask) to an output. Things are kept with the members that AWS answers,
//! but for those that follow from the thing itself (its state, its tags, its type), which are added when it is read.
//!
//! What does not follow from AWS's publications is said where it stands: how long a state takes, which quota there is.
//!
//! # What is not as at AWS
//!
//! - Policies of permissions are not evaluated: whoever has a key may do everything in its account. Trust policies are.
//! - A parameter that is not simulated is refused (`unsupported`), not overlooked.
//! - Auto Scaling acts when a group is changed, and not by itself; Route 53 and ELB look at states, and send nothing.
//! - There are no default networks, no IPv6, no spot instances, no launch templates; RDS has no automated snapshots, but
//!   restores to any time they would allow; S3 keeps one version of an object.
//! - Costs are known at once, and no metric is late.

pub mod ask;
pub mod autoscaling;
pub mod billing;
pub mod cloudwatch;
pub mod ec2;
pub mod elbv2;
mod face;
mod filters;
pub mod grow;
pub mod identity;
mod permission;
pub mod protocol;
pub mod rds;
pub mod route53;
pub mod s3;
pub mod schema;
pub mod service;
pub mod sigv4;
mod unsupported;

pub use face::Aws;
