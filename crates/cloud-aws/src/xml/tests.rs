//! Reading answers: the shapes AWS sends, and the ones that must not be believed.

use proptest::prelude::*;

use super::*;

const INSTANCES: Shape = Shape {
    action: "DescribeInstances",
    items: &["reservationSet", "item", "instancesSet", "item"],
    group: Some(2),
    token: Some((0, "nextToken")),
};

const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>r</requestId>
  <reservationSet>
    <item>
      <reservationId>r-1</reservationId>
      <groupSet/>
      <instancesSet>
        <item><instanceId>i-1</instanceId><tagSet>
          <item><key>Name</key><value>a &amp; b &#x2764; &lt;c&gt;</value></item>
          <item><key>blank</key><value> </value></item></tagSet></item>
        <item><instanceId>i-2</instanceId><tagSet/><reason></reason></item>
      </instancesSet>
      <requesterId>console</requesterId>
    </item>
    <item><reservationId>r-2</reservationId><instancesSet><item><instanceId>i-3</instanceId></item></instancesSet></item>
  </reservationSet>
  <nextToken>page=2</nextToken>
</DescribeInstancesResponse>"#;

/// Everything a walk meets: `i-1`, or `[r-1 console]` for a group; and the token.
fn walk(source: &str) -> Result<(Vec<String>, Option<String>), XmlError> {
    let mut walk = Walk::new(source, INSTANCES);
    let mut met = Vec::new();
    loop {
        match walk.step()? {
            Step::Item => met.push(walk.item().unwrap().get("instanceId").unwrap_or("?").to_owned()),
            Step::Group => {
                let group = walk.group().unwrap();
                met.push(format!(
                    "[{} {}]",
                    group.get("reservationId").unwrap(),
                    group.get("requesterId").unwrap_or("-")
                ));
            }
            Step::End => return Ok((met, walk.token())),
        }
    }
}

#[test]
fn items_groups_and_the_token_are_met_in_order() {
    let (met, token) = walk(PAGE).unwrap();
    assert_eq!(met, ["i-1", "i-2", "[r-1 console]", "i-3", "[r-2 -]"]);
    assert_eq!(token.as_deref(), Some("page=2"));
}

#[test]
fn text_is_unescaped_and_indentation_is_not_text() {
    let mut walk = Walk::new(PAGE, INSTANCES);
    assert_eq!(walk.step().unwrap(), Step::Item);
    let item = walk.item().unwrap();
    let tags: Vec<_> = item
        .list("tagSet")
        .map(|tag| (tag.get("key").unwrap(), tag.child("value").unwrap().text()))
        .collect();
    assert_eq!(tags, [("Name", "a & b ❤ <c>"), ("blank", " ")]);
    assert_eq!(item.child("tagSet").unwrap().text(), "");
    assert_eq!(item.get("reason"), None);
}

#[test]
fn an_empty_token_is_none() {
    let page = PAGE.replace("<nextToken>page=2</nextToken>", "<nextToken/>");
    assert_eq!(walk(&page).unwrap().1, None);
}

#[test]
fn a_query_service_puts_a_result_around_its_list() {
    let shape = Shape {
        action: "DescribeDBInstances",
        items: &["DescribeDBInstancesResult", "DBInstances", "DBInstance"],
        group: None,
        token: Some((1, "Marker")),
    };
    let page = "<DescribeDBInstancesResponse><DescribeDBInstancesResult><Marker>m</Marker><DBInstances>\
        <DBInstance><DBInstanceIdentifier>a</DBInstanceIdentifier></DBInstance></DBInstances></DescribeDBInstancesResult>\
        <ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></DescribeDBInstancesResponse>";
    let mut walk = Walk::new(page, shape);
    assert_eq!(walk.step().unwrap(), Step::Item);
    assert_eq!(walk.item().unwrap().get("DBInstanceIdentifier"), Some("a"));
    assert_eq!(walk.step().unwrap(), Step::End);
    assert_eq!(walk.token().as_deref(), Some("m"));
}

#[test]
fn another_document_is_not_an_empty_page() {
    for page in
        ["<html><body>Sign in</body></html>", "<Response><Errors/></Response>", "", "   ", "not xml at all"]
    {
        assert!(walk(page).is_err(), "{page}");
    }
}

#[test]
fn entities_and_document_types_are_refused() {
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa">]><DescribeInstancesResponse><requestId>&a;</requestId></DescribeInstancesResponse>"#;
    assert!(matches!(walk(bomb), Err(XmlError::Malformed { .. })));
    let entity = "<DescribeInstancesResponse><requestId>&a;</requestId></DescribeInstancesResponse>";
    assert!(matches!(walk(entity), Err(XmlError::Malformed { .. })));
    let deep = format!("<DescribeInstancesResponse>{}", "<a>".repeat(5_000));
    assert!(matches!(walk(&deep), Err(XmlError::Malformed { .. })));
}

proptest! {
    #[test]
    fn no_cut_makes_a_page_shorter_in_silence(cut in 0_usize..1_200) {
        let end = PAGE.trim_end().len();
        let cut = (0..=cut.min(end - 1)).rev().find(|&at| PAGE.is_char_boundary(at)).unwrap();
        prop_assert!(walk(&PAGE[..cut]).is_err(), "cut at {cut}");
    }

    #[test]
    fn any_bytes_end_without_panic(text in "[<>/a-c&;! \n\"'=?\\[\\]-]{0,200}") {
        let _ = walk(&text);
        let _ = walk(&format!("<DescribeInstancesResponse><reservationSet><item>{text}"));
        let _ = read_whole(&text);
    }
}
