//! The rules by which a bucket's objects expire.
//!
//! S3 keeps one list of rules for more than that: it also moves objects to cheaper storage and ends uploads that were given
//! up. A change replaces the rules that only let objects expire and leaves the others; a rule that does both, or asks
//! for more than a name's beginning, is none that Marquee can bring back, so such a list is not touched.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule as Rule,
    LifecycleRuleFilter, NoncurrentVersionExpiration,
};
use marquee_clouds::{
    Action, CloudError, Progress, Ticket,
    changes::spec::{Lifecycle, LifecycleRule},
};
use marquee_types::ResourceKind;

use super::{
    buckets::Bucket,
    calls::{Calls, done, invalid, not_found, unsupported},
};

/// What the ids of our rules begin with.
const OURS: &str = "marquee-";

/// A bucket's rules: those that only let objects expire, and the others.
struct Rules {
    expiring: Vec<LifecycleRule>,
    others: Vec<Rule>,
}

async fn read(bucket: &Bucket<'_>) -> Result<Rules, CloudError> {
    let answer = bucket
        .caller
        .call("s3", "GetBucketLifecycleConfiguration", Some(bucket.region), || {
            let call = bucket.client.get_bucket_lifecycle_configuration().bucket(bucket.name);
            call.expected_bucket_owner(bucket.owner).send()
        })
        .await;
    let rules = match answer {
        Ok(answer) => answer.rules.unwrap_or_default(),
        Err(error) if error.code.as_deref() == Some("NoSuchLifecycleConfiguration") => Vec::new(),
        Err(error) => return Err(error),
    };
    sorted(rules, bucket.name)
}

/// Tells rules apart; one that is neither is refused.
fn sorted(rules: Vec<Rule>, bucket: &str) -> Result<Rules, CloudError> {
    let mut sorted = Rules { expiring: Vec::new(), others: Vec::new() };
    for rule in rules {
        if rule.expiration().is_none() && rule.noncurrent_version_expiration().is_none() {
            sorted.others.push(rule);
            continue;
        }
        let known = expiring(&rule).ok_or_else(|| {
            let id = rule.id().unwrap_or_default();
            unsupported(format!("the rule {id} of {bucket} says more than Marquee can bring back"))
        })?;
        sorted.expiring.push(known);
    }
    Ok(sorted)
}

/// A rule that lets objects expire, and does no more.
fn expiring(rule: &Rule) -> Option<LifecycleRule> {
    let more = !rule.transitions().is_empty()
        || !rule.noncurrent_version_transitions().is_empty()
        || rule.abort_incomplete_multipart_upload().is_some()
        || *rule.status() != ExpirationStatus::Enabled;
    let prefix = match rule.filter() {
        Some(filter) if filter.and().is_some() || filter.tag().is_some() => return None,
        Some(filter)
            if filter.object_size_greater_than().is_some() || filter.object_size_less_than().is_some() =>
        {
            return None;
        }
        Some(filter) => filter.prefix().unwrap_or_default().to_owned(),
        None => older_prefix(rule),
    };
    if more {
        return None;
    }
    let days = |days: i32| u32::try_from(days).ok();
    let delete_after_days = match rule.expiration() {
        None => None,
        Some(expiration) if expiration.date().is_some() => return None,
        Some(expiration) => Some(days(expiration.days()?)?),
    };
    let delete_former_after_days = match rule.noncurrent_version_expiration() {
        None => None,
        Some(former) if former.newer_noncurrent_versions().is_some() => return None,
        Some(former) => Some(days(former.noncurrent_days()?)?),
    };
    Some(LifecycleRule { prefix, delete_after_days, delete_former_after_days })
}

/// The prefix where rules had it before there were filters.
#[expect(deprecated, reason = "buckets still have such rules")]
fn older_prefix(rule: &Rule) -> String {
    rule.prefix().unwrap_or_default().to_owned()
}

