//! Venues' payloads as they came off the wire. They lie beside the repository where they are at hand; without them these
//! stories say that they were skipped. What a codec refuses must stand in the list of its module, with the reason.

mod binance;
mod bybit;
mod coinbase;
mod flows;
mod hyperliquid;
mod kraken;
mod okx;

use std::path::{Path, PathBuf};

use bellwether::exchange::{Listings, Note, Rules, Venue};
use bellwether_sdk::{Decimal, InstrumentId, Price, Qty, Ts};
use serde_json::Value;

/// The folder of a venue's payloads, if it is at hand.
pub(super) fn folder(venue: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/venue-payloads").join(venue);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no ../shared/venue-payloads/{venue}");
    None
}

/// One payload's text.
pub(super) fn text(folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("reading {}: {e}", path.display()))
}

/// Every file of a folder is read, refused with a reason, or out of scope with a reason; the refused ones are few. The
/// reader compares what the codec says with the JSON and gives an error where they differ.
pub(super) fn all(
    venue: &str,
    out_of_scope: &[(&str, &str)],
    refused: &[(&str, &str)],
    read: impl Fn(&str, &str) -> Result<usize, String>,
) {
    let Some(folder) = folder(venue) else { return };
    let entries = std::fs::read_dir(&folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    let listed = |table: &[(&str, &str)], name: &str| {
        table.iter().any(|(file, why)| {
            assert!(!why.is_empty(), "{file}: no reason");
            *file == name
        })
    };
    let (mut read_count, mut compared, mut wrong) = (0usize, 0usize, Vec::new());
    for name in names.iter().filter(|n| !listed(out_of_scope, n)) {
        read_count += 1;
        match (read(name, &text(&folder, name)), listed(refused, name)) {
            (Ok(0), false) => wrong.push(format!("{name}: nothing was compared")),
            (Ok(n), false) => compared += n,
            (Ok(_), true) => wrong.push(format!("{name}: is read, but listed as refused")),
            (Err(_), true) => {}
            (Err(why), false) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused.len() * 20 <= read_count, "{} of {read_count} refused", refused.len());
    eprintln!("{venue}: {read_count} files read, {compared} values compared, {} refused", refused.len());
}

/// Digits enough for any payload.
const SCALE: u8 = 8;

/// Instruments with wide scales, by our symbol and the venue's name, numbered from zero.
pub(super) fn listings(names: &[(&str, &str)]) -> Listings {
    let id = |i| InstrumentId(u16::try_from(i).expect("few"));
    Listings::new(names.iter().enumerate().map(|(i, (symbol, name))| (id(i), rules(symbol, name, SCALE, SCALE))))
}

/// An instrument by our symbol and the venue's name, in the smallest steps of its digits.
pub(super) fn rules(symbol: &str, name: &str, price_scale: u8, qty_scale: u8) -> Rules {
    Rules::plain(symbol.parse().expect("a symbol"), name, price_scale, qty_scale)
}

/// The notes of a market message, each turned into a value as it passes.
pub(super) fn notes<T>(
    venue: &dyn Venue,
    text: &str,
    listings: &Listings,
    keep: impl Fn(&Note<'_>) -> T,
) -> Result<Vec<T>, String> {
    let mut kept = Vec::new();
    let mut sink = |note: Note<'_>| kept.push(keep(&note));
    venue.read_market(text, listings, Ts::from_nanos(1), &mut sink).map_err(|e| e.to_string())?;
    Ok(kept)
}

/// A number of the JSON, written either way; zero when it is absent or empty.
pub(super) fn number(value: &Value) -> Decimal {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if text.is_empty() { Decimal::new(0, 0) } else { text.parse().unwrap_or_else(|e| panic!("{text}: {e}")) }
}

/// A text of the JSON.
pub(super) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A price as the number that it is.
pub(super) fn price(price: Price) -> Decimal {
    Decimal::new(price.mantissa(), SCALE)
}

/// A quantity as the number that it is.
pub(super) fn qty(qty: Qty) -> Decimal {
    Decimal::new(qty.mantissa(), SCALE)
}

/// Milliseconds of a time.
pub(super) fn ms(ts: Ts) -> Decimal {
    Decimal::new(ts.nanos() / 1_000_000, 0)
}

/// Says which of several comparisons failed; the count of them when none did.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(pairs: &[(&str, T, T)]) -> Result<usize, String> {
    match pairs.iter().find(|(_, ours, theirs)| ours != theirs) {
        Some((field, ours, theirs)) => Err(format!("{field}: read {ours:?}, the JSON has {theirs:?}")),
        None => Ok(pairs.len()),
    }
}

/// The mantissa of a JSON number or text, read without the codec.
pub(super) fn mantissa(value: &serde_json::Value, scale: u8) -> i64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    bellwether_sdk::num::parse_mantissa(text.as_bytes(), scale).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Sees that every file of a folder is read, out of scope, or refused with a reason, and of those few: at most one in
/// twenty of the kinds that are read. `read` says whether it knew the file.
pub(super) fn every_file_is_read(
    folder: &Path,
    refused: &[(&str, &str)],
    out_of_scope: impl Fn(&str) -> bool,
    read: impl Fn(&str) -> bool,
) {
    let entries = std::fs::read_dir(folder).expect("the folder").flatten();
    let mut files: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    let mut count = 0;
    for file in files.iter().filter(|f| f.ends_with(".json") && !out_of_scope(f)) {
        count += 1;
        assert!(refused.iter().any(|(f, _)| f == file) || read(file), "{file} is of no kind that is known here");
    }
    assert!(count > 0 && refused.len() * 20 <= count, "{} of {count} files are refused", refused.len());
    println!("{count} files read, {} refused", refused.len());
}
