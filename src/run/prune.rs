//! Which tapes of a state folder may go: what is told before anything is deleted, and the deleting.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use bellwether_sdk::{InstrumentId, OrderState, Ts};

use super::RunError;
use super::tapes::{resumable, settings_of, start_of, verify};
use crate::config::Durability;
use crate::host::Registry;
use crate::tape::{self, Mode, Record, TapeReader, TapeWriter};

/// Which tapes are to go: those that fit all that is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneRule {
    /// All but so many of the newest.
    pub keep: Option<usize>,
    /// All that nobody has written to for so long.
    pub older_than: Option<Duration>,
}

/// A tape, and what is to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneRow {
    /// Its first file.
    pub tape: PathBuf,
    /// All its files.
    pub files: Vec<PathBuf>,
    /// Bytes in them.
    pub bytes: u64,
    /// Why it stays; `None` for one that goes.
    pub kept: Option<String>,
}

/// Looks at all tapes of a state folder, the newest first; deletes nothing. A tape stays whatever the rule says while a session
/// writes it, when its session did not end or cannot be made again, when it is damaged, and when it is of a live session that
/// left orders or positions: it is needed to go on.
///
/// # Errors
/// [`RunError::Tape`] when the folder cannot be read.
pub fn prunable(state: &Path, registry: &Registry, program: &str, rule: &PruneRule) -> Result<Vec<PruneRow>, RunError> {
    let now = SystemTime::now();
    let mut rows = tapes_of(state)?;
    for (place, row) in rows.iter_mut().enumerate() {
        let touched = row.files.iter().filter_map(|f| f.metadata().and_then(|m| m.modified()).ok()).max();
        let age = touched.and_then(|t| now.duration_since(t).ok()).unwrap_or_default();
        row.kept = match (rule.keep, rule.older_than) {
            (Some(keep), _) if place < keep => Some(format!("one of the newest {keep}")),
            (_, Some(least)) if age < least => Some("not old enough".to_owned()),
            _ => needed(&row.tape, registry, program),
        };
    }
    Ok(rows)
}

/// Deletes the tapes that go; gives how many and their bytes.
///
/// # Errors
/// [`RunError::Tape`] when a file cannot be deleted; those before it are gone.
pub fn prune(rows: &[PruneRow]) -> Result<(usize, u64), RunError> {
    let mut done = (0, 0);
    for row in rows.iter().filter(|r| r.kept.is_none()) {
        // The first file goes first: what is left when this is interrupted is no tape, and goes the next time.
        for file in &row.files {
            fs::remove_file(file).map_err(|e| RunError::Tape(format!("deleting {}: {e}", file.display())))?;
        }
        done = (done.0 + 1, done.1 + row.bytes);
    }
    Ok(done)
}

/// How many tapes a state folder has, and their bytes.
///
/// # Errors
/// [`RunError::Tape`] when the folder cannot be read.
pub fn tapes_size(state: &Path) -> Result<(usize, u64), RunError> {
    let rows = tapes_of(state)?;
    Ok((rows.len(), rows.iter().map(|r| r.bytes).sum()))
}

/// All tapes, the newest first.
fn tapes_of(state: &Path) -> Result<Vec<PruneRow>, RunError> {
    let folder = state.join("tapes");
    let failed = |e: std::io::Error| RunError::Tape(format!("reading {}: {e}", folder.display()));
    let mut found: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((own, _)) = name.split_once(".tape").filter(|(_, more)| more.is_empty() || more.starts_with('.'))
        else {
            continue;
        };
        found.entry(folder.join(format!("{own}.tape"))).or_default().push(path);
    }
    let row = |(tape, mut files): (PathBuf, Vec<PathBuf>)| {
        files.sort();
        let bytes = files.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
        PruneRow { tape, files, bytes, kept: None }
    };
    Ok(found.into_iter().rev().map(row).collect())
}

/// Why a tape is still needed.
fn needed(path: &Path, registry: &Registry, program: &str) -> Option<String> {
    if !path.exists() {
        // Its first file went before.
        return None;
    }
    if tape::is_written(path) {
        return Some("a session writes it".to_owned());
    }
    let found = match verify(path) {
        Ok(found) => found,
        Err(e) => return Some(e.to_string()),
    };
    match (found.damaged, found.ended) {
        (Some(why), _) => Some(why),
        (None, false) => Some("its session did not end; `--resume` goes on with it".to_owned()),
        (None, true) => left_open(path, registry, program).unwrap_or_else(|e| Some(e.to_string())),
    }
}

/// What a live session left at its venue.
fn left_open(path: &Path, registry: &Registry, program: &str) -> Result<Option<String>, RunError> {
    let start = start_of(&mut TapeReader::open(path)?)?;
    if start.mode == Mode::Paper {
        return Ok(None);
    }
    let settings = settings_of(&start)?;
    let (_, run) = resumable(path, registry, &settings, start.mode, program)?;
    let engine = run.session.circuit.engine();
    let open = engine.open_orders().count();
    let unknown = engine.open_orders().filter(|o| o.state == OrderState::Unknown).count();
    let ids = (0..engine.view().instruments.len()).map(|i| InstrumentId(i as u16));
    let positions = ids.filter(|id| !engine.ledger().position(*id).qty.is_zero()).count();
    Ok((open > 0 || positions > 0).then(|| {
        format!("its live session left {open} orders open ({unknown} of them unknown) and {positions} positions")
    }))
}

/// What a setting of `session.durability` costs an order on the disk of a folder: medians and 99th percentiles in
/// nanoseconds.
///
/// # Errors
/// [`RunError::Tape`] when a tape cannot be written there.
pub fn durability_costs(folder: &Path) -> Result<Vec<(Durability, u64, u64)>, RunError> {
    let cost = |durability| -> Result<(Durability, u64, u64), RunError> {
        let path = folder.join(format!(".cost-{}.tape", std::process::id()));
        let measured = measure(&path, durability);
        let _ = fs::remove_file(&path);
        let (p50, p99) = measured?;
        Ok((durability, p50, p99))
    };
    [Durability::Staged, Durability::Direct, Durability::Sync].into_iter().map(cost).collect()
}

/// Orders whose records are written and committed, as a session does.
fn measure(path: &Path, durability: Durability) -> Result<(u64, u64), RunError> {
    const ORDERS: usize = 100;
    let line = Record::Effect("order 17 buy 0.01 binance:BTC/USDT limit 87000.01 gtc intent".to_owned());
    let mut tape = TapeWriter::create(path, durability)?;
    tape.append(&Record::Clock(Ts::NONE))?;
    tape.commit()?;
    let mut took = Vec::with_capacity(ORDERS);
    for _ in 0..ORDERS {
        tape.append(&Record::Clock(Ts::NONE))?;
        tape.append(&line)?;
        let begun = Instant::now();
        tape.commit()?;
        took.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    took.sort_unstable();
    Ok((took[ORDERS / 2], took[ORDERS - 2]))
}
