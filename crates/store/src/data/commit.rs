//! Changes to a catalog: new files under new names, synced, then the manifest's rename, which commits them all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bellwether_sdk::Symbol;

use super::catalog::{Catalog, SeriesInfo};
use super::error::DataError;
use super::file::{RowWriter, present_columns};
use super::lock::WriteLock;
use super::manifest::{FileEntry, Manifest, SeriesEntry, SourceEntry, sync_dir};
use super::table::Table;
use super::time::Month;
use crate::market::Kind;

/// New content of a series: whole months, and the sources it is made of.
pub(crate) struct SeriesChange {
    pub(crate) symbol: Symbol,
    pub(crate) kind: Kind,
    /// The months that change, each with the indices of its sources.
    pub(crate) months: BTreeMap<Month, (Table, BTreeSet<usize>)>,
    /// All sources of the series after the change.
    pub(crate) sources: Vec<SourceEntry>,
    /// Whether months not named go.
    pub(crate) replace: bool,
}

impl Catalog {
    /// Takes the right to write, reads the manifest anew and removes what a crash may have left.
    pub(crate) fn lock(&mut self) -> Result<WriteLock, DataError> {
        let lock = WriteLock::take(&self.dir)?;
        self.manifest = Manifest::load(&self.dir)?.unwrap_or_default();
        Ok(lock)
    }

    /// Makes changes to series, all of them or nothing; nothing when it is stopped before the last file is written. The
    /// caller holds the lock.
    pub(crate) fn commit(
        &mut self,
        changes: Vec<SeriesChange>,
        _lock: &WriteLock,
        stop: Option<&AtomicBool>,
    ) -> Result<(), DataError> {
        let mut manifest = self.manifest.clone();
        let mut fresh = FreshFiles::default();
        let mut stale = Vec::new();
        for change in changes {
            self.stage(change, &mut manifest, &mut fresh, &mut stale, stop)?;
        }
        if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(DataError::Interrupted);
        }
        manifest.series.sort_by(|a, b| (&a.symbol, a.kind).cmp(&(&b.symbol, b.kind)));
        manifest.save(&self.dir)?;
        fresh.keep();
        self.manifest = manifest;
        let named: BTreeSet<&str> =
            self.manifest.series.iter().flat_map(|s| &s.files).map(|f| f.path.as_str()).collect();
        for path in stale.iter().filter(|p| !named.contains(p.as_str())) {
            // The manifest no longer names it; a leftover would be swept at the next import.
            let _ = std::fs::remove_file(self.dir.join(path));
        }
        Ok(())
    }

    /// Removes a series: the manifest forgets it, then its files go. Gives what it was.
    ///
    /// # Errors
    /// [`DataError::NoSeries`]; [`DataError::Locked`] while another writes.
    pub fn remove(&mut self, symbol: &Symbol, kind: Kind) -> Result<SeriesInfo, DataError> {
        let _lock = self.lock()?;
        let info = self.find(symbol, kind).ok_or_else(|| self.no_series(symbol, kind))?;
        let mut manifest = self.manifest.clone();
        manifest.series.retain(|s| s.symbol != *symbol || s.kind != kind);
        manifest.save(&self.dir)?;
        self.manifest = manifest;
        let folder = self.dir.join(series_folder(symbol, kind));
        sweep(&folder, &self.dir, &[]);
        for dir in folder.ancestors().take_while(|a| *a != self.dir) {
            // Those that hold something else stay.
            let _ = std::fs::remove_dir(dir);
        }
        Ok(info)
    }

    /// Writes the files of one change and puts them into the manifest to be.
    fn stage(
        &self,
        change: SeriesChange,
        manifest: &mut Manifest,
        fresh: &mut FreshFiles,
        stale: &mut Vec<String>,
        stop: Option<&AtomicBool>,
    ) -> Result<(), DataError> {
        let at = manifest.series.iter().position(|s| s.symbol == change.symbol && s.kind == change.kind);
        let mut entry = at.map_or_else(
            || SeriesEntry { symbol: change.symbol.clone(), kind: change.kind, sources: Vec::new(), files: Vec::new() },
            |i| manifest.series.remove(i),
        );
        let folder = series_folder(&change.symbol, change.kind);
        sweep(&self.dir.join(&folder), &self.dir, &entry.files);
        let taken: BTreeSet<String> = entry.files.iter().map(|f| f.path.clone()).collect();
        if change.replace {
            stale.extend(entry.files.drain(..).map(|f| f.path));
        }
        for (month, (mut table, sources)) in change.months {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(DataError::Interrupted);
            }
            table.reduce_scales();
            let name = month.to_string();
            if let Some(i) = entry.files.iter().position(|f| f.month == name) {
                stale.push(entry.files.remove(i).path);
            }
            entry.files.push(self.write_month(&folder, &name, &table, sources, &taken, fresh)?);
        }
        entry.files.sort_by_key(|f| f.first_ts);
        entry.sources = change.sources;
        manifest.series.push(entry);
        Ok(())
    }

    fn write_month(
        &self,
        folder: &str,
        month: &str,
        table: &Table,
        sources: BTreeSet<usize>,
        taken: &BTreeSet<String>,
        fresh: &mut FreshFiles,
    ) -> Result<FileEntry, DataError> {
        let row_hash = table.hash();
        // A month that changes gets a new name: the old file counts until the manifest says otherwise.
        let mut relative = format!("{folder}/{month}.parquet");
        let mut digits = 8;
        while taken.contains(&relative) && digits <= row_hash.len() {
            relative = format!("{folder}/{month}-{}.parquet", &row_hash[..digits]);
            digits += 1;
        }
        let path = self.dir.join(&relative);
        let temporary = path.with_extension("parquet.tmp");
        fresh.make_dirs(&self.dir, &self.dir.join(folder))?;
        fresh.files.push(temporary.clone());
        let file = File::create(&temporary).map_err(DataError::io("writing", &temporary))?;
        let mut writer = RowWriter::new(&temporary, BufWriter::new(file), table, present_columns(table))?;
        writer.write(table)?;
        let mut out = writer.finish()?;
        out.flush().map_err(DataError::io("writing", &temporary))?;
        let file = out.into_inner().map_err(|e| DataError::io("writing", &temporary)(e.into_error()))?;
        file.sync_all().map_err(DataError::io("writing", &temporary))?;
        let bytes = file.metadata().map_err(DataError::io("writing", &temporary))?.len();
        std::fs::rename(&temporary, &path).map_err(DataError::io("writing", &path))?;
        fresh.files.push(path);
        sync_dir(&self.dir.join(folder));
        let (first_ts, last_ts) = table.span().unwrap_or((0, 0));
        let (price_scale, qty_scale) = table.scales();
        Ok(FileEntry {
            path: relative,
            month: month.to_owned(),
            rows: table.len() as u64,
            first_ts,
            last_ts,
            price_scale,
            qty_scale,
            qty_seen: table.has_qty(),
            row_hash,
            bytes,
            sources: sources.into_iter().collect(),
        })
    }
}

