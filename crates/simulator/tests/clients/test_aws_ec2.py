"""EC2: what exists, page by page; what can be made, changed and ended, in which state, and how long it takes."""

import pytest
from aws_clients import client, code, every, status
from aws_fixtures import fresh
from botocore.exceptions import ClientError


def refused(call, **arguments):
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return code(found)


def state(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def instances(reservations):
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def test_places_and_sizes_are_the_worlds(ec2, account):
    regions = {region["RegionName"] for region in ec2.describe_regions()["Regions"]}
    assert regions == set(account["regions"])
    one = ec2.describe_regions(RegionNames=[account["regions"][1]])["Regions"]
    assert [region["RegionName"] for region in one] == [account["regions"][1]]
    assert refused(ec2.describe_regions, RegionNames=["mars-1"]) == "InvalidParameterValue"
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert len(zones) == 3 and all(zone["State"] == "available" for zone in zones)
    types, pages = every(ec2, "describe_instance_types", "InstanceTypes", PaginationConfig={"PageSize": 5})
    assert pages > 2 and len({kind["InstanceType"] for kind in types}) == len(types)
    found = ec2.describe_instance_types(Filters=[{"Name": "instance-type", "Values": ["m7g.large", "gone.large"]}])
    assert [(kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]) for kind in found["InstanceTypes"]] == [(2, 8192)]
    assert refused(ec2.describe_instance_types, InstanceTypes=["gone.large"]) == "InvalidInstanceType"
    current = every(ec2, "describe_instance_types", "InstanceTypes", Filters=[{"Name": "current-generation", "Values": ["true"]}])[0]
    assert {one["InstanceType"] for one in current} == {one["InstanceType"] for one in types}


def test_zones_have_instance_types(ec2):
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    offered, pages = every(ec2, "describe_instance_type_offerings", "InstanceTypeOfferings", LocationType="availability-zone",
                           PaginationConfig={"PageSize": 5})
    assert pages > 2 and len({(one["InstanceType"], one["Location"]) for one in offered}) == len(offered)
    where = [one["Location"] for one in offered if one["InstanceType"] == "m7g.large"]
    assert sorted(where) == sorted(zones)
    here = ec2.describe_instance_type_offerings(Filters=[{"Name": "instance-type", "Values": ["m7g.*"]}])["InstanceTypeOfferings"]
    assert {one["LocationType"] for one in here} == {"region"} and len(here) > 2
    assert refused(ec2.describe_instance_type_offerings, NextToken="nonsense") == "InvalidNextToken"


def test_dry_runs_change_nothing(ec2, launch):
    before = ec2.describe_instances()["Reservations"]
    with pytest.raises(ClientError) as found:
        launch(DryRun=True)
    assert (code(found), status(found)) == ("DryRunOperation", 412)
    assert refused(ec2.describe_volumes, DryRun=True) == "DryRunOperation"
    assert ec2.describe_instances()["Reservations"] == before


