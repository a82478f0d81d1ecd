"""CloudWatch from the world's loads; what was spent, what will be; the price list; quotas."""

import json
from datetime import datetime, timedelta

import pytest
from aws_clients import client, code, every
from botocore.exceptions import ClientError


@pytest.fixture(scope="session")
def metrics(account):
    return client("cloudwatch", account)


@pytest.fixture(scope="session")
def costs(account):
    return client("ce", account, "us-east-1")


@pytest.fixture
def now(control):
    return datetime.fromisoformat(control.now())


def refused(call, **arguments):
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return code(found)


def of_a_driven_instance(ec2):
    running = [{"Name": "instance-state-name", "Values": ["running"]}, {"Name": "tag:Name", "Values": ["web-*"]}]
    found = ec2.describe_instances(Filters=running)["Reservations"][0]["Instances"][0]["InstanceId"]
    return [{"Name": "InstanceId", "Value": found}]


def test_metrics_are_listed_page_by_page(metrics):
    listed, pages = every(metrics, "list_metrics", "Metrics")
    keys = [json.dumps(metric, sort_keys=True) for metric in listed]
    assert len(keys) == len(set(keys))
    assert {metric["Namespace"] for metric in listed} == {"AWS/EC2", "AWS/RDS", "AWS/ApplicationELB"}
    cpu = metrics.list_metrics(Namespace="AWS/RDS", MetricName="CPUUtilization", Dimensions=[{"Name": "DBInstanceIdentifier"}])
    assert all(metric["MetricName"] == "CPUUtilization" for metric in cpu["Metrics"])
    assert refused(metrics.list_metrics, NextToken="nonsense") == "InvalidParameterValue"
    assert pages >= 1


