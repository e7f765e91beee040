//! One Parquet file of rows: how it is written and read.
//!
//! Prices and quantities are `DECIMAL(18, scale)` on `INT64`, times `TIMESTAMP(NANOS, UTC)`, all delta-encoded and
//! zstd-1: any Parquet reader understands them, and this one reads the integers without a conversion per value.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::error::DataError;
use super::schema::{Column, NULL, TS, Unit, WIDTH, columns};
use super::table::Table;
use crate::market::Kind;

/// Rows in a row group: the unit of pruning by time.
const GROUP_ROWS: usize = 131_072;

/// Rows read at a time.
pub(crate) const CHUNK_ROWS: usize = 32_768;

fn parquet_type(column: &Column, scale: u8) -> String {
    let repetition = if column.required { "required" } else { "optional" };
    let (physical, logical) = match column.unit {
        Unit::Time => ("int64", " (TIMESTAMP(NANOS,true))".to_owned()),
        Unit::Price | Unit::Qty | Unit::Rate => ("int64", format!(" (DECIMAL(18,{scale}))")),
        Unit::Int => ("int64", String::new()),
        Unit::Float => ("double", String::new()),
        Unit::Text => ("byte_array", " (UTF8)".to_owned()),
    };
    format!("{repetition} {physical} {}{logical};", column.name)
}

/// Writes whole tables into one Parquet file, row groups as they come.
pub(crate) struct RowWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    path: PathBuf,
    present: Vec<usize>,
}

impl<W: Write + Send> RowWriter<W> {
    /// A file for the columns `present`, at the scales of `like`.
    pub(crate) fn new(path: &Path, out: W, like: &Table, present: Vec<usize>) -> Result<Self, DataError> {
        let schema = like.schema();
        let fields: Vec<String> =
            present.iter().map(|c| parquet_type(&schema[*c], like.scale_of(schema[*c].unit))).collect();
        let message = format!("message rows {{ {} }}", fields.join(" "));
        let message = parse_message_type(&message).map_err(|e| DataError::damaged(path, e))?;
        let zstd = ZstdLevel::try_new(1).map_err(|e| DataError::damaged(path, e))?;
        let mut properties = WriterProperties::builder()
            .set_created_by("bellwether".to_owned())
            .set_compression(Compression::ZSTD(zstd))
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_statistics_enabled(ColumnPath::from(schema[TS].name), EnabledStatistics::Chunk)
            .set_offset_index_disabled(true);
        for column in present.iter().map(|c| &schema[*c]) {
            if !matches!(column.unit, Unit::Float | Unit::Text) {
                properties =
                    properties.set_column_encoding(ColumnPath::from(column.name), Encoding::DELTA_BINARY_PACKED);
            }
        }
        let writer = SerializedFileWriter::new(out, Arc::new(message), Arc::new(properties.build()))
            .map_err(|e| DataError::damaged(path, e))?;
        Ok(Self { writer, path: path.to_owned(), present })
    }

    /// Appends all rows of a table.
    pub(crate) fn write(&mut self, table: &Table) -> Result<(), DataError> {
        let mut start = 0;
        while start < table.len() {
            let rows = start..(start + GROUP_ROWS).min(table.len());
            start = rows.end;
            let mut group = self.writer.next_row_group().map_err(|e| written(&self.path, e))?;
            for c in &self.present {
                write_column(&mut group, table, *c, rows.clone()).map_err(|e| written(&self.path, e))?;
            }
            group.close().map_err(|e| written(&self.path, e))?;
        }
        Ok(())
    }

    /// Ends the file and hands back what it was written to.
    pub(crate) fn finish(self) -> Result<W, DataError> {
        let path = self.path;
        self.writer.into_inner().map_err(|e| written(&path, e))
    }
}

/// A failed write is the system's refusal (a full disk), not damage.
fn written(path: &Path, error: ParquetError) -> DataError {
    let source = match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => *io,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    };
    DataError::Io { what: "writing", path: path.to_owned(), source }
}

