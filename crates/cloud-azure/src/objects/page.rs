//! A page of blobs (`EnumerationResults`). The official crate reads no prefixes, so the page is read here.

use chrono::{DateTime, Utc};
use marquee_clouds::objects::{ETag, Listed, ObjectPage};
use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};

/// Where in the document we are: the names of the open elements below the root.
type Path = Vec<String>;

/// A page, and the marker of the next one.
pub fn read(body: &[u8]) -> Result<(ObjectPage, Option<String>), String> {
    let body = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8")?;
    let mut reader = Reader::from_str(body.trim_start_matches('\u{feff}'));
    let (mut path, mut text, mut encoded): (Path, String, bool) = Default::default();
    let (mut page, mut marker, mut blob) = (ObjectPage::default(), None, Draft::default());
    let mut whole = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                text.clear();
                encoded = start
                    .attributes()
                    .flatten()
                    .any(|one| one.key.as_ref() == "Encoded" && &*one.value == "true");
                path.push(start.name().as_ref().to_owned());
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            Event::GeneralRef(named) => text.push_str(&resolved(&named)?),
            Event::End(_) => {
                let at: Vec<&str> = path.iter().map(String::as_str).collect();
                match at.as_slice() {
                    [root] => whole = *root == "EnumerationResults",
                    [_, "NextMarker"] => marker = Some(text.clone()).filter(|text| !text.is_empty()),
                    [_, "Blobs", "Blob"] => page.objects.push(std::mem::take(&mut blob).finish()?),
                    [_, "Blobs", "BlobPrefix", "Name"] => page.prefixes.push(name(&text, encoded)?),
                    [_, "Blobs", "Blob", "Name"] => blob.name = Some(name(&text, encoded)?),
                    [_, "Blobs", "Blob", "Properties", member] => blob.take(member, &text),
                    _ => {}
                }
                path.pop();
                text.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if whole { Ok((page, marker)) } else { Err("the answer is no listing of blobs".to_owned()) }
}

/// What an entity stands for.
fn resolved(named: &BytesRef<'_>) -> Result<String, String> {
    if let Some(letter) = named.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(letter.to_string());
    }
    resolve_predefined_entity(named)
        .map(str::to_owned)
        .ok_or_else(|| "an entity that is not XML's".to_owned())
}

/// Names with letters that XML cannot say come percent-encoded, and say so.
fn name(text: &str, encoded: bool) -> Result<String, String> {
    if !encoded {
        return Ok(text.to_owned());
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| "a name that is not UTF-8".to_owned())
}

/// A blob as far as it was read.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    size: Option<u64>,
    etag: Option<String>,
    modified: Option<DateTime<Utc>>,
}

impl Draft {
    fn take(&mut self, member: &str, text: &str) {
        match member {
            "Content-Length" => self.size = text.parse().ok(),
            // Without the quotes that a header has around it.
            "Etag" => self.etag = Some(text.to_owned()),
            "Last-Modified" => {
                self.modified = DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc());
            }
            _ => {}
        }
    }

    fn finish(self) -> Result<Listed, String> {
        let (Some(key), Some(size), Some(etag)) = (self.name, self.size, self.etag) else {
            return Err("a blob without a name, a size or a tag".to_owned());
        };
        let etag = if etag.starts_with('"') { etag } else { format!("\"{etag}\"") };
        Ok(Listed { key, size, etag: ETag(etag), modified: self.modified })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_and_prefixes_are_read_in_any_order_and_with_any_letters() {
        let body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://x/\">\
            <Prefix>a</Prefix><Blobs><Blob><Name>a &amp; b&#x20;c</Name><Properties><Last-Modified>Sat, 20 Jun 2026 \
            12:00:00 GMT</Last-Modified><Etag>0x8D</Etag><Content-Length>7</Content-Length></Properties></Blob>\
            <BlobPrefix><Name>b/</Name></BlobPrefix><Blob><Name Encoded=\"true\">c%01d</Name><Properties>\
            <Etag>\"0x8E\"</Etag><Content-Length>0</Content-Length></Properties><Metadata><Name>x</Name></Metadata></Blob>\
            </Blobs><NextMarker>more</NextMarker></EnumerationResults>";
        let (page, marker) = read(body.as_bytes()).unwrap();
        let names: Vec<_> =
            page.objects.iter().map(|one| (one.key.as_str(), one.size, one.etag.0.as_str())).collect();
        assert_eq!(names, [("a & b c", 7, "\"0x8D\""), ("c\u{1}d", 0, "\"0x8E\"")]);
        assert_eq!(page.objects[0].modified, Some("2026-06-20T12:00:00Z".parse().unwrap()));
        assert_eq!((page.prefixes, marker.as_deref()), (vec!["b/".to_owned()], Some("more")));
    }

    #[test]
    fn half_a_page_is_no_page() {
        let whole = "<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs><NextMarker/></EnumerationResults>";
        assert!(read(whole.as_bytes()).unwrap_err().contains("without"), "no size");
        for part in ["", "<html></html>", "<EnumerationResults><Blobs>", "<EnumerationResults><Blobs></Blob>"]
        {
            assert!(read(part.as_bytes()).is_err(), "{part}");
        }
    }
}
