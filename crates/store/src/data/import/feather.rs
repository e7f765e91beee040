//! Reads freqtrade's feather (Arrow IPC).
//!
//! Values pass as text: floats as the shortest text that reads back equal, decimals and integers as they are, so that
//! one set of rules judges every format.

use std::io::{BufRead, Cursor};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, TimeUnit as ArrowUnit};

use super::columnar::{generic, no_rows, not};
use super::input::unreadable;
use super::plan::{Plan, Role};
use super::rows::Rows;
use super::{ImportSpec, presets};
use crate::data::error::DataError;
use crate::data::time::TimeUnit;

const WHAT: &str = "a feather file";

/// Reads a feather file.
pub(super) fn read<'a>(path: &'a Path, spec: &'a ImportSpec, input: &mut dyn BufRead) -> Result<Rows<'a>, DataError> {
    let bytes = whole(path, input)?;
    let reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(bytes), None).map_err(|e| not(path, WHAT, &e))?;
    let names: Vec<String> = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
    let expected = presets::freqtrade().names;
    let plan =
        if names == expected && spec.columns.is_none() { presets::freqtrade() } else { generic(path, spec, names)? };
    batches(path, spec, plan, reader)
}

fn whole(path: &Path, input: &mut dyn BufRead) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    Ok(bytes)
}

fn batches<'a>(
    path: &'a Path,
    spec: &'a ImportSpec,
    mut plan: Plan,
    reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Rows<'a>, DataError> {
    let mut rows: Option<Rows<'a>> = None;
    let mut line = 0;
    for batch in reader {
        let batch = batch.map_err(|e| not(path, WHAT, &e))?;
        if rows.is_none() {
            units(&mut plan, &batch);
        }
        let rows = rows.get_or_insert_with(|| Rows::new(path, spec, plan.clone()));
        let columns: Vec<StringArray> = batch.columns().iter().map(|c| texts(path, c)).collect::<Result<_, _>>()?;
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
    rows.filter(|r| r.rows_read > 0).ok_or_else(|| no_rows(path))
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
fn texts(path: &Path, column: &dyn Array) -> Result<StringArray, DataError> {
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
            let values = texts(path, dictionary.values())?;
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
                WHAT,
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
