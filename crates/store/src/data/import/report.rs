//! What an import tells of itself.

use bellwether_sdk::Symbol;
use schemars::JsonSchema;
use serde::Serialize;

use crate::data::findings::Finding;
use crate::data::time::Stamp;
use crate::market::Kind;

/// What an import did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ImportReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The instrument.
    #[schemars(with = "String")]
    pub symbol: Symbol,
    /// One entry per file, in the order given.
    pub files: Vec<FileReport>,
    /// What is odd only between rows of different files, and between them and what is stored: gaps, overlaps, repeats,
    /// broken sequences. One entry per kind of data in which anything is.
    pub seams: Vec<Seams>,
    /// Rows added to the catalog.
    pub rows_added: u64,
    /// Whether the catalog is as it was before.
    pub unchanged: bool,
}

/// What is odd where files of one kind of data meet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Seams {
    /// The kind of data.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// What is odd; places are of the rows that were imported.
    pub findings: Vec<Finding>,
}

/// What an import found in one file and did with it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FileReport {
    /// The file's name.
    pub name: String,
    /// What its rows are.
    #[schemars(with = "String")]
    pub kind: Kind,
    /// SHA-256 of its content, decompressed.
    pub sha256: String,
    /// Data rows in it.
    pub rows_read: u64,
    /// Rows of other instruments, or that are no market trades: left out.
    pub rows_skipped: u64,
    /// Exact repeats within the file of rows that have a key: stored once.
    pub rows_repeated: u64,
    /// Rows added to the catalog.
    pub rows_added: u64,
    /// Rows that the catalog already had.
    pub rows_known: u64,
    /// Whether this very content had been imported before.
    pub known: bool,
    /// Time of its first row.
    pub first: Stamp,
    /// Time of its last row.
    pub last: Stamp,
    /// Columns of its header that nothing was made of; empty where the columns were named or its format has them all.
    pub columns_unused: Vec<String>,
    /// Whether it has bars and none of them a volume.
    pub no_volume: bool,
    /// What is odd in it.
    pub findings: Vec<Finding>,
}
