//! `replay`: a tape heard again; equal effects prove it. `tape` shows, checks, exports and deletes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bellwether::host::Registry;
use bellwether::run::{self, PruneRow, PruneRule, TapeReplay};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, program, record};

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
    /// Write the session's document into this file, as `paper --json` prints it: with every order, fill and trade, also
    /// those that the session did not keep in memory.
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

/// Runs `replay`.
pub(crate) fn run(global: &Global, args: &ReplayArgs, registry: &Registry) -> Result<(), Failure> {
    let path = record::find_tape(global, &args.tape)?;
    let state = record::state(global).ok();
    let program = program::hash(state.as_deref());
    let heard = match &args.document {
        None => run::replay_by(&path, registry, &program).map(|replay| (replay, None)),
        Some(file) => run::replay_whole(&path, registry, &program)
            .map(|(replay, report, settings)| (replay, Some((file, report, settings)))),
    };
    let (replay, whole) = match heard {
        Ok(heard) => heard,
        Err(error) => return damaged_at_its_beginning(args, &path).unwrap_or_else(|| Err(error.into())),
    };
    if let Some((file, report, settings)) = whole {
        let command = record::shell_line(record::typed());
        let document = record::document(&report, &settings, registry, command, state.as_deref())?;
        let text = serde_json::to_string(&document).map_err(|e| Failure::new(Code::Failed, e.to_string()))?;
        out::write_file(file, text.as_bytes())?;
    }
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
            "snapshots": {"equal": replay.snapshots, "notes": replay.snapshot_notes},
        }))?;
    } else {
        out::answer(&text(&path.display().to_string(), &replay))?;
    }
    if equal { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}

/// Of a tape whose first record was changed nothing can be heard again; `None` when that is not what is wrong with it.
fn damaged_at_its_beginning(args: &ReplayArgs, path: &Path) -> Option<Result<(), Failure>> {
    let found = run::verify(path).ok().filter(|f| f.records == 0)?;
    let why = found.damaged?;
    let said = match args.json {
        true => out::json(&json!({
            "schema_version": 1,
            "tape": path.display().to_string(),
            "mode": null,
            "version": found.version,
            "equal": false,
            "records": 0,
            "inputs": 0,
            "effects": 0,
            "order_hash": {"recorded": null, "replayed": null},
            "divergence": null,
            "damaged": why,
            "torn_bytes": found.torn,
            "snapshots": {"equal": 0, "notes": []},
        })),
        false => out::answer(&format!(
            "DAMAGED: {why}\nnothing of it was heard: it begins with what the session is made of\n"
        )),
    };
    Some(said.and(Err(Failure::silent(Code::Different))))
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
    if replay.snapshots > 0 {
        text.push_str(&format!("{} snapshots are equal to the session at their place\n", replay.snapshots));
    }
    replay.snapshot_notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
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
        /// One object a line: `record` is its number, `text` the same words; `tape export` has all that it holds.
        #[arg(long)]
        json: bool,
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
    /// Delete tapes that are not needed any more. Without `--yes` it says what would go, and deletes nothing.
    #[command(after_help = "\
Stays, whatever is asked: what a session writes, or did not end, what is damaged, and what a live session with open
orders or positions needs to go on.

Examples:
  bellwether tape prune --days 30
  bellwether tape prune --keep 20 --days 30 --yes")]
    Prune {
        /// Keep so many of the newest.
        #[arg(long, required_unless_present = "days")]
        keep: Option<usize>,
        /// Only what was not written to for so many days.
        #[arg(long)]
        days: Option<u64>,
        /// Do delete.
        #[arg(long)]
        yes: bool,
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
pub(crate) fn tape(global: &Global, args: &TapeArgs, registry: &Registry) -> Result<(), Failure> {
    let mut failed = None;
    let (tape, effects, json) = match &args.what {
        TapeCommand::Show { tape, effects, json } => (tape, effects, json),
        TapeCommand::Verify { tape, json } => return verify(global, tape, *json),
        TapeCommand::Prune { keep, days, yes, json } => {
            let older_than = days.map(|d| Duration::from_secs(d.saturating_mul(86_400)));
            return prune(global, registry, &PruneRule { keep: *keep, older_than }, *yes, *json);
        }
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
        failed = match json {
            true => out::line(&json!({"record": number, "text": line})).err(),
            false => out::answer(&format!("{number} {line}")).err(),
        };
        failed.is_none()
    })?;
    failed.map_or(Ok(()), Err)
}

fn prune(global: &Global, registry: &Registry, rule: &PruneRule, yes: bool, as_json: bool) -> Result<(), Failure> {
    let state = record::state(global)?;
    let rows = run::prunable(&state, registry, &program::hash(Some(&state)), rule)?;
    if yes {
        run::prune(&rows)?;
    }
    if as_json {
        let row = |r: &PruneRow| json!({"tape": r.tape.display().to_string(), "bytes": r.bytes, "files": r.files.len(), "kept": r.kept});
        let shown: Vec<Value> = rows.iter().map(row).collect();
        return out::json(&json!({"schema_version": 1, "deleted": yes, "tapes": shown}));
    }
    let mut text = String::new();
    for row in &rows {
        let what = match (&row.kept, yes) {
            (Some(why), _) => format!("stays: {why}"),
            (None, true) => "deleted".to_owned(),
            (None, false) => "would go".to_owned(),
        };
        text.push_str(&format!("{} ({} KiB) {what}\n", row.tape.display(), row.bytes.div_ceil(1024)));
    }
    let going = rows.iter().filter(|r| r.kept.is_none());
    let (count, bytes) = going.fold((0, 0), |(n, b), r| (n + 1, b + r.bytes));
    let end = if yes { "deleted" } else { "would go; `--yes` deletes them" };
    text.push_str(&format!("{count} of {} tapes, {} MiB: {end}\n", rows.len(), bytes >> 20));
    out::answer(&text)
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
