//! What charges are grouped and filtered by.

use serde_json::{Value, json};

use crate::{
    azure::{
        call::{Call, text},
        error::{Outcome, Refused},
        table,
    },
    charges::Charge,
    estate::Tags,
};

/// A group or filter's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// A property of the charge, by the vendor's name.
    Known(&'static str),
    /// A tag.
    Tag(String),
}

/// Names of dimensions.
const KNOWN: &[&str] = &[
    "ServiceName",
    "ResourceLocation",
    "ResourceId",
    "ResourceType",
    "ResourceGroup",
    "ResourceGroupName",
    "MeterCategory",
    "Meter",
    "SubscriptionId",
    "SubscriptionName",
    "ChargeType",
    "PublisherType",
];

impl Dimension {
    /// Of a name.
    pub fn named(name: &str) -> Outcome<Self> {
        let found = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name));
        found.map(|known| Self::Known(known)).ok_or_else(|| {
            Refused::bad(
                "BadRequest",
                format!("Invalid query definition: Dimension '{name}' is not supported."),
            )
        })
    }

    /// Of a grouping.
    pub fn grouping(value: &Value) -> Outcome<Self> {
        let name = text(value, "name");
        if text(value, "type").eq_ignore_ascii_case("TagKey") {
            Ok(Self::Tag(name.to_owned()))
        } else {
            Self::named(name)
        }
    }

    /// Its columns: a tag has two.
    pub fn columns(&self) -> Vec<(String, &'static str)> {
        match self {
            Self::Known(name) => vec![((*name).to_owned(), "String")],
            Self::Tag(_) => vec![("TagKey".to_owned(), "String"), ("TagValue".to_owned(), "String")],
        }
    }

    /// Its values for a charge.
    pub fn values(&self, call: &Call<'_>, charge: &Charge<'_>) -> Vec<String> {
        match self {
            Self::Known(name) => vec![known(call, charge, name)],
            Self::Tag(key) => vec![key.to_lowercase(), tag(&charge.thing.tags, key).unwrap_or_default()],
        }
    }

    /// The value that a filter compares.
    fn compared(&self, call: &Call<'_>, charge: &Charge<'_>) -> String {
        match self {
            Self::Known(name) => known(call, charge, name),
            Self::Tag(key) => tag(&charge.thing.tags, key).unwrap_or_default(),
        }
    }
}

fn tag(tags: &Tags, key: &str) -> Option<String> {
    tags.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value.to_string())
}

fn known(call: &Call<'_>, charge: &Charge<'_>, name: &str) -> String {
    let group = || charge.thing.id.split('/').nth(4).unwrap_or_default().to_owned();
    match name {
        "ServiceName" | "MeterCategory" => charge.price.service.to_string(),
        // The bill writes a region in words of its own: `EU West` is one; the plan has the portal's.
        "ResourceLocation" => charge.region.to_string(),
        "ResourceId" => charge.thing.id.to_string(),
        "ResourceType" => {
            let kind = table::KINDS.iter().chain(table::INNER).find(|kind| **kind == charge.kind);
            kind.map_or(charge.kind, |kind| kind).to_lowercase()
        }
        "ResourceGroup" | "ResourceGroupName" => group(),
        "Meter" => charge.price.sku.to_string(),
        "SubscriptionId" => call.subscription().to_owned(),
        "SubscriptionName" => call.account.name.clone(),
        "ChargeType" => "Usage".to_owned(),
        _ => "Azure".to_owned(),
    }
}

/// A filter, read.
#[derive(Debug)]
pub enum Filter {
    /// All must hold.
    And(Vec<Filter>),
    /// One must hold.
    Or(Vec<Filter>),
    /// The value is among these.
    In(Dimension, Vec<String>),
}

impl Filter {
    /// Reads a filter; none takes everything.
    pub fn read(value: &Value) -> Outcome<Self> {
        let list = |name: &str| value.get(name).and_then(Value::as_array);
        if let Some(parts) = list("and") {
            return Ok(Self::And(parts.iter().map(Self::read).collect::<Outcome<_>>()?));
        }
        if let Some(parts) = list("or") {
            return Ok(Self::Or(parts.iter().map(Self::read).collect::<Outcome<_>>()?));
        }
        for (member, tags) in [("dimensions", false), ("tags", true)] {
            let Some(said) = value.get(member).filter(|said| said.is_object()) else { continue };
            let name = text(said, "name");
            let dimension = if tags { Dimension::Tag(name.to_owned()) } else { Dimension::named(name)? };
            let values = said.get("values").and_then(Value::as_array).into_iter().flatten();
            return Ok(Self::In(
                dimension,
                values.filter_map(Value::as_str).map(str::to_lowercase).collect(),
            ));
        }
        Ok(Self::And(Vec::new()))
    }

    /// Whether it takes a charge.
    pub fn takes(&self, call: &Call<'_>, charge: &Charge<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.takes(call, charge)),
            Self::Or(parts) => parts.iter().any(|part| part.takes(call, charge)),
            Self::In(dimension, values) => values.contains(&dimension.compared(call, charge).to_lowercase()),
        }
    }
}

/// The values of dimensions as cells.
pub fn cells(values: Vec<String>) -> Vec<Value> {
    values.into_iter().map(|value| json!(value)).collect()
}