/// Files and folders of a change that is not committed yet: removed again unless kept.
#[derive(Default)]
struct FreshFiles {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
}

impl FreshFiles {
    fn make_dirs(&mut self, root: &Path, dir: &Path) -> Result<(), DataError> {
        let missing: Vec<PathBuf> =
            dir.ancestors().take_while(|a| *a != root && !a.exists()).map(Path::to_owned).collect();
        self.dirs.extend(missing);
        std::fs::create_dir_all(dir).map_err(DataError::io("making", dir))
    }

    fn keep(&mut self) {
        self.files.clear();
        self.dirs.clear();
    }
}

impl Drop for FreshFiles {
    fn drop(&mut self) {
        // Best effort: what stays is not in the manifest and is swept by the next import.
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        for dir in &self.dirs {
            let _ = std::fs::remove_dir(dir);
        }
    }
}

/// Removes files of a series' folder that the manifest does not name: a crash left them.
fn sweep(folder: &Path, root: &Path, files: &[FileEntry]) {
    let named: BTreeSet<PathBuf> = files.iter().map(|f| root.join(&f.path)).collect();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        let ours = path
            .file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.ends_with(".parquet") || n.ends_with(".parquet.tmp"));
        if ours && !named.contains(&path) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The folder of a series within the catalog.
fn series_folder(symbol: &Symbol, kind: Kind) -> String {
    let escaped = |code: &str| code.replace('_', "%5F");
    let mut name = format!("{}-{}", escaped(symbol.base()), escaped(symbol.quote()));
    if symbol.settle() != symbol.quote() || symbol.as_str().matches(':').count() > 1 {
        name = format!("{name}_{}", escaped(symbol.settle()));
    }
    if let Some(expiry) = symbol.expiry() {
        name = format!("{name}-{expiry}");
    }
    format!("venue={}/instrument={name}/kind={kind}", symbol.venue())
}
