//! From JSON Schema to flags: every place of a request body that can be set on its own.
//!
//! Nested objects become dotted names, lists of plain values become repeatable flags, maps of text become
//! `KEY=VALUE`, tagged unions become the union of their fields (each knows for which tag it counts), and what is
//! left takes JSON. Places that hold secrets are marked; they never become flags.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::naming;

/// How a value is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Any text; the word stands for it in the usage.
    Text(&'static str),
    /// A whole number.
    Integer {
        /// The smallest allowed.
        minimum: Option<i64>,
        /// The largest allowed.
        maximum: Option<i64>,
    },
    /// Any number.
    Number,
    /// `true` or `false`; what holds when nothing is said.
    Boolean {
        /// The API's default.
        default: bool,
    },
    /// One of a closed set.
    Choice(Vec<String>),
    /// `KEY=VALUE`, repeatable.
    Pairs,
    /// Certificates, which begin with hyphens and mostly stand in files.
    Pem,
    /// Anything else, as JSON.
    Json,
}

/// What the document calls a text of certificates.
const PEM_MEDIA: &str = "application/x-pem-file";

/// One place of a request body.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the schema on its own")]
pub struct Field {
    /// The names on the way to it: `["settings", "endpoint_url"]`.
    pub pointer: Vec<String>,
    /// As the command line calls it, without the dashes.
    pub flag: String,
    /// The id of clap's argument.
    pub key: String,
    /// What it means.
    pub help: String,
    /// Whether the API refuses to do without (where [`Field::when`] applies, if it is set).
    pub required: bool,
    /// What a value looks like.
    pub kind: Kind,
    /// Whether it may be given more than once.
    pub repeated: bool,
    /// Whether it must never be shown or stand in a command line.
    pub secret: bool,
    /// Whether it is one only because it lies in an object that is one as a whole.
    pub secret_by_place: bool,
    /// For which tag of which union it counts; empty if always.
    pub when: Vec<Tag>,
    /// The environment variable that the vendor's own tools take it from (`x-environment`).
    pub variable: Option<String>,
    /// Of a union's tag: which form it usually is (`x-usual-forms`).
    pub usual: Option<Usual>,
}

/// Which form a union usually takes, by the value of another field of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usual {
    /// The other field.
    pub field: String,
    /// Forms by its values.
    pub forms: BTreeMap<String, String>,
}

/// A tag of a union, and the place that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Where the tag stands.
    pub pointer: Vec<String>,
    /// Its value.
    pub value: String,
}

impl Field {
    /// As a JSON pointer: `/settings/endpoint_url`.
    pub fn json_pointer(&self) -> String {
        format!("/{}", self.pointer.join("/"))
    }
}

/// What a plain (not nested) schema allows.
#[derive(Debug)]
pub struct Scalar {
    /// What a value looks like.
    pub kind: Kind,
    /// Whether it is a list.
    pub repeated: bool,
    /// What the schema says of itself.
    pub help: String,
}

/// The document, for following its references.
#[derive(Debug, Clone, Copy)]
pub struct Schemas<'a>(&'a Value);

/// References that lead to references: a document that needs more than this goes in circles.
const MAX_DEPTH: usize = 8;

impl<'a> Schemas<'a> {
    /// The schemas of a document.
    pub fn new(document: &'a Value) -> Self {
        Self(document)
    }

    /// What `value` refers to, or `value`.
    pub fn resolve(self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..MAX_DEPTH {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { break };
            let Some(target) = reference.strip_prefix('#').and_then(|path| self.0.pointer(path)) else {
                break;
            };
            value = target;
        }
        value
    }

    /// Whether an object schema has a property, its own or one of a part's.
    pub fn has_property(self, schema: &'a Value, name: &str) -> bool {
        let schema = self.resolve(schema);
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        schema.get("properties").is_some_and(|properties| properties.get(name).is_some())
            || parts.into_iter().any(|part| self.has_property(part, name))
    }
}

/// Every place of a body with this schema.
pub fn fields(schemas: Schemas<'_>, schema: &Value) -> Vec<Field> {
    let mut walk = Walk { schemas, found: Vec::new() };
    walk.schema(schema, &Place::default(), 0);
    walk.found
}

/// What a parameter's schema allows.
pub fn scalar(schemas: Schemas<'_>, schema: &Value) -> Scalar {
    let schema = without_null(schemas, schema);
    let help = describe(schema).to_owned();
    if type_of(schema) == "array" {
        let items = schema.get("items").map_or(&Value::Null, |items| without_null(schemas, items));
        return Scalar {
            kind: plain_kind(schemas, items).unwrap_or(Kind::Text("TEXT")),
            repeated: true,
            help,
        };
    }
    Scalar { kind: plain_kind(schemas, schema).unwrap_or(Kind::Text("TEXT")), repeated: false, help }
}

