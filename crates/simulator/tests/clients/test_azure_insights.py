"""Metrics, by azure-mgmt-monitor."""

import datetime

import pytest
from azure.core.exceptions import HttpResponseError

from azure_bed import OTHER_PLACE, PLACE, account, azure, error, group, make_machine, make_network  # noqa: F401

GROUP = "orangery-events-westeurope"


@pytest.fixture
def now(control):
    return datetime.datetime.fromisoformat(control.now().replace("Z", "+00:00"))


def ask(azure, resource, start, end, **more):
    span = f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"
    return azure.monitor.metrics.list(resource, timespan=span, **more)


def machine_id(azure, name="web-01"):
    return azure.path(GROUP, "Microsoft.Compute/virtualMachines", name)


def test_definitions(azure):
    found = {one.name.value: one for one in azure.monitor.metric_definitions.list(machine_id(azure))}
    assert {"Percentage CPU", "Available Memory Bytes", "Network In Total"} <= set(found)
    assert found["Percentage CPU"].unit == "Percent" and found["Network In Total"].primary_aggregation_type == "Total"
    server = azure.path(GROUP, "Microsoft.DBforPostgreSQL/flexibleServers", "bookings")
    assert {"cpu_percent", "storage_percent", "active_connections"} <= {
        one.name.value for one in azure.monitor.metric_definitions.list(server)}


def test_a_day_of_processors(azure, now):
    # From midnight on: a day of the week, with its own height, and not the parts of two.
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=1)
    found = ask(azure, machine_id(azure), day, day + datetime.timedelta(days=1), interval="PT1H",
                metricnames="Percentage CPU", aggregation="Average,Minimum,Maximum,Total,Count")
    assert (found.interval, found.namespace, found.resourceregion) == (
        "PT1H", "Microsoft.Compute/virtualMachines", PLACE)
    data = found.value[0].timeseries[0].data
    assert len(data) == 24
    for point in data:
        assert 0 <= point.minimum <= point.average <= point.maximum <= 100 and point.count == 60
        assert point.total == pytest.approx(point.average * point.count, rel=1e-3)
    busiest = max(data, key=lambda point: point.average).time_stamp.hour
    assert 17 <= busiest <= 22
    again = ask(azure, machine_id(azure), day, day + datetime.timedelta(days=1), interval="PT1H",
                metricnames="Percentage CPU", aggregation="Average")
    assert [point.average for point in again.value[0].timeseries[0].data] == [point.average for point in data]
    assert again.value[0].timeseries[0].data[0].maximum is None


def test_several_metrics_and_grains(azure, now):
    names = "Percentage CPU,Available Memory Bytes,Network In Total,Network Out Total"
    for interval, count in (("PT1M", 60), ("PT5M", 12), ("PT15M", 4), ("PT1H", 1)):
        start = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=2)
        found = ask(azure, machine_id(azure), start, start + datetime.timedelta(hours=1), interval=interval,
                    metricnames=names)
        assert [one.name.value for one in found.value] == names.split(",")
        assert {len(one.timeseries[0].data) for one in found.value} == {count}
    memory = found.value[1].timeseries[0].data[0]
    assert 0 < memory.average < 8 * 2**30
    assert found.value[2].timeseries[0].data[0].total > 1_000_000


def test_a_server_s_metrics(azure, now):
    server = azure.path(GROUP, "Microsoft.DBforPostgreSQL/flexibleServers", "bookings")
    found = ask(azure, server, now - datetime.timedelta(days=7), now, interval="P1D",
                metricnames="cpu_percent,storage_percent,active_connections", aggregation="average,maximum")
    cpu, storage, connections = (one.timeseries[0].data for one in found.value)
    assert len(cpu) >= 7 and all(0 <= point.average <= 100 for point in cpu + storage if point.average is not None)
    assert any(point.maximum > 4 for point in connections if point.maximum is not None)


def test_a_scale_set_s_metrics(azure, now):
    subject = azure.path(GROUP, "Microsoft.Compute/virtualMachineScaleSets", "rsvp")
    found = ask(azure, subject, now - datetime.timedelta(hours=3), now, interval="PT1H", aggregation="count")
    assert max(point.count or 0 for point in found.value[0].timeseries[0].data) == 180


def test_what_is_deallocated_measures_nothing(azure, now):
    found = ask(azure, machine_id(azure, "rehearsal-01"), now - datetime.timedelta(hours=3), now, interval="PT1H")
    assert all(point.average is None for point in found.value[0].timeseries[0].data)


@pytest.mark.parametrize("more, days", [
    ({"metricnames": "Nothing"}, 1), ({"interval": "PT7M"}, 1), ({"aggregation": "median"}, 1),
    ({"metricnamespace": "Microsoft.Other/things"}, 1), ({"interval": "PT1M"}, 60), ({"interval": "P1D"}, 120),
    ({"metricnames": ",".join(["Percentage CPU"] * 21)}, 1), ({"interval": "PT1H"}, -1),
])
def test_a_wrong_question_is_refused(azure, now, more, days):
    with pytest.raises(HttpResponseError) as raised:
        ask(azure, machine_id(azure), now - datetime.timedelta(days=days), now, **more)
    assert error(raised) == (400, "BadRequest")


def test_only_what_is_there_and_measured_can_be_asked(azure, now):
    for resource, status, code in (
            (machine_id(azure, "no-such"), 404, "ResourceNotFound"),
            (azure.path(GROUP, "Microsoft.Network/virtualNetworks", "main"), 400, "BadRequest")):
        with pytest.raises(HttpResponseError) as raised:
            ask(azure, resource, now - datetime.timedelta(days=1), now)
        assert error(raised) == (status, code)
