//! Shows rows of a series as text: the first, the last, or those from a time on.

use std::collections::{BTreeMap, VecDeque};

use bellwether_sdk::{Symbol, Ts};
use schemars::JsonSchema;
use serde::Serialize;

use super::catalog::Catalog;
use super::error::DataError;
use super::schema::{TS, Unit, columns};
use super::table::Table;
use super::time::iso;
use crate::market::Kind;

/// Which rows to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first ones.
    Head,
    /// The last ones.
    Tail,
    /// The first ones at or after a time.
    At(Ts),
}

/// Rows of a series.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ShowReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// The kind of data.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// Names of the columns in their order; `utc` is the time as RFC 3339.
    pub columns: Vec<String>,
    /// Rows by column name; absent values are left out.
    pub rows: Vec<BTreeMap<String, String>>,
}

/// Shows at most `count` rows.
///
/// # Errors
/// [`DataError::NoSeries`]; [`DataError::NoData`] when nothing is at or after the time asked for.
pub fn show(
    catalog: &Catalog,
    symbol: &Symbol,
    kind: Kind,
    place: Place,
    count: usize,
) -> Result<ShowReport, DataError> {
    let from = match place {
        Place::Head => i64::MIN,
        Place::At(ts) => ts.nanos(),
        Place::Tail => tail_start(catalog, symbol, kind, count)?,
    };
    let mut reader = catalog.rows(symbol, kind, from, i64::MAX)?;
    let mut rows: VecDeque<BTreeMap<String, String>> = VecDeque::new();
    'chunks: while let Some(chunk) = reader.next()? {
        let start = if place == Place::Tail { chunk.len().saturating_sub(count) } else { 0 };
        for row in start..chunk.len() {
            if rows.len() == count {
                if place != Place::Tail {
                    break 'chunks;
                }
                rows.pop_front();
            }
            rows.push_back(record(&chunk, row));
        }
    }
    let names = std::iter::once("utc").chain(columns(kind).iter().map(|c| c.name)).map(str::to_owned).collect();
    Ok(ShowReport { schema_version: 1, symbol: symbol.clone(), kind, columns: names, rows: rows.into() })
}

/// The start of the earliest month needed for the last `count` rows.
fn tail_start(catalog: &Catalog, symbol: &Symbol, kind: Kind, count: usize) -> Result<i64, DataError> {
    let mut left = count as u64;
    for file in catalog.entry(symbol, kind)?.files.iter().rev() {
        if file.rows >= left {
            return Ok(file.first_ts);
        }
        left -= file.rows;
    }
    Ok(i64::MIN)
}

fn record(table: &Table, row: usize) -> BTreeMap<String, String> {
    let mut out = BTreeMap::from([("utc".to_owned(), iso(table.get(TS, row)))]);
    for (c, column) in table.schema().iter().enumerate() {
        let text = match (column.name, column.unit) {
            ("aggressor", Unit::Int) => side_name(table.get(c, row), ["sell", "unknown", "buy"]),
            ("side", Unit::Int) => side_name(table.get(c, row), ["ask", "", "bid"]),
            _ => table.text(c, row),
        };
        if !text.is_empty() {
            out.insert(column.name.to_owned(), text);
        }
    }
    out
}

fn side_name(side: i64, names: [&str; 3]) -> String {
    names[(side.signum() + 1) as usize].to_owned()
}
