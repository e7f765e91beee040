//! What can go wrong in this room: writing a report, reading a stored run, finding one.

use std::path::{Path, PathBuf};

/// A report could not be made, stored or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in `writing`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A stored run cannot be read.
    #[error("reading {}: {why}; the run is damaged, remove its folder or repeat it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A document of another layout.
    #[error("reading {}: schema_version {found}, this version reads {readable}; use the version that wrote it", path.display())]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// The layout it has.
        found: u64,
        /// The layout read here.
        readable: u32,
    },
    /// A run's id is no plain folder name.
    #[error("{id:?} is not a run id: use letters, digits, '-' and '_', at most 96")]
    BadId {
        /// What was given.
        id: String,
    },
    /// A run of this id is stored already.
    #[error("storing run {id}: {} exists; a run is never overwritten", path.display())]
    Exists {
        /// The id.
        id: String,
        /// Its folder.
        path: PathBuf,
    },
    /// No stored run fits what was asked for.
    #[error("no run {asked:?} among the {stored} in {}; `runs list` shows them", folder.display())]
    NoRun {
        /// What was asked for.
        asked: String,
        /// How many there are.
        stored: usize,
        /// Where they are.
        folder: PathBuf,
    },
    /// Several stored runs begin with what was asked for.
    #[error("{asked:?} is the beginning of {} runs ({}); give more of the id", found.len(), found.join(", "))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The ids that begin so.
        found: Vec<String>,
    },
    /// A value of a document is not what its column holds.
    #[error("exporting {column} of row {row}: {value:?} is no {wanted}; the document is damaged")]
    BadValue {
        /// The column.
        column: String,
        /// The row, from 1.
        row: usize,
        /// What was found.
        value: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// CSV could not be written.
    #[error("writing CSV: {0}")]
    Csv(#[from] csv::Error),
    /// Parquet could not be written.
    #[error("writing Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// JSON could not be written.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl ReportError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
