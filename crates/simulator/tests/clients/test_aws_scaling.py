"""Load balancers, target groups and the health of targets; Auto Scaling groups that launch and terminate."""

import pytest
from aws_clients import client, code, every
from aws_fixtures import fresh
from botocore.exceptions import ClientError


@pytest.fixture(scope="session")
def elb(account):
    return client("elbv2", account)


@pytest.fixture(scope="session")
def scaling(account):
    return client("autoscaling", account)


def refused(call, **arguments):
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return code(found)


@pytest.fixture
def balancer(elb, network):
    made = elb.create_load_balancer(Name=fresh("lb"), Subnets=network.subnets, Tags=[{"Key": "a", "Value": "1"}])
    return made["LoadBalancers"][0]["LoadBalancerArn"]


@pytest.fixture
def targets(elb, network):
    made = elb.create_target_group(Name=fresh("tg"), Protocol="HTTP", Port=80, VpcId=network.vpc, HealthCheckIntervalSeconds=10, HealthyThresholdCount=2)
    return made["TargetGroups"][0]["TargetGroupArn"]


def health(elb, targets):
    described = elb.describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in described}


def forward(elb, balancer, targets):
    actions = [{"Type": "forward", "TargetGroupArn": targets}]
    made = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=actions)
    return made["Listeners"][0]["ListenerArn"]


def test_load_balancers(elb, ec2, network, balancer, control):
    shown = elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]
    assert (shown["State"]["Code"], shown["Type"], shown["VpcId"]) == ("provisioning", "application", network.vpc)
    control.advance(120)
    name = shown["LoadBalancerName"]
    assert elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]["State"]["Code"] == "active"
    assert refused(elb.create_load_balancer, Name=name, Subnets=network.subnets) == "DuplicateLoadBalancerName"
    assert refused(elb.create_load_balancer, Name=fresh("lb"), Subnets=network.subnets[:1]) == "ValidationError"
    assert refused(elb.create_load_balancer, Name=fresh("lb"), Subnets=["subnet-0", "subnet-1"]) == "SubnetNotFound"
    twice = [network.subnets[0], ec2.create_subnet(VpcId=network.vpc, CidrBlock="172.20.90.0/24", AvailabilityZone=network.zones[0])["Subnet"]["SubnetId"]]
    assert refused(elb.create_load_balancer, Name=fresh("lb"), Subnets=twice) == "InvalidConfigurationRequest"
    assert refused(elb.describe_load_balancers, Names=["gone"]) == "LoadBalancerNotFound"
    elb.delete_load_balancer(LoadBalancerArn=balancer)
    assert refused(elb.describe_load_balancers, LoadBalancerArns=[balancer]) == "LoadBalancerNotFound"


def test_listeners_route(elb, balancer, targets):
    listener = forward(elb, balancer, targets)
    with pytest.raises(ClientError) as found:
        forward(elb, balancer, targets)
    assert code(found) == "DuplicateListener"
    assert elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"] == listener
    assert elb.describe_target_groups(TargetGroupArns=[targets])["TargetGroups"][0]["LoadBalancerArns"] == [balancer]
    assert [one["TargetGroupArn"] for one in elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]] == [targets]
    assert refused(elb.delete_target_group, TargetGroupArn=targets) == "ResourceInUse"
    elb.delete_listener(ListenerArn=listener)
    assert refused(elb.delete_listener, ListenerArn=listener) == "ListenerNotFound"
    elb.delete_target_group(TargetGroupArn=targets)
    assert refused(elb.describe_target_health, TargetGroupArn=targets) == "TargetGroupNotFound"


def test_the_health_of_targets(elb, ec2, balancer, targets, network, launch, control):
    (one,) = launch()
    (other,) = launch(SubnetId=network.subnets[1])
    (idle,) = launch(wait=False)
    assert refused(elb.register_targets, TargetGroupArn=targets, Targets=[{"Id": idle}]) == "InvalidTarget"
    elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": one}, {"Id": other}])
    assert health(elb, targets) == {one: "unused", other: "unused"}
    forward(elb, balancer, targets)
    assert health(elb, targets) == {one: "initial", other: "initial"}
    control.advance(60)
    assert health(elb, targets) == {one: "healthy", other: "healthy"}
    control.fault("unhealthy", face="aws", zone=network.zones[0])
    assert health(elb, targets) == {one: "unhealthy", other: "healthy"}
    control.clear_faults()
    ec2.stop_instances(InstanceIds=[one])
    described = elb.describe_target_health(TargetGroupArn=targets, Targets=[{"Id": one}])["TargetHealthDescriptions"]
    assert described[0]["TargetHealth"]["Reason"] == "Target.InvalidState"
    elb.deregister_targets(TargetGroupArn=targets, Targets=[{"Id": one}])
    assert health(elb, targets) == {other: "healthy"}


