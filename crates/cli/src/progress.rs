//! Progress bars: on stderr, and only when a person looks at it.

use bellwether::data::{DataError, Progress, Watcher};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::interrupt;

/// A bar of `total` steps; hidden when stderr is no terminal.
pub(crate) fn bar(total: u64, what: &'static str) -> ProgressBar {
    let target = if crate::out::watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

/// A bar of bytes whose total is told later; hidden when stderr is no terminal.
pub(crate) fn bytes(what: &'static str) -> ProgressBar {
    let bar = bar(0, what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar
}

/// Does a long work on what is stored under a bar, and ends it when the person asks to stop.
pub(crate) fn watched<T>(
    what: &'static str,
    work: impl FnOnce(&mut Watcher<'_>) -> Result<T, DataError>,
) -> Result<T, Failure> {
    let stop = interrupt::listen()?;
    let bar = bytes(what);
    let mut told = |p: Progress| {
        bar.set_length(p.total);
        bar.set_position(p.bytes);
    };
    let done = work(&mut Watcher::new(stop, &mut told));
    bar.finish_and_clear();
    Ok(done?)
}

/// A line of words for work whose end is not known; hidden when stderr is no terminal.
pub(crate) fn line() -> ProgressBar {
    let bar = bar(0, "");
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {msg}") {
        bar.set_style(style);
    }
    bar
}
