"""SSH keys, placement groups and certificates."""

from hetzner_bed import Refused, project

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFa{n} me@example.com"


def test_ssh_keys(project):
    keys = project.client.ssh_keys
    key = keys.create(name=project.name("key"), public_key=KEY.format(n=1))
    assert len(key.fingerprint.split(":")) == 16
    with Refused("uniqueness_error"):
        keys.create(name=project.name("key"), public_key=KEY.format(n=1))
    with Refused("uniqueness_error"):
        keys.create(name=key.name, public_key=KEY.format(n=2))
    with Refused("invalid_input"):
        keys.create(name=project.name("key"), public_key="no key")
    key = key.update(name=project.name("renamed"), labels={"a": "b"})
    assert keys.get_by_fingerprint(key.fingerprint).id == key.id
    assert keys.get_by_id(key.id).labels == {"a": "b"} and keys.get_all(name=key.name)
    server = project.server(ssh_keys=[key])
    project.gone(server)
    assert key.delete()
    with Refused("not_found"):
        keys.get_by_id(key.id)


def test_placement_groups(project):
    groups = project.client.placement_groups
    group = groups.create(name=project.name("spread"), type="spread", labels={"a": "b"}).placement_group
    group = group.update(name=project.name("renamed"))
    assert groups.get_by_id(group.id).type == "spread" and groups.get_list(type="spread").placement_groups
    servers = [project.server(placement_group=group) for _ in range(2)]
    group.reload()
    assert group.servers == [one.id for one in servers]
    assert servers[0].placement_group.id == group.id
    for server in servers:
        project.gone(server)
    assert group.delete()


def test_certificates(project):
    certificates = project.client.certificates
    with Refused("invalid_input"):
        certificates.create(name=project.name("cert"), certificate="x", private_key="y")
    made = certificates.create_managed(name=project.name("managed"), domain_names=["example.com"])
    assert made.certificate.status.issuance == "pending"
    project.done(made.action)
    certificate = certificates.get_by_id(made.certificate.id)
    assert (certificate.status.issuance, certificate.domain_names) == ("completed", ["example.com"])
    certificate = certificate.update(name=project.name("renamed"), labels={"a": "b"})
    assert [one.id for one in certificates.get_all(label_selector="a=b")] == [certificate.id]
    assert certificate.get_actions()[0].command == "issue_certificate"
    assert certificates.actions.get_by_id(made.action.id).id == made.action.id
    assert certificate.delete()
