//! Binance: every payload at hand goes through the reader of its kind, and what was read is compared with the fields
//! of the same payload, looked up one by one.

mod book;
mod kinds;
mod replies;
mod streams;

use std::path::Path;

use bellwether::exchange::{Listings, OrderStatus, Product, Response, Rules, VenueError, WireError, venue};
use bellwether_sdk::{InstrumentId, Ts};
use serde_json::Value;

use self::kinds::{EXAMPLES_OUT_OF_SCOPE, Kind, OUT_OF_SCOPE, REFUSED, ask_of, example_kind, file_kind};
use self::replies::{check_act, check_reply, check_said};
use self::streams::{check_account, check_market};
use super::{folder, text};

fn listings(product: Product) -> Listings {
    let settle = |quote: &str| if product == Product::Spot { String::new() } else { format!(":{quote}") };
    let pairs =
        ["BTC/USDT", "ETH/USDT", "BNB/USDT", "ADA/USDT", "DOGE/USDT", "BNB/BTC", "LTC/BTC", "ETH/BTC", "BTC/USD"];
    let rules = |pair: &&str| {
        let (base, quote) = pair.split_once('/').expect("a pair");
        let name = format!("{base}{quote}");
        let plain = super::rules(&format!("binance:{pair}{}", settle(quote)), &name, 8, 8);
        Rules { stream_name: name.to_lowercase(), ..plain }
    };
    Listings::new(pairs.iter().map(rules).enumerate().map(|(i, r)| (InstrumentId(i as u16), r)))
}

/// A decimal at eight digits, read without the code under test.
fn at8(value: &Value) -> i64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (negative, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |d| (true, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction: String = fraction.chars().chain("00000000".chars()).take(8).collect();
    let mantissa: i64 = format!("{whole}{fraction}").parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    if negative { -mantissa } else { mantissa }
}

/// The text of a number or a string.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn millis(value: &Value) -> Ts {
    Ts::from_millis(value.as_i64().expect("milliseconds"))
}

fn status(word: &str) -> OrderStatus {
    match word {
        "NEW" | "NEW_ADL" | "NEW_INSURANCE" | "PENDING_CANCEL" => OrderStatus::Acknowledged,
        "PARTIALLY_FILLED" => OrderStatus::PartlyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Cancelled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
        other => panic!("{other}: not in the list of the test"),
    }
}

/// Why a payload was not read as it stands.
#[derive(Debug)]
struct Wrong(String);

impl From<VenueError> for Wrong {
    fn from(e: VenueError) -> Self {
        Self(e.to_string())
    }
}

impl From<WireError> for Wrong {
    fn from(e: WireError) -> Self {
        Self(e.to_string())
    }
}

const ID: InstrumentId = InstrumentId(0);

fn check(product: Product, kind: Kind, body: &str) -> Result<(), Wrong> {
    let venue = venue("binance", product).expect("built in");
    let listings = listings(product);
    let json: Value = serde_json::from_str(body).expect("json");
    if let Some(ask) = ask_of(kind) {
        let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
        check_reply(kind, venue.reply(&ask, &response, &listings)?, &json, &listings);
        return Ok(());
    }
    match kind {
        Kind::Act => check_act(&*venue, &listings, body, &json),
        Kind::Said => check_said(&*venue, &listings, body, &json),
        Kind::Market => check_market(&*venue, &listings, body, &json),
        _ => check_account(&*venue, &listings, body, &json),
    }
}

fn rows(json: &Value) -> &[Value] {
    json.as_array().map_or(std::slice::from_ref(json), Vec::as_slice)
}

fn listed<'a>(listings: &Listings, rows: &'a [Value]) -> Vec<&'a Value> {
    rows.iter().filter(|r| listings.named(r["symbol"].as_str().unwrap_or("")).is_some()).collect()
}

fn files(folder: &Path, below: &Path, into: &mut Vec<String>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(below).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(folder, &path, into);
        } else {
            into.push(path.strip_prefix(folder).expect("below").to_string_lossy().into_owned());
        }
    }
}

fn is_in(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(part, _)| name.contains(part))
}

#[test]
fn every_payload_at_hand_is_read_as_it_stands() {
    let Some(folder) = folder("binance") else { return };
    let mut names = Vec::new();
    files(&folder, &folder, &mut names);
    let (mut read, mut refused, mut others) = (0, Vec::new(), 0);
    let mut take = |name: &str, kind: Option<(Product, Kind)>, body: &str| {
        let (product, kind) = kind.unwrap_or_else(|| panic!("{name}: in no list"));
        match std::panic::catch_unwind(|| check(product, kind, body)) {
            Ok(Ok(())) => read += 1,
            Ok(Err(Wrong(why))) => {
                assert!(REFUSED.iter().any(|(n, _)| *n == name), "{name}: refused: {why}");
                refused.push(name.to_owned());
            }
            Err(_) => panic!("{name} ({kind:?}): what was read differs, or could not be compared"),
        }
    };
    for name in names {
        if name == "usdm_official_connector_examples.json" {
            let examples: Vec<Value> = serde_json::from_str(&text(&folder, &name)).expect("examples");
            for (i, example) in examples.iter().enumerate() {
                let what = match (example["method"].as_str(), example["path"].as_str()) {
                    (Some(method), Some(path)) => format!("{method} {path}"),
                    _ => words(&example["test"]),
                };
                let out = |(part, _): &(&str, &str)| {
                    if part.starts_with('/') { what.ends_with(&format!(" {part}")) } else { what.contains(part) }
                };
                if EXAMPLES_OUT_OF_SCOPE.iter().any(out) {
                    others += 1;
                    continue;
                }
                let name = format!("usdm#{i} {what}");
                let kind = example_kind(&name).map(|kind| (Product::Linear, kind));
                take(&name, kind, &example["example"].to_string());
            }
        } else if is_in(OUT_OF_SCOPE, &name) {
            others += 1;
        } else {
            take(&name, file_kind(&name), &text(&folder, &name));
        }
    }
    eprintln!("binance: {read} payloads read and compared, {} refused, {others} of other kinds", refused.len());
    assert_eq!(refused.len(), REFUSED.len(), "{refused:?}");
    assert!(refused.len() * 20 <= read + refused.len());
}
