//! What comes twenty thousand times a second is read without touching the heap.

use std::hint::black_box;

use bellwether_sdk::{InstrumentId, Ts};
use bellwether_venues::exchange::{Listings, Note, Product, Rules, Sink, venue};

struct Counted {
    trades: u32,
    quotes: u32,
}

impl Sink for Counted {
    fn note(&mut self, note: Note<'_>) {
        match note {
            Note::Trade(trade, _) => self.trades += u32::from(!black_box(trade).qty.is_zero()),
            Note::Quote(quote) => self.quotes += u32::from(!black_box(quote).bid.is_zero()),
            _ => {}
        }
    }
}

fn listings(symbol: &str) -> Listings {
    let plain = Rules::plain(symbol.parse().expect("a symbol"), "BTCUSDT", 2, 5);
    let rules = Rules { stream_name: "btcusdt".to_owned(), ..plain };
    Listings::new([(InstrumentId(0), rules)])
}

#[test]
fn trades_and_quotes_of_binance_are_read_without_allocation() {
    // A counter that counts nothing would hold whatever is read.
    assert!(allocation_counter::measure(|| drop(black_box(Box::new(1)))).count_total > 0, "the counter counts nothing");
    let trade = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1750000000123,"s":"BTCUSDT","t":5012345678,"p":"87250.35000000","q":"0.01250000","T":1750000000122,"m":true,"M":true}}"#;
    let quote = r#"{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"87250.35000000","B":"1.50000000","a":"87250.36000000","A":"2.00000000"}}"#;
    let aggregate = r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1750000000123,"s":"BTCUSDT","a":2612345678,"p":"87250.30","q":"0.012","f":1,"l":2,"T":1750000000122,"m":false}}"#;
    let ticker = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":9,"s":"BTCUSDT","b":"87250.30","B":"1.500","a":"87250.40","A":"2.000","T":1750000000122,"E":1750000000123}}"#;
    for (symbol, product, messages) in [
        ("binance:BTC/USDT", Product::Spot, [trade, quote]),
        ("binance:BTC/USDT:USDT", Product::Linear, [aggregate, ticker]),
    ] {
        let (venue, listings) = (venue("binance", product).expect("built in"), listings(symbol));
        let mut counted = Counted { trades: 0, quotes: 0 };
        let info = allocation_counter::measure(|| {
            for n in 0..1_000 {
                for message in messages {
                    venue.read_market(black_box(message), &listings, Ts::from_nanos(n), &mut counted).expect("read");
                }
            }
        });
        assert_eq!((counted.trades, counted.quotes), (1_000, 1_000), "{symbol}");
        assert_eq!(info.count_total, 0, "{symbol}: {info:?}");
    }
}
