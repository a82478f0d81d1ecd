"""What the tests of AWS start from: the account of the world, its clients, and a network of their own."""

import itertools
from dataclasses import dataclass

import pytest
from aws_clients import client

NUMBERS = itertools.count(1)


def fresh(name):
    """A name that no other test has."""
    return f"{name}-{next(NUMBERS)}"


@dataclass
class Network:
    """A network that a test may fill."""

    vpc: str
    subnets: list
    zones: list
    group: str
    image: str


@pytest.fixture(scope="session")
def account(control):
    return control.accounts("aws")[0]


@pytest.fixture(scope="session")
def ec2(account):
    return client("ec2", account)


@pytest.fixture(scope="session")
def network(ec2):
    """A network with a subnet in two zones, and an image of AWS's that fits `m7g` instances."""
    vpc = ec2.create_vpc(CidrBlock="172.20.0.0/16")["Vpc"]["VpcId"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"172.20.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(zones)
    ]
    group = ec2.create_security_group(GroupName="tests", Description="tests", VpcId=vpc)["GroupId"]
    # Enough for more than one page.
    for n in range(6):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"172.20.{n + 10}.0/24")
        ec2.create_security_group(GroupName=f"more-{n}", Description="more", VpcId=vpc)
    images = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["arm64"]}])["Images"]
    return Network(vpc, subnets, zones, group, images[0]["ImageId"])


@pytest.fixture
def launch(ec2, network, control):
    """Launches instances, and lets them start."""

    def launched(count=1, wait=True, **more):
        arguments = {
            "ImageId": network.image,
            "InstanceType": "m7g.large",
            "SubnetId": network.subnets[0],
            "MinCount": count,
            "MaxCount": count,
            **more,
        }
        instances = ec2.run_instances(**arguments)["Instances"]
        if wait:
            control.advance(60)
        return [instance["InstanceId"] for instance in instances]

    return launched
