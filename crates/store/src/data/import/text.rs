//! Reads the text formats: CSV of every dialect known here, and freqtrade's JSON.

use std::io::BufRead;
use std::path::Path;

use super::input::unreadable;
use super::plan::{self, Plan, Role};
use super::rows::Rows;
use super::{Format, ImportSpec, presets};
use crate::data::error::DataError;

/// Reads a CSV file in one of the dialects.
pub(super) fn read_csv<'a>(
    path: &'a Path,
    spec: &'a ImportSpec,
    input: &mut dyn BufRead,
) -> Result<Rows<'a>, DataError> {
    let start = input.fill_buf().map_err(|e| unreadable(path, &e))?;
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        input.consume(3);
    }
    let passed = pass_over_address(path, input)?;
    let delimiter = sniff(path, input.fill_buf().map_err(|e| unreadable(path, &e))?)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(1 << 17)
        .from_reader(input);
    let mut record = csv::ByteRecord::new();
    if !next(path, &mut reader, &mut record)? {
        return Err(DataError::file(path, "the file has no rows", "fetch it again"));
    }
    let (plan, header) = plan(path, spec, &record)?;
    let mut rows = Rows::new(path, spec, plan);
    let width = rows.plan.width();
    let mut pending = !header;
    loop {
        if !pending && !next(path, &mut reader, &mut record)? {
            return Ok(rows);
        }
        pending = false;
        let line = passed + record.position().map_or(0, csv::Position::line);
        if record.len() != width {
            return Err(DataError::ColumnCount { path: path.to_owned(), line, found: record.len(), expected: width });
        }
        rows.take(line, &record)?;
    }
}

fn next<R: std::io::Read>(
    path: &Path,
    reader: &mut csv::Reader<R>,
    record: &mut csv::ByteRecord,
) -> Result<bool, DataError> {
    reader.read_byte_record(record).map_err(|e| match e.into_kind() {
        csv::ErrorKind::Io(io) => unreadable(path, &io),
        other => DataError::file(path, format!("it is no CSV ({other:?})"), "fetch it again"),
    })
}

/// Some sites write their address into a line before the header. Gives how many lines were passed over.
fn pass_over_address(path: &Path, input: &mut dyn BufRead) -> Result<u64, DataError> {
    let start = input.fill_buf().map_err(|e| unreadable(path, &e))?;
    let address = [&b"https://"[..], b"http://"].iter().any(|scheme| start.starts_with(scheme));
    let end = start.iter().position(|b| *b == b'\n').filter(|end| address && !start[..*end].contains(&b','));
    if let Some(end) = end {
        input.consume(end + 1);
    }
    Ok(u64::from(end.is_some()))
}

/// Refuses binary content and finds the delimiter: the most frequent of comma, semicolon and tab in the first line.
fn sniff(path: &Path, start: &[u8]) -> Result<u8, DataError> {
    let head = &start[..start.len().min(4096)];
    if head.iter().any(|b| *b == 0 || (*b < 32 && !b"\t\r\n".contains(b))) {
        return Err(DataError::file(
            path,
            "the content is binary, no text",
            "pass --format parquet or freqtrade if it is that, or fetch it again",
        ));
    }
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let message = line.trim_ascii_start();
    let stamp = message.iter().take_while(|b| b.is_ascii_digit()).count();
    if message[stamp..].trim_ascii_start().starts_with(b"{") {
        return Err(DataError::file(
            path,
            "its lines are messages as a venue sends them (JSON), which no format here reads",
            "record the feed with data record, or write its rows as CSV: one per trade, quote or level of a depth message",
        ));
    }
    let count = |c: u8| line.iter().filter(|b| **b == c).count();
    Ok([b',', b';', b'\t'].into_iter().rev().max_by_key(|c| count(*c)).unwrap_or(b','))
}

/// The plan of a file by its first line, and whether that is a header.
fn plan(path: &Path, spec: &ImportSpec, first: &csv::ByteRecord) -> Result<(Plan, bool), DataError> {
    let fields: Vec<String> = first.iter().map(|f| String::from_utf8_lossy(f.trim_ascii()).into_owned()).collect();
    let plain: Vec<&str> = fields.iter().map(String::as_str).collect();
    match (spec.format, &spec.columns) {
        (Format::Binance, None) => presets::binance(path, &plain, spec.told()),
        (Format::Tardis, None) => Ok((presets::tardis(path, &plain)?, true)),
        (_, columns) => {
            let header = plain.iter().any(|f| f.bytes().any(|c| c.is_ascii_alphabetic()) && !begins_with_digit(f));
            let numbers = || (1..=fields.len()).map(|i| i.to_string()).collect::<Vec<_>>();
            let names = if header { fields.clone() } else { numbers() };
            let plan = match columns {
                // A first row may have words too (`buy`), so the time alone tells whether it is one of names.
                Some(mapping) if plan::by_number(mapping, fields.len()) => {
                    let plan = Plan::from_mapping(path, numbers(), mapping, spec.told())?;
                    let timed = plan.at(Role::Ts).and_then(|c| plain.get(c)).is_some_and(|f| begins_with_digit(f));
                    return Ok((plan, header && !timed));
                }
                Some(mapping) => Plan::from_mapping(path, names, mapping, spec.told())?,
                None if header => Plan::from_header(path, names, spec)?,
                None => {
                    return Err(DataError::Columns {
                        path: path.to_owned(),
                        found: format!("its first line, {:?}…, is no header", plain.first().unwrap_or(&"")),
                        remedy: "name the columns by number, as in --columns ts=1,close=5, or pass --format binance"
                            .to_owned(),
                    });
                }
            };
            Ok((plan, header))
        }
    }
}

fn begins_with_digit(field: &str) -> bool {
    field.starts_with(|c: char| c.is_ascii_digit())
}

/// Reads freqtrade's JSON: an array of `[ms, open, high, low, close, volume]`.
pub(super) fn read_json<'a>(
    path: &'a Path,
    spec: &'a ImportSpec,
    input: &mut dyn BufRead,
) -> Result<Rows<'a>, DataError> {
    let candles: Vec<Vec<f64>> = serde_json::from_reader(input).map_err(|e| match e.io_error_kind() {
        Some(kind) => unreadable(path, &std::io::Error::from(kind)),
        None => DataError::file(
            path,
            format!("it is not freqtrade's JSON, an array of [ms, open, high, low, close, volume]: {e}"),
            "fetch it again",
        ),
    })?;
    let mut rows = Rows::new(path, spec, presets::freqtrade());
    for (index, candle) in candles.iter().enumerate() {
        let line = index as u64 + 1;
        if candle.len() != rows.plan.width() {
            let (found, expected) = (candle.len(), rows.plan.width());
            return Err(DataError::ColumnCount { path: path.to_owned(), line, found, expected });
        }
        // The shortest text that reads back as the same number is what the venue had sent.
        let fields: Vec<String> = candle.iter().map(f64::to_string).collect();
        rows.take(line, fields.as_slice())?;
    }
    Ok(rows)
}