def test_tags_of_load_balancers(elb, balancer, targets):
    elb.add_tags(ResourceArns=[balancer, targets], Tags=[{"Key": "b", "Value": "2"}])
    elb.remove_tags(ResourceArns=[balancer], TagKeys=["a"])
    described = elb.describe_tags(ResourceArns=[balancer, targets])["TagDescriptions"]
    assert [one["Tags"] for one in described] == [[{"Key": "b", "Value": "2"}]] * 2
    assert refused(elb.describe_tags, ResourceArns=[targets + "x"]) == "TargetGroupNotFound"


def test_lists_of_target_groups_are_paged(elb, network):
    for _ in range(3):
        elb.create_target_group(Name=fresh("paged"), Protocol="TCP", Port=80, VpcId=network.vpc)
    groups, pages = every(elb, "describe_target_groups", "TargetGroups", PaginationConfig={"PageSize": 2})
    assert pages >= 2 and len({one["TargetGroupArn"] for one in groups}) == len(groups)
    balancers, _ = every(elb, "describe_load_balancers", "LoadBalancers", PaginationConfig={"PageSize": 1})
    assert balancers


@pytest.fixture
def group(scaling, network, targets):
    name = fresh("group")
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId=network.image, InstanceType="m7g.large")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=1,
        MaxSize=6,
        DesiredCapacity=2,
        VPCZoneIdentifier=",".join(network.subnets),
        TargetGroupARNs=[targets],
        Tags=[{"Key": "app", "Value": "x", "PropagateAtLaunch": True}, {"Key": "own", "Value": "y", "PropagateAtLaunch": False}],
    )
    return name


def members(scaling, group):
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return {one["InstanceId"]: (one["LifecycleState"], one["HealthStatus"]) for one in found["Instances"]}


def test_a_group_has_the_size_that_is_wanted(scaling, ec2, elb, network, group, targets, control):
    first = members(scaling, group)
    assert list(first.values()) == [("Pending", "Healthy")] * 2
    assert set(health(elb, targets)) == set(first)
    control.advance(60)
    assert list(members(scaling, group).values()) == [("InService", "Healthy")] * 2
    described = [instance for one in ec2.describe_instances(InstanceIds=list(first))["Reservations"] for instance in one["Instances"]]
    assert {one["Placement"]["AvailabilityZone"] for one in described} == set(network.zones)
    tags = {tag["Key"]: tag["Value"] for tag in described[0]["Tags"]}
    assert tags == {"app": "x", "aws:autoscaling:groupName": group}
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=4)
    assert len(members(scaling, group)) == 4
    for wrong in (7, 0):
        assert refused(scaling.set_desired_capacity, AutoScalingGroupName=group, DesiredCapacity=wrong) == "ValidationError"
    scaling.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=1, MaxSize=3)
    control.advance(120)
    assert len(members(scaling, group)) == 3
    victim = sorted(members(scaling, group))[0]
    ended = scaling.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=True)
    assert victim in ended["Activity"]["Description"]
    control.advance(120)
    assert len(members(scaling, group)) == 2 and victim not in members(scaling, group)
    activities, pages = every(scaling, "describe_scaling_activities", "Activities", AutoScalingGroupName=group, PaginationConfig={"PageSize": 2})
    assert len(activities) >= 6 and pages >= 3


def test_a_group_says_why_it_cannot_launch(scaling, network, group, control):
    control.fault("no_capacity", face="aws", zone=network.zones[0])
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=3)
    assert len(members(scaling, group)) == 3, "the other zone has capacity"
    control.fault("no_capacity", face="aws")
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=5)
    assert len(members(scaling, group)) == 3
    last = scaling.describe_scaling_activities(AutoScalingGroupName=group)["Activities"][0]
    assert last["StatusCode"] == "Failed" and "capacity" in last["StatusMessage"]
    control.clear_faults()
    scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=5)
    assert len(members(scaling, group)) == 5


def test_groups_are_refused_tagged_listed_and_deleted(scaling, network, group, control):
    again = {"AutoScalingGroupName": group, "LaunchConfigurationName": group, "MinSize": 0, "MaxSize": 1}
    subnet = {"VPCZoneIdentifier": network.subnets[0]}
    assert refused(scaling.create_auto_scaling_group, **again, **subnet) == "AlreadyExists"
    other = {**again, "AutoScalingGroupName": fresh("group")}
    assert refused(scaling.create_auto_scaling_group, **other) == "ValidationError"
    assert refused(scaling.create_auto_scaling_group, **{**other, "MinSize": 2}, **subnet) == "ValidationError"
    assert refused(scaling.create_auto_scaling_group, **{**other, "LaunchConfigurationName": "gone"}, **subnet) == "ValidationError"
    assert refused(scaling.create_launch_configuration, LaunchConfigurationName=group, ImageId="x", InstanceType="m7g.large") == "AlreadyExists"
    tag = {"ResourceId": group, "ResourceType": "auto-scaling-group", "Key": "more", "Value": "z", "PropagateAtLaunch": True}
    scaling.create_or_update_tags(Tags=[tag])
    found, pages = every(scaling, "describe_auto_scaling_groups", "AutoScalingGroups", PaginationConfig={"PageSize": 1})
    assert pages == len(found) >= 2
    assert tag in next(one for one in found if one["AutoScalingGroupName"] == group)["Tags"]
    only = scaling.describe_auto_scaling_groups(Filters=[{"Name": "tag:more", "Values": ["z"]}])["AutoScalingGroups"]
    assert [one["AutoScalingGroupName"] for one in only] == [group]
    configurations, _ = every(scaling, "describe_launch_configurations", "LaunchConfigurations", PaginationConfig={"PageSize": 1})
    assert group in [one["LaunchConfigurationName"] for one in configurations]
    assert refused(scaling.delete_launch_configuration, LaunchConfigurationName=group) == "ResourceInUse"
    assert refused(scaling.delete_auto_scaling_group, AutoScalingGroupName=group) == "ResourceInUse"
    scaling.delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
    listed = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    assert listed[0]["Status"] == "Delete in progress"
    control.advance(120)
    assert scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"] == []
    scaling.delete_launch_configuration(LaunchConfigurationName=group)


