//! Waiting for an operation: a bar on a terminal, plain lines in a pipe, and Ctrl-C that leaves it running.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    exit::Exit,
    failure::{Failure, clean},
    http::{Http, Request},
    spec::Api,
    steps,
    surroundings::Surroundings,
};

/// How long one request waits for the end, at a terminal and in a pipe: also how often progress is shown.
const TERMINAL_ROUND: u64 = 2;
const PIPE_ROUND: u64 = 10;

/// How soon after a round the next one begins, at the earliest: also where a round waits for less than that, as it
/// does shortly before the deadline, or a server answers before the end and before its time.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);

/// Waits until the operation is done and returns it as the server shows it then.
pub async fn until_done(
    api: &Api,
    http: &Http,
    id: &str,
    timeout: Option<u64>,
    surroundings: &mut Surroundings,
) -> Result<Value, Failure> {
    let path = path_of(api, "operations.wait", id)?;
    let detail = path_of(api, "operations.get", id)?;
    let deadline = timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut display = Display::new(surroundings);
    loop {
        let longest = if surroundings.terminal.stderr { TERMINAL_ROUND } else { PIPE_ROUND };
        let began = Instant::now();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(began).as_secs());
        let seconds = left.map_or(longest, |left| left.min(longest)).to_string();
        let request = Request::get(path.clone(), vec![("timeout_seconds".into(), seconds)]);
        let Some(operation) = round(http, &request, surroundings).await? else {
            display.end();
            return Err(Failure::Interrupted(left_running(http, id)));
        };
        // Two requests a round, of which the first takes two seconds or brings the end.
        let look = Request::get(detail.clone(), Vec::new());
        let Some(looked) = round(http, &look, surroundings).await? else {
            display.end();
            return Err(Failure::Interrupted(left_running(http, id)));
        };
        display.show(&operation, &looked, surroundings);
        if operation.get("done").and_then(Value::as_bool) == Some(true) {
            display.end();
            return Ok(operation);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            display.end();
            let state = text(&operation, "state");
            let what = format!("{id} is still {state} after {} s; it goes on", timeout.unwrap_or_default());
            return Err(Failure::Operation { what, exit: Exit::Failure });
        }
        let next = began + SHORTEST_ROUND;
        if !pause(deadline.map_or(next, |deadline| next.min(deadline)), surroundings).await {
            display.end();
            return Err(Failure::Interrupted(left_running(http, id)));
        }
    }
}

/// Lets the time pass, and says whether it did: not if Ctrl-C came first.
async fn pause(until: Instant, surroundings: &mut Surroundings) -> bool {
    tokio::select! {
        biased;
        () = &mut surroundings.interrupt => false,
        () = tokio::time::sleep_until(until) => true,
    }
}

/// One request, or nothing if Ctrl-C came first.
async fn round(
    http: &Http,
    request: &Request,
    surroundings: &mut Surroundings,
) -> Result<Option<Value>, Failure> {
    // Taken out while the request has the rest; a Ctrl-C that came ends the waiting, so it is not needed again.
    let mut interrupt = std::mem::replace(&mut surroundings.interrupt, Box::pin(std::future::pending()));
    let answer = tokio::select! {
        biased;
        () = &mut interrupt => return Ok(None),
        answer = http.send(request, surroundings) => answer,
    };
    surroundings.interrupt = interrupt;
    answer.map(|answer| Some(inner(answer.body)))
}

/// The path of one of the operations that look at an operation.
fn path_of(api: &Api, looks: &str, id: &str) -> Result<String, Failure> {
    let missing = || Failure::Local(format!("this API has no {looks}: look with: marquee operations list"));
    let operation = api.by_id(looks).ok_or_else(missing)?;
    let name = operation.path_parameters.first().map_or("id", |parameter| parameter.name.as_str());
    Ok(operation.path.replace(&format!("{{{name}}}"), &crate::perform::segment(id)))
}

/// The operation in an answer that may wrap it.
pub fn inner(mut body: Value) -> Value {
    match body.get_mut("operation") {
        Some(operation) if operation.is_object() => operation.take(),
        _ => body,
    }
}

