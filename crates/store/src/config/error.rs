//! What can be wrong with settings, said with the place it was found at.

use std::fmt;
use std::path::PathBuf;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file, with the line where it is known.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: Option<usize>,
    },
    /// An environment variable, by name.
    Env(String),
    /// A flag, as typed.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(f, "reading {}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "reading {}", path.display()),
            Self::Env(name) => write!(f, "reading the environment variable {name}"),
            Self::Flag(flag) => write!(f, "reading {flag}"),
        }
    }
}

/// Settings could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("reading {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is not TOML.
    #[error("{origin}: not valid TOML: {why}")]
    Syntax {
        /// The file and line.
        origin: Origin,
        /// What the parser found and wanted.
        why: String,
    },
    /// There is no such key.
    #[error("{origin}: unknown key {key:?}; {}", advice(suggestion.as_deref(), known))]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// What was found.
        key: String,
        /// The nearest key there is, if one is near.
        suggestion: Option<String>,
        /// The keys there are, comma-separated.
        known: String,
    },
    /// A value of the wrong kind or out of range.
    #[error("{origin}: {key}: {why}")]
    Value {
        /// Where.
        origin: Origin,
        /// The path of the key, e.g. `sim.latency_ms`.
        key: String,
        /// What was found and what to write.
        why: String,
    },
    /// Values that are right alone and wrong together, or wrong wherever they came from.
    #[error("{key}: {why}")]
    Conflict {
        /// The path of the key.
        key: String,
        /// What was found and what to write.
        why: String,
    },
    /// The folder for state cannot be made or written.
    #[error("opening the state folder {}: {why}; choose another with --state-dir", path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// There is no home to put the state folder in.
    #[error("no place for runs: neither HOME nor XDG_STATE_HOME is set; choose a folder with --state-dir")]
    NoHome,
}

fn advice(suggestion: Option<&str>, known: &str) -> String {
    match suggestion {
        Some(word) => format!("did you mean {word:?}?"),
        None => format!("there are: {known}"),
    }
}
