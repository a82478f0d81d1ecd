"""Who may come in: signatures, keys, sessions, roles and their trust."""

import json

import boto3
import pytest
from aws_clients import client, code, status
from aws_fixtures import fresh
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

PROBES = [
    ("sts", "get_caller_identity", {}),
    ("ec2", "describe_regions", {}),
    ("rds", "describe_db_instances", {}),
    ("s3", "list_buckets", {}),
    ("ce", "get_tags", {"TimePeriod": {"Start": "2026-01-01", "End": "2026-01-02"}}),
    ("route53", "list_hosted_zones", {}),
    ("cloudwatch", "list_metrics", {}),
]


def refused_with(made, operation, arguments):
    with pytest.raises(ClientError) as refused:
        getattr(made, operation)(**arguments)
    return code(refused)


def test_the_caller_is_the_accounts_user(account):
    identity = client("sts", account).get_caller_identity()
    assert identity["Account"] == account["id"]
    assert identity["Arn"] == f"arn:aws:iam::{account['id']}:user/marquee"
    assert client("iam", account).list_account_aliases()["AccountAliases"] == [account["name"]]


WRONG_SECRETS = {
    "sts": "SignatureDoesNotMatch",
    "ec2": "AuthFailure",
    "rds": "SignatureDoesNotMatch",
    "s3": "SignatureDoesNotMatch",
    "ce": "InvalidSignatureException",
    "route53": "SignatureDoesNotMatch",
    "cloudwatch": "InvalidSignatureException",
}
WRONG_KEYS = {
    "sts": "InvalidClientTokenId",
    "ec2": "AuthFailure",
    "rds": "InvalidClientTokenId",
    "s3": "InvalidAccessKeyId",
    "ce": "UnrecognizedClientException",
    "route53": "InvalidClientTokenId",
    "cloudwatch": "UnrecognizedClientException",
}


@pytest.mark.parametrize(("service", "operation", "arguments"), PROBES)
def test_wrong_keys_are_refused_in_the_services_words(account, service, operation, arguments):
    wrong = client(service, account, secret="x" * 40)
    assert refused_with(wrong, operation, arguments) == WRONG_SECRETS[service]
    unknown = client(service, account, key="AKIAIOSFODNN7EXAMPLE")
    assert refused_with(unknown, operation, arguments) == WRONG_KEYS[service]
    # A session's token that no session has.
    strange = client(service, account, key="ASIAIOSFODNN7EXAMPLE", token="strange")
    assert refused_with(strange, operation, arguments) in (WRONG_KEYS[service], "InvalidToken")


def test_a_request_without_signature_is_refused(account):
    for service, operation, expected in [
        ("ec2", "describe_regions", "AuthFailure"),
        ("s3", "list_buckets", "AccessDenied"),
    ]:
        nobody = boto3.client(
            service, region_name="eu-west-1", endpoint_url=account["endpoint"], config=Config(signature_version=UNSIGNED)
        )
        assert refused_with(nobody, operation, {}) == expected


def test_faults_take_credentials_away(account, control):
    control.fault("revoked_credentials", face="aws", service="ec2")
    assert refused_with(client("ec2", account), "describe_regions", {}) == "AuthFailure"
    control.fault("expired_credentials", face="aws", service="rds")
    assert refused_with(client("rds", account), "describe_db_instances", {}) == "ExpiredToken"
    control.fault("expired_credentials", face="aws", service="ce")
    assert refused_with(client("ce", account), "get_tags", PROBES[4][2]) == "ExpiredTokenException"


def trusting(account, **condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account['id']}:root"}, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": condition["external_id"]}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_role_is_made_shown_and_deleted(account):
    iam, name = client("iam", account), fresh("role")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(account))["Role"]
    assert made["Arn"] == f"arn:aws:iam::{account['id']}:role/{name}"
    with pytest.raises(ClientError) as refused:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(account))
    assert (code(refused), status(refused)) == ("EntityAlreadyExists", 409)
    shown = iam.get_role(RoleName=name)["Role"]
    assert shown["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    with pytest.raises(ClientError) as refused:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument="{")
    assert code(refused) == "MalformedPolicyDocument"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusting(account, external_id="other"))
    iam.delete_role(RoleName=name)
    with pytest.raises(ClientError) as refused:
        iam.get_role(RoleName=name)
    assert code(refused) == "NoSuchEntity"


def test_a_role_is_assumed_with_its_external_id_only(account):
    name = fresh("reader")
    client("iam", account).create_role(
        RoleName=name, AssumeRolePolicyDocument=trusting(account, external_id="mq-4711")
    )
    sts, arn = client("sts", account), f"arn:aws:iam::{account['id']}:role/{name}"
    for wrong in [{}, {"ExternalId": "mq-4712"}]:
        with pytest.raises(ClientError) as refused:
            sts.assume_role(RoleArn=arn, RoleSessionName="sync", **wrong)
        assert (code(refused), status(refused)) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as refused:
        sts.assume_role(RoleArn=arn + "x", RoleSessionName="sync", ExternalId="mq-4711")
    assert code(refused) == "AccessDenied"
    with pytest.raises(ClientError) as refused:
        sts.assume_role(RoleArn=arn, RoleSessionName="sync", ExternalId="mq-4711", DurationSeconds=7200)
    assert code(refused) == "ValidationError"
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="sync", ExternalId="mq-4711")
    given = answer["Credentials"]
    session = {"key": given["AccessKeyId"], "secret": given["SecretAccessKey"]}
    identity = client("sts", account, **session, token=given["SessionToken"]).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{account['id']}:assumed-role/{name}/sync"
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    # The keys of a session are nothing without its token.
    assert refused_with(client("sts", account, **session), "get_caller_identity", {}) == "InvalidClientTokenId"
    assert client("s3", account, **session, token=given["SessionToken"]).list_buckets()["Buckets"]


DENIED = {
    "ec2": ("describe_regions", {}, "ec2:DescribeRegions", "UnauthorizedOperation"),
    "rds": ("describe_db_instances", {}, "rds:DescribeDBInstances", "AccessDenied"),
    "s3": ("list_buckets", {}, "s3:ListAllMyBuckets", "AccessDenied"),
    "elbv2": ("describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers", "AccessDenied"),
    "ce": ("get_tags", {"TimePeriod": {"Start": "2026-01-01", "End": "2026-01-02"}}, "ce:GetTags", "AccessDeniedException"),
    "route53": ("list_hosted_zones", {}, "route53:ListHostedZones", "AccessDenied"),
}


def test_a_missing_permission_is_named(account, control):
    control.fault("denied", face="aws", permissions=[permission for _, _, permission, _ in DENIED.values()])
    for service, (operation, arguments, permission, wanted) in DENIED.items():
        with pytest.raises(ClientError) as refused:
            getattr(client(service, account), operation)(**arguments)
        assert (code(refused), status(refused)) == (wanted, 400 if service == "ce" else 403), service
        assert f"not authorized to perform: {permission} " in refused.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as refused:
        client("ec2", account).describe_regions(DryRun=True)
    assert code(refused) == "UnauthorizedOperation"
    # Whoever has good keys may ask who that is.
    control.fault("denied", face="aws")
    assert client("sts", account).get_caller_identity()["Account"] == account["id"]
    assert refused_with(client("ec2", account), "describe_vpcs", {}) == "UnauthorizedOperation"
