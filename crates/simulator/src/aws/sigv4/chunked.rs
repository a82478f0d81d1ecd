//! `aws-chunked`: how S3's clients stream a body whose checksum follows it.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Flaw;
use crate::aws::protocol::Request;

/// Reads a body and compares it with the checksum behind it.
pub fn read(request: &Request) -> Result<Bytes, Flaw> {
    let broken = |what: &'static str| Flaw::Encoding(Cow::Borrowed(what));
    let mut rest: &[u8] = &request.body;
    let mut body = Vec::with_capacity(rest.len());
    loop {
        let line = line(&mut rest).ok_or(broken("a chunk without its length"))?;
        let length = line.split(';').next().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.ok_or(broken("a chunk's length is not hexadecimal"))?;
        if length == 0 {
            break;
        }
        let (chunk, after) = rest.split_at_checked(length).ok_or(broken("a chunk ends early"))?;
        body.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").ok_or(broken("a chunk has no end"))?;
    }
    if let Some(length) = request.header("x-amz-decoded-content-length")
        && length.parse() != Ok(body.len())
    {
        return Err(broken("the body is not as long as x-amz-decoded-content-length says"));
    }
    while let Some(line) = line(&mut rest).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(broken("a trailer without a colon"))?;
        check(&name.trim().to_ascii_lowercase(), value.trim(), &body)?;
    }
    Ok(body.into())
}

/// Compares a checksum that a header or a trailer gives. Algorithms that are not known are refused.
pub fn check(name: &str, value: &str, body: &[u8]) -> Result<(), Flaw> {
    let sum = match name {
        "x-amz-checksum-crc32" => crc(body, 0xedb8_8320, 32).to_be_bytes()[4..].to_vec(),
        "x-amz-checksum-crc32c" => crc(body, 0x82f6_3b78, 32).to_be_bytes()[4..].to_vec(),
        "x-amz-checksum-crc64nvme" => crc(body, 0x9a6c_9329_ac4b_c9b5, 64).to_be_bytes().to_vec(),
        "x-amz-checksum-sha256" => Sha256::digest(body).to_vec(),
        other => return Err(Flaw::Encoding(format!("{other} is not implemented").into())),
    };
    if BASE64_STANDARD.encode(sum) == value { Ok(()) } else { Err(Flaw::Checksum(name.to_owned())) }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let (line, after) = rest.split_at(end);
    *rest = &after[2..];
    std::str::from_utf8(line).ok()
}

/// A reflected cyclic redundancy check of `bits` bits.
fn crc(bytes: &[u8], polynomial: u64, bits: u32) -> u64 {
    let ones = u64::MAX >> (64 - bits);
    let fold = |crc: u64, byte: &u8| {
        (0..8).fold(
            crc ^ u64::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 },
        )
    };
    bytes.iter().fold(ones, fold) ^ ones
}
