//! Cloud Monitoring: time series of what runs. Samples are computed from the loads of the world when they are asked for.

pub mod align;
pub mod metric;
pub mod series;

use serde_json::{Value, json};

use self::metric::METRICS;
use super::{
    call::{
        Answer, Call,
        Handler::{self, Read},
        Outcome,
    },
    filter::Filter,
    refusal::Refusal,
};
use crate::estate::Estate;

/// Who answers an operation of Monitoring.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("timeSeries", "list") => Read(series::list),
        ("metricDescriptors", "list") => Read(descriptors),
        ("metricDescriptors", "get") => Read(descriptor),
        _ => return None,
    })
}

/// `metricDescriptors.list`.
fn descriptors(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let text = call.asked("filter");
    let filter = if text.is_empty() { None } else { Some(Filter::read(text).map_err(Refusal::bad)?) };
    if call.asked_number("pageSize").is_some_and(|size| size < METRICS.len() as u64) {
        return Err(Refusal::unimplemented("pages of metricDescriptors"));
    }
    let fits = |descriptor: &Value| {
        let known = json!({ "metric": { "type": descriptor["type"] }, "resource": { "type": descriptor["monitoredResourceTypes"] } });
        filter.as_ref().is_none_or(|filter| filter.passes(&known))
    };
    let all = METRICS.iter().map(|metric| metric.descriptor(call.project())).filter(fits);
    Ok(Answer::Json(json!({ "metricDescriptors": all.collect::<Vec<_>>() })))
}

/// `metricDescriptors.get`.
fn descriptor(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let name = call.part("metricDescriptorsId");
    let found = METRICS.iter().find(|metric| metric.name == name);
    let missing = || Refusal::new(404, "notFound", format!("Could not find descriptor for metric '{name}'."));
    found.map(|metric| Answer::Json(metric.descriptor(call.project()))).ok_or_else(missing)
}
