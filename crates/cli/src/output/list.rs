//! Lists, page by page as they come: what is written is never held in memory beyond one page.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value;

use super::{
    Format,
    cell::{self, Style},
};
use crate::surroundings::Surroundings;

/// Columns that are shown where neither the person nor the presentation table chooses.
const MOST_COLUMNS: usize = 7;

/// A heading and the place of the value.
pub type Column = (String, String);

/// A list that is being written.
#[derive(Debug)]
pub struct ListWriter {
    format: Format,
    style: Style,
    width: Option<u16>,
    pretty: bool,
    columns: Vec<Column>,
    /// Whether the columns were asked for, so that empty ones stay.
    chosen: bool,
    widths: Option<Vec<u16>>,
    written: u64,
    opened: bool,
    left_out: Vec<String>,
}

impl ListWriter {
    /// `chosen` are the columns asked for, `usual` those of the presentation table.
    pub fn new(format: Format, chosen: &[String], usual: Vec<Column>, surroundings: &Surroundings) -> Self {
        let columns = if chosen.is_empty() {
            usual
        } else {
            chosen.iter().map(|path| (heading(path), path.clone())).collect()
        };
        Self {
            format,
            style: Style {
                now: surroundings.terminal.stdout.then(|| (surroundings.now)()),
                colour: surroundings.paint().0,
            },
            width: if surroundings.terminal.stdout { surroundings.terminal.width } else { None },
            pretty: surroundings.terminal.stdout,
            columns,
            chosen: !chosen.is_empty(),
            widths: None,
            written: 0,
            opened: false,
            left_out: Vec::new(),
        }
    }

    /// How many items were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The headings of columns for which the terminal is too narrow.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Writes one page.
    pub fn page(&mut self, out: &mut dyn Write, items: &[Value]) -> io::Result<()> {
        if !self.opened {
            self.settle_columns(items);
        }
        match self.format {
            Format::Json => self.json_page(out, items)?,
            Format::Csv => self.csv_page(out, items)?,
            Format::Table if items.is_empty() => {}
            Format::Table => self.table_page(out, items)?,
        }
        self.opened = true;
        self.written += items.len() as u64;
        out.flush()
    }

    /// Ends the list; `next` is the cursor of what was not asked for.
    pub fn finish(&mut self, out: &mut dyn Write, next: &Value) -> io::Result<()> {
        match self.format {
            Format::Json if !self.opened => writeln!(out, "{{\"items\":[],\"next_cursor\":{next}}}")?,
            Format::Json => writeln!(out, "\n],\"next_cursor\":{next}}}")?,
            Format::Table if self.written == 0 => writeln!(out, "(nothing)")?,
            Format::Table | Format::Csv => {}
        }
        out.flush()
    }

    fn json_page(&mut self, out: &mut dyn Write, items: &[Value]) -> io::Result<()> {
        if !self.opened {
            out.write_all(b"{\"items\":[")?;
        }
        for (index, item) in items.iter().enumerate() {
            let first = self.written == 0 && index == 0;
            out.write_all(if first { b"\n" } else { b",\n" })?;
            if self.pretty {
                serde_json::to_writer_pretty(&mut *out, item)?;
            } else {
                serde_json::to_writer(&mut *out, item)?;
            }
        }
        Ok(())
    }

