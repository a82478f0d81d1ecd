"""Changes a simulated account with its vendor's own client: gives one instance a tag, ends another, makes a disk.

The account, as the simulator's control API shows it, comes by the standard input, with `face`, `certificate` and the
names of what is to be changed; nothing is waited for.
"""

import json
import sys
import tempfile

account = json.load(sys.stdin)
keys, endpoint, place = account["credentials"], account["endpoint"], account["place"]
tagged, ended, disk = account["tagged"], account["ended"], account["disk"]
TAG = {"story": "told"}


def aws():
    import boto3

    ec2 = boto3.client("ec2", region_name=place, endpoint_url=endpoint, aws_access_key_id=keys["access_key_id"],
                       aws_secret_access_key=keys["secret_access_key"])
    # The native id is an ARN.
    short = [name.rsplit("/", 1)[-1] for name in (tagged, ended)]
    ec2.create_tags(Resources=[short[0]], Tags=[{"Key": key, "Value": value} for key, value in TAG.items()])
    ec2.terminate_instances(InstanceIds=[short[1]])
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    ec2.create_volume(AvailabilityZone=zone, Size=12, VolumeType="gp3", TagSpecifications=[
        {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": disk}]}])


def azure():
    from azure.identity import ClientSecretCredential
    from azure.mgmt.compute import ComputeManagementClient

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as certificate:
        certificate.write(account["certificate"])
        certificate.flush()
        who = ClientSecretCredential(keys["tenant_id"], keys["client_id"], keys["client_secret"], authority=endpoint,
                                     disable_instance_discovery=True, connection_verify=certificate.name)
        client = ComputeManagementClient(who, account["id"], base_url=endpoint, connection_verify=certificate.name,
                                         credential_scopes=[f"{endpoint}/.default"])
        part = lambda native: (native.split("/")[4], native.split("/")[-1])
        group, name = part(tagged)
        tags = client.virtual_machines.get(group, name).tags or {}
        client.virtual_machines.begin_update(group, name, {"tags": {**tags, **TAG}}, polling=False)
        client.virtual_machines.begin_delete(*part(ended), polling=False)
        client.disks.begin_create_or_update(group, disk, {
            "location": place, "properties": {"diskSizeGB": 12, "creationData": {"createOption": "Empty"}}}, polling=False)


def google():
    from google.api_core.client_options import ClientOptions
    from google.cloud import compute_v1
    from google.oauth2 import service_account

    # google-auth asks Google itself, in the background, where a service account may be used from.
    service_account.Credentials._is_regional_access_boundary_lookup_required = lambda self: False
    who = service_account.Credentials.from_service_account_info(
        keys, scopes=["https://www.googleapis.com/auth/cloud-platform"])
    options = ClientOptions(api_endpoint=endpoint)
    instances = compute_v1.InstancesClient(credentials=who, client_options=options)
    # The native id is a full resource name: //compute.googleapis.com/projects/P/zones/Z/instances/N
    part = lambda native: dict(zip(("project", "zone", "instance"), native.split("/")[4::2]))
    found = instances.get(**part(tagged))
    instances.set_labels(instances_set_labels_request_resource=compute_v1.InstancesSetLabelsRequest(
        labels={**found.labels, **TAG}, label_fingerprint=found.label_fingerprint), **part(tagged))
    instances.delete(**part(ended))
    where = part(tagged)
    compute_v1.DisksClient(credentials=who, client_options=options).insert(
        project=where["project"], zone=where["zone"], disk_resource=compute_v1.Disk(name=disk, size_gb=12))


def hetzner():
    import hcloud
    from hcloud.locations import Location

    client = hcloud.Client(keys["token"], api_endpoint=keys["api_endpoint"])
    # The native id is hetzner:server/123
    server = lambda native: client.servers.get_by_id(int(native.rsplit("/", 1)[-1]))
    found = server(tagged)
    found.update(labels={**found.labels, **TAG})
    server(ended).delete()
    client.volumes.create(size=12, name=disk, location=Location(name=place))


{"aws": aws, "azure": azure, "google": google, "hetzner": hetzner}[account["face"]]()
