//! Brings parsed files and the stored months together, in memory, before anything is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bellwether_sdk::{Symbol, Ts};

use super::merge::{self, Context};
use super::{FileReport, Format, ImportSpec, Parsed};
use crate::data::catalog::Catalog;
use crate::data::commit::SeriesChange;
use crate::data::error::DataError;
use crate::data::intake;
use crate::data::lock::WriteLock;
use crate::data::manifest::SourceEntry;
use crate::data::origin::mark_file;
use crate::data::schema::WIDTH;
use crate::data::table::Table;
use crate::data::time::Month;
use crate::market::Kind;

/// New content of one series, before it is committed.
pub(super) struct Staged {
    months: BTreeMap<Month, (Table, BTreeSet<usize>, bool)>,
    sources: Vec<SourceEntry>,
}

impl Staged {
    /// Whether anything of the series changes.
    pub(super) fn changed(&self) -> bool {
        self.months.values().any(|(.., changed)| *changed)
    }

    /// The rows of a month that was touched.
    pub(super) fn month(&self, month: Month) -> Option<&Table> {
        self.months.get(&month).map(|(table, ..)| table)
    }

    /// The months that were touched.
    pub(super) fn months(&self) -> impl Iterator<Item = Month> + '_ {
        self.months.keys().copied()
    }
}

/// Merges a file, the `number`-th of an import, into the months it touches, loading them when first needed.
pub(super) fn stage(
    catalog: &Catalog,
    spec: &ImportSpec,
    (path, number): (&Path, usize),
    parsed: Parsed,
    staged: &mut BTreeMap<Kind, Staged>,
) -> Result<FileReport, DataError> {
    let Parsed { mut table, source, mut report } = parsed;
    mark_file(&mut table, number);
    let kind = report.kind;
    let entry = catalog.manifest().find(&spec.instrument, kind);
    let series = staged.entry(kind).or_insert_with(|| Staged {
        months: BTreeMap::new(),
        sources: entry.map_or_else(Vec::new, |e| e.sources.clone()),
    });
    let same = |s: &SourceEntry| s.sha256 == source.sha256 && s.options == source.options && s.format == source.format;
    if series.sources.iter().any(same) {
        report.known = true;
        report.rows_known = table.len() as u64;
        return Ok(report);
    }
    check_id_space(path, &source, &series.sources, kind)?;
    let coverage: Vec<(i64, i64)> = series.sources.iter().map(|s| (s.first_ts, s.last_ts)).collect();
    let span = (source.first_ts, source.last_ts);
    let context = Context { symbol: &spec.instrument, kind, path, coverage: &coverage, span };
    let index = series.sources.len();
    let mut changed_any = false;
    let rows = table.len() as u64;
    let mut whole = Some(table);
    let months = whole.as_ref().map(Table::months).unwrap_or_default();
    let single = months.len() == 1;
    for (month, range) in months {
        let stored_file = entry.and_then(|e| e.files.iter().find(|f| f.month == month.to_string()));
        let (old, mut sources, was_changed) = match (series.months.remove(&month), stored_file) {
            (Some(staged), _) => staged,
            (None, Some(file)) => (catalog.read_month(kind, file)?, file.sources.iter().copied().collect(), false),
            (None, None) => (Table::new(kind, 0, 0), BTreeSet::new(), false),
        };
        // A file within one month is moved, not copied.
        let part = if single { whole.take() } else { whole.as_ref().map(|t| t.slice(range)) };
        let merged = merge::merge(old, part.unwrap_or_else(|| Table::new(kind, 0, 0)), &context)?;
        report.rows_added += merged.added;
        changed_any |= merged.changed;
        if merged.changed {
            sources.insert(index);
        }
        series.months.insert(month, (merged.table, sources, was_changed || merged.changed));
    }
    report.rows_known = rows - report.rows_added;
    if changed_any {
        series.sources.push(source);
    }
    Ok(report)
}

/// Ids of single and of aggregated trades count different things; where both cover a time, neither can be told apart.
fn check_id_space(path: &Path, source: &SourceEntry, sources: &[SourceEntry], kind: Kind) -> Result<(), DataError> {
    let aggregated = |s: &SourceEntry| s.format == "binance-aggTrades";
    let clash = |s: &&SourceEntry| {
        aggregated(s) != aggregated(source) && s.first_ts <= source.last_ts && source.first_ts <= s.last_ts
    };
    match sources.iter().find(clash).filter(|_| kind == Kind::Trades) {
        None => Ok(()),
        Some(other) => Err(DataError::spec(
            format!(
                "importing {}: it mixes single and aggregated trades with {}, which covers the same time",
                path.display(),
                other.name
            ),
            "import it into another catalog",
        )),
    }
}

