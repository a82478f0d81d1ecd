//! Networks, instances, disks, snapshots and images.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Plot, text};
use crate::{
    aws::{ask::tag_list, ec2},
    estate::Estate,
    face::FaceName,
    world::GrowError,
};

impl Plot<'_> {
    pub(super) fn network(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let cidr = format!("10.{}.0.0/16", 10 + (self.n - 1) % 200);
        let input = json!({ "CidrBlock": cidr, "TagSpecifications": self.tag_specification("vpc") });
        let made = self.run(estate, ec2::create_vpc, "ec2:CreateVpc", &input)?;
        let vpc = text(&made, "/Vpc/VpcId").to_owned();
        for (index, zone) in self.region.zones.iter().enumerate() {
            let mut tags = self.tags();
            tags.insert("Name".into(), format!("{}-{zone}", self.name).into());
            let input = json!({
                "VpcId": vpc, "AvailabilityZone": zone,
                "CidrBlock": format!("10.{}.{}.0/20", 10 + (self.n - 1) % 200, index * 16),
                "TagSpecifications": [{ "ResourceType": "subnet", "Tags": tag_list(&tags) }],
            });
            self.run(estate, ec2::create_subnet, "ec2:CreateSubnet", &input)?;
        }
        let input = json!({
            "GroupName": format!("{}-web", self.name), "Description": "Web and ssh", "VpcId": vpc,
            "TagSpecifications": self.tag_specification("security-group"),
        });
        self.run(estate, ec2::create_group, "ec2:CreateSecurityGroup", &input)?;
        Ok(())
    }

    /// The architecture of the group's size.
    fn architecture(&self) -> String {
        let size = self.bed.world.plan.size(FaceName::Aws, &self.bed.group.size);
        size.map_or_else(|| "x86_64".to_owned(), |size| size.architecture.to_string())
    }

    /// What a launch of this group's instances asks for.
    pub(super) fn launch(&self, estate: &Estate) -> Result<Value, GrowError> {
        let subnets = self.others(estate, ec2::SUBNETS, None);
        let subnet = subnets.get(usize::try_from(self.n - 1).unwrap_or_default() % subnets.len().max(1));
        let subnet = subnet.ok_or_else(|| GrowError(format!("{} has no network yet", self.region.id)))?;
        let vpc = subnet.body.get("VpcId");
        let web = self.others(estate, ec2::GROUPS, None).into_iter().find(|group| {
            let body = group.body.read();
            body.get("VpcId") == Some(&vpc) && body.get("GroupName").is_some_and(|name| name != "default")
        });
        let none = Value::Null;
        let image = ec2::suitable(&self.ask_at("ec2:DescribeImages", &none, self.born), &self.architecture());
        let gib = self.bed.group.gib.max(8);
        Ok(json!({
            "ImageId": image, "InstanceType": self.bed.group.size, "MinCount": 1, "MaxCount": 1,
            "SubnetId": subnet.id, "SecurityGroupIds": web.map(|group| vec![group.id.clone()]).unwrap_or_default(),
            "BlockDeviceMappings": [{ "DeviceName": "/dev/xvda", "Ebs": { "VolumeSize": gib, "VolumeType": "gp3" } }],
            "TagSpecifications": [
                { "ResourceType": "instance", "Tags": self.tag_list() },
                { "ResourceType": "volume", "Tags": self.tag_list() },
            ],
        }))
    }

    pub(super) fn instance(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let input = self.launch(estate)?;
        let made = self.run(estate, ec2::launch::run, "ec2:RunInstances", &input)?;
        let id = text(&made, "/Instances/0/InstanceId").to_owned();
        self.adorn(estate, ec2::INSTANCES, &self.region.id, &id);
        if self.bed.group.stopped {
            let input = json!({ "InstanceIds": [id] });
            self.run_later(estate, ec2::stop_instances, "ec2:StopInstances", &input, TimeDelta::hours(1))?;
        }
        Ok(())
    }

    pub(super) fn disk(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let instance = self.other(estate, ec2::INSTANCES);
        let turn = usize::try_from(self.n - 1).unwrap_or_default() % self.region.zones.len().max(1);
        let zone = instance
            .and_then(|instance| instance.zone.clone())
            .or_else(|| self.region.zones.get(turn).cloned());
        let used = instance
            .map_or(0, |instance| instance.body.get("BlockDeviceMappings").as_array().map_or(0, Vec::len));
        // A disk cannot be attached before its instance is there.
        let ready = instance.map(|instance| (instance.id.clone(), instance.born + TimeDelta::minutes(5)));
        let kind = if self.bed.group.size.is_empty() { "gp3" } else { &self.bed.group.size };
        let input = json!({
            "AvailabilityZone": zone, "Size": self.bed.group.gib.max(1), "VolumeType": kind,
            "TagSpecifications": self.tag_specification("volume"),
        });
        let made = self.run(estate, ec2::volumes::create, "ec2:CreateVolume", &input)?;
        let id = text(&made, "/VolumeId").to_owned();
        self.adorn(estate, ec2::VOLUMES, &self.region.id, &id);
        if let Some((instance, ready)) = ready {
            let letter = char::from(b'f' + u8::try_from(used.saturating_sub(1) % 20).unwrap_or_default());
            let input =
                json!({ "VolumeId": id, "InstanceId": instance, "Device": format!("/dev/sd{letter}") });
            let after = (ready - self.born).max(TimeDelta::minutes(5));
            self.run_later(estate, ec2::volumes::attach, "ec2:AttachVolume", &input, after)?;
        }
        Ok(())
    }

    pub(super) fn snapshot(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let volume = self.other(estate, ec2::VOLUMES).map(|volume| volume.id.clone());
        // The disks of an instance are called as it is.
        let volume = volume.ok_or_else(|| GrowError("a snapshot needs the disks of `of`".to_owned()))?;
        let input = json!({
            "VolumeId": volume, "Description": self.name, "TagSpecifications": self.tag_specification("snapshot"),
        });
        self.run(estate, ec2::create_snapshot, "ec2:CreateSnapshot", &input)?;
        Ok(())
    }

    pub(super) fn image(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let instances = self.others(estate, ec2::INSTANCES, self.bed.group.of.as_deref());
        let instance = instances.iter().find(|instance| instance.born < self.born).or(instances.first());
        let instance = instance.ok_or_else(|| GrowError("an image needs an instance".to_owned()))?;
        let later = (instance.born + TimeDelta::hours(2) - self.born).max(TimeDelta::zero());
        let input = json!({
            "InstanceId": instance.id, "Name": self.name, "TagSpecifications": self.tag_specification("image"),
        });
        self.run_later(estate, ec2::create_image, "ec2:CreateImage", &input, later)?;
        Ok(())
    }
}
