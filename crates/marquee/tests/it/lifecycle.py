"""How a thing stands at its cloud, as the vendor's own client sees it.

The first line of the standard input is the account: `face`, `endpoint`, `certificate`, `place`, `id` and `credentials`. Each line
after it is a question, `{"kind": …, "id": …}` with the id that Marquee's inventory gives; each is answered with a line: what the
vendor says in the vendor's own words, or null for what is not there (also for what the vendor shows as gone).
"""

import json
import sys
import tempfile


class Aws:
    GONE = ("InvalidInstanceID.NotFound", "InvalidVolume.NotFound", "InvalidSnapshot.NotFound", "DBInstanceNotFound",
            "DBSnapshotNotFound", "404", "NoSuchBucket")

    def __init__(self, account):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ClientError

        keys = account["credentials"]
        client = lambda service: boto3.client(
            service, region_name=account["place"], endpoint_url=account["endpoint"],
            aws_access_key_id=keys["access_key_id"], aws_secret_access_key=keys["secret_access_key"],
            config=Config(s3={"addressing_style": "path"}))
        self.ec2, self.rds, self.s3, self.error = client("ec2"), client("rds"), client("s3"), ClientError

    def is_gone(self, error):
        return isinstance(error, self.error) and error.response["Error"]["Code"] in self.GONE

    def compute_instance(self, arn):
        found = self.ec2.describe_instances(InstanceIds=[arn.rsplit("/", 1)[-1]])["Reservations"]
        for instance in (instance for reservation in found for instance in reservation["Instances"]):
            # EC2 shows for an hour what was terminated.
            if instance["State"]["Name"] != "terminated":
                return {"state": instance["State"]["Name"], "size": instance["InstanceType"]}
        return None

    def disk(self, arn):
        volume = self.ec2.describe_volumes(VolumeIds=[arn.rsplit("/", 1)[-1]])["Volumes"][0]
        return {"state": volume["State"], "size": volume["Size"]}

    def snapshot(self, arn):
        snapshot = self.ec2.describe_snapshots(SnapshotIds=[arn.rsplit("/", 1)[-1]])["Snapshots"][0]
        return {"state": snapshot["State"], "of": snapshot["VolumeId"]}

    def database(self, arn):
        found = self.rds.describe_db_instances(DBInstanceIdentifier=arn.rsplit(":", 1)[-1])["DBInstances"][0]
        return {"state": found["DBInstanceStatus"], "size": found["DBInstanceClass"]}

    def database_snapshot(self, arn):
        found = self.rds.describe_db_snapshots(DBSnapshotIdentifier=arn.rsplit(":", 1)[-1])["DBSnapshots"][0]
        return {"state": found["Status"], "of": found["DBInstanceIdentifier"]}

    def bucket(self, arn):
        name = arn.rsplit(":", 1)[-1]
        self.s3.head_bucket(Bucket=name)
        block = self.unless("NoSuchPublicAccessBlockConfiguration", self.s3.get_public_access_block, name)
        tags = self.unless("NoSuchTagSet", self.s3.get_bucket_tagging, name)
        return {"versioned": self.s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled",
                "private": all(block.get("PublicAccessBlockConfiguration", {"none": False}).values()),
                "tags": {tag["Key"]: tag["Value"] for tag in tags.get("TagSet", [])}}

    def unless(self, absent, call, bucket):
        """What the bucket has of something that it may have none of, which S3 says by an error of its own."""
        try:
            return call(Bucket=bucket)
        except self.error as error:
            if error.response["Error"]["Code"] != absent:
                raise
            return {}


