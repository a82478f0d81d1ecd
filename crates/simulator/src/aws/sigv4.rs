//! Signature version 4, checked as AWS checks it: in the header or the address, with the body's hash or without.
//!
//! The service and the region of a call are what its signature is scoped to. The time it is held against is the real
//! one, since that is what clients sign with, whatever the simulated clock shows.

mod canonical;
mod chunked;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::protocol::Request;

/// A clock may be this much off.
const SKEW: TimeDelta = TimeDelta::minutes(15);
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const STREAMED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// A key as its issuer knows it.
#[derive(Debug, Clone)]
pub struct Key {
    pub secret: String,
    /// Of temporary credentials.
    pub token: Option<String>,
    /// By the simulated clock, the issuer says.
    pub expired: bool,
}

/// What a request says about who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub key_id: String,
    /// `20260621`
    day: String,
    pub region: String,
    pub service: String,
    signed_headers: Vec<String>,
    signature: String,
    /// `20260621T140000Z`
    time: String,
    token: Option<String>,
    /// Of an address: for so long it is good.
    lasts: Option<TimeDelta>,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// There is none.
    Absent,
    Incomplete(Cow<'static, str>),
    UnknownKey,
    /// The token of temporary credentials is missing or another's.
    WrongToken,
    ExpiredToken,
    /// What was to be signed, as we see it.
    Mismatch {
        canonical: String,
    },
    /// Signed too long ago, or in the future.
    Skewed {
        signed: String,
        now: String,
    },
    /// A presigned address that is no longer good.
    Lapsed,
    /// The body is not the one that was signed.
    Body,
    /// The body is not the one whose checksum was sent: the checksum's header.
    Checksum(String),
    /// A body that is encoded in a way that cannot be read.
    Encoding(Cow<'static, str>),
}

impl Claim {
    /// Reads the claim of a request.
    pub fn of(request: &Request) -> Result<Self, Flaw> {
        if let Some(text) = request.header("authorization") {
            return Self::of_header(request, text);
        }
        let parameters = request.parameters();
        let find =
            |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.clone());
        if find("X-Amz-Signature").is_none() {
            return Err(Flaw::Absent);
        }
        let need = |name: &'static str| find(name).ok_or(Flaw::Incomplete(name.into()));
        if need("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Flaw::Incomplete("X-Amz-Algorithm must be AWS4-HMAC-SHA256".into()));
        }
        let lasts =
            need("X-Amz-Expires")?.parse::<u32>().ok().filter(|seconds| (1..=604_800).contains(seconds));
        let lasts = lasts.ok_or(Flaw::Incomplete("X-Amz-Expires must be from 1 to 604800".into()))?;
        let mut claim = Self::scoped(&need("X-Amz-Credential")?)?;
        claim.signed_headers = need("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect();
        claim.signature = need("X-Amz-Signature")?;
        claim.time = need("X-Amz-Date")?;
        claim.token = find("X-Amz-Security-Token");
        claim.lasts = Some(TimeDelta::seconds(lasts.into()));
        Ok(claim)
    }

    fn of_header(request: &Request, text: &str) -> Result<Self, Flaw> {
        let fields = text.strip_prefix(ALGORITHM).ok_or(Flaw::Incomplete("unsupported algorithm".into()))?;
        let find = |name: &'static str| {
            let mut parts = fields.split(',').map(str::trim);
            let found = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            found.ok_or(Flaw::Incomplete(format!("Authorization header requires '{name}' parameter.").into()))
        };
        let mut claim = Self::scoped(find("Credential")?)?;
        claim.signed_headers = find("SignedHeaders")?.split(';').map(str::to_owned).collect();
        find("Signature")?.clone_into(&mut claim.signature);
        let time = request.header("x-amz-date");
        let time = time.ok_or(Flaw::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".into(),
        ))?;
        time.clone_into(&mut claim.time);
        claim.token = request.header("x-amz-security-token").map(str::to_owned);
        Ok(claim)
    }

    fn scoped(credential: &str) -> Result<Self, Flaw> {
        let mut parts = credential.rsplitn(5, '/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (end, service, region, day, key_id) = (next(), next(), next(), next(), next());
        match (end, service, region, day, key_id) {
            (Some("aws4_request"), Some(service), Some(region), Some(day), Some(key_id)) => Ok(Self {
                key_id: key_id.to_owned(),
                day: day.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
                signed_headers: Vec::new(),
                signature: String::new(),
                time: String::new(),
                token: None,
                lasts: None,
            }),
            _ => Err(Flaw::Incomplete(
                format!("Credential should be scoped with a valid terminator and have 5 parts: {credential}")
                    .into(),
            )),
        }
    }

    /// The token of temporary credentials.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Checks the claim against the key, and hands back the body as it was before S3's own transfer encoding.
    pub fn verify(&self, request: &Request, key: Option<&Key>, now: DateTime<Utc>) -> Result<Bytes, Flaw> {
        let key = key.ok_or(Flaw::UnknownKey)?;
        self.fresh(now)?;
        if key.token != self.token {
            return Err(Flaw::WrongToken);
        }
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(Flaw::Incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.".into()));
        }
        let hash = self.payload_hash(request);
        let canonical = canonical::request(request, &self.signed_headers, &hash, self.service == "s3");
        if !self.signs(&canonical, &key.secret) {
            return Err(Flaw::Mismatch { canonical });
        }
        if key.expired {
            return Err(Flaw::ExpiredToken);
        }
        let body = match hash.as_ref() {
            UNSIGNED => request.body.clone(),
            STREAMED => chunked::read(request)?,
            hash if hash.starts_with("STREAMING-") => {
                return Err(Flaw::Encoding(format!("{hash} is not implemented").into()));
            }
            hash if hash == digest(&request.body) => request.body.clone(),
            _ => return Err(Flaw::Body),
        };
        if self.service == "s3" {
            check_sums(request, &body)?;
        }
        Ok(body)
    }

    fn fresh(&self, now: DateTime<Utc>) -> Result<(), Flaw> {
        let signed = NaiveDateTime::parse_from_str(&self.time, "%Y%m%dT%H%M%SZ");
        let signed =
            signed.map_err(|_| Flaw::Incomplete("the date is not in ISO 8601's basic form".into()))?;
        let signed = signed.and_utc();
        if !self.time.starts_with(&self.day) {
            return Err(Flaw::Incomplete("Date in Credential scope does not match the signed date".into()));
        }
        let skewed =
            || Flaw::Skewed { signed: self.time.clone(), now: now.format("%Y%m%dT%H%M%SZ").to_string() };
        match self.lasts {
            Some(lasts) if now > signed + lasts => Err(Flaw::Lapsed),
            Some(_) if signed > now + SKEW => Err(skewed()),
            None if (now - signed).abs() > SKEW => Err(skewed()),
            Some(_) | None => Ok(()),
        }
    }

    /// The hash that stands in the canonical request. An address never has one, S3 always says which.
    fn payload_hash<'a>(&self, request: &'a Request) -> Cow<'a, str> {
        match request.header("x-amz-content-sha256") {
            Some(hash) => hash.into(),
            None if self.lasts.is_some() && self.service == "s3" => UNSIGNED.into(),
            None => digest(&request.body).into(),
        }
    }

    fn signs(&self, canonical: &str, secret: &str) -> bool {
        let scope = format!("{}/{}/{}/aws4_request", self.day, self.region, self.service);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.time, digest(canonical.as_bytes()));
        let mut key = seal(format!("AWS4{secret}").as_bytes(), self.day.as_bytes());
        for part in [self.region.as_str(), &self.service, "aws4_request"] {
            key = seal(&key, part.as_bytes());
        }
        hex::decode(&self.signature).is_ok_and(|given| {
            mac(&key).is_some_and(|mut mac| {
                mac.update(text.as_bytes());
                mac.verify_slice(&given).is_ok()
            })
        })
    }
}

/// Compares the checksums that headers give with the body.
fn check_sums(request: &Request, body: &[u8]) -> Result<(), Flaw> {
    const NOT_SUMS: &[&str] = &["x-amz-checksum-mode", "x-amz-checksum-algorithm", "x-amz-checksum-type"];
    if request.headers.contains_key("content-md5") {
        return Err(Flaw::Encoding("content-md5 is not implemented".into()));
    }
    let sums = request.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str();
        let is_sum = name.starts_with("x-amz-checksum-") && !NOT_SUMS.contains(&name);
        Some((name, value.to_str().ok()?)).filter(|_| is_sum)
    });
    for (name, value) in sums {
        chunked::check(name, value, body)?;
    }
    Ok(())
}

fn mac(key: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::<Sha256>::new_from_slice(key).ok()
}

fn seal(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Some(mut mac) = mac(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
