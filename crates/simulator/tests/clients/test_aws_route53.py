"""Route 53: zones, records in batches that are made whole or not at all, health checks that follow what they look at."""

import pytest
from aws_clients import client, code, every, status
from aws_fixtures import fresh
from botocore.exceptions import ClientError


@pytest.fixture(scope="session")
def dns(account):
    return client("route53", account)


def refused(call, **arguments):
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return code(found)


@pytest.fixture
def zone(dns):
    name = f"{fresh('zone')}.example"
    return dns.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]


def a(name, *values, **more):
    record = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": value} for value in values], **more}
    return record


def change(dns, zone, *changes):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    return dns.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch=batch)["ChangeInfo"]


def test_zones(dns, zone, network, account):
    assert zone["Name"].endswith(".example.") and zone["ResourceRecordSetCount"] == 2
    again = {"Name": zone["Name"], "CallerReference": zone["CallerReference"]}
    with pytest.raises(ClientError) as found:
        dns.create_hosted_zone(**again)
    assert (code(found), status(found)) == ("HostedZoneAlreadyExists", 409)
    assert len(dns.get_hosted_zone(Id=zone["Id"])["DelegationSet"]["NameServers"]) == 4
    assert refused(dns.create_hosted_zone, Name="a..b", CallerReference=fresh("x")) == "InvalidDomainName"
    vpc = {"VPCRegion": account["regions"][0], "VPCId": network.vpc}
    private = dns.create_hosted_zone(Name="inside.example", CallerReference=fresh("x"), VPC=vpc)["HostedZone"]
    assert private["Config"]["PrivateZone"] is True
    assert dns.get_hosted_zone(Id=private["Id"])["VPCs"] == [vpc]
    wrong = {**vpc, "VPCId": "vpc-gone"}
    assert refused(dns.create_hosted_zone, Name="x.example", CallerReference=fresh("x"), VPC=wrong) == "InvalidVPCId"
    zones, pages = every(dns, "list_hosted_zones", "HostedZones", PaginationConfig={"PageSize": 2})
    assert pages >= 2 and len({one["Id"] for one in zones}) == len(zones)
    assert refused(dns.list_hosted_zones, Marker="nonsense") == "InvalidInput"


