//! Venues' payloads as they came off the wire. They lie beside the repository where they are at hand; without them these
//! stories say that they were skipped. What a codec refuses must stand in the list of its module, with the reason.

mod binance;
mod binance_book;
mod bybit;
mod coinbase;
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

}
