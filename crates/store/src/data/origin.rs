//! Where a row came from, for messages: its line, and within an import of several files the file. It stands in the last
//! column of a table and is not stored.

use super::schema::WIDTH;
use super::table::Table;

/// Bits of an origin that hold the line; above them stands the number of the file.
const LINE_BITS: u32 = 40;

/// Where a row came from: the line, and within an import of several files the file; zero when it came from the store.
pub(crate) fn origin(table: &Table, row: usize) -> i64 {
    table.get(WIDTH - 1, row).max(0)
}

/// The line a row came from; zero when it came from the store.
pub(crate) fn line(table: &Table, row: usize) -> i64 {
    line_of(origin(table, row))
}

/// Marks all rows as those of a file, by its number from 1 within an import.
pub(crate) fn mark_file(table: &mut Table, file: usize) {
    table.col_mut(WIDTH - 1).iter_mut().for_each(|o| *o = (file as i64) << LINE_BITS | line_of(*o));
}

/// The line of an origin.
pub(crate) fn line_of(origin: i64) -> i64 {
    origin.max(0) & ((1 << LINE_BITS) - 1)
}

/// The number of the file of an origin; zero for the store.
pub(crate) fn file_of(origin: i64) -> i64 {
    origin >> LINE_BITS
}
