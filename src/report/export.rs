//! Trades, fills, orders, the equity curve and the days of a document as CSV or Parquet.
//!
//! CSV holds what the document holds: exact decimals as text, `*_ts` in nanoseconds, `*_time` as RFC 3339, absent values
//! empty. Parquet is made for pandas and polars: `*_time` are timestamps (nanoseconds, UTC), every decimal is a double
//! under its own name with the exact text beside it as `<name>_exact`, and closed lists are dictionaries (categories).
//! A double holds 15 digits; what is settled with others belongs to the `_exact` text.

use std::io::Write;
use std::sync::Arc;

use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use base64::Engine as _;
use bellwether_sdk::Ts;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::ReportError;
use super::document::{Document, EquityRow, FillRow, OrderRow, TradeRow};
use super::text::{DAY_NS, date, day_start, rfc3339};

/// Days without data in a row beyond which a document is damaged.
const GAP_DAYS_MAX: i64 = 36_500;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Closed trades.
    Trades,
    /// Executions.
    Fills,
    /// Orders.
    Orders,
    /// The thinned equity curve.
    Equity,
    /// Every calendar day with its return.
    Daily,
}

impl Table {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Trades, Self::Fills, Self::Orders, Self::Equity, Self::Daily];

    /// Its name in flags and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Fills => "fills",
            Self::Orders => "orders",
            Self::Equity => "equity",
            Self::Daily => "daily",
        }
    }
}

/// Which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated text with a header.
    Csv,
    /// Apache Parquet, zstd.
    Parquet,
}

impl Format {
    /// The ending of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes a table of a document.
///
/// # Errors
/// [`ReportError`] when the writer fails, or when the document holds a value that is not what its column says.
pub fn write(document: &Document, table: Table, format: Format, out: impl Write + Send) -> Result<(), ReportError> {
    let days = if table == Table::Daily { days(document)? } else { Vec::new() };
    let columns = match table {
        Table::Trades => trades(&document.trades),
        Table::Fills => fills(&document.fills),
        Table::Orders => orders(&document.orders),
        Table::Equity => equity(&document.equity),
        Table::Daily => daily(&days),
    };
    match format {
        Format::Csv => write_csv(&columns, out),
        Format::Parquet => write_parquet(&columns, out),
    }
}

/// A column of a table, borrowed from its document.
struct Column<'a> {
    name: &'static str,
    cells: Cells<'a>,
}