/// Stores bars made of other stored data. Bars made only of the same series, and within the time that it covers now, are
/// replaced; others stay and must agree.
pub(in crate::data) fn store_derived(
    catalog: &mut Catalog,
    lock: &WriteLock,
    symbol: &Symbol,
    table: Table,
    source: SourceEntry,
    stop: &AtomicBool,
) -> Result<u64, DataError> {
    let kind = table.kind();
    let rows = table.len() as u64;
    let sources = catalog.manifest().find(symbol, kind).map_or_else(Vec::new, |e| e.sources.clone());
    let same = |s: &SourceEntry| s.format == source.format && s.name == source.name;
    if sources.iter().any(|s| same(s) && s.sha256 == source.sha256) {
        return Ok(0);
    }
    if sources.iter().all(|s| same(s) && source.first_ts <= s.first_ts && s.last_ts <= source.last_ts) {
        let slice =
            |(month, range): (Month, std::ops::Range<usize>)| (month, (table.slice(range), BTreeSet::from([0])));
        let months = table.months().into_iter().map(slice).collect();
        let change = SeriesChange { symbol: symbol.clone(), kind, months, sources: vec![source], replace: true };
        catalog.commit(vec![change], lock, Some(stop))?;
        return Ok(rows);
    }
    let spec = ImportSpec::new(Format::Parquet, symbol.clone());
    let path = PathBuf::from(&source.name);
    let report = derived_report(&source, kind, rows);
    let mut staged = BTreeMap::new();
    let report = stage(catalog, &spec, (&path, 1), Parsed { table, source: source.clone(), report }, &mut staged)?;
    let Some(mut series) = staged.remove(&kind) else { return Ok(report.rows_added) };
    // What was made of the same series before is made of it as it is now.
    let earlier = sources.iter().position(same);
    if let Some(index) = earlier {
        let fold = (series.sources.len() > sources.len()).then_some((sources.len(), index));
        series.sources.truncate(sources.len());
        let old = &mut series.sources[index];
        let (first_ts, last_ts) = (old.first_ts.min(source.first_ts), old.last_ts.max(source.last_ts));
        *old = SourceEntry { first_ts, last_ts, ..source };
        intake::refold(&mut series.months, fold);
    }
    let sources = series.sources.clone();
    let change = change(&spec, kind, series).or_else(|| {
        let months = BTreeMap::new();
        earlier.map(|_| SeriesChange { symbol: symbol.clone(), kind, months, sources, replace: false })
    });
    if let Some(change) = change {
        catalog.commit(vec![change], lock, Some(stop))?;
    }
    Ok(report.rows_added)
}

/// Stores rows that came from a venue. A source of the same name grows by them.
pub(in crate::data) fn store_rows(
    catalog: &mut Catalog,
    lock: &WriteLock,
    symbol: &Symbol,
    table: Table,
    source: SourceEntry,
) -> Result<u64, DataError> {
    let kind = table.kind();
    let spec = ImportSpec::new(Format::Parquet, symbol.clone());
    let path = intake::place_of(&source);
    if table.is_empty() {
        return note_empty(catalog, lock, symbol, kind, source);
    }
    let report = derived_report(&source, kind, table.len() as u64);
    let mut staged = BTreeMap::new();
    let report = stage(catalog, &spec, (&path, 1), Parsed { table, source, report }, &mut staged)?;
    let Some(mut series) = staged.remove(&kind) else { return Ok(0) };
    if series.months.values().any(|(.., changed)| *changed) {
        let fold = intake::fold_source(&mut series.sources);
        intake::refold(&mut series.months, fold);
    }
    if let Some(change) = change(&spec, kind, series) {
        catalog.commit(vec![change], lock, None)?;
    }
    Ok(report.rows_added)
}

/// Notes that a source has nothing in a time; a series without any rows is not begun for it.
fn note_empty(
    catalog: &mut Catalog,
    lock: &WriteLock,
    symbol: &Symbol,
    kind: Kind,
    source: SourceEntry,
) -> Result<u64, DataError> {
    let Some(entry) = catalog.manifest().find(symbol, kind) else { return Ok(0) };
    let mut sources = entry.sources.clone();
    sources.push(source);
    // No month names the new part: nothing has to be renumbered.
    let _ = intake::fold_source(&mut sources);
    let change = SeriesChange { symbol: symbol.clone(), kind, months: BTreeMap::new(), sources, replace: false };
    catalog.commit(vec![change], lock, None).map(|()| 0)
}

/// The report of rows that came in no file.
fn derived_report(source: &SourceEntry, kind: Kind, rows: u64) -> FileReport {
    FileReport {
        name: source.name.clone(),
        kind,
        sha256: source.sha256.clone(),
        rows_read: rows,
        rows_skipped: 0,
        rows_repeated: 0,
        rows_added: 0,
        rows_known: 0,
        known: false,
        first: Ts::from_nanos(source.first_ts).into(),
        last: Ts::from_nanos(source.last_ts).into(),
        columns_unused: Vec::new(),
        no_volume: false,
        findings: Vec::new(),
    }
}

pub(super) fn change(spec: &ImportSpec, kind: Kind, staged: Staged) -> Option<SeriesChange> {
    let months: BTreeMap<Month, (Table, BTreeSet<usize>)> = staged
        .months
        .into_iter()
        .filter(|(_, (.., changed))| *changed)
        .map(|(month, (mut table, sources, _))| {
            // Where rows came from is not stored.
            table.col_mut(WIDTH - 1).clear();
            (month, (table, sources))
        })
        .collect();
    (!months.is_empty()).then(|| SeriesChange {
        symbol: spec.instrument.clone(),
        kind,
        months,
        sources: staged.sources,
        replace: false,
    })
}
