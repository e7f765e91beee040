//! The catalog: a folder of monthly Parquet files and the manifest that says which of them count.
//!
//! ```text
//! venue=binance/instrument=BTC-USDT/kind=bars-1h/2017-08.parquet
//! venue=binance/instrument=BTC-USDT_USDT/kind=trades/2024-08.parquet
//! _manifest.json      what is stored: files, row hashes, sources; its rename commits a change
//! instruments.json    optional: rules and fees, see `rules`
//! ```

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bellwether_sdk::num::pow10;
use bellwether_sdk::{Instrument, InstrumentId, Price, Rate, Symbol, Ts};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::DataError;
use super::manifest::{FileEntry, MANIFEST, Manifest, SeriesEntry, SourceEntry};
use super::reader::SeriesReader;
use super::resample::DERIVED;
use super::rules::Rules;
use super::source::StoreSource;
use super::table::{RowHasher, Table, hex};
use super::time::Stamp;
use crate::market::{Kind, Source};

/// Digits of a lot where no quantity was ever seen.
const QTY_SCALE_UNSEEN: u8 = 8;

/// A folder of market data.
///
/// Optional rules and fees stand in its `instruments.json`: per instrument a list of entries, of which the one that
/// became valid last counts. `tick` and `lot` are required, numbers are text:
///
/// ```json
/// { "binance:BTC/USDT": [
///     { "valid_from": "2024-01-01", "tick": "0.01", "lot": "0.00001", "qty_min": "0.00001",
///       "notional_min": "5", "qty_max": "9000", "qty_max_market": "120", "notional_max": "9000000",
///       "multiplier": 1, "maker_bps": "10", "taker_bps": "10" } ] }
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    rules: Rules,
}

/// What is known of a series without reading its rows.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SeriesInfo {
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// The kind of data.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// Rows (of depth: levels).
    pub rows: u64,
    /// Engine time of the first row.
    #[serde(serialize_with = "as_stamp")]
    #[schemars(with = "Stamp")]
    pub first: Ts,
    /// Just after the last row (bars: the end of its interval).
    #[serde(serialize_with = "as_stamp")]
    #[schemars(with = "Stamp")]
    pub end: Ts,
    /// Digits of the finest price.
    pub price_scale: u8,
    /// Digits of the finest quantity.
    pub qty_scale: u8,
    /// Size on disk.
    pub bytes: u64,
    /// Count of monthly files.
    pub files: usize,
    /// What it was imported from.
    pub sources: Vec<SourceInfo>,
    /// SHA-256 over the canonical row hashes of its months.
    pub row_hash: String,
}

/// What a catalog holds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ListReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// Its folder.
    pub dir: String,
    /// All series, sorted by symbol and kind.
    pub series: Vec<SeriesInfo>,
}

/// A file that a series was imported from.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SourceInfo {
    /// Its name.
    pub name: String,
    /// SHA-256 of its content, decompressed.
    pub sha256: String,
    /// How it was read.
    pub format: String,
    /// Rows it has for this series.
    pub rows: u64,
}

fn as_stamp<S: serde::Serializer>(ts: &Ts, serializer: S) -> Result<S::Ok, S::Error> {
    Stamp::from(*ts).serialize(serializer)
}