@pytest.mark.parametrize(
    ("operation", "member", "size"),
    [
        ("describe_instances", "Reservations", 5),
        ("describe_volumes", "Volumes", 5),
        ("describe_snapshots", "Snapshots", 5),
        ("describe_subnets", "Subnets", 5),
        ("describe_security_groups", "SecurityGroups", 5),
        ("describe_tags", "Tags", 50),
    ],
)
def test_pages_have_everything_once(ec2, operation, member, size):
    whole = getattr(ec2, operation)()[member]
    pages, count = every(ec2, operation, member, PaginationConfig={"PageSize": size})
    key = {"Reservations": "Instances", "Volumes": "VolumeId"}.get(member)
    if key == "Instances":
        whole, pages = instances(whole), instances(pages)
        ids = [instance["InstanceId"] for instance in pages]
        assert len(ids) == len(set(ids))
        assert sorted(ids) == sorted(instance["InstanceId"] for instance in whole)
    else:
        assert pages == whole
    assert count >= 2 and count == -(-len(pages) // size)


def test_a_token_of_another_question_is_refused(ec2):
    token = ec2.describe_instances(MaxResults=5)["NextToken"]
    assert refused(ec2.describe_volumes, MaxResults=5, NextToken=token) == "InvalidNextToken"
    other = [{"Name": "instance-state-name", "Values": ["running"]}]
    assert refused(ec2.describe_instances, MaxResults=5, NextToken=token, Filters=other) == "InvalidNextToken"
    assert refused(ec2.describe_instances, NextToken="nonsense") == "InvalidNextToken"
    assert refused(ec2.describe_instances, MaxResults=4) == "InvalidParameterValue"


def test_faults_double_and_lose_items_between_pages(ec2, control):
    ids = {instance["InstanceId"] for instance in instances(ec2.describe_instances()["Reservations"])}
    control.fault("doubled_items", face="aws", operation="DescribeInstances")
    listed = instances(every(ec2, "describe_instances", "Reservations", PaginationConfig={"PageSize": 5})[0])
    assert len(listed) > len(ids) and {instance["InstanceId"] for instance in listed} == ids
    control.clear_faults()
    control.fault("missing_items", face="aws", operation="DescribeInstances")
    listed = instances(every(ec2, "describe_instances", "Reservations", PaginationConfig={"PageSize": 5})[0])
    assert len(listed) < len(ids)


def test_filters(ec2, launch, network):
    name = fresh("filtered")
    tags = [{"Key": "Name", "Value": name}, {"Key": "color", "Value": "green"}]
    (instance,) = launch(TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
    for filters in [
        [("tag:Name", name)],
        [("tag:Name", "filtered-*"), ("tag:color", "gr??n"), ("instance-id", instance)],
        [("tag-key", "color"), ("vpc-id", network.vpc), ("instance-state-name", "running"), ("tag:Name", name)],
        [("instance-type", "m7g.*"), ("subnet-id", network.subnets[0]), ("availability-zone", network.zones[0]), ("tag:Name", name)],
    ]:
        asked = [{"Name": key, "Values": [value]} for key, value in filters]
        found = instances(ec2.describe_instances(Filters=asked)["Reservations"])
        assert [one["InstanceId"] for one in found] == [instance], filters
    assert ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["none"]}])["Reservations"] == []
    assert refused(ec2.describe_instances, Filters=[{"Name": "nonsense", "Values": ["x"]}]) == "InvalidParameterValue"


