//! `statement`: a live session's books held against the venue's own history; for accounting as CSV.

use std::path::PathBuf;

use bellwether::host::Registry;
use bellwether::run::{self, Statement};
use clap::Args;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `statement`
#[derive(Debug, Args)]
#[command(after_help = "\
Needs the account's key in the environment, as `live` does. Exits 5 when anything differs.

Examples:
  bellwether statement
  bellwether statement session.tape --csv fills.csv")]
pub(crate) struct StatementArgs {
    /// The tape: a file, or `last`.
    #[arg(default_value = "last")]
    tape: String,
    /// Write all fills to a file.
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
        out::answer(&text(&statement))?;
    }
    let equal = statement.rows.iter().all(|r| r.differs().is_empty());
    if equal { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}

fn text(statement: &Statement) -> String {
    let mut text = String::new();
    let mut different = 0;
    for row in &statement.rows {
        let differs = row.differs();
        if !differs.is_empty() {
            different += 1;
            text.push_str(&format!("DIFFERENT {} fill {}: {}\n", row.symbol, row.id, differs.join(" and ")));
            text.push_str(&format!("  ours:  {:?}\n  venue: {:?}\n", row.ours, row.venue));
        }
    }
    text.push_str(&format!("{} fills, {different} different\n", statement.rows.len()));
    for note in &statement.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}
