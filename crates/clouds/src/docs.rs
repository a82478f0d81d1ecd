//! Tables in the documentation that are made from code: an adapter's tests hold them against each other. With `UPDATE_DOCS=1`
//! in the environment they are written instead.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use marquee_types::ResourceKind;

use crate::{
    Ability, ActionName, Connector, PermissionNeed, PolicyRequest, attributes::MEANINGS, draft::States,
};

/// Attributes by kind, each with the vendor's member it comes from.
pub type Attributes = &'static [(ResourceKind, &'static [(&'static str, &'static str)])];

/// Relations: from, relation, to, and the vendor's member.
pub type Relations = &'static [(ResourceKind, &'static str, ResourceKind, &'static str)];

/// Compares what stands between `<!-- name -->` and `<!-- end -->` in a file of `docs` with what ought to.
pub fn check(file: &str, name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/{file}: {error}"));
    let start = format!("<!-- {name} -->\n");
    let from = text.find(&start).unwrap_or_else(|| panic!("docs/{file} has no {start}")) + start.len();
    let to =
        from + text[from..].find("<!-- end -->").unwrap_or_else(|| panic!("docs/{file}: {name} has no end"));
    if text[from..to] == *wanted {
        return;
    }
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(update, "docs/{file}: the table {name} is stale; run these tests with UPDATE_DOCS=1\n{wanted}");
    let written = fs::write(&path, format!("{}{wanted}{}", &text[..from], &text[to..]));
    written.unwrap_or_else(|error| panic!("docs/{file}: {error}"));
}

/// A table.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        // Writing to a text does not fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// A word of code.
pub fn code(text: &str) -> String {
    format!("`{text}`")
}

/// What the attributes mean.
pub fn meanings() -> String {
    table(
        &["attribute", "what it says"],
        MEANINGS.iter().map(|(name, meaning)| vec![code(name), (*meaning).to_owned()]),
    )
}

/// Where a vendor's attributes come from. Each of them has a meaning.
pub fn attributes(member: &str, rows: Attributes) -> String {
    let rows = rows.iter().flat_map(|(kind, attributes)| {
        attributes.iter().map(|(name, from)| {
            assert!(
                MEANINGS.iter().any(|(known, _)| known == name),
                "{name} has no meaning: see attributes.rs"
            );
            vec![code(kind.as_str()), code(name), (*from).to_owned()]
        })
    });
    table(&["kind", "attribute", member], rows)
}

/// Where a vendor's relations come from.
pub fn relations(member: &str, rows: Relations) -> String {
    let rows = rows.iter().map(|(from, relation, to, member)| {
        vec![code(from.as_str()), code(relation), code(to.as_str()), (*member).to_owned()]
    });
    table(&["from", "relation", "to", member], rows)
}

/// What a vendor's words for states mean.
pub fn states(words: &str, rows: States) -> String {
    let rows = rows.iter().flat_map(|(kind, words)| {
        let mut by_state: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (word, state) in *words {
            by_state.entry(state.as_str()).or_default().push(code(word));
        }
        let row =
            |(state, words): (&str, Vec<String>)| vec![code(kind.as_str()), code(state), words.join(", ")];
        by_state.into_iter().map(row).collect::<Vec<_>>()
    });
    table(&["kind", "state", words], rows)
}

/// The policy that a connector hands out to whoever asks for nothing special.
pub fn policy(connector: &dyn Connector) -> String {
    let groups = connector.permission_groups().into_iter().take(1).collect();
    let written = connector.policy(&PolicyRequest { groups, ..PolicyRequest::default() });
    let policy = written.unwrap_or_else(|error| panic!("{}: {}", error.pointer, error.detail));
    format!("```{}\n{}```\n", policy.format, policy.document)
}

/// The vendor's own commands that make a credential with it.
pub fn commands(connector: &dyn Connector) -> String {
    let written = connector.policy(&PolicyRequest::default());
    let policy = written.unwrap_or_else(|error| panic!("{}: {}", error.pointer, error.detail));
    let mut lines = vec![format!("$ marquee providers policy {} > {}", connector.kind(), policy.file)];
    lines.extend(policy.commands.iter().map(|command| format!("$ {command}")));
    format!("```console\n{}\n```\n", lines.join("\n"))
}

/// What can be changed at a vendor, what that disturbs, and what takes it back.
pub fn abilities(abilities: &[Ability]) -> String {
    let rows = abilities.iter().map(|ability| {
        let stopped = if ability.needs_stopped { "yes" } else { "" };
        vec![
            code(ability.action.as_str()),
            ability.disturbs.as_str().replace('_', " "),
            stopped.to_owned(),
            taken_back(ability.action),
            format!("[{}]({})", page(ability.source), ability.source),
        ]
    });
    table(&["action", "disturbs", "needs it stopped", "undo", "source"], rows)
}

