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
        let size = text(step, "size");
        if !size.is_empty() {
            let _ = write!(out, " as {size}");
        }
        let others: Vec<_> =
            step["fallbacks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !others.is_empty() {
            let _ = write!(out, ", or if there is none {}", others.join(", "));
        }
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
    let (amount, currency) = (text(&plan["monthly"], "amount"), text(&plan["monthly"], "currency"));
    if let Some(saved) = amount.strip_prefix('-') {
        let _ = writeln!(out, "It saves {saved} {currency} a month, by the vendor's list.");
    } else if !amount.is_empty() {
        let _ = writeln!(out, "It adds {amount} {currency} a month, by the vendor's list.");
    }
    clean(&out)
}

/// Whether a plan must not be carried out unless somebody has said so.
pub fn is_grave(plan: &Value) -> bool {
    plan["can_be_undone"] == false || plan["disturbs"] == "data_loss"
}

/// What makes a plan grave, in a sentence that begins with what was not done for it.
pub fn gravity(plan: &Value) -> &'static str {
    match (plan["can_be_undone"] == false, plan["disturbs"] == "data_loss") {
        (true, true) => "what it holds would be lost for good, and this cannot be undone",
        (true, false) => "this cannot be undone",
        (false, _) => "what it holds would be lost",
    }
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
    fn a_plan_says_sizes_and_costs() {
        let step = json!({ "action": "create_instance", "name": "web", "disturbs": "none", "undo": { "possible": true },
            "size": "m7g.large", "fallbacks": ["r7g.large", "m7g.xlarge"] });
        let plan =
            |amount: &str| json!({ "steps": [step], "monthly": { "amount": amount, "currency": "USD" } });
        let text = shown(&plan("66.43"));
        let wanted = "  1. create instance “web” as m7g.large, or if there is none r7g.large, m7g.xlarge\n\
            It adds 66.43 USD a month, by the vendor's list.\n";
        assert!(text.ends_with(wanted), "{text}");
        assert!(shown(&plan("-66.43")).contains("It saves 66.43 USD a month"));
    }

    #[test]
    fn why_a_plan_is_grave_is_what_it_is() {
        let plan = |undone: bool, disturbs: &str| json!({ "can_be_undone": undone, "disturbs": disturbs });
        assert!(gravity(&plan(true, "data_loss")).ends_with("would be lost"));
        assert_eq!(gravity(&plan(false, "none")), "this cannot be undone");
        assert!(gravity(&plan(false, "data_loss")).contains("for good"));
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
