//! Venues' payloads as they came off the wire. They lie beside the repository where they are at hand; without them these
//! stories say that they were skipped. What a codec refuses must stand in the list of its module, with the reason.

mod hyperliquid;
mod kraken;

use std::path::{Path, PathBuf};

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