def test_ids_are_checked(ec2):
    assert refused(ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"]) == "InvalidInstanceID.NotFound"
    assert refused(ec2.describe_instances, InstanceIds=["nonsense"]) == "InvalidInstanceID.Malformed"
    assert refused(ec2.describe_volumes, VolumeIds=["vol-0123456789abcdef0"]) == "InvalidVolume.NotFound"
    assert refused(ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"]) == "InvalidVpcID.NotFound"
    assert refused(ec2.describe_images, ImageIds=["ami-0123456789abcdef0"]) == "InvalidAMIID.NotFound"
    assert refused(ec2.describe_addresses, AllocationIds=["eipalloc-0123456789abcdef0"]) == "InvalidAllocationID.NotFound"


def test_the_life_of_an_instance(ec2, launch, control):
    (instance,) = launch(wait=False)
    assert state(ec2, instance) == "pending"
    assert refused(ec2.stop_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    control.advance(30)
    assert state(ec2, instance) == "running"
    assert refused(ec2.modify_instance_attribute, InstanceId=instance, InstanceType={"Value": "m7g.xlarge"}) == "IncorrectInstanceState"
    ec2.reboot_instances(InstanceIds=[instance])
    change = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    assert refused(ec2.start_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    control.advance(60)
    assert state(ec2, instance) == "stopped"
    assert refused(ec2.reboot_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "m7g.xlarge"})
    shown = ec2.describe_instance_attribute(InstanceId=instance, Attribute="instanceType")
    assert shown["InstanceType"]["Value"] == "m7g.xlarge"
    wrong = {"InstanceId": instance, "InstanceType": {"Value": "gone.large"}}
    assert refused(ec2.modify_instance_attribute, **wrong) == "InvalidInstanceAttributeValue"
    assert ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]["CurrentState"]["Name"] == "pending"
    control.advance(30)
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    assert refused(ec2.terminate_instances, InstanceIds=[instance]) == "OperationNotPermitted"
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
    ended = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert ended["CurrentState"]["Name"] == "shutting-down"
    control.advance(60)
    assert state(ec2, instance) == "terminated"
    assert refused(ec2.start_instances, InstanceIds=[instance]) == "IncorrectInstanceState"
    assert len(volumes) == 1
    assert refused(ec2.describe_volumes, VolumeIds=[volumes[0]["VolumeId"]]) == "InvalidVolume.NotFound"
    control.advance(2 * 3600)
    assert refused(ec2.describe_instances, InstanceIds=[instance]) == "InvalidInstanceID.NotFound"


def test_a_client_token_makes_one_instance_only(ec2, launch, control):
    token = fresh("token")
    after = control.ledger()["next"]
    first = launch(ClientToken=token, wait=False)
    assert launch(ClientToken=token, wait=False) == first
    made = [entry for entry in control.ledger(after)["entries"] if entry["kind"] == "ec2/instance"]
    assert [(entry["id"], entry["token"]) for entry in made] == [(first[0], token)]
    with pytest.raises(ClientError) as found:
        launch(ClientToken=token, InstanceType="m7g.xlarge")
    assert code(found) == "IdempotentParameterMismatch"


def test_launches_are_refused(ec2, launch, network, control):
    for wrong, expected in [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "gone.large"}, "InvalidParameterValue"),
        ({"InstanceType": "m6i.large"}, "InvalidParameterValue"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"MinCount": 2, "MaxCount": 1}, "InvalidParameterValue"),
        ({"MaxCount": 2_000}, "InstanceLimitExceeded"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 2**31 - 1}}]}, "InvalidParameterValue"),
        ({"LaunchTemplate": {"LaunchTemplateName": "x"}}, "UnsupportedOperation"),
    ]:
        with pytest.raises(ClientError) as found:
            launch(**wrong)
        assert code(found) == expected, wrong
    control.fault("no_capacity", face="aws", zone=network.zones[0], size="m7g.large")
    with pytest.raises(ClientError) as found:
        launch()
    assert (code(found), status(found)) == ("InsufficientInstanceCapacity", 500)
    launch(SubnetId=network.subnets[1])
    launch(InstanceType="m7g.xlarge")
    control.clear_faults()
    control.fault("quota", face="aws", operation="RunInstances", limit=1)
    with pytest.raises(ClientError) as found:
        launch()
    assert code(found) == "VcpuLimitExceeded"


def test_what_is_made_may_be_unseen_for_a_while(ec2, launch, control):
    control.fault("unseen", face="aws", operation="RunInstances", seconds=20)
    (instance,) = launch(wait=False)
    assert refused(ec2.describe_instances, InstanceIds=[instance]) == "InvalidInstanceID.NotFound"
    control.advance(25)
    assert state(ec2, instance) == "running"


def test_volumes(ec2, launch, network, control):
    assert refused(ec2.create_volume, AvailabilityZone="mars-1a", Size=1) == "InvalidZone.NotFound"
    assert refused(ec2.create_volume, AvailabilityZone=network.zones[0]) == "MissingParameter"
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "data"}]}]
    made = ec2.create_volume(AvailabilityZone=network.zones[0], Size=20, VolumeType="gp3", TagSpecifications=tags)
    volume = made["VolumeId"]
    assert (made["State"], made["Iops"], made["Throughput"]) == ("creating", 3000, 125)
    (instance,) = launch()
    (other,) = launch(SubnetId=network.subnets[1])
    place = {"VolumeId": volume, "Device": "/dev/sdf"}
    assert refused(ec2.attach_volume, InstanceId=other, **place) == "InvalidVolume.ZoneMismatch"
    ec2.attach_volume(InstanceId=instance, **place)
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "in-use"
    assert refused(ec2.attach_volume, InstanceId=instance, **place) == "IncorrectState"
    assert refused(ec2.delete_volume, VolumeId=volume) == "VolumeInUse"
    change = ec2.modify_volume(VolumeId=volume, Size=40)["VolumeModification"]
    assert (change["OriginalSize"], change["TargetSize"], change["ModificationState"]) == (20, 40, "modifying")
    control.advance(900)
    changes = ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"]
    assert changes[0]["ModificationState"] == "completed"
    assert refused(ec2.modify_volume, VolumeId=volume, Size=50) == "VolumeModificationRateExceeded"
    control.advance(6 * 3600)
    assert refused(ec2.modify_volume, VolumeId=volume, Size=10) == "InvalidParameterValue"
    root = ec2.describe_volumes(Filters=[{"Name": "attachment.device", "Values": ["/dev/xvda"]}, {"Name": "attachment.instance-id", "Values": [instance]}])
    assert refused(ec2.detach_volume, VolumeId=root["Volumes"][0]["VolumeId"]) == "OperationNotPermitted"
    ec2.detach_volume(VolumeId=volume)
    assert refused(ec2.detach_volume, VolumeId=volume) == "IncorrectState"
    ec2.delete_volume(VolumeId=volume)
    assert refused(ec2.describe_volumes, VolumeIds=[volume]) == "InvalidVolume.NotFound"


