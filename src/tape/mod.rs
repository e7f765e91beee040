//! The tape: a session's record. Inputs go on it before they are heard, effects before they leave the process; replay
//! hands the inputs to a new engine and compares the effects.
//!
//! It writes and reads; it does not know what a session does.

mod form;
#[cfg(test)]
mod frames;
mod line;
mod reader;
mod record;
mod snapshot;
#[cfg(unix)]
mod stage;
#[cfg(all(test, unix))]
mod tests;
mod writer;

pub use form::{Disk, OnDisk, Place, TapeError, Waits, is_written, plain_disk, segment_path};
pub use line::effect;
pub use reader::TapeReader;
pub use record::{AnswerRecord, DepthRecord, InstrumentRecord, MaximaRecord, Mode, Record, Start, VenueNote};
pub use snapshot::{Snapshot, files_of, snapshot_path};
pub use writer::TapeWriter;
