//! Ctrl-C: the first asks the work to stop at a safe place, the second ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Code, Failure};

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
