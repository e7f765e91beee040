//! What the feed's and the gateway's machines have in common: actions, connections, limits, backoff, clocks.
//!
//! All of it is without I/O: time comes in as an argument, requests and messages go out as [`Action`]s.

mod action;
mod backoff;
mod clock;
mod limits;
mod line;

pub use action::{Action, Link, Tag};
pub use backoff::{Backoff, BackoffSettings};
pub use clock::ClockOffset;
pub use limits::Limits;
pub use line::{Line, LineEvent, LineState};

/// Nanoseconds of milliseconds, saturating.
pub(crate) const fn nanos(ms: u64) -> i64 {
    if ms > (i64::MAX as u64) / 1_000_000 { i64::MAX } else { (ms * 1_000_000) as i64 }
}