def test_snapshots_and_images(ec2, launch, account, control):
    (instance,) = launch()
    volume = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]
    made = ec2.create_snapshot(VolumeId=volume["VolumeId"], Description="before")
    snapshot = made["SnapshotId"]
    assert (made["State"], made["Progress"]) == ("pending", "0%")
    there = client("ec2", account, account["regions"][1])
    copy = {"SourceRegion": account["regions"][0], "SourceSnapshotId": snapshot}
    assert refused(there.copy_snapshot, **copy) == "IncorrectState"
    control.advance(90)
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Progress"] == "100%"
    copied = there.copy_snapshot(**copy)["SnapshotId"]
    assert there.describe_snapshots(SnapshotIds=[copied])["Snapshots"][0]["VolumeId"] == "vol-ffffffff"
    assert ec2.create_volume(AvailabilityZone=volume["AvailabilityZone"], SnapshotId=snapshot)["Size"] == volume["Size"]

    name = fresh("image")
    image = ec2.create_image(InstanceId=instance, Name=name)["ImageId"]
    assert refused(ec2.create_image, InstanceId=instance, Name=name) == "InvalidAMIName.Duplicate"
    shown = ec2.describe_images(ImageIds=[image])["Images"][0]
    assert shown["State"] == "pending"
    with pytest.raises(ClientError) as found:
        launch(ImageId=image)
    assert code(found) == "InvalidAMIID.Unavailable"
    control.advance(180)
    launch(ImageId=image)
    used = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert refused(ec2.delete_snapshot, SnapshotId=used) == "InvalidSnapshot.InUse"
    moved = there.copy_image(Name=name, SourceImageId=image, SourceRegion=account["regions"][0])["ImageId"]
    assert there.describe_images(ImageIds=[moved])["Images"][0]["Name"] == name
    ours = {one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]}
    assert image in ours and not any(one["Public"] for one in ec2.describe_images(Owners=["self"])["Images"])
    ec2.deregister_image(ImageId=image)
    ec2.delete_snapshot(SnapshotId=used)
    assert refused(ec2.describe_snapshots, SnapshotIds=[used]) == "InvalidSnapshot.NotFound"
    assert refused(ec2.describe_images, ImageIds=[image]) == "InvalidAMIID.NotFound"


