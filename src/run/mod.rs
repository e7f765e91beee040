//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod backtest;
mod grid;
mod money;
mod plan;
mod spec;

pub use backtest::backtest;
pub use grid::grid;
pub use spec::{RunError, RunReport, Variant};

use bellwether_sdk::Ts;

/// Reads a time as flags and settings write it: a date, a date with time (UTC unless it says otherwise), or an integer
/// since 1970 whose size tells seconds, milliseconds, microseconds or nanoseconds.
///
/// # Errors
/// [`RunError::Settings`] with what to write.
pub fn parse_time(text: &str) -> Result<Ts, RunError> {
    let wrong = || {
        RunError::Settings(format!(
            "{text:?} is not a time; write 2024-01-31, 2024-01-31T12:00:00Z or milliseconds since 1970"
        ))
    };
    let trimmed = text.trim();
    if trimmed.len() == 8 && trimmed.bytes().all(|b| b.is_ascii_digit()) {
        let date = format!("{}-{}-{}", &trimmed[..4], &trimmed[4..6], &trimmed[6..]);
        return crate::data::parse_date(&date).ok_or_else(wrong);
    }
    if let Ok(number) = trimmed.parse::<i64>() {
        let unit = match number {
            0..100_000_000_000 => 1_000_000_000,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            100_000_000_000_000_000.. => 1,
            _ => return Err(wrong()),
        };
        return number.checked_mul(unit).map(Ts::from_nanos).ok_or_else(wrong);
    }
    crate::data::parse_date(trimmed).ok_or_else(wrong)
}