/// The action that usually takes another back, by its name alone; what an undo is in a case is found out before it is begun.
fn taken_back(action: ActionName) -> String {
    use ActionName as A;
    if let Some(kind) = action.makes() {
        let removes = |name: &&ActionName| {
            let word = name.as_str();
            name.on() == Some(kind) && (word.starts_with("delete_") || word.starts_with("terminate_"))
        };
        return ActionName::ALL.iter().find(removes).map(|name| code(name.as_str())).unwrap_or_default();
    }
    let back = match action {
        A::StartInstance => A::StopInstance,
        A::StopInstance => A::StartInstance,
        A::StartDatabase => A::StopDatabase,
        A::StopDatabase => A::StartDatabase,
        A::AttachDisk => A::DetachDisk,
        A::DetachDisk => A::AttachDisk,
        A::RegisterTarget => A::DeregisterTarget,
        A::DeregisterTarget => A::RegisterTarget,
        A::RemoveRecords => A::SetRecords,
        A::RebootInstance => return "nothing to take back".to_owned(),
        // These set what can be set again.
        A::ResizeInstance | A::ResizeDatabase => action,
        _ if action.as_str().starts_with("set_") => action,
        _ => return "none".to_owned(),
    };
    code(back.as_str())
}

/// What a page is called by the last part of its address.
fn page(address: &str) -> &str {
    let last = address.split(['?', '#']).next().unwrap_or(address).trim_end_matches('/');
    let last = last.rsplit('/').next().unwrap_or(last);
    last.strip_suffix(".html").unwrap_or(last)
}

/// Permissions and the features that need them.
pub fn permissions(needs: &[PermissionNeed]) -> String {
    table(
        &["permission", "for"],
        needs.iter().map(|need| vec![code(need.permission), need.feature.to_owned()]),
    )
}

#[cfg(test)]
mod tests {
    use marquee_types::ResourceState;

    use super::*;
    use crate::{
        Action, Change, Observed, RawJson, Undo,
        changes::{Disturbance, undo},
    };

    fn ability(action: ActionName) -> Ability {
        let source = "https://vendor.example/docs/api/Stop.html?view=1#top";
        Ability { action, disturbs: Disturbance::DataLoss, needs_stopped: true, source }
    }

    #[test]
    fn a_row_says_what_comes_with_an_action() {
        let text = abilities(&[ability(ActionName::CreateDisk)]);
        let row = text.lines().nth(2).unwrap();
        let cells = "| `create_disk` | data loss | yes | `delete_disk` | [Stop](";
        assert!(row.starts_with(cells), "{row}");
    }

    /// A thing of which everything is known that an undo may ask for.
    fn known(kind: ResourceKind) -> Observed {
        let attributes = serde_json::json!({ "versioning": "enabled", "size_gib": 1, "min_size": 1,
            "desired_size": 1, "max_size": 1 });
        Observed {
            kind,
            native_id: "1".to_owned(),
            name: String::new(),
            region: String::new(),
            zone: None,
            state: ResourceState::Updating,
            native_state: None,
            size: Some("small".to_owned()),
            tags: Vec::new(),
            created_at: None,
            attributes: attributes.as_object().cloned().unwrap(),
            raw: RawJson::default(),
            relations: Vec::new(),
        }
    }

    #[test]
    fn the_table_says_what_undo_does() {
        for name in ActionName::ALL.iter().copied() {
            let mut written = serde_json::json!({ "do": name, "size": "s", "size_gib": 2, "enabled": false,
                "rules": [], "blocked": false, "instance": "i", "time": "2026-01-01T00:00:00Z", "name": "n" });
            if name == ActionName::CreateScalingGroup {
                // There it is what instances are like.
                written["instance"] = serde_json::json!({});
            }
            let action = loop {
                match serde_json::from_value::<Action>(written.clone()) {
                    Ok(action) => break action,
                    // Of these members it takes those that it knows.
                    Err(error) => {
                        let text = error.to_string();
                        let unknown = text.split('`').nth(1).unwrap_or_else(|| panic!("{name}: {text}"));
                        assert!(text.starts_with("unknown field"), "{name}: {text}");
                        written.as_object_mut().unwrap().remove(unknown);
                    }
                }
            };
            let kind = name.on().unwrap_or(ResourceKind::ComputeInstance);
            let change = Change::of("here", kind, "1", action.clone());
            let wanted = match undo(&change, Some(&known(kind)), Some(&standing(&action))) {
                Undo::Change { change } => code(change.action.name().as_str()),
                Undo::Remove { action } => code(action.name().as_str()),
                Undo::Nothing => "nothing to take back".to_owned(),
                Undo::Impossible { .. } => "none".to_owned(),
            };
            assert_eq!(taken_back(name), wanted, "{name}");
        }
    }

    /// What stood before: for records that are removed, the records.
    fn standing(action: &Action) -> Action {
        match action {
            Action::RemoveRecords(_) => Action::SetRecords(crate::changes::spec::RecordSet::default()),
            other => other.clone(),
        }
    }
}
