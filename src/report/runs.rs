//! The store of runs: `<state_dir>/runs/<id>/` with `run.json`, `line.json` (what lists show) and, when asked for,
//! `report.html`.
//!
//! A run appears whole or not at all: it is written beside, synced, and its folder renamed into place. Stored runs are
//! never changed but for an added report. Folders are for their owner only (0700), since settings may tell what a
//! trader trades. A damaged run is told of, and does not stop the others from being listed.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ReportError;
use super::document::{Document, SCHEMA_VERSION};

const DOCUMENT: &str = "run.json";
const LINE: &str = "line.json";
const REPORT: &str = "report.html";
const ID_LEN_MAX: usize = 96;

/// The stored runs of a state folder.
#[derive(Debug, Clone)]
pub struct RunStore {
    folder: PathBuf,
}

/// What a list shows of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLine {
    /// The layout of the document.
    pub schema_version: u32,
    /// The run's id.
    pub id: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Strategy ids.
    pub strategies: Vec<String>,
    /// Instruments.
    pub instruments: Vec<String>,
    /// First event, RFC 3339.
    pub first_time: Option<String>,
    /// Last event, RFC 3339.
    pub last_time: Option<String>,
    /// Fill profile.
    pub fill_profile: String,
    /// Hash of its orders.
    pub order_hash: String,
    /// Closed trades.
    pub trades: u64,
    /// Return, per cent.
    pub return_pct: Option<f64>,
    /// Largest drawdown, per cent.
    pub max_drawdown_pct: Option<f64>,
    /// Sharpe ratio of daily returns, 365 days.
    pub sharpe_daily_365: Option<f64>,
    /// Version of the program.
    pub version: String,
}

impl RunLine {
    fn of(document: &Document) -> Self {
        let (run, summary) = (&document.run, &document.summary);
        Self {
            schema_version: document.schema_version,
            id: run.id.clone(),
            created: run.created.clone(),
            strategies: run.strategies.iter().map(|s| s.id.clone()).collect(),
            instruments: document.instruments.iter().map(|i| i.symbol.clone()).collect(),
            first_time: run.first_time.clone(),
            last_time: run.last_time.clone(),
            fill_profile: run.fill_profile.clone(),
            order_hash: run.order_hash.clone(),
            trades: summary.trades,
            return_pct: summary.return_pct,
            max_drawdown_pct: summary.max_drawdown_pct,
            sharpe_daily_365: summary.sharpe_daily_365,
            version: run.version.clone(),
        }
    }
}

/// The stored runs, newest first, and what could not be read.
#[derive(Debug, Default)]
pub struct Listing {
    /// Runs, newest first.
    pub runs: Vec<RunLine>,
    /// Why folders are not among them.
    pub damaged: Vec<ReportError>,
}

