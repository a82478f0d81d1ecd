//! The control API of the simulator itself, on an address of its own: its clock, its faults, what was called and made,
//! and everything that exists, out and in.
//!
//! | route | does |
//! |---|---|
//! | `GET /_control` | the world, its time, where the faces listen |
//! | `GET /_control/accounts` | accounts with credentials that open them |
//! | `GET`, `PUT /_control/clock` | time and speed; `{"speed": 60}`, `{"advance_seconds": 3600}`, `{"now": "…"}` |
//! | `GET`, `POST`, `DELETE /_control/faults`, `DELETE /_control/faults/{id}` | what goes wrong |
//! | `GET`, `PUT /_control/limits` | how often may be called, and what was called under it; `{"on": true}` |
//! | `GET /_control/ledger?after=0` | who created and deleted what |
//! | `GET`, `DELETE /_control/calls` | which operations were called, by which clients |
//! | `GET /_control/routes` | every operation that is simulated |
//! | `GET`, `PUT /_control/state` | everything that exists |
//!
//! It asks for no credentials, so it must not answer a web page that a browser on this machine has open: a request has
//! to name this machine in its `Host`, must not come from another origin, and a body has to be `application/json`,
//! which a page can send to a stranger only if the stranger allows it.

use http::{Method, StatusCode, Uri, uri::Authority};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    clock::ClockChange,
    face::{Reply, Request},
    faults::Fault,
    limits::DOCUMENTED,
    server::Served,
    world::Export,
};

/// Entries of the ledger in one answer.
const ENTRIES: usize = 10_000;

/// Every member of a fault. Serde does not refuse unknown members of a structure with a flattened part.
const FAULT: &[&str] = &[
    "kind",
    "face",
    "account",
    "region",
    "zone",
    "service",
    "operation",
    "share",
    "times",
    "until",
    "retry_after_seconds",
    "milliseconds",
    "status",
    "seconds",
    "size",
    "limit",
    "items",
    "permissions",
    "except",
];

/// A refusal of the control API.
struct Refused(StatusCode, String);

/// What switches the limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

type Answer = Result<Value, Refused>;

/// Where everything that exists goes out and in.
const STATE: &str = "/_control/state";

/// Whether an address is that of the state, whose body may be large.
pub(crate) fn is_state(uri: &Uri) -> bool {
    uri.path().trim_end_matches('/') == STATE
}

pub(crate) fn answer(served: &Served, request: &Request) -> Reply {
    let (status, body) = match admit(request).and_then(|()| route(served, request)) {
        Ok(body) => (StatusCode::OK, body),
        Err(Refused(status, detail)) => (status, json!({ "status": status.as_u16(), "detail": detail })),
    };
    Reply::new(status).with("application/json", body.to_string())
}

/// Refuses what a web page could send.
fn admit(request: &Request) -> Result<(), Refused> {
    let host = request.header("host");
    let named = host.parse::<Authority>().ok();
    let local = named.as_ref().map(|named| named.host().trim_matches(['[', ']'])).is_some_and(|name| {
        name.eq_ignore_ascii_case("localhost")
            || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    });
    if !local {
        return Err(Refused(StatusCode::FORBIDDEN, format!("Host `{host}` is not this machine's loopback")));
    }
    let origin = request.headers.get(http::header::ORIGIN);
    if origin.is_some_and(|origin| origin.as_bytes() != format!("http://{host}").as_bytes()) {
        return Err(Refused(
            StatusCode::FORBIDDEN,
            "pages of other origins may not call the control API".to_owned(),
        ));
    }
    let kind = request.header("content-type").split(';').next().unwrap_or_default().trim();
    if !request.body.is_empty() && !kind.eq_ignore_ascii_case("application/json") {
        return Err(Refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body has to be sent with the header `Content-Type: application/json`".to_owned(),
        ));
    }
    Ok(())
}