enum Cells<'a> {
    /// Free text.
    Text(Vec<&'a str>),
    /// A word of a short list.
    Word(Vec<&'a str>),
    /// An exact decimal.
    Decimal(Vec<Option<&'a str>>),
    /// Nanoseconds since 1970.
    Nanos(Vec<Option<&'a str>>),
    /// A time: its nanoseconds and its RFC 3339.
    Time(Vec<Option<(&'a str, &'a str)>>),
    /// A statistic.
    Number(Vec<Option<f64>>),
    /// A count or a number of an order.
    Whole(Vec<Option<u64>>),
    /// Yes or no.
    Flag(Vec<bool>),
}

fn column<'a, R, T>(
    name: &'static str,
    rows: &'a [R],
    kind: fn(Vec<T>) -> Cells<'a>,
    of: impl Fn(&'a R) -> T,
) -> Column<'a> {
    Column { name, cells: kind(rows.iter().map(of).collect()) }
}

fn trades(rows: &[TradeRow]) -> Vec<Column<'_>> {
    use Cells::{Decimal, Nanos, Number, Text, Time, Word};
    vec![
        column("strategy", rows, Word, |r| r.strategy.as_str()),
        column("instrument", rows, Word, |r| r.instrument.as_str()),
        column("side", rows, Word, |r| r.side.name()),
        column("qty", rows, Decimal, |r| Some(r.qty.as_str())),
        column("entry_ts", rows, Nanos, |r| Some(r.entry_ts.as_str())),
        column("entry_time", rows, Time, |r| Some((r.entry_ts.as_str(), r.entry_time.as_str()))),
        column("entry_price", rows, Decimal, |r| Some(r.entry_price.as_str())),
        column("entry_bar_ts", rows, Nanos, |r| r.entry_bar_ts.as_deref()),
        column("exit_ts", rows, Nanos, |r| Some(r.exit_ts.as_str())),
        column("exit_time", rows, Time, |r| Some((r.exit_ts.as_str(), r.exit_time.as_str()))),
        column("exit_price", rows, Decimal, |r| Some(r.exit_price.as_str())),
        column("exit_bar_ts", rows, Nanos, |r| r.exit_bar_ts.as_deref()),
        column("fees", rows, Decimal, |r| Some(r.fees.as_str())),
        column("pnl", rows, Decimal, |r| Some(r.pnl.as_str())),
        column("currency", rows, Word, |r| r.currency.as_str()),
        column("return_pct", rows, Number, |r| r.return_pct),
        column("entry_tag", rows, Text, |r| r.entry_tag.as_str()),
        column("exit_reason", rows, Word, |r| r.exit_reason.name()),
    ]
}

fn fills(rows: &[FillRow]) -> Vec<Column<'_>> {
    use Cells::{Decimal, Nanos, Time, Whole, Word};
    vec![
        column("order", rows, Whole, |r| Some(r.order)),
        column("strategy", rows, Word, |r| r.strategy.as_str()),
        column("instrument", rows, Word, |r| r.instrument.as_str()),
        column("side", rows, Word, |r| side(r.side)),
        column("price", rows, Decimal, |r| Some(r.price.as_str())),
        column("qty", rows, Decimal, |r| Some(r.qty.as_str())),
        column("fee", rows, Decimal, |r| Some(r.fee.as_str())),
        column("fee_currency", rows, Word, |r| r.fee_currency.as_str()),
        column("liquidity", rows, Word, |r| match r.liquidity {
            bellwether_sdk::Liquidity::Maker => "maker",
            bellwether_sdk::Liquidity::Taker => "taker",
        }),
        column("ts", rows, Nanos, |r| Some(r.ts.as_str())),
        column("time", rows, Time, |r| Some((r.ts.as_str(), r.time.as_str()))),
        column("bar_ts", rows, Nanos, |r| r.bar_ts.as_deref()),
    ]
}

fn orders(rows: &[OrderRow]) -> Vec<Column<'_>> {
    use Cells::{Decimal, Flag, Nanos, Text, Time, Whole, Word};
    vec![
        column("id", rows, Whole, |r| Some(r.id)),
        column("strategy", rows, Word, |r| r.strategy.as_str()),
        column("instrument", rows, Word, |r| r.instrument.as_str()),
        column("side", rows, Word, |r| side(r.side)),
        column("type", rows, Word, |r| r.order_type.name()),
        column("tif", rows, Word, |r| r.tif.name()),
        column("qty", rows, Decimal, |r| r.qty.as_deref()),
        column("notional", rows, Decimal, |r| r.notional.as_deref()),
        column("filled", rows, Decimal, |r| Some(r.filled.as_str())),
        column("price", rows, Decimal, |r| r.price.as_deref()),
        column("trigger", rows, Decimal, |r| r.trigger.as_deref()),
        column("trail_offset", rows, Decimal, |r| r.trail_offset.as_deref()),
        column("trail_fraction", rows, Decimal, |r| r.trail_fraction.as_deref()),
        column("post_only", rows, Flag, |r| r.post_only),
        column("reduce_only", rows, Flag, |r| r.reduce_only),
        column("role", rows, Word, |r| r.role.name()),
        column("state", rows, Word, |r| r.state.name()),
        column("reason", rows, Word, |r| r.reason.as_str()),
        column("tag", rows, Text, |r| r.tag.as_str()),
        column("parent", rows, Whole, |r| r.parent),
        column("created_ts", rows, Nanos, |r| Some(r.created_ts.as_str())),
        column("created_time", rows, Time, |r| Some((r.created_ts.as_str(), r.created_time.as_str()))),
        column("done_ts", rows, Nanos, |r| r.done_ts.as_deref()),
        column("done_time", rows, Time, |r| r.done_ts.as_deref().zip(r.done_time.as_deref())),
        column("expiry_ts", rows, Nanos, |r| r.expiry_ts.as_deref()),
        column("expiry_time", rows, Time, |r| r.expiry_ts.as_deref().zip(r.expiry_time.as_deref())),
    ]
}

