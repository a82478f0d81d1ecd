//! AWS's XML answers, read in one pass: each listed item becomes a flat [`Tape`] that borrows from the answer and
//! is used again for the next item, so that a page of a thousand instances needs no tree and next to no memory
//! beyond the answer itself.

use std::borrow::Cow;

use quick_xml::{Reader, errors::SyntaxError, events::Event};

/// No answer of AWS nests deeper.
const DEEPEST: usize = 48;

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum XmlError {
    /// It stops before its end.
    #[error("the answer ends early, at byte {0}")]
    Truncated(u64),
    /// It is not well-formed, or holds what AWS never sends (a document type, unknown entities).
    #[error("the answer is not well-formed XML at byte {at}: {what}")]
    Malformed { at: u64, what: String },
    /// It is XML, but not the answer to what was asked (a proxy's page, say).
    #[error("the answer is a <{0}>, not what was asked for")]
    Unexpected(String),
}

/// Elements in document order, each knowing where its content ends.
#[derive(Debug, Default)]
pub struct Tape<'x> {
    entries: Vec<Entry<'x>>,
    open: Vec<usize>,
}

#[derive(Debug)]
struct Entry<'x> {
    name: &'x str,
    text: Cow<'x, str>,
    /// The index behind the last element inside this one.
    end: usize,
}

/// One element on a tape.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t, 'x> {
    tape: &'t Tape<'x>,
    index: usize,
}

impl<'x> Tape<'x> {
    /// The first element, if there is one.
    pub fn root(&self) -> Option<Node<'_, 'x>> {
        (!self.entries.is_empty()).then_some(Node { tape: self, index: 0 })
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.open.clear();
    }

    fn push(&mut self, name: &'x str) {
        self.open.push(self.entries.len());
        self.entries.push(Entry { name, text: Cow::Borrowed(""), end: 0 });
    }

    fn text(&mut self, text: Cow<'x, str>) {
        let Some(entry) = self.open.last().and_then(|&index| self.entries.get_mut(index)) else { return };
        if entry.text.is_empty() { entry.text = text } else { entry.text.to_mut().push_str(&text) }
    }

    /// Ends the innermost open element; whether it was the outermost one.
    fn close(&mut self) -> bool {
        let end = self.entries.len();
        if let Some(entry) = self.open.pop().and_then(|index| Some((index, self.entries.get_mut(index)?))) {
            let (index, entry) = entry;
            entry.end = end;
            // Between elements there is only the indentation.
            if end > index + 1 || (entry.text.contains('\n') && entry.text.trim().is_empty()) {
                entry.text = Cow::Borrowed("");
            }
        }
        self.open.is_empty()
    }
}

impl<'t, 'x> Node<'t, 'x> {
    fn entry(self) -> &'t Entry<'x> {
        &self.tape.entries[self.index]
    }

    /// The element's name.
    pub fn name(self) -> &'x str {
        self.entry().name
    }

    /// The element's text; empty if it has elements inside.
    pub fn text(self) -> &'t str {
        &self.entry().text
    }

    /// Whether there are elements inside.
    pub fn has_children(self) -> bool {
        self.entry().end > self.index + 1
    }

    /// The elements directly inside.
    pub fn children(self) -> impl Iterator<Item = Node<'t, 'x>> {
        let end = self.entry().end;
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            let node = Node { tape: self.tape, index: next };
            (next < end).then(|| {
                next = node.entry().end;
                node
            })
        })
    }

    /// The element of that name directly inside.
    pub fn child(self, name: &str) -> Option<Node<'t, 'x>> {
        let found = self.children().find(|child| child.name() == name);
        #[cfg(test)]
        asked::note(self.name(), name, found.is_some());
        found
    }

    /// The text of the element of that name directly inside, unless empty.
    pub fn get(self, name: &str) -> Option<&'t str> {
        self.child(name).map(Node::text).filter(|text| !text.is_empty())
    }

    /// The same, two levels down.
    pub fn get_in(self, outer: &str, name: &str) -> Option<&'t str> {
        self.child(outer)?.get(name)
    }

    /// The elements of a list of that name.
    pub fn list(self, name: &str) -> impl Iterator<Item = Node<'t, 'x>> {
        self.child(name).into_iter().flat_map(Node::children)
    }
}

