//! `state`: the state folder as one file, and back.

use std::path::PathBuf;

use bellwether::run;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::{out, record};

/// `state`
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    what: StateCommand,
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// Write runs, tapes and the marks of tripped guards into a file.
    #[command(after_help = "\
Examples:
  bellwether state backup bot.zip
  bellwether state backup /backup/bot.zip --state-dir /var/lib/bellwether")]
    Backup {
        /// The file; it must not be there.
        file: PathBuf,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Bring a backup back; nothing is overwritten.
    #[command(after_help = "\
Examples:
  bellwether state restore bot.zip
  bellwether state restore bot.zip --state-dir /var/lib/bellwether")]
    Restore {
        /// The file that `state backup` wrote.
        file: PathBuf,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &StateArgs) -> Result<(), Failure> {
    let state = record::state(global)?;
    let (done, file, json, what) = match &args.what {
        StateCommand::Backup { file, json } => {
            (run::backup(&state, file)?, file, json, format!("kept in {}", file.display()))
        }
        StateCommand::Restore { file, json } => {
            (run::restore(file, &state)?, file, json, format!("restored to {}", state.display()))
        }
    };
    if *json {
        let (file, state) = (file.display().to_string(), state.display().to_string());
        return out::json(&json!({
            "schema_version": 1, "file": file, "state_dir": state, "files": done.files, "bytes": done.bytes,
        }));
    }
    out::answer(&format!("{} files, {} bytes {what}\n", done.files, done.bytes))
}
