//! `statement`: a live session's books held against the venue's own history; for accounting as CSV.

use std::path::PathBuf;

use bellwether::host::Registry;
use bellwether::run;
use clap::Args;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `statement`
#[derive(Debug, Args)]
#[command(after_help = "\
Compares fills, funding, and what came into the account and left it. Needs the account's key in the environment, as
`live` does. Exits 5 when anything differs.

Examples:
  bellwether statement
  bellwether statement session.tape --csv fills.csv")]
pub(crate) struct StatementArgs {
    /// The tape: a file, or `last`.
    #[arg(default_value = "last")]
    tape: String,
    /// Write all fills, funding and transfers to a file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &StatementArgs, registry: &Registry) -> Result<(), Failure> {
    let path = record::find_tape(global, &args.tape)?;
    let statement = run::statement(&path, registry)?;
    if let Some(file) = &args.csv {
        out::write_file(file, run::statement_csv(&statement).as_bytes())?;
    }
    if args.json {
        out::json(&run::statement_document(&statement))?;
    } else {
        out::answer(&run::statement_text(&statement))?;
    }
    if statement.is_equal() { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}
