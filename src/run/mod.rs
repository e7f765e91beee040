//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod spec;

pub use spec::{RunError, RunReport, Variant};

use std::sync::atomic::AtomicBool;

use crate::config::Settings;
use crate::host::Registry;

/// Runs a backtest as the settings say.
///
/// # Errors
/// [`RunError`].
pub fn backtest(settings: &Settings, registry: &Registry, stop: &AtomicBool) -> Result<RunReport, RunError> {
    let _ = (settings, registry, stop);
    Err(RunError::Settings("not wired yet".to_owned()))
}

/// Runs every combination of the axes (`("strategy.fast", ["5", "10"])`) on all cores, sharing the decoded data;
/// results come in order of the axes. `done` is called after each with the count so far.
///
/// # Errors
/// [`RunError`] when no combination can run at all; a combination's own error stands in its [`Variant`].
pub fn grid(
    settings: &Settings,
    registry: &Registry,
    axes: &[(String, Vec<String>)],
    stop: &AtomicBool,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Variant>, RunError> {
    let _ = (settings, registry, axes, stop, done);
    Err(RunError::Settings("not wired yet".to_owned()))
}
