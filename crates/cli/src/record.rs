//! From a finished run to its document: what made it, in words that let it be repeated.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bellwether::config::{REDACTED, Settings, redact};
use bellwether::host::{Entry, Registry, is_file};
use bellwether::market::Kind;
use bellwether::report::{DataUse, Document, Provenance, RunStore, StrategyUse};
use bellwether::run::{self, RunReport};
use bellwether_sdk::{Symbol, Ts};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{interrupt, plan, program, strategies};

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The document of a run. The hash of this program is remembered in the state folder, if one is given.
pub(crate) fn document(
    report: &RunReport,
    settings: &Settings,
    registry: &Registry,
    command: String,
    state: Option<&std::path::Path>,
) -> Result<Document, Failure> {
    let now = jiff::Timestamp::now();
    let artefact = program::hash(state);
    let names: Vec<&str> = settings.strategy.iter().map(|s| s.id.as_str()).collect();
    let provenance = Provenance {
        run_id: run_id(now, &names, &report.outcome.order_hash),
        version: VERSION.to_owned(),
        strategies: uses(settings, registry, &artefact)?,
        data_hash: report.data_hash.clone(),
        config_hash: report.config_hash.clone(),
        fill_profile: report.fill_profile.clone(),
        tape: report.tape.as_ref().map(|p| p.display().to_string()),
        seed: 0,
        engine_cpu_seconds: report.engine_cpu_seconds,
        wall_seconds: report.wall_seconds,
        data: report.series.iter().map(data_use).collect(),
        settings: stored_settings(settings)?,
        created: now.to_string(),
        command,
    };
    Ok(Document::new(&report.outcome, &provenance))
}

/// Runs a stored run again as its settings say; the catalog may have moved.
pub(crate) fn rerun(
    stored: &Document,
    registry: &Registry,
    data: Option<&std::path::Path>,
) -> Result<(RunReport, Document), Failure> {
    let id = &stored.run.id;
    let mut settings = settings_of(stored)?;
    if let Some(dir) = data {
        settings.data.dir = dir.to_owned();
    }
    strategies::check(registry, &settings.strategy, None, false)
        .map_err(|f| f.prefixed(&format!("repeating run {id}: ")))?;
    let report = run::backtest(&settings, registry, interrupt::listen()?)?;
    let document = document(&report, &settings, registry, stored.run.command.clone(), None)?;
    Ok((report, document))
}

/// The settings of a stored run.
pub(crate) fn settings_of(stored: &Document) -> Result<Settings, Failure> {
    let id = &stored.run.id;
    if stored.run.settings.to_string().contains(REDACTED) {
        return Err(Failure::new(
            Code::Refused,
            format!("repeating run {id}: its settings hold secrets that were not stored"),
        ));
    }
    serde_json::from_value(stored.run.settings.clone()).map_err(|e| {
        Failure::bad(format!("repeating run {id}: its settings do not read: {e}"))
            .help("it was stored by another version; use that one")
    })
}

/// The state folder, made.
pub(crate) fn state(global: &Global) -> Result<std::path::PathBuf, Failure> {
    Ok(bellwether::config::state_dir(&plan::settings(global)?.settings)?)
}

/// The store of runs, its folder made.
pub(crate) fn store(global: &Global) -> Result<RunStore, Failure> {
    Ok(RunStore::new(&state(global)?))
}

/// A new number for a session: the upper half of its order ids at a venue.
pub(crate) fn new_session() -> u64 {
    let now = jiff::Timestamp::now().as_nanosecond();
    let seed = Sha256::digest(format!("{now} {}", std::process::id()).as_bytes());
    seed.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
}

/// A file for a new tape, its folder made.
pub(crate) fn new_tape(global: &Global, settings: &Settings) -> Result<std::path::PathBuf, Failure> {
    let names: Vec<&str> = settings.strategy.iter().map(|s| s.id.as_str()).collect();
    let dir = tapes(global)?;
    let id = run_id(jiff::Timestamp::now(), &names, "");
    Ok(dir.join(format!("{}.tape", id.trim_end_matches("-none").trim_end_matches('-'))))
}

/// The tape of a file's name, or the newest for `last`.
pub(crate) fn find_tape(global: &Global, asked: &str) -> Result<std::path::PathBuf, Failure> {
    let path = std::path::PathBuf::from(asked);
    if path.is_file() {
        return Ok(path);
    }
    let dir = tapes(global)?;
    if dir.join(asked).is_file() {
        return Ok(dir.join(asked));
    }
    let read = std::fs::read_dir(&dir).map_err(|e| Failure::bad(format!("reading {}: {e}", dir.display())))?;
    let mut found: Vec<_> =
        read.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|x| x == "tape")).collect();
    found.sort();
    match found.pop() {
        Some(newest) if asked == "last" => Ok(newest),
        _ => Err(Failure::bad(format!("there is no tape {asked:?} in {}", dir.display()))
            .help("`bellwether paper` records one; name a file, or `last`")),
    }
}