    fn csv_page(&mut self, out: &mut dyn Write, items: &[Value]) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        if !self.opened {
            writer.write_record(self.columns.iter().map(|(_, path)| path))?;
        }
        for item in items {
            writer.write_record(
                self.columns.iter().map(|(_, path)| cell::exact(cell::at(item, path).as_deref())),
            )?;
        }
        let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        out.write_all(&bytes)
    }

    fn table_page(&mut self, out: &mut dyn Write, items: &[Value]) -> io::Result<()> {
        if let (false, Some(width)) = (self.opened, self.width) {
            self.left_out = fit(&mut self.columns, items, self.style, width);
        }
        let mut table = plain_table(self.width, self.style.colour);
        if !self.opened {
            table.set_header(self.columns.iter().map(|(heading, _)| heading));
        }
        for item in items {
            table.add_row(
                self.columns.iter().map(|(_, path)| cell::cell(cell::at(item, path).as_deref(), self.style)),
            );
        }
        self.align(&mut table, items);
        if let Some(widths) = &self.widths {
            table.set_constraints(widths.iter().map(|w| ColumnConstraint::LowerBoundary(Width::Fixed(*w))));
        } else if self.width.is_none() {
            self.widths =
                Some(table.column_max_content_widths().iter().map(|width| width + PADDING).collect());
        } else {
            // What is copied into the next command must stand on one line.
            for (index, _) in self.columns.iter().enumerate().filter(|(_, (_, path))| is_id(path)) {
                if let Some(column) = table.column_mut(index) {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                }
            }
        }
        write_table(out, table)
    }

    /// Numbers stand to the right.
    fn align(&self, table: &mut Table, items: &[Value]) {
        for (index, (_, path)) in self.columns.iter().enumerate() {
            let number =
                items.iter().find_map(|item| cell::at(item, path)).is_some_and(|value| value.is_number());
            if let Some(column) = table.column_mut(index).filter(|_| number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }

    /// Drops the usual columns that this list does not have; without any, takes the first plain values.
    fn settle_columns(&mut self, items: &[Value]) {
        let Some(first) = items.first() else { return };
        if self.chosen {
            return;
        }
        let there = |path: &str| items.iter().any(|item| cell::at(item, path).is_some());
        let mut headings: Vec<String> = Vec::new();
        self.columns.retain(|(heading, path)| {
            let keep = there(path) && !headings.contains(heading);
            if keep {
                headings.push(heading.clone());
            }
            keep
        });
        if self.columns.is_empty() {
            self.columns = plain_places(first).into_iter().take(MOST_COLUMNS).collect();
        }
    }
}

const PADDING: u16 = 2;
/// A column that wraps its text is readable down to this width.
const NARROWEST: usize = 12;

fn is_id(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    name == "id" || name.ends_with("_id")
}

/// Drops columns from the right until the others can be read in `width`; returns the headings of what went.
fn fit(columns: &mut Vec<Column>, items: &[Value], style: Style, width: u16) -> Vec<String> {
    let needed = |(heading, path): &Column| {
        let texts =
            items.iter().map(|item| cell::humane(cell::at(item, path).as_deref(), style).chars().count());
        let longest = texts.max().unwrap_or(0);
        let least = if is_id(path) { longest } else { longest.min(NARROWEST) };
        least.max(heading.len().min(NARROWEST)) + usize::from(PADDING)
    };
    let mut left_out = Vec::new();
    while columns.len() > 1 && columns.iter().map(needed).sum::<usize>() > usize::from(width) {
        left_out.extend(columns.pop().map(|(heading, _)| heading));
    }
    left_out.reverse();
    left_out
}

/// The places that hold plain values, also those of objects that hold nothing else.
fn plain_places(item: &Value) -> Vec<Column> {
    let is_plain =
        |value: &Value| !value.is_object() && !value.as_array().is_some_and(|items| has_objects(items));
    let mut found = Vec::new();
    for (name, value) in item.as_object().into_iter().flatten() {
        if is_plain(value) {
            found.push((heading(name), name.clone()));
        } else if let Some(inner) = value.as_object().filter(|inner| inner.values().all(is_plain)) {
            found.extend(inner.keys().map(|key| (heading(key), format!("{name}.{key}"))));
        }
    }
    found
}

fn has_objects(items: &[Value]) -> bool {
    items.iter().any(Value::is_object)
}

/// `resource.native_id` → `RESOURCE NATIVE ID`.
pub fn heading(path: &str) -> String {
    path.trim_end_matches("_at").replace(['_', '.'], " ").to_uppercase()
}

/// A table without lines, which fits the terminal where there is one.
pub fn plain_table(width: Option<u16>, colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

/// Writes a table without the blanks at the ends of its lines.
pub fn write_table(out: &mut dyn Write, mut table: Table) -> io::Result<()> {
    for column in table.column_iter_mut() {
        column.set_padding((0, PADDING));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
