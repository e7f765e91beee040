//! `compare`: two runs side by side.

use bellwether::report::compare;
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 5 when orders, figures or trades differ.

Examples:
  bellwether compare 20260101-120000000-ema_cross-1a2b3c4d last
  bellwether compare before.json after.json --json")]
pub(crate) struct CompareArgs {
    /// The first run: an id, a beginning of one, `last`, or a file of `backtest --json`.
    a: String,
    /// The second run.
    b: String,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &CompareArgs) -> Result<(), Failure> {
    let (a, b) = (record::find(global, &args.a)?, record::find(global, &args.b)?);
    let comparison = compare::compare(&a, &b);
    if args.json {
        out::json(&json!({"schema_version": 1, "comparison": comparison}))?;
    } else {
        out::answer(&comparison.render(out::terminal()))?;
    }
    if comparison.equal { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}
