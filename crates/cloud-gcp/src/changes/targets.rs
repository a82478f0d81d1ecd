//! Instances in target pools. Backend services take groups of instances, which is another thing to change.

use marquee_clouds::{Action, Change, CloudError, Ticket, Token, changes::spec::InstanceRef};
use marquee_types::ResourceKind;
use serde_json::json;

use super::{
    calls, error, invalid, unsupported,
    wanted::{Verdict, verdict},
    work::Handle,
};
use crate::cloud::Google;

impl Google {
    pub(super) async fn change_targets(
        &self,
        change: &Change,
        target: &InstanceRef,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let path = self.target(change, &[ResourceKind::TargetGroup])?;
        if !path.contains("/targetPools/") {
            return Err(unsupported(
                name,
                "a backend service takes groups; only target pools take instances",
            ));
        }
        if target.port.is_some() {
            return Err(invalid(name, "port: a target pool sends traffic to the port it came to"));
        }
        let instance = self.path_of(name, ResourceKind::ComputeInstance, &target.instance)?;
        let seen = self.sight(ResourceKind::TargetGroup, id).await?;
        match verdict(&change.action, seen.as_ref()) {
            Verdict::Met => return Ok(Ticket::of(id)),
            Verdict::Never(kind, why) => return Err(error(name, kind, &format!("{id}: {why}"))),
            Verdict::NotYet => {}
        }
        let link = format!("projects/{}/{instance}", self.client.project);
        let body = json!({ "instances": [{ "instance": link }] });
        let adds = matches!(change.action, Action::RegisterTarget(_));
        let call = if adds { &calls::ADD_TARGET } else { &calls::REMOVE_TARGET };
        let work = self.post_compute(call, path, Some(&body), token).await?;
        Ok(Handle::of(Some(work)).ticket(id))
    }
}
