//! `replay`: a tape heard again; equal effects prove it. `tape show` prints one.

use bellwether::host::Registry;
use bellwether::run::{self, TapeReplay};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `replay`
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 5 when the same inputs have other effects, or a record was changed: both are named.

Examples:
  bellwether replay last
  bellwether replay session.tape --json")]
pub(crate) struct ReplayArgs {
    /// The tape: a file, or `last`.
    tape: String,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `replay`.
pub(crate) fn run(global: &Global, args: &ReplayArgs, registry: &Registry) -> Result<(), Failure> {
    let path = record::find_tape(global, &args.tape)?;
    let replay = run::replay(&path, registry)?;
    let equal = replay.divergence.is_none() && replay.damaged.is_none();
    if args.json {
        out::json(&json!({
            "schema_version": 1,
            "tape": path.display().to_string(),
            "mode": replay.start.mode.name(),
            "version": replay.start.version,
            "equal": equal,
            "records": replay.records,
            "inputs": replay.inputs,
            "effects": replay.effects,
            "order_hash": {"recorded": replay.recorded_hash, "replayed": replay.order_hash},
            "divergence": replay.divergence.as_ref().map(|d| json!({
                "record": d.record, "input": d.input, "ts": d.at.nanos().to_string(),
                "recorded": d.recorded, "replayed": d.replayed,
            })),
            "damaged": replay.damaged,
            "torn_bytes": replay.torn,
        }))?;
    } else {
        out::answer(&text(&path.display().to_string(), &replay))?;
    }
    if equal { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}

fn text(path: &str, replay: &TapeReplay) -> String {
    let mut text = match (&replay.damaged, &replay.divergence) {
        (Some(why), _) => format!("DAMAGED: {why}\n"),
        (None, Some(d)) => format!(
            "DIFFERENT at record {} (caused by input {}):\n  recorded: {}\n  replayed: {}\n",
            d.record,
            d.input,
            d.recorded.as_deref().unwrap_or("nothing"),
            d.replayed.as_deref().unwrap_or("nothing")
        ),
        (None, None) => format!("{path}: equal\n"),
    };
    text.push_str(&format!(
        "{} records: {} inputs, {} effects; order_hash {}\n",
        replay.records, replay.inputs, replay.effects, replay.order_hash
    ));
    if replay.recorded_hash.is_none() {
        text.push_str("note: the session did not end properly; its tape has no closing hash\n");
    }
    if replay.torn > 0 {
        text.push_str(&format!("note: {} bytes at the end are no whole record: a crash left them\n", replay.torn));
    }
    text
}

/// `tape`
#[derive(Debug, Args)]
pub(crate) struct TapeArgs {
    #[command(subcommand)]
    what: TapeCommand,
}

#[derive(Debug, Subcommand)]
enum TapeCommand {
    /// Print a tape's records, one a line: number and content.
    #[command(after_help = "\
Examples:
  bellwether tape show
  bellwether tape show session.tape --effects")]
    Show {
        /// The tape: a file, or `last`.
        #[arg(default_value = "last")]
        tape: String,
        /// Only what the session did.
        #[arg(long)]
        effects: bool,
    },
    /// Check every frame of a tape: damage, a torn end, whether it ended. Exits 5 when a record was changed.
    #[command(after_help = "\
Examples:
  bellwether tape verify
  bellwether tape verify session.tape --json")]
    Verify {
        /// The tape: a file, or `last`.
        #[arg(default_value = "last")]
        tape: String,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a tape as JSON, one record a line: its number and what it holds.
    #[command(after_help = "\
Examples:
  bellwether tape export
  bellwether tape export session.tape > session.jsonl")]
    Export {
        /// The tape: a file, or `last`.
        #[arg(default_value = "last")]
        tape: String,
    },
}

/// Runs `tape`.
pub(crate) fn tape(global: &Global, args: &TapeArgs) -> Result<(), Failure> {
    let mut failed = None;
    let (tape, effects) = match &args.what {
        TapeCommand::Show { tape, effects } => (tape, effects),
        TapeCommand::Verify { tape, json } => return verify(global, tape, *json),
        TapeCommand::Export { tape } => {
            run::export(&record::find_tape(global, tape)?, |line| {
                failed = out::answer(line).err();
                failed.is_none()
            })?;
            return failed.map_or(Ok(()), Err);
        }
    };
    let path = record::find_tape(global, tape)?;
    run::show(&path, |number, line| {
        if *effects && !line.starts_with("effect ") {
            return true;
        }
        failed = out::answer(&format!("{number} {line}")).err();
        failed.is_none()
    })?;
    failed.map_or(Ok(()), Err)
}

fn verify(global: &Global, tape: &str, as_json: bool) -> Result<(), Failure> {
    let path = record::find_tape(global, tape)?;
    let found = run::verify(&path)?;
    if as_json {
        out::json(&json!({
            "schema_version": 1, "tape": path.display().to_string(), "version": found.version,
            "records": found.records, "inputs": found.inputs, "effects": found.effects, "ended": found.ended,
            "torn_bytes": found.torn, "damaged": found.damaged,
        }))?;
    } else {
        let mut text = match &found.damaged {
            Some(why) => format!("DAMAGED: {why}\n"),
            None => format!("{}: whole\n", path.display()),
        };
        text.push_str(&format!(
            "{} records of version {}: {} inputs, {} effects\n",
            found.records, found.version, found.inputs, found.effects
        ));
        if !found.ended {
            text.push_str("note: the session did not end properly, or goes on\n");
        }
        if found.torn > 0 {
            text.push_str(&format!("note: {} bytes at the end are no whole record: a crash left them\n", found.torn));
        }
        out::answer(&text)?;
    }
    if found.damaged.is_none() { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}
