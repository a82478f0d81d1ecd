//! Lists in pages: `limit`, an opaque `cursor`, and the order it continues.
//!
//! A cursor holds the last row's keys and a digest of the query it belongs to (route, filter, order,
//! `as_of`), under a MAC: one from another query, or one that was edited, is refused rather than guessed at.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

use crate::{app::App, fault::Fault};

/// The largest page.
pub const MAX_LIMIT: u32 = 200;
/// The page when nothing is asked.
pub const DEFAULT_LIMIT: u32 = 50;

/// Which page of a list that takes nothing else.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// How many at most: 1 to 200, 50 unless told.
    pub limit: Option<u32>,
    /// Goes on where the page before ended.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The things, in the list's order.
    pub items: Vec<T>,
    /// Give it as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// By hand, because the derived one calls every page `Page`, of whatever it is a page, and forgets the things.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new()
            .items(Ref::from_schema_name(T::name()))
            .description(Some("The things, in the list's order."));
        let cursor = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Give it as `cursor` to go on; absent on the last page."));
        ObjectBuilder::new()
            .description(Some("One page of a list."))
            .property("items", items)
            .required("items")
            .property("next_cursor", cursor)
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// What a list's request asks of paging, checked.
#[derive(Debug)]
pub struct Paging<K> {
    /// How many at most.
    pub limit: u32,
    /// The keys of the last row of the page before.
    pub after: Option<K>,
    binding: String,
}

impl<K: Serialize + DeserializeOwned> Paging<K> {
    /// Checks `limit` and `cursor`. `binding` is all that a cursor belongs to: route, filter, order, `as_of`.
    pub fn new(app: &App, limit: Option<u32>, cursor: Option<&str>, binding: String) -> Result<Self, Fault> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Fault::invalid("?limit", format!("must be from 1 to {MAX_LIMIT}")));
        }
        let after = cursor.map(|cursor| open(app, cursor, &binding)).transpose()?;
        Ok(Self { limit, after, binding })
    }

    /// One more row than the page holds: whether there is a next page is seen from it.
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page, cut to its limit, with the cursor that goes on after its last row.
    pub fn page<T>(self, app: &App, mut items: Vec<T>, key: impl FnOnce(&T) -> K) -> Result<Page<T>, Fault> {
        let limit = self.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = match items.last().filter(|_| more) {
            Some(last) => Some(seal(app, &key(last), &self.binding)?),
            None => None,
        };
        Ok(Page { items, next_cursor })
    }
}

const MAC_BYTES: usize = 16;

fn seal<K: Serialize>(app: &App, key: &K, binding: &str) -> Result<String, Fault> {
    let mut bytes = serde_json::to_vec(key).map_err(|error| Fault::Internal(error.into()))?;
    let tag = tag(app, &bytes, binding)?;
    bytes.extend_from_slice(&tag);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn open<K: DeserializeOwned>(app: &App, cursor: &str, binding: &str) -> Result<K, Fault> {
    let refuse = || Fault::invalid("?cursor", "is not a cursor of this list with this filter and order");
    if cursor.len() > 2_000 {
        return Err(refuse());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refuse())?;
    let split = bytes.len().checked_sub(MAC_BYTES).ok_or_else(refuse)?;
    let (key, given) = bytes.split_at(split);
    if !bool::from(tag(app, key, binding)?.ct_eq(given)) {
        return Err(refuse());
    }
    serde_json::from_slice(key).map_err(|_| refuse())
}

fn tag(app: &App, key: &[u8], binding: &str) -> Result<[u8; MAC_BYTES], Fault> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app.vault.fingerprint_key())
        .map_err(|error| Fault::Internal(anyhow::anyhow!("the cursor key: {error}")))?;
    mac.update(b"cursor\0");
    mac.update(binding.as_bytes());
    mac.update(b"\0");
    mac.update(key);
    let mut tag = [0; MAC_BYTES];
    tag.copy_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
    Ok(tag)
}