def test_records(dns, zone, control):
    name = f"www.{zone['Name']}"
    info = change(dns, zone, ("CREATE", a(name, "198.51.100.1")), ("UPSERT", a(f"api.{zone['Name']}", "198.51.100.2")))
    assert info["Status"] == "PENDING"
    control.advance(60)
    assert dns.get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert refused(dns.get_change, Id="/change/C00000000") == "NoSuchChange"
    for changes, said in [
        ([("UPSERT", a(f"x.{zone['Name']}", "198.51.100.3")), ("CREATE", a(name, "198.51.100.1"))], "already exists"),
        ([("DELETE", a(f"gone.{zone['Name']}", "198.51.100.1"))], "not found"),
        ([("DELETE", a(name, "198.51.100.9"))], "do not match"),
        ([("CREATE", a("www.elsewhere.example.", "198.51.100.1"))], "not permitted"),
        ([("CREATE", a(f"w.{zone['Name']}", "198.51.100.1", Weight=1))], "SetIdentifier"),
        ([("CREATE", a(f"w.{zone['Name']}", "198.51.100.1", SetIdentifier="one"))], "expected exactly one"),
    ]:
        with pytest.raises(ClientError) as found:
            change(dns, zone, *changes)
        assert code(found) == "InvalidChangeBatch" and said in str(found.value)
    found, pages = every(dns, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"], PaginationConfig={"PageSize": 2})
    assert pages == 2 and [(one["Name"], one["Type"]) for one in found] == [
        (zone["Name"], "NS"), (zone["Name"], "SOA"), (f"api.{zone['Name']}", "A"), (name, "A")
    ]
    assert refused(dns.delete_hosted_zone, Id=zone["Id"]) == "HostedZoneNotEmpty"
    change(dns, zone, ("DELETE", a(name, "198.51.100.1")), ("DELETE", a(f"api.{zone['Name']}", "198.51.100.2")))
    dns.delete_hosted_zone(Id=zone["Id"])
    assert refused(dns.get_hosted_zone, Id=zone["Id"]) == "NoSuchHostedZone"


def test_tags(dns, zone):
    bare = zone["Id"].split("/")[-1]
    dns.change_tags_for_resource(ResourceType="hostedzone", ResourceId=bare, AddTags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    dns.change_tags_for_resource(ResourceType="hostedzone", ResourceId=bare, RemoveTagKeys=["a"])
    one = dns.list_tags_for_resource(ResourceType="hostedzone", ResourceId=bare)["ResourceTagSet"]
    assert one["Tags"] == [{"Key": "b", "Value": "2"}]
    several = dns.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[bare])["ResourceTagSets"]
    assert several == [one]
    assert refused(dns.list_tags_for_resource, ResourceType="hostedzone", ResourceId="ZGONE") == "NoSuchHostedZone"


def test_a_health_check_follows_what_it_looks_at(dns, ec2, zone, launch, control):
    (instance,) = launch()
    made = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instance)
    config = {"Type": "HTTP", "IPAddress": made["PublicIp"], "Port": 80, "ResourcePath": "/health"}
    reference = fresh("check")
    check = dns.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]["Id"]
    assert dns.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]["Id"] == check
    other = {**config, "Port": 81}
    assert refused(dns.create_health_check, CallerReference=reference, HealthCheckConfig=other) == "HealthCheckAlreadyExists"
    name = f"www.{zone['Name']}"
    change(dns, zone, ("CREATE", a(name, made["PublicIp"])))
    by_name = {"Type": "HTTP", "FullyQualifiedDomainName": name.rstrip(".")}
    named = dns.create_health_check(CallerReference=fresh("check"), HealthCheckConfig=by_name)["HealthCheck"]["Id"]

    def well(check):
        observed = dns.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
        said = {one["StatusReport"]["Status"].split(":")[0] for one in observed}
        assert len(observed) == 3 and len(said) == 1
        return said.pop() == "Success"

    assert well(check) and well(named)
    control.fault("unhealthy", face="aws")
    assert not well(check)
    control.clear_faults()
    ec2.stop_instances(InstanceIds=[instance])
    assert not well(check) and not well(named)

    primary = a(f"app.{zone['Name']}", made["PublicIp"], SetIdentifier="one", Failover="PRIMARY", HealthCheckId=check)
    change(dns, zone, ("CREATE", primary))
    assert refused(dns.delete_health_check, HealthCheckId=check) == "HealthCheckInUse"
    change(dns, zone, ("DELETE", primary))
    assert dns.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]["RequestInterval"] == 30
    listed, _ = every(dns, "list_health_checks", "HealthChecks", PaginationConfig={"PageSize": 1})
    assert {check, named} <= {one["Id"] for one in listed}
    dns.delete_health_check(HealthCheckId=check)
    assert refused(dns.get_health_check, HealthCheckId=check) == "NoSuchHealthCheck"


def test_the_documented_rate_is_kept_once_it_is_switched_on(account, control):
    zones = client("route53", account)
    control.call("PUT", "/limits", {"on": True})
    try:
        with pytest.raises(ClientError) as refused:
            for _ in range(200):
                zones.list_hosted_zones(MaxItems="1")
        assert refused.value.response["Error"]["Code"] == "Throttling"
        [row] = control.call("GET", "/limits")["called"]
        assert (row["service"], row["refused"]) == ("route53", 1)
        assert row["let_through"] >= 50 and row["took_seconds"] >= row["least_seconds"]
    finally:
        control.call("PUT", "/limits", {"on": False})
    for _ in range(60):
        zones.list_hosted_zones(MaxItems="1")
