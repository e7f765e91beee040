//! Trades, fills, orders and the equity curve of a document as CSV or Parquet.
//!
//! CSV holds what the document holds: exact decimals as text, `*_ts` in nanoseconds, `*_time` as RFC 3339, absent values
//! empty. Parquet is made for pandas and polars: `*_time` are timestamps (nanoseconds, UTC), every decimal is a double
//! under its own name with the exact text beside it as `<name>_exact`, and closed lists are dictionaries (categories).
//! A double holds 15 digits; what is settled with others belongs to the `_exact` text.

use std::io::Write;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::ReportError;
use super::document::{Document, EquityRow, FillRow, OrderRow, TradeRow};

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
}

impl Table {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Trades, Self::Fills, Self::Orders, Self::Equity];

    /// Its name in flags and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Fills => "fills",
            Self::Orders => "orders",
            Self::Equity => "equity",
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
    let columns = match table {
        Table::Trades => trades(&document.trades),
        Table::Fills => fills(&document.fills),
        Table::Orders => orders(&document.orders),
        Table::Equity => equity(&document.equity),
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

fn write_parquet(columns: &[Column<'_>], out: impl Write + Send) -> Result<(), ReportError> {
    let mut arrays: Vec<(String, ArrayRef)> = Vec::new();
    for column in columns {
        let name = column.name.to_owned();
        let array: ArrayRef = match &column.cells {
            Cells::Text(v) => Arc::new(StringArray::from(v.clone())),
            Cells::Word(v) => Arc::new(v.iter().copied().collect::<DictionaryArray<Int32Type>>()),
            Cells::Decimal(v) => {
                let exact: ArrayRef = Arc::new(StringArray::from(v.clone()));
                arrays.push((name.clone(), Arc::new(Float64Array::from(parsed(column.name, v, "decimal")?))));
                arrays.push((format!("{name}_exact"), exact));
                continue;
            }
            Cells::Nanos(v) => Arc::new(Int64Array::from(parsed(column.name, v, "whole number of nanoseconds")?)),
            Cells::Time(v) => {
                let nanos: Vec<Option<&str>> = v.iter().map(|t| t.map(|(nanos, _)| nanos)).collect();
                let nanos = parsed::<i64>(column.name, &nanos, "whole number of nanoseconds")?;
                Arc::new(TimestampNanosecondArray::from(nanos).with_timezone("UTC"))
            }
            Cells::Number(v) => Arc::new(Float64Array::from(v.clone())),
            Cells::Whole(v) => Arc::new(UInt64Array::from(v.clone())),
            Cells::Flag(v) => Arc::new(BooleanArray::from(v.clone())),
        };
        arrays.push((name, array));
    }
    // Every column may be null, so that an empty table has the types of a full one.
    let batch = RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(n, a)| (n, a, true)))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
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
    use crate::report::samples::{busy, document, empty};
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, TimestampNanosecondType};
    use arrow_schema::{DataType, TimeUnit};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    fn csv_of(document: &Document, table: Table) -> String {
        let mut out = Vec::new();
        write(document, table, Format::Csv, &mut out).expect("CSV");
        String::from_utf8(out).expect("text")
    }

    fn parquet_of(document: &Document, table: Table) -> RecordBatch {
        let file = tempfile::NamedTempFile::new().expect("a file");
        write(document, table, Format::Parquet, file.reopen().expect("a file")).expect("Parquet");
        let builder = ParquetRecordBatchReaderBuilder::try_new(file.reopen().expect("a file")).expect("Parquet");
        let schema = builder.schema().clone();
        let batch = builder.build().expect("a reader").next().map(|b| b.expect("a batch"));
        batch.unwrap_or_else(|| RecordBatch::new_empty(schema))
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
        for (table, n) in [(Table::Fills, 6), (Table::Orders, 6), (Table::Equity, document.equity.len())] {
            assert_eq!(csv_of(&document, table).lines().count(), n + 1, "{}", table.name());
        }
    }

    #[test]
    fn parquet_holds_doubles_exact_text_and_times_of_utc() {
        let document = document(&busy(5));
        let batch = parquet_of(&document, Table::Trades);
        assert_eq!(batch.num_rows(), 5);
        let pnl = batch.column_by_name("pnl").expect("a column").as_primitive::<Float64Type>().value(1);
        let exact = batch.column_by_name("pnl_exact").expect("a column").as_string::<i32>().value(1).to_owned();
        assert_eq!(exact, document.trades[1].pnl);
        assert_eq!(pnl, exact.parse::<f64>().expect("a number"));
        let time = batch.column_by_name("exit_time").expect("a column");
        assert_eq!(time.data_type(), &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())));
        assert_eq!(time.as_primitive::<TimestampNanosecondType>().value(0).to_string(), document.trades[0].exit_ts);
        let orders = parquet_of(&document, Table::Orders);
        assert_eq!(orders.column_by_name("price").expect("a column").null_count(), 10);
    }

    #[test]
    fn empty_tables_keep_their_columns() {
        let (none, some) = (document(&empty()), document(&busy(2)));
        for table in Table::ALL {
            assert_eq!(parquet_of(&none, table).schema().fields(), parquet_of(&some, table).schema().fields());
            assert_eq!(parquet_of(&none, table).num_rows(), 0);
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
