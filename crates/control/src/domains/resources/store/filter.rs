//! The filter language of resource lists: the documented fields, and the columns they are read from.

use marquee_types::{
    ResourceKind, ResourceState,
    filter::{FieldSpec, Form, Schema},
};

use crate::http::filter::Column;

/// What a text field offers: forms that an index serves under row level security.
const INDEXED: &[Form] = &[Form::Equal, Form::NotEqual, Form::Ordered, Form::StartsWith, Form::Present];

const FIELDS: &[FieldSpec] = &[
    FieldSpec::id("id", "res"),
    FieldSpec::id("provider_id", "prv"),
    FieldSpec::word("kind", ResourceKind::WORDS),
    FieldSpec::word("state", ResourceState::WORDS),
    FieldSpec::text("native_id").only(INDEXED),
    FieldSpec::text("name").only(INDEXED),
    FieldSpec::text("region").only(INDEXED),
    FieldSpec::text("zone").only(INDEXED),
    FieldSpec::text("size").only(INDEXED),
    FieldSpec::integer("vcpus"),
    FieldSpec::integer("memory_mib"),
    FieldSpec::time("created_at"),
    FieldSpec::time("valid_from"),
    FieldSpec::tags("tags").only(INDEXED),
];

/// The documented fields.
pub static SCHEMA: Schema = Schema::new(FIELDS);

/// Where the fields are in the inventory as it is; in the order of [`FIELDS`].
pub const CURRENT: &[Column] = &columns(Column::TagRows { id: "r.id" });

/// Where they are in the inventory as it was.
pub const AS_OF: &[Column] = &columns(Column::TagObject("r.tags"));

const fn columns(tags: Column) -> [Column; 14] {
    [
        Column::Plain("r.id"),
        Column::Plain("r.provider_id"),
        Column::Plain("r.kind"),
        Column::Plain("r.state"),
        Column::Plain("r.native_id"),
        Column::Plain("r.name"),
        Column::Plain("r.region"),
        Column::Plain("r.zone"),
        Column::Plain("r.size"),
        Column::Plain("r.vcpus"),
        Column::Plain("r.memory_mib"),
        Column::Twofold(
            "CASE WHEN r.created_at IS NULL THEN '-infinity'::timestamptz ELSE r.created_at END",
            "r.created_at",
        ),
        Column::Plain("r.valid_from"),
        tags,
    ]
}

const _: () = assert!(CURRENT.len() == FIELDS.len());