/// What the outcome of an operation that is done means for the exit code.
pub fn verdict(operation: &Value) -> Result<(), Failure> {
    let (id, state) = (text(operation, "id"), text(operation, "state"));
    let exit = match state {
        "succeeded" => return Ok(()),
        "partially_succeeded" => Exit::OperationPartial,
        _ => Exit::OperationFailed,
    };
    let error = operation.get("error").filter(|error| !error.is_null());
    let why = error.map(|error| {
        let detail = error.get("detail").or_else(|| error.get("message")).and_then(Value::as_str);
        detail.map_or_else(|| error.as_str().map_or_else(|| error.to_string(), str::to_owned), str::to_owned)
    });
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let words = state.replace('_', " ");
    Err(Failure::Operation {
        what: format!("{} {id} {words}{why}", text(operation, "kind")).trim().into(),
        exit,
    })
}

fn left_running(http: &Http, id: &str) -> String {
    format!(
        "{id} goes on at {}. To see it again:\n  marquee operations show {id}\n  marquee operations wait {id}\n\
         To stop it:\n  marquee operations cancel {id}",
        http.url()
    )
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

const BAR: &str = "{spinner} [{bar:30}] {pos}/{len} {wide_msg}";
const SPINNER: &str = "{spinner} {wide_msg}";

/// A template that is not understood would leave the bar as it is; a test keeps both understood.
fn set_template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
}

/// Shows progress: one bar that changes, or a line for each change.
struct Display {
    bar: Option<ProgressBar>,
    last: String,
    steps: Vec<String>,
}

impl Display {
    fn new(surroundings: &Surroundings) -> Self {
        let bar = surroundings.terminal.stderr.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            set_template(&bar, SPINNER);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, last: String::new(), steps: Vec::new() }
    }

    fn show(&mut self, operation: &Value, detail: &Value, surroundings: &mut Surroundings) {
        let line = describe(operation);
        let Some(bar) = &self.bar else {
            if line != self.last {
                surroundings.note(&line);
                self.last = line;
            }
            let now = steps::lines(detail);
            for line in steps::changed(&self.steps, &now) {
                surroundings.note(&line);
            }
            self.steps = now;
            return;
        };
        let share = operation.get("progress").and_then(share);
        set_template(bar, if share.is_some() { BAR } else { SPINNER });
        if let Some((done, total)) = share {
            bar.set_length(total);
            bar.set_position(done);
        }
        let step = steps::under_way(detail).unwrap_or_default();
        bar.set_message(clean(&format!("{line}{step}")));
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `op_… running: scopes done 3, scopes total 8, resources seen 120`.
fn describe(operation: &Value) -> String {
    let mut line = format!("{} {}", text(operation, "id"), text(operation, "state").replace('_', " "));
    let counters: Vec<String> = operation
        .get("progress")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.is_number() || value.is_string())
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), value.to_string().trim_matches('"')))
        .collect();
    if !counters.is_empty() {
        line.push_str(": ");
        line.push_str(&counters.join(", "));
    }
    line
}

/// How much of how much: `x_done` and `x_failed` of `x_total` or of `x`.
fn share(progress: &Value) -> Option<(u64, u64)> {
    let map = progress.as_object()?;
    let number = |name: &str| map.get(name).and_then(Value::as_u64);
    map.keys().find_map(|name| {
        let stem = name.strip_suffix("done").filter(|stem| stem.is_empty() || stem.ends_with('_'))?;
        let total = number(&format!("{stem}total")).or_else(|| number(stem.trim_end_matches('_')))?;
        let done = number(name)? + number(&format!("{stem}failed")).unwrap_or(0);
        (total > 0).then_some((done.min(total), total))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_templates_are_understood() {
        assert!(ProgressStyle::with_template(BAR).is_ok() && ProgressStyle::with_template(SPINNER).is_ok());
    }

    #[test]
    fn a_bar_needs_a_part_and_a_whole() {
        assert_eq!(share(&json!({"scopes_total": 8, "scopes_done": 3, "seen": 10})), Some((3, 8)));
        assert_eq!(share(&json!({"total": 8, "done": 9})), Some((8, 8)));
        assert_eq!(share(&json!({"scopes": 8, "scopes_done": 3, "scopes_failed": 1})), Some((4, 8)));
        assert_eq!(share(&json!({"scopes_total": 0, "scopes_done": 0})), None);
        assert_eq!(share(&json!({"scopes_done": 3})), None);
    }

    #[test]
    fn the_reason_of_a_failure_is_told() {
        let operation =
            json!({"id": "op_1", "kind": "sync", "state": "failed", "error": {"detail": "no keys"}});
        let Err(Failure::Operation { what, exit }) = verdict(&operation) else { panic!("it failed") };
        assert_eq!((what.as_str(), exit), ("sync op_1 failed: no keys", Exit::OperationFailed));
    }
}
