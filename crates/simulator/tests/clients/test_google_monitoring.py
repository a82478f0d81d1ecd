"""Monitoring: time series that follow from the loads of the world."""

import datetime

import pytest
from google_bed import gcp
from googleapiclient.errors import HttpError

CPU = "compute.googleapis.com/instance/cpu/utilization"


@pytest.fixture(scope="module")
def series(gcp):
    api = gcp.api("monitoring").projects().timeSeries()

    def ask(text, hours=6, end=None, **more):
        end = end or datetime.datetime.fromisoformat(gcp.control.now().replace("Z", "+00:00"))
        span = {"interval_startTime": stamp(end - datetime.timedelta(hours=hours)), "interval_endTime": stamp(end)}
        return api.list(name=f"projects/{gcp.project}", filter=text, **span, **more).execute()

    return ask


def stamp(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def aligned(how, period="3600s"):
    return {"aggregation_alignmentPeriod": period, "aggregation_perSeriesAligner": how}


def values(one):
    return [float(next(iter(point["value"].values()))) for point in one["points"]]


def test_utilization_by_aligner(gcp, series):
    text = f'metric.type = "{CPU}" AND metric.labels.instance_name = starts_with("web-") AND resource.labels.zone = "{gcp.zone}"'
    end = datetime.datetime.fromisoformat(gcp.control.now().replace("Z", "+00:00"))
    means = series(text, end=end, **aligned("ALIGN_MEAN"))["timeSeries"]
    assert means == series(text, end=end, **aligned("ALIGN_MEAN"))["timeSeries"]
    assert {one["metric"]["labels"]["instance_name"][:4] for one in means} == {"web-"}
    assert all(len(one["points"]) == 6 and 0 < min(values(one)) and max(values(one)) <= 1 for one in means)
    most, least, high = (series(text, end=end, **aligned(f"ALIGN_{how}"))["timeSeries"] for how in ("MAX", "MIN", "PERCENTILE_95"))
    for mean, top, bottom, p95 in zip(means, most, least, high):
        assert all(b <= m <= p <= t for m, t, b, p in zip(values(mean), values(top), values(bottom), values(p95)))
    ends = [point["interval"]["endTime"] for point in means[0]["points"]]
    assert ends == sorted(ends, reverse=True)


def test_bytes_are_counted(gcp, series):
    text = f'metric.type = "compute.googleapis.com/instance/network/sent_bytes_count" AND metric.label.instance_name = "web-01"'
    end = datetime.datetime.fromisoformat(gcp.control.now().replace("Z", "+00:00"))
    raw = series(text, hours=1, end=end)["timeSeries"][0]
    assert (raw["metricKind"], raw["valueType"], len(raw["points"])) == ("DELTA", "INT64", 60)
    total = series(text, hours=1, end=end, **aligned("ALIGN_SUM"))["timeSeries"][0]
    delta = series(text, hours=1, end=end, **aligned("ALIGN_DELTA"))["timeSeries"][0]
    assert delta["metricKind"] == "DELTA" and delta["points"][0]["value"] == total["points"][0]["value"]
    rate = series(text, hours=1, end=end, **aligned("ALIGN_RATE"))["timeSeries"][0]
    assert abs(values(total)[0] / 3600 / values(rate)[0] - 1) < 0.01 and total["valueType"] == "INT64"


def test_series_made_one(gcp, series):
    more = {"aggregation_crossSeriesReducer": "REDUCE_MEAN", "aggregation_groupByFields": ["resource.labels.zone"]}
    found = series(f'metric.type = "{CPU}"', **aligned("ALIGN_MEAN"), **more)["timeSeries"]
    zones = [one["resource"]["labels"]["zone"] for one in found]
    assert len(zones) == len(set(zones)) == 6 and "labels" not in found[0]["metric"]
    count = series(f'metric.type = "{CPU}"', **aligned("ALIGN_MEAN"), aggregation_crossSeriesReducer="REDUCE_COUNT")["timeSeries"]
    assert len(count) == 1 and values(count[0])[0] > 20


def test_databases(gcp, series):
    for metric, kind in (("cpu/utilization", "DOUBLE"), ("disk/utilization", "DOUBLE"), ("memory/utilization", "DOUBLE"), ("postgresql/num_backends", "INT64")):
        found = series(f'metric.type = "cloudsql.googleapis.com/database/{metric}"', **aligned("ALIGN_MAX"))["timeSeries"]
        assert {one["valueType"] for one in found} == {kind}, metric
        assert f"{gcp.project}:bookings-{gcp.region}" in {one["resource"]["labels"]["database_id"] for one in found}
    assert "timeSeries" not in series('metric.type = "cloudsql.googleapis.com/database/network/connections"')


def test_what_is_stopped_is_not_measured(gcp, series):
    text = f'metric.type = "{CPU}" AND metric.labels.instance_name = "rehearsal-01"'
    assert "timeSeries" not in series(text)


def test_memory_of_agents(gcp, series):
    found = series('metric.type = "agent.googleapis.com/memory/percent_used" AND metadata.user_labels.tier = "api"', **aligned("ALIGN_MEAN"))
    assert all(20 < value < 90 for one in found["timeSeries"] for value in values(one))


def test_a_saturday_in_summer_is_busier(gcp, series):
    text = f'metric.type = "{CPU}" AND metric.labels.instance_name = "guest-upload-01" AND resource.labels.zone = "{gcp.zone}"'
    now = datetime.datetime.fromisoformat(gcp.control.now().replace("Z", "+00:00"))
    days = [now.replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=n) for n in range(1, 366)]
    # The ends of a Saturday in July and of a Tuesday in February.
    summer = next(day for day in days if day.month == 7 and day.weekday() == 6 and 2 < day.day < 28)
    winter = next(day for day in days if day.month == 2 and day.weekday() == 2 and 2 < day.day < 26)
    busy = series(text, hours=24, end=summer, **aligned("ALIGN_MAX", "86400s"))["timeSeries"][0]
    calm = series(text, hours=24, end=winter, **aligned("ALIGN_MAX", "86400s"))["timeSeries"][0]
    assert values(busy)[0] > 1.5 * values(calm)[0]


