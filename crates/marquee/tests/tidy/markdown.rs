//! What a page of docs names: pieces of code, lines of examples, links.

use super::tree::File;

/// Something that a page names, with the line it stands on.
pub struct Named {
    /// `page.md:12`
    pub place: String,
    /// What is named, without the quotes.
    pub text: String,
}

/// What one page names. Whatever stands under a heading that begins with "Planned" does not exist yet, and
/// is not looked at.
#[derive(Default)]
pub struct Names {
    /// Between backquotes.
    pub spans: Vec<Named>,
    /// Lines of fenced examples, without a leading `$ `.
    pub examples: Vec<Named>,
    /// Targets of links within the project, without `#anchors`.
    pub links: Vec<Named>,
}

/// Reads a page.
pub fn names(page: &File) -> Names {
    let mut names = Names::default();
    let mut fenced = false;
    let mut planned = None;
    for (number, line) in page.text.lines().enumerate() {
        let named =
            |text: &str| Named { place: format!("{}:{}", page.path, number + 1), text: text.to_owned() };
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if !fenced && line.starts_with('#') {
            planned = within_planned(line, planned);
        }
        if planned.is_some() {
            continue;
        }
        if fenced {
            let line = line.trim();
            names.examples.push(named(line.strip_prefix("$ ").unwrap_or(line)));
            continue;
        }
        names.spans.extend(line.split('`').skip(1).step_by(2).map(named));
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let inside = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
        names.links.extend(
            inside.filter_map(|target| target.split('#').next()).filter(|t| !t.is_empty()).map(named),
        );
    }
    names
}

/// The level of the "Planned" heading that holds what follows this heading, if one does.
fn within_planned(heading: &str, planned: Option<usize>) -> Option<usize> {
    let level = heading.bytes().take_while(|byte| *byte == b'#').count();
    match planned {
        Some(outer) if level > outer => planned,
        _ => heading.trim_start_matches('#').trim().starts_with("Planned").then_some(level),
    }
}

#[test]
fn names_are_found_where_they_stand_and_planned_ones_are_left_out() {
    let text = "# A\nsee `a` and [b](b.md#x), [c](https://example.org)\n```\n$ make run\n```\n## Planned\n`no`\n### deeper\n`no`\n## B\n`d`\n";
    let names = names(&File { path: "p.md".to_owned(), text: text.to_owned() });
    let texts = |list: &[Named]| {
        list.iter().map(|named| format!("{} {}", named.place, named.text)).collect::<Vec<_>>()
    };
    assert_eq!(texts(&names.spans), ["p.md:2 a", "p.md:11 d"]);
    assert_eq!(texts(&names.links), ["p.md:2 b.md"]);
    assert_eq!(texts(&names.examples), ["p.md:4 make run"]);
}