def test_statistics_belong_together(metrics, ec2, now):
    where = {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": of_a_driven_instance(ec2)}
    found = metrics.get_metric_statistics(
        **where, StartTime=now - timedelta(days=2), EndTime=now, Period=3600,
        Statistics=["Average", "Minimum", "Maximum", "Sum", "SampleCount"], ExtendedStatistics=["p95", "p50"],
    )["Datapoints"]
    assert 47 <= len(found) <= 49
    for point in found:
        more = point["ExtendedStatistics"]
        assert point["Minimum"] <= more["p50"] <= more["p95"] <= point["Maximum"] <= 100
        assert point["Sum"] == pytest.approx(point["Average"] * point["SampleCount"])
    assert max(point["Average"] for point in found) > 1.3 * min(point["Average"] for point in found), "nights are calm"
    wrong = {**where, "StartTime": now - timedelta(days=2), "EndTime": now, "Period": 60, "Statistics": ["Average"]}
    assert refused(metrics.get_metric_statistics, **wrong) == "InvalidParameterCombination"
    assert refused(metrics.get_metric_statistics, **{**wrong, "Period": 61}) == "ValidationError"


def test_data_come_in_pages(metrics, ec2, now):
    stat = {"Metric": {"Namespace": "AWS/EC2", "MetricName": "NetworkIn", "Dimensions": of_a_driven_instance(ec2)}, "Period": 300}
    queries = [{"Id": "p95", "MetricStat": {**stat, "Stat": "p95"}}, {"Id": "sum", "MetricStat": {**stat, "Stat": "Sum"}}]
    span = {"StartTime": now - timedelta(hours=10), "EndTime": now}
    whole = metrics.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    assert [one["Id"] for one in whole] == ["p95", "sum"] and len(whole[0]["Values"]) >= 119
    collected, token, pages = {"p95": [], "sum": []}, {}, 0
    while True:
        page = metrics.get_metric_data(MetricDataQueries=queries, MaxDatapoints=100, **span, **token)
        pages += 1
        for one in page["MetricDataResults"]:
            collected[one["Id"]] += one["Values"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert pages >= 3 and collected == {one["Id"]: one["Values"] for one in whole}
    expression = [{"Id": "e", "Expression": "p95 * 2"}]
    assert refused(metrics.get_metric_data, MetricDataQueries=expression, **span) == "ValidationError"
    for period in (2**31, 9_223_372_036_854_775_800 // 60 * 60):
        with pytest.raises(ClientError) as found:
            metrics.get_metric_data(MetricDataQueries=[{"Id": "p", "MetricStat": {**stat, "Period": period, "Stat": "Sum"}}], **span)
        assert found.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    since = {"StartTime": now - timedelta(days=900), "EndTime": now}
    seconds = [{"Id": "s", "MetricStat": {**stat, "Period": 1, "Stat": "Average"}}]
    found = metrics.get_metric_data(MetricDataQueries=seconds, **since, ScanBy="TimestampAscending")["MetricDataResults"][0]
    assert found["Timestamps"][0] >= now - timedelta(hours=3)
    nothing = {"Metric": {**stat["Metric"], "Dimensions": [{"Name": "InstanceId", "Value": "i-gone"}]}, "Period": 300, "Stat": "Sum"}
    found = metrics.get_metric_data(MetricDataQueries=[{"Id": "n", "MetricStat": nothing}], **span)["MetricDataResults"][0]
    assert (found["Values"], found["StatusCode"]) == ([], "Complete")


def test_a_stopped_instance_has_no_metrics(metrics, ec2, launch, control):
    (instance,) = launch()
    ec2.stop_instances(InstanceIds=[instance])
    control.advance(3600)
    now = datetime.fromisoformat(control.now())
    found = metrics.get_metric_statistics(
        Namespace="AWS/EC2", MetricName="CPUUtilization", Dimensions=[{"Name": "InstanceId", "Value": instance}],
        StartTime=now - timedelta(minutes=30), EndTime=now, Period=300, Statistics=["Average"],
    )
    assert found["Datapoints"] == []


def test_costs_add_up(costs, now):
    start, end = (now - timedelta(days=10)).date(), (now - timedelta(days=3)).date()
    asked = {"TimePeriod": {"Start": str(start), "End": str(end)}, "Metrics": ["UnblendedCost", "UsageQuantity"]}

    def total(results):
        return sum(float(one["Total"]["UnblendedCost"]["Amount"]) for one in results)

    def grouped(*groups, **more):
        definitions = [{"Type": kind, "Key": key} for kind, key in groups]
        found = costs.get_cost_and_usage(**asked, Granularity="DAILY", GroupBy=definitions, **more)["ResultsByTime"]
        return sum(float(group["Metrics"]["UnblendedCost"]["Amount"]) for one in found for group in one["Groups"])

    daily = costs.get_cost_and_usage(**asked, Granularity="DAILY")["ResultsByTime"]
    assert len(daily) == 7 and daily[0]["TimePeriod"]["Start"] == str(start)
    whole = total(daily)
    assert whole > 0
    assert grouped(("DIMENSION", "SERVICE")) == pytest.approx(whole)
    assert grouped(("DIMENSION", "REGION"), ("TAG", "app")) == pytest.approx(whole)
    monthly = costs.get_cost_and_usage(**asked, Granularity="MONTHLY")["ResultsByTime"]
    assert total(monthly) == pytest.approx(whole)
    here = {"Dimensions": {"Key": "REGION", "Values": ["eu-west-1"]}}
    rest = {"Not": here}
    parts = [total(costs.get_cost_and_usage(**asked, Granularity="DAILY", Filter=one)["ResultsByTime"]) for one in (here, rest)]
    assert sum(parts) == pytest.approx(whole) and all(part > 0 for part in parts)
    both = {"And": [here, {"Tags": {"Key": "app", "Values": ["platform"]}}]}
    assert 0 < total(costs.get_cost_and_usage(**asked, Granularity="DAILY", Filter=both)["ResultsByTime"]) < parts[0]
    for wrong in [
        {"Granularity": "HOURLY", "TimePeriod": {"Start": str(start - timedelta(days=60)), "End": str(end)}},
        {"TimePeriod": {"Start": str(start), "End": "9999-12-31"}},
        {"Metrics": ["Nonsense"]},
        {"Filter": {"And": [here]}},
        {"Filter": {**here, **rest}},
        {"GroupBy": [{"Type": "DIMENSION", "Key": "PLATFORM"}]},
        {"TimePeriod": {"Start": str(end), "End": str(start)}},
        {"TimePeriod": {"Start": "2001-01-01", "End": str(end)}},
    ]:
        assert refused(costs.get_cost_and_usage, **{**asked, "Granularity": "DAILY", **wrong}) == "ValidationException", wrong


def test_a_year_of_groups_comes_in_pages(costs, now):
    period = {"Start": str((now - timedelta(days=300)).date()), "End": str(now.date())}
    asked = {
        "TimePeriod": period, "Granularity": "DAILY", "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "RESOURCE_ID"}],
    }
    days, token, pages = [], {}, 0
    while True:
        page = costs.get_cost_and_usage(**asked, **token)
        pages += 1
        days += [one["TimePeriod"]["Start"] for one in page["ResultsByTime"]]
        if "NextPageToken" not in page:
            break
        token = {"NextPageToken": page["NextPageToken"]}
    assert pages > 1 and len(days) == len(set(days)) == 300
    assert refused(costs.get_cost_and_usage, **asked, NextPageToken="nonsense") == "InvalidNextTokenException"


def test_forecasts_carry_on(costs, now):
    today = now.date()
    asked = {"TimePeriod": {"Start": str(today), "End": str(today + timedelta(days=30))}, "Metric": "UNBLENDED_COST", "Granularity": "DAILY"}
    forecast = costs.get_cost_forecast(**asked)
    days = forecast["ForecastResultsByTime"]
    assert len(days) == 30
    for day in days:
        low, mean, high = (float(day[key]) for key in ("PredictionIntervalLowerBound", "MeanValue", "PredictionIntervalUpperBound"))
        assert low <= mean <= high
    assert float(forecast["Total"]["Amount"]) == pytest.approx(sum(float(day["MeanValue"]) for day in days))
    past = {"Start": str(today - timedelta(days=5)), "End": str(today)}
    assert refused(costs.get_cost_forecast, **{**asked, "TimePeriod": past}) == "ValidationException"
    none = {"Dimensions": {"Key": "SERVICE", "Values": ["Nothing"]}}
    assert refused(costs.get_cost_forecast, **asked, Filter=none) == "DataUnavailableException"


def test_values_of_dimensions_and_tags(costs, now):
    period = {"Start": str((now - timedelta(days=5)).date()), "End": str(now.date())}
    services = costs.get_dimension_values(TimePeriod=period, Dimension="SERVICE")
    names = [one["Value"] for one in services["DimensionValues"]]
    assert "Amazon Relational Database Service" in names and services["TotalSize"] == len(names)
    first = costs.get_dimension_values(TimePeriod=period, Dimension="SERVICE", MaxResults=2)
    second = costs.get_dimension_values(TimePeriod=period, Dimension="SERVICE", MaxResults=2, NextPageToken=first["NextPageToken"])
    assert [one["Value"] for one in first["DimensionValues"] + second["DimensionValues"]] == names[:4]
    assert "app" in costs.get_tags(TimePeriod=period)["Tags"]
    assert "platform" in costs.get_tags(TimePeriod=period, TagKey="app")["Tags"]
    assert refused(costs.get_dimension_values, TimePeriod=period, Dimension="PLATFORM") == "ValidationException"


def test_prices(account):
    prices = client("pricing", account, "us-east-1")
    services, _ = every(prices, "describe_services", "Services", PaginationConfig={"PageSize": 2})
    assert "AmazonEC2" in [one["ServiceCode"] for one in services]
    where = [{"Type": "TERM_MATCH", "Field": "instanceType", "Value": "m7g.large"}, {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-east-1"}]
    (product,) = prices.get_products(ServiceCode="AmazonEC2", Filters=where)["PriceList"]
    product = json.loads(product)
    (term,) = product["terms"]["OnDemand"].values()
    (rate,) = term["priceDimensions"].values()
    assert product["product"]["attributes"]["vcpu"] == "2" and float(rate["pricePerUnit"]["USD"]) == pytest.approx(0.0819)
    products, pages = every(prices, "get_products", "PriceList", ServiceCode="AmazonRDS", PaginationConfig={"PageSize": 3})
    assert pages > 2 and len(products) == len(set(products))
    engine = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in (
        ("regionCode", "us-east-1"), ("databaseEngine", "PostgreSQL"), ("deploymentOption", "Single-AZ"))]
    classes = [json.loads(one)["product"] for one in prices.get_products(ServiceCode="AmazonRDS", Filters=engine)["PriceList"]]
    assert "db.m7g.large" in [one["attributes"]["instanceType"] for one in classes]
    assert {one["productFamily"] for one in classes} == {"Database Instance"}
    assert refused(prices.get_products, ServiceCode="Nothing") == "NotFoundException"
    assert refused(prices.get_products, ServiceCode="AmazonRDS", NextToken="nonsense") == "InvalidNextTokenException"


def test_quotas(account, control):
    quotas = client("service-quotas", account)
    listed, pages = every(quotas, "list_service_quotas", "Quotas", ServiceCode="ec2", PaginationConfig={"PageSize": 1})
    assert pages == len(listed) == 2
    vcpus = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    assert quotas.get_service_quota(**vcpus)["Quota"]["Value"] == 100_000
    control.fault("quota", face="aws", operation="RunInstances", limit=64)
    assert quotas.get_service_quota(**vcpus)["Quota"]["Value"] == 64
    assert refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-0") == "NoSuchResourceException"
    assert refused(quotas.list_service_quotas, ServiceCode="nothing") == "NoSuchResourceException"
