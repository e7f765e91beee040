//! The book, rebuilt from a real capture, against the venue's own best bid and offer.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use bellwether::market::book::Book;
use bellwether_sdk::num::parse_mantissa;
use bellwether_sdk::{Depth, InstrumentId, Level, Price, Qty, Side, Ts};

/// The rows of a gzipped CSV of the capture, without its header; `None` where the shared data is absent.
fn rows(name: &str) -> Option<Vec<Vec<String>>> {
    let file = format!("../shared/market-data/acceptance/l2_binance_um_BTCUSDT_2024-08-08_{name}.csv.gz");
    let bytes = std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    Some(text.lines().skip(1).map(|l| l.split(',').map(str::to_owned).collect()).collect())
}

fn int(text: &str) -> i64 {
    text.parse().expect("an integer")
}

fn level(side: &str, price: &str, qty: &str) -> Level {
    Level {
        side: if side == "b" { Side::Buy } else { Side::Sell },
        price: Price::from_mantissa(parse_mantissa(price.as_bytes(), 2).expect("a price")),
        qty: Qty::from_mantissa(parse_mantissa(qty.as_bytes(), 3).expect("a quantity")),
    }
}

/// One message: when it came, its ids, its levels.
type Message = ((i64, i64), bool, (i64, i64, i64), Vec<Level>);

fn messages() -> Option<Vec<Message>> {
    let mut messages: BTreeMap<(i64, i64), Message> = BTreeMap::new();
    for r in rows("depth")? {
        let key = (int(&r[1]), int(&r[0]));
        let ids = (int(&r[4]), int(&r[5]), int(&r[6]));
        messages.entry(key).or_insert_with(|| (key, false, ids, Vec::new())).3.push(level(&r[7], &r[8], &r[9]));
    }
    for r in rows("snapshot")? {
        let key = (int(&r[1]), int(&r[0]));
        let ids = (0, int(&r[3]), 0);
        messages.entry(key).or_insert_with(|| (key, true, ids, Vec::new())).3.push(level(&r[4], &r[5], &r[6]));
    }
    Some(messages.into_values().collect())
}

#[test]
fn the_rebuilt_book_equals_the_venues_best_prices_wherever_both_speak() {
    let (Some(messages), Some(tickers)) = (messages(), rows("bookticker")) else {
        eprintln!("skipped: no ../shared/market-data");
        return;
    };
    let best: BTreeMap<i64, Vec<String>> = tickers.into_iter().map(|r| (int(&r[4]), r)).collect();
    let mut book = Book::default();
    let (mut compared, mut crossed) = (0, 0);
    for (_, snapshot, (first_id, last_id, prev_id), levels) in &messages {
        let depth = Depth {
            ts: Ts::from_nanos(0),
            ts_venue: Ts::NONE,
            snapshot: *snapshot,
            first_id: *first_id,
            last_id: *last_id,
            prev_id: *prev_id,
            levels,
            instrument: InstrumentId(0),
        };
        book.apply(&depth);
        let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) else { continue };
        crossed += usize::from(bid.0 >= ask.0);
        if let Some(r) = best.get(&book.last_id()).filter(|_| book.is_valid() && !snapshot) {
            let want = (level("b", &r[5], &r[6]), level("a", &r[7], &r[8]));
            assert_eq!((bid, ask), ((want.0.price, want.0.qty), (want.1.price, want.1.qty)), "at update {last_id}");
            compared += 1;
        }
    }
    assert_eq!((compared, crossed), (629, 0));
}
