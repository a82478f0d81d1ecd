"""S3: buckets and their settings, and objects."""

import base64
import json

import pytest
from aws_clients import client, code, every, status
from aws_fixtures import fresh
from botocore.exceptions import ClientError


@pytest.fixture(scope="session")
def s3(account):
    return client("s3", account)


@pytest.fixture
def bucket(s3):
    name = fresh("a-test-bucket")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


def refused(call, **arguments):
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return code(found), status(found)


def test_the_life_of_a_bucket(s3, account, bucket):
    again = {"Bucket": bucket, "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    assert refused(s3.create_bucket, **again) == ("BucketAlreadyOwnedByYou", 409)
    assert refused(s3.create_bucket, Bucket=fresh("nowhere")) == ("IllegalLocationConstraintException", 400)
    assert refused(s3.create_bucket, Bucket="Bad_Name")[0] == "InvalidBucketName"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "eu-west-1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    assert refused(s3.head_bucket, Bucket=bucket) == ("404", 404)
    assert refused(s3.get_bucket_location, Bucket=bucket) == ("NoSuchBucket", 404)


def test_a_bucket_belongs_to_its_region(account, bucket, control):
    there = client("s3", account, "us-east-1")
    first = fresh("first-region")
    there.create_bucket(Bucket=first)
    assert there.get_bucket_location(Bucket=first)["LocationConstraint"] is None
    assert there.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"

    def refusals():
        rows = control.call("GET", "/calls")
        return sum(row["refused"] for row in rows if row["operation"] == "s3:GetBucketVersioning")

    # boto3 is told where the bucket is, and comes again for that region.
    before = refusals()
    client("s3", account).get_bucket_versioning(Bucket=first)
    assert refusals() == before + 1


def test_lists_of_buckets_are_paged(s3, bucket):
    for _ in range(4):
        s3.create_bucket(Bucket=fresh("paged-bucket"), CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    buckets, pages = every(s3, "list_buckets", "Buckets", PaginationConfig={"PageSize": 2}, Prefix="paged-bucket")
    assert pages >= 2 and len(buckets) >= 4
    assert all(one["BucketRegion"] == "eu-west-1" for one in buckets)
    assert refused(s3.list_buckets, ContinuationToken="nonsense")[0] == "InvalidArgument"
    assert bucket in [one["Name"] for one in s3.list_buckets(BucketRegion="eu-west-1")["Buckets"]]


def test_settings(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={})[0] == "IllegalVersioningConfigurationException"

    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}, "BucketKeyEnabled": True}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"] == rules

    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    tags = [{"Key": "a", "Value": "<1>"}, {"Key": "b", "Value": "é & ü"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=twice)[0] == "InvalidTag"
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)

    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == ("NoSuchLifecycleConfiguration", 404)
    rules = [{"ID": "old", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30},
              "Transitions": [{"Days": 7, "StorageClass": "GLACIER"}]}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules

    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    block = {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block


def test_what_is_not_simulated_says_so(s3, bucket):
    assert refused(s3.get_bucket_acl, Bucket=bucket) == ("NotImplemented", 501)
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy="{}") == ("NotImplemented", 501)
    assert refused(s3.list_objects, Bucket=bucket) == ("NotImplemented", 501)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER") == ("NotImplemented", 501)


def test_objects(s3, bucket):
    key = "folder/a b+c&d=é.txt"
    made = s3.put_object(Bucket=bucket, Key=key, Body=b"0123456789", ContentType="text/plain", Metadata={"who": "me"})
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == b"0123456789" and got["ETag"] == made["ETag"]
    assert (got["ContentType"], got["Metadata"], got["ContentLength"]) == ("text/plain", {"who": "me"}, 10)
    part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=2-4")
    assert part["Body"].read() == b"234" and part["ContentRange"] == "bytes 2-4/10"
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert refused(s3.get_object, Bucket=bucket, Key=key, Range="bytes=20-30")[1] == 416
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == 10
    assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"y", IfNoneMatch="*") == ("PreconditionFailed", 412)
    for stale in [lambda: refused(s3.put_object, Bucket=bucket, Key=key, Body=b"y", IfMatch='"other"'),
                  lambda: refused(s3.get_object, Bucket=bucket, Key=key, IfMatch='"other"'),
                  lambda: refused(s3.delete_object, Bucket=bucket, Key=key, IfMatch='"other"')]:
        assert stale() == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key=key, IfMatch=made["ETag"])["ContentLength"] == 10
    assert refused(s3.put_object, Bucket=bucket, Key="none", Body=b"y", IfMatch=made["ETag"]) == ("NoSuchKey", 404)
    assert refused(s3.delete_object, Bucket=bucket, Key="none", IfMatch=made["ETag"]) == ("NoSuchKey", 404)
    changed = s3.put_object(Bucket=bucket, Key=key, Body=b"changed", IfMatch=made["ETag"])
    assert changed["ETag"] != made["ETag"]
    s3.put_object(Bucket=bucket, Key=key, Body=b"new")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"new"
    s3.delete_object(Bucket=bucket, Key=key)
    assert refused(s3.get_object, Bucket=bucket, Key=key) == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=bucket, Key=key) == ("404", 404)
    s3.delete_object(Bucket=bucket, Key=key)


def test_bytes_do_not_outlive_their_object(s3, bucket, control):
    texts = (b"first of its kind", b"second of its kind")
    for text in texts:
        s3.put_object(Bucket=bucket, Key="memory", Body=text)
    state = json.dumps(control.call("GET", "/state"))
    first, second = (base64.b64encode(text).decode() for text in texts)
    assert first not in state and second in state
    s3.delete_object(Bucket=bucket, Key="memory")
    assert second not in json.dumps(control.call("GET", "/state"))


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_checksums_are_compared(s3, bucket, algorithm):
    s3.put_object(Bucket=bucket, Key="k", Body=b"good", ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"good", **{name: "AAAAAA=="})[1] == 400


def test_lists_of_objects(s3, bucket):
    for key in ["a/1", "a/2", "a/b/3", "b/4", "c", "d"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    objects, pages = every(s3, "list_objects_v2", "Contents", Bucket=bucket, PaginationConfig={"PageSize": 2})
    assert ([one["Key"] for one in objects], pages) == (["a/1", "a/2", "a/b/3", "b/4", "c", "d"], 3)
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in top["Contents"]] == ["c", "d"]
    assert [one["Prefix"] for one in top["CommonPrefixes"]] == ["a/", "b/"]
    inside = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [one["Key"] for one in inside["Contents"]] == ["a/1", "a/2"]
    seen, token = [], {}
    while True:
        page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=1, **token)
        seen += [one["Key"] for one in page.get("Contents", [])] + [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert seen == ["a/", "b/", "c", "d"]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, StartAfter="b/4")["Contents"]] == ["c", "d"]


def test_a_bucket_is_made_with_tags_and_its_rules_end(s3, account):
    name = fresh("tagged")
    where = {"LocationConstraint": account["credentials"]["region"]}
    if where["LocationConstraint"] == "us-east-1":
        where = {}
    tags = [{"Key": "app", "Value": "guests"}]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={**where, "Tags": tags})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "drafts/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    s3.delete_bucket_lifecycle(Bucket=name)
    with pytest.raises(ClientError) as refused:
        s3.get_bucket_lifecycle_configuration(Bucket=name)
    assert code(refused) == "NoSuchLifecycleConfiguration"
    s3.delete_bucket_lifecycle(Bucket=name)
    s3.delete_bucket(Bucket=name)
