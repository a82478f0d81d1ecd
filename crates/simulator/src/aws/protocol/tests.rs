//! Each protocol read and written by AWS's own models, without a network.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use super::*;
use crate::aws::service::{self, Service};

fn service(name: &str) -> Service {
    service::all().unwrap().into_iter().find(|service| service.name == name).unwrap()
}

fn form(body: &str) -> Request {
    request(
        Method::POST,
        "/",
        "",
        &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
        body,
    )
}

fn request(method: Method, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    Request { method, path: path.into(), query: query.into(), headers, body: Bytes::from(body.to_owned()) }
}

/// What a request says, or the code of its refusal.
fn read(service: &Service, request: &Request) -> Result<(String, Value), String> {
    let dialect = Dialect::of(&service.schema, request);
    let read = dialect.read(&service.schema, request);
    read.map(|(operation, input)| (operation.name.clone(), input))
        .map_err(|refusal| refusal.code.into_owned())
}

fn write(service: &Service, dialect: Dialect, operation: &str, output: Value) -> Result<String, Refusal> {
    let operation = service.schema.operation(operation).unwrap();
    let answer = dialect.write(&service.schema, operation, output.into(), "the-request")?;
    Ok(String::from_utf8(answer.body.to_vec()).unwrap())
}

const EC2: &str = "Version=2016-11-15&Action=";

#[test]
fn ec2s_forms_are_read_by_its_own_names() {
    let ec2 = service("ec2");
    let body = format!(
        "{EC2}RunInstances&MinCount=1&MaxCount=2&ImageId=ami-1&SecurityGroupId.1=sg-1&SecurityGroupId.2=sg-2\
         &BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=30\
         &BlockDeviceMapping.1.Ebs.DeleteOnTermination=true&TagSpecification.1.ResourceType=instance\
         &TagSpecification.1.Tag.1.Key=a+b&TagSpecification.1.Tag.1.Value=%C3%A9"
    );
    let expected = json!({
        "MinCount": 1, "MaxCount": 2, "ImageId": "ami-1", "SecurityGroupIds": ["sg-1", "sg-2"],
        "BlockDeviceMappings": [{
            "DeviceName": "/dev/xvda", "Ebs": { "VolumeSize": 30, "DeleteOnTermination": true },
        }],
        "TagSpecifications": [{ "ResourceType": "instance", "Tags": [{ "Key": "a b", "Value": "é" }] }],
    });
    assert_eq!(read(&ec2, &form(&body)), Ok(("RunInstances".to_owned(), expected)));
}

#[test]
fn elements_stand_in_the_order_of_their_numbers() {
    let body = format!("{EC2}DescribeInstances&InstanceId.10=i-c&InstanceId.2=i-b&InstanceId.1=i-a");
    let (_, input) = read(&service("ec2"), &form(&body)).unwrap();
    assert_eq!(input, json!({ "InstanceIds": ["i-a", "i-b", "i-c"] }));
}

#[test]
fn ec2_refuses_what_it_does_not_know() {
    let ec2 = service("ec2");
    let refusal = |rest: &str| read(&ec2, &form(&format!("{EC2}{rest}"))).unwrap_err();
    assert_eq!(refusal("DescribeInstances&InstanceIds.1=i-a"), "UnknownParameter");
    assert_eq!(refusal("DescribeInstances&InstanceId=i-a"), "UnknownParameter");
    assert_eq!(refusal("DescribeInstances&InstanceId.0=i-a"), "UnknownParameter");
    assert_eq!(refusal("DescribeInstances&Filter.1.Name.Deeper=x"), "UnknownParameter");
    assert_eq!(refusal("DescribeInstances&MaxResults=5&MaxResults=6"), "InvalidParameterValue");
    assert_eq!(refusal("DescribeInstances&DryRun=maybe"), "InvalidParameterValue");
    assert_eq!(refusal("RunInstances&MinCount=1"), "MissingParameter");
    assert_eq!(refusal("FlyToTheMoon"), "InvalidAction");
    assert_eq!(refusal(&format!("DescribeInstances&{}=x", ["a"; 100].join("."))), "UnknownParameter");
    let json = request(Method::POST, "/", "", &[("content-type", "application/json")], "{}");
    assert_eq!(read(&ec2, &json), Err("MalformedInput".to_owned()));
}