impl Catalog {
    /// Opens a folder that is a catalog.
    ///
    /// # Errors
    /// [`DataError::NoCatalog`] when it has no manifest; [`DataError::Damaged`] when that cannot be read.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let missing = |found: &str| DataError::NoCatalog { path: dir.to_owned(), found: found.to_owned() };
        if !dir.is_dir() {
            return Err(missing(if dir.exists() { "it is no folder" } else { "it does not exist" }));
        }
        let manifest = Manifest::load(dir)?.ok_or_else(|| missing(&format!("it has no {MANIFEST}")))?;
        Ok(Self { dir: dir.to_owned(), manifest, rules: Rules::load(dir)? })
    }

    /// Opens a catalog, an empty one where the folder is missing or has no manifest yet. Writes nothing.
    ///
    /// # Errors
    /// As [`Catalog::open`] for a manifest that cannot be read.
    pub fn open_or_create(dir: &Path) -> Result<Self, DataError> {
        if dir.exists() && !dir.is_dir() {
            return Err(DataError::NoCatalog { path: dir.to_owned(), found: "it is no folder".to_owned() });
        }
        let manifest = Manifest::load(dir)?.unwrap_or_default();
        Ok(Self { dir: dir.to_owned(), manifest, rules: Rules::load(dir)? })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All series, sorted by symbol and kind.
    pub fn series(&self) -> Vec<SeriesInfo> {
        let mut all: Vec<SeriesInfo> = self.manifest.series.iter().map(info).collect();
        all.sort_by(|a, b| (&a.symbol, a.kind).cmp(&(&b.symbol, b.kind)));
        all
    }

    /// All series as the document that `data list` prints.
    pub fn list(&self) -> ListReport {
        ListReport { schema_version: 1, dir: self.dir.display().to_string(), series: self.series() }
    }

    /// One series, `None` when the catalog does not have it.
    pub fn find(&self, symbol: &Symbol, kind: Kind) -> Option<SeriesInfo> {
        self.manifest.find(symbol, kind).map(info)
    }

    /// Of bars that were made only of other stored data: the series they were made of, if that has changed since or is
    /// outdated itself. Such bars may lack what came later.
    pub fn outdated(&self, symbol: &Symbol, kind: Kind) -> Option<Kind> {
        let entry = self.manifest.find(symbol, kind)?;
        if entry.sources.iter().any(|s| s.format != DERIVED) {
            return None;
        }
        let is_finer = |from: Kind| from.interval().is_none_or(|f| kind.interval().is_some_and(|i| f < i));
        entry.sources.iter().find_map(|source| {
            let from = source.name.parse::<Kind>().ok().filter(|from| is_finer(*from))?;
            let now = self.find(symbol, from)?;
            (now.row_hash != source.sha256 || self.outdated(symbol, from).is_some()).then_some(from)
        })
    }

    /// The instrument with the newest of its rules: see [`instrument_at`](Self::instrument_at).
    ///
    /// # Errors
    /// [`DataError::NoInstrument`] when nothing of the instrument is stored and no rules are stated.
    pub fn instrument(&self, symbol: &Symbol, id: InstrumentId) -> Result<Instrument, DataError> {
        self.instrument_at(symbol, id, Ts::MAX)
    }

    /// The instrument with its rules at a time: those of `instruments.json`, else inferred from the digits of its data.
    ///
    /// # Errors
    /// [`DataError::NoInstrument`] when nothing of the instrument is stored and no rules are stated.
    pub fn instrument_at(&self, symbol: &Symbol, id: InstrumentId, at: Ts) -> Result<Instrument, DataError> {
        let of_symbol = || self.manifest.series.iter().filter(|s| s.symbol == *symbol);
        let price_scale = of_symbol().flat_map(|s| &s.files).map(|f| f.price_scale).max();
        let seen = of_symbol().flat_map(|s| &s.files).filter(|f| f.qty_seen).map(|f| f.qty_scale).max();
        // Of bars without volume and quotes without sizes nobody knows the lot: one that is too coarse lets nothing pass.
        let qty_scale = seen.unwrap_or(if price_scale.is_some() { QTY_SCALE_UNSEEN } else { 0 });
        if price_scale.is_none() && !self.rules.has(symbol) {
            return Err(self.no_instrument(symbol));
        }
        let price_scale = price_scale.unwrap_or(0);
        let mut instrument = Instrument::inferred(id, symbol.clone(), price_scale, qty_scale);
        // Mark prices are averages with more digits than anybody can trade at: they widen the scale, not the tick.
        let traded =
            of_symbol().filter(|s| s.kind != Kind::Funding).flat_map(|s| &s.files).map(|f| f.price_scale).max();
        if let Some(traded) = traded {
            instrument.tick = Price::from_mantissa(pow10(price_scale - traded));
        }
        self.rules.apply(instrument, at, &self.dir)
    }

    /// Maker and taker fee rates of `instruments.json` at a time; `None` where it states none.
    pub fn fees(&self, symbol: &Symbol, at: Ts) -> Option<(Rate, Rate)> {
        self.rules.fees(symbol, at)
    }

    /// When within a range other rules of `instruments.json` begin than those of its start.
    pub fn rule_changes(&self, symbol: &Symbol, range: Range<Ts>) -> Vec<Ts> {
        self.rules.changes(symbol, range)
    }

    /// A stream of the events with a time in `range` (bars: an open time), mantissas at the instrument's scales.
    /// Its memory does not grow with its length.
    ///
    /// # Errors
    /// [`DataError::NoSeries`] or [`DataError::NoData`], which say what there is.
    pub fn source(&self, instrument: &Instrument, kind: Kind, range: Range<Ts>) -> Result<Box<dyn Source>, DataError> {
        let (from, to) = (range.start.nanos(), range.end.nanos());
        // Bars look one bar further, for the time the last one ends.
        let read_to = to.saturating_add(kind.interval().map_or(0, |i| i.nanos()));
        // The error of an empty range names the range that was asked for.
        self.files_within(&instrument.symbol, kind, from, to)?;
        let files = self.files_within(&instrument.symbol, kind, from, read_to)?;
        let files = files.into_iter().map(|f| (self.dir.join(&f.path), f.price_scale, f.qty_scale)).collect();
        let source = StoreSource::new(instrument, kind, from, to, files).primed();
        match source.map_err(|e| DataError::damaged(&self.dir, e))? {
            Some(source) => Ok(Box::new(source)),
            None => Err(self.no_data(self.entry(&instrument.symbol, kind)?, from, to)),
        }
    }

    /// A hash of what a stream of this range yields: of the months it touches and the range clipped to the data.
    /// Reads the manifest only.
    ///
    /// # Errors
    /// As [`Catalog::source`].
    pub fn data_hash(&self, symbol: &Symbol, kind: Kind, range: Range<Ts>) -> Result<String, DataError> {
        let (from, to) = (range.start.nanos(), range.end.nanos());
        let files = self.files_within(symbol, kind, from, to)?;
        let entry = self.entry(symbol, kind)?;
        let first = entry.files.iter().map(|f| f.first_ts).min().unwrap_or(0);
        let last = entry.files.iter().map(|f| f.last_ts).max().unwrap_or(0);
        let mut hasher = Sha256::new();
        hasher.update(format!(
            "bellwether data 1 {symbol} {kind} {} {}\n",
            from.max(first),
            to.min(last.saturating_add(1))
        ));
        for file in files {
            hasher.update(format!("{} {}\n", file.month, file.row_hash));
        }
        Ok(hex(&hasher.finalize()))
    }

    /// Reads every row of a series and compares the canonical hashes with the manifest's.
    ///
    /// # Errors
    /// [`DataError::HashMismatch`] names the first file that differs.
    pub fn verify(&self, symbol: &Symbol, kind: Kind) -> Result<(), DataError> {
        self.entry(symbol, kind)?.files.iter().try_for_each(|file| self.verify_file(kind, file, &mut |_| Ok(())))
    }

    /// Verifies one file, handing its rows on as they are read.
    pub(crate) fn verify_file(
        &self,
        kind: Kind,
        file: &FileEntry,
        each: &mut dyn FnMut(&Table) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut hasher = RowHasher::new(kind, (file.price_scale, file.qty_scale));
        let mut rows = SeriesReader::new(&self.dir, kind, &[file], i64::MIN, i64::MAX);
        while let Some(chunk) = rows.next()? {
            hasher.feed(&chunk);
            each(&chunk)?;
        }
        let found = hasher.finish();
        if found == file.row_hash {
            return Ok(());
        }
        Err(DataError::HashMismatch {
            path: self.dir.join(&file.path),
            found: format!("its rows hash to {found}, the manifest says {}", file.row_hash),
        })
    }

    /// Rows of a series within a range as tables, at the finest scales of the files they are in.
    pub(crate) fn rows(&self, symbol: &Symbol, kind: Kind, from: i64, to: i64) -> Result<SeriesReader, DataError> {
        Ok(SeriesReader::new(&self.dir, kind, &self.files_within(symbol, kind, from, to)?, from, to))
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn entry(&self, symbol: &Symbol, kind: Kind) -> Result<&SeriesEntry, DataError> {
        self.manifest.find(symbol, kind).ok_or_else(|| self.no_series(symbol, kind))
    }

    pub(crate) fn no_series(&self, symbol: &Symbol, kind: Kind) -> DataError {
        DataError::NoSeries { path: self.dir.clone(), symbol: symbol.clone(), kind, there: self.there(symbol) }
    }

    pub(crate) fn no_instrument(&self, symbol: &Symbol) -> DataError {
        DataError::NoInstrument { path: self.dir.clone(), symbol: symbol.clone(), there: self.there(symbol) }
    }

    /// What could be meant instead: other kinds of the instrument, else other instruments.
    fn there(&self, symbol: &Symbol) -> String {
        let of_symbol: Vec<String> =
            self.series().iter().filter(|s| s.symbol == *symbol).map(|s| s.kind.to_string()).collect();
        if !of_symbol.is_empty() {
            return format!("{} of it", of_symbol.join(", "));
        }
        if self.manifest.series.is_empty() {
            return "nothing; import data into it first".to_owned();
        }
        let symbols: BTreeSet<String> = self.manifest.series.iter().map(|s| s.symbol.to_string()).collect();
        symbols.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn no_data(&self, entry: &SeriesEntry, from: i64, to: i64) -> DataError {
        let all = info(entry);
        let (first, end) = (all.first.nanos(), all.end.nanos());
        DataError::NoData { symbol: all.symbol, kind: all.kind, from, to, first, end }
    }

    /// The files that touch a range, or the error that says what range there is.
    pub(crate) fn files_within(
        &self,
        symbol: &Symbol,
        kind: Kind,
        from: i64,
        to: i64,
    ) -> Result<Vec<&FileEntry>, DataError> {
        let entry = self.entry(symbol, kind)?;
        let mut files: Vec<&FileEntry> = entry.files.iter().filter(|f| f.last_ts >= from && f.first_ts < to).collect();
        files.sort_by_key(|f| f.first_ts);
        if files.is_empty() || from >= to {
            return Err(self.no_data(entry, from, to));
        }
        Ok(files)
    }

    /// All rows of a month.
    pub(crate) fn read_month(&self, kind: Kind, file: &FileEntry) -> Result<Table, DataError> {
        let path = self.dir.join(&file.path);
        let mut table = Table::new(kind, file.price_scale, file.qty_scale);
        let mut rows = SeriesReader::new(&self.dir, kind, &[file], i64::MIN, i64::MAX);
        while let Some(chunk) = rows.next()? {
            table.append_rows(&chunk).map_err(|_| DataError::damaged(&path, "a number is wider than 18 digits"))?;
        }
        Ok(table)
    }
}

fn info(entry: &SeriesEntry) -> SeriesInfo {
    let files = &entry.files;
    let first = files.iter().map(|f| f.first_ts).min().unwrap_or(0);
    let last = files.iter().map(|f| f.last_ts).max().unwrap_or(0);
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(format!("{} {}\n", file.month, file.row_hash));
    }
    let source = |s: &SourceEntry| SourceInfo {
        name: s.name.clone(),
        sha256: s.sha256.clone(),
        format: s.format.clone(),
        rows: s.rows,
    };
    SeriesInfo {
        symbol: entry.symbol.clone(),
        kind: entry.kind,
        rows: files.iter().map(|f| f.rows).sum(),
        first: Ts::from_nanos(first),
        end: Ts::from_nanos(last).plus(entry.kind.interval().map_or(1, |i| i.nanos())),
        price_scale: files.iter().map(|f| f.price_scale).max().unwrap_or(0),
        qty_scale: files.iter().map(|f| f.qty_scale).max().unwrap_or(0),
        bytes: files.iter().map(|f| f.bytes).sum(),
        files: files.len(),
        sources: entry.sources.iter().map(source).collect(),
        row_hash: hex(&hasher.finalize()),
    }
}
