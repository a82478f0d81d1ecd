//! The control API.

use hyper::Method;
use marquee_simulator::{Options, server::StartError, world::built_in};
use serde_json::{Value, json};

use super::bed::{control, control_with, simulator};

#[tokio::test]
async fn the_clock_is_shown_and_moved_forward_only() {
    let simulator = simulator("wedding-season").await;
    let (status, clock) = control(&simulator, Method::PUT, "/_control/clock", &json!({ "speed": 0 })).await;
    assert_eq!((status, &clock["speed"]), (200, &json!(0.0)));
    let advance = json!({ "advance_seconds": 3600 });
    let (_, later) = control(&simulator, Method::PUT, "/_control/clock", &advance).await;
    let time =
        |clock: &Value| clock["now"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!((time(&later) - time(&clock)).num_seconds(), 3600);
    for wrong in
        [json!({ "now": "2001-01-01T00:00:00Z" }), json!({ "speed": -1 }), json!({ "sped": 1 }), json!([])]
    {
        let (status, answer) = control(&simulator, Method::PUT, "/_control/clock", &wrong).await;
        assert_eq!(status, 422, "{wrong}: {answer}");
    }
    assert_eq!(control(&simulator, Method::GET, "/_control/clock", &Value::Null).await.1, later);
    simulator.stop().await;
}

#[tokio::test]
async fn faults_are_switched_on_and_off_and_what_is_no_fault_is_refused() {
    let simulator = simulator("wedding-season").await;
    let fault = json!({ "kind": "throttled", "face": "aws", "retry_after_seconds": 2, "share": 0.1 });
    let (status, added) = control(&simulator, Method::POST, "/_control/faults", &fault).await;
    assert_eq!((status, &added), (200, &json!({ "id": 1 })));
    let (_, list) = control(&simulator, Method::GET, "/_control/faults", &Value::Null).await;
    assert_eq!((&list[0]["kind"], &list[0]["happened"]), (&json!("throttled"), &json!(0)));
    for wrong in
        [json!({ "kind": "boring" }), json!({ "kind": "hanging", "regoin": "x" }), json!({ "kind": "slow" })]
    {
        assert_eq!(control(&simulator, Method::POST, "/_control/faults", &wrong).await.0, 422, "{wrong}");
    }
    assert_eq!(control(&simulator, Method::DELETE, "/_control/faults/9", &Value::Null).await.0, 404);
    let (status, left) = control(&simulator, Method::DELETE, "/_control/faults/1", &Value::Null).await;
    assert_eq!((status, left), (200, json!([])));
    simulator.stop().await;
}

#[tokio::test]
async fn what_exists_goes_out_and_comes_in_again() {
    let (one, other) = (simulator("wedding-season").await, simulator("wedding-season").await);
    let (_, state) = control(&one, Method::GET, "/_control/state", &Value::Null).await;
    let (status, answer) = control(&other, Method::PUT, "/_control/state", &state).await;
    assert_eq!(status, 200, "{answer}");
    let (_, back) = control(&other, Method::GET, "/_control/state", &Value::Null).await;
    assert_eq!((&back["estate"], &back["entered"]), (&state["estate"], &state["entered"]));
    let stranger = json!({ "world": "other", "now": state["now"], "entered": state["entered"], "estate": state["estate"] });
    assert_eq!(control(&other, Method::PUT, "/_control/state", &stranger).await.0, 422);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_world_of_more_than_a_request_comes_in() {
    let simulator = simulator("staging").await;
    let (_, state) = control(&simulator, Method::GET, "/_control/state", &Value::Null).await;
    let json = [("content-type", "application/json")];
    let padded = format!("{}{state}", " ".repeat(33 * 1024 * 1024));
    let (status, answer) = control_with(&simulator, Method::PUT, "/_control/state", &json, padded).await;
    assert_eq!((status, &answer["world"]), (200, &json!("staging")));
    simulator.stop().await;
}

#[tokio::test]
async fn web_pages_may_not_call_it() {
    let simulator = simulator("staging").await;
    let own = simulator.addresses().control.clone();
    let port = own.rsplit(':').next().unwrap();
    let (kind, speed) = (("content-type", "application/json"), r#"{"speed":0}"#);
    let localhost = format!("localhost:{port}");
    let page = format!("http://{localhost}");
    for (headers, wanted) in [
        (vec![kind], 200),
        (vec![kind, ("host", localhost.as_str()), ("origin", page.as_str())], 200),
        (vec![("content-type", "application/json; charset=utf-8"), ("origin", own.as_str())], 200),
        (vec![], 415),
        (vec![("content-type", "text/plain")], 415),
        (vec![("content-type", "application/x-www-form-urlencoded")], 415),
        (vec![kind, ("host", "rebound.example:7470")], 403),
        (vec![kind, ("host", "127.0.0.1.rebound.example")], 403),
        (vec![kind, ("origin", "https://page.example")], 403),
        (vec![kind, ("origin", "null")], 403),
        (vec![kind, ("origin", "http://127.0.0.1:1")], 403),
    ] {
        let (status, answer) =
            control_with(&simulator, Method::PUT, "/_control/clock", &headers, speed.to_owned()).await;
        assert_eq!(status, wanted, "{headers:?}: {answer}");
    }
    let foreign = [("origin", "https://page.example")];
    let (status, _) =
        control_with(&simulator, Method::DELETE, "/_control/faults", &foreign, String::new()).await;
    assert_eq!(status, 403);
    simulator.stop().await;
}

#[tokio::test]
async fn it_stays_on_this_machine() {
    let options = Options { host: [0, 0, 0, 0].into(), ..Options::new(built_in("wedding-season").unwrap()) };
    assert!(matches!(marquee_simulator::Simulator::start(options).await, Err(StartError::NotLoopback(_))));
}

#[test]
fn a_world_that_is_not_there_is_named_with_those_that_are() {
    let error = built_in("weding").unwrap_err().to_string();
    assert_eq!(error, "no world is called `weding`; there are: wedding-season, large, staging");
}