#[test]
fn query_puts_a_name_before_the_number() {
    let rds = service("rds");
    let body =
        |rest: &str| form(&format!("Version=2014-10-31&Action=AddTagsToResource&ResourceName=x&{rest}"));
    let (_, input) = read(&rds, &body("Tags.Tag.1.Key=a&Tags.Tag.1.Value=1")).unwrap();
    assert_eq!(input, json!({ "ResourceName": "x", "Tags": [{ "Key": "a", "Value": "1" }] }));
    // An empty list is an empty text.
    assert_eq!(read(&rds, &body("Tags=")).unwrap().1, json!({ "ResourceName": "x", "Tags": [] }));
    assert_eq!(read(&rds, &body("Tags.member.1.Key=a")), Err("MalformedInput".to_owned()));
    assert_eq!(read(&rds, &body("Tags.1.Key=a")), Err("MalformedInput".to_owned()));
    assert_eq!(read(&rds, &body("")), Err("MissingParameter".to_owned()));
}

#[test]
fn cloudwatch_is_json_to_some_and_query_to_others() {
    let monitoring = service("cloudwatch");
    let headers = [
        ("x-amz-target", "GraniteServiceVersion20100801.GetMetricStatistics"),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let body =
        r#"{"Namespace":"n","MetricName":"m","StartTime":1767225600,"EndTime":1767229200.5,"Period":60}"#;
    let (_, from_json) = read(&monitoring, &request(Method::POST, "/", "", &headers, body)).unwrap();
    let body = "Version=2010-08-01&Action=GetMetricStatistics&Namespace=n&MetricName=m&Period=60\
        &StartTime=2026-01-01T00%3A00%3A00Z&EndTime=2026-01-01T01%3A00%3A00.500Z";
    let (_, from_query) = read(&monitoring, &form(body)).unwrap();
    assert_eq!(from_json, from_query);
    assert_eq!(from_json["EndTime"], "2026-01-01T01:00:00.500Z");
}

#[test]
fn s3s_operations_are_told_apart_by_path_and_query() {
    let s3 = service("s3");
    let named = |method: Method, path: &str, query: &str| {
        read(&s3, &request(method, path, query, &[], ""))
            .map(|(name, input)| (name, input["Key"].as_str().map(str::to_owned)))
    };
    let plain = |name: &str| Ok((name.to_owned(), None));
    assert_eq!(named(Method::GET, "/", "max-buckets=1&x-id=ListBuckets"), plain("ListBuckets"));
    assert_eq!(named(Method::GET, "/b", "tagging"), plain("GetBucketTagging"));
    assert_eq!(named(Method::GET, "/b/", "location="), plain("GetBucketLocation"));
    assert_eq!(named(Method::GET, "/b", "list-type=2&prefix=a%2Fb"), plain("ListObjectsV2"));
    assert_eq!(named(Method::HEAD, "/b", ""), plain("HeadBucket"));
    assert_eq!(
        named(Method::GET, "/b/a%20b/c/", ""),
        Ok(("GetObject".to_owned(), Some("a b/c/".to_owned())))
    );
    // Neither another version of the list nor a part of a bucket is taken for something else.
    for (method, path, query) in [
        (Method::GET, "/b", ""),
        (Method::PUT, "/b", "acl"),
        (Method::GET, "/b/k", "acl"),
        (Method::POST, "/b", "delete"),
    ] {
        assert_eq!(named(method, path, query), Err("NotImplemented".to_owned()), "{path}?{query}");
    }
}

#[test]
fn xml_bodies_are_as_strict_as_forms() {
    let s3 = service("s3");
    let put =
        |body: &str| read(&s3, &request(Method::PUT, "/b", "tagging", &[], body)).map(|(_, input)| input);
    let tags = put(
        "<?xml version=\"1.0\"?><x:Tagging xmlns:x=\"http://s3.amazonaws.com/doc/2006-03-01/\"><x:TagSet><x:Tag>\
         <x:Key>a&amp;b</x:Key><x:Value><![CDATA[<1>]]>&#233;</x:Value></x:Tag></x:TagSet></x:Tagging>",
    );
    let expected = json!({ "Bucket": "b", "Tagging": { "TagSet": [{ "Key": "a&b", "Value": "<1>é" }] } });
    assert_eq!(tags, Ok(expected));
    for wrong in [
        "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value><More/></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Nonsense/></TagSet></Tagging>",
        "<Tagging><TagSet>",
        "<!DOCTYPE x [<!ENTITY y \"z\">]><Tagging><TagSet/></Tagging>",
        "<Tagging/><Tagging/>",
        "hello",
    ] {
        assert_eq!(put(wrong), Err("MalformedXML".to_owned()), "{wrong}");
    }
}

#[test]
fn ec2s_answers_have_its_names_and_its_frame() {
    let ec2 = service("ec2");
    let output = json!({ "Reservations": [{ "ReservationId": "r-1", "Instances": [
        { "InstanceId": "i-1", "State": { "Code": 16, "Name": "running" }, "EbsOptimized": false, "KeyName": null,
          "Tags": [{ "Key": "a", "Value": "<&\">" }], "LaunchTime": "2026-01-01T00:00:00Z" }] }] });
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\">\
        <requestId>the-request</requestId><reservationSet><item><reservationId>r-1</reservationId><instancesSet><item>\
        <instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
        <ebsOptimized>false</ebsOptimized><tagSet><item><key>a</key><value>&lt;&amp;&quot;&gt;</value></item></tagSet>\
        <launchTime>2026-01-01T00:00:00Z</launchTime></item></instancesSet></item></reservationSet>\
        </DescribeInstancesResponse>";
    assert_eq!(write(&ec2, Dialect::Ec2, "DescribeInstances", output).unwrap(), expected);
    assert!(
        write(&ec2, Dialect::Ec2, "DeleteVolume", Value::Null).unwrap().contains("<return>true</return>")
    );
}

#[test]
fn an_output_that_the_model_does_not_know_is_a_defect() {
    let ec2 = service("ec2");
    for wrong in [
        json!({ "Nonsense": [] }),
        json!({ "Reservations": [{ "Nonsense": "x" }] }),
        json!({ "Reservations": "x" }),
        json!({ "Reservations": [{ "Instances": [{ "State": { "Name": "dancing" } }] }] }),
        json!({ "Reservations": [{ "Instances": [{ "AmiLaunchIndex": "1" }] }] }),
        json!({ "Reservations": [{ "Instances": [{ "LaunchTime": "yesterday" }] }] }),
        json!({ "Reservations": [{ "Instances": [{ "": "{\"Nonsense\":1}" }] }] }),
    ] {
        let refusal = write(&ec2, Dialect::Ec2, "DescribeInstances", wrong.clone()).unwrap_err();
        assert_eq!((refusal.code.as_ref(), refusal.status), ("InternalFailure", Some(500)), "{wrong}");
    }
}

#[test]
fn a_bodys_text_is_written_as_its_members_would_be() {
    let ec2 = service("ec2");
    let body = json!({
        "ImageId": "ami-1", "AmiLaunchIndex": 3, "EbsOptimized": true, "KeyName": null, "LaunchTime": "2026-01-01T00:00:00Z",
        "SecurityGroups": [{ "GroupId": "sg-\"1\"", "GroupName": "é\\n" }], "ProductCodes": [],
        "NetworkInterfaces": [{ "Attachment": { "DeviceIndex": 0 } }],
    });
    let frame = |instance: Value| json!({ "Reservations": [{ "Instances": [instance] }] });
    let plain = write(&ec2, Dialect::Ec2, "DescribeInstances", frame(body.clone())).unwrap();
    let mut kept = body;
    kept["_Own"] = json!({ "left": ["out"] });
    let spliced = frame(json!({ splice::BODY: kept.to_string() }));
    assert_eq!(write(&ec2, Dialect::Ec2, "DescribeInstances", spliced).unwrap(), plain);
}

#[test]
fn refusals_are_in_the_shape_of_their_protocol() {
    let refusal = Refusal::new("Some.Code", "a <b>").with("More", "c");
    let said = |service: &str, dialect| {
        let answer = refusal.answer(&super::tests::service(service).schema, dialect, "id");
        (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap(), answer.headers)
    };
    let (status, ec2, _) = said("ec2", Dialect::Ec2);
    assert_eq!(status, 400);
    assert!(ec2.ends_with(
        "<Response><Errors><Error><Code>Some.Code</Code><Message>a &lt;b&gt;</Message></Error></Errors>\
         <RequestID>id</RequestID></Response>"
    ));
    let (_, query, _) = said("rds", Dialect::Query);
    assert!(
        query.contains("<Error><Type>Sender</Type><Code>Some.Code</Code>")
            && query.ends_with("<RequestId>id</RequestId></ErrorResponse>")
    );
    let (_, s3, _) = said("s3", Dialect::RestXml);
    assert!(s3.contains("\n<Error><Code>Some.Code</Code>") && s3.contains("<More>c</More>"));
    let (_, json, headers) = said("ce", Dialect::Json);
    assert!(json.contains("\"__type\":\"Some.Code\"") && headers["x-amzn-errortype"] == "Some.Code");
}

#[test]
fn a_modelled_error_has_the_models_status_and_both_its_names() {
    let rds = service("rds");
    let missing = Refusal::new("DBInstanceNotFound", "x").answer(&rds.schema, Dialect::Query, "id");
    assert_eq!(missing.status, 404);
    // JSON calls it by its shape, and says in a header what the Query protocol calls it.
    let monitoring = service("cloudwatch");
    let wrong =
        Refusal::new("InvalidParameterCombination", "x").answer(&monitoring.schema, Dialect::Json, "id");
    assert_eq!(wrong.headers["x-amzn-query-error"], "InvalidParameterCombination;Sender");
    assert!(
        String::from_utf8_lossy(&wrong.body).contains("\"__type\":\"InvalidParameterCombinationException\"")
    );
}
