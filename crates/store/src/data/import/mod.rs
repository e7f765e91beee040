//! Import: foreign files become rows of the catalog, all of them or none.
//!
//! What cannot be understood is refused with file, line and column. What is odd (gaps, disorder, …) is stored,
//! counted and named. Every file is read whole before anything is written: an import needs memory for its rows, about
//! 60 bytes each, and for the stored months that they touch.

mod columnar;
mod feather;
mod input;
mod merge;
mod parquet;
mod plan;
mod presets;
mod report;
mod rows;
mod seams;
mod stage;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bellwether_sdk::{Interval, Symbol};
use schemars::JsonSchema;
use serde::Serialize;

use self::input::Watch;
use self::merge::Context;
pub use self::report::{FileReport, ImportReport, Seams};
use self::rows::Rows;
use self::stage::{Staged, change, stage};
pub(super) use self::stage::{store_derived, store_rows};
use super::catalog::Catalog;
use super::commit::SeriesChange;
use super::error::DataError;
use super::findings::{Finding, Oddity};
use super::manifest::SourceEntry;
use super::origin;
use super::scan::Scan;
use super::schema::{TS, trade};
use super::table::Table;
use super::time::TimeUnit;
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
    /// Whether the rows are bars, of whatever interval: stands where `kind` is `None`.
    pub bars: bool,
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
            bars: false,
            interval: None,
            columns: None,
            time_unit: None,
            latency_ns: 0,
            strict: false,
        }
    }

    /// What the rows are told to be; of bars of whatever interval, a minute stands for it.
    fn told(&self) -> Option<Kind> {
        self.kind.or(self.bars.then_some(Kind::Bars(self.interval.unwrap_or(Interval::MINUTE))))
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

/// A file read and judged, not yet merged.
struct Parsed {
    table: Table,
    source: SourceEntry,
    report: FileReport,
}

/// Reads and judges a file as [`import`] does, and keeps nothing: what the file is, before anything is done with it.
///
/// # Errors
/// [`DataError`].
pub fn read_only(path: &Path, spec: &ImportSpec) -> Result<FileReport, DataError> {
    let mut watch = Watch { progress: &mut |_| {}, stop: &AtomicBool::new(false), done: 0, total: 0 };
    Ok(parse(path, spec, &mut watch)?.report)
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
    for (path, number) in files.iter().zip(1..) {
        let parsed = parse(path, spec, &mut watch)?;
        reports.push(stage(catalog, spec, (path, number), parsed, &mut staged)?);
    }
    let seams = seams::look(catalog, spec, files, &staged)?;
    let changes: Vec<SeriesChange> = staged.into_iter().filter_map(|(kind, s)| change(spec, kind, s)).collect();
    let unchanged = changes.is_empty();
    if !unchanged {
        catalog.commit(changes, &lock, Some(stop))?;
    }
    let rows_added = reports.iter().map(|r| r.rows_added).sum();
    Ok(ImportReport {
        schema_version: 1,
        symbol: spec.instrument.clone(),
        files: reports,
        seams,
        rows_added,
        unchanged,
    })
}

fn parse(path: &Path, spec: &ImportSpec, watch: &mut Watch<'_>) -> Result<Parsed, DataError> {
    let (rows, sha256) = input::read(path, watch, |input| match spec.format {
        Format::Parquet => parquet::read(path, spec, input),
        Format::Freqtrade => {
            let start = input.fill_buf().map_err(|e| input::unreadable(path, &e))?;
            match start {
                [b'A', b'R', b'R', b'O', b'W', b'1', ..] => feather::read(path, spec, input),
                _ => text::read_json(path, spec, input),
            }
        }
        Format::Csv | Format::Binance | Format::Tardis => text::read_csv(path, spec, input),
    })?;
    judge(path, spec, rows, sha256)
}

/// Sorts the rows of a file, settles the interval of bars and counts what is odd.
fn judge(path: &Path, spec: &ImportSpec, rows: Rows<'_>, sha256: String) -> Result<Parsed, DataError> {
    let Rows { plan, mut table, rows_read, skipped, other_symbols, length, .. } = rows;
    if table.is_empty() {
        if other_symbols.is_empty() && skipped > 0 {
            let found = format!("all {skipped} rows are marked as no market trades in the column {:?}", "kind");
            return Err(DataError::file(path, found, "name the columns to take with --columns"));
        }
        if other_symbols.is_empty() {
            return Err(DataError::file(path, "the file has no rows", "fetch it again"));
        }
        let found = other_symbols.into_iter().collect();
        return Err(DataError::NoSuchSymbol { path: path.to_owned(), symbol: spec.instrument.clone(), found });
    }
    let disorder = disorder(&table);
    let again = stretches_again(&table);
    let newest_first = is_newest_first(&table);
    if newest_first {
        // Sorting alone would leave the rows of one time in the wrong order.
        table.reverse();
    }
    table.sort();
    let kind = settle_kind(path, spec, &plan, length, &mut table)?;
    let span = table.span().unwrap_or((0, 0));
    let context = Context { symbol: &spec.instrument, kind, path, coverage: &[], span };
    let repeats = merge::collapse(&mut table, &context)?;
    let mut scan = Scan::new(kind);
    if let Some((count, ts, line)) = disorder {
        let told = if newest_first { "newest first; turned round" } else { "stored in order of time" };
        scan.note(Oddity::Disorder, count, ts, line, || told.to_owned());
    }
    if let Some((count, ts, line)) = repeats {
        scan.note(Oddity::Duplicates, count, ts, line, || "stored once".to_owned());
    }
    if let Some((count, ts, line)) = again {
        scan.note(Oddity::Duplicates, count, ts, line, || "a stretch stands there again; stored as it came".to_owned());
    }
    scan.feed(&table);
    let name = name_of(path);
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
        columns_unused: plan.unused,
        no_volume: matches!(kind, Kind::Bars(_)) && !table.has_qty(),
        findings,
    };
    Ok(Parsed { table, source, report })
}

