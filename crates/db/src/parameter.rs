//! Bound values, and how one statement is sent.

use bytes::BytesMut;
use tokio_postgres::{
    Client, Row, Statement,
    types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked},
};

/// The values bound to `$1`, `$2`, … of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a statement gave.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub rows: Vec<Row>,
    pub affected: u64,
}

/// A parameter whose type may be a domain. The driver's `ToSql` knows base types only, and closed sets are
/// domains over text here: they travel as their base type, and PostgreSQL checks the domain's rule.
#[derive(Debug)]
struct Parameter<'a>(&'a (dyn ToSql + Sync));

fn base(mut ty: &Type) -> &Type {
    while let Kind::Domain(inner) = ty.kind() {
        ty = inner;
    }
    ty
}

type Encoded = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        self.0.to_sql_checked(base(ty), out)
    }

    fn accepts(_: &Type) -> bool {
        // Whether the value fits is only known to the value itself: `to_sql` above asks it.
        true
    }

    fn encode_format(&self, ty: &Type) -> Format {
        self.0.encode_format(base(ty))
    }

    to_sql_checked!();
}

/// Sends a prepared statement on first poll and gathers its whole answer.
pub(crate) async fn execute(
    client: &Client,
    statement: &Statement,
    params: Params<'_>,
) -> Result<Reply, tokio_postgres::Error> {
    use futures::TryStreamExt as _;

    let params: Vec<Parameter<'_>> = params.iter().map(|value| Parameter(*value)).collect();
    let stream = client.query_raw(statement, params.iter().map(|value| value as &(dyn ToSql + Sync))).await?;
    let mut stream = std::pin::pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok(Reply { rows, affected: stream.rows_affected().unwrap_or_default() })
}
