//! Ctrl-C: the first asks the work to stop at a safe place, the second ends the program at once. And the signal of a limit
//! on the size of files, which ends nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Code, Failure};

/// A limit on the size of files (`ulimit -f`) makes a write fail, as a full disk does, and not the program end where it
/// stands: what was begun is cleared away, and the error is told.
#[cfg(unix)]
pub(crate) fn outlive_file_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    // Whoever hears a signal is not ended by it; that stays so when the runtime has gone. Where it cannot be had, the
    // system's way stays.
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        let _within = runtime.enter();
        drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())));
    }
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(crate) fn outlive_file_limit() {}

static STOP: AtomicBool = AtomicBool::new(false);

/// Listens from now on; the flag is set when the person asks to stop.
pub(crate) fn listen() -> Result<&'static AtomicBool, Failure> {
    let heard = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Code::Interrupted as u8));
        }
        crate::out::tell("stopping; once more ends at once");
    });
    match heard {
        // A program that embeds this one may have its own handler.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(&STOP),
        Err(e) => Err(Failure::new(Code::Failed, format!("listening for Ctrl-C: {e}"))),
    }
}
