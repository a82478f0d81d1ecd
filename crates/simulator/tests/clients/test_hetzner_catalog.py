"""Who may ask, what there is to have, and how lists are paged, filtered and sorted."""

import urllib.request

from hcloud.load_balancer_types import LoadBalancerType
from hetzner_bed import Refused, project


def test_a_token_opens_its_project_and_one_that_reads_changes_nothing(project):
    with Refused("unauthorized"):
        project.opened("x" * 64).servers.get_all()
    reader = project.opened(project.credentials["read_only_token"])
    assert reader.servers.get_all()
    with Refused("token_readonly"):
        reader.placement_groups.create(name="x", type="spread")


def test_every_answer_tells_the_limit(project):
    request = urllib.request.Request(
        project.credentials["api_endpoint"] + "/locations",
        headers={"Authorization": "Bearer " + project.credentials["token"]},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["RateLimit-Limit"] == "3600"
        assert 0 < int(answer.headers["RateLimit-Remaining"]) < 3600
        assert int(answer.headers["RateLimit-Reset"]) > 1_700_000_000
        assert answer.headers["X-Correlation-Id"]


def test_locations(project):
    locations = project.client.locations.get_all()
    assert [one.name for one in locations] == ["nbg1", "hel1"]
    assert project.client.locations.get_by_name("hel1").network_zone == "eu-central"
    assert project.client.locations.get_by_id(locations[0].id).country == "DE"
    with Refused("not_found"):
        project.client.locations.get_by_id(99)


def test_server_types(project):
    types = project.client.server_types.get_all()
    cax = project.client.server_types.get_by_name("cax21")
    assert (cax.cores, cax.memory, cax.architecture, cax.cpu_type) == (4, 8, "arm", "shared")
    assert {price["location"] for price in cax.prices} == {"nbg1", "hel1"}
    assert project.client.server_types.get_by_id(cax.id).name == "cax21"
    assert len(types) == 9


def test_load_balancer_types(project):
    types = project.client.load_balancer_types.get_all()
    assert [one.name for one in types] == ["lb11", "lb21", "lb31"]
    assert project.client.load_balancer_types.get_by_id(types[1].id).max_targets == 75
    assert isinstance(types[0].data_model, LoadBalancerType)


def test_prices(project):
    prices = project.client.request("GET", "/pricing")["pricing"]
    assert {one["name"] for one in prices["server_types"]} >= {"cx23", "ccx33"}
    hourly = {price["location"]: float(price["price_hourly"]["net"]) for price in prices["server_types"][0]["prices"]}
    assert hourly["hel1"] < hourly["nbg1"]
    assert float(prices["volume"]["price_per_gb_month"]["net"]) > 0


def test_lists_over_several_pages(project):
    everything = project.client.primary_ips.get_all()
    assert len(everything) > 50 and len({one.id for one in everything}) == len(everything)
    page = project.client.primary_ips.get_list(page=2, per_page=20)
    assert [one.id for one in page.primary_ips] == [one.id for one in everything[20:40]]
    pages = page.meta.pagination
    assert (pages.previous_page, pages.next_page, pages.total_entries) == (1, 3, len(everything))
    assert pages.last_page == -(-len(everything) // 20)
    last = project.client.primary_ips.get_list(page=pages.last_page, per_page=20)
    assert last.meta.pagination.next_page is None
    assert project.client.primary_ips.get_list(page=100).primary_ips == []
    with Refused("invalid_input"):
        project.client.primary_ips.get_list(per_page=51)
    with Refused("invalid_input"):
        project.client.primary_ips.get_list(page=0)


def test_filters_and_orders(project):
    servers = project.client.servers
    web = servers.get_all(label_selector="tier in (web),env=staging,!legacy")
    assert web and all(one.labels["tier"] == "web" for one in web)
    assert servers.get_all(label_selector="tier!=web,app=platform")
    assert {one.status for one in servers.get_all(status=["off"])} == {"off"}
    assert servers.get_by_name(web[0].name).id == web[0].id
    assert servers.get_by_name("nobody") is None
    names = [one["name"] for one in project.client.request("GET", "/servers", params={"sort": "name:desc", "per_page": 50})["servers"]]
    assert names == sorted(names, reverse=True)
    for wrong in ["tier in (web", "=x"]:
        with Refused("invalid_input") as refused:
            servers.get_all(label_selector=wrong)
        assert refused.error.details["fields"][0]["name"] == "label_selector"


def test_what_hetzner_does_not_know_is_refused(project):
    ask = project.client.request
    with Refused("invalid_input"):
        ask("GET", "/servers", params={"colour": "red"})
    with Refused("invalid_input"):
        ask("GET", "/servers", params={"status": "dreaming"})
    with Refused("invalid_input") as refused:
        ask("POST", "/volumes", json={"name": "x", "size": "ten", "colour": "red"})
    assert {one["name"] for one in refused.error.details["fields"]} == {"size", "colour"}
    with Refused("invalid_input") as refused:
        ask("POST", "/volumes", json={"name": "x"})
    assert refused.error.details["fields"] == [{"name": "size", "messages": ["is required"]}]
    with Refused("json_error"):
        ask("POST", "/volumes", data="{")
    with Refused("not_found"):
        ask("GET", "/elsewhere")
    with Refused("method_not_allowed"):
        ask("PUT", "/servers", json={})
    with Refused("invalid_input"):
        ask("GET", "/servers/first")


def test_what_is_not_simulated_and_what_is_gone(project):
    for path in ["/isos", "/zones", "/storage_boxes"]:
        with Refused("unsupported_error"):
            project.client.request("GET", path)
    with Refused("deprecated_api_endpoint") as refused:
        project.client.request("GET", "/datacenters")
    assert "datacenters" in refused.error.details["announcement"]
