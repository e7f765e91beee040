//! Reads the columnar formats: freqtrade's feather (Arrow IPC) and Parquet with the generic column names.
//!
//! Values pass as text: floats as the shortest text that reads back equal, decimals and integers as they are, so that
//! one set of rules judges every format.

use std::io::{BufRead, Cursor};
use std::path::Path;

use arrow::array::{Array, RecordBatch, RecordBatchReader, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit as ArrowUnit};
use arrow::error::ArrowError;
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
    let reader = arrow::ipc::reader::FileReader::try_new(Cursor::new(bytes), None)
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

fn texts(path: &Path, what: &str, column: &dyn Array) -> Result<StringArray, DataError> {
    let unusable = |e: ArrowError| not(path, what, &e);
    let column = match column.data_type() {
        DataType::Float64 => {
            let floats = arrow::array::cast::as_primitive_array::<arrow::datatypes::Float64Type>(column);
            return Ok(floats.iter().map(|v| v.map(|v| v.to_string())).collect());
        }
        DataType::Float32 => {
            let floats = arrow::array::cast::as_primitive_array::<arrow::datatypes::Float32Type>(column);
            return Ok(floats.iter().map(|v| v.map(|v| v.to_string())).collect());
        }
        DataType::Date32 => {
            // Days become seconds.
            let days = cast(column, &DataType::Int32).map_err(unusable)?;
            let days = arrow::array::cast::as_primitive_array::<arrow::datatypes::Int32Type>(&days);
            return Ok(days.iter().map(|v| v.map(|v| (i64::from(v) * 86_400).to_string())).collect());
        }
        DataType::Timestamp(..) | DataType::Date64 => cast(column, &DataType::Int64).map_err(unusable)?,
        _ => cast(column, &DataType::Utf8).map_err(unusable)?,
    };
    let text = cast(&column, &DataType::Utf8).map_err(unusable)?;
    Ok(arrow::array::cast::as_string_array(&text).clone())
}
