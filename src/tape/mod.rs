//! The tape: a session's record. Inputs go on it before they are heard, effects before they leave the process; replay
//! hands the inputs to a new engine and compares the effects.
//!
//! It writes and reads; it does not know what a session does.

mod file;
mod line;
mod record;
#[cfg(unix)]
mod stage;
#[cfg(all(test, unix))]
mod tests;

pub use file::{Disk, OnDisk, TapeError, TapeReader, TapeWriter};
pub use line::effect;
pub use record::{AnswerRecord, DepthRecord, InstrumentRecord, Mode, Record, Start, VenueNote};