fn equity(rows: &[EquityRow]) -> Vec<Column<'_>> {
    use Cells::{Decimal, Nanos, Time};
    vec![
        column("ts", rows, Nanos, |r| Some(r.ts.as_str())),
        column("time", rows, Time, |r| Some((r.ts.as_str(), r.time.as_str()))),
        column("equity", rows, Decimal, |r| Some(r.equity.as_str())),
        column("equity_min", rows, Decimal, |r| Some(r.equity_min.as_str())),
        column("buy_hold", rows, Decimal, |r| Some(r.buy_hold.as_str())),
    ]
}

/// A calendar day of a run.
struct Day {
    /// As in `2024-02-29`.
    day: String,
    /// Its start, nanoseconds.
    ts: String,
    /// The same as RFC 3339.
    time: String,
    /// Equity at its end: that of the day before where it has no data.
    equity: String,
    /// Against the day before, the first one against the start equity; `None` from nothing or less.
    return_pct: Option<f64>,
    has_data: bool,
}

/// Every calendar day from the first to the last: their returns are those that the figures of 365 days rest on, those of
/// days with data the ones of 252.
fn days(document: &Document) -> Result<Vec<Day>, ReportError> {
    let wrong = |column: &str, row: usize, value: &str, wanted| ReportError::BadValue {
        column: column.to_owned(),
        row: row + 1,
        value: value.to_owned(),
        wanted,
    };
    let number = |row: usize, text: &str| text.parse::<f64>().map_err(|_| wrong("equity", row, text, "decimal"));
    let mut days: Vec<Day> = Vec::new();
    let mut next: Option<i64> = None;
    let mut before = (document.run.start_equity.clone(), number(0, &document.run.start_equity)?);
    let mut push = |at: i64, text: &str, equity: f64, before: f64, has_data: bool| {
        let ts = Ts::from_nanos(at);
        days.push(Day {
            day: date(ts),
            ts: at.to_string(),
            time: rfc3339(ts).unwrap_or_default(),
            equity: text.to_owned(),
            return_pct: (before > 0.0).then(|| 100.0 * (equity / before - 1.0)),
            has_data,
        });
    };
    for (row, point) in document.daily.iter().enumerate() {
        let wrong_day = || wrong("day", row, &point.day, "day as in 2024-02-29");
        let at = day_start(&point.day).ok_or_else(wrong_day)?.nanos();
        // A document cannot hold more days than it can count: years without data are damage.
        let mut gap = next.unwrap_or(at);
        if gap > at || at.saturating_sub(gap) / DAY_NS > GAP_DAYS_MAX {
            return Err(wrong_day());
        }
        while gap < at {
            push(gap, &before.0, before.1, before.1, false);
            gap += DAY_NS;
        }
        let equity = number(row, &point.equity)?;
        push(at, &point.equity, equity, before.1, true);
        before = (point.equity.clone(), equity);
        next = Some(at + DAY_NS);
    }
    Ok(days)
}

fn daily(rows: &[Day]) -> Vec<Column<'_>> {
    use Cells::{Decimal, Flag, Nanos, Number, Text, Time};
    vec![
        column("day", rows, Text, |r| r.day.as_str()),
        column("ts", rows, Nanos, |r| Some(r.ts.as_str())),
        column("time", rows, Time, |r| Some((r.ts.as_str(), r.time.as_str()))),
        column("equity", rows, Decimal, |r| Some(r.equity.as_str())),
        column("return_pct", rows, Number, |r| r.return_pct),
        column("has_data", rows, Flag, |r| r.has_data),
    ]
}

const fn side(side: bellwether_sdk::Side) -> &'static str {
    match side {
        bellwether_sdk::Side::Buy => "buy",
        bellwether_sdk::Side::Sell => "sell",
    }
}

impl Cells<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Text(v) | Self::Word(v) => v.len(),
            Self::Decimal(v) | Self::Nanos(v) => v.len(),
            Self::Time(v) => v.len(),
            Self::Number(v) => v.len(),
            Self::Whole(v) => v.len(),
            Self::Flag(v) => v.len(),
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            Self::Text(v) | Self::Word(v) => v[row].to_owned(),
            Self::Decimal(v) | Self::Nanos(v) => v[row].unwrap_or_default().to_owned(),
            Self::Time(v) => v[row].map_or_else(String::new, |(_, time)| time.to_owned()),
            Self::Number(v) => v[row].map_or_else(String::new, |n| n.to_string()),
            Self::Whole(v) => v[row].map_or_else(String::new, |n| n.to_string()),
            Self::Flag(v) => v[row].to_string(),
        }
    }
}

