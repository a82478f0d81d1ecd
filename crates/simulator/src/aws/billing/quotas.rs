//! Quotas: those that handlers hold, and a fault may lower.

use serde_json::{Value, json};

use crate::{
    aws::{ask::Ask, protocol::Refusal, service::Answered},
    estate::Estate,
    faults::Kind,
};

/// A quota: its service, code and name, and the operation that it holds back.
struct Quota {
    service: &'static str,
    code: &'static str,
    name: &'static str,
    value: u64,
    operation: &'static str,
}

const QUOTAS: &[Quota] = &[
    Quota {
        service: "ec2",
        code: "L-1216C47A",
        name: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        value: 100_000,
        operation: "RunInstances",
    },
    Quota {
        service: "ec2",
        code: "L-0263D0A3",
        name: "EC2-VPC Elastic IPs",
        value: 500,
        operation: "AllocateAddress",
    },
    Quota {
        service: "rds",
        code: "L-7B6409FD",
        name: "DB instances",
        value: 10_000,
        operation: "CreateDBInstance",
    },
];

fn of_service(ask: &Ask<'_>) -> Result<Vec<&'static Quota>, Refusal> {
    let service = ask.need("ServiceCode");
    let found: Vec<_> = QUOTAS.iter().filter(|quota| quota.service == service).collect();
    if found.is_empty() {
        let message = format!("The request failed because the specified service {service} does not exist.");
        return Err(Refusal::new("NoSuchResourceException", message).status(400));
    }
    Ok(found)
}

fn show(ask: &Ask<'_>, quota: &Quota) -> Value {
    let call = format!("{}:{}", quota.service, quota.operation);
    let lowered = match ask.fault("", &call, |kind| matches!(kind, Kind::Quota { .. })) {
        Some(Kind::Quota { limit }) => Some(limit),
        _ => None,
    };
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let value = lowered.unwrap_or(quota.value) as f64;
    json!({
        "ServiceCode": quota.service,
        "ServiceName": if quota.service == "ec2" {
            "Amazon Elastic Compute Cloud (Amazon EC2)"
        } else {
            "Amazon Relational Database Service (Amazon RDS)"
        },
        "QuotaArn": ask.arn("servicequotas", &format!("{}/{}", quota.service, quota.code)),
        "QuotaCode": quota.code, "QuotaName": quota.name, "Value": value, "Unit": "None", "Adjustable": true,
        "GlobalQuota": false, "QuotaAppliedAtLevel": "ACCOUNT",
    })
}

pub(super) fn get(ask: &Ask<'_>, _: &Estate) -> Answered {
    let code = ask.need("QuotaCode");
    let found = of_service(ask)?.into_iter().find(|quota| quota.code == code);
    let quota = found.ok_or_else(|| {
        let message = "The request failed because the specified quota does not exist.";
        Refusal::new("NoSuchResourceException", message).status(400)
    })?;
    Ok(json!({ "Quota": show(ask, quota) }).into())
}

pub(super) fn list(ask: &Ask<'_>, _: &Estate) -> Answered {
    let code = ask.text("QuotaCode");
    let all: Vec<_> =
        of_service(ask)?.into_iter().filter(|quota| code.is_none_or(|code| quota.code == code)).collect();
    let first = match ask.text("NextToken") {
        None => 0,
        Some(token) => {
            let place = all.iter().position(|quota| quota.code == token);
            place.ok_or_else(|| {
                Refusal::new("InvalidPaginationTokenException", "The token is not valid").status(400)
            })?
        }
    };
    let until = all.len().min(first + ask.limit("MaxResults", 100));
    let quotas: Vec<Value> = all[first..until].iter().map(|quota| show(ask, quota)).collect();
    let mut output = json!({ "Quotas": quotas });
    if let Some(next) = all.get(until) {
        output["NextToken"] = next.code.into();
    }
    Ok(output.into())
}
