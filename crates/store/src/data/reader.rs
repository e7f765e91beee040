//! Reads rows of a series as tables, with every column: for check, show, resample and export. Streams of events for
//! the engine are the business of `source`.

use std::path::{Path, PathBuf};

use super::error::DataError;
use super::file::RowReader;
use super::manifest::FileEntry;
use super::schema::{Unit, WIDTH};
use super::table::Table;
use crate::market::Kind;

/// Rows of one series in order of time, a chunk at a time, all at the finest scales of its files.
pub(crate) struct SeriesReader {
    kind: Kind,
    scales: (u8, u8),
    from: i64,
    to: i64,
    files: std::vec::IntoIter<(PathBuf, (u8, u8))>,
    open: Option<(RowReader, PathBuf, (u8, u8))>,
}

impl SeriesReader {
    /// Rows of `[from, to)` in files in order of time.
    pub(crate) fn new(dir: &Path, kind: Kind, files: &[&FileEntry], from: i64, to: i64) -> Self {
        let finest = |f: fn(&FileEntry) -> u8| files.iter().map(|e| f(e)).max().unwrap_or(0);
        let scales = (finest(|f| f.price_scale), finest(|f| f.qty_scale));
        let files: Vec<_> = files.iter().map(|f| (dir.join(&f.path), (f.price_scale, f.qty_scale))).collect();
        Self { kind, scales, from, to, files: files.into_iter(), open: None }
    }

    /// Price and quantity scale of every table.
    pub(crate) fn scales(&self) -> (u8, u8) {
        self.scales
    }

    /// The columns that any of the files has.
    pub(crate) fn present(&self) -> Result<Vec<usize>, DataError> {
        let mut present = [false; WIDTH];
        for (path, _) in self.files.as_slice() {
            let file = RowReader::open(path, self.kind, |_| true, self.from, self.to)?;
            present.iter_mut().enumerate().for_each(|(c, p)| *p |= file.has(c));
        }
        Ok((0..WIDTH).filter(|c| present[*c]).collect())
    }

    /// The next rows; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Table>, DataError> {
        loop {
            let Some((reader, path, scales)) = &mut self.open else {
                let Some((path, scales)) = self.files.next() else { return Ok(None) };
                let reader = RowReader::open(&path, self.kind, |_| true, self.from, self.to)?;
                self.open = Some((reader, path, scales));
                continue;
            };
            let mut cols = Vec::new();
            let rows = reader.next(&mut cols)?;
            if rows == 0 {
                self.open = None;
                continue;
            }
            let mut table = Table::from_columns(self.kind, *scales, rows, cols, std::mem::take(&mut reader.texts));
            let within = table.rows_within(self.from, self.to);
            if within.is_empty() {
                continue;
            }
            if within.len() < rows {
                table = table.slice(within);
            }
            for (unit, scale) in [(Unit::Price, self.scales.0), (Unit::Qty, self.scales.1)] {
                table.raise(unit, scale).map_err(|_| DataError::damaged(path, "a number is wider than 18 digits"))?;
            }
            return Ok(Some(table));
        }
    }
}
