//! Import: foreign files become rows of the catalog, all of them or none.
//!
//! What cannot be understood is refused with file, line and column. What is odd (gaps, disorder, …) is stored,
//! counted and named. Every file is read whole before anything is written.

mod arrow;
mod input;
mod merge;
mod plan;
mod presets;
mod rows;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_sdk::{Interval, Symbol};
use schemars::JsonSchema;
use serde::Serialize;

use self::input::Watch;
use self::merge::Context;
use self::rows::Rows;
use super::catalog::{Catalog, SeriesChange};
use super::error::DataError;
use super::findings::{Finding, Oddity, Scan};
use super::manifest::SourceEntry;
use super::schema::{TS, WIDTH};
use super::table::Table;
use super::time::{Month, Stamp, TimeUnit};
use crate::market::Kind;

/// A family of file formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// CSV whose header names its columns, or with [`ImportSpec::columns`].
    Csv,
    /// Binance's public archive: klines, trades, aggTrades, bookTicker, fundingRate.
    Binance,
    /// freqtrade's candles, feather or JSON.
    Freqtrade,
    /// Tardis' incremental_book_L2 and trades.
    Tardis,
    /// Parquet with the column names of generic CSV.
    Parquet,
}

impl Format {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Self); 5] = [
        ("csv", Self::Csv),
        ("binance", Self::Binance),
        ("freqtrade", Self::Freqtrade),
        ("tardis", Self::Tardis),
        ("parquet", Self::Parquet),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, f)| *f == self).map_or("", |(name, _)| name)
    }
}

impl std::str::FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == s).map(|(_, f)| f);
        found.ok_or_else(|| format!("{s:?} is not a format; there are csv, binance, freqtrade, tardis, parquet"))
    }
}

/// How to read files.
#[derive(Debug, Clone)]
pub struct ImportSpec {
    /// The family of formats.
    pub format: Format,
    /// The instrument whose data it is.
    pub instrument: Symbol,
    /// What the rows are; `None`: as the columns tell.
    pub kind: Option<Kind>,
    /// The interval of bars; `None`: the most frequent step.
    pub interval: Option<Interval>,
    /// Which column means what, as in `ts=date,close=AAPL`; `None`: as the header tells.
    pub columns: Option<String>,
    /// The unit of integer times; `None`: as the column's name tells, else as its first value does.
    pub time_unit: Option<TimeUnit>,
    /// Nanoseconds added to the venue's time of trades, quotes and depth that have no time of reception.
    pub latency_ns: i64,
    /// Whether oddities are refused instead of stored.
    pub strict: bool,
}

impl ImportSpec {
    /// Files of a format and an instrument, everything else as the files tell.
    pub fn new(format: Format, instrument: Symbol) -> Self {
        Self {
            format,
            instrument,
            kind: None,
            interval: None,
            columns: None,
            time_unit: None,
            latency_ns: 0,
            strict: false,
        }
    }

    /// The settings that change what is read from a file.
    fn options(&self) -> String {
        let mut options = Vec::new();
        if let Some(columns) = &self.columns {
            options.push(format!("columns={columns}"));
        }
        if let Some(unit) = self.time_unit {
            options.push(format!("time_unit={}", unit.name()));
        }
        if self.latency_ns != 0 {
            options.push(format!("latency_ns={}", self.latency_ns));
        }
        options.join(" ")
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, as they lie on disk.
    pub bytes: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// What an import did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ImportReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// One entry per file, in the order given.
    pub files: Vec<FileReport>,
    /// Rows added to the catalog.
    pub rows_added: u64,
    /// Whether the catalog is as it was before.
    pub unchanged: bool,
}

/// What an import found in one file and did with it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FileReport {
    /// The file's name.
    pub name: String,
    /// What its rows are.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// SHA-256 of its content, decompressed.
    pub sha256: String,
    /// Data rows in it.
    pub rows_read: u64,
    /// Rows of other instruments, or that are no market trades: left out.
    pub rows_skipped: u64,
    /// Exact repeats within the file of rows that have a key: stored once.
    pub rows_repeated: u64,
    /// Rows added to the catalog.
    pub rows_added: u64,
    /// Rows that the catalog already had.
    pub rows_known: u64,
    /// Whether this very content had been imported before.
    pub known: bool,
    /// Time of its first row.
    pub first: Stamp,
    /// Time of its last row.
    pub last: Stamp,
    /// What is odd in it.
    pub findings: Vec<Finding>,
}

/// A file read and judged, not yet merged.
struct Parsed {
    table: Table,
    source: SourceEntry,
    report: FileReport,
}

/// New content of one series, before it is committed.
struct Staged {
    months: BTreeMap<Month, (Table, BTreeSet<usize>, bool)>,
    sources: Vec<SourceEntry>,
}