/// The first paragraph, on one line, without its full stop.
pub fn one_line(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

/// Where in the body the walk stands.
#[derive(Default, Clone)]
struct Place {
    pointer: Vec<String>,
    required: bool,
    secret: bool,
    help: String,
    when: Vec<Tag>,
    /// Whether the place is a form of a union, within which its fields are required or not on their own.
    form: bool,
}

impl Place {
    fn property(&self, name: &str, schema: &Value, required: bool) -> Self {
        let mut pointer = self.pointer.clone();
        pointer.push(name.to_owned());
        let write_only = schema.get("writeOnly").and_then(Value::as_bool).unwrap_or(false);
        Self {
            pointer,
            required: required && (self.required || self.pointer.is_empty() || self.form),
            secret: self.secret || write_only || name == "credentials",
            help: one_line(describe(schema)),
            when: self.when.clone(),
            form: false,
        }
    }
}

struct Walk<'a> {
    schemas: Schemas<'a>,
    found: Vec<Field>,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, schema: &'a Value, place: &Place, depth: usize) {
        let mut place = place.clone();
        place.help = longer(place.help, one_line(describe(schema)));
        let schema = without_null(self.schemas, schema);
        place.help = longer(place.help, one_line(describe(schema)));
        if depth > MAX_DEPTH {
            return self.leaf(schema, &place, Kind::Json, false);
        }
        if let Some(kind) = plain_kind(self.schemas, schema) {
            return self.leaf(schema, &place, kind, false);
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            for part in parts {
                self.schema(part, &place, depth + 1);
            }
            return;
        }
        if let Some(variants) = variants(schema) {
            return self.union(schema, &variants, &place, depth);
        }
        match type_of(schema) {
            "array" => {
                let items = schema.get("items").map_or(&Value::Null, |i| without_null(self.schemas, i));
                match plain_kind(self.schemas, items) {
                    Some(kind) => self.leaf(items, &place, kind, true),
                    None => self.leaf(schema, &place, Kind::Json, false),
                }
            }
            _ if schema.get("properties").is_some() => self.object(schema, &place, depth, None),
            "object" => {
                let values = schema.get("additionalProperties").map(|v| self.schemas.resolve(v));
                let kind =
                    if values.is_some_and(|v| type_of(v) == "string") { Kind::Pairs } else { Kind::Json };
                self.leaf(schema, &place, kind, false);
            }
            _ => self.leaf(schema, &place, Kind::Json, false),
        }
    }

    fn object(&mut self, schema: &'a Value, place: &Place, depth: usize, skip: Option<&str>) {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if skip == Some(name) {
                continue;
            }
            let inner = place.property(name, property, required.contains(&name.as_str()));
            self.schema(property, &inner, depth + 1);
        }
    }

    /// A union: its tag becomes a choice, and each variant's fields count for that variant's tag.
    fn union(&mut self, schema: &'a Value, variants: &[&'a Value], place: &Place, depth: usize) {
        let variants: Vec<&'a Value> =
            variants.iter().flat_map(|v| flat_variants(self.schemas, v, 0)).collect();
        let forms: Vec<Vec<&'a Value>> = variants.iter().map(|v| object_parts(self.schemas, v)).collect();
        let Some(tag) = tag_name(&forms) else {
            if forms.iter().any(Vec::is_empty) {
                return self.leaf(schema, place, Kind::Json, false);
            }
            // Nothing tells the forms apart: all their fields can be set, and none is required.
            let inside = Place { required: false, ..place.clone() };
            for part in forms.concat() {
                self.object(part, &inside, depth + 1, None);
            }
            return;
        };
        let mut values: Vec<String> = Vec::new();
        for value in forms.iter().filter_map(|form| tag_value(form, &tag)) {
            if !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
        }
        let mut at = place.property(&tag, &Value::Null, true);
        let name = place.pointer.last().map_or("it", String::as_str);
        at.help = format!("Which form of {} it is", name.replace('_', " "));
        let pointer = at.pointer.clone();
        self.leaf(schema, &at, Kind::Choice(values), false);
        for form in forms {
            let Some(value) = tag_value(&form, &tag) else { continue };
            let mut inside = Place { form: true, ..place.clone() };
            inside.when.push(Tag { pointer: pointer.clone(), value: value.to_owned() });
            for part in form {
                self.object(part, &inside, depth + 1, Some(&tag));
            }
        }
    }

    fn leaf(&mut self, schema: &Value, place: &Place, kind: Kind, repeated: bool) {
        if place.pointer.is_empty() {
            return; // The body as a whole has no name to be set by; `--body` takes it.
        }
        if let Some(twin) = self.found.iter_mut().find(|field| field.pointer == place.pointer) {
            twin.when.extend(place.when.iter().cloned());
            return;
        }
        let name = place.pointer.last().map_or("", String::as_str);
        let harmless = matches!(kind, Kind::Choice(_) | Kind::Boolean { .. });
        self.found.push(Field {
            flag: place.pointer.iter().map(|part| naming::kebab(part)).collect::<Vec<_>>().join("."),
            key: format!("body:/{}", place.pointer.join("/")),
            secret: !harmless && (place.secret || is_secret(name, schema)),
            secret_by_place: place.secret && !is_secret(name, schema),
            pointer: place.pointer.clone(),
            help: place.help.clone(),
            required: place.required,
            when: place.when.clone(),
            variable: schema.get("x-environment").and_then(Value::as_str).map(str::to_owned),
            usual: usual(schema),
            kind,
            repeated,
        });
    }
}