class Azure:
    def __init__(self, account):
        from azure.core.exceptions import ResourceNotFoundError
        from azure.identity import ClientSecretCredential
        from azure.mgmt.compute import ComputeManagementClient
        from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
        from azure.mgmt.storage import StorageManagementClient

        keys, endpoint = account["credentials"], account["endpoint"]
        # It lives as long as this process.
        self.certificate = tempfile.NamedTemporaryFile("w", suffix=".pem")
        self.certificate.write(account["certificate"])
        self.certificate.flush()
        trust = {"connection_verify": self.certificate.name}
        who = ClientSecretCredential(keys["tenant_id"], keys["client_id"], keys["client_secret"], authority=endpoint,
                                     disable_instance_discovery=True, **trust)
        client = lambda kind: kind(who, account["id"], base_url=endpoint, credential_scopes=[f"{endpoint}/.default"], **trust)
        self.compute, self.storage = client(ComputeManagementClient), client(StorageManagementClient)
        self.postgres, self.error = client(PostgreSQLManagementClient), ResourceNotFoundError

    def is_gone(self, error):
        return isinstance(error, self.error)

    @staticmethod
    def names(native):
        """Resource group, name, and the name of what lies within."""
        parts = native.split("/")
        return [parts[4], *parts[8::2]]

    def compute_instance(self, native):
        names = self.names(native)
        codes = [status.code for status in self.compute.virtual_machines.instance_view(*names).statuses]
        power = [code.split("/")[1] for code in codes if code.startswith("PowerState/")]
        size = self.compute.virtual_machines.get(*names).properties.hardware_profile.vm_size
        return {"state": power[0] if power else None, "size": size}

    def disk(self, native):
        disk = self.compute.disks.get(*self.names(native)).properties
        return {"state": disk.disk_state, "size": disk.disk_size_gb}

    def snapshot(self, native):
        snapshot = self.compute.snapshots.get(*self.names(native)).properties
        return {"state": snapshot.provisioning_state, "of": snapshot.creation_data.source_resource_id.rsplit("/", 1)[-1]}

    def database(self, native):
        server = self.postgres.servers.get(*self.names(native))
        return {"state": server.properties.state, "size": server.sku.name}

    def database_snapshot(self, native):
        group, server, backup = self.names(native)
        self.postgres.backups_automatic_and_on_demand.get(group, server, backup)
        return {"state": "kept", "of": server}

    def bucket(self, native):
        names = self.names(native)
        account = self.storage.storage_accounts.get_properties(*names[:2])
        blobs = self.storage.blob_services.get_service_properties(*names[:2])
        return {"versioned": bool(blobs.blob_service_properties.is_versioning_enabled),
                "private": not account.properties.allow_blob_public_access, "tags": account.tags or {}}


class Google:
    def __init__(self, account):
        import google_auth_httplib2
        import googleapiclient.discovery
        import httplib2
        from google.api_core.client_options import ClientOptions
        from google.api_core.exceptions import NotFound
        from google.cloud import compute_v1
        from google.oauth2 import service_account
        from googleapiclient.errors import HttpError

        # google-auth asks Google itself, in the background, where a service account may be used from.
        service_account.Credentials._is_regional_access_boundary_lookup_required = lambda self: False
        who = service_account.Credentials.from_service_account_info(
            account["credentials"], scopes=["https://www.googleapis.com/auth/cloud-platform"])
        options = ClientOptions(api_endpoint=account["endpoint"])
        client = lambda kind: kind(credentials=who, client_options=options)
        self.instances, self.disks = client(compute_v1.InstancesClient), client(compute_v1.DisksClient)
        self.snapshots = client(compute_v1.SnapshotsClient)

        def discovered(name, path):
            http = google_auth_httplib2.AuthorizedHttp(who, http=httplib2.Http())
            return googleapiclient.discovery.build(name, "v1", http=http, static_discovery=True,
                                                   client_options={"api_endpoint": account["endpoint"] + path})

        self.sql, self.storage = discovered("sqladmin", "/"), discovered("storage", "/storage/v1/")
        self.missing, self.refused = NotFound, HttpError

    def is_gone(self, error):
        if isinstance(error, self.refused):
            # Cloud SQL does not say of what is not there that it is not there, but that one may not look.
            return error.status_code in (403, 404)
        return isinstance(error, self.missing)

    @staticmethod
    def names(native):
        """`project`, `zone`, `instance` … of //compute.googleapis.com/projects/P/zones/Z/instances/N."""
        parts = native.split("/")[3:]
        return {kind[:-1]: name for kind, name in zip(parts[::2], parts[1::2]) if kind != "global"}

    def compute_instance(self, native):
        instance = self.instances.get(**self.names(native))
        return {"state": instance.status, "size": instance.machine_type.rsplit("/", 1)[-1]}

    def disk(self, native):
        disk = self.disks.get(**self.names(native))
        return {"state": disk.status, "size": disk.size_gb}

    def snapshot(self, native):
        parts = native.split("/")
        snapshot = self.snapshots.get(project=parts[4], snapshot=parts[-1])
        return {"state": snapshot.status, "of": snapshot.source_disk.rsplit("/", 1)[-1]}

    def database(self, native):
        found = self.sql.instances().get(**self.names(native)).execute()
        return {"state": found["state"], "size": found["settings"]["tier"], "policy": found["settings"]["activationPolicy"]}

    def database_snapshot(self, native):
        names = self.names(native)
        found = self.sql.backupRuns().get(project=names["project"], instance=names["instance"], id=names["backupRun"]).execute()
        return {"state": found["status"], "of": found["instance"]}

    def bucket(self, native):
        found = self.storage.buckets().get(bucket=native.split("/")[3]).execute()
        return {"versioned": found.get("versioning", {}).get("enabled", False),
                "private": found["iamConfiguration"]["publicAccessPrevention"] == "enforced", "tags": found.get("labels", {})}


account = json.loads(sys.stdin.readline())
eye = {"aws": Aws, "azure": Azure, "google": Google}[account["face"]](account)
for line in sys.stdin:
    question = json.loads(line)
    try:
        seen = getattr(eye, question["kind"])(question["id"])
    except Exception as error:
        if not eye.is_gone(error):
            raise
        seen = None
    print(json.dumps(seen), flush=True)
