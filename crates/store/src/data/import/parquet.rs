//! Reads Parquet files with the generic column names, column by column.
//!
//! Values pass as text, as those of every other format: floats as the shortest text that reads back equal, decimals and
//! integers as they are. What a column means is read from Parquet's own types; a schema of Arrow beside them is not.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit as ParquetUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::Type;

use super::ImportSpec;
use super::columnar::{generic, no_rows, not};
use super::input::unreadable;
use super::plan::Role;
use super::rows::{Fields, Rows};
use crate::data::error::DataError;
use crate::data::time::TimeUnit;

const WHAT: &str = "a Parquet file";

/// Rows held as text at a time.
const CHUNK_ROWS: usize = 8_192;

/// Decimals of Arrow have 76 digits at most.
const SCALE_MAX: usize = 76;

/// The bytes of the longest decimal.
const DECIMAL_BYTES: usize = 32;

/// Reads a Parquet file.
pub(super) fn read<'a>(path: &'a Path, spec: &'a ImportSpec, input: &mut dyn BufRead) -> Result<Rows<'a>, DataError> {
    // Parquet is read from its end, so the stream goes through a file without a name.
    let mut file = tempfile::tempfile().map_err(DataError::io("making a temporary file for", path))?;
    std::io::copy(input, &mut file).map_err(|e| unreadable(path, &e))?;
    let reader = SerializedFileReader::new(file).map_err(|e| not(path, WHAT, &e))?;
    let root = reader.metadata().file_metadata().schema_descr().root_schema();
    let names: Vec<String> = root.get_fields().iter().map(|f| f.name().to_owned()).collect();
    let mut plan = generic(path, spec, names)?;
    let columns = root
        .get_fields()
        .iter()
        .map(|field| Column::of(field).ok_or_else(|| not(path, WHAT, &refusal(field))))
        .collect::<Result<Vec<Column>, DataError>>();
    let has_rows = reader.metadata().row_groups().iter().any(|g| g.num_rows() > 0);
    if !has_rows {
        return Err(no_rows(path));
    }
    let columns = columns?;
    let unit = |column: Option<usize>| column.and_then(|c| columns.get(c)).and_then(|c| c.kind.unit());
    plan.ts_unit = unit(plan.at(Role::Ts)).or(plan.ts_unit);
    plan.venue_unit = unit(plan.at(Role::TsVenue)).or(plan.venue_unit);
    let mut rows = Rows::new(path, spec, plan);
    let mut line = 0;
    for group in 0..reader.num_row_groups() {
        take_group(path, &reader, group, &columns, &mut line, &mut rows)?;
    }
    Ok(rows)
}

fn take_group(
    path: &Path,
    reader: &SerializedFileReader<File>,
    group: usize,
    columns: &[Column],
    line: &mut u64,
    rows: &mut Rows<'_>,
) -> Result<(), DataError> {
    let damaged = |e: ParquetError| not(path, WHAT, &e);
    let group = reader.get_row_group(group).map_err(damaged)?;
    let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let mut readers =
        (0..columns.len()).map(|c| group.get_column_reader(c)).collect::<ParquetResult<Vec<_>>>().map_err(damaged)?;
    let mut texts: Vec<Texts> = columns.iter().map(|_| Texts::default()).collect();
    while left > 0 {
        let count = left.min(CHUNK_ROWS);
        for ((column, reader), to) in columns.iter().zip(&mut readers).zip(&mut texts) {
            column.read(reader, count, to).map_err(damaged)?;
        }
        for row in 0..count {
            *line += 1;
            rows.take(*line, &At { texts: &texts, row })?;
        }
        left -= count;
    }
    Ok(())
}

/// The values of a column as text, end to end; nothing where there is none.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn at(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(row).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default()
    }
}

/// One row of a chunk.
struct At<'a> {
    texts: &'a [Texts],
    row: usize,
}

impl Fields for At<'_> {
    #[inline]
    fn field(&self, index: usize) -> &[u8] {
        self.texts.get(index).map(|t| t.at(self.row)).unwrap_or_default()
    }
}

/// How the values of a column are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Yes or no, a signed integer, a float: as they are.
    Plain,
    Unsigned,
    /// Days since 1970, shown as seconds.
    Days,
    /// Time in a unit since 1970.
    Time(TimeUnit),
    /// An integer, or bytes of one with the highest first, of so many decimals.
    Decimal(usize),
    Text,
    /// Never a value.
    Nothing,
}

impl Kind {
    /// Typed times know their unit.
    fn unit(self) -> Option<TimeUnit> {
        match self {
            Self::Days => Some(TimeUnit::S),
            Self::Time(unit) => Some(unit),
            _ => None,
        }
    }
}

struct Column {
    kind: Kind,
    optional: bool,
}

