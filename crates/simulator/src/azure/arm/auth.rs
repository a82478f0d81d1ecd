//! Who may call the resource manager: whoever brings a token that was issued here, for it, and is still good; and what
//! the application's role lets it do.

use chrono::{DateTime, Utc};
use http::StatusCode;

use crate::{
    azure::{
        entra::{self, Principal},
        error::{Outcome, Refused},
    },
    face::Request,
    faults::Refusal,
    rest::Found,
    world::World,
};

/// The application whose token a request brings.
pub fn principal(world: &World, request: &Request) -> Outcome<Principal> {
    let header = request.header("authorization");
    let Some(token) = header.strip_prefix("Bearer ").filter(|token| !token.is_empty()) else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(challenge(world, "AuthenticationFailed", message));
    };
    let Some(claims) = entra::read(world, token) else {
        return Err(challenge(world, "InvalidAuthenticationToken", "The access token is invalid."));
    };
    let now = world.clock.real_now();
    if claims.exp <= now.timestamp() {
        let stamp = |at: i64| {
            DateTime::from_timestamp(at, 0).unwrap_or_default().format("%m/%d/%Y %-I:%M:%S %p").to_string()
        };
        let message = format!(
            "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
            stamp(claims.exp),
            stamp(now.timestamp())
        );
        return Err(challenge(world, "ExpiredAuthenticationToken", &message));
    }
    let audiences = ["https://management.core.windows.net", "https://management.azure.com", &request.origin];
    if !audiences.contains(&claims.aud.trim_end_matches('/')) {
        let message = format!(
            "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of \
             the allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.",
            claims.aud
        );
        return Err(challenge(world, "InvalidAuthenticationTokenAudience", &message));
    }
    let known = entra::principals(world)
        .find(|principal| principal.object == claims.oid && principal.client == claims.appid);
    known.ok_or_else(|| {
        challenge(world, "InvalidAuthenticationToken", "The access token is from an unknown principal.")
    })
}

/// 401, with where to get a token.
fn challenge(world: &World, code: &str, message: &str) -> Refused {
    let tenant = entra::tenant(world);
    let value = format!(
        "Bearer authorization_uri=\"https://login.windows.net/{tenant}\", error=\"invalid_token\", \
         error_description=\"{message}\""
    );
    Refused::new(StatusCode::UNAUTHORIZED, code, message).header("www-authenticate", value)
}

/// Refuses what the role does not let.
pub fn refuse_unauthorized(
    principal: &Principal,
    subscription: &str,
    action: &str,
    scope: &str,
) -> Outcome<()> {
    if principal.account.eq_ignore_ascii_case(subscription) && principal.role.may(action) {
        return Ok(());
    }
    Err(unauthorized(principal, action, scope))
}

/// That a caller lacks the right to an action.
fn unauthorized(principal: &Principal, action: &str, scope: &str) -> Refused {
    Refused::new(
        StatusCode::FORBIDDEN,
        "AuthorizationFailed",
        format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope \
             '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            principal.client, principal.object
        ),
    )
}

/// What a fault refuses, in the resource manager's words, to a caller who asks for a scope.
pub fn refused_by_fault(
    world: &World,
    refusal: &Refusal,
    (principal, scope): (&Principal, &str),
    region: &str,
    now: DateTime<Utc>,
) -> Refused {
    match refusal {
        Refusal::Denied(action) => unauthorized(principal, action, scope),
        Refusal::Throttled { retry_after } => {
            let refused = Refused::new(
                StatusCode::TOO_MANY_REQUESTS,
                "SubscriptionRequestsThrottled",
                "Number of requests for subscription exceeded the limit. Please try again after some time.",
            );
            match retry_after {
                Some(seconds) => refused.header("retry-after", seconds.to_string()),
                None => refused,
            }
        }
        Refusal::Failing(status) => Refused::new(
            StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            if *status == 503 { "ServiceUnavailable" } else { "InternalServerError" },
            format!(
                "Encountered internal server error. Diagnostic information: timestamp '{}'.",
                now.format("%Y%m%dT%H%M%SZ")
            ),
        ),
        Refusal::Revoked => challenge(world, "InvalidAuthenticationToken", "The access token is invalid."),
        Refusal::Expired => challenge(
            world,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        ),
        Refusal::RegionLost => Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            format!("The service in region '{region}' is temporarily unavailable. Please try again later."),
        ),
    }
}

/// The action that an operation is, for roles: `Microsoft.Compute/disks/write`.
pub fn action(template: &str, method: &http::Method) -> String {
    let segments: Vec<&str> = template.trim_matches('/').split('/').collect();
    let after = segments.iter().rposition(|segment| *segment == "providers").map(|at| &segments[at + 1..]);
    let (namespace, rest) = match after {
        Some([namespace, rest @ ..]) if !namespace.starts_with('{') => (*namespace, rest.to_vec()),
        // Groups, subscriptions and what lies in no provider.
        _ => ("Microsoft.Resources", segments.clone()),
    };
    // A name may be fixed in the path, like that of the one service in `blobServices/default`.
    let is_type = |segment: &&str| !segment.starts_with('{') && *segment != "default";
    let fixed: Vec<&str> = rest.iter().copied().filter(is_type).collect();
    let verb = match method.as_str() {
        "GET" | "HEAD" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => "action",
    };
    format!("{namespace}/{}/{verb}", fixed.join("/"))
}

/// The same of a request's own operation: each type of records is a type of its own.
pub fn action_of(found: &Found<'_>) -> String {
    let record = found.path.get("recordType").map(|kind| kind.to_uppercase()).unwrap_or_default();
    action(&found.operation.path.replace("{recordType}", &record), &found.operation.method)
}

/// The action of following a link: `Microsoft.Compute/locations/operations/read`.
pub fn following(path: &str) -> String {
    match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        [_, _, "providers", namespace, "locations", _, word, _] => {
            format!("{namespace}/locations/{word}/read")
        }
        _ => "Microsoft.Resources/subscriptions/operationresults/read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn a_name_that_is_fixed_is_none_of_a_type() {
        let service = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Storage/storageAccounts/{a}/blobServices/default";
        assert_eq!(action(service, &Method::GET), "Microsoft.Storage/storageAccounts/blobServices/read");
    }

    #[test]
    fn following_a_link_is_an_action_of_its_provider() {
        let status = "/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/operations/abc";
        assert_eq!(following(status), "Microsoft.Compute/locations/operations/read");
        let group = "/subscriptions/s/operationresults/abc";
        assert_eq!(following(group), "Microsoft.Resources/subscriptions/operationresults/read");
    }

    #[test]
    fn an_operation_is_an_action() {
        let vm = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Compute/virtualMachines/{vm}";
        assert_eq!(action(vm, &Method::PATCH), "Microsoft.Compute/virtualMachines/write");
        assert_eq!(
            action(&format!("{vm}/start"), &Method::POST),
            "Microsoft.Compute/virtualMachines/start/action"
        );
        assert_eq!(
            action("/subscriptions/{s}/resourcegroups/{g}", &Method::DELETE),
            "Microsoft.Resources/subscriptions/resourcegroups/delete"
        );
        assert_eq!(
            action("/{scope+}/providers/Microsoft.CostManagement/query", &Method::POST),
            "Microsoft.CostManagement/query/action"
        );
    }
}