impl RunStore {
    /// The store below a state folder; nothing is made before the first run is stored.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("runs") }
    }

    /// The folder of a run, whether it exists or not.
    ///
    /// # Errors
    /// [`ReportError::BadId`] when the id is no plain name.
    pub fn path(&self, id: &str) -> Result<PathBuf, ReportError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > ID_LEN_MAX || !id.chars().all(plain) || id == "last" {
            return Err(ReportError::BadId { id: id.to_owned() });
        }
        Ok(self.folder.join(id))
    }

    /// Stores a run, with its HTML report if there is one, and gives its folder.
    ///
    /// # Errors
    /// [`ReportError::Exists`] when the id is taken; [`ReportError::BadId`]; [`ReportError::Io`] when the disk refuses,
    /// in which case nothing is left behind.
    pub fn save(&self, document: &Document, report: Option<&str>) -> Result<PathBuf, ReportError> {
        let path = self.path(&document.run.id)?;
        let exists = || ReportError::Exists { id: document.run.id.clone(), path: path.clone() };
        if path.exists() {
            return Err(exists());
        }
        private_folder(&self.folder)?;
        // Dropped before the rename on every error, it takes its files with it.
        let mut builder = tempfile::Builder::new();
        builder.prefix(".new-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let staged = builder.tempdir_in(&self.folder).map_err(ReportError::io("making a folder in", &self.folder))?;
        write_file(&staged.path().join(DOCUMENT), |out| document.write_json(out))?;
        write_file(&staged.path().join(LINE), |out| Ok(serde_json::to_writer(out, &RunLine::of(document))?))?;
        if let Some(html) = report {
            write_text(&staged.path().join(REPORT), html)?;
        }
        // Onto a folder with files in it the rename fails, so of two writers of one id the second is refused.
        fs::rename(staged.path(), &path)
            .map_err(|e| if path.exists() { exists() } else { ReportError::io("storing", &path)(e) })?;
        // The name is gone from its old place: there is nothing for the guard to remove any more.
        let _ = staged.keep();
        Ok(path)
    }

    /// Adds or replaces the HTML report of a stored run and gives its file.
    ///
    /// # Errors
    /// [`ReportError::BadId`], or [`ReportError::Io`] when there is no such run or the disk refuses.
    pub fn add_report(&self, id: &str, html: &str) -> Result<PathBuf, ReportError> {
        let folder = self.path(id)?;
        let path = folder.join(REPORT);
        let staged =
            tempfile::NamedTempFile::new_in(&folder).map_err(ReportError::io("writing a report in", &folder))?;
        write_text(staged.path(), html)?;
        staged.persist(&path).map_err(|e| ReportError::io("writing", &path)(e.error))?;
        Ok(path)
    }

    /// Lists all runs, newest first; of equal times the greater id first.
    ///
    /// # Errors
    /// [`ReportError::Io`] when the folder of runs itself cannot be read; where there is none, the list is empty.
    pub fn list(&self) -> Result<Listing, ReportError> {
        let mut listing = Listing::default();
        for id in self.ids()? {
            match self.line(&id) {
                Ok(line) => listing.runs.push(line),
                Err(error) => listing.damaged.push(error),
            }
        }
        listing.runs.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
        Ok(listing)
    }

    /// Finds and reads a run: by id, by a beginning that only one id has, or `last` for the newest.
    ///
    /// # Errors
    /// [`ReportError::NoRun`], [`ReportError::Ambiguous`]; [`ReportError::Damaged`] or [`ReportError::SchemaVersion`] when
    /// it cannot be read.
    pub fn load(&self, asked: &str) -> Result<Document, ReportError> {
        let id = self.find(asked)?;
        read_document(&self.folder.join(id).join(DOCUMENT))
    }

    /// The id of a run: of itself, of a beginning that only one id has, or of `last`.
    ///
    /// # Errors
    /// [`ReportError::NoRun`], [`ReportError::Ambiguous`], or [`ReportError::Io`].
    pub fn find(&self, asked: &str) -> Result<String, ReportError> {
        let ids = self.ids()?;
        let none = || ReportError::NoRun { asked: asked.to_owned(), stored: ids.len(), folder: self.folder.clone() };
        if asked == "last" {
            return self.list()?.runs.first().map(|r| r.id.clone()).ok_or_else(none);
        }
        if ids.iter().any(|id| id == asked) {
            return Ok(asked.to_owned());
        }
        let mut found: Vec<String> =
            ids.iter().filter(|id| !asked.is_empty() && id.starts_with(asked)).cloned().collect();
        match found.len() {
            0 => Err(none()),
            1 => Ok(found.remove(0)),
            _ => Err(ReportError::Ambiguous { asked: asked.to_owned(), found }),
        }
    }

    /// The ids there are, in order.
    fn ids(&self) -> Result<Vec<String>, ReportError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(ReportError::io("listing", &self.folder))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(ReportError::io("listing", &self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if self.path(&name).is_ok() && entry.path().is_dir() {
                ids.push(name);
            }
        }
        ids.sort();
        Ok(ids)
    }

    fn line(&self, id: &str) -> Result<RunLine, ReportError> {
        let folder = self.folder.join(id);
        let path = folder.join(DOCUMENT);
        if !path.is_file() {
            return Err(ReportError::Damaged { path, why: "there is no such file".to_owned() });
        }
        let line = folder.join(LINE);
        match read_json::<RunLine>(&line) {
            Ok(line) if line.id == id => Ok(line),
            // The document is the truth; the line is only quicker to read.
            _ => read_document(&path).map(|d| RunLine::of(&d)),
        }
    }
}

/// Reads a document from a file: a stored run, or what `--json` printed.
///
/// # Errors
/// [`ReportError::Io`], [`ReportError::Damaged`], [`ReportError::SchemaVersion`].
pub fn read_document(path: &Path) -> Result<Document, ReportError> {
    let document: Result<Document, ReportError> = read_json(path);
    // A document of another layout is called that, not damaged.
    if let Err(ReportError::Damaged { .. }) = &document {
        #[derive(Deserialize)]
        struct Head {
            schema_version: u64,
        }
        if let Ok(Head { schema_version }) = read_json::<Head>(path) {
            check_version(path, schema_version)?;
        }
    }
    let document = document?;
    check_version(path, document.schema_version.into())?;
    Ok(document)
}

fn check_version(path: &Path, found: u64) -> Result<(), ReportError> {
    if found == u64::from(SCHEMA_VERSION) {
        return Ok(());
    }
    Err(ReportError::SchemaVersion { path: path.to_owned(), found, readable: SCHEMA_VERSION })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ReportError> {
    let file = File::open(path).map_err(ReportError::io("reading", path))?;
    serde_json::from_reader(BufReader::with_capacity(1 << 16, file))
        .map_err(|e| ReportError::Damaged { path: path.to_owned(), why: e.to_string() })
}

fn private_folder(path: &Path) -> Result<(), ReportError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(ReportError::io("making the folder", path))
}

