//! The account: its instances as pages of XML, as the real service writes them.
//!
//! The document follows the real answer for an ordinary instance (one network interface, two volumes, two security
//! groups, five tags), which is about 4.5 KB. The same arguments give the same bytes.

use std::fmt::Write as _;

use bytes::Bytes;

/// An account, ready to be sent.
#[derive(Debug)]
pub struct Account {
    /// Its only region.
    pub region: String,
    /// The answers to `DescribeInstances`, in order.
    pub pages: Vec<Bytes>,
}

/// The account's number.
pub const NUMBER: &str = "123456789012";

const TYPES: [&str; 6] = ["t3.medium", "m6i.large", "m6i.xlarge", "c6i.2xlarge", "r6i.large", "t3.small"];
const TEAMS: [&str; 5] = ["checkout", "guests", "venues", "payments", "platform"];

impl Account {
    /// Renders `instances` instances, `page_size` on a page.
    pub fn render(instances: usize, page_size: usize, region: &str) -> Self {
        let count = instances.div_ceil(page_size).max(1);
        let pages = (0..count)
            .map(|page| {
                let numbers = page * page_size..((page + 1) * page_size).min(instances);
                Bytes::from(render_page(region, page, numbers, page + 1 < count))
            })
            .collect();
        Self { region: region.to_owned(), pages }
    }

    /// The page that a `NextToken` leads to; the first one without.
    pub fn page(&self, token: Option<&str>) -> Option<&Bytes> {
        let number = match token {
            None => 0,
            Some(token) => token.strip_prefix(TOKEN)?.parse::<usize>().ok()?,
        };
        self.pages.get(number)
    }
}

/// The beginning of a token, as long as real ones are.
const TOKEN: &str = "eyJ2IjoiMiIsImMiOiJyZXBsYXkiLCJzIjoiMSIsInBhZ2UiOg-";

fn render_page(region: &str, page: usize, numbers: std::ops::Range<usize>, more: bool) -> String {
    let mut out = String::with_capacity(numbers.len() * 5_000 + 1_000);
    let _ = write!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    \
         <requestId>{}</requestId>\n    <reservationSet>\n",
        super::answers::request_id(page)
    );
    for number in numbers {
        render_instance(&mut out, region, number);
    }
    out.push_str("    </reservationSet>\n");
    if more {
        let _ = writeln!(out, "    <nextToken>{TOKEN}{}</nextToken>", page + 1);
    }
    out.push_str("</DescribeInstancesResponse>\n");
    out
}

/// The template with the instance's own values in it.
fn render_instance(out: &mut String, region: &str, number: usize) {
    let zone = format!("{region}{}", ['a', 'b', 'c'][number % 3]);
    let running = !number.is_multiple_of(20);
    let team = TEAMS[number % TEAMS.len()];
    let values = [
        ("{id}", format!("{:017x}", number + 1)),
        ("{type}", TYPES[number % TYPES.len()].to_owned()),
        ("{zone}", zone),
        ("{subnet}", format!("{:017x}", 0xa000 + number % 3)),
        ("{state_code}", if running { "16" } else { "80" }.to_owned()),
        ("{state}", if running { "running" } else { "stopped" }.to_owned()),
        ("{address}", format!("10.{}.{}.{}", number / 65_536 % 256, number / 256 % 256, number % 256)),
        (
            "{dns}",
            format!("ip-10-{}-{}-{}.ec2.internal", number / 65_536 % 256, number / 256 % 256, number % 256),
        ),
        ("{second}", format!("{:02}", number % 60)),
        ("{name}", format!("{team}-{number:06}")),
        ("{team}", team.to_owned()),
    ];
    let mut rest = TEMPLATE;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let close = rest[open..].find('}').map_or(rest.len(), |at| open + at + 1);
        let name = &rest[open..close];
        let value = values.iter().find(|(key, _)| *key == name);
        out.push_str(value.map_or(name, |(_, value)| value));
        rest = &rest[close..];
    }
    out.push_str(rest);
}

const TEMPLATE: &str = include_str!("instance.xml");