fn write_csv(columns: &[Column<'_>], out: impl Write) -> Result<(), ReportError> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(|c| c.name))?;
    for row in 0..columns.first().map_or(0, |c| c.cells.len()) {
        writer.write_record(columns.iter().map(|c| c.cells.text(row)))?;
    }
    writer.flush().map_err(csv::Error::from)?;
    Ok(())
}

/// A column as Parquet holds it; every one may be null, so that an empty table has the types of a full one.
struct Leaf<'a> {
    name: String,
    values: Values<'a>,
    /// Whether there is a value, by row.
    levels: Vec<i16>,
}

enum Values<'a> {
    Text(Vec<&'a str>),
    Word(Vec<&'a str>),
    Double(Vec<f64>),
    Int(Vec<i64>),
    Time(Vec<i64>),
    Unsigned(Vec<i64>),
    Flag(Vec<bool>),
}

impl<'a> Leaf<'a> {
    fn new<T>(name: impl Into<String>, kind: fn(Vec<T>) -> Values<'a>, cells: Vec<Option<T>>) -> Self {
        let levels = cells.iter().map(|c| i16::from(c.is_some())).collect();
        Self { name: name.into(), values: kind(cells.into_iter().flatten().collect()), levels }
    }

    /// Its type in Parquet, as Parquet's schema language says it.
    fn parquet_type(&self) -> String {
        let (physical, logical) = match self.values {
            Values::Text(_) | Values::Word(_) => ("byte_array", " (STRING)"),
            Values::Double(_) => ("double", ""),
            Values::Int(_) => ("int64", ""),
            Values::Time(_) => ("int64", " (TIMESTAMP(NANOS,true))"),
            Values::Unsigned(_) => ("int64", " (INTEGER(64,false))"),
            Values::Flag(_) => ("boolean", ""),
        };
        format!("optional {physical} {}{logical};", self.name)
    }

    /// Its type in Arrow, by which pandas and polars know a category from a text.
    fn arrow_field(&self) -> Field {
        let kind = match self.values {
            Values::Text(_) => DataType::Utf8,
            Values::Word(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Values::Double(_) => DataType::Float64,
            Values::Int(_) => DataType::Int64,
            Values::Time(_) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Values::Unsigned(_) => DataType::UInt64,
            Values::Flag(_) => DataType::Boolean,
        };
        Field::new(&self.name, kind, true)
    }

    fn write<W: Write + Send>(&self, group: &mut SerializedRowGroupWriter<'_, W>) -> parquet::errors::Result<()> {
        let mut writer = group
            .next_column()?
            .ok_or_else(|| ParquetError::General("fewer columns than the schema has".to_owned()))?;
        let levels = Some(self.levels.as_slice());
        match &self.values {
            Values::Text(v) | Values::Word(v) => {
                let texts: Vec<ByteArray> = v.iter().copied().map(ByteArray::from).collect();
                writer.typed::<ByteArrayType>().write_batch(&texts, levels, None)?
            }
            Values::Double(v) => writer.typed::<DoubleType>().write_batch(v, levels, None)?,
            Values::Int(v) | Values::Time(v) | Values::Unsigned(v) => {
                writer.typed::<Int64Type>().write_batch(v, levels, None)?
            }
            Values::Flag(v) => writer.typed::<BoolType>().write_batch(v, levels, None)?,
        };
        writer.close()
    }
}

fn leaves<'a>(columns: &[Column<'a>]) -> Result<Vec<Leaf<'a>>, ReportError> {
    let mut leaves = Vec::new();
    for Column { name, cells } in columns {
        let name = *name;
        let leaf = match cells {
            Cells::Text(v) => Leaf::new(name, Values::Text, v.iter().copied().map(Some).collect()),
            Cells::Word(v) => Leaf::new(name, Values::Word, v.iter().copied().map(Some).collect()),
            Cells::Decimal(v) => {
                leaves.push(Leaf::new(name, Values::Double, parsed(name, v, "decimal")?));
                Leaf::new(format!("{name}_exact"), Values::Text, v.clone())
            }
            Cells::Nanos(v) => Leaf::new(name, Values::Int, parsed(name, v, "whole number of nanoseconds")?),
            Cells::Time(v) => {
                let nanos: Vec<Option<&str>> = v.iter().map(|t| t.map(|(nanos, _)| nanos)).collect();
                Leaf::new(name, Values::Time, parsed(name, &nanos, "whole number of nanoseconds")?)
            }
            Cells::Number(v) => Leaf::new(name, Values::Double, v.clone()),
            Cells::Whole(v) => Leaf::new(name, Values::Unsigned, v.iter().map(|n| n.map(u64::cast_signed)).collect()),
            Cells::Flag(v) => Leaf::new(name, Values::Flag, v.iter().copied().map(Some).collect()),
        };
        leaves.push(leaf);
    }
    Ok(leaves)
}