def test_networks(ec2, network, launch):
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/8") == "InvalidVpc.Range"
    vpc = ec2.create_vpc(CidrBlock="172.30.0.0/16")["Vpc"]["VpcId"]
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="172.31.0.0/24") == "InvalidSubnet.Range"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="172.30.1.0/24")["Subnet"]
    assert subnet["AvailableIpAddressCount"] == 251
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="172.30.0.0/20") == "InvalidSubnet.Conflict"
    assert refused(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    assert refused(ec2.create_security_group, GroupName="g", Description="d", VpcId=vpc) == "InvalidGroup.Duplicate"
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    default = next(one["GroupId"] for one in groups if one["GroupName"] == "default")
    assert refused(ec2.delete_security_group, GroupId=default) == "CannotDelete"
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc)
    assert refused(ec2.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
    launch(SecurityGroupIds=[network.group])
    assert refused(ec2.delete_subnet, SubnetId=network.subnets[0]) == "DependencyViolation"
    assert refused(ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"


def test_addresses(ec2, launch, control):
    (instance,) = launch()
    made = ec2.allocate_address(Domain="vpc")
    allocation = made["AllocationId"]
    association = ec2.associate_address(AllocationId=allocation, InstanceId=instance)["AssociationId"]
    shown = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    assert (shown["InstanceId"], shown["PublicIp"]) == (instance, made["PublicIp"])
    assert refused(ec2.associate_address, AllocationId=allocation, InstanceId=instance) == "Resource.AlreadyAssociated"
    assert refused(ec2.release_address, AllocationId=allocation) == "InvalidIPAddress.InUse"
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert described["PublicIpAddress"] == made["PublicIp"]
    ec2.disassociate_address(AssociationId=association)
    assert refused(ec2.disassociate_address, AssociationId=association) == "InvalidAssociationID.NotFound"
    ec2.release_address(AllocationId=allocation)
    assert refused(ec2.describe_addresses, AllocationIds=[allocation]) == "InvalidAllocationID.NotFound"
    control.fault("quota", face="aws", operation="AllocateAddress", limit=0)
    assert refused(ec2.allocate_address, Domain="vpc") == "AddressLimitExceeded"


def test_tags(ec2, launch):
    (instance,) = launch()
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "<&\"é>"}])
    mine = [{"Name": "resource-id", "Values": [instance]}]
    found = {tag["Key"]: tag["Value"] for tag in ec2.describe_tags(Filters=mine)["Tags"]}
    assert found == {"a": "1", "b": "<&\"é>"}
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    assert [tag["Key"] for tag in ec2.describe_tags(Filters=mine)["Tags"]] == ["a"]
    assert refused(ec2.create_tags, Resources=[instance], Tags=[{"Key": "aws:x", "Value": ""}]) == "InvalidParameterValue"
    assert refused(ec2.create_tags, Resources=["i-0123456789abcdef0"], Tags=[{"Key": "x", "Value": ""}]) == "InvalidID"
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert refused(ec2.create_tags, Resources=[instance], Tags=many) == "TagLimitExceeded"


def test_statuses(ec2, launch, control):
    (instance,) = launch()
    status_of = lambda: ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]["InstanceStatus"]["Status"]
    assert status_of() == "initializing"
    control.advance(300)
    assert status_of() == "ok"
    control.fault("unhealthy", face="aws", service="ec2")
    assert status_of() == "impaired"


def test_a_client_token_makes_one_volume_only(ec2, network):
    asked = {"AvailabilityZone": network.zones[0], "Size": 1, "ClientToken": fresh("volume-token")}
    first = ec2.create_volume(**asked)["VolumeId"]
    assert ec2.create_volume(**asked)["VolumeId"] == first
    assert refused(ec2.create_volume, **{**asked, "Size": 2}) == "IdempotentParameterMismatch"


def test_encryption_goes_with_a_volumes_data(ec2, launch, account, network, control):
    encrypted = [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]
    (instance,) = launch(BlockDeviceMappings=encrypted)
    volume = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]
    assert volume["Encrypted"]
    snapshot = ec2.create_snapshot(VolumeId=volume["VolumeId"])["SnapshotId"]
    of = {"AvailabilityZone": network.zones[0], "SnapshotId": snapshot}
    assert refused(ec2.create_volume, **of) == "IncorrectState"
    image = ec2.create_image(InstanceId=instance, Name=fresh("encrypted"))["ImageId"]
    control.advance(180)
    assert ec2.create_volume(**of)["Encrypted"]
    there = client("ec2", account, account["regions"][1])
    copied = {"Name": fresh("encrypted"), "SourceImageId": image, "SourceRegion": account["regions"][0]}
    copies = [there.copy_image(**copied)["ImageId"]]
    for where, made in [(ec2, image), (there, copies[0])]:
        disk = where.describe_images(ImageIds=[made])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]
        assert disk["Encrypted"]
        assert where.describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"][0]["Encrypted"]
    (another,) = launch(ImageId=image)
    mine = [{"Name": "attachment.instance-id", "Values": [another]}]
    assert ec2.describe_volumes(Filters=mine)["Volumes"][0]["Encrypted"]
    (plain,) = launch()
    image = ec2.create_image(InstanceId=plain, Name=fresh("plain"))["ImageId"]
    control.advance(180)
    copied = {"Name": fresh("sealed"), "SourceImageId": image, "SourceRegion": account["regions"][0], "Encrypted": True}
    sealed = there.copy_image(**copied)["ImageId"]
    assert there.describe_images(ImageIds=[sealed])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]


