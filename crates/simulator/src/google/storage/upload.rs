//! Uploads: the bytes alone, or together with what is said of them.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::object;
use crate::{
    face::Request,
    google::{call::File, refusal::Refusal},
};

/// What an upload says of the object, and the object.
pub fn read(request: &Request) -> Result<(Map<String, Value>, File), Refusal> {
    let pairs = request.query_pairs();
    let kind = pairs.iter().find(|(name, _)| name == "uploadType").map_or("", |(_, value)| value.as_str());
    let content_type = request.header("content-type");
    match kind {
        "media" => Ok((Map::new(), object::file(content_type.to_owned(), request.body.clone()))),
        "multipart" => multipart(content_type, &request.body),
        other => Err(Refusal::unimplemented(&format!("uploadType {other}"))),
    }
}

/// Two parts: JSON, and the bytes.
fn multipart(content_type: &str, body: &Bytes) -> Result<(Map<String, Value>, File), Refusal> {
    let bad = |why: &str| Refusal::new(400, "badContent", format!("Malformed multipart body: {why}"));
    let boundary = content_type.split(';').map(str::trim).find_map(|part| part.strip_prefix("boundary="));
    let boundary = boundary.ok_or_else(|| bad("no boundary"))?.trim_matches('"');
    let mut parts = split(body, format!("--{boundary}").as_bytes()).into_iter();
    let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
        return Err(bad("two parts are expected"));
    };
    let (_, metadata) = part(body, first).ok_or_else(|| bad("a part has no end of its headers"))?;
    let (content_type, bytes) = part(body, second).ok_or_else(|| bad("a part has no end of its headers"))?;
    let said = serde_json::from_slice(&metadata).map_err(|error| bad(&error.to_string()))?;
    Ok((said, object::file(content_type, bytes)))
}

/// The spans between delimiters.
fn split(body: &[u8], delimiter: &[u8]) -> Vec<(usize, usize)> {
    let starts: Vec<usize> = body
        .windows(delimiter.len())
        .enumerate()
        .filter(|(at, window)| *window == delimiter && (*at == 0 || body[at - 1] == b'\n'))
        .map(|(at, _)| at)
        .collect();
    starts.windows(2).map(|pair| (pair[0] + delimiter.len(), pair[1])).collect()
}

/// The content type and bytes of a part; lines may end with or without a carriage return.
fn part(body: &Bytes, (from, until): (usize, usize)) -> Option<(String, Bytes)> {
    let text = &body[from..until];
    let ends = [&b"\r\n\r\n"[..], &b"\n\n"[..]];
    let (at, length) = ends.iter().find_map(|end| {
        let at = text.windows(end.len()).position(|window| window == *end)?;
        Some((at, end.len()))
    })?;
    let headers = String::from_utf8_lossy(&text[..at]).into_owned();
    let content_type = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    let rest = body.slice(from + at + length..until);
    let rest = rest.strip_suffix(b"\n").map_or(rest.clone(), |kept| rest.slice(..kept.len()));
    let rest = rest.strip_suffix(b"\r").map_or(rest.clone(), |kept| rest.slice(..kept.len()));
    Some((content_type.unwrap_or_default(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_are_found_with_either_end_of_line() {
        for end in ["\r\n", "\n"] {
            let lines = [
                "--b",
                "Content-Type: application/json",
                "",
                "{\"name\": \"n\"}",
                "--b",
                "Content-Type: image/png",
                "",
                "\u{1}--b\u{2}",
                "--b--",
                "",
            ];
            let body = Bytes::from(lines.join(end));
            let (said, file) = multipart("multipart/related; boundary=\"b\"", &body).unwrap();
            assert_eq!(said["name"], "n");
            assert_eq!((file.content_type.as_str(), &*file.bytes), ("image/png", &b"\x01--b\x02"[..]));
        }
        assert!(multipart("multipart/related", &Bytes::new()).is_err());
    }
}