@pytest.fixture
def template(ec2, network):
    """A launch template whose instances get an address on the internet."""
    name = fresh("template")
    data = {
        "ImageId": network.image,
        "InstanceType": "m7g.large",
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [network.group]}],
        "TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "of", "Value": name}]}],
    }
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "app", "Value": name}]}]
    made = ec2.create_launch_template(LaunchTemplateName=name, ClientToken=name, LaunchTemplateData=data, TagSpecifications=tags)
    again = ec2.create_launch_template(LaunchTemplateName=name, ClientToken=name, LaunchTemplateData=data, TagSpecifications=tags)
    assert made["LaunchTemplate"] == again["LaunchTemplate"]
    code_of_name = "InvalidLaunchTemplateName.AlreadyExistsException"
    assert refused(ec2.create_launch_template, LaunchTemplateName=name, LaunchTemplateData=data) == code_of_name
    return name


def test_launch_templates(ec2, template):
    by_tag = [{"Name": "tag:app", "Values": [template]}]
    (shown,) = ec2.describe_launch_templates(Filters=by_tag)["LaunchTemplates"]
    assert (shown["LaunchTemplateName"], shown["DefaultVersionNumber"]) == (template, 1)
    assert ec2.describe_launch_templates(LaunchTemplateIds=[shown["LaunchTemplateId"]])["LaunchTemplates"] == [shown]
    for more in ({"MetadataOptions": {"HttpTokens": "required"}}, {"InstanceType": "m0.none"}):
        assert refused(ec2.create_launch_template, LaunchTemplateName=fresh("template"), LaunchTemplateData=more)
    ec2.create_launch_template(LaunchTemplateName=fresh("template"), LaunchTemplateData={"InstanceType": "m7g.large"})
    found, pages = every(ec2, "describe_launch_templates", "LaunchTemplates", PaginationConfig={"PageSize": 1})
    assert pages == len(found) >= 2
    ec2.delete_launch_template(LaunchTemplateName=template)
    not_there = "InvalidLaunchTemplateName.NotFoundException"
    assert refused(ec2.delete_launch_template, LaunchTemplateName=template) == not_there
    assert refused(ec2.describe_launch_templates, LaunchTemplateNames=[template]) == not_there


def test_a_group_launches_from_a_template(scaling, ec2, network, template, control):
    name = fresh("group")
    wanted = {"MinSize": 1, "MaxSize": 3, "DesiredCapacity": 2, "VPCZoneIdentifier": ",".join(network.subnets)}
    by_name = {"LaunchTemplateName": template, "Version": "$Default"}
    assert refused(scaling.create_auto_scaling_group, AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateName": "gone"}, **wanted) == "ValidationError"
    assert refused(scaling.create_auto_scaling_group, AutoScalingGroupName=name, LaunchTemplate=by_name, LaunchConfigurationName="x", **wanted) == "ValidationError"
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate=by_name,
        Tags=[{"Key": "app", "Value": "x", "PropagateAtLaunch": True}, {"Key": "own", "Value": "y", "PropagateAtLaunch": False}],
        **wanted,
    )
    (shown,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert shown["LaunchTemplate"]["LaunchTemplateName"] == template and shown["LaunchTemplate"]["LaunchTemplateId"]
    assert {one["LaunchTemplate"]["LaunchTemplateName"] for one in shown["Instances"]} == {template}
    control.advance(60)
    ids = list(members(scaling, name))
    launched = [one for reservation in ec2.describe_instances(InstanceIds=ids)["Reservations"] for one in reservation["Instances"]]
    assert {one["SubnetId"] for one in launched} == set(network.subnets)
    assert all(one["PublicIpAddress"] and one["SecurityGroups"][0]["GroupId"] == network.group for one in launched)
    assert len(ec2.describe_volumes(Filters=[{"Name": "tag:of", "Values": [template]}])["Volumes"]) == 2
    scaling.delete_tags(Tags=[{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "own"}])
    (shown,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert [tag["Key"] for tag in shown["Tags"]] == ["app"]
    assert refused(scaling.delete_tags, Tags=[{"ResourceId": "gone", "ResourceType": "auto-scaling-group", "Key": "x"}]) == "ValidationError"
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