def test_the_quota_of_processors_holds_for_starting_too(ec2, launch, control):
    (instance,) = launch()
    ec2.stop_instances(InstanceIds=[instance])
    control.advance(60)
    fault = {"face": "aws", "operation": "StartInstances"}
    control.fault("quota", **fault, limit=1)
    assert refused(ec2.start_instances, InstanceIds=[instance]) == "VcpuLimitExceeded"
    assert state(ec2, instance) == "stopped"
    control.clear_faults()
    control.fault("quota", **fault, limit=10_000)
    ec2.start_instances(InstanceIds=[instance])
    control.clear_faults()
    control.fault("quota", **fault, limit=1)
    ec2.start_instances(InstanceIds=[instance])


def test_private_addresses_are_used_once(ec2, launch, network, control):
    vpc = ec2.create_vpc(CidrBlock="172.29.0.0/16")["Vpc"]["VpcId"]
    place = {"VpcId": vpc, "AvailabilityZone": network.zones[0]}
    subnet = ec2.create_subnet(CidrBlock="172.29.1.0/28", **place)["Subnet"]["SubnetId"]
    free = lambda: ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]
    assert free() == 11
    fixed = {"SubnetId": subnet, "PrivateIpAddress": "172.29.1.6"}
    (first,) = launch(**fixed)
    for wrong, expected in [
        (fixed, "InvalidIPAddress.InUse"),
        ({**fixed, "count": 2}, "InvalidParameterCombination"),
        ({**fixed, "PrivateIpAddress": "172.29.2.6"}, "InvalidParameterValue"),
        ({**fixed, "PrivateIpAddress": "172.29.1.3"}, "InvalidParameterValue"),
        ({**fixed, "PrivateIpAddress": "172.29.1.15"}, "InvalidParameterValue"),
        ({**fixed, "PrivateIpAddress": "nonsense"}, "InvalidParameterValue"),
    ]:
        with pytest.raises(ClientError) as found:
            launch(**wrong)
        assert code(found) == expected, wrong
    with pytest.raises(ClientError) as found:
        launch(count=11, SubnetId=subnet)
    assert code(found) == "InsufficientFreeAddressesInSubnet"
    others = launch(count=1, MaxCount=20, SubnetId=subnet)
    mine = [{"Name": "subnet-id", "Values": [subnet]}]
    listed = instances(ec2.describe_instances(Filters=mine)["Reservations"])
    addresses = {one["PrivateIpAddress"] for one in listed}
    assert addresses == {f"172.29.1.{n}" for n in range(4, 15)} and len(others) == 10 and free() == 0
    ec2.terminate_instances(InstanceIds=[first])
    with pytest.raises(ClientError) as found:
        launch(SubnetId=subnet)
    assert code(found) == "InsufficientFreeAddressesInSubnet"
    control.advance(60)
    (again,) = launch(SubnetId=subnet)
    shown = ec2.describe_instances(InstanceIds=[again])["Reservations"][0]["Instances"][0]
    assert shown["PrivateIpAddress"] == "172.29.1.6"


def test_what_instances_had_is_let_go_with_all_of_them(ec2, launch, network):
    kept = ec2.create_volume(AvailabilityZone=network.zones[0], Size=1)["VolumeId"]
    ended = launch(count=2)
    allocations = [ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in ended]
    for instance, allocation in zip(ended, allocations):
        ec2.associate_address(AllocationId=allocation, InstanceId=instance)
    ec2.attach_volume(VolumeId=kept, InstanceId=ended[1], Device="/dev/sdf")
    ec2.terminate_instances(InstanceIds=ended)
    assert ec2.describe_volumes(VolumeIds=[kept])["Volumes"][0]["State"] == "available"
    for allocation in allocations:
        assert "InstanceId" not in ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
        ec2.release_address(AllocationId=allocation)


