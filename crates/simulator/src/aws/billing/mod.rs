//! What things cost and how many there may be: Cost Explorer, Pricing and Service Quotas.

mod costs;
mod filter;
mod forecast;
mod prices;
mod quotas;

use super::service::{Handler, Row};

/// Cost Explorer.
pub const COST_EXPLORER: &[Row] = &[
    ("GetCostAndUsage", Handler::Read(costs::usage)),
    ("GetCostForecast", Handler::Read(forecast::forecast)),
    ("GetDimensionValues", Handler::Read(costs::dimensions)),
    ("GetTags", Handler::Read(costs::tags)),
];

/// Pricing.
pub const PRICING: &[Row] = &[
    ("DescribeServices", Handler::Read(prices::services)),
    ("GetProducts", Handler::Read(prices::products)),
];

/// Service Quotas.
pub const QUOTAS: &[Row] =
    &[("GetServiceQuota", Handler::Read(quotas::get)), ("ListServiceQuotas", Handler::Read(quotas::list))];
