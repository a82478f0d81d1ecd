//! How fast pages of instances are read: from the text of an answer to normalised resources, on one core.
//!
//! `cargo run --release -p marquee-cloud-aws --example parse`: ten pages of a thousand instances, 6 kB each, as
//! DescribeInstances sends them. Prints the best of five rounds.

use std::{fmt::Write as _, time::Instant};

use marquee_cloud_aws::{
    inventory::{ec2, listing::read_page},
    partition::{Partition, Place},
};

const PAGES: usize = 10;
const PER_PAGE: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pages: Vec<String> = (0..PAGES).map(|number| page(number * PER_PAGE)).collect();
    let bytes: usize = pages.iter().map(String::len).sum();
    let place =
        Place { partition: Partition::of_region("eu-west-1"), region: "eu-west-1", account: "123456789012" };
    let mut best = f64::INFINITY;
    let mut kept = 0;
    for _ in 0..5 {
        let started = Instant::now();
        let mut read = 0;
        kept = 0;
        for page in &pages {
            let (resources, _) = read_page(page, &ec2::INSTANCES, &place).await?;
            read += resources.len();
            kept += resources.iter().map(|resource| resource.raw.as_str().len()).sum::<usize>();
        }
        assert_eq!(read, PAGES * PER_PAGE);
        best = best.min(started.elapsed().as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (mega, kept) = (bytes as f64 / 1e6, kept as f64 / 1e6);
    let mut line = String::new();
    write!(line, "{} instances, {mega:.1} MB of XML to {kept:.1} MB of JSON: ", PAGES * PER_PAGE)?;
    write!(line, "{best:.3} s, {:.0} MB/s", mega / best)?;
    #[expect(clippy::print_stdout, reason = "an example talks to people")]
    {
        println!("{line}");
    }
    Ok(())
}

/// A page as EC2 writes it, indented, with every member a running instance usually has.
fn page(first: usize) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    \
         <requestId>8f7724cf-496f-496e-8fe3-example</requestId>\n    <reservationSet>\n",
    );
    for number in first..first + PER_PAGE {
        let _ = write!(
            xml,
            "        <item>\n            <reservationId>r-{number:017x}</reservationId>\n            \
             <ownerId>123456789012</ownerId>\n            <groupSet/>\n            <instancesSet>\n{}            \
             </instancesSet>\n        </item>\n",
            INSTANCE.replace("{N}", &format!("{number:017x}"))
        );
    }
    xml.push_str("    </reservationSet>\n</DescribeInstancesResponse>\n");
    xml
}

const INSTANCE: &str = include_str!("instance.xml");
