"""Costs and their forecast, by azure-mgmt-costmanagement."""

import datetime

import pytest
from azure.core.exceptions import HttpResponseError

from azure_bed import account, azure, error, group, reader  # noqa: F401


@pytest.fixture
def today(control):
    return datetime.datetime.fromisoformat(control.now().replace("Z", "+00:00")).date()


@pytest.fixture
def scope(azure):
    return f"subscriptions/{azure.subscription}"


def question(start, end, granularity="Daily", grouping=(), kind="ActualCost", **dataset):
    return {"type": kind, "timeframe": "Custom",
            "timePeriod": {"from": f"{start}T00:00:00Z", "to": f"{end}T23:59:59Z"},
            "dataset": {"granularity": granularity,
                        "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
                        "grouping": list(grouping), **dataset}}


def by(name, kind="Dimension"):
    return {"type": kind, "name": name}


def rows(result):
    names = [column.name for column in result.properties.columns]
    return [dict(zip(names, row)) for row in result.properties.rows]


def test_a_month_by_day_and_service(azure, scope, today):
    end = today - datetime.timedelta(days=1)
    start = end - datetime.timedelta(days=29)
    found = azure.cost.query.usage(scope, question(start, end, grouping=[by("ServiceName")]))
    assert [column.name for column in found.properties.columns] == ["Cost", "UsageDate", "ServiceName", "Currency"]
    table = rows(found)
    assert {row["UsageDate"] for row in table} == {
        int(f"{start + datetime.timedelta(days=n):%Y%m%d}") for n in range(30)}
    assert {"Virtual Machines", "Storage", "Azure Database for PostgreSQL"} <= {row["ServiceName"] for row in table}
    assert all(row["Cost"] > 0 and row["Currency"] == "USD" for row in table)
    whole = rows(azure.cost.query.usage(scope, question(start, end, granularity="None") | {
        "dataset": {"aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}}}}))
    assert whole[0]["Cost"] == pytest.approx(sum(row["Cost"] for row in table), rel=1e-6)


def test_a_year_by_month_and_place(azure, scope, today):
    start = (today.replace(day=1) - datetime.timedelta(days=300)).replace(day=1)
    found = azure.cost.query.usage(scope, question(start, today, "Monthly", [by("ResourceLocation")], "AmortizedCost"))
    table = rows(found)
    assert {row["ResourceLocation"] for row in table} >= {"westeurope", "northeurope"}
    assert table[0]["BillingMonth"] == f"{start:%Y-%m}-01T00:00:00"


def test_groups_filters_and_tags(azure, scope, today):
    start = today - datetime.timedelta(days=10)
    ask = lambda **more: rows(azure.cost.query.usage(scope, question(start, today, **more)))
    tagged = ask(grouping=[by("tier", "TagKey")])
    assert {row["TagValue"] for row in tagged} >= {"web", "api", ""} and {row["TagKey"] for row in tagged} == {"tier"}
    resources = ask(grouping=[by("ResourceId"), by("ResourceType")], filter={"and": [
        {"dimensions": {"name": "ServiceName", "operator": "In", "values": ["Virtual Machines"]}},
        {"tags": {"name": "tier", "operator": "In", "values": ["web"]}}]})
    assert resources and {row["ResourceType"] for row in resources} == {"microsoft.compute/virtualmachines"}
    either = ask(grouping=[by("ServiceName")], filter={"or": [
        {"dimensions": {"name": "ServiceName", "operator": "In", "values": ["Azure DNS"]}},
        {"dimensions": {"name": "ServiceName", "operator": "In", "values": ["Load Balancer"]}}]})
    assert {row["ServiceName"] for row in either} == {"Azure DNS", "Load Balancer"}
    own = azure.cost.query.usage(f"{scope}/resourceGroups/orangery-events-westeurope",
                                 question(start, today, grouping=[by("ResourceGroup")]))
    assert {row["ResourceGroup"] for row in rows(own)} == {"orangery-events-westeurope"}


def test_rows_come_page_by_page(azure, scope, today):
    start = today - datetime.timedelta(days=200)
    body = question(start, today, grouping=[by("ResourceId")])
    url, found, pages = f"/{scope}/providers/Microsoft.CostManagement/query?api-version=2023-11-01", [], 0
    while url:
        page = azure.send("POST", url.removeprefix(azure.account["endpoint"]), body).json()["properties"]
        assert len(page["rows"]) <= 5_000
        found += page["rows"]
        url, pages = page.get("nextLink"), pages + 1
    assert pages > 1 and len({tuple(row[1:]) for row in found}) == len(found)


def test_what_stands_still_costs_less(azure, scope, today):
    """A machine that is deallocated costs nothing; its disk does."""
    start = today - datetime.timedelta(days=5)
    end = today - datetime.timedelta(days=1)
    table = rows(azure.cost.query.usage(scope, question(start, end, grouping=[by("ResourceId")])))
    names = {row["ResourceId"].rsplit("/", 1)[-1] for row in table}
    assert "rehearsal-01" not in names and "rehearsal-01-os" in names and "web-01" in names


def test_timeframes(azure, scope):
    for frame in ("MonthToDate", "TheLastMonth", "WeekToDate", "BillingMonthToDate"):
        body = {"type": "Usage", "timeframe": frame,
                "dataset": {"granularity": "Daily", "aggregation": {"c": {"name": "PreTaxCost", "function": "Sum"},
                                                                    "q": {"name": "UsageQuantity", "function": "Sum"}}}}
        found = azure.cost.query.usage(scope, body)
        assert [column.name for column in found.properties.columns][:2] == ["PreTaxCost", "UsageQuantity"]
        assert found.properties.rows


def test_a_forecast_goes_on_as_it_was(azure, scope, today):
    end = today + datetime.timedelta(days=30)
    found = azure.cost.forecast.usage(scope, {
        "type": "ActualCost", "timeframe": "Custom", "includeActualCost": True,
        "timePeriod": {"from": f"{today - datetime.timedelta(days=10)}T00:00:00Z", "to": f"{end}T00:00:00Z"},
        "dataset": {"granularity": "Daily", "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}}}})
    table = rows(found)
    actual = [row["Cost"] for row in table if row["CostStatus"] == "Actual"]
    ahead = [row["Cost"] for row in table if row["CostStatus"] == "Forecast"]
    assert len(actual) == 10 and len(ahead) == 31
    mean = lambda list: sum(list) / len(list)
    assert mean(ahead) == pytest.approx(mean(actual), rel=0.3)


@pytest.mark.parametrize("body, code", [
    ({"type": "FocusCost"}, "BadRequest"),
    ({"timeframe": "Custom", "timePeriod": {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}, "BadRequest"),
    ({"timePeriod": {"from": "2020-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}, "BadRequest"),
    ({"dataset": {"granularity": "Daily", "grouping": [by("Colour")]}}, "BadRequest"),
    ({"dataset": {"granularity": "Daily", "aggregation": {"c": {"name": "Colour", "function": "Sum"}}}}, "BadRequest"),
    ({"dataset": {"granularity": "Hourly"}}, "BadRequest"),
    ({"colour": "blue"}, "BadRequest"),
])
def test_a_wrong_question_is_refused(azure, scope, today, body, code):
    with pytest.raises(HttpResponseError) as raised:
        azure.cost.query.usage(scope, {**question(today, today), **body})
    assert error(raised) == (400, code)


def test_the_past_is_not_forecast(azure, scope, today):
    with pytest.raises(HttpResponseError) as raised:
        azure.cost.forecast.usage(scope, {
            "type": "ActualCost", "timeframe": "Custom",
            "timePeriod": {"from": f"{today - datetime.timedelta(days=9)}T00:00:00Z",
                           "to": f"{today - datetime.timedelta(days=5)}T00:00:00Z"},
            "dataset": {"aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}}}})
    assert error(raised) == (400, "BadRequest")


def test_a_reader_sees_costs(reader, scope, today):
    assert reader.cost.query.usage(scope, question(today - datetime.timedelta(days=3), today)).properties.rows
