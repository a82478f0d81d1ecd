//! One thing, or an answer that is a small list with something around it.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde_json::{Map, Value};

use super::{
    Format,
    cell::{self, Style},
    list::{self, Column, ListWriter},
};
use crate::surroundings::Surroundings;

/// Writes the answer of an operation that is no page of a list.
pub fn write(
    format: Format,
    value: &Value,
    chosen: &[String],
    usual: Vec<Column>,
    surroundings: &mut Surroundings,
) -> io::Result<()> {
    match (format, value) {
        (_, Value::Null) => return Ok(()),
        (Format::Json, _) => json(value, surroundings)?,
        (_, Value::Array(items)) => rows(format, items, chosen, usual, surroundings)?,
        (_, Value::Object(map)) => match only_list(map) {
            Some((name, items)) => {
                around(format, map, name, surroundings)?;
                rows(format, items, chosen, usual, surroundings)?;
            }
            None => match items_of(map) {
                Some(items) => with_more(format, map, items, chosen, usual, surroundings)?,
                None => one(format, value, chosen, surroundings)?,
            },
        },
        (_, plain) => writeln!(surroundings.stdout, "{}", cell::exact(Some(plain)))?,
    }
    surroundings.stdout.flush()
}

fn json(value: &Value, surroundings: &mut Surroundings) -> io::Result<()> {
    if surroundings.terminal.stdout {
        serde_json::to_writer_pretty(&mut surroundings.stdout, value)?;
    } else {
        serde_json::to_writer(&mut surroundings.stdout, value)?;
    }
    writeln!(surroundings.stdout)
}

/// The list that an answer consists of, where everything else in it is plain.
fn only_list(map: &Map<String, Value>) -> Option<(&str, &Vec<Value>)> {
    if map.contains_key("id") {
        return None; // One thing that has a list, not a list.
    }
    let mut lists = map.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_array()?)));
    let found = lists.next()?;
    let nested = map.values().filter(|value| value.is_object()).count();
    let listed = found.1.iter().all(Value::is_object) || found.0 == "items";
    (lists.next().is_none() && nested == 0 && listed).then_some(found)
}

/// The items of an answer that has other lists besides them.
fn items_of(map: &Map<String, Value>) -> Option<&Vec<Value>> {
    map.get("items")?.as_array().filter(|items| !map.contains_key("id") && items.iter().all(Value::is_object))
}

/// Items in their columns and, for people, the other lists below them.
fn with_more(
    format: Format,
    map: &Map<String, Value>,
    items: &[Value],
    chosen: &[String],
    usual: Vec<Column>,
    surroundings: &mut Surroundings,
) -> io::Result<()> {
    rows(format, items, chosen, usual, surroundings)?;
    let lists = map.iter().filter(|(name, _)| *name != "items");
    let lists = lists.filter_map(|(name, value)| Some((name, value.as_array()?)));
    for (name, list) in lists.filter(|_| format == Format::Table && chosen.is_empty()) {
        let heading = surroundings.paint().dim(&list::heading(name).to_lowercase());
        writeln!(surroundings.stdout, "\n{heading}")?;
        rows(format, list, &[], Vec::new(), surroundings)?;
    }
    Ok(())
}

/// What stands around the list, on a line of its own for people.
fn around(
    format: Format,
    map: &Map<String, Value>,
    list: &str,
    surroundings: &mut Surroundings,
) -> io::Result<()> {
    let style = style(surroundings);
    let parts: Vec<String> = map
        .iter()
        .filter(|(name, value)| *name != list && !value.is_null())
        .map(|(name, value)| {
            format!("{}: {}", list::heading(name).to_lowercase(), cell::humane(Some(value), style))
        })
        .collect();
    if format == Format::Table && !parts.is_empty() {
        writeln!(surroundings.stdout, "{}", surroundings.paint().dim(&parts.join("   ")))?;
    }
    Ok(())
}

fn rows(
    format: Format,
    items: &[Value],
    chosen: &[String],
    usual: Vec<Column>,
    surroundings: &mut Surroundings,
) -> io::Result<()> {
    let objects: Vec<Value> = items
        .iter()
        .map(|item| if item.is_object() { item.clone() } else { serde_json::json!({ "value": item }) })
        .collect();
    let mut writer = ListWriter::new(format, chosen, usual, surroundings);
    writer.page(&mut surroundings.stdout, &objects)?;
    writer.finish(&mut surroundings.stdout, &Value::Null)
}

fn one(format: Format, value: &Value, chosen: &[String], surroundings: &mut Surroundings) -> io::Result<()> {
    let mut lines: Vec<(String, Option<Cow<'_, Value>>)> = Vec::new();
    if chosen.is_empty() {
        flatten("", value, &mut lines);
    } else {
        lines.extend(chosen.iter().map(|path| (path.clone(), cell::at(value, path))));
    }
    if format == Format::Csv {
        let mut writer = csv::Writer::from_writer(&mut surroundings.stdout);
        writer.write_record(lines.iter().map(|(path, _)| path))?;
        writer.write_record(lines.iter().map(|(_, value)| cell::exact(value.as_deref())))?;
        return writer.flush();
    }
    let style = style(surroundings);
    let width = surroundings.terminal.width.filter(|_| surroundings.terminal.stdout);
    let mut table = list::plain_table(width, style.colour);
    for (path, value) in lines {
        let name = comfy_table::Cell::new(crate::failure::clean(&path));
        let name = if style.colour { name.add_attribute(comfy_table::Attribute::Dim) } else { name };
        table.add_row([name, cell::cell(value.as_deref(), style)]);
    }
    list::write_table(&mut surroundings.stdout, table)?;
    let tables = value.as_object().into_iter().flatten();
    for (name, items) in tables.filter_map(|(name, value)| Some((name, rows_of(value)?))) {
        if chosen.is_empty() {
            writeln!(surroundings.stdout, "\n{}", crate::failure::clean(name))?;
            rows(format, items, &[], Vec::new(), surroundings)?;
        }
    }
    Ok(())
}

/// Lists of objects are shown below as tables of their own.
fn rows_of(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().filter(|items| !items.is_empty() && items.iter().all(Value::is_object))
}

fn flatten<'a>(prefix: &str, value: &'a Value, lines: &mut Vec<(String, Option<Cow<'a, Value>>)>) {
    let Some(map) = value.as_object() else { return };
    for (name, value) in map {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let nested = value.as_object().is_some_and(|inner| !inner.is_empty());
        if nested && prefix.matches('.').count() < 2 {
            flatten(&path, value, lines);
        } else if !(prefix.is_empty() && rows_of(value).is_some()) {
            lines.push((path, Some(Cow::Borrowed(value))));
        }
    }
}

fn style(surroundings: &Surroundings) -> Style {
    Style { now: surroundings.terminal.stdout.then(|| (surroundings.now)()), colour: surroundings.paint().0 }
}
