//! Plans of changes: shown before anything is done, and agreed to.

use std::fmt::Write as _;

use serde_json::Value;

use crate::failure::clean;

/// What a change would do, for somebody who is to agree to it.
pub fn shown(plan: &Value) -> String {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut out = String::from("This is what would be done:\n");
    for (index, step) in plan["steps"].as_array().into_iter().flatten().enumerate() {
        let action = text(step, "action").replace('_', " ");
        // Writing to a String cannot fail.
        let _ = write!(out, "  {}. {action} “{}”", index + 1, text(step, "name"));
        if let Some(disturbs) = disturbance(&text(step, "disturbs")) {
            let _ = write!(out, ": {disturbs}");
        }
        if step["undo"]["possible"] == false {
            let _ = write!(out, "; cannot be undone: {}", text(&step["undo"], "because"));
        }
        out.push('\n');
    }
    if let (Some(worst), true) = (disturbance(&text(plan, "disturbs")), several(plan)) {
        let _ = writeln!(out, "In all: {worst}.");
    }
    clean(&out)
}

/// Whether a plan must not be carried out unless somebody has said so.
pub fn is_grave(plan: &Value) -> bool {
    plan["can_be_undone"] == false || plan["disturbs"] == "data_loss"
}

fn several(plan: &Value) -> bool {
    plan["steps"].as_array().is_some_and(|steps| steps.len() > 1)
}

fn disturbance(word: &str) -> Option<&'static str> {
    match word {
        "restart" => Some("it is away for a while"),
        "outage" => Some("it is away until it is started again"),
        "data_loss" => Some("what it holds is lost"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_says_what_is_lost() {
        let plan = json!({ "can_be_undone": false, "disturbs": "data_loss", "steps": [
            { "action": "terminate_instance", "name": "web\u{1b}[31m", "disturbs": "data_loss",
              "undo": { "possible": false, "because": "it is gone" } } ] });
        assert!(is_grave(&plan));
        let text = shown(&plan);
        assert!(text.contains("1. terminate instance “web"), "{text}");
        assert!(text.ends_with("what it holds is lost; cannot be undone: it is gone\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_restarts_is_not_grave() {
        let step = |action: &str, disturbs: &str| json!({ "action": action, "name": "web", "disturbs": disturbs, "undo": { "possible": true } });
        let steps = [step("stop_instance", "outage"), step("start_instance", "none")];
        let plan = json!({ "can_be_undone": true, "disturbs": "restart", "steps": steps });
        assert!(!is_grave(&plan));
        assert!(shown(&plan).ends_with("In all: it is away for a while.\n"));
    }
}
