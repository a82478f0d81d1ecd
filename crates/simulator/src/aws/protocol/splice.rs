//! The text of a stored body, written as XML without being taken apart first: what makes long listings quick.
//!
//! A value may have a member without a name ([`BODY`]) that holds such a text. Its members are written where it stands;
//! those whose names begin with an underscore are the simulator's own and are left out. All else is held against the
//! model as any other output is.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};

use super::{escape, input::known_word, xml};
use crate::aws::schema::{Kind, ShapeId, Structure, TimeFormat};

/// The name of the member that holds a body's text.
pub const BODY: &str = "";

/// A key of a body, without being copied.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Writes the members of a body.
pub fn members(
    writer: xml::Writer<'_>,
    out: &mut String,
    structure: &Structure,
    body: &str,
) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let seed = Members { writer, structure, out };
    deserializer.deserialize_map(seed).map_err(|error| error.to_string())
}

struct Members<'w, 'o> {
    writer: xml::Writer<'w>,
    structure: &'o Structure,
    out: &'o mut String,
}

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a structure")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(name)) = map.next_key()? {
            if name.starts_with('_') {
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            let member = self.structure.member(&name);
            let member = member.ok_or_else(|| A::Error::custom(format!("{name}: unknown to the model")))?;
            let before = self.out.len();
            xml::open(self.out, &member.wire);
            let seed =
                Element { writer: self.writer, shape: member.shape, time: member.time, out: &mut *self.out };
            if map.next_value_seed(seed)? {
                xml::close(self.out, &member.wire);
            } else {
                // Null: as if it were not there.
                self.out.truncate(before);
            }
        }
        Ok(())
    }
}

/// Writes one value; false for null.
struct Element<'w, 'o> {
    writer: xml::Writer<'w>,
    shape: ShapeId,
    time: Option<TimeFormat>,
    out: &'o mut String,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Element<'_, '_> {
    fn plain<E: serde::de::Error>(self, fits: bool, value: impl fmt::Display) -> Result<bool, E> {
        use fmt::Write as _;
        if !fits {
            return Err(E::custom(format!("not a {}: {value}", self.writer.schema.shape(self.shape).name)));
        }
        write!(self.out, "{value}").map_err(E::custom)?;
        Ok(true)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a {}", self.writer.schema.shape(self.shape).name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        match &self.writer.schema.shape(self.shape).kind {
            Kind::Structure(structure) => {
                Members { writer: self.writer, structure, out: self.out }.visit_map(map).map(|()| true)
            }
            _ => Err(A::Error::custom(format!("not a {}", self.writer.schema.shape(self.shape).name))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let Kind::List(list) = &self.writer.schema.shape(self.shape).kind else {
            return Err(A::Error::custom(format!("not a {}", self.writer.schema.shape(self.shape).name)));
        };
        let name = list.of.wire.as_deref().unwrap_or(self.writer.item);
        loop {
            let before = self.out.len();
            xml::open(self.out, name);
            let seed = Element { writer: self.writer, shape: list.of.shape, time: None, out: &mut *self.out };
            if items.next_element_seed(seed)?.is_none() {
                self.out.truncate(before);
                return Ok(true);
            }
            xml::close(self.out, name);
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<bool, E> {
        match &self.writer.schema.shape(self.shape).kind {
            Kind::Text { closed, .. } => {
                known_word(closed, text).map_err(E::custom)?;
                self.out.push_str(&escape(text));
                Ok(true)
            }
            Kind::Blob => {
                self.out.push_str(&escape(text));
                Ok(true)
            }
            Kind::Timestamp(format) => {
                self.out.push_str(&xml::moment(text, self.time.or(*format)).map_err(E::custom)?);
                Ok(true)
            }
            _ => self.plain(false, text),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<bool, E> {
        let fits = matches!(self.writer.schema.shape(self.shape).kind, Kind::Boolean);
        self.plain(fits, value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<bool, E> {
        let fits = matches!(self.writer.schema.shape(self.shape).kind, Kind::Integer(_) | Kind::Float(_));
        self.plain(fits, value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<bool, E> {
        let fits = matches!(self.writer.schema.shape(self.shape).kind, Kind::Integer(_) | Kind::Float(_));
        self.plain(fits, value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<bool, E> {
        let fits = matches!(self.writer.schema.shape(self.shape).kind, Kind::Float(_));
        self.plain(fits, value)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }
}