def test_pages(gcp, series):
    text = f'metric.type = "{CPU}"'
    end = datetime.datetime.fromisoformat(gcp.control.now().replace("Z", "+00:00"))
    whole = series(text, end=end, **aligned("ALIGN_MEAN"))["timeSeries"]
    points, token = [], None
    while True:
        page = series(text, end=end, pageSize=50, pageToken=token, **aligned("ALIGN_MEAN"))
        points += [(one["resource"]["labels"]["instance_id"], point["interval"]["endTime"]) for one in page["timeSeries"] for point in one["points"]]
        token = page.get("nextPageToken")
        if not token:
            break
    assert points == [(one["resource"]["labels"]["instance_id"], point["interval"]["endTime"]) for one in whole for point in one["points"]]
    headers = series(text, end=end, view="HEADERS")["timeSeries"]
    assert all("points" not in one for one in headers)


def test_a_span_may_be_longer_than_the_world(gcp, series):
    whole = {"interval_startTime": "0001-01-01T00:00:00Z", "interval_endTime": "9999-12-31T23:59:00Z"}
    api = gcp.api("monitoring").projects().timeSeries()

    def ask(**more):
        return api.list(name=f"projects/{gcp.project}", filter=f'metric.type = "{CPU}"', **whole, **more).execute()

    page = ask(pageSize=50)
    assert sum(len(one["points"]) for one in page["timeSeries"]) == 50 and page["nextPageToken"]
    page = ask(pageSize=50, **aligned("ALIGN_MEAN", "60s"))
    assert sum(len(one["points"]) for one in page["timeSeries"]) == 50
    years = ask(**aligned("ALIGN_MEAN", "31536000s"))["timeSeries"]
    assert all(1 <= len(one["points"]) <= 5 for one in years)
    with pytest.raises(HttpError) as caught:
        ask(aggregation_crossSeriesReducer="REDUCE_SUM", **aligned("ALIGN_MEAN", "60s"))
    assert caught.value.status_code == 400 and "points" in str(caught.value)
    path = f"/v3/projects/{gcp.project}/timeSeries?filter=metric.type%3D%22{CPU}%22&interval.endTime="
    assert gcp.raw("GET", f"{path}%2B262142-01-01T00:00:00Z").status_code == 400


def test_descriptors(gcp):
    api = gcp.api("monitoring").projects().metricDescriptors()
    found = api.list(name=f"projects/{gcp.project}", filter='metric.type = starts_with("compute.googleapis.com/")').execute()
    assert CPU in [one["type"] for one in found["metricDescriptors"]]
    assert api.get(name=f"projects/{gcp.project}/metricDescriptors/{CPU}").execute()["metricKind"] == "GAUGE"
    with pytest.raises(HttpError):
        api.get(name=f"projects/{gcp.project}/metricDescriptors/none.googleapis.com/x").execute()


def test_questions_that_cannot_be_answered(gcp, series):
    cases = [
        ('metric.type = "compute.googleapis.com/none"', {}, 404),
        ('resource.type = "gce_instance"', {}, 400),
        (f'metric.type = "{CPU}"', aligned("ALIGN_RATE"), 400),
        (f'metric.type = "{CPU}"', aligned("ALIGN_MEAN", "30s"), 400),
        (f'metric.type = "{CPU}"', aligned("ALIGN_MEAN", "62899201s"), 400),
        (f'metric.type = "{CPU}"', aligned("ALIGN_MEAN", "9223372036854775807s"), 400),
        (f'metric.type = "{CPU}"', aligned("ALIGN_MEAN", "infs"), 400),
        (f'{"(" * 100}metric.type = "{CPU}"{")" * 100}', {}, 400),
        (f'metric.type = "{CPU}"', {"aggregation_perSeriesAligner": "ALIGN_MEAN"}, 400),
        (f'metric.type = "{CPU}"', {"aggregation_crossSeriesReducer": "REDUCE_SUM"}, 400),
        (f'metric.type = "{CPU}"', {"pageToken": "made-up"}, 400),
    ]
    for text, more, status in cases:
        with pytest.raises(HttpError) as caught:
            series(text, **more)
        assert caught.value.status_code == status, (text, more)
    path = f"/v3/projects/{gcp.project}/timeSeries?filter=metric.type%3D%22{CPU}%22"
    assert gcp.raw("GET", path).status_code == 400
    now = gcp.control.now()
    number = f"{path}&interval.endTime={now}&interval.startTime={now}&aggregation.alignmentPeriod=60s&aggregation.perSeriesAligner=12&view=0&pageSize=0&orderBy=&$alt=json;enum-encoding=int"
    assert gcp.raw("GET", number).json()["timeSeries"][0]["valueType"] == 3
