//! `latency`: how long a session took from a market message to an order, stage by stage.

use std::path::PathBuf;

use bellwether::run::LatencyReport;
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::{out, record};

/// `latency`
#[derive(Debug, Args)]
#[command(after_help = "\
parse: from the bytes read to the message understood. decide: until strategies and risk are done, the tape included.
sign: until an order's bytes are ready. own: these three. write: until the system has taken the bytes. whole: all.
The last four count messages that led to a request. A running session's figures are up to a minute old.

Examples:
  bellwether latency
  bellwether latency session.tape --json")]
pub(crate) struct LatencyArgs {
    /// The session: a run, a tape, or `last`.
    #[arg(value_name = "RUN|TAPE", default_value = "last")]
    session: String,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &LatencyArgs) -> Result<(), Failure> {
    let tape = tape_of(global, &args.session)?;
    let report = LatencyReport::read(&tape)?;
    if args.json {
        let mut answer = json!(report);
        answer["tape"] = tape.display().to_string().into();
        return out::json(&answer);
    }
    let mut text = format!("{}, microseconds\n", tape.display());
    text.push_str(&format!(
        "{:<8}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
        "stage", "count", "p50", "p90", "p99", "p99.9", "max"
    ));
    for s in report.stages.iter().filter(|s| s.count > 0) {
        text.push_str(&format!("{:<8}{:>12}", s.stage, s.count));
        for ns in [s.p50_ns, s.p90_ns, s.p99_ns, s.p999_ns, s.max_ns] {
            text.push_str(&format!("{:>10.2}", ns as f64 / 1000.0));
        }
        text.push('\n');
    }
    out::answer(&text)
}

/// The tape itself, or that of a stored run.
fn tape_of(global: &Global, asked: &str) -> Result<PathBuf, Failure> {
    let no_tape = match record::find_tape(global, asked) {
        Ok(tape) => return Ok(tape),
        Err(failure) => failure,
    };
    match record::find(global, asked) {
        Ok(document) => document.run.tape.map(PathBuf::from).ok_or_else(|| {
            Failure::bad(format!("run {asked:?} is no session: it has no tape, and took no orders live"))
        }),
        Err(_) => Err(no_tape),
    }
}
