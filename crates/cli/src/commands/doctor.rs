//! `doctor`: looks at what a session needs before it begins, and says what is wrong.

use std::io::Write;
use std::time::Instant;

use bellwether::config::{Durability, Settings};
use bellwether::run::{self, LookAt, What, look};
use bellwether_sdk::Symbol;
use clap::Args;
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, plan, record};

/// `doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 0 when nothing is wrong (warnings are not), 1 when something is.

Examples:
  bellwether doctor
  bellwether doctor --config config/live.toml --venue binance --json")]
pub(crate) struct DoctorArgs {
    /// A venue to ask, by its key in the settings; repeat for more. By default those of the settings' instruments.
    #[arg(long, value_name = "NAME")]
    venue: Vec<String>,
    /// Do not ask venues.
    #[arg(long)]
    offline: bool,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What was looked at, how it is, and what was found.
type Finding = (String, State, String);

/// A disk that takes longer to sync four MiB is slow for tapes.
const SYNC_MS_MAX: u128 = 500;
/// A clock further off than this, milliseconds, has requests refused at some venues.
const SKEW_MS_MAX: i64 = 1_000;

/// Runs the command.
pub(crate) fn run(global: &Global, args: &DoctorArgs) -> Result<(), Failure> {
    let settings = plan::settings(global)?.settings;
    let mut found = vec![
        ("version".to_owned(), State::Ok, record::VERSION.to_owned()),
        ("config".to_owned(), State::Ok, "the settings read".to_owned()),
    ];
    state_folder(global, &mut found)?;
    let venues = match args.venue.is_empty() {
        false => args.venue.clone(),
        true => of_settings(&settings),
    };
    for venue in &venues {
        key(&settings, venue, &mut found);
        if !args.offline {
            ask(&settings, venue, &mut found);
        }
    }
    if args.json {
        let rows: Vec<Value> =
            found.iter().map(|(what, state, why)| json!({"what": what, "state": state.name(), "found": why})).collect();
        let healthy = found.iter().all(|f| f.1 != State::Fail);
        out::json(&json!({"schema_version": 1, "healthy": healthy, "findings": rows}))?;
    } else {
        let width = found.iter().map(|f| f.0.len()).max().unwrap_or(0);
        let lines = found.iter().map(|(what, state, why)| format!("{:<4} {what:<width$}  {why}\n", state.name()));
        out::answer(&lines.collect::<String>())?;
    }
    if found.iter().any(|f| f.1 == State::Fail) { Err(Failure::silent(Code::Failed)) } else { Ok(()) }
}

fn of_settings(settings: &Settings) -> Vec<String> {
    let own = settings.strategy.iter().flat_map(|s| &s.instruments);
    let symbols = settings.backtest.instruments.iter().chain(own);
    let mut keys: Vec<String> = symbols.filter_map(|s: &Symbol| run::venue_key(s).ok()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The state folder: whether it can be written, how fast its disk is, what runs, what has tripped.
fn state_folder(global: &Global, found: &mut Vec<Finding>) -> Result<(), Failure> {
    let state = record::state(global)?;
    let path = state.join(".doctor");
    let written = || -> std::io::Result<u128> {
        let began = Instant::now();
        let mut file = std::fs::File::create(&path)?;
        file.write_all(&vec![0x5a; 4 << 20])?;
        file.sync_all()?;
        Ok(began.elapsed().as_millis())
    };
    let (how, why) = match written() {
        Ok(ms) if ms <= SYNC_MS_MAX => (State::Ok, format!("{}: four MiB on the disk in {ms} ms", state.display())),
        Ok(ms) => (State::Warn, format!("{}: the disk took {ms} ms for four MiB; it is slow", state.display())),
        Err(e) => (State::Fail, format!("{} cannot be written: {e}", state.display())),
    };
    let _ = std::fs::remove_file(&path);
    found.push(("state folder".to_owned(), how, why));
    let (how, why) = match bellwether::sinks::free_bytes(&state) {
        Ok(free) if free >= 1 << 30 => (State::Ok, format!("{} MiB free", free >> 20)),
        Ok(free) if free >= 64 << 20 => {
            (State::Warn, format!("only {} MiB free; a tape grows with its feed: `bellwether tape prune`", free >> 20))
        }
        Ok(free) => (State::Fail, format!("only {} MiB free; `bellwether tape prune`", free >> 20)),
        Err(e) => (State::Warn, format!("how much is free is not known: {e}")),
    };
    found.push(("disk space".to_owned(), how, why));
    let (how, why) = match run::tapes_size(&state) {
        Ok((count, bytes)) => (State::Ok, format!("{count}, {} MiB", bytes >> 20)),
        Err(e) => (State::Warn, e.to_string()),
    };
    found.push(("tapes".to_owned(), how, why));
    let (how, why) = match run::durability_costs(&state) {
        Ok(costs) => (State::Ok, costs.iter().map(cost).collect::<Vec<_>>().join(", ")),
        Err(e) => (State::Fail, e.to_string()),
    };
    found.push(("tape, an order".to_owned(), how, why));
    if state.join("STOP").exists() {
        found.push(("kill switch".to_owned(), State::Fail, "the file STOP is there; `bellwether arm`".to_owned()));
    }
    for (name, why) in run::tripped(&state) {
        found.push((format!("guard of {name}"), State::Fail, format!("has tripped: {why}; `bellwether arm`")));
    }
    for session in run::running(&state)? {
        let tape = session.tape.map_or_else(String::new, |t| t.display().to_string());
        found.push((
            format!("session {}", session.name),
            State::Ok,
            format!("runs as process {}: {tape}", session.pid),
        ));
    }
    Ok(())
}

/// What a setting of `session.durability` makes an order wait.
fn cost((durability, p50, p99): &(Durability, u64, u64)) -> String {
    let us = |ns: &u64| *ns as f64 / 1e3;
    let name = match durability {
        Durability::Staged => "staged",
        Durability::Direct => "direct",
        Durability::Sync => "sync",
    };
    format!("{name} {:.1} us (p99 {:.1})", us(p50), us(p99))
}

fn key(settings: &Settings, venue: &str, found: &mut Vec<Finding>) {
    let account = &settings.session.account;
    let (how, why) = match run::try_keys(settings, venue) {
        Ok(0) => (State::Warn, format!("{account} has none")),
        Ok(count) => (State::Ok, format!("{count} of {account} read")),
        Err(e) => (State::Warn, e.to_string()),
    };
    found.push((format!("{venue} key"), how, why));
}

/// The venue: whether it answers, its clock, what the key may do.
fn ask(settings: &Settings, venue: &str, found: &mut Vec<Finding>) {
    let at = LookAt { venue: venue.to_owned(), account: settings.session.account.clone(), ..LookAt::default() };
    let (how, why) = match look(settings, &at, &What::Time, None) {
        Ok(told) => {
            let offset: i64 = told["offset_ns"].as_str().and_then(|t| t.parse().ok()).unwrap_or_default();
            let ms = offset / 1_000_000;
            let how = if ms.abs() <= SKEW_MS_MAX { State::Ok } else { State::Warn };
            (how, format!("answers; its clock is {ms} ms from ours"))
        }
        Err(e) => (State::Fail, e.to_string()),
    };
    found.push((format!("{venue} clock"), how, why));
    if how == State::Fail || !matches!(run::try_keys(settings, venue), Ok(1..)) {
        return;
    }
    let (how, why) = match look(settings, &at, &What::Permissions, None) {
        Ok(told) => permissions(&told),
        Err(e) => (State::Warn, format!("what the key may do is not known: {e}")),
    };
    found.push((format!("{venue} permissions"), how, why));
}

fn permissions(told: &Value) -> (State, String) {
    let rights = told.get("permissions").unwrap_or(told);
    let may = |what: &str| rights[what].as_bool();
    if may("withdraw") == Some(true) {
        return (State::Fail, "the key may withdraw; make one that may not".to_owned());
    }
    match may("trade") {
        Some(true) => (State::Ok, "the key may trade and not withdraw".to_owned()),
        Some(false) => (State::Fail, "the key may not trade".to_owned()),
        None => (State::Warn, "the venue does not say whether the key may trade".to_owned()),
    }
}