fn rule(index: usize, wanted: &LifecycleRule) -> Result<Rule, CloudError> {
    let at = |name: &str| format!("/rules/{index}/{name}");
    let days = |name: &str, days: u32| {
        let days = i32::try_from(days).ok().filter(|days| *days > 0);
        days.ok_or_else(|| invalid(format!("{}: at least a day", at(name))))
    };
    let mut rule = Rule::builder()
        .id(format!("{OURS}{index}"))
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(&wanted.prefix).build());
    if wanted.delete_after_days.is_none() && wanted.delete_former_after_days.is_none() {
        return Err(invalid(format!("/rules/{index}: it deletes nothing")));
    }
    if let Some(after) = wanted.delete_after_days {
        let after = days("delete_after_days", after)?;
        rule = rule.expiration(LifecycleExpiration::builder().days(after).build());
    }
    if let Some(after) = wanted.delete_former_after_days {
        let after = days("delete_former_after_days", after)?;
        let former = NoncurrentVersionExpiration::builder().noncurrent_days(after).build();
        rule = rule.noncurrent_version_expiration(former);
    }
    rule.build().map_err(|error| invalid(error.to_string()))
}

/// Replaces the rules by which objects expire.
pub async fn set(calls: &Calls<'_>, native_id: &str, to: &Lifecycle) -> Result<Ticket, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let mut rules = read(&bucket).await?.others;
    for (index, wanted) in to.rules.iter().enumerate() {
        rules.push(rule(index, wanted)?);
    }
    if rules.is_empty() {
        bucket
            .caller
            .call("s3", "DeleteBucketLifecycle", Some(bucket.region), || {
                let call = bucket.client.delete_bucket_lifecycle().bucket(bucket.name);
                call.expected_bucket_owner(bucket.owner).send()
            })
            .await?;
        return Ok(Ticket::of(native_id));
    }
    let configuration = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    bucket
        .caller
        .call("s3", "PutBucketLifecycleConfiguration", Some(bucket.region), || {
            let call = bucket.client.put_bucket_lifecycle_configuration().bucket(bucket.name);
            let call = call.expected_bucket_owner(bucket.owner);
            call.lifecycle_configuration(configuration.clone()).send()
        })
        .await?;
    Ok(Ticket::of(native_id))
}

/// The rules by which objects expire now; none are rules too.
pub async fn standing(calls: &Calls<'_>, native_id: &str) -> Result<Option<Action>, CloudError> {
    let rules = read(&Bucket::of(calls, native_id)?).await?.expiring;
    Ok(Some(Action::SetLifecycle(Lifecycle { rules })))
}

/// Whether a bucket has the settings that an action brings about, as `standing` tells them.
pub async fn look(
    calls: &Calls<'_>,
    native_id: &str,
    wanted: &Action,
    standing: Option<Action>,
) -> Result<Progress, CloudError> {
    if calls.see(ResourceKind::Bucket, native_id).await?.is_none() {
        return Ok(Progress::Failed(not_found(&format!("{native_id} is gone"))));
    }
    Ok(if standing.as_ref() == Some(wanted) {
        done(native_id)
    } else {
        Progress::Working("not everywhere yet".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{AbortIncompleteMultipartUpload, Transition, TransitionStorageClass};
    use marquee_clouds::ErrorKind;

    use super::*;

    fn wanted() -> LifecycleRule {
        LifecycleRule {
            prefix: "drafts/".to_owned(),
            delete_after_days: Some(30),
            delete_former_after_days: Some(7),
        }
    }

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        assert_eq!(expiring(&rule(0, &wanted()).unwrap()), Some(wanted()));
        let all = LifecycleRule { prefix: String::new(), delete_former_after_days: None, ..wanted() };
        assert_eq!(expiring(&rule(0, &all).unwrap()), Some(all));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let nothing = LifecycleRule { delete_after_days: None, delete_former_after_days: None, ..wanted() };
        let never = LifecycleRule { delete_after_days: Some(0), ..wanted() };
        for wrong in [nothing, never] {
            assert_eq!(rule(3, &wrong).unwrap_err().kind, ErrorKind::Invalid);
        }
    }

    #[test]
    fn rules_for_other_things_stay_and_mixed_ones_are_not_touched() {
        let uploads = AbortIncompleteMultipartUpload::builder().days_after_initiation(3).build();
        let other = Rule::builder()
            .id("uploads")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .abort_incomplete_multipart_upload(uploads)
            .build()
            .unwrap();
        let ours = rule(0, &wanted()).unwrap();
        let found = sorted(vec![other.clone(), ours.clone()], "b").unwrap();
        assert_eq!((found.expiring, found.others), (vec![wanted()], vec![other]));
        let colder = Transition::builder().days(10).storage_class(TransitionStorageClass::Glacier).build();
        let mut mixed = ours;
        mixed.transitions = Some(vec![colder]);
        assert_eq!(sorted(vec![mixed], "b").err().map(|error| error.kind), Some(ErrorKind::Unsupported));
    }
}
