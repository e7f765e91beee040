//! What a run is asked for and what it answers.

use crate::engine::Outcome;
use crate::market::Kind;
use bellwether_sdk::{Symbol, Ts};

/// A stored series and what a run read of it: instrument, kind, rows, engine times of the first and the last row
/// (bars: their opens).
pub type SeriesRead = (Symbol, Kind, u64, Ts, Ts);

/// A finished run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// What it left behind.
    pub outcome: Outcome,
    /// The fill rules it ran under, e.g. `next-open@1`.
    pub fill_profile: String,
    /// Hash of the data it read.
    pub data_hash: String,
    /// SHA-256 of the settings that make a result (not where things are stored), hex.
    pub config_hash: String,
    /// The stored series, and what was read of them.
    pub series: Vec<SeriesRead>,
    /// CPU seconds inside engine, strategies and simulated exchange, reading excluded.
    pub engine_cpu_seconds: f64,
    /// Seconds by the clock on the wall, reading included.
    pub wall_seconds: f64,
    /// The tape of the session; `None` for backtests.
    pub tape: Option<std::path::PathBuf>,
}

/// One combination of a grid and what was kept of its result.
#[derive(Debug)]
pub struct Variant<T> {
    /// The parameters that differ: name (`strategy.fast`) and value.
    pub set: Vec<(String, String)>,
    /// What came of it.
    pub result: Result<T, RunError>,
}

/// A run could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The settings do not go together, or name what is not there.
    #[error("{0}")]
    Settings(String),
    /// The data cannot be read or is not there.
    #[error("{0}")]
    Data(String),
    /// A file that is not the catalog's, such as a tape or a backup, does not read.
    #[error("{0}")]
    File(String),
    /// A number left its range: a computation overflowed.
    #[error("{0}")]
    Arithmetic(String),
    /// A strategy panicked or flooded.
    #[error("{0}")]
    Strategy(String),
    /// The tape cannot be written.
    #[error("{0}")]
    Tape(String),
    /// The venue cannot be reached, or refuses.
    #[error("{0}")]
    Venue(String),
    /// It may not be: another session has the account, or a guard that tripped was not armed.
    #[error("{0}")]
    Refused(String),
    /// A secret is missing, and there is no terminal to ask for it.
    #[error("{0}")]
    Secret(String),
    /// The venue says, or does not say, what a key may do; it is not used.
    #[error("{0}")]
    Key(String),
    /// The person asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl From<crate::data::DataError> for RunError {
    fn from(e: crate::data::DataError) -> Self {
        Self::Data(e.to_string())
    }
}

impl From<crate::engine::ReplayError> for RunError {
    fn from(e: crate::engine::ReplayError) -> Self {
        use crate::engine::ReplayError;
        match e {
            ReplayError::Interrupted => Self::Interrupted,
            ReplayError::Source(e) => Self::Data(e.to_string()),
            _ => Self::Arithmetic(e.to_string()),
        }
    }
}
