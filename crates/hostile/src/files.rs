//! Files that people and machines bring: tapes, settings, market data to be imported.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use bellwether::config;
use bellwether::data::{Format, ImportSpec, read_only};
use bellwether::engine::Fresh;
use bellwether::tape::{Record, TapeReader};
use bellwether_sdk::Symbol;
use tempfile::TempDir;

use crate::Target;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Where files lie in memory if the system has such a place.
fn folder() -> std::io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// Hands a file with these bytes to `read`; a file that cannot be made is no finding.
fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let path: Option<PathBuf> = FOLDER.with_borrow_mut(|held| {
        if held.is_none() {
            *held = folder().ok();
        }
        held.as_ref().map(|dir| dir.path().join(name))
    });
    if let Some(path) = path.filter(|p| std::fs::write(p, bytes).is_ok()) {
        read(&path);
    }
}

fn tape(input: &[u8]) {
    with_file("t.tape", input, |path| {
        let Ok(mut reader) = TapeReader::open(path) else { return };
        while let Ok(Some((_, record))) = reader.read() {
            let _ = record.tell(&Fresh::default(), |_| ());
        }
    });
}

/// A tape whose checks hold, over records that do not: the length of each, then its bytes.
fn tape_forged(input: &[u8]) {
    let mut bytes = b"BWTAPE01".to_vec();
    let mut check = crc32fast::hash(&bytes);
    let mut rest = input;
    while let Some((length, more)) = rest.split_first() {
        let (payload, after) = more.split_at(usize::from(*length).min(more.len()));
        let mut hasher = crc32fast::Hasher::new_with_initial(check);
        hasher.update(payload);
        check = hasher.finalize();
        bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes.extend_from_slice(payload);
        rest = after;
    }
    tape(&bytes);
}

fn record(input: &[u8]) {
    if let Ok(record) = postcard::from_bytes::<Record>(input) {
        let _ = record.tell(&Fresh::default(), |_| ());
    }
}

fn settings(input: &[u8]) {
    with_file("settings.toml", input, |path| drop(config::load(Some(path), &[])));
}

fn import(format: Format, symbol: &Symbol, input: &[u8]) {
    with_file("data", input, |path| drop(read_only(path, &ImportSpec::new(format, symbol.clone()))));
}

/// All parsers of files.
pub(crate) fn targets() -> Vec<Target> {
    let mut all = vec![
        Target::new("tape-file", tape),
        Target::new("tape-forged", tape_forged),
        Target::new("tape-record", record),
        Target::new("config", settings),
    ];
    if let Ok(symbol) = "binance:BTC/USDT".parse::<Symbol>() {
        let formats = [Format::Csv, Format::Binance, Format::Freqtrade, Format::Tardis, Format::Parquet];
        all.extend(formats.map(|format| {
            let symbol = symbol.clone();
            Target::new(format!("import-{}", format.name()), move |input: &[u8]| import(format, &symbol, input))
        }));
    }
    all
}
