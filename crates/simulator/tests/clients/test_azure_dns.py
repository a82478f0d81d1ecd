"""Zones and record sets, by azure-mgmt-dns."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import account, azure, error, group  # noqa: F401

ZONE = "orangery.test"


@pytest.fixture
def zone(azure, group):
    return azure.dns.zones.create_or_update(group, ZONE, {"location": "global", "tags": {"a": "1"}})


def test_a_zone_from_its_making_to_its_end(azure, group, zone):
    zones = azure.dns.zones
    assert len(zone.name_servers) == 4 and zone.number_of_record_sets == 2
    assert zones.get(group, ZONE.upper()).name == ZONE
    assert zones.update(group, ZONE, {"tags": {"b": "2"}}).tags == {"b": "2"}
    assert [one.name for one in zones.list_by_resource_group(group)] == [ZONE]
    assert {ZONE, "venues.orangery.example"} <= {one.name for one in zones.list()}
    with pytest.raises(HttpResponseError) as raised:
        zones.create_or_update(group, ZONE, {"location": "global"}, if_none_match="*")
    assert error(raised) == (412, "PreconditionFailed")
    for body, name, code in (({"location": "westeurope"}, "b.test", "LocationNotAvailableForResourceType"),
                             ({"location": "global"}, "nodots", "InvalidDomainName"),
                             ({"location": "global", "zoneType": "Private"}, "b.test", "BadRequest")):
        with pytest.raises(HttpResponseError) as raised:
            zones.create_or_update(group, name, body if "zoneType" not in body else
                                   {"location": "global", "zone_type": "Private", "properties": {"zoneType": "Private"}})
        assert error(raised) == (400, code)
    zones.begin_delete(group, ZONE).result()
    with pytest.raises(ResourceNotFoundError):
        zones.get(group, ZONE)


def test_record_sets(azure, group, zone):
    sets = azure.dns.record_sets
    a = lambda *addresses, ttl=300: {"TTL": ttl, "ARecords": [{"ipv4Address": address} for address in addresses]}
    put = lambda name, kind, **properties: sets.create_or_update(group, ZONE, name, kind, {"properties": properties})
    made = put("www", "A", **a("198.18.0.1"))
    assert made.fqdn == f"www.{ZONE}." and made.etag
    put("www", "A", **a("198.18.0.1", "198.18.0.2"))
    assert [one.ipv4_address for one in sets.get(group, ZONE, "www", "A").a_records] == ["198.18.0.1", "198.18.0.2"]
    put("mail", "MX", TTL=60, MXRecords=[{"preference": 10, "exchange": "mail.example."}])
    put("alias", "CNAME", TTL=60, CNAMERecord={"cname": f"www.{ZONE}"})
    put("@", "TXT", TTL=60, TXTRecords=[{"value": ["hello"]}])
    patched = sets.update(group, ZONE, "www", "A", {"properties": {"TTL": 99}})
    assert (patched.ttl, len(patched.a_records)) == (99, 2)
    assert [one.name for one in sets.list_by_type(group, ZONE, "A")] == ["www"]
    whole = {(one.name, one.type.rsplit("/")[-1]) for one in sets.list_by_dns_zone(group, ZONE)}
    assert {("@", "NS"), ("@", "SOA"), ("@", "TXT"), ("www", "A"), ("alias", "CNAME"), ("mail", "MX")} == whole
    assert len(list(sets.list_all_by_dns_zone(group, ZONE, top=2))) == 6
    assert azure.dns.zones.get(group, ZONE).number_of_record_sets == 6
    sets.delete(group, ZONE, "www", "A")
    with pytest.raises(ResourceNotFoundError):
        sets.get(group, ZONE, "www", "A")
    assert sets.delete(group, ZONE, "www", "A") is None


@pytest.mark.parametrize("name, kind, properties, code", [
    ("x", "A", {"ARecords": [{"ipv4Address": "198.18.0.1"}]}, "BadRequest"),
    ("x", "A", {"TTL": 5}, "BadRequest"),
    ("x", "A", {"TTL": 5, "TXTRecords": [{"value": ["x"]}]}, "BadRequest"),
    ("x", "A", {"TTL": 5, "ARecords": [{"ipv4Address": "198.18.0.1"}] * 21}, "BadRequest"),
    ("x", "SOA", {"TTL": 5, "SOARecord": {"host": "x"}}, "BadRequest"),
    ("taken", "CNAME", {"TTL": 5, "CNAMERecord": {"cname": "x"}}, "CnameAndOtherRecordsConflict"),
])
def test_a_wrong_record_set_is_refused(azure, group, zone, name, kind, properties, code):
    taken = {"properties": {"TTL": 5, "ARecords": [{"ipv4Address": "198.18.0.1"}]}}
    azure.dns.record_sets.create_or_update(group, ZONE, "taken", "A", taken)
    with pytest.raises(HttpResponseError) as raised:
        azure.dns.record_sets.create_or_update(group, ZONE, name, kind, {"properties": properties})
    assert error(raised) == (400, code)


def test_what_a_zone_needs_stays(azure, group, zone):
    for kind in ("NS", "SOA"):
        with pytest.raises(HttpResponseError) as raised:
            azure.dns.record_sets.delete(group, ZONE, "@", kind)
        assert error(raised) == (400, "BadRequest")


def test_a_stale_record_set_is_not_overwritten(azure, group, zone):
    sets = azure.dns.record_sets
    body = {"properties": {"TTL": 5, "ARecords": [{"ipv4Address": "198.18.0.1"}]}}
    first = sets.create_or_update(group, ZONE, "www", "A", body, if_none_match="*")
    sets.create_or_update(group, ZONE, "www", "A", body, if_match=first.etag)
    for condition in ({"if_match": first.etag}, {"if_none_match": "*"}):
        with pytest.raises(HttpResponseError) as raised:
            sets.create_or_update(group, ZONE, "www", "A", body, **condition)
        assert error(raised) == (412, "PreconditionFailed")
    with pytest.raises(HttpResponseError) as raised:
        sets.delete(group, ZONE, "www", "A", if_match=first.etag)
    assert error(raised) == (412, "PreconditionFailed")
