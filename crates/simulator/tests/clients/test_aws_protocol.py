"""What every service has in common: strict requests, faults in the vendor's words, presigned addresses."""

import urllib.error
import urllib.parse
import urllib.request

import pytest
from aws_clients import client, code, status
from aws_fixtures import fresh
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError


def raw(account, service, body, headers=None, region=None):
    """A request that boto3 would never send, signed all the same: status and body of its answer."""
    given = account["credentials"]
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **(headers or {})}
    request = AWSRequest("POST", account["endpoint"] + "/", data=body.encode(), headers=headers)
    credentials = Credentials(given["access_key_id"], given["secret_access_key"])
    SigV4Auth(credentials, service, region or given["region"]).add_auth(request)
    sent = urllib.request.Request(request.url, data=body.encode(), headers=dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(sent, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def form(action, version, **parameters):
    return urllib.parse.urlencode({"Action": action, "Version": version, **parameters})


@pytest.mark.parametrize(
    ("service", "body", "expected"),
    [
        ("ec2", form("DescribeInstances", "2016-11-15", Nonsense="1"), "UnknownParameter"),
        ("ec2", form("DescribeInstances", "2016-11-15", **{"Filter.1.Nonsense": "1"}), "UnknownParameter"),
        ("ec2", form("DescribeInstances", "2016-11-15", MaxResults="many"), "InvalidParameterValue"),
        ("ec2", form("RunInstances", "2016-11-15", MinCount="1"), "MissingParameter"),
        ("ec2", form("FlyToTheMoon", "2016-11-15"), "InvalidAction"),
        ("ec2", form("DescribeInstances", "1999-01-01"), "InvalidAction"),
        ("ec2", form("CreateVolume", "2016-11-15", AvailabilityZone="eu-west-1a", VolumeType="gp9"), "InvalidParameterValue"),
        ("rds", form("DescribeDBInstances", "2014-10-31", Nonsense="1"), "MalformedInput"),
        ("rds", form("DeleteDBInstance", "2014-10-31"), "MissingParameter"),
        ("autoscaling", form("SetDesiredCapacity", "2011-01-01", AutoScalingGroupName="x"), "ValidationError"),
        ("elasticloadbalancing", form("DescribeTags", "2015-12-01", **{"ResourceArns.1": "x"}), "MalformedInput"),
    ],
)
def test_what_the_model_does_not_know_is_refused(account, service, body, expected):
    found, answer = raw(account, service, body)
    assert found == 400 and f"<Code>{expected}</Code>" in answer, answer


def test_json_is_as_strict(account):
    def ask(target, body, version="1.1"):
        headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{version}"}
        return raw(account, "ce", body, headers)

    for target, body, expected in [
        ("AWSInsightsIndexService.GetTags", '{"Nonsense":1}', "SerializationException"),
        ("AWSInsightsIndexService.GetTags", '{"TimePeriod":7}', "SerializationException"),
        ("AWSInsightsIndexService.GetTags", "{", "SerializationException"),
        ("AWSInsightsIndexService.GetTags", "{}", "ValidationException"),
        ("AWSInsightsIndexService.FlyToTheMoon", "{}", "UnknownOperationException"),
        ("Another.GetTags", "{}", "UnknownOperationException"),
    ]:
        found, answer = ask(target, body)
        assert found == 400 and f'"__type":"{expected}"' in answer, answer


def test_cloudwatch_speaks_query_too(account):
    body = form("ListMetrics", "2010-08-01", Namespace="AWS/EC2", MetricName="CPUUtilization")
    found, answer = raw(account, "monitoring", body)
    assert found == 200 and "<ListMetricsResult>" in answer and "<MetricName>CPUUtilization</MetricName>" in answer
    span = {"StartTime": "2026-01-02T00:00:00Z", "EndTime": "2026-01-01T00:00:00Z"}
    query = {
        "MetricDataQueries.member.1.Id": "a",
        "MetricDataQueries.member.1.MetricStat.Metric.Namespace": "AWS/EC2",
        "MetricDataQueries.member.1.MetricStat.Metric.MetricName": "CPUUtilization",
        "MetricDataQueries.member.1.MetricStat.Period": "300",
        "MetricDataQueries.member.1.MetricStat.Stat": "Average",
    }
    found, answer = raw(account, "monitoring", form("GetMetricData", "2010-08-01", **span, **query))
    assert found == 400 and "<Code>ValidationError</Code>" in answer


def test_a_service_that_is_not_simulated_says_so(account):
    found, answer = raw(account, "lambda", form("ListFunctions", "2015-03-31"))
    assert found == 400 and "InvalidAction" in answer


def test_a_region_that_the_account_does_not_have_does_not_know_its_keys(account):
    with pytest.raises(ClientError) as refused:
        client("ec2", account, "ap-south-2").describe_instances()
    assert code(refused) == "AuthFailure"


THROTTLED = {
    ("ec2", "describe_vpcs"): ("RequestLimitExceeded", 503),
    ("rds", "describe_db_instances"): ("Throttling", 400),
    ("s3", "list_buckets"): ("SlowDown", 503),
    ("cloudwatch", "list_metrics"): ("ThrottlingException", 400),
}


@pytest.mark.parametrize(("service", "operation"), THROTTLED)
def test_throttling_is_in_the_services_words(account, control, service, operation):
    control.fault("throttled", face="aws", service="cloudwatch" if service == "cloudwatch" else service, retry_after_seconds=3)
    with pytest.raises(ClientError) as refused:
        getattr(client(service, account), operation)()
    assert (code(refused), status(refused)) == THROTTLED[(service, operation)]
    assert refused.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "3"


def test_boto3_comes_through_a_burst_of_failures(account, control):
    control.fault("failing", face="aws", service="ec2", status=503, times=1)
    control.fault("throttled", face="aws", service="ec2", times=2)
    assert client("ec2", account, retries=True).describe_vpcs()["Vpcs"]


def test_a_failing_page_spares_the_first(account, control):
    ec2 = client("ec2", account)
    control.fault("failing_page", face="aws", service="ec2", operation="DescribeInstances")
    first = ec2.describe_instances(MaxResults=5)
    with pytest.raises(ClientError) as refused:
        ec2.describe_instances(MaxResults=5, NextToken=first["NextToken"])
    assert status(refused) == 500


def test_answers_are_cut_and_late(account, control):
    ec2 = client("ec2", account)
    control.fault("cut_off", face="aws", service="ec2", times=1)
    with pytest.raises((ConnectionClosedError, IncompleteReadError, ResponseStreamingError)):
        ec2.describe_vpcs()
    ec2.meta.config.read_timeout = 1
    control.fault("slow", face="aws", service="ec2", milliseconds=50)
    assert ec2.describe_vpcs()["Vpcs"]


def test_a_lost_region_answers_nothing_and_the_other_does(account, control):
    here, there = account["regions"]
    control.fault("region_lost", face="aws", region=here)
    with pytest.raises((ClientError, ReadTimeoutError)):
        client("ec2", account, here).describe_vpcs()
    assert client("ec2", account, there).describe_vpcs()["Vpcs"]


def test_a_presigned_address_is_good_without_anything_else(account):
    s3, bucket = client("s3", account), fresh("presigned")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü.txt"}, ExpiresIn=60)
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == b"hello"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.replace("a%20b", "a%20c"), timeout=10)
    assert refused.value.code == 403


def test_a_parameter_that_is_not_simulated_is_refused_and_not_overlooked(account):
    bucket = {"Bucket": "orangery-aws-media-eu-west-1"}
    for service, operation, arguments, expected in [
        ("rds", "modify_db_instance", {"DBInstanceIdentifier": "bookings", "NewDBInstanceIdentifier": "x"}, "InvalidParameterCombination"),
        ("ec2", "create_vpc", {"CidrBlock": "172.31.0.0/16", "AmazonProvidedIpv6CidrBlock": True}, "UnsupportedOperation"),
        ("s3", "get_object", {**bucket, "Key": "k", "VersionId": "v"}, "NotImplemented"),
        ("s3", "get_bucket_versioning", {**bucket, "ExpectedBucketOwner": "1" * 12}, "AccessDenied"),
        ("autoscaling", "set_desired_capacity", {"AutoScalingGroupName": "gone", "DesiredCapacity": 1}, "ValidationError"),
    ]:
        with pytest.raises(ClientError) as refused:
            getattr(client(service, account), operation)(**arguments)
        assert code(refused) == expected, (service, operation)
