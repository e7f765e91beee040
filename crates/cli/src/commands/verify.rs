//! `verify`: a stored run, made again; equal orders prove it.

use std::path::PathBuf;

use bellwether::host::Registry;
use bellwether::report::{Document, compare};
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 5 when the repeated run makes other orders; other code or data alone is noted.

Examples:
  bellwether verify last
  bellwether verify run.json --data backtest-data")]
pub(crate) struct VerifyArgs {
    /// The run: an id, a beginning of one, `last`, or a file of `backtest --json`.
    run: String,
    /// Folder of stored market data, if it is not where it was.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &VerifyArgs, registry: &Registry) -> Result<(), Failure> {
    let stored = record::find(global, &args.run)?;
    let (_, repeated) = record::rerun(&stored, registry, args.data.as_deref())?;
    let equal = stored.run.order_hash == repeated.run.order_hash;
    let notes = notes(&stored, &repeated);
    let comparison = compare::compare(&stored, &repeated);
    if args.json {
        out::json(&json!({
            "schema_version": 1,
            "run": stored.run.id,
            "equal": equal,
            "order_hash": {"stored": stored.run.order_hash, "repeated": repeated.run.order_hash},
            "data_hash": {"stored": stored.run.data_hash, "repeated": repeated.run.data_hash},
            "config_hash": {"stored": stored.run.config_hash, "repeated": repeated.run.config_hash},
            "version": {"stored": stored.run.version, "repeated": repeated.run.version},
            "notes": notes,
            "comparison": comparison,
        }))?;
    } else {
        out::answer(&text(&stored, equal, &notes, &comparison))?;
    }
    if equal { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}

fn text(stored: &Document, equal: bool, notes: &[String], comparison: &compare::Comparison) -> String {
    let run = &stored.run;
    let mut text = match equal {
        true => format!("{}: equal; {} orders, order_hash {}\n", run.id, stored.orders.len(), run.order_hash),
        false => format!("{}: DIFFERENT orders\n", run.id),
    };
    for note in notes {
        text.push_str(&format!("note: {note}\n"));
    }
    if !equal {
        text.push_str(&comparison.render(out::terminal()));
    }
    text
}

/// What made the two runs and differs.
fn notes(stored: &Document, repeated: &Document) -> Vec<String> {
    let (a, b) = (&stored.run, &repeated.run);
    let code = |d: &Document| d.run.strategies.iter().map(|s| s.artefact_hash.clone()).collect::<Vec<_>>();
    let mut notes = Vec::new();
    if a.version != b.version {
        notes.push(format!("made by version {}, repeated by {}", a.version, b.version));
    } else if code(stored) != code(repeated) {
        notes.push("repeated by another build of the same version".to_owned());
    }
    if a.data_hash != b.data_hash {
        notes.push(format!("the data changed: data_hash was {}, is {}", a.data_hash, b.data_hash));
    }
    if a.config_hash != b.config_hash {
        notes.push(format!(
            "the settings read differently, or were hashed in another way then: config_hash was {}, is {}",
            a.config_hash, b.config_hash
        ));
    }
    notes
}