/// Writes a file and waits until the disk has it.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let file = File::create(path).map_err(ReportError::io("writing", path))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    write(&mut out)?;
    out.flush().map_err(ReportError::io("writing", path))?;
    out.get_ref().sync_all().map_err(ReportError::io("writing", path))
}

fn write_text(path: &Path, text: &str) -> Result<(), ReportError> {
    write_file(path, |out| out.write_all(text.as_bytes()).map_err(ReportError::io("writing", path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{busy, document};

    fn store() -> (tempfile::TempDir, RunStore) {
        let state = tempfile::tempdir().expect("a folder");
        let store = RunStore::new(&state.path().join("state"));
        (state, store)
    }

    fn run(id: &str, created: &str) -> Document {
        let mut document = document(&busy(3));
        (document.run.id, document.run.created) = (id.to_owned(), created.to_owned());
        document
    }

    #[test]
    fn a_run_is_stored_found_and_read_as_it_was() {
        let (_state, store) = store();
        assert!(store.list().expect("a list").runs.is_empty(), "no folder yet is an empty list");
        let document = run("20240101-a", "2024-01-01T00:00:00Z");
        let path = store.save(&document, Some("<html>")).expect("stored");
        for asked in ["20240101-a", "2024", "last"] {
            assert_eq!(store.load(asked).expect("a run"), document, "{asked}");
        }
        assert_eq!(fs::read_to_string(path.join("report.html")).expect("a report"), "<html>");
        let report = store.add_report("20240101-a", "<html lang=en>").expect("a report");
        assert_eq!(fs::read_to_string(report).expect("a report"), "<html lang=en>");
        let names: Vec<_> = fs::read_dir(path.parent().expect("runs")).expect("a folder").collect();
        assert_eq!(names.len(), 1, "nothing but the run is left: {names:?}");
    }

    #[cfg(unix)]
    #[test]
    fn runs_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let (state, store) = store();
        let path = store.save(&run("a", "2024"), None).expect("stored");
        for folder in [path, state.path().join("state/runs")] {
            let mode = fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn a_run_is_never_overwritten() {
        let (_state, store) = store();
        let first = run("a", "2024-01-01T00:00:00Z");
        store.save(&first, None).expect("stored");
        let second = run("a", "2025-01-01T00:00:00Z");
        assert!(matches!(store.save(&second, None), Err(ReportError::Exists { .. })));
        assert_eq!(store.load("a").expect("a run"), first);
    }

    #[test]
    fn the_newest_comes_first_and_an_unclear_beginning_is_refused() {
        let (_state, store) = store();
        store.save(&run("b-1", "2024-01-02T00:00:00Z"), None).expect("stored");
        store.save(&run("b-2", "2024-01-01T00:00:00Z"), None).expect("stored");
        let listing = store.list().expect("a list");
        assert_eq!(listing.runs.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["b-1", "b-2"]);
        assert_eq!(store.find("last").expect("a run"), "b-1");
        let error = store.find("b").expect_err("two begin so");
        assert_eq!(error.to_string(), "\"b\" is the beginning of 2 runs (b-1, b-2); give more of the id");
        assert!(matches!(store.find("c"), Err(ReportError::NoRun { stored: 2, .. })));
        assert!(matches!(store.find(""), Err(ReportError::NoRun { .. })));
    }

    #[test]
    fn damaged_runs_are_told_of_and_do_not_hide_the_others() {
        let (_state, store) = store();
        let good = store.save(&run("good", "2024"), None).expect("stored");
        let cut = store.save(&run("cut", "2024"), None).expect("stored");
        fs::write(cut.join("run.json"), "{\"schema_version\": 1, \"run").expect("written");
        fs::remove_file(cut.join("line.json")).expect("removed");
        let later = store.save(&run("later", "2024"), None).expect("stored");
        fs::write(later.join("run.json"), "{\"schema_version\": 2}").expect("written");
        fs::write(later.join("line.json"), "{}").expect("written");
        fs::create_dir(good.parent().expect("runs").join("hollow")).expect("made");
        fs::remove_file(good.join("line.json")).expect("removed");
        let listing = store.list().expect("a list");
        assert_eq!(listing.runs.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["good"]);
        let told: Vec<String> = listing.damaged.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("cut/run.json") && told[0].contains("damaged"), "{told:?}");
        assert!(told[1].contains("hollow/run.json: there is no such file"), "{told:?}");
        assert!(told[2].contains("schema_version 2, this version reads 1"), "{told:?}");
        assert!(matches!(store.load("later"), Err(ReportError::SchemaVersion { found: 2, .. })));
        assert!(matches!(store.load("cut"), Err(ReportError::Damaged { .. })));
    }

    #[test]
    fn ids_that_leave_the_folder_are_refused() {
        let (state, store) = store();
        for id in ["", "..", "a/b", ".hidden", "last", "a b", &"x".repeat(97)] {
            assert!(matches!(store.save(&run(id, "2024"), None), Err(ReportError::BadId { .. })), "{id}");
        }
        assert!(!state.path().join("state").exists(), "nothing was made");
    }
}