/// Imports files of one instrument into a catalog, all or nothing.
///
/// # Errors
/// [`DataError`]; whatever it is, the catalog is as it was.
pub fn import(
    catalog: &mut Catalog,
    spec: &ImportSpec,
    files: &[PathBuf],
    progress: &mut dyn FnMut(Progress),
    stop: &AtomicBool,
) -> Result<ImportReport, DataError> {
    if files.is_empty() {
        return Err(DataError::spec("importing: no file is named", "name at least one"));
    }
    let lock = catalog.lock()?;
    let total = files.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    let mut watch = Watch { progress, stop, done: 0, total };
    let mut staged: BTreeMap<Kind, Staged> = BTreeMap::new();
    let mut reports = Vec::new();
    for path in files {
        let parsed = parse(path, spec, &mut watch)?;
        reports.push(stage(catalog, spec, path, parsed, &mut staged)?);
    }
    if stop.load(Ordering::Relaxed) {
        return Err(DataError::Interrupted);
    }
    let changes: Vec<SeriesChange> = staged.into_iter().filter_map(|(kind, s)| change(spec, kind, s)).collect();
    let unchanged = changes.is_empty();
    if !unchanged {
        catalog.commit(changes, &lock)?;
    }
    let rows_added = reports.iter().map(|r| r.rows_added).sum();
    Ok(ImportReport { schema_version: 1, symbol: spec.instrument.clone(), files: reports, rows_added, unchanged })
}

/// Stores bars made of other stored data. A series made only so is replaced; one with imported bars must agree.
pub(super) fn store_derived(
    catalog: &mut Catalog,
    lock: &super::lock::WriteLock,
    symbol: &Symbol,
    table: Table,
    source: SourceEntry,
) -> Result<u64, DataError> {
    let kind = table.kind();
    let rows = table.len() as u64;
    let sources = catalog.manifest().find(symbol, kind).map_or_else(Vec::new, |e| e.sources.clone());
    if sources.iter().all(|s| s.format == source.format) {
        if sources.iter().any(|s| s.sha256 == source.sha256) {
            return Ok(0);
        }
        let slice =
            |(month, range): (Month, std::ops::Range<usize>)| (month, (table.slice(range), BTreeSet::from([0])));
        let months = table.months().into_iter().map(slice).collect();
        let change = SeriesChange { symbol: symbol.clone(), kind, months, sources: vec![source], replace: true };
        catalog.commit(vec![change], lock)?;
        return Ok(rows);
    }
    let spec = ImportSpec::new(Format::Parquet, symbol.clone());
    let path = PathBuf::from(&source.name);
    let report = FileReport {
        name: source.name.clone(),
        kind,
        sha256: source.sha256.clone(),
        rows_read: rows,
        rows_skipped: 0,
        rows_repeated: 0,
        rows_added: 0,
        rows_known: 0,
        known: false,
        first: bellwether_sdk::Ts::from_nanos(source.first_ts).into(),
        last: bellwether_sdk::Ts::from_nanos(source.last_ts).into(),
        findings: Vec::new(),
    };
    let mut staged = BTreeMap::new();
    let report = stage(catalog, &spec, &path, Parsed { table, source, report }, &mut staged)?;
    let changes: Vec<SeriesChange> = staged.into_iter().filter_map(|(kind, s)| change(&spec, kind, s)).collect();
    if !changes.is_empty() {
        catalog.commit(changes, lock)?;
    }
    Ok(report.rows_added)
}

fn change(spec: &ImportSpec, kind: Kind, staged: Staged) -> Option<SeriesChange> {
    let months: BTreeMap<Month, (Table, BTreeSet<usize>)> = staged
        .months
        .into_iter()
        .filter(|(_, (.., changed))| *changed)
        .map(|(month, (table, sources, _))| (month, (table, sources)))
        .collect();
    (!months.is_empty()).then(|| SeriesChange {
        symbol: spec.instrument.clone(),
        kind,
        months,
        sources: staged.sources,
        replace: false,
    })
}

fn parse(path: &Path, spec: &ImportSpec, watch: &mut Watch<'_>) -> Result<Parsed, DataError> {
    let (rows, sha256) = input::read(path, watch, |input| match spec.format {
        Format::Parquet => arrow::read_parquet(path, spec, input),
        Format::Freqtrade => {
            let start = input.fill_buf().map_err(|e| input::unreadable(path, &e))?;
            match start {
                [b'A', b'R', b'R', b'O', b'W', b'1', ..] => arrow::read_feather(path, spec, input),
                _ => text::read_json(path, spec, input),
            }
        }
        Format::Csv | Format::Binance | Format::Tardis => text::read_csv(path, spec, input),
    })?;
    judge(path, spec, rows, sha256)
}