/// The columns that must be written: the required ones and those with a value.
pub(crate) fn present_columns(table: &Table) -> Vec<usize> {
    let has = |c: usize| table.schema()[c].required || table.col(c).iter().any(|v| *v != NULL);
    (0..table.schema().len()).filter(|c| has(*c)).collect()
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    table: &Table,
    c: usize,
    rows: std::ops::Range<usize>,
) -> parquet::errors::Result<()> {
    let column = &table.schema()[c];
    let mut writer =
        group.next_column()?.ok_or_else(|| ParquetError::General("fewer columns than the schema has".to_owned()))?;
    let values = |r: std::ops::Range<usize>| table.col(c).get(r).unwrap_or_default();
    let levels: Option<Vec<i16>> = (!column.required).then(|| match values(rows.clone()) {
        [] => vec![0; rows.len()],
        some => some.iter().map(|v| i16::from(*v != NULL)).collect(),
    });
    let levels = levels.as_deref();
    match column.unit {
        Unit::Float => {
            let some: Vec<f64> =
                values(rows).iter().filter(|v| **v != NULL).map(|v| f64::from_bits(*v as u64)).collect();
            writer.typed::<DoubleType>().write_batch(&some, levels, None)?;
        }
        Unit::Text => {
            let text = |v: &i64| ByteArray::from(table.texts()[*v as usize].as_str());
            let some: Vec<ByteArray> = values(rows).iter().filter(|v| **v != NULL).map(text).collect();
            writer.typed::<ByteArrayType>().write_batch(&some, levels, None)?;
        }
        _ if levels.is_some() => {
            let some: Vec<i64> = values(rows).iter().copied().filter(|v| *v != NULL).collect();
            writer.typed::<Int64Type>().write_batch(&some, levels, None)?;
        }
        _ => {
            writer.typed::<Int64Type>().write_batch(values(rows), None, None)?;
        }
    }
    writer.close()
}

enum Decoder {
    Int(ColumnReaderImpl<Int64Type>),
    Float(ColumnReaderImpl<DoubleType>),
    Text(ColumnReaderImpl<ByteArrayType>),
}

/// Reads chosen columns of one file in chunks, skipping row groups outside a range of time.
pub(crate) struct RowReader {
    path: PathBuf,
    kind: Kind,
    file: SerializedFileReader<File>,
    leaves: Vec<Option<usize>>,
    groups: std::vec::IntoIter<usize>,
    open: Vec<Option<Decoder>>,
    left: usize,
    levels: Vec<i16>,
    values: Vec<i64>,
    /// Texts of the last chunk; the text column indexes into them.
    pub(crate) texts: Vec<String>,
}