fn usual(schema: &Value) -> Option<Usual> {
    let said = schema.get("x-usual-forms")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let forms = said.get("forms")?.as_object()?.iter();
    let forms = forms.map(|(value, form)| Some((value.clone(), text(form)?))).collect::<Option<_>>()?;
    Some(Usual { field: text(said.get("field")?)?, forms })
}

/// Whether a place holds a secret: the schema says so, or its name does.
fn is_secret(name: &str, schema: &Value) -> bool {
    let marked = schema.get("format").and_then(Value::as_str) == Some("password")
        || schema.get("writeOnly").and_then(Value::as_bool) == Some(true);
    marked
        || ["password", "secret", "private_key", "passphrase", "access_key"]
            .iter()
            .any(|word| name.contains(word))
        || matches!(name, "token" | "credentials")
        || name.ends_with("_token")
}

fn plain_kind(schemas: Schemas<'_>, schema: &Value) -> Option<Kind> {
    if let Some(choices) = choices(schemas, schema) {
        return Some(Kind::Choice(choices));
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    match type_of(schema) {
        "string" if schema["contentMediaType"] == PEM_MEDIA => Some(Kind::Pem),
        "string" => Some(Kind::Text(match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => "TIME",
            Some("date") => "DATE",
            Some("uri" | "url") => "URL",
            Some("email") => "EMAIL",
            _ => "TEXT",
        })),
        "integer" => Some(Kind::Integer { minimum: bound("minimum"), maximum: bound("maximum") }),
        "number" => Some(Kind::Number),
        "boolean" => {
            Some(Kind::Boolean { default: schema.get("default").and_then(Value::as_bool).unwrap_or(false) })
        }
        _ => None,
    }
}

/// The values of a closed set of words, written as one enumeration or as one schema for each word.
fn choices(schemas: Schemas<'_>, schema: &Value) -> Option<Vec<String>> {
    if let Some(value) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![value.to_owned()]);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().filter(|v| !v.is_null()).map(|v| v.as_str().map(str::to_owned)).collect();
    }
    let variants = variants(schema)?;
    let each: Option<Vec<Vec<String>>> =
        variants.into_iter().map(|variant| choices(schemas, schemas.resolve(variant))).collect();
    Some(each?.concat())
}

fn variants(schema: &Value) -> Option<Vec<&Value>> {
    let list = schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()?;
    Some(list.iter().collect())
}

/// The schema itself where it only adds "or null" to another one.
fn without_null<'a>(schemas: Schemas<'a>, schema: &'a Value) -> &'a Value {
    let mut schema = schemas.resolve(schema);
    for _ in 0..MAX_DEPTH {
        let Some(variants) = variants(schema) else { break };
        let others: Vec<&Value> = variants.into_iter().filter(|v| type_of(v) != "null").collect();
        let [only] = others[..] else { break };
        schema = schemas.resolve(only);
    }
    schema
}

/// The forms of a variant that is a union itself, or the variant; without the null.
fn flat_variants<'a>(schemas: Schemas<'a>, schema: &'a Value, depth: usize) -> Vec<&'a Value> {
    let schema = schemas.resolve(schema);
    match variants(schema) {
        Some(inner) if depth < MAX_DEPTH => {
            inner.into_iter().flat_map(|variant| flat_variants(schemas, variant, depth + 1)).collect()
        }
        _ if type_of(schema) == "null" => Vec::new(),
        _ => vec![schema],
    }
}

/// The objects that a variant is composed of: itself, or its parts.
fn object_parts<'a>(schemas: Schemas<'a>, schema: &'a Value) -> Vec<&'a Value> {
    let schema = schemas.resolve(schema);
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let mut objects: Vec<&Value> = parts.flat_map(|part| object_parts(schemas, part)).collect();
    if schema.get("properties").is_some() {
        objects.push(schema);
    }
    objects
}

/// The property that has one fixed value in each variant.
fn tag_name(forms: &[Vec<&Value>]) -> Option<String> {
    let first = forms.first()?.iter().filter_map(|part| part.get("properties")?.as_object());
    let mut names = first.flat_map(|properties| properties.keys());
    names.find(|name| forms.iter().all(|form| tag_value(form, name).is_some())).cloned()
}

fn tag_value<'a>(form: &[&'a Value], name: &str) -> Option<&'a str> {
    form.iter().find_map(|part| {
        let property = part.get("properties")?.get(name)?;
        let listed = property.get("enum").and_then(Value::as_array).filter(|values| values.len() == 1);
        property.get("const").or_else(|| listed.and_then(|values| values.first()))?.as_str()
    })
}

fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ => "",
    }
}

fn describe(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

fn longer(one: String, other: String) -> String {
    if one.is_empty() { other } else { one }
}
