//! What a service says when a signature does not hold, or when a fault has it refuse: each has words of its own.

use crate::{
    aws::{
        protocol::{Dialect, Refusal},
        service::Service,
        sigv4::Flaw,
    },
    faults,
};

/// A flaw of the signature in the service's own words.
pub(super) fn flaw_refusal(flaw: &Flaw, service: &Service, dialect: Dialect) -> Refusal {
    let s3 = service.name == "s3";
    let (code, status, message): (&'static str, u16, String) = match (flaw, dialect) {
        (Flaw::Absent, _) => return unsigned(dialect, s3),
        (Flaw::Incomplete(what), Dialect::RestXml) if s3 => {
            ("AuthorizationHeaderMalformed", 400, format!("The authorization header is malformed; {what}"))
        }
        (Flaw::Incomplete(what), Dialect::Json) => ("IncompleteSignatureException", 400, what.to_string()),
        (Flaw::Incomplete(what), _) => ("IncompleteSignature", 400, what.to_string()),
        (Flaw::Checksum(name), _) => {
            ("BadDigest", 400, format!("The {name} you specified did not match the calculated checksum."))
        }
        (Flaw::Encoding(what), _) => ("InvalidRequest", 400, what.to_string()),
        (Flaw::Body, _) if s3 => (
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header or checksum does not match what was computed."
                .to_owned(),
        ),
        (Flaw::UnknownKey | Flaw::WrongToken, _) | (Flaw::Mismatch { .. } | Flaw::Body, Dialect::Ec2) => {
            return unknown_key(flaw, dialect, s3);
        }
        (Flaw::ExpiredToken, _) => return expired(dialect, s3),
        (Flaw::Skewed { .. } | Flaw::Lapsed, Dialect::Ec2) => {
            ("RequestExpired", 400, "Request has expired.".to_owned())
        }
        (Flaw::Skewed { .. }, _) if s3 => (
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.".to_owned(),
        ),
        (Flaw::Lapsed, _) if s3 => ("AccessDenied", 403, "Request has expired".to_owned()),
        (Flaw::Skewed { signed, now }, Dialect::Json) => (
            "InvalidSignatureException",
            400,
            format!("Signature expired: {signed} is not within 15 minutes of {now}"),
        ),
        (Flaw::Skewed { signed, now }, _) => (
            "SignatureDoesNotMatch",
            403,
            format!("Signature expired: {signed} is not within 15 minutes of {now}"),
        ),
        (Flaw::Mismatch { .. } | Flaw::Body | Flaw::Lapsed, _) => return mismatch(flaw, dialect),
    };
    Refusal::new(code, message).status(status)
}

fn unsigned(dialect: Dialect, s3: bool) -> Refusal {
    match dialect {
        Dialect::Ec2 => Refusal::new("AuthFailure", "The request must contain a signature.").status(401),
        Dialect::Json => {
            let message = "Missing Authentication Token";
            Refusal::new("MissingAuthenticationTokenException", message).status(400)
        }
        Dialect::RestXml if s3 => Refusal::new("AccessDenied", "Access Denied").status(403),
        Dialect::Query | Dialect::RestXml => {
            let message = "Request is missing Authentication Token";
            Refusal::new("MissingAuthenticationToken", message).status(403)
        }
    }
}

fn unknown_key(flaw: &Flaw, dialect: Dialect, s3: bool) -> Refusal {
    let invalid = "The security token included in the request is invalid.";
    match dialect {
        Dialect::Ec2 => {
            let message = "AWS was not able to validate the provided access credentials";
            Refusal::new("AuthFailure", message).status(401)
        }
        Dialect::Json => Refusal::new("UnrecognizedClientException", invalid).status(400),
        Dialect::RestXml if s3 && *flaw == Flaw::WrongToken => {
            Refusal::new("InvalidToken", "The provided token is malformed or otherwise invalid.").status(400)
        }
        Dialect::RestXml if s3 => {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            Refusal::new("InvalidAccessKeyId", message).status(403)
        }
        Dialect::Query | Dialect::RestXml => Refusal::new("InvalidClientTokenId", invalid).status(403),
    }
}

fn mismatch(flaw: &Flaw, dialect: Dialect) -> Refusal {
    let canonical = match flaw {
        Flaw::Mismatch { canonical } => {
            format!("\n\nThe Canonical String for this request should have been\n'{canonical}'")
        }
        _ => String::new(),
    };
    let message = format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
         and signing method. Consult the service documentation for details.{canonical}"
    );
    match dialect {
        Dialect::Json => Refusal::new("InvalidSignatureException", message).status(400),
        _ => Refusal::new("SignatureDoesNotMatch", message).status(403),
    }
}

fn expired(dialect: Dialect, s3: bool) -> Refusal {
    let message = "The security token included in the request is expired";
    match dialect {
        Dialect::Ec2 => Refusal::new("RequestExpired", "Request has expired.").status(400),
        Dialect::Json => Refusal::new("ExpiredTokenException", message).status(400),
        Dialect::RestXml if s3 => Refusal::new("ExpiredToken", "The provided token has expired.").status(400),
        Dialect::Query | Dialect::RestXml => Refusal::new("ExpiredToken", message).status(403),
    }
}

/// That a caller lacks a permission.
fn denied(permission: &str, caller: &str, dialect: Dialect) -> Refusal {
    let why = format!(
        "User: {caller} is not authorized to perform: {permission} because no identity-based policy allows the {permission} \
         action"
    );
    match dialect {
        Dialect::Ec2 => {
            let message = format!("You are not authorized to perform this operation. {why}");
            Refusal::new("UnauthorizedOperation", message).status(403)
        }
        Dialect::Json => Refusal::new("AccessDeniedException", why).status(400),
        Dialect::Query | Dialect::RestXml => Refusal::new("AccessDenied", why).status(403),
    }
}

/// A fault in the service's own words.
pub(super) fn fault_refusal(
    refusal: &faults::Refusal,
    service: &Service,
    dialect: Dialect,
    caller: &str,
) -> Refusal {
    let s3 = service.name == "s3";
    match refusal {
        faults::Refusal::Throttled { retry_after } => {
            let refused = match dialect {
                Dialect::Ec2 => Refusal::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
                Dialect::RestXml if s3 => {
                    Refusal::new("SlowDown", "Please reduce your request rate.").status(503)
                }
                Dialect::Json => Refusal::new("ThrottlingException", "Rate exceeded").status(400),
                Dialect::Query | Dialect::RestXml => Refusal::new("Throttling", "Rate exceeded").status(400),
            };
            match retry_after {
                Some(seconds) => refused.header("retry-after", seconds.to_string()),
                None => refused,
            }
        }
        faults::Refusal::Failing(status) => {
            let code = if dialect == Dialect::Ec2 || s3 { "InternalError" } else { "InternalFailure" };
            let code = if *status == 503 { "ServiceUnavailable" } else { code };
            Refusal::new(code, "We encountered an internal error. Please try again.").status(*status)
        }
        faults::Refusal::Revoked => flaw_refusal(&Flaw::UnknownKey, service, dialect),
        faults::Refusal::Expired => flaw_refusal(&Flaw::ExpiredToken, service, dialect),
        faults::Refusal::Denied(permission) => denied(permission, caller, dialect),
        faults::Refusal::RegionLost => {
            Refusal::new("ServiceUnavailable", "The service is unavailable. Please try again shortly.")
                .status(503)
        }
    }
}
