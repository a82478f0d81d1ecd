//! `Microsoft.Network/dnsZones`: public zones and the record sets in them.

pub mod records;
pub mod zones;

use http::StatusCode;

use super::{
    call::Call,
    error::{Outcome, Refused},
};
use crate::estate::Thing;

/// Zones.
pub const ZONE: &str = "Microsoft.Network/dnsZones";
/// Record sets, of whatever type.
pub const RECORDS: &str = "Microsoft.Network/dnszones/recordsets";

/// `If-Match` must name what is there, `If-None-Match: *` that nothing is.
fn refuse_etag(call: &Call<'_>, existing: Option<&Thing>) -> Outcome<()> {
    let etag = existing.map(|thing| thing.body.get("etag"));
    let etag = etag.as_ref().and_then(serde_json::Value::as_str);
    let stale = !call.if_match.is_empty() && call.if_match != "*" && etag != Some(call.if_match);
    let absent = call.if_match == "*" && etag.is_none();
    let taken = call.if_none_match == "*" && etag.is_some();
    if !stale && !absent && !taken {
        return Ok(());
    }
    let message = if taken {
        "The Record set cannot be created or updated because it exists already (If-None-Match '*' was specified)."
    } else {
        "The condition specified by If-Match was not met: the resource was modified in the meantime."
    };
    Err(Refused::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message))
}