fn write_parquet(columns: &[Column<'_>], out: impl Write + Send) -> Result<(), ReportError> {
    let leaves = leaves(columns)?;
    let fields: Vec<String> = leaves.iter().map(Leaf::parquet_type).collect();
    let message = parse_message_type(&format!("message rows {{ {} }}", fields.join(" ")))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(Some(vec![KeyValue::new("ARROW:schema".to_owned(), arrow_schema(&leaves))]))
        .build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(message), Arc::new(properties))?;
    if leaves.iter().any(|l| !l.levels.is_empty()) {
        let mut group = writer.next_row_group()?;
        for leaf in &leaves {
            leaf.write(&mut group)?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

/// The schema of Arrow as Parquet files carry it: a message of Arrow's IPC after its mark and length, in base64.
fn arrow_schema(leaves: &[Leaf<'_>]) -> String {
    let schema = Schema::new(leaves.iter().map(Leaf::arrow_field).collect::<Vec<_>>());
    let message = IpcDataGenerator::default()
        .schema_to_bytes_with_dictionary_tracker(
            &schema,
            &mut DictionaryTracker::new(true),
            &IpcWriteOptions::default(),
        )
        .ipc_message;
    let mut bytes = vec![0xff; 4];
    bytes.extend((message.len() as u32).to_le_bytes());
    bytes.extend(message);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn parsed<T: std::str::FromStr>(
    column: &str,
    cells: &[Option<&str>],
    wanted: &'static str,
) -> Result<Vec<Option<T>>, ReportError> {
    let read = |(row, cell): (usize, &Option<&str>)| {
        let Some(text) = cell else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ReportError::BadValue {
            column: column.to_owned(),
            row: row + 1,
            value: (*text).to_owned(),
            wanted,
        })
    };
    cells.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{busy, days as days_of, document, empty};
    use parquet::basic::LogicalType;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field as Value, Row};
    use parquet::schema::types::Type;

    fn csv_of(document: &Document, table: Table) -> String {
        let mut out = Vec::new();
        write(document, table, Format::Csv, &mut out).expect("CSV");
        String::from_utf8(out).expect("text")
    }

    /// The schema, the schema of Arrow, and the rows.
    fn parquet_of(document: &Document, table: Table) -> (Type, String, Vec<Row>) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        write(document, table, Format::Parquet, file.reopen().expect("a file")).expect("Parquet");
        let reader = SerializedFileReader::new(file.reopen().expect("a file")).expect("Parquet");
        let metadata = reader.metadata().file_metadata();
        let [arrow] = &metadata.key_value_metadata().expect("metadata")[..] else { panic!("one entry") };
        assert_eq!(arrow.key, "ARROW:schema");
        let rows = reader.get_row_iter(None).expect("rows").map(|r| r.expect("a row")).collect();
        (metadata.schema().clone(), arrow.value.clone().expect("a schema"), rows)
    }

    fn value<'a>(row: &'a Row, name: &str) -> &'a Value {
        row.get_column_iter().find(|(n, _)| *n == name).expect("a column").1
    }

    #[test]
    fn csv_holds_the_exact_text_of_the_document() {
        let document = document(&busy(3));
        let text = csv_of(&document, Table::Trades);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let rows: Vec<_> = reader.records().map(|r| r.expect("a row")).collect();
        assert_eq!((rows.len(), &header[3], &rows[1][3]), (3, "qty", document.trades[1].qty.as_str()));
        let at = |name: &str| header.iter().position(|h| h == name).expect("a column");
        assert_eq!(rows[0][at("pnl")], document.trades[0].pnl);
        assert_eq!(rows[0][at("entry_time")], document.trades[0].entry_time);
        assert_eq!(rows[2][at("entry_tag")], *"<script>alert('tag')</script>");
        let tables = [
            (Table::Fills, 6),
            (Table::Orders, 6),
            (Table::Equity, document.equity.len()),
            (Table::Daily, document.daily.len()),
        ];
        for (table, n) in tables {
            assert_eq!(csv_of(&document, table).lines().count(), n + 1, "{}", table.name());
        }
    }

    #[test]
    fn the_returns_of_days_are_those_that_the_figures_rest_on() {
        let mut run = days_of(&[10_100, 10_201, 10_201]);
        // The second day has no data.
        run.daily.remove(1);
        let document = document(&run);
        let text = csv_of(&document, Table::Daily);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().map(|r| r.expect("a row")).collect();
        let returns: Vec<f64> = rows.iter().map(|r| r[4].parse::<f64>().expect("a number") / 100.0).collect();
        let figures = crate::report::metrics::Daily::of(&run);
        assert_eq!(returns.len(), 3);
        for (exported, figure) in returns.iter().zip(&figures.calendar) {
            assert!((exported - figure).abs() < 1e-12, "{text}");
        }
        assert_eq!(rows.iter().map(|r| &r[5]).collect::<Vec<_>>(), ["true", "false", "true"]);
        assert_eq!(rows[1][3], rows[0][3], "equity stands");
        let (_, _, rows) = parquet_of(&document, Table::Daily);
        assert_eq!(value(&rows[2], "equity_exact"), &Value::Str(document.daily[1].equity.clone()));
    }

    #[test]
    fn parquet_holds_doubles_exact_text_and_times_of_utc() {
        let document = document(&busy(5));
        let (schema, arrow, rows) = parquet_of(&document, Table::Trades);
        assert_eq!(rows.len(), 5);
        assert_eq!(value(&rows[1], "pnl_exact"), &Value::Str(document.trades[1].pnl.clone()));
        assert_eq!(value(&rows[1], "pnl"), &Value::Double(document.trades[1].pnl.parse().expect("a number")));
        assert_eq!(value(&rows[0], "entry_ts"), &Value::Long(document.trades[0].entry_ts.parse().expect("a number")));
        let nanos = document.trades[0].exit_ts.parse().expect("nanoseconds");
        assert_eq!(value(&rows[0], "exit_time"), &Value::Long(nanos));
        let time = schema.get_fields().iter().find(|f| f.name() == "exit_time").expect("a column");
        let Some(LogicalType::Timestamp(time)) = time.get_basic_info().logical_type_ref() else { panic!("{time:?}") };
        assert!(time.is_adjusted_to_u_t_c);
        // Categories stand in the schema of Arrow only.
        let arrow = base64::engine::general_purpose::STANDARD.decode(arrow).expect("base64");
        let arrow = arrow_ipc::convert::try_schema_from_ipc_buffer(&arrow).expect("a schema of Arrow");
        let side = arrow.field_with_name("side").expect("a column").data_type();
        assert_eq!(side, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)));
        let names: Vec<&str> = schema.get_fields().iter().map(|f| f.name()).collect();
        assert_eq!(arrow.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), names);
        let (_, _, orders) = parquet_of(&document, Table::Orders);
        assert_eq!(orders.iter().filter(|o| value(o, "price") == &Value::Null).count(), 10);
        assert_eq!(value(&orders[0], "id"), &Value::ULong(document.orders[0].id));
    }

    #[test]
    fn empty_tables_keep_their_columns() {
        let (none, some) = (document(&empty()), document(&busy(2)));
        for table in Table::ALL {
            let (schema, arrow, rows) = parquet_of(&none, table);
            let (full_schema, full_arrow, _) = parquet_of(&some, table);
            assert_eq!((schema, arrow, rows.len()), (full_schema, full_arrow, 0));
            assert_eq!(csv_of(&none, table).lines().count(), 1);
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_named_with_its_row() {
        let mut document = document(&busy(3));
        document.trades[2].qty = "much".to_owned();
        let error = write(&document, Table::Trades, Format::Parquet, std::io::sink()).expect_err("no number");
        assert_eq!(error.to_string(), "exporting qty of row 3: \"much\" is no decimal; the document is damaged");
    }
}