/// Where the items of an answer are.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The operation; the document's root is its name and `Response`.
    pub action: &'static str,
    /// The names of the elements from below the document's root down to an item.
    pub items: &'static [&'static str],
    /// How many of `items` lead to an element that groups items and has content of its own (a reservation).
    pub group: Option<usize>,
    /// How many of `items` lead to the element that holds the token, and the token's name.
    pub token: Option<(usize, &'static str)>,
}

/// What comes next in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An item: [`Walk::item`].
    Item,
    /// The end of a group: [`Walk::group`] has its own content, without its items.
    Group,
    /// The end of the answer.
    End,
}

/// Reads an answer item by item.
#[derive(Debug)]
pub struct Walk<'x> {
    reader: Reader<&'x [u8]>,
    source: &'x str,
    shape: Shape,
    /// How many elements of the shape's path we are inside of, the root included.
    inside: usize,
    begun: bool,
    tape: Tape<'x>,
    group: Tape<'x>,
    token: Option<String>,
}

impl<'x> Walk<'x> {
    /// Starts to read an answer.
    pub fn new(source: &'x str, shape: Shape) -> Self {
        let mut reader = Reader::from_str(source);
        reader.config_mut().expand_empty_elements = true;
        let (tape, group) = (Tape::default(), Tape::default());
        Self { reader, source, shape, inside: 0, begun: false, tape, group, token: None }
    }

    /// The token of the next page, once the end was reached.
    pub fn token(self) -> Option<String> {
        self.token.filter(|token| !token.is_empty())
    }

    /// The item that was read last.
    pub fn item(&self) -> Option<Node<'_, 'x>> {
        self.tape.root()
    }

    /// The group that ended last.
    pub fn group(&self) -> Option<Node<'_, 'x>> {
        self.group.root()
    }

    /// Reads on to the next item.
    pub fn step(&mut self) -> Result<Step, XmlError> {
        loop {
            let start = self.reader.buffer_position();
            let name = match self.reader.read_event().map_err(|error| self.malformed(&error))? {
                Event::Start(element) => name_at(self.source, start, element.name().0.len()),
                Event::End(_) => {
                    self.inside = self.inside.saturating_sub(1);
                    if self.shape.group == Some(self.inside) {
                        self.group.close();
                        return Ok(Step::Group);
                    }
                    continue;
                }
                Event::Eof if self.inside == 0 && self.begun => return Ok(Step::End),
                Event::Eof => return Err(XmlError::Truncated(start)),
                Event::DocType(_) => return Err(self.wrong("a document type")),
                _ => continue,
            };
            if self.enter(name)? {
                return Ok(Step::Item);
            }
        }
    }

    /// Goes into an element that leads to items, or reads it whole; whether it was an item.
    fn enter(&mut self, name: &'x str) -> Result<bool, XmlError> {
        let depth = self.inside;
        if depth == 0 {
            if self.begun || name.strip_suffix("Response") != Some(self.shape.action) {
                return Err(XmlError::Unexpected(name.to_owned()));
            }
            (self.inside, self.begun) = (1, true);
            return Ok(false);
        }
        if self.shape.items.get(depth - 1) == Some(&name) {
            if depth == self.shape.items.len() {
                self.tape.clear();
                read_element(&mut self.reader, self.source, &mut self.tape, name)?;
                return Ok(true);
            }
            self.inside += 1;
            if self.shape.group == Some(depth) {
                self.group.clear();
                self.group.push(name);
            }
            return Ok(false);
        }
        if self.shape.group.is_some_and(|group| group + 1 == depth) {
            // Content of the group itself: kept open until the group ends.
            read_element(&mut self.reader, self.source, &mut self.group, name)?;
            return Ok(false);
        }
        self.tape.clear();
        read_element(&mut self.reader, self.source, &mut self.tape, name)?;
        if self.shape.token.is_some_and(|(level, token)| level + 1 == depth && token == name) {
            self.token = self.tape.root().map(|node| node.text().to_owned());
        }
        Ok(false)
    }

