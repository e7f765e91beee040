//! Reads the columnar formats: freqtrade's feather (Arrow IPC) and Parquet with the generic column names.
//!
//! Values pass as text: floats as the shortest text that reads back equal, decimals and integers as they are, so that
//! one set of rules judges every format.

use std::io::{BufRead, Cursor};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch, RecordBatchReader, StringArray};
use arrow_schema::{ArrowError, DataType, TimeUnit as ArrowUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::input::unreadable;
use super::plan::{Plan, Role};
use super::rows::Rows;
use super::{ImportSpec, presets};
use crate::data::error::DataError;
use crate::data::time::TimeUnit;

/// Reads a feather file.
pub(super) fn read_feather<'a>(
    path: &'a Path,
    spec: &'a ImportSpec,
    input: &mut dyn BufRead,
) -> Result<Rows<'a>, DataError> {
    let bytes = whole(path, input)?;
    let reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(bytes), None)
        .map_err(|e| not(path, "a feather file", &e))?;
    let names: Vec<String> = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
    let expected = presets::freqtrade().names;
    let plan =
        if names == expected && spec.columns.is_none() { presets::freqtrade() } else { generic(path, spec, names)? };
    batches(path, spec, plan, "a feather file", reader)
}

/// Reads a Parquet file.
pub(super) fn read_parquet<'a>(
    path: &'a Path,
    spec: &'a ImportSpec,
    input: &mut dyn BufRead,
) -> Result<Rows<'a>, DataError> {
    // Parquet is read from its end, so the stream goes through a file without a name.
    let mut file = tempfile::tempfile().map_err(DataError::io("making a temporary file for", path))?;
    std::io::copy(input, &mut file).map_err(|e| unreadable(path, &e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|e| not(path, "a Parquet file", &e))?;
    let names: Vec<String> = RecordBatchReader::schema(&reader).fields().iter().map(|f| f.name().clone()).collect();
    let plan = generic(path, spec, names)?;
    batches(path, spec, plan, "a Parquet file", reader)
}

fn generic(path: &Path, spec: &ImportSpec, names: Vec<String>) -> Result<Plan, DataError> {
    match &spec.columns {
        Some(mapping) => Plan::from_mapping(path, names, mapping, spec.kind),
        None => Plan::from_header(path, names, spec.kind),
    }
}

fn whole(path: &Path, input: &mut dyn BufRead) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    Ok(bytes)
}

fn not(path: &Path, what: &str, error: &dyn std::fmt::Display) -> DataError {
    DataError::file(
        path,
        format!("it cannot be read as {what} ({error})"),
        "pass the right --format, or fetch it again",
    )
}

fn batches<'a>(
    path: &'a Path,
    spec: &'a ImportSpec,
    mut plan: Plan,
    what: &str,
    reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Rows<'a>, DataError> {
    let mut rows: Option<Rows<'a>> = None;
    let mut line = 0;
    for batch in reader {
        let batch = batch.map_err(|e| not(path, what, &e))?;
        if rows.is_none() {
            units(&mut plan, &batch);
        }
        let rows = rows.get_or_insert_with(|| Rows::new(path, spec, plan.clone()));
        let columns: Vec<StringArray> =
            batch.columns().iter().map(|c| texts(path, what, c)).collect::<Result<_, _>>()?;
        let mut fields = vec![String::new(); columns.len()];
        for row in 0..batch.num_rows() {
            for (field, column) in fields.iter_mut().zip(&columns) {
                field.clear();
                if column.is_valid(row) {
                    field.push_str(column.value(row));
                }
            }
            line += 1;
            rows.take(line, fields.as_slice())?;
        }
    }
    rows.filter(|r| r.rows_read > 0).ok_or_else(|| DataError::file(path, "the file has no rows", "fetch it again"))
}

/// Typed times know their unit.
fn units(plan: &mut Plan, batch: &RecordBatch) {
    let unit = |column: Option<usize>| match column.map(|c| batch.column(c).data_type()) {
        Some(DataType::Timestamp(unit, _)) => Some(match unit {
            ArrowUnit::Second => TimeUnit::S,
            ArrowUnit::Millisecond => TimeUnit::Ms,
            ArrowUnit::Microsecond => TimeUnit::Us,
            ArrowUnit::Nanosecond => TimeUnit::Ns,
        }),
        Some(DataType::Date32) => Some(TimeUnit::S),
        Some(DataType::Date64) => Some(TimeUnit::Ms),
        _ => None,
    };
    plan.ts_unit = unit(plan.at(Role::Ts)).or(plan.ts_unit);
    plan.venue_unit = unit(plan.at(Role::TsVenue)).or(plan.venue_unit);
}

/// A column's values as text; nothing where there is none.
fn texts(path: &Path, what: &str, column: &dyn Array) -> Result<StringArray, DataError> {
    let text = match column.data_type() {
        DataType::Float64 => shown::<Float64Type>(column),
        DataType::Float32 => shown::<Float32Type>(column),
        // Days become seconds.
        DataType::Date32 => {
            column.as_primitive::<Date32Type>().iter().map(|v| Some((i64::from(v?) * 86_400).to_string())).collect()
        }
        DataType::Date64 => shown::<Date64Type>(column),
        DataType::Timestamp(ArrowUnit::Second, _) => shown::<TimestampSecondType>(column),
        DataType::Timestamp(ArrowUnit::Millisecond, _) => shown::<TimestampMillisecondType>(column),
        DataType::Timestamp(ArrowUnit::Microsecond, _) => shown::<TimestampMicrosecondType>(column),
        DataType::Timestamp(ArrowUnit::Nanosecond, _) => shown::<TimestampNanosecondType>(column),
        DataType::Int8 => shown::<Int8Type>(column),
        DataType::Int16 => shown::<Int16Type>(column),
        DataType::Int32 => shown::<Int32Type>(column),
        DataType::Int64 => shown::<Int64Type>(column),
        DataType::UInt8 => shown::<UInt8Type>(column),
        DataType::UInt16 => shown::<UInt16Type>(column),
        DataType::UInt32 => shown::<UInt32Type>(column),
        DataType::UInt64 => shown::<UInt64Type>(column),
        DataType::Decimal128(..) => decimals::<Decimal128Type>(column),
        DataType::Decimal256(..) => decimals::<Decimal256Type>(column),
        DataType::Boolean => column.as_boolean().iter().map(|v| Some(v?.to_string())).collect(),
        DataType::Utf8 => column.as_string::<i32>().clone(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().collect(),
        DataType::Utf8View => column.as_string_view().iter().collect(),
        DataType::Null => StringArray::new_null(column.len()),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let values = texts(path, what, dictionary.values())?;
            if values.is_empty() {
                return Ok(StringArray::new_null(column.len()));
            }
            let of = |(row, key): (usize, usize)| {
                (dictionary.is_valid(row) && values.is_valid(key)).then(|| values.value(key).to_owned())
            };
            dictionary.normalized_keys().into_iter().enumerate().map(of).collect()
        }
        other => {
            return Err(not(
                path,
                what,
                &format!("a column is of type {other}, which is neither number, text nor time"),
            ));
        }
    };
    Ok(text)
}

fn shown<T: ArrowPrimitiveType<Native: std::fmt::Display>>(column: &dyn Array) -> StringArray {
    column.as_primitive::<T>().iter().map(|v| Some(v?.to_string())).collect()
}

fn decimals<T: DecimalType>(column: &dyn Array) -> StringArray {
    let decimals = column.as_primitive::<T>();
    (0..decimals.len()).map(|row| decimals.is_valid(row).then(|| decimals.value_as_string(row))).collect()
}