def test_a_client_token_is_forgotten_a_day_after_its_instance(ec2, launch, network, control):
    token = fresh("token")
    (first,) = launch(ClientToken=token)
    control.advance(3 * 86400)
    assert launch(ClientToken=token) == [first]
    ec2.terminate_instances(InstanceIds=[first])
    control.advance(86400 - 600)
    with pytest.raises(ClientError) as found:
        launch(ClientToken=token)
    assert code(found) == "IdempotentInstanceTerminated"
    control.advance(1200)
    (second,) = launch(ClientToken=token)
    assert second != first


def test_an_instance_has_the_interface_that_was_asked_for(ec2, network, launch, control):
    interface = {"DeviceIndex": 0, "SubnetId": network.subnets[1], "Groups": [network.group], "AssociatePublicIpAddress": True}
    asked = {"ImageId": network.image, "InstanceType": "m7g.large", "MinCount": 1, "MaxCount": 1}
    (made,) = ec2.run_instances(NetworkInterfaces=[interface], **asked)["Instances"]
    assert (made["SubnetId"], made["SecurityGroups"][0]["GroupId"]) == (network.subnets[1], network.group)
    first = made["PublicIpAddress"]
    for wrong in (
        {"NetworkInterfaces": [interface], "SubnetId": network.subnets[0]},
        {"NetworkInterfaces": [interface], "SecurityGroupIds": [network.group]},
        {"NetworkInterfaces": [{**interface, "DeviceIndex": 1}]},
    ):
        with pytest.raises(ClientError) as refused:
            ec2.run_instances(**wrong, **asked)
        assert code(refused) == "InvalidParameterCombination"
    control.advance(60)
    ids = {"InstanceIds": [made["InstanceId"]]}
    ec2.stop_instances(**ids)
    control.advance(60)
    (stopped,) = ec2.describe_instances(**ids)["Reservations"][0]["Instances"]
    assert "PublicIpAddress" not in stopped
    ec2.start_instances(**ids)
    (started,) = ec2.describe_instances(**ids)["Reservations"][0]["Instances"]
    assert started["PublicIpAddress"] != first
    private = {**interface, "AssociatePublicIpAddress": False}
    (other,) = ec2.run_instances(NetworkInterfaces=[private], **asked)["Instances"]
    assert "PublicIpAddress" not in other


def test_a_volume_is_made_once_with_a_token(ec2, network):
    asked = {"AvailabilityZone": network.zones[0], "Size": 5, "VolumeType": "gp3", "ClientToken": "a-volume-of-its-own"}
    assert ec2.create_volume(**asked)["VolumeId"] == ec2.create_volume(**asked)["VolumeId"]
    with pytest.raises(ClientError) as refused:
        ec2.create_volume(**{**asked, "Size": 6})
    assert code(refused) == "IdempotentParameterMismatch"


def test_an_image_names_itself_on_its_snapshots(ec2, network, launch, control):
    (instance,) = launch()
    tags = [{"ResourceType": kind, "Tags": [{"Key": "made", "Value": "along"}]} for kind in ("image", "snapshot")]
    image = ec2.create_image(InstanceId=instance, Name="names-itself", NoReboot=True, TagSpecifications=tags)["ImageId"]
    filters = [{"Name": "description", "Values": [f"*{image}*"]}, {"Name": "tag:made", "Values": ["along"]}]
    (snapshot,) = ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]
    assert snapshot["Description"] == f"Created by CreateImage({instance}) for {image}"
    control.fault("unseen", face="aws", seconds=60)
    ec2.create_image(InstanceId=instance, Name="taken-at-once")
    with pytest.raises(ClientError) as refused:
        ec2.create_image(InstanceId=instance, Name="taken-at-once")
    control.clear_faults()
    assert code(refused) == "InvalidAMIName.Duplicate"
