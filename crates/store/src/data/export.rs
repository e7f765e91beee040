//! Writes a range of a series to one file: CSV with the names that generic import recognises, or Parquet.
//!
//! What is exported and imported again is the same data, row hash for row hash.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bellwether_sdk::{Symbol, Ts};
use schemars::JsonSchema;
use serde::Serialize;

use super::catalog::Catalog;
use super::error::DataError;
use super::file::RowWriter;
use super::reader::SeriesReader;
use super::schema::{depth, quote};
use super::table::Table;
use super::watcher::Watcher;
use crate::market::Kind;

/// A format to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// CSV with a header.
    Csv,
    /// Parquet with decimals and timestamps.
    Parquet,
}

impl std::str::FromStr for ExportFormat {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            _ => Err(format!("{s:?} is not a format to export to; there are csv, parquet")),
        }
    }
}

/// What an export wrote.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExportReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// The kind of data.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// The file written.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Writes the rows of `range` to a new file.
///
/// # Errors
/// [`DataError::NoSeries`], [`DataError::NoData`]; [`DataError::Spec`] when the file exists; [`DataError::Interrupted`]
/// when it is stopped. No partial file stays.
pub fn export(
    catalog: &Catalog,
    symbol: &Symbol,
    kind: Kind,
    range: Range<Ts>,
    format: ExportFormat,
    out: &Path,
    watcher: &mut Watcher<'_>,
) -> Result<ExportReport, DataError> {
    if out.exists() {
        let what = format!("exporting to {}: it exists", out.display());
        return Err(DataError::spec(what, "remove it, or name another file"));
    }
    let (from, to) = (range.start.nanos(), range.end.nanos());
    watcher.begin(catalog.files_within(symbol, kind, from, to)?.into_iter());
    let mut reader = catalog.rows(symbol, kind, from, to)?;
    let dir = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file beside the target: it goes when anything fails, and takes its name when all is written.
    let temporary = temporary_in(dir).map_err(DataError::io("writing", out))?;
    let file = temporary.as_file().try_clone().map_err(DataError::io("writing", out))?;
    let rows = match format {
        ExportFormat::Csv => write_csv(&mut reader, kind, file, out, watcher)?,
        ExportFormat::Parquet => write_parquet(&mut reader, kind, file, out, watcher)?,
    };
    if rows == 0 {
        // The months touch the range, its rows do not.
        return Err(no_rows(catalog, symbol, kind, &range));
    }
    let file = temporary.persist_noclobber(out).map_err(|e| DataError::io("writing", out)(e.error))?;
    file.sync_all().map_err(DataError::io("writing", out))?;
    let bytes = file.metadata().map_err(DataError::io("reading", out))?.len();
    Ok(ExportReport { schema_version: 1, symbol: symbol.clone(), kind, path: out.to_owned(), rows, bytes })
}

/// As any file that a program makes: others may read it where the umask lets them.
fn temporary_in(dir: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir)
}

fn no_rows(catalog: &Catalog, symbol: &Symbol, kind: Kind, range: &Range<Ts>) -> DataError {
    let (first, end) = catalog.find(symbol, kind).map_or((0, 0), |i| (i.first.nanos(), i.end.nanos()));
    DataError::NoData { symbol: symbol.clone(), kind, from: range.start.nanos(), to: range.end.nanos(), first, end }
}

/// The columns of an exported CSV: name, and the column of the store.
fn csv_columns(kind: Kind) -> &'static [(&'static str, usize)] {
    use super::schema::{TS, bar, funding, trade};
    match kind {
        Kind::Trades => &[
            ("ts_recv_ns", TS),
            ("ts_event_ns", trade::TS_VENUE),
            ("price", trade::PRICE),
            ("qty", trade::QTY),
            ("side", trade::AGGRESSOR),
            ("trade_id", trade::ID),
        ],
        Kind::Quotes => &[
            ("ts_recv_ns", TS),
            ("ts_event_ns", quote::TS_VENUE),
            ("update_id", quote::UPDATE_ID),
            ("bid_price", quote::BID),
            ("bid_qty", quote::BID_QTY),
            ("ask_price", quote::ASK),
            ("ask_qty", quote::ASK_QTY),
        ],
        Kind::Bars(_) => &[
            ("ts_ns", TS),
            ("open", bar::OPEN),
            ("high", bar::HIGH),
            ("low", bar::LOW),
            ("close", bar::CLOSE),
            ("volume", bar::VOLUME),
            ("quote_volume", bar::QUOTE_VOLUME),
            ("trades", bar::TRADES),
            ("taker_buy_base", bar::TAKER_BASE),
            ("taker_buy_quote", bar::TAKER_QUOTE),
        ],
        Kind::Depth => &[
            ("seq", depth::MSG),
            ("ts_recv_ns", TS),
            ("ts_event_ns", depth::TS_VENUE),
            ("snapshot", depth::SNAPSHOT),
            ("first_id", depth::FIRST_ID),
            ("final_id", depth::LAST_ID),
            ("prev_final_id", depth::PREV_ID),
            ("side", depth::SIDE),
            ("price", depth::PRICE),
            ("qty", depth::QTY),
        ],
        Kind::Funding => &[("ts_ns", TS), ("funding_rate", funding::RATE), ("mark_price", funding::MARK)],
    }
}

fn write_csv(
    reader: &mut SeriesReader,
    kind: Kind,
    file: File,
    out: &Path,
    watcher: &mut Watcher<'_>,
) -> Result<u64, DataError> {
    let failed = |e: csv::Error| DataError::io("writing", out)(std::io::Error::other(e));
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    let columns = csv_columns(kind);
    writer.write_record(columns.iter().map(|(name, _)| name)).map_err(failed)?;
    let mut rows = 0;
    while let Some(table) = reader.next()? {
        watcher.step(table.len())?;
        for row in 0..table.len() {
            for (name, column) in columns {
                writer.write_field(csv_field(&table, name, *column, row)).map_err(failed)?;
            }
            writer.write_record(None::<&[u8]>).map_err(failed)?;
        }
        rows += table.len() as u64;
    }
    writer.flush().map_err(DataError::io("writing", out))?;
    Ok(rows)
}

fn csv_field(table: &Table, name: &str, column: usize, row: usize) -> String {
    use super::schema::trade;
    let value = table.get(column, row);
    match name {
        "side" => match (value, table.kind()) {
            (0, _) => String::new(),
            (1, Kind::Depth) => "b".to_owned(),
            (_, Kind::Depth) => "a".to_owned(),
            (1, _) => "buy".to_owned(),
            _ => "sell".to_owned(),
        },
        "trade_id" if value == super::schema::NULL => table.text(trade::ID_TEXT, row),
        // An absent side of the book.
        "bid_price" | "ask_price" if value == 0 => String::new(),
        _ => table.text(column, row),
    }
}

fn write_parquet(
    reader: &mut SeriesReader,
    kind: Kind,
    file: File,
    out: &Path,
    watcher: &mut Watcher<'_>,
) -> Result<u64, DataError> {
    let present = reader.present()?;
    let (price_scale, qty_scale) = reader.scales();
    let like = Table::new(kind, price_scale, qty_scale);
    let mut writer = RowWriter::new(out, BufWriter::new(file), &like, present)?;
    let mut rows = 0;
    while let Some(table) = reader.next()? {
        watcher.step(table.len())?;
        writer.write(&table)?;
        rows += table.len() as u64;
    }
    writer.finish()?.flush().map_err(DataError::io("writing", out))?;
    Ok(rows)
}