impl Column {
    /// What a field of the schema is; nothing where it is neither number, text nor time, or nested.
    fn of(field: &Type) -> Option<Self> {
        let Type::PrimitiveType { basic_info, physical_type, scale, .. } = field else { return None };
        let optional = match basic_info.has_repetition().then(|| basic_info.repetition()) {
            Some(Repetition::REPEATED) => return None,
            repetition => repetition == Some(Repetition::OPTIONAL),
        };
        let (logical, converted) = (basic_info.logical_type_ref(), basic_info.converted_type());
        let kind = match physical_type {
            _ if logical == Some(&LogicalType::Unknown) => Kind::Nothing,
            Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE => Kind::Plain,
            Physical::INT96 => Kind::Time(TimeUnit::Ns),
            Physical::INT32 | Physical::INT64 => integer(logical, converted, *scale)?,
            Physical::BYTE_ARRAY => match (logical, converted) {
                (Some(LogicalType::String | LogicalType::Json), _) => Kind::Text,
                (None, ConvertedType::UTF8 | ConvertedType::JSON) => Kind::Text,
                _ => decimal(logical, converted, *scale)?,
            },
            Physical::FIXED_LEN_BYTE_ARRAY => decimal(logical, converted, *scale)?,
        };
        Some(Self { kind, optional })
    }

    /// Reads the next `count` values.
    fn read(&self, reader: &mut ColumnReader, count: usize, to: &mut Texts) -> ParquetResult<()> {
        to.bytes.clear();
        to.ends.clear();
        let optional = self.optional;
        match (reader, self.kind) {
            (_, Kind::Nothing) => {
                to.ends.resize(count, 0);
                Ok(())
            }
            (ColumnReader::BoolColumnReader(r), _) => fill(r, optional, count, to, &|v, to| shown(v, to)),
            (ColumnReader::FloatColumnReader(r), _) => fill(r, optional, count, to, &|v, to| shown(v, to)),
            (ColumnReader::DoubleColumnReader(r), _) => fill(r, optional, count, to, &|v, to| shown(v, to)),
            (ColumnReader::Int96ColumnReader(r), _) => fill(r, optional, count, to, &|v, to| shown(v.to_nanos(), to)),
            (ColumnReader::Int32ColumnReader(r), kind) => fill(r, optional, count, to, &|v, to| match kind {
                Kind::Unsigned => shown(v.cast_unsigned(), to),
                kind => whole(i64::from(*v), kind, to),
            }),
            (ColumnReader::Int64ColumnReader(r), kind) => fill(r, optional, count, to, &|v, to| whole(*v, kind, to)),
            (ColumnReader::ByteArrayColumnReader(r), kind) => {
                fill(r, optional, count, to, &|v, to| bytes(v.data(), kind, to))
            }
            (ColumnReader::FixedLenByteArrayColumnReader(r), kind) => {
                fill(r, optional, count, to, &|v, to| bytes(v.data(), kind, to))
            }
        }
    }
}

fn integer(logical: Option<&LogicalType>, converted: ConvertedType, scale: i32) -> Option<Kind> {
    Some(match (logical, converted) {
        (Some(LogicalType::Integer(int)), _) if int.is_signed => Kind::Plain,
        (Some(LogicalType::Integer(_)), _) => Kind::Unsigned,
        (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) => Kind::Days,
        (Some(LogicalType::Timestamp(time)), _) => Kind::Time(match time.unit {
            ParquetUnit::MILLIS => TimeUnit::Ms,
            ParquetUnit::MICROS => TimeUnit::Us,
            ParquetUnit::NANOS => TimeUnit::Ns,
        }),
        (None, ConvertedType::TIMESTAMP_MILLIS) => Kind::Time(TimeUnit::Ms),
        (None, ConvertedType::TIMESTAMP_MICROS) => Kind::Time(TimeUnit::Us),
        (None, ConvertedType::NONE) => Kind::Plain,
        (None, ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32 | ConvertedType::INT_64) => {
            Kind::Plain
        }
        (None, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64) => {
            Kind::Unsigned
        }
        _ => decimal(logical, converted, scale)?,
    })
}

fn decimal(logical: Option<&LogicalType>, converted: ConvertedType, scale: i32) -> Option<Kind> {
    let scale = match (logical, converted) {
        (Some(LogicalType::Decimal(decimal)), _) => decimal.scale,
        (None, ConvertedType::DECIMAL) => scale,
        _ => return None,
    };
    usize::try_from(scale).ok().filter(|s| *s <= SCALE_MAX).map(Kind::Decimal)
}

fn refusal(field: &Type) -> String {
    let info = field.get_basic_info();
    let mut name = match (info.logical_type_ref(), field) {
        _ if info.converted_type() != ConvertedType::NONE => info.converted_type().to_string(),
        // The name without its parameters.
        (Some(logical), _) => format!("{logical:?}").split(['(', ' ']).next().unwrap_or_default().to_uppercase(),
        (None, Type::PrimitiveType { physical_type, .. }) => physical_type.to_string(),
        (None, Type::GroupType { .. }) => "group".to_owned(),
    };
    if info.has_repetition() && info.repetition() == Repetition::REPEATED {
        name.insert_str(0, "repeated ");
    }
    format!("a column is of type {name} ({:?}), which is neither number, text nor time", field.name())
}

