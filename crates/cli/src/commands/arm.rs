//! `arm`: a person says that trading may go on after the guard has tripped. Who and why stand on the tape.

use bellwether::run::{self, Asked};
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::{out, record};

/// `arm`
#[derive(Debug, Args)]
#[command(after_help = "\
A running session hears it at once; one that has ended hears it when it goes on with --resume, and a new one may start.
What tripped is measured anew from there: the day's loss, the peak, the count of losses.

Examples:
  bellwether arm --reason 'feed was wrong, checked with the venue'
  bellwether arm --session binance-main --operator ann --reason 'limit raised'")]
pub(crate) struct ArmArgs {
    /// Why, for the tape.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who, for the tape.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    operator: String,
    /// Which session; all whose guard has tripped, unless named.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &ArmArgs) -> Result<(), Failure> {
    let state = record::state(global)?;
    if args.reason.trim().is_empty() {
        return Err(Failure::new(crate::failure::Code::Usage, "--reason is empty; say why trading may go on"));
    }
    let mut names: Vec<String> = match &args.session {
        Some(name) => vec![name.clone()],
        None => run::tripped(&state).into_iter().map(|(name, _)| name).collect(),
    };
    let stopped = state.join("STOP").exists();
    if names.is_empty() && !stopped {
        // A guard may have tripped a moment ago: whoever runs is told.
        names = run::running(&state)?.into_iter().map(|r| r.name).collect();
    }
    if names.is_empty() && !stopped {
        return Err(Failure::bad(format!("nothing to arm: no guard has tripped in {}", state.display())));
    }
    run::clear(&state, None)?;
    let asked = Asked::Arm { operator: args.operator.clone(), reason: args.reason.clone() };
    for name in &names {
        run::ask(&state, name, &asked)?;
        run::clear(&state, Some(name))?;
    }
    if args.json {
        return out::json(&json!({"schema_version": 1, "armed": names, "stop_file_removed": stopped}));
    }
    let what =
        if names.is_empty() { "the file STOP is gone".to_owned() } else { format!("armed: {}", names.join(", ")) };
    out::answer(&format!("{what}\n"))
}
