//! Signatures held against the values that AWS publishes.

use super::*;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

fn request(method: Method, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    Request { method, path: path.into(), query: query.into(), headers, body: Bytes::from(body.to_owned()) }
}

fn key(secret: &str) -> Key {
    Key { secret: secret.to_owned(), token: None, expired: false }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// `get-vanilla` of AWS's test suite.
fn vanilla(signature: &str) -> Request {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}"
    );
    let headers = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization.as_str()),
    ];
    request(Method::GET, "/", "", &headers, "")
}

const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

#[test]
fn the_test_suites_plain_request_is_believed() {
    let request = vanilla(VANILLA);
    let claim = Claim::of(&request).unwrap();
    assert_eq!((claim.service.as_str(), claim.region.as_str()), ("service", "us-east-1"));
    let verified = claim.verify(&request, Some(&key(SUITE_SECRET)), at("2015-08-30T12:40:00Z"));
    assert_eq!(verified, Ok(Bytes::new()));
}

#[test]
fn another_key_or_signature_is_not() {
    let request = vanilla(VANILLA);
    let claim = Claim::of(&request).unwrap();
    let now = at("2015-08-30T12:40:00Z");
    assert!(matches!(claim.verify(&request, Some(&key("another")), now), Err(Flaw::Mismatch { .. })));
    assert_eq!(claim.verify(&request, None, now), Err(Flaw::UnknownKey));
    let request = vanilla("00");
    let claim = Claim::of(&request).unwrap();
    assert!(matches!(claim.verify(&request, Some(&key(SUITE_SECRET)), now), Err(Flaw::Mismatch { .. })));
}

#[test]
fn a_signature_is_good_for_a_quarter_of_an_hour() {
    let request = vanilla(VANILLA);
    let claim = Claim::of(&request).unwrap();
    for (now, good) in [
        ("2015-08-30T12:50:59Z", true),
        ("2015-08-30T12:21:01Z", true),
        ("2015-08-30T12:51:01Z", false),
        ("2015-08-30T12:20:59Z", false),
    ] {
        let verified = claim.verify(&request, Some(&key(SUITE_SECRET)), at(now));
        assert_eq!(verified.is_ok(), good, "{now}: {verified:?}");
    }
}

#[test]
fn a_token_must_be_the_keys_own() {
    let request = vanilla(VANILLA);
    let claim = Claim::of(&request).unwrap();
    let temporary = Key { token: Some("t".to_owned()), ..key(SUITE_SECRET) };
    assert_eq!(claim.verify(&request, Some(&temporary), at("2015-08-30T12:40:00Z")), Err(Flaw::WrongToken));
    let expired = Key { expired: true, ..key(SUITE_SECRET) };
    assert_eq!(claim.verify(&request, Some(&expired), at("2015-08-30T12:40:00Z")), Err(Flaw::ExpiredToken));
}

/// The example of S3's documentation on signing in the header: a GET with a range.
#[test]
fn s3s_documented_get_is_believed() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", empty),
        ("x-amz-date", "20130524T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ];
    let request = request(Method::GET, "/test.txt", "", &headers, "");
    let claim = Claim::of(&request).unwrap();
    assert_eq!(claim.verify(&request, Some(&key(S3_SECRET)), at("2013-05-24T00:00:00Z")), Ok(Bytes::new()));
}

/// The example of S3's documentation on signing an address.
#[test]
fn s3s_documented_address_is_believed_for_a_day() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let request = request(Method::GET, "/test.txt", query, &[("host", "examplebucket.s3.amazonaws.com")], "");
    let claim = Claim::of(&request).unwrap();
    let verify = |now| claim.verify(&request, Some(&key(S3_SECRET)), at(now));
    assert_eq!(verify("2013-05-24T23:59:59Z"), Ok(Bytes::new()));
    assert_eq!(verify("2013-05-25T00:00:01Z"), Err(Flaw::Lapsed));
}

#[test]
fn a_request_without_signature_says_so() {
    assert_eq!(Claim::of(&request(Method::GET, "/", "", &[], "")), Err(Flaw::Absent));
    let half = request(Method::GET, "/", "", &[("authorization", "AWS4-HMAC-SHA256 Credential=x")], "");
    assert!(matches!(Claim::of(&half), Err(Flaw::Incomplete(_))));
}

#[test]
fn a_streamed_body_is_put_together_and_compared_with_its_checksum() {
    let streamed = |sum: &str, body: &str| {
        let body =
            format!("5\r\n{}\r\n4\r\n{}\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n", &body[..5], &body[5..]);
        let headers = [("x-amz-decoded-content-length", "9")];
        chunked::read(&request(Method::PUT, "/b/k", "", &headers, &body))
    };
    // The check value of CRC-32 is 0xcbf43926.
    assert_eq!(streamed("y/Q5Jg==", "123456789"), Ok(Bytes::from_static(b"123456789")));
    assert_eq!(streamed("y/Q5Jw==", "123456789"), Err(Flaw::Checksum("x-amz-checksum-crc32".to_owned())));
    for (name, sum) in [
        ("x-amz-checksum-crc32c", hex::decode("e3069283").unwrap()),
        ("x-amz-checksum-crc64nvme", hex::decode("ae8b14860a799888").unwrap()),
    ] {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        assert_eq!(chunked::check(name, &BASE64_STANDARD.encode(sum), b"123456789"), Ok(()), "{name}");
    }
}
