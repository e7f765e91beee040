//! Makes bars of finer bars or of trades and stores them.
//!
//! A bar covers `[k × interval, (k + 1) × interval)` since 1970 UTC (weeks from Monday). Its open and close are the
//! first and the last price in it, high and low the extremes, volume and counts the sums. Finer bars belong where
//! they open. Where nothing is, no bar is made; the first and the last bar may be made of less than their interval.
//! An optional column is kept where every finer bar has it.

use bellwether_sdk::{Interval, Symbol, Ts};
use schemars::JsonSchema;
use serde::Serialize;

use super::catalog::Catalog;
use super::error::DataError;
use super::import::store_derived;
use super::manifest::SourceEntry;
use super::schema::{NULL, Row, TS, WIDTH, bar, trade};
use super::table::{MANTISSA_END, Table};
use super::watcher::Watcher;
use crate::market::Kind;

/// The format of sources that are stored series themselves: bars were made of them.
pub(super) const DERIVED: &str = "resample";

/// What a resampling did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ResampleReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// What the bars are made of.
    #[schemars(with = "String")]
    pub from: Kind,
    /// The bars made.
    #[schemars(with = "String")]
    pub to: Kind,
    /// Rows they are made of.
    pub rows_read: u64,
    /// Bars made.
    pub bars: u64,
    /// Bars added to the catalog; zero when they were there already.
    pub bars_added: u64,
}

/// Makes bars of `interval` of a stored series of trades or finer bars, and stores them as `bars-INTERVAL`.
///
/// # Errors
/// [`DataError::Spec`] when bars of that interval cannot be made of the series; [`DataError::Disagreement`] when
/// bars imported from elsewhere differ; [`DataError::Interrupted`] when it is stopped, with nothing written.
pub fn resample(
    catalog: &mut Catalog,
    symbol: &Symbol,
    from: Kind,
    interval: Interval,
    watcher: &mut Watcher<'_>,
) -> Result<ResampleReport, DataError> {
    let possible = match from {
        Kind::Trades => true,
        Kind::Bars(finer) => interval != finer && interval.is_multiple_of(finer),
        _ => false,
    };
    if !possible {
        return Err(DataError::spec(
            format!("resampling {symbol}: bars of {interval} cannot be made of {from}"),
            "take trades, or bars whose interval is a whole part of it",
        ));
    }
    let lock = catalog.lock()?;
    let info = catalog.find(symbol, from);
    watcher.begin(catalog.entry(symbol, from)?.files.iter());
    let mut reader = catalog.rows(symbol, from, i64::MIN, i64::MAX)?;
    let (price_scale, qty_scale) = reader.scales();
    let mut bars = Bars { interval, open: None, out: Table::new(Kind::Bars(interval), price_scale, qty_scale) };
    let mut rows_read = 0;
    while let Some(chunk) = reader.next()? {
        watcher.step(chunk.len())?;
        rows_read += chunk.len() as u64;
        for row in 0..chunk.len() {
            bars.take(finer(&chunk, from, row)).ok_or_else(|| {
                DataError::spec(
                    format!("resampling {symbol} {from}: a volume does not fit 18 digits"),
                    "choose a shorter interval",
                )
            })?;
        }
    }
    bars.close();
    let table = bars.out;
    let (first_ts, last_ts) = table.span().unwrap_or((0, 0));
    let source = SourceEntry {
        name: from.to_string(),
        sha256: info.map_or_else(String::new, |i| i.row_hash),
        format: DERIVED.to_owned(),
        options: String::new(),
        rows: table.len() as u64,
        first_ts,
        last_ts,
        findings: Vec::new(),
    };
    let made = table.len() as u64;
    let bars_added = store_derived(catalog, &lock, symbol, table, source, watcher.stop())?;
    let to = Kind::Bars(interval);
    Ok(ResampleReport { schema_version: 1, symbol: symbol.clone(), from, to, rows_read, bars: made, bars_added })
}

/// A row as a bar: a trade is one with a single price.
fn finer(table: &Table, kind: Kind, row: usize) -> Row {
    let mut out = [NULL; WIDTH];
    if kind == Kind::Trades {
        out[TS] = table.get(TS, row);
        for c in [bar::OPEN, bar::HIGH, bar::LOW, bar::CLOSE] {
            out[c] = table.get(trade::PRICE, row);
        }
        out[bar::VOLUME] = table.get(trade::QTY, row);
    } else {
        (TS..=bar::TAKER_QUOTE).for_each(|c| out[c] = table.get(c, row));
    }
    out
}

/// The bars made so far and the one being made.
struct Bars {
    interval: Interval,
    open: Option<Row>,
    out: Table,
}

impl Bars {
    /// Takes the next finer row; `None` when a sum does not fit.
    fn take(&mut self, mut row: Row) -> Option<()> {
        row[TS] = Ts::from_nanos(row[TS]).floor_to(self.interval).nanos();
        let Some(bar) = self.open.as_mut().filter(|b| b[TS] == row[TS]) else {
            self.close();
            self.open = Some(row);
            return Some(());
        };
        bar[bar::HIGH] = bar[bar::HIGH].max(row[bar::HIGH]);
        bar[bar::LOW] = bar[bar::LOW].min(row[bar::LOW]);
        bar[bar::CLOSE] = row[bar::CLOSE];
        for c in [bar::VOLUME, bar::TRADES, bar::TAKER_BASE] {
            bar[c] = match (bar[c], row[c]) {
                (NULL, _) | (_, NULL) => NULL,
                (a, b) => a.checked_add(b).filter(|sum| *sum < MANTISSA_END)?,
            };
        }
        for c in [bar::QUOTE_VOLUME, bar::TAKER_QUOTE] {
            bar[c] = match (bar[c], row[c]) {
                (NULL, _) | (_, NULL) => NULL,
                (a, b) => (f64::from_bits(a as u64) + f64::from_bits(b as u64)).to_bits() as i64,
            };
        }
        Some(())
    }

    fn close(&mut self) {
        if let Some(row) = self.open.take() {
            self.out.push(&row);
        }
    }
}