/// A file's name, without folders.
fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
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
    Some((1 + back.count() as u64, ts[first], origin::line(table, first)))
}

/// Trades without ids may be equal, one after the other. Where times step back and what follows repeats an earlier
/// stretch row by row, to the end of either, the file has it twice: how many rows, and time and line of the first.
fn stretches_again(table: &Table) -> Option<(u64, i64, i64)> {
    /// A file with more steps back than this is in no order, and no stretch of it a copy.
    const STEPS_MAX: usize = 1000;
    let ids = [trade::ID, trade::ID_TEXT].iter().any(|c| !table.col(*c).is_empty());
    if table.kind() != Kind::Trades || ids {
        return None;
    }
    let ts = table.col(TS);
    let mut starts: Vec<usize> = (1..ts.len()).filter(|i| ts[*i] < ts[*i - 1]).take(STEPS_MAX + 1).collect();
    if starts.len() > STEPS_MAX {
        return None;
    }
    starts.insert(0, 0);
    starts.push(ts.len());
    let mut found: Option<(u64, i64, i64)> = None;
    for (k, later) in starts.windows(2).enumerate() {
        let repeated = starts[..=k].windows(2).find_map(|earlier| {
            let from = earlier[0] + ts[earlier[0]..earlier[1]].partition_point(|t| *t < ts[later[0]]);
            let both = (earlier[1] - from).min(later[1] - later[0]);
            let equal = |i: usize| table.difference(later[0] + i, table, from + i).is_none();
            (both > 1 && (0..both).all(equal)).then_some(both as u64)
        });
        if let Some(count) = repeated {
            let first = (ts[later[0]], origin::line(table, later[0]));
            found = Some(found.map_or((count, first.0, first.1), |f| (f.0 + count, f.1, f.2)));
        }
    }
    found
}

/// Whether times only fall. (Messages of depth have an order of their own, by their ids.)
fn is_newest_first(table: &Table) -> bool {
    let ts = table.col(TS);
    table.kind() != Kind::Depth && ts.first() > ts.last() && ts.windows(2).all(|w| w[0] >= w[1])
}

/// The kind with its interval; bars of bid and offer become quotes at their closes.
fn settle_kind(
    path: &Path,
    spec: &ImportSpec,
    plan: &plan::Plan,
    length: Option<Interval>,
    table: &mut Table,
) -> Result<Kind, DataError> {
    let from_bars = plan.quotes_from_bars();
    contradiction(path, spec, plan)?;
    if !matches!(plan.kind, Kind::Bars(_)) && !from_bars {
        return Ok(plan.kind);
    }
    let told = spec.interval.or(spec.kind.and_then(Kind::interval));
    let step = frequent_step(table.col(TS));
    let interval = told.or(step).or(length).ok_or_else(|| {
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

/// Refuses rows that are not what was told, where their columns alone decided what they are.
fn contradiction(path: &Path, spec: &ImportSpec, plan: &plan::Plan) -> Result<(), DataError> {
    let of = |kind: Kind| if kind.interval().is_some() { "bars".to_owned() } else { kind.to_string() };
    let wrong = |what: String, remedy| {
        let found = of(plan.kind);
        Err(DataError::spec(format!("importing {}: its columns are those of {found}, {what}", path.display()), remedy))
    };
    match spec.told().map(of) {
        Some(told) if told != of(plan.kind) => wrong(format!("not of {told}"), "correct --kind, or leave it away"),
        // Bars of bids and offers have an interval, and become quotes.
        None if spec.interval.is_some() && plan.kind.interval().is_none() && !plan.quotes_from_bars() => {
            wrong("and --interval is for bars".to_owned(), "leave it away, or add --kind bars")
        }
        _ => Ok(()),
    }
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