fn tapes(global: &Global) -> Result<std::path::PathBuf, Failure> {
    let dir = state(global)?.join("tapes");
    bellwether::config::create_private(&dir)
        .map_err(|e| Failure::new(Code::Failed, format!("making {}: {e}", dir.display())))?;
    Ok(dir)
}

/// The run of an id, a beginning of one, `last`, or a file that `backtest --json` wrote.
pub(crate) fn find(global: &Global, asked: &str) -> Result<Document, Failure> {
    let path = std::path::Path::new(asked);
    if path.is_file() {
        return Ok(bellwether::report::runs::read_document(path)?);
    }
    Ok(store(global)?.load(asked)?)
}

fn run_id(now: jiff::Timestamp, names: &[&str], order_hash: &str) -> String {
    let stamp = now.strftime("%Y%m%d-%H%M%S%3f");
    let mut name = names.join("-");
    name.retain(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    name.truncate(40);
    format!("{stamp}-{name}-{}", order_hash.get(..8).unwrap_or("none"))
}

/// Settings as stored: whole paths, so that the run can be repeated from any folder; no secrets.
pub(crate) fn stored_settings(settings: &Settings) -> Result<Value, Failure> {
    let mut settings = settings.clone();
    if let Ok(dir) = std::path::absolute(&settings.data.dir) {
        settings.data.dir = dir;
    }
    settings.state_dir = None;
    for strategy in settings.strategy.iter_mut().filter(|s| is_file(&s.plugin)) {
        if let Ok(file) = std::path::absolute(&strategy.plugin) {
            strategy.plugin = file.display().to_string();
        }
    }
    let mut value = serde_json::to_value(&settings)
        .map_err(|e| Failure::new(Code::Failed, format!("storing the settings: {e}")))?;
    redact(&mut value);
    Ok(value)
}

fn data_use((symbol, kind, rows, first, end): &(Symbol, Kind, u64, Ts, Ts)) -> DataUse {
    DataUse { instrument: symbol.to_string(), kind: kind.to_string(), rows: *rows, first: *first, last: *end }
}

fn uses(settings: &Settings, registry: &Registry, artefact: &str) -> Result<Vec<StrategyUse>, Failure> {
    let of = |s: &bellwether::config::StrategySettings| {
        let entry = strategies::of_settings(registry, s)?;
        let given = if s.instruments.is_empty() { &settings.backtest.instruments } else { &s.instruments };
        Ok(StrategyUse {
            id: s.id.clone(),
            plugin: s.plugin.clone(),
            params: params(&entry, &s.params),
            instruments: given.iter().map(ToString::to_string).collect(),
            artefact_hash: if entry.sha256.is_empty() { artefact.to_owned() } else { entry.sha256 },
        })
    };
    settings.strategy.iter().map(of).collect()
}

/// All parameters, defaults included; numbers as numbers.
fn params(entry: &Entry, given: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let specs = &entry.specs;
    let defaults = specs.iter().filter_map(|s| Some((s.name.to_owned(), s.default.clone()?)));
    let mut all: BTreeMap<String, String> = defaults.collect();
    all.extend(given.clone());
    let typed = |name: &str, text: String| match specs.iter().find(|s| s.name == name).map(|s| s.kind) {
        Some("integer" | "number" | "boolean") => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        _ => Value::String(text),
    };
    all.into_iter().map(|(name, text)| (name.clone(), typed(&name, text))).collect()
}

/// A command line as it can be pasted into a shell.
pub(crate) fn shell_line(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.into_iter().map(|w| quoted(w.as_ref())).collect::<Vec<_>>().join(" ")
}

/// The words of this command line.
pub(crate) fn typed() -> Vec<String> {
    std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect()
}

/// The state folder in which a session of this name runs.
pub(crate) fn running(global: &Global, session: &str) -> Result<PathBuf, Failure> {
    let state = state(global)?;
    let running: Vec<String> = run::running(&state)?.into_iter().map(|r| r.name).collect();
    if running.iter().any(|name| name == session) {
        return Ok(state);
    }
    let there = if running.is_empty() { "none runs".to_owned() } else { format!("there are: {}", running.join(", ")) };
    Err(Failure::bad(format!("no session {session} runs with the state folder {}; {there}", state.display())))
}

/// A number by which the answer to a question of this process is known; never zero, which would want no answer.
pub(crate) fn question_number() -> u64 {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    (nanos as u64 ^ u64::from(std::process::id()).rotate_right(16)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_shell_quotes_what_the_shell_would_read() {
        assert_eq!(
            shell_line(["a", "--set=x=1:2:3", "two words", "it's", ""]),
            r"a --set=x=1:2:3 'two words' 'it'\''s' ''"
        );
    }

    #[test]
    fn a_run_id_is_a_plain_name_that_sorts_by_time() {
        let at: jiff::Timestamp = "2024-01-31T12:00:00.5Z".parse().expect("a time");
        assert_eq!(run_id(at, &["ema_cross", "ü b"], "0123456789abcdef"), "20240131-120000500-ema_cross-b-01234567");
    }
}
