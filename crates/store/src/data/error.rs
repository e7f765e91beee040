//! What can go wrong in the store, said with file, line, what was found and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use bellwether_sdk::Symbol;

use super::time::iso;
use crate::market::Kind;

/// The store or an import of data failed; whatever failed, the store is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried: `reading`, `writing`, …
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file as a whole cannot be used: empty, binary, truncated, a directory.
    #[error("importing {}: {found}; {remedy}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A value in a file cannot be used.
    #[error("importing {}:{line}: column {column}: {found}; {remedy}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Its line, from 1 (for feather, JSON and Parquet: its row).
        line: u64,
        /// The column's name, or its number from 1 where it has none.
        column: String,
        /// What was found, and why that is wrong.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A row has another count of columns than it must have.
    #[error("importing {}:{line}: found {found} columns where {expected} are expected; the file may be cut off or damaged", path.display())]
    ColumnCount {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// Columns found.
        found: usize,
        /// Columns expected.
        expected: usize,
    },
    /// The columns of a file do not say what is needed.
    #[error("importing {}: {found}; {remedy}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// What is there and what is missing.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// No row of a file is of the instrument asked for.
    #[error("importing {}: no row is of {symbol}; its symbol column has {}", path.display(), found.join(", "))]
    NoSuchSymbol {
        /// The file.
        path: PathBuf,
        /// The instrument asked for.
        symbol: Symbol,
        /// The symbols found, at most twenty.
        found: Vec<String>,
    },
    /// New data says something else than what is stored, or than another row of the same file.
    #[error("{0}")]
    Disagreement(Box<Disagreement>),
    /// Strict import found oddities.
    #[error("importing {} strictly: {first}{}; nothing was written. Without --strict they are imported, counted and named", path.display(), if *more == 0 { String::new() } else { format!(" and {more} more kinds of oddity") })]
    Strict {
        /// The file.
        path: PathBuf,
        /// The first kind of oddity: count, name, first place.
        first: String,
        /// How many other kinds there are.
        more: usize,
    },
    /// The import's settings contradict each other or the data.
    #[error("{what}; {remedy}")]
    Spec {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A folder is no catalog.
    #[error("opening {} as a catalog: {found}; import data into it first, or name another folder", path.display())]
    NoCatalog {
        /// The folder.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// A file of the catalog cannot be understood.
    #[error("reading {}: {found}; {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Somebody else writes to the catalog.
    #[error("the catalog {} is being written by another import; wait for it to end", path.display())]
    Locked {
        /// The catalog.
        path: PathBuf,
    },
    /// The catalog does not have the series.
    #[error("the catalog {} has no {kind} of {symbol}; it has {there}", path.display())]
    NoSeries {
        /// The catalog.
        path: PathBuf,
        /// The instrument asked for.
        symbol: Symbol,
        /// The kind asked for.
        kind: Kind,
        /// What there is, in words.
        there: String,
    },
    /// The catalog has nothing of the instrument.
    #[error("the catalog {} has nothing of {symbol}; it has {there}", path.display())]
    NoInstrument {
        /// The catalog.
        path: PathBuf,
        /// The instrument asked for.
        symbol: Symbol,
        /// What there is, in words.
        there: String,
    },
    /// The series has nothing in the range.
    #[error("{symbol} {kind} has no data in {} .. {}; it has {} .. {}", iso(*from), iso(*to), iso(*first), iso(*end))]
    NoData {
        /// The instrument.
        symbol: Symbol,
        /// The kind.
        kind: Kind,
        /// Start of the range asked for, inclusive, UTC nanoseconds.
        from: i64,
        /// Its end, exclusive.
        to: i64,
        /// The first time there is.
        first: i64,
        /// Just after the last time there is.
        end: i64,
    },
    /// Stored rows are not those that were written.
    #[error("verifying {}: {found}; restore it from a copy, or remove the series (`data remove`) and import it again", path.display())]
    HashMismatch {
        /// The file.
        path: PathBuf,
        /// Which hashes differ.
        found: String,
    },
    /// A stop was asked for.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// Two rows that cannot both be true.
#[derive(Debug)]
pub struct Disagreement {
    /// The instrument.
    pub symbol: Symbol,
    /// The kind.
    pub kind: Kind,
    /// The new file.
    pub path: PathBuf,
    /// The line in it, zero when the row is missing there.
    pub line: u64,
    /// The time of the first disagreement, UTC nanoseconds.
    pub ts: i64,
    /// What it disagrees with.
    pub with: String,
    /// The new row.
    pub new: String,
    /// The row there was.
    pub old: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, kind, path, line, ts, with, new, old } = self;
        write!(f, "importing {symbol} {kind}: {}", path.display())?;
        if *line > 0 {
            write!(f, ":{line}")?;
        }
        write!(f, " disagrees with {with} at {}: {new} against {old}; ", iso(*ts))?;
        f.write_str("nothing was written. Import it into another catalog, or remove the series first (`data remove`)")
    }
}

impl DataError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn damaged(path: &Path, found: impl std::fmt::Display) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            found: found.to_string(),
            remedy: "restore it from a copy, or import into a new catalog".to_owned(),
        }
    }

    pub(crate) fn file(path: &Path, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), found: found.into(), remedy: remedy.into() }
    }

    pub(crate) fn spec(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Spec { what: what.into(), remedy: remedy.into() }
    }
}