impl RowReader {
    /// Opens a file to read the columns for which `want` is true, in row groups that touch `[from, to)`.
    pub(crate) fn open(
        path: &Path,
        kind: Kind,
        want: impl Fn(usize) -> bool,
        from: i64,
        to: i64,
    ) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io("opening", path))?;
        let file = SerializedFileReader::new(file).map_err(|e| DataError::damaged(path, e))?;
        let descr = file.metadata().file_metadata().schema_descr();
        let leaf = |name: &str| descr.columns().iter().position(|c| c.name() == name);
        let mut leaves = vec![None; WIDTH];
        for (c, column) in columns(kind).iter().enumerate() {
            let found = leaf(column.name);
            if found.is_none() && column.required {
                return Err(DataError::damaged(path, format!("it has no column {:?}", column.name)));
            }
            if let Some(index) = found {
                let physical = descr.column(index).physical_type();
                let (expected, optional) = (physical_of(column.unit), !column.required);
                if physical != expected || (descr.column(index).max_def_level() > 0) != optional {
                    return Err(DataError::damaged(path, format!("its column {:?} is {physical}", column.name)));
                }
            }
            leaves[c] = found.filter(|_| want(c));
        }
        let ts_leaf = leaf(columns(kind)[TS].name).unwrap_or(0);
        let touches = |g: &usize| group_touches(file.metadata().row_group(*g), ts_leaf, from, to);
        let groups: Vec<usize> = (0..file.num_row_groups()).filter(touches).collect();
        Ok(Self {
            path: path.to_owned(),
            kind,
            leaves,
            groups: groups.into_iter(),
            open: Vec::new(),
            left: 0,
            levels: Vec::new(),
            values: Vec::new(),
            texts: Vec::new(),
            file,
        })
    }

    /// Whether the file has a column that is read.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.leaves[column].is_some()
    }

    /// Reads the next rows into `out`, one vector per column of the schema (empty: no value); 0 at the end.
    pub(crate) fn next(&mut self, out: &mut Vec<Vec<i64>>) -> Result<usize, DataError> {
        out.resize_with(WIDTH, Vec::new);
        out.iter_mut().for_each(Vec::clear);
        self.texts.clear();
        if self.left == 0 && !self.open_group().map_err(|e| DataError::damaged(&self.path, e))? {
            return Ok(0);
        }
        let count = self.left.min(CHUNK_ROWS);
        for (c, to) in out.iter_mut().enumerate() {
            let required = columns(self.kind).get(c).is_some_and(|column| column.required);
            let Some(decoder) = self.open[c].as_mut() else { continue };
            let read = match decoder {
                Decoder::Int(r) if required => read_all(r, count, to),
                Decoder::Int(r) => {
                    let read = read_some(r, count, &mut self.levels, &mut self.values);
                    spread(&self.levels, self.values.drain(..), to);
                    read
                }
                Decoder::Float(r) => {
                    let mut floats: Vec<f64> = Vec::with_capacity(count);
                    let read = read_some(r, count, &mut self.levels, &mut floats);
                    spread(&self.levels, floats.into_iter().map(|v| v.to_bits() as i64), to);
                    read
                }
                Decoder::Text(r) => {
                    let mut texts: Vec<ByteArray> = Vec::with_capacity(count);
                    let read = read_some(r, count, &mut self.levels, &mut texts);
                    let kept = texts.len() as i64;
                    self.texts.extend(texts.iter().map(|t| String::from_utf8_lossy(t.data()).into_owned()));
                    spread(&self.levels, 0..kept, to);
                    read
                }
            };
            let read = read.map_err(|e| DataError::damaged(&self.path, e))?;
            if read != count {
                return Err(DataError::damaged(&self.path, format!("a column ends {} rows early", count - read)));
            }
        }
        self.left -= count;
        Ok(count)
    }

    fn open_group(&mut self) -> parquet::errors::Result<bool> {
        let Some(index) = self.groups.next() else { return Ok(false) };
        let group = self.file.get_row_group(index)?;
        self.left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.open.clear();
        for leaf in &self.leaves {
            self.open.push(match leaf.map(|l| group.get_column_reader(l)).transpose()? {
                Some(ColumnReader::Int64ColumnReader(r)) => Some(Decoder::Int(r)),
                Some(ColumnReader::DoubleColumnReader(r)) => Some(Decoder::Float(r)),
                Some(ColumnReader::ByteArrayColumnReader(r)) => Some(Decoder::Text(r)),
                _ => None,
            });
        }
        Ok(self.left > 0)
    }
}

fn physical_of(unit: Unit) -> parquet::basic::Type {
    match unit {
        Unit::Float => parquet::basic::Type::DOUBLE,
        Unit::Text => parquet::basic::Type::BYTE_ARRAY,
        _ => parquet::basic::Type::INT64,
    }
}

fn group_touches(group: &RowGroupMetaData, leaf: usize, from: i64, to: i64) -> bool {
    match group.column(leaf).statistics() {
        Some(Statistics::Int64(s)) => match (s.min_opt(), s.max_opt()) {
            (Some(min), Some(max)) => *max >= from && *min < to,
            _ => true,
        },
        _ => true,
    }
}

fn read_all(
    reader: &mut ColumnReaderImpl<Int64Type>,
    count: usize,
    to: &mut Vec<i64>,
) -> parquet::errors::Result<usize> {
    to.reserve(count);
    while to.len() < count {
        let (records, ..) = reader.read_records(count - to.len(), None, None, to)?;
        if records == 0 {
            break;
        }
    }
    Ok(to.len())
}

fn read_some<T: parquet::data_type::DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> parquet::errors::Result<usize> {
    levels.clear();
    values.clear();
    while levels.len() < count {
        let (records, ..) = reader.read_records(count - levels.len(), Some(levels), None, values)?;
        if records == 0 {
            break;
        }
    }
    Ok(levels.len())
}

fn spread(levels: &[i16], mut values: impl Iterator<Item = i64>, to: &mut Vec<i64>) {
    to.extend(levels.iter().map(|l| if *l > 0 { values.next().unwrap_or(NULL) } else { NULL }));
}