fn route(served: &Served, request: &Request) -> Answer {
    let world = &served.world;
    let Some(path) = request.path.strip_prefix("/_control") else {
        return Err(Refused(StatusCode::NOT_FOUND, "this address has only /_control".to_owned()));
    };
    match (&request.method, path.trim_matches('/')) {
        (&Method::GET, "") => Ok(overview(served)),
        (&Method::GET, "accounts") => Ok(accounts(served)),
        (&Method::GET, "clock") => Ok(json!(world.clock.show())),
        (&Method::PUT, "clock") => {
            let change: ClockChange = read(request)?;
            world.clock.change(change).map(|clock| json!(clock)).map_err(invalid)
        }
        (&Method::GET, "faults") => Ok(json!(world.faults.list())),
        (&Method::POST, "faults") => {
            let fault: Fault = fault(request)?;
            world.faults.add(fault).map(|id| json!({ "id": id })).map_err(invalid)
        }
        (&Method::DELETE, "faults") => {
            world.faults.clear();
            Ok(json!([]))
        }
        (&Method::DELETE, other) if other.starts_with("faults/") => remove(served, &other["faults/".len()..]),
        (&Method::GET, "limits") => Ok(limits(served)),
        (&Method::PUT, "limits") => {
            let Switch { on } = read(request)?;
            world.limits.switch(on);
            Ok(limits(served))
        }
        (&Method::GET, "ledger") => ledger(served, request),
        (&Method::GET, "calls") => Ok(json!(world.calls.rows())),
        (&Method::DELETE, "calls") => {
            world.calls.clear();
            Ok(json!([]))
        }
        (&Method::GET, "routes") => {
            let routes =
                served.faces.iter().map(|face| (face.name().as_str().to_owned(), json!(face.routes())));
            Ok(Value::Object(routes.collect()))
        }
        (&Method::GET, "state") => serde_json::to_value(world.export()).map_err(invalid),
        (&Method::PUT, "state") => {
            let export: Export = read(request)?;
            world.import(export).map_err(invalid)?;
            Ok(overview(served))
        }
        (_, other) => {
            Err(Refused(StatusCode::NOT_FOUND, format!("there is no {} /_control/{other}", request.method)))
        }
    }
}

fn overview(served: &Served) -> Value {
    json!({
        "world": served.world.plan.name,
        "clock": served.world.clock.show(),
        "entered": served.world.entered(),
        "addresses": served.addresses,
        "faults": served.world.faults.list().len(),
    })
}

fn accounts(served: &Served) -> Value {
    let accounts = served.world.plan.accounts.iter().map(|account| {
        let regions: Vec<_> =
            account.regions.iter().filter(|region| region.enabled).map(|r| r.id.clone()).collect();
        json!({
            "face": account.face,
            "id": account.id,
            "name": account.name,
            "regions": regions,
            "endpoint": served.addresses.of(account.face),
            "credentials": served.credentials(account.face, &account.id),
        })
    });
    Value::Array(accounts.collect())
}

fn limits(served: &Served) -> Value {
    let limits = &served.world.limits;
    json!({ "on": limits.are_on(), "called": limits.rows(), "documented": DOCUMENTED })
}

fn remove(served: &Served, id: &str) -> Answer {
    let removed = id.parse().is_ok_and(|id| served.world.faults.remove(id));
    if !removed {
        return Err(Refused(StatusCode::NOT_FOUND, format!("no fault {id} is switched on")));
    }
    Ok(json!(served.world.faults.list()))
}

fn ledger(served: &Served, request: &Request) -> Answer {
    let after = match request.query_pairs().iter().find(|(name, _)| name == "after") {
        None => 0,
        Some((_, text)) => text.parse().map_err(|_| invalid("after is a number"))?,
    };
    let estate = served.world.read();
    let entries: Vec<_> = estate.ledger.after(after).take(ENTRIES).collect();
    let next = entries.last().map_or(after, |(number, _)| number + 1);
    let rows: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
    Ok(json!({ "entries": rows, "next": next, "forgotten": estate.ledger.forgotten() }))
}

fn fault(request: &Request) -> Result<Fault, Refused> {
    let value: Value = read(request)?;
    let members = value.as_object().into_iter().flat_map(|members| members.keys());
    if let Some(unknown) = members.into_iter().find(|name| !FAULT.contains(&name.as_str())) {
        return Err(invalid(format!("unknown member `{unknown}`")));
    }
    serde_json::from_value(value).map_err(invalid)
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    serde_json::from_slice(&request.body).map_err(invalid)
}

fn invalid(reason: impl std::fmt::Display) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, reason.to_string())
}