/// Sorts the rows of a file, settles the interval of bars and counts what is odd.
fn judge(path: &Path, spec: &ImportSpec, rows: Rows<'_>, sha256: String) -> Result<Parsed, DataError> {
    let Rows { plan, mut table, rows_read, skipped, other_symbols, .. } = rows;
    if table.is_empty() {
        if other_symbols.is_empty() {
            return Err(DataError::file(path, "the file has no rows", "fetch it again"));
        }
        let found = other_symbols.into_iter().collect();
        return Err(DataError::NoSuchSymbol { path: path.to_owned(), symbol: spec.instrument.clone(), found });
    }
    let disorder = disorder(&table);
    table.sort();
    let kind = settle_kind(path, spec, &plan, &mut table)?;
    let span = table.span().unwrap_or((0, 0));
    let context = Context { symbol: &spec.instrument, kind, path, coverage: &[], span };
    let repeats = merge::collapse(&mut table, &context)?;
    let mut scan = Scan::new(kind);
    if let Some((count, ts, line)) = disorder {
        scan.note(Oddity::Disorder, count, ts, line, || "stored in order of time".to_owned());
    }
    if let Some((count, ts, line)) = repeats {
        scan.note(Oddity::Duplicates, count, ts, line, || "stored once".to_owned());
    }
    scan.feed(&table);
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let findings = scan.finish(Some(&name));
    if spec.strict {
        refuse_odd(path, &findings)?;
    }
    let format = if plan.id_space.is_empty() { spec.format.name() } else { plan.id_space };
    let source = SourceEntry {
        name: name.clone(),
        sha256: sha256.clone(),
        format: format.to_owned(),
        options: spec.options(),
        rows: table.len() as u64,
        first_ts: span.0,
        last_ts: span.1,
        findings: findings.clone(),
    };
    let report = FileReport {
        name,
        kind,
        sha256,
        rows_read,
        rows_skipped: skipped,
        rows_repeated: repeats.map_or(0, |r| r.0),
        rows_added: 0,
        rows_known: 0,
        known: false,
        first: bellwether_sdk::Ts::from_nanos(span.0).into(),
        last: bellwether_sdk::Ts::from_nanos(span.1).into(),
        findings,
    };
    Ok(Parsed { table, source, report })
}

fn refuse_odd(path: &Path, findings: &[Finding]) -> Result<(), DataError> {
    let odd: Vec<&Finding> = findings.iter().filter(|f| f.kind.refused_when_strict()).collect();
    match odd.split_first() {
        None => Ok(()),
        Some((first, rest)) => {
            Err(DataError::Strict { path: path.to_owned(), first: first.to_string(), more: rest.len() })
        }
    }
}

/// Steps back in time: how many, and time and line of the first.
fn disorder(table: &Table) -> Option<(u64, i64, i64)> {
    let ts = table.col(TS);
    let mut back = (1..ts.len()).filter(|i| ts[*i] < ts[*i - 1]);
    let first = back.next()?;
    Some((1 + back.count() as u64, ts[first], super::findings::origin(table, first)))
}

/// The kind with its interval; bars of bid and offer become quotes at their closes.
fn settle_kind(path: &Path, spec: &ImportSpec, plan: &plan::Plan, table: &mut Table) -> Result<Kind, DataError> {
    let from_bars = plan.quotes_from_bars();
    if !matches!(plan.kind, Kind::Bars(_)) && !from_bars {
        return Ok(plan.kind);
    }
    let told = spec.interval.or(spec.kind.and_then(Kind::interval));
    let step = frequent_step(table.col(TS));
    let interval = told.or(step).ok_or_else(|| {
        DataError::spec(
            format!("importing {}: one bar does not tell its interval", path.display()),
            "pass --interval, as in --interval 1h",
        )
    })?;
    if let Some(step) = step.filter(|s| *s < interval) {
        return Err(DataError::spec(
            format!("importing {}: its bars are mostly {step} apart, not {interval}", path.display()),
            format!("pass --interval {step}, then make {interval} of it with data resample"),
        ));
    }
    if from_bars {
        table.col_mut(TS).iter_mut().for_each(|ts| *ts = ts.saturating_add(interval.nanos()));
        return Ok(Kind::Quotes);
    }
    let kind = Kind::Bars(interval);
    table.set_kind(kind);
    Ok(kind)
}

/// The most frequent step between times, of equally frequent ones the shortest.
fn frequent_step(ts: &[i64]) -> Option<Interval> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for pair in ts.windows(2).filter(|p| p[1] > p[0]) {
        *counts.entry(pair[1] - pair[0]).or_default() += 1;
    }
    let best = counts.iter().rev().max_by_key(|(_, count)| **count)?;
    Interval::from_nanos(*best.0)
}

/// Merges a file into the months it touches, loading them when first needed.
fn stage(
    catalog: &Catalog,
    spec: &ImportSpec,
    path: &Path,
    parsed: Parsed,
    staged: &mut BTreeMap<Kind, Staged>,
) -> Result<FileReport, DataError> {
    let Parsed { table, source, mut report } = parsed;
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
        let mut month_table = merged.table;
        month_table.col_mut(WIDTH - 1).clear();
        series.months.insert(month, (month_table, sources, was_changed || merged.changed));
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
