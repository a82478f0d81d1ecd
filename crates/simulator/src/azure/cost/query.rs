//! POST `query`: costs of the past, by days or months, grouped.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    dimension::{Dimension, Filter, cells},
    money, scope,
    spans::{self, Grain},
    table,
};
use crate::{
    FaceName,
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
    },
    charges::charges,
    estate::Estate,
};

/// What is summed up, by the vendor's name.
fn aggregations(call: &Call<'_>) -> Outcome<Vec<String>> {
    let asked = inside(&call.body, "dataset.aggregation").as_object();
    let names: Vec<String> =
        asked.into_iter().flatten().map(|(_, said)| text(said, "name").to_owned()).collect();
    for name in &names {
        if !["Cost", "CostUSD", "PreTaxCost", "PreTaxCostUSD", "UsageQuantity"].contains(&name.as_str()) {
            return Err(Refused::bad(
                "BadRequest",
                format!("Invalid query definition: Column '{name}' is not supported."),
            ));
        }
    }
    if names.len() > 2 {
        return Err(Refused::bad(
            "BadRequest",
            "Invalid query definition: At most 2 aggregations are allowed.",
        ));
    }
    Ok(if names.is_empty() { vec!["Cost".to_owned()] } else { names })
}

/// POST.
pub fn answer(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let kind = text(&call.body, "type");
    if !["usage", "actualcost", "amortizedcost"].contains(&kind.to_lowercase().as_str()) {
        return Err(Refused::bad(
            "BadRequest",
            format!("Invalid query definition: type '{kind}' is not supported."),
        ));
    }
    let prefix = scope(call, estate)?;
    let sums = aggregations(call)?;
    let grain = Grain::of(call);
    let spans = grain.divide(spans::asked(call)?);
    let grouping = inside(&call.body, "dataset.grouping").as_array().cloned().unwrap_or_default();
    if grouping.len() > 2 {
        return Err(Refused::bad("BadRequest", "Invalid query definition: At most 2 groupings are allowed."));
    }
    let groups: Vec<Dimension> = grouping.iter().map(Dimension::grouping).collect::<Outcome<_>>()?;
    let filter = Filter::read(inside(&call.body, "dataset.filter"))?;
    let mut rows: BTreeMap<(i64, Vec<String>), (f64, f64)> = BTreeMap::new();
    for charge in charges(call.world, estate, FaceName::Azure, &call.account.id, &spans) {
        let inside = prefix.as_ref().is_none_or(|prefix| charge.thing.id.starts_with(prefix));
        if !inside || !filter.takes(call, &charge) {
            continue;
        }
        let values: Vec<String> = groups.iter().flat_map(|group| group.values(call, &charge)).collect();
        let sum = rows.entry((charge.from.timestamp(), values)).or_default();
        sum.0 += charge.usd;
        sum.1 += charge.quantity;
    }
    let mut columns: Vec<(String, &str)> = sums.iter().map(|name| (name.clone(), "Number")).collect();
    columns.extend(grain.column());
    columns.extend(groups.iter().flat_map(Dimension::columns));
    columns.push(("Currency".to_owned(), "String"));
    let rows: Vec<Vec<Value>> = rows
        .into_iter()
        .map(|((from, values), (usd, quantity))| {
            let number = |name: &String| if name == "UsageQuantity" { money(quantity) } else { money(usd) };
            let mut row: Vec<Value> = sums.iter().map(number).collect();
            if grain != Grain::None {
                row.push(grain.value(chrono::DateTime::from_timestamp(from, 0).unwrap_or_default()));
            }
            row.extend(cells(values));
            row.push(json!("USD"));
            row
        })
        .collect();
    table(call, "query", &columns, &rows)
}