/// Writes a value as text.
type Show<'a, T> = &'a dyn Fn(&<T as DataType>::T, &mut Vec<u8>) -> ParquetResult<()>;

fn fill<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    optional: bool,
    count: usize,
    to: &mut Texts,
    show: Show<'_, T>,
) -> ParquetResult<()> {
    let mut levels = Vec::new();
    let mut values = Vec::with_capacity(count);
    let mut read = 0;
    while read < count {
        let (records, ..) = reader.read_records(count - read, optional.then_some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::General(format!("a column ends {} rows early", count - read)));
        }
        read += records;
    }
    let mut values = values.iter();
    for row in 0..count {
        if !optional || levels.get(row).is_some_and(|l| *l > 0) {
            let value = values.next().ok_or_else(|| ParquetError::General("a column lacks a value".to_owned()))?;
            show(value, &mut to.bytes)?;
        }
        to.ends.push(to.bytes.len());
    }
    Ok(())
}

fn shown(value: impl std::fmt::Display, to: &mut Vec<u8>) -> ParquetResult<()> {
    Ok(write!(to, "{value}")?)
}

fn whole(value: i64, kind: Kind, to: &mut Vec<u8>) -> ParquetResult<()> {
    match kind {
        Kind::Unsigned => shown(value.cast_unsigned(), to),
        Kind::Days => shown(value.saturating_mul(86_400), to),
        Kind::Decimal(scale) => {
            pointed(value < 0, &value.unsigned_abs().to_string(), scale, to);
            Ok(())
        }
        _ => shown(value, to),
    }
}

fn bytes(value: &[u8], kind: Kind, to: &mut Vec<u8>) -> ParquetResult<()> {
    let Kind::Decimal(scale) = kind else {
        std::str::from_utf8(value).map_err(|e| ParquetError::General(format!("a text is not UTF-8: {e}")))?;
        to.extend_from_slice(value);
        return Ok(());
    };
    if value.is_empty() || value.len() > DECIMAL_BYTES {
        return Err(ParquetError::General(format!("a decimal has {} bytes, where 1 to 32 are expected", value.len())));
    }
    let (negative, digits) = digits(value);
    pointed(negative, &digits, scale, to);
    Ok(())
}

/// The sign and the digits of a whole number in two's complement, the highest byte first.
fn digits(value: &[u8]) -> (bool, String) {
    let negative = value.first().is_some_and(|b| b & 0x80 != 0);
    if value.len() <= 16 {
        let mut full = [if negative { 0xff } else { 0 }; 16];
        full[16 - value.len()..].copy_from_slice(value);
        return (negative, i128::from_be_bytes(full).unsigned_abs().to_string());
    }
    let mut magnitude = value.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    // Long division by ten, a digit a round, the lowest first.
    let mut digits = Vec::new();
    while magnitude.iter().any(|b| *b != 0) || digits.is_empty() {
        let rest = magnitude.iter_mut().fold(0u16, |rest, byte| {
            let part = (rest << 8) | u16::from(*byte);
            *byte = (part / 10) as u8;
            part % 10
        });
        digits.push(char::from(b'0' + rest as u8));
    }
    (negative, digits.into_iter().rev().collect())
}

/// Digits with their sign and the decimal point.
fn pointed(negative: bool, digits: &str, scale: usize, to: &mut Vec<u8>) {
    if negative {
        to.push(b'-');
    }
    let before = digits.len().saturating_sub(scale);
    to.extend_from_slice(if before == 0 { b"0" } else { &digits.as_bytes()[..before] });
    if scale > 0 {
        to.push(b'.');
        to.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
        to.extend_from_slice(&digits.as_bytes()[before..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], scale: usize) -> String {
        let mut to = Vec::new();
        super::bytes(bytes, Kind::Decimal(scale), &mut to).expect("a decimal");
        String::from_utf8(to).expect("text")
    }

    #[test]
    fn decimals_of_every_length_are_shown_exactly() {
        assert_eq!(text(&[0xfb], 2), "-0.05");
        assert_eq!(text(&[0x03, 0xe8], 2), "10.00");
        assert_eq!(text(&[5], 8), "0.00000005");
        assert_eq!(text(&[0], 0), "0");
        for number in [0, 1, -1, 10, -10, 255, -256, i128::MAX, i128::MIN] {
            let mut long = vec![if number < 0 { 0xff } else { 0 }; 4];
            long.extend(number.to_be_bytes());
            assert_eq!(text(&number.to_be_bytes(), 0), number.to_string());
            assert_eq!(text(&long, 0), number.to_string());
        }
        let mut lowest = vec![0; 32];
        lowest[0] = 0x80;
        let of_python = "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
        assert_eq!(text(&lowest, 0), of_python);
    }

    #[test]
    fn a_decimal_without_bytes_or_with_too_many_is_refused() {
        for length in [0, 33] {
            let error = bytes(&vec![1; length], Kind::Decimal(0), &mut Vec::new()).expect_err("a refusal").to_string();
            assert!(error.contains(&format!("has {length} bytes")), "{error}");
        }
    }
}
