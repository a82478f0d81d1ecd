"""Volumes and images."""

from hcloud.locations import Location
from hetzner_bed import PLACE, Refused, project


def make(project, size=10, **where):
    where = where or {"location": Location(name=PLACE)}
    made = project.client.volumes.create(size=size, name=project.name("data"), **where)
    assert made.volume.status == "creating"
    project.done(made.action)
    made.volume.reload()
    assert made.volume.status == "available"
    return made.volume


def test_a_volume_moves_from_server_to_server(project):
    one, other = project.server(), project.server()
    volume = make(project, format="ext4", server=one)
    assert (volume.server.id, volume.location.name) == (one.id, PLACE)
    with Refused("volume_already_attached"):
        volume.attach(other)
    with Refused("service_error"):
        volume.delete()
    project.done(volume.detach())
    with Refused("service_error"):
        volume.detach()
    action = volume.attach(other)
    with Refused("locked"):
        other.power_off()
    project.done(action)
    other.reload()
    assert [one.id for one in other.volumes] == [volume.id]
    project.gone(other)
    volume.reload()
    assert volume.server is None
    assert volume.delete()
    project.gone(one)


def test_a_volume_grows_and_never_shrinks(project):
    volume = make(project)
    volume = volume.update(name=project.name("renamed"), labels={"app": "bookings"})
    project.done(volume.resize(25))
    volume.reload()
    assert (volume.size, volume.labels) == (25, {"app": "bookings"})
    for wrong in [25, 5, 20_000]:
        with Refused("invalid_input"):
            volume.resize(wrong)
    project.done(volume.change_protection(delete=True))
    with Refused("protected"):
        volume.delete()
    project.done(volume.change_protection(delete=False))
    assert volume.delete()


def test_what_no_volume_can_be(project):
    make_one = project.client.volumes.create
    with Refused("invalid_input"):
        make_one(size=5, name=project.name("small"), location=Location(name=PLACE))
    with Refused("invalid_input"):
        make_one(size=10, name=project.name("odd"), location=Location(name=PLACE), format="zfs")
    with Refused("not_found"):
        project.client.volumes.get_by_id(1)
    here = project.server()
    there = make(project, location=Location(name="hel1"))
    with Refused("invalid_input"):
        there.attach(here)
    assert there.delete()
    project.gone(here)
    attached = [one for one in project.client.volumes.get_all() if one.server]
    assert attached and project.client.volumes.get_all(status=["available"])


def test_images(project):
    images = project.client.images
    names = {one.name for one in images.get_all(type=["system"], architecture=["arm"])}
    assert names == {"debian-12", "ubuntu-24.04"}
    snapshots = images.get_all(type=["snapshot"], label_selector="app=platform")
    assert len(snapshots) == 4 and all(one.type == "snapshot" for one in snapshots)
    backups = images.get_all(type=["backup"], sort=["created"])
    assert len(backups) == 4 and images.get_all(bound_to=[str(backups[0].bound_to.id)])[0].id == backups[0].id
    assert images.get_by_name_and_architecture("debian-12", "x86").os_flavor == "debian"
    with Refused("not_found"):
        images.get_by_id(1)


def test_an_image_is_changed_kept_and_deleted(project):
    server = project.server()
    made = server.create_image(description="x")
    project.done(made.action)
    image = made.image.update(description="golden", labels={"release": "7"})
    assert (image.description, image.labels) == ("golden", {"release": "7"})
    project.done(image.change_protection(delete=True))
    with Refused("protected"):
        image.delete()
    project.done(image.change_protection(delete=False))
    assert image.delete()
    system = project.client.images.get_by_name_and_architecture("debian-12", "x86")
    for change in [lambda: system.update(description="mine"), system.delete]:
        with Refused("forbidden"):
            change()
    project.gone(server)


def test_a_backup_becomes_a_snapshot_that_outlives_its_server(project):
    server = project.server()
    project.done(server.enable_backup())
    made = server.create_image(type="backup")
    project.done(made.action)
    image = made.image.update(type="snapshot")
    assert (image.type, image.bound_to) == ("snapshot", None)
    project.gone(server)
    assert project.client.images.get_by_id(image.id).delete()
