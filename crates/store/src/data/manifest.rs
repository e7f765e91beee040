//! The manifest: what the catalog holds. Its rename is what commits a change, so a crash leaves the store as it was.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use bellwether_sdk::Symbol;
use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::findings::Finding;
use super::time::ns_text;
use crate::market::Kind;

/// The manifest's name in the catalog.
pub(crate) const MANIFEST: &str = "_manifest.json";

const SCHEMA_VERSION: u32 = 1;

/// All series of a catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    pub(crate) series: Vec<SeriesEntry>,
}

/// One kind of data of one instrument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SeriesEntry {
    pub(crate) symbol: Symbol,
    pub(crate) kind: Kind,
    pub(crate) sources: Vec<SourceEntry>,
    pub(crate) files: Vec<FileEntry>,
}

/// One month of a series.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Path within the catalog, with `/`.
    pub(crate) path: String,
    /// The UTC month, `2024-01`.
    pub(crate) month: String,
    pub(crate) rows: u64,
    #[serde(with = "ns_text")]
    pub(crate) first_ts: i64,
    #[serde(with = "ns_text")]
    pub(crate) last_ts: i64,
    pub(crate) price_scale: u8,
    pub(crate) qty_scale: u8,
    /// Whether any row has a quantity: without one the scale says nothing.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub(crate) qty_seen: bool,
    /// Canonical hash of the rows, see `Table::hash`.
    pub(crate) row_hash: String,
    pub(crate) bytes: u64,
    /// Indices into the series' sources.
    pub(crate) sources: Vec<usize>,
}

/// Manifests of before did not say it.
fn yes() -> bool {
    true
}

/// A file that was imported.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SourceEntry {
    /// Its name, without folders.
    pub(crate) name: String,
    /// SHA-256 of its content, decompressed.
    pub(crate) sha256: String,
    /// How it was read.
    pub(crate) format: String,
    /// The settings that change what is read from it.
    pub(crate) options: String,
    /// Rows it has for this series.
    pub(crate) rows: u64,
    #[serde(with = "ns_text")]
    pub(crate) first_ts: i64,
    #[serde(with = "ns_text")]
    pub(crate) last_ts: i64,
    /// What was odd in it.
    pub(crate) findings: Vec<Finding>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, series: Vec::new() }
    }
}

impl Manifest {
    /// Reads a catalog's manifest, `None` when there is none.
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, DataError> {
        let path = dir.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(DataError::io("reading", &path)(e)),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|e| DataError::damaged(&path, e))?;
        if manifest.schema_version != SCHEMA_VERSION {
            return Err(DataError::Damaged {
                found: format!("schema_version is {}, this program knows {SCHEMA_VERSION}", manifest.schema_version),
                remedy: "use the version of the program that wrote it".to_owned(),
                path,
            });
        }
        // A path that leads out of the catalog is no file of it, whoever wrote the manifest.
        let outside =
            |f: &&FileEntry| Path::new(&f.path).components().any(|c| !matches!(c, std::path::Component::Normal(_)));
        if let Some(file) = manifest.series.iter().flat_map(|s| &s.files).find(outside) {
            return Err(DataError::damaged(&path, format!("{:?} is not a path within the catalog", file.path)));
        }
        Ok(Some(manifest))
    }

    /// Writes the manifest under a temporary name, syncs and renames it.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), DataError> {
        let path = dir.join(MANIFEST);
        let temporary = dir.join(format!("{MANIFEST}.tmp"));
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| DataError::damaged(&path, e))?;
        text.push(b'\n');
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            sync_dir(dir);
            Ok(())
        };
        write().map_err(|e| {
            // The rename did not happen: what was written is only litter.
            let _ = std::fs::remove_file(&temporary);
            DataError::io("writing", &path)(e)
        })
    }

    pub(crate) fn find(&self, symbol: &Symbol, kind: Kind) -> Option<&SeriesEntry> {
        self.series.iter().find(|s| s.symbol == *symbol && s.kind == kind)
    }
}

/// Makes renames in a folder durable, where the system can.
pub(crate) fn sync_dir(dir: &Path) {
    if let Ok(handle) = File::open(dir) {
        // Not every file system syncs folders; the data itself is synced already.
        let _ = handle.sync_all();
    }
}
