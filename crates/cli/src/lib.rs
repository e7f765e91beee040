//! The `bellwether` command as a library: a binary of your own gets all of it, with your strategies beside the shipped
//! ones.
//!
//! ```no_run
//! use bellwether::host::Registry;
//!
//! fn main() -> std::process::ExitCode {
//!     let registry = Registry::new(); // .with::<MyStrategy>()
//!     bellwether_cli::main(&registry)
//! }
//! ```
//!
//! The way of a command: `args` (what was typed) → `plan` (what it means: settings and grid axes) → one file of
//! `commands` (what is done). Results go to stdout, everything else to stderr. Nothing here computes a result.

mod args;
mod axes;
mod commands;
mod failure;
mod interrupt;
mod logging;
mod out;
mod plan;
mod plugins;
mod program;
mod progress;
mod record;
mod shipped;
mod steps;
mod strategies;
mod watch;

use std::process::ExitCode;

use bellwether::host::Registry;
use clap::Parser;

pub use failure::{Code, Failure};

/// Reads the command line, does what it says, and tells how it went: 0 done, 1 failed, 2 usage, 3 bad configuration or
/// data, 4 refused, 5 compared and different, 6 venue unavailable, 130 interrupted.
pub fn main(registry: &Registry) -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe takes nothing from the answer.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Code::Usage } else { Code::Done } as u8);
        }
    };
    interrupt::outlive_file_limit();
    let _logs = logging::start(&cli.global);
    match plugins::with_files(registry).and_then(|registry| commands::run(&cli, &registry)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}
