//! Binance: a raw capture of a futures instrument through the codec, and the book rebuilt from it against the venue's
//! own best prices. The capture lies beside the repository where it is at hand.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use bellwether::exchange::{Ask, Listings, Note, Product, Reply, Response, Rules, venue};
use bellwether::market::book::Book;
use bellwether_sdk::{Depth, InstrumentId, Ts};
use serde_json::Value;

const ID: InstrumentId = InstrumentId(0);

fn capture() -> Option<String> {
    let file = "../shared/market-data/acceptance/raw/binance_um_BTCUSDT_20240808.ndjson.gz";
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    Some(text)
}

fn listings() -> Listings {
    let plain = super::super::rules("binance:BTC/USDT:USDT", "BTCUSDT", 2, 3);
    let rules = Rules { stream_name: "btcusdt".to_owned(), ..plain };
    Listings::new([(ID, rules)])
}

/// Digits without the point: the capture writes all prices with two of them and all quantities with three.
fn plain(value: &Value) -> i64 {
    value.as_str().expect("a string").replace('.', "").parse().expect("digits")
}

/// The venue's best prices, with the id of the change that made them.
fn best_prices(lines: &[&str]) -> Vec<(i64, [i64; 4])> {
    let quotes = lines.iter().filter(|l| l.contains("@bookTicker"));
    let read = |line: &&str| {
        let json: Value = serde_json::from_str(line).expect("json");
        let d = &json["data"];
        (d["u"].as_i64().expect("an id"), ["b", "B", "a", "A"].map(|f| plain(&d[f])))
    };
    quotes.map(read).collect()
}

#[test]
fn a_raw_capture_gives_the_book_that_the_venue_had() {
    let Some(text) = capture() else {
        eprintln!("skipped: no ../shared/market-data");
        return;
    };
    let lines: Vec<&str> = text.lines().filter_map(|l| l.split_once(' ').map(|(_, json)| json)).collect();
    let told = best_prices(&lines);
    let best: BTreeMap<i64, [i64; 4]> = told.iter().copied().collect();
    let mut told = told.into_iter();
    let (venue, listings, mut book) =
        (venue("binance", Product::Linear).expect("built in"), listings(), Book::default());
    let (mut trades, mut quotes, mut depths, mut compared, mut crossed) = (0, 0, 0, 0, 0);
    for line in &lines {
        if line.starts_with("{\"lastUpdateId\"") {
            let response = Response { status: 200, headers: Vec::new(), body: (*line).to_owned() };
            let reply = venue.reply(&Ask::Book(ID, 1000), &response, &listings).expect("a snapshot");
            let Reply::Book(row) = reply else { panic!("{reply:?}") };
            let (ts, ts_venue, instrument) = (Ts::from_nanos(0), row.ts_venue, ID);
            let (first_id, last_id, prev_id, levels) = (0, row.last_id, 0, row.levels.as_slice());
            book.apply(&Depth { ts, ts_venue, snapshot: true, first_id, last_id, prev_id, levels, instrument });
            continue;
        }
        let mut depth = false;
        let mut sink = |note: Note<'_>| match note {
            Note::Trade(..) => trades += 1,
            Note::Quote(q) => {
                quotes += 1;
                let got = [q.bid.mantissa(), q.bid_qty.mantissa(), q.ask.mantissa(), q.ask_qty.mantissa()];
                assert_eq!(Some(got), told.next().map(|t| t.1), "{line}");
            }
            Note::Depth(d, None) => {
                depth = true;
                depths += 1;
                book.apply(&d);
            }
            other => panic!("{other:?}"),
        };
        venue.read_market(line, &listings, Ts::from_nanos(1), &mut sink).unwrap_or_else(|e| panic!("{line}: {e}"));
        let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) else { continue };
        crossed += usize::from(bid.0 >= ask.0);
        if let Some(want) = best.get(&book.last_id()).filter(|_| depth && book.is_valid()) {
            let got = [bid.0.mantissa(), bid.1.mantissa(), ask.0.mantissa(), ask.1.mantissa()];
            assert_eq!(got, *want, "at change {}", book.last_id());
            compared += 1;
        }
    }
    eprintln!("binance: {trades} trades, {quotes} quotes, {depths} depth messages; {compared} points compared");
    assert_eq!((trades, quotes, depths), (21_313, 66_089, 6_551));
    assert_eq!((compared, crossed), (629, 0));
}
