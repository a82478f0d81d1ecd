"""Disks, snapshots and images."""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_bed import gcp, reason


def new_disk(gcp, **more):
    name = gcp.name("disk")
    client = gcp.compute("Disks")
    gcp.done(client.insert(project=gcp.project, zone=gcp.zone, disk_resource=compute_v1.Disk(name=name, **more)))
    return name


def test_the_life_of_a_disk(gcp):
    client = gcp.compute("Disks")
    place = {"project": gcp.project, "zone": gcp.zone}
    name = new_disk(gcp, size_gb=100, type_=f"zones/{gcp.zone}/diskTypes/pd-ssd", labels={"app": "x"})
    found = client.get(disk=name, **place)
    assert (found.status, found.size_gb, found.type_.rsplit("/")[-1]) == ("READY", 100, "pd-ssd")
    gcp.done(client.resize(disk=name, disks_resize_request_resource=compute_v1.DisksResizeRequest(size_gb=200), **place))
    assert client.get(disk=name, **place).size_gb == 200
    with pytest.raises(exceptions.BadRequest):
        client.resize(disk=name, disks_resize_request_resource=compute_v1.DisksResizeRequest(size_gb=150), **place)
    labels = compute_v1.ZoneSetLabelsRequest(label_fingerprint=found.label_fingerprint, labels={"app": "y"})
    gcp.done(client.set_labels(resource=name, zone_set_labels_request_resource=labels, **place))
    assert dict(client.get(disk=name, **place).labels) == {"app": "y"}
    with pytest.raises(exceptions.PreconditionFailed):
        client.set_labels(resource=name, zone_set_labels_request_resource=labels, **place)
    pages = list(client.list(request={"max_results": 2, **place}).pages)
    assert len(pages) > 1 and name in [disk.name for page in pages for disk in page.items]
    assert name in [disk.name for disk in dict(client.aggregated_list(project=gcp.project))[f"zones/{gcp.zone}"].disks]
    gcp.done(client.delete(disk=name, **place))
    with pytest.raises(exceptions.NotFound):
        client.get(disk=name, **place)


def test_a_disk_that_cannot_be(gcp):
    for disk in (compute_v1.Disk(name="x-small", size_gb=1), compute_v1.Disk(name="no-type", type_=f"zones/{gcp.zone}/diskTypes/floppy")):
        with pytest.raises(exceptions.BadRequest):
            gcp.compute("Disks").insert(project=gcp.project, zone=gcp.zone, disk_resource=disk)
    with pytest.raises(exceptions.BadRequest) as caught:
        gcp.compute("Disks").delete(project=gcp.project, zone=gcp.zone, disk="web-01")
    assert reason(caught.value) == "resourceInUseByAnotherResource"


def test_snapshots(gcp):
    client, disks = gcp.compute("Snapshots"), gcp.compute("Disks")
    place = {"project": gcp.project, "zone": gcp.zone}
    disk, name = new_disk(gcp, size_gb=50), gcp.name("snap")
    operation = disks.create_snapshot(disk=disk, snapshot_resource=compute_v1.Snapshot(name=name), **place)
    assert client.get(project=gcp.project, snapshot=name).status in ("CREATING", "UPLOADING")
    gcp.done(operation)
    found = client.get(project=gcp.project, snapshot=name)
    assert (found.status, found.disk_size_gb) == ("READY", 50) and found.source_disk.endswith(f"/disks/{disk}")
    other = gcp.name("snap")
    source = f"projects/{gcp.project}/zones/{gcp.zone}/disks/{disk}"
    gcp.done(client.insert(project=gcp.project, snapshot_resource=compute_v1.Snapshot(name=other, source_disk=source)))
    with pytest.raises(exceptions.Conflict):
        disks.create_snapshot(disk=disk, snapshot_resource=compute_v1.Snapshot(name=name), **place)
    labels = compute_v1.GlobalSetLabelsRequest(label_fingerprint=found.label_fingerprint, labels={"backup": "manual"})
    gcp.done(client.set_labels(project=gcp.project, resource=name, global_set_labels_request_resource=labels))
    with pytest.raises(exceptions.PreconditionFailed):
        client.set_labels(project=gcp.project, resource=name, global_set_labels_request_resource=labels)
    pages = list(client.list(request={"project": gcp.project, "max_results": 5}).pages)
    assert len(pages) > 1 and {name, other} <= {one.name for page in pages for one in page.items}
    restored = new_disk(gcp, source_snapshot=f"global/snapshots/{name}")
    assert disks.get(disk=restored, **place).size_gb == 50
    gcp.done(client.delete(project=gcp.project, snapshot=name))
    with pytest.raises(exceptions.NotFound):
        client.get(project=gcp.project, snapshot=name)
    with pytest.raises(exceptions.NotFound):
        disks.create_snapshot(disk="no-such", snapshot_resource=compute_v1.Snapshot(name="x"), **place)


def test_images(gcp):
    client, name = gcp.compute("Images"), gcp.name("image")
    public = client.get_from_family(project="debian-cloud", family="debian-12")
    assert public.architecture == "X86_64" and client.get(project="debian-cloud", image=public.name).id == public.id
    assert {image.family for image in client.list(project="ubuntu-os-cloud")} == {"ubuntu-2404-lts-amd64"}
    disk = new_disk(gcp, size_gb=30)
    source = f"projects/{gcp.project}/zones/{gcp.zone}/disks/{disk}"
    gcp.done(client.insert(project=gcp.project, image_resource=compute_v1.Image(name=name, source_disk=source, family="golden")))
    found = client.get(project=gcp.project, image=name)
    assert (found.status, found.disk_size_gb) == ("READY", 30)
    assert client.get_from_family(project=gcp.project, family="golden").name == name
    labels = compute_v1.GlobalSetLabelsRequest(label_fingerprint=found.label_fingerprint, labels={"a": "b"})
    gcp.done(client.set_labels(project=gcp.project, resource=name, global_set_labels_request_resource=labels))
    assert name in [image.name for image in client.list(request={"project": gcp.project, "max_results": 2})]
    with pytest.raises(exceptions.BadRequest):
        client.insert(project=gcp.project, image_resource=compute_v1.Image(name="sourceless"))
    running = f"projects/{gcp.project}/zones/{gcp.zone}/disks/web-01"
    with pytest.raises(exceptions.BadRequest):
        client.insert(project=gcp.project, image_resource=compute_v1.Image(name="busy", source_disk=running))
    gcp.done(client.delete(project=gcp.project, image=name))
    with pytest.raises(exceptions.NotFound):
        client.get(project=gcp.project, image=name)
