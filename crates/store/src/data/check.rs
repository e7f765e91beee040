//! Looks at stored data for what a trader should know before trusting a result on it. Changes nothing.

use bellwether_sdk::Symbol;
use schemars::JsonSchema;
use serde::Serialize;

use super::catalog::Catalog;
use super::error::DataError;
use super::findings::{Finding, Oddity};
use super::manifest::SeriesEntry;
use super::scan::Scan;
use super::time::Stamp;
use super::watcher::Watcher;
use crate::market::Kind;

/// What was looked at and what was found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// One entry per series looked at, sorted by symbol and kind.
    pub series: Vec<SeriesCheck>,
    /// Whether nothing odd was found; flat bars without volume, trades of equal times and a receiver's clock behind the
    /// venue's are told but are no fault.
    pub ok: bool,
}

/// What was found in one series.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeriesCheck {
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// The kind of data.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// Rows (of depth: levels).
    pub rows: u64,
    /// Time of the first row.
    pub first: Stamp,
    /// Just after the last row.
    pub end: Stamp,
    /// What is odd; empty when nothing is.
    pub findings: Vec<Finding>,
}

/// Checks the series of a catalog, all or those of one symbol and kind.
///
/// # Errors
/// [`DataError::NoSeries`] or [`DataError::NoInstrument`] when what is asked for is not there;
/// [`DataError::Interrupted`] when it is stopped; files that cannot be read.
pub fn check(
    catalog: &Catalog,
    symbol: Option<&Symbol>,
    kind: Option<Kind>,
    watcher: &mut Watcher<'_>,
) -> Result<CheckReport, DataError> {
    let wanted = |e: &&SeriesEntry| symbol.is_none_or(|s| e.symbol == *s) && kind.is_none_or(|k| e.kind == k);
    let entries: Vec<&SeriesEntry> = catalog.manifest().series.iter().filter(wanted).collect();
    watcher.begin(entries.iter().flat_map(|e| &e.files));
    let series: Vec<SeriesCheck> =
        entries.into_iter().map(|e| check_series(catalog, e, watcher)).collect::<Result<_, _>>()?;
    if series.is_empty()
        && let Some(symbol) = symbol
    {
        return Err(match kind {
            Some(kind) => catalog.no_series(symbol, kind),
            None => catalog.no_instrument(symbol),
        });
    }
    let ok = series.iter().flat_map(|s| &s.findings).all(|f| !f.kind.refused_when_strict());
    Ok(CheckReport { schema_version: 1, series, ok })
}

fn check_series(catalog: &Catalog, entry: &SeriesEntry, watcher: &mut Watcher<'_>) -> Result<SeriesCheck, DataError> {
    let mut scan = Scan::new(entry.kind);
    for file in &entry.files {
        let verified = catalog.verify_file(entry.kind, file, &mut |rows| {
            scan.feed(rows);
            watcher.step(rows.len())
        });
        match verified {
            Ok(()) => {}
            Err(DataError::HashMismatch { path, found }) => {
                scan.note(Oddity::RowHash, 1, file.first_ts, 0, || format!("{}: {found}", path.display()));
            }
            Err(other) => return Err(other),
        }
    }
    if let Some(from) = catalog.outdated(&entry.symbol, entry.kind) {
        let first = entry.files.first().map_or(0, |f| f.first_ts);
        scan.note(Oddity::Outdated, 1, first, 0, || format!("make them of {from} anew with data resample"));
    }
    let mut findings = from_sources(entry);
    findings.extend(scan.finish(None));
    findings.sort_by_key(|f| f.kind);
    let info = catalog.find(&entry.symbol, entry.kind);
    let (first, end) = info.map_or((bellwether_sdk::Ts::NONE, bellwether_sdk::Ts::NONE), |i| (i.first, i.end));
    Ok(SeriesCheck {
        symbol: entry.symbol.clone(),
        kind: entry.kind,
        rows: entry.files.iter().map(|f| f.rows).sum(),
        first: first.into(),
        end: end.into(),
        findings,
    })
}

/// What only the sources could show: stored rows are sorted, and repeats of rows with a key are stored once.
fn from_sources(entry: &SeriesEntry) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    let of_source =
        |f: &&Finding| f.kind == Oddity::Disorder || (f.kind == Oddity::Duplicates && entry.kind != Kind::Quotes);
    for finding in entry.sources.iter().flat_map(|s| &s.findings).filter(of_source) {
        match out.iter_mut().find(|f| f.kind == finding.kind) {
            Some(known) => known.count += finding.count,
            None => {
                let detail = format!("in the sources; {}", finding.detail);
                out.push(Finding { detail, ..finding.clone() });
            }
        }
    }
    out
}
