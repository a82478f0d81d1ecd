//! What stands in front: load balancers, scaling groups, addresses.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Plot, text};
use crate::{
    aws::{autoscaling, ec2, elbv2},
    estate::Estate,
    world::GrowError,
};

impl Plot<'_> {
    /// The subnets of the first network, one in each zone.
    fn subnets(&self, estate: &Estate) -> Result<(Value, Vec<Arc<str>>), GrowError> {
        let subnets = self.others(estate, ec2::SUBNETS, None);
        let first =
            subnets.first().ok_or_else(|| GrowError(format!("{} has no network yet", self.region.id)))?;
        let vpc = first.body.get("VpcId");
        let ids =
            subnets.iter().filter(|subnet| subnet.body.get("VpcId") == vpc).map(|subnet| subnet.id.clone());
        let ids = ids.collect();
        Ok((vpc, ids))
    }

    pub(super) fn balancer(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let (vpc, subnets) = self.subnets(estate)?;
        let of = self.bed.group.of.as_deref();
        let targets: Vec<String> = of.map_or_else(Vec::new, |of| {
            self.others(estate, ec2::INSTANCES, Some(of))
                .iter()
                .map(|instance| instance.id.to_string())
                .collect()
        });
        let input = json!({ "Name": self.name, "Subnets": subnets, "Tags": self.tag_list() });
        let made =
            self.run(estate, elbv2::create_balancer, "elasticloadbalancing:CreateLoadBalancer", &input)?;
        let balancer = text(&made, "/LoadBalancers/0/LoadBalancerArn").to_owned();
        self.adorn(estate, elbv2::BALANCERS, &self.region.id, &balancer);
        let input = json!({
            "Name": format!("{}-targets", self.name), "Protocol": "HTTP", "Port": 80, "VpcId": vpc,
            "HealthCheckPath": "/health", "Tags": self.tag_list(),
        });
        let made = self.run(estate, elbv2::create_group, "elasticloadbalancing:CreateTargetGroup", &input)?;
        let group = text(&made, "/TargetGroups/0/TargetGroupArn").to_owned();
        let input = json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 80,
            "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
        });
        self.run(estate, elbv2::create_listener, "elasticloadbalancing:CreateListener", &input)?;
        let input = Value::Null;
        let ask = self.ask_at("elasticloadbalancing:RegisterTargets", &input, self.born);
        elbv2::register_instances(&ask, estate, &group, &targets);
        self.join(estate, &group);
        Ok(())
    }

    /// What a scaling group launches from now on is registered with its target group.
    fn join(&self, estate: &mut Estate, targets: &str) {
        let Some(of) = self.bed.group.of.as_deref() else { return };
        let names: Vec<Arc<str>> =
            self.others(estate, autoscaling::GROUPS, Some(of)).iter().map(|group| group.id.clone()).collect();
        for name in names {
            let (account, entered) = (&self.bed.account.id, self.bed.world.entered());
            if let Some(group) = estate.get_mut(account, autoscaling::GROUPS, &self.region.id, &name, entered)
            {
                group.body.edit(|body| {
                    let entry = body.entry("TargetGroupARNs").or_insert_with(|| json!([]));
                    if let Some(list) = entry.as_array_mut() {
                        list.push(targets.into());
                    }
                });
            }
        }
    }

    pub(super) fn scaling_group(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let (_, subnets) = self.subnets(estate)?;
        let count = self.bed.group.gib.max(1);
        let launch = self.launch(estate)?;
        let input = json!({
            "LaunchConfigurationName": format!("{}-launch", self.name), "ImageId": launch["ImageId"],
            "InstanceType": self.bed.group.size, "SecurityGroups": launch["SecurityGroupIds"],
        });
        self.run(estate, autoscaling::create_configuration, "autoscaling:CreateLaunchConfiguration", &input)?;
        let tags: Vec<Value> = self
            .tags()
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value, "PropagateAtLaunch": true }))
            .collect();
        let input = json!({
            "AutoScalingGroupName": self.name, "LaunchConfigurationName": format!("{}-launch", self.name),
            "MinSize": 1, "MaxSize": count * 4, "DesiredCapacity": count, "Tags": tags,
            "VPCZoneIdentifier": subnets.join(","), "HealthCheckType": "ELB", "HealthCheckGracePeriod": 120,
        });
        self.run(estate, autoscaling::create_group, "autoscaling:CreateAutoScalingGroup", &input)?;
        self.adorn(estate, autoscaling::GROUPS, &self.region.id, &self.name);
        let members: Vec<String> = self
            .others(estate, ec2::INSTANCES, None)
            .iter()
            .filter(|instance| {
                instance.tags.get("aws:autoscaling:groupName").is_some_and(|name| **name == *self.name)
            })
            .map(|instance| instance.id.to_string())
            .collect();
        for id in members {
            self.adorn(estate, ec2::INSTANCES, &self.region.id, &id);
        }
        Ok(())
    }

    pub(super) fn address(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let instance =
            self.other(estate, ec2::INSTANCES).map(|instance| (instance.id.clone(), instance.born));
        let input = json!({ "Domain": "vpc", "TagSpecifications": self.tag_specification("elastic-ip") });
        let made = self.run(estate, ec2::allocate_address, "ec2:AllocateAddress", &input)?;
        if let Some((instance, born)) = instance {
            let later = (born + TimeDelta::hours(1) - self.born).max(TimeDelta::hours(2));
            let input = json!({ "AllocationId": text(&made, "/AllocationId"), "InstanceId": instance });
            self.run_later(estate, ec2::associate_address, "ec2:AssociateAddress", &input, later)?;
        }
        Ok(())
    }
}
