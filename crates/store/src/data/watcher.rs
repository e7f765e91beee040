//! Who watches a long work on what is stored: hears how far it is, and may ask it to stop.

use std::sync::atomic::{AtomicBool, Ordering};

use super::error::DataError;
use super::import::Progress;
use super::manifest::FileEntry;

/// Hears of a long work, and may end it.
pub struct Watcher<'a> {
    stop: &'a AtomicBool,
    progress: Option<&'a mut dyn FnMut(Progress)>,
    rows: u64,
    rows_total: u64,
    bytes_total: u64,
}

impl<'a> Watcher<'a> {
    /// Hears nothing; the work ends when the flag is set.
    pub fn silent(stop: &'a AtomicBool) -> Self {
        Self { stop, progress: None, rows: 0, rows_total: 0, bytes_total: 0 }
    }

    /// Is told how far the work is, in bytes of the files that it reads; the work ends when the flag is set.
    pub fn new(stop: &'a AtomicBool, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress: Some(progress), ..Self::silent(stop) }
    }

    /// The flag that ends the work.
    pub(crate) fn stop(&self) -> &'a AtomicBool {
        self.stop
    }

    /// The work reads these files.
    pub(crate) fn begin<'f>(&mut self, files: impl Iterator<Item = &'f FileEntry>) {
        (self.rows, self.rows_total, self.bytes_total) = (0, 0, 0);
        for file in files {
            self.rows_total += file.rows;
            self.bytes_total += file.bytes;
        }
        self.tell();
    }

    /// So many rows more are read.
    ///
    /// # Errors
    /// [`DataError::Interrupted`] when the work is to end.
    pub(crate) fn step(&mut self, rows: usize) -> Result<(), DataError> {
        self.rows += rows as u64;
        self.tell();
        if self.stop.load(Ordering::Relaxed) { Err(DataError::Interrupted) } else { Ok(()) }
    }

    fn tell(&mut self) {
        let Some(progress) = &mut self.progress else { return };
        let part = u128::from(self.bytes_total) * u128::from(self.rows.min(self.rows_total));
        let bytes = part / u128::from(self.rows_total.max(1));
        progress(Progress { bytes: u64::try_from(bytes).unwrap_or(self.bytes_total), total: self.bytes_total });
    }
}
