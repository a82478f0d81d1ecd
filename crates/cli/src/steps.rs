//! The steps of an operation in words: what changed since the last look, a line for each. No fetching, no terminal.

use serde_json::Value;

/// A line for each step that is not as it was when `before` was seen.
pub fn changed(before: &[String], now: &[String]) -> Vec<String> {
    let fresh = |(index, line): &(usize, &String)| before.get(*index) != Some(*line);
    now.iter().enumerate().filter(fresh).map(|(_, line)| line.clone()).collect()
}

/// A line for each step: its place, name, state, attempt, and why it is tried again or failed.
pub fn lines(detail: &Value) -> Vec<String> {
    let steps = detail["steps"].as_array().map_or(&[][..], Vec::as_slice);
    steps.iter().enumerate().map(|(index, step)| line(index + 1, steps.len(), step)).collect()
}

/// The line of the step that is under way.
pub fn under_way(detail: &Value) -> Option<String> {
    let steps = detail["steps"].as_array()?;
    let index =
        steps.iter().position(|step| matches!(step["state"].as_str(), Some("running" | "undoing")))?;
    steps.get(index).map(|step| line(index + 1, steps.len(), step))
}

fn line(place: usize, of: usize, step: &Value) -> String {
    let text = |name: &str| step[name].as_str().unwrap_or_default();
    let attempt = step["attempt"].as_u64().filter(|attempt| *attempt > 1);
    let attempt = attempt.map(|attempt| format!(", attempt {attempt}")).unwrap_or_default();
    let why = step.pointer("/error/detail").and_then(Value::as_str);
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("  {place}/{of} {} {}{attempt}{why}", text("name"), text("state").replace('_', " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let at = |state: &str, attempt: u64, error: Value| {
            json!({ "steps": [
                { "name": "plan", "state": "succeeded", "attempt": 1 },
                { "name": "stop web", "state": state, "attempt": attempt, "error": error } ] })
        };
        let (first, then) =
            (at("running", 1, Value::Null), at("running", 2, json!({ "detail": "throttled" })));
        assert_eq!(changed(&[], &lines(&first)).len(), 2);
        assert_eq!(changed(&lines(&first), &lines(&then)), ["  2/2 stop web running, attempt 2: throttled"]);
        assert_eq!(changed(&lines(&then), &lines(&then)), Vec::<String>::new());
        assert_eq!(under_way(&first).as_deref(), Some("  2/2 stop web running"));
    }
}