    fn malformed(&self, error: &quick_xml::Error) -> XmlError {
        read_error(&self.reader, error)
    }

    fn wrong(&self, what: &str) -> XmlError {
        XmlError::Malformed { at: self.reader.buffer_position(), what: what.to_owned() }
    }
}

/// Reads a whole answer onto one tape: for small answers.
pub fn read_whole(source: &str) -> Result<Tape<'_>, XmlError> {
    let mut reader = Reader::from_str(source);
    reader.config_mut().expand_empty_elements = true;
    let mut tape = Tape::default();
    loop {
        let start = reader.buffer_position();
        match reader.read_event().map_err(|error| read_error(&reader, &error))? {
            Event::Start(element) => {
                let name = name_at(source, start, element.name().0.len());
                read_element(&mut reader, source, &mut tape, name)?;
                return Ok(tape);
            }
            Event::Eof => return Err(XmlError::Truncated(start)),
            Event::DocType(_) => {
                return Err(XmlError::Malformed { at: start, what: "a document type".to_owned() });
            }
            _ => {}
        }
    }
}

/// Reads the element `name`, whose start was just read, to its end.
fn read_element<'x>(
    reader: &mut Reader<&'x [u8]>,
    source: &'x str,
    tape: &mut Tape<'x>,
    name: &'x str,
) -> Result<(), XmlError> {
    let outside = tape.open.len();
    tape.push(name);
    loop {
        let start = reader.buffer_position();
        match reader.read_event().map_err(|error| read_error(reader, &error))? {
            Event::Start(_) if tape.open.len() >= DEEPEST => {
                return Err(XmlError::Malformed { at: start, what: "nested too deeply".to_owned() });
            }
            Event::Start(element) => tape.push(name_at(source, start, element.name().0.len())),
            Event::End(_) => {
                tape.close();
                if tape.open.len() == outside {
                    return Ok(());
                }
            }
            Event::Text(text) => tape.text(text.into_inner()),
            Event::CData(text) => tape.text(text.into_inner()),
            Event::GeneralRef(reference) => {
                let resolved = resolve(&reference).ok_or_else(|| XmlError::Malformed {
                    at: start,
                    what: "an entity that AWS does not use".to_owned(),
                })?;
                tape.text(Cow::Owned(resolved.to_string()));
            }
            Event::Eof => return Err(XmlError::Truncated(start)),
            Event::DocType(_) => {
                return Err(XmlError::Malformed { at: start, what: "a document type".to_owned() });
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

/// The name of the element that starts at `start`, borrowed from the answer rather than from the event.
fn name_at(source: &str, start: u64, len: usize) -> &str {
    let from = usize::try_from(start).unwrap_or(usize::MAX).saturating_add(1);
    source.get(from..from.saturating_add(len)).unwrap_or_default()
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(found)) = reference.resolve_char_ref() {
        return Some(found);
    }
    match &*reference.xml10_content() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn read_error(reader: &Reader<&[u8]>, error: &quick_xml::Error) -> XmlError {
    let at = reader.error_position();
    match error {
        quick_xml::Error::Syntax(kind) if *kind != SyntaxError::InvalidBangMarkup => XmlError::Truncated(at),
        other => XmlError::Malformed { at, what: other.to_string() },
    }
}

#[cfg(test)]
pub mod asked {
    //! Remembers which members were asked for, so that a test can tell those that the vendor's model lacks.

    use std::{cell::RefCell, collections::BTreeMap};

    thread_local! {
        static ASKED: RefCell<BTreeMap<(String, String), bool>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// `parent` was asked for `child`.
    pub fn note(parent: &str, child: &str, found: bool) {
        ASKED.with_borrow_mut(|asked| {
            *asked.entry((parent.to_owned(), child.to_owned())).or_default() |= found;
        });
    }

    /// What was asked for since the last call, and whether it was ever there.
    pub fn take() -> BTreeMap<(String, String), bool> {
        ASKED.take()
    }
}

#[cfg(test)]
mod tests;
