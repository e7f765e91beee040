//! Market streams: addresses and messages.

use bellwether_sdk::{Aggressor, Bar, Interval, Level, Quote, Rate, Trade};

use super::*;
use crate::exchange::binance::{market, usual};
use crate::exchange::{Note, Sink, Topic, WireError};
use crate::market::book::{Applied, Book};

const NOW: Ts = Ts::from_nanos(77);

fn topics() -> Vec<Topic> {
    let minute = Interval::MINUTE;
    let odd = Interval::from_nanos(7).expect("above zero");
    vec![
        Topic::Trades(BTC),
        Topic::Quotes(BTC),
        Topic::Depth(BTC, 50),
        Topic::Bars(BTC, minute),
        Topic::Funding(BTC),
        Topic::Bars(BTC, odd),
        Topic::Trades(InstrumentId(9)),
    ]
}

#[test]
fn spot_streams_share_a_connection_and_futures_streams_have_two() {
    let addresses = |venue: &Binance| -> Vec<(String, usize)> {
        let plans = venue.market(&venue.facts().urls, &topics(), &listings(venue.facts().product));
        plans.into_iter().map(|p| (p.url, p.topics.len())).collect()
    };
    let host = "wss://stream.binance.com:9443/stream?streams=";
    let want = format!("{host}btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@trade/btcusdt@kline_1m");
    assert_eq!(addresses(&spot()), [(want, 4)]);
    let host = "wss://fstream.binance.com";
    assert_eq!(
        addresses(&futures()),
        [
            (format!("{host}/public/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms"), 2),
            (format!("{host}/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@markPrice@1s"), 3),
        ]
    );
    assert!(spot().renew_book(Topic::Depth(BTC, 5), &listings(Product::Spot)).is_empty());
}

/// What a message gives, owned.
#[derive(Debug, Clone, PartialEq)]
enum Heard {
    Trade(Trade, u64),
    Quote(Quote),
    Depth(i64, i64, i64, Ts, Vec<Level>),
    Bar(Bar, bool),
    Funding(Rate, Ts, Price),
    Subscribed,
    Refused(String),
    Leaving(String),
    Ignored,
    Unexpected(String),
}

/// What a message gives; the short way, where it takes one, has to give the same.
fn hear(text: &str) -> Result<Vec<Heard>, WireError> {
    let heard = heard_by(|sink| spot().read_market(text, &listings(Product::Spot), NOW, sink));
    let the_long_way = heard_by(|sink| market::read_any(text, &listings(Product::Spot), NOW, sink));
    assert_eq!(heard, the_long_way, "{text:.300}");
    heard
}

fn heard_by(read: impl FnOnce(&mut dyn Sink) -> Result<(), WireError>) -> Result<Vec<Heard>, WireError> {
    let mut heard = Vec::new();
    let mut sink = |note: Note<'_>| {
        heard.push(match note {
            Note::Trade(t, id) => Heard::Trade(t, id),
            Note::Quote(q) => Heard::Quote(q),
            Note::Depth(d, None) => {
                assert!(!d.snapshot && d.instrument == BTC && d.ts == NOW);
                Heard::Depth(d.first_id, d.last_id, d.prev_id, d.ts_venue, d.levels.to_vec())
            }
            Note::Bar(b, closed) => Heard::Bar(b, closed),
            Note::FundingRate(id, rate, next, mark) => {
                assert_eq!(id, BTC);
                Heard::Funding(rate.expect("a rate"), next, mark)
            }
            Note::Subscribed => Heard::Subscribed,
            Note::Refused(why) => Heard::Refused(why.to_owned()),
            Note::Leaving(why) => Heard::Leaving(why.to_owned()),
            Note::Ignored => Heard::Ignored,
            Note::Unexpected(what) => Heard::Unexpected(what.to_owned()),
            other => panic!("{other:?}"),
        });
    };
    read(&mut sink)?;
    Ok(heard)
}

fn wrapped(stream: &str, data: &str) -> String {
    format!("{{\"stream\":\"{stream}\",\"data\":{data}}}")
}

const TRADE: &str = r#"{"e":"trade","E":1700000000001,"s":"BTCUSDT","t":12345,"p":"100.25000000","q":"0.50000000","T":1700000000000,"m":true,"M":true}"#;
const AGGREGATE: &str = r#"{"e":"aggTrade","E":5,"a":77,"s":"BTCUSDT","p":"100.50","q":"0.5","nq":"0.5","f":1,"l":2,"T":4,"m":false,"st":1}"#;
const QUOTE: &str =
    r#"{"u":400900217,"s":"BTCUSDT","b":"100.25000000","B":"31.21","a":"100.50000000","A":"0.00000001"}"#;
const DEPTH: &str = r#"{"e":"depthUpdate","E":9,"T":8,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["100.25","10"],["100.24","0.00000000"]],"a":[["100.50","1.5"]],"ps":"BTCUSDT","st":1}"#;
const BAR: &str = r#"{"e":"kline","E":119999,"s":"BTCUSDT","k":{"t":60000,"T":119999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"1","c":"2","h":"3.5","l":"0.5","v":"7","n":2,"x":true,"q":"1","V":"5","Q":"5","B":"0"}}"#;
const FUNDING: &str = r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"11794.15999999","i":"1","P":"2","r":"0.00038167","T":1562306400000}"#;

fn trade(ts: i64, price: i64, aggressor: Aggressor) -> Trade {
    Trade {
        ts: NOW,
        ts_venue: Ts::from_millis(ts),
        price: Price::from_mantissa(price),
        qty: Qty::from_mantissa(50_000_000),
        instrument: BTC,
        aggressor,
    }
}

#[test]
fn every_kind_is_read_by_its_stream_and_without() {
    let level = |side, price, qty| Level { side, price: Price::from_mantissa(price), qty: Qty::from_mantissa(qty) };
    let quote = Quote {
        ts: NOW,
        ts_venue: Ts::NONE,
        bid: Price::from_mantissa(10_025),
        bid_qty: Qty::from_mantissa(3_121_000_000),
        ask: Price::from_mantissa(10_050),
        ask_qty: Qty::from_mantissa(1),
        instrument: BTC,
    };
    let depth = vec![
        level(Side::Buy, 10_025, 1_000_000_000),
        level(Side::Buy, 10_024, 0),
        level(Side::Sell, 10_050, 150_000_000),
    ];
    let bar = Bar {
        ts_open: Ts::from_millis(60_000),
        ts_close: Ts::from_millis(120_000),
        open: Price::from_mantissa(100),
        high: Price::from_mantissa(350),
        low: Price::from_mantissa(50),
        close: Price::from_mantissa(200),
        volume: Qty::from_mantissa(700_000_000),
        interval: Interval::MINUTE,
        instrument: BTC,
    };
    for (stream, data, want) in [
        ("btcusdt@trade", TRADE, Heard::Trade(trade(1_700_000_000_000, 10_025, Aggressor::Seller), 12_345)),
        ("btcusdt@aggTrade", AGGREGATE, Heard::Trade(trade(4, 10_050, Aggressor::Buyer), 77)),
        ("btcusdt@bookTicker", QUOTE, Heard::Quote(quote)),
        ("btcusdt@depth@100ms", DEPTH, Heard::Depth(157, 160, 149, Ts::from_millis(8), depth)),
        ("btcusdt@kline_1m", BAR, Heard::Bar(bar, true)),
        (
            "btcusdt@markPrice@1s",
            FUNDING,
            Heard::Funding(
                Rate::from_mantissa(381_670_000),
                Ts::from_millis(1_562_306_400_000),
                Price::from_mantissa(1_179_415),
            ),
        ),
    ] {
        let want = vec![want];
        assert_eq!(hear(&wrapped(stream, data)), Ok(want.clone()), "{stream}");
        assert_eq!(hear(data), Ok(want.clone()), "{stream}, bare");
        let turned = format!("{{ \"data\" : {data} ,\n \"stream\" : \"{stream}\" }}");
        assert_eq!(hear(&turned), Ok(want.clone()), "{stream}, turned around");
        assert_eq!(hear(&wrapped("a-name-of-its-own", data)), Ok(want), "{stream}, by another name");
    }
}

#[test]
fn what_comes_by_the_thousand_goes_the_short_way() {
    let short = |text: &str| {
        heard_by(|sink| usual::read(text, &listings(Product::Spot), NOW, sink).ok_or_else(|| WireError::shape("", "")))
    };
    for (stream, data) in [
        ("btcusdt@trade", TRADE),
        ("btcusdt@aggTrade", AGGREGATE),
        ("btcusdt@bookTicker", QUOTE),
        ("btcusdt@depth@100ms", DEPTH),
    ] {
        let text = wrapped(stream, data);
        assert_eq!(short(&text), hear(&text), "{stream}");
        assert!(short(&text).is_ok(), "{stream}");
        let twice = text.replacen("\"s\":", "\"s\":\"BTCUSDT\",\"s\":", 1);
        assert!(short(&twice).is_err() && hear(&twice).is_err(), "{stream}, a field twice");
        // A byte changed anywhere: `hear` compares the ways.
        for at in 0..text.len() {
            for byte in [b'0', b'9', b'"', b'}', b' ', b'.', b'x'] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                let _ = hear(std::str::from_utf8(&bytes).expect("ASCII"));
            }
        }
    }
}

#[test]
fn numbers_may_be_strings_and_strings_numbers() {
    let swapped = TRADE.replace("\"100.25000000\"", "100.25").replace("\"0.50000000\"", "0.5");
    assert_eq!(
        hear(&wrapped("btcusdt@trade", &swapped)),
        Ok(vec![Heard::Trade(trade(1_700_000_000_000, 10_025, Aggressor::Seller), 12_345)])
    );
    let levels = DEPTH.replace("[[\"100.25\",\"10\"]", "[ [ 100.25 , 10 , \"more\" ]");
    assert_eq!(hear(&levels), hear(DEPTH));
}

#[test]
fn what_is_no_data_is_told_as_what_it_is() {
    for (text, want) in [
        (r#"{"result":null,"id":1}"#, Heard::Subscribed),
        (r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#, Heard::Refused("Invalid request".to_owned())),
        (r#"{"code":0,"msg":"Unknown property"}"#, Heard::Refused("Unknown property".to_owned())),
        (r#"{"e":"serverShutdown","E":1}"#, Heard::Leaving("serverShutdown".to_owned())),
        (
            r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#,
            Heard::Leaving("serverShutdown".to_owned()),
        ),
        (r#"{"e":"24hrTicker","s":"BTCUSDT","c":"1"}"#, Heard::Ignored),
        (&TRADE.replace("BTCUSDT", "XRPUSDT"), Heard::Ignored),
        (&BAR.replace("\"1m\"", "\"1M\""), Heard::Unexpected("a bar of an unknown interval".to_owned())),
        (r#"{"e":"aNewKind","s":"BTCUSDT"}"#, Heard::Unexpected("aNewKind".to_owned())),
        ("{}", Heard::Unexpected("{}".to_owned())),
        (
            r#"{"stream":"btcusdt@trade","data":["BTCUSDT",1,"100","1",5,true]}"#,
            Heard::Unexpected("a list of events: no stream of ours".to_owned()),
        ),
        (r#"{"stream":"!ticker@arr","data":[]}"#, Heard::Unexpected("a list of events: no stream of ours".to_owned())),
        (&FUNDING.replace("\"0.00038167\"", "\"\""), Heard::Ignored),
    ] {
        assert_eq!(hear(text), Ok(vec![want]), "{text}");
    }
}

#[test]
fn bad_messages_are_refused_and_say_nothing() {
    let in_trade = |from: &str, to: &str| wrapped("btcusdt@trade", &TRADE.replace(from, to));
    let in_depth = |from: &str, to: &str| wrapped("btcusdt@depth@100ms", &DEPTH.replace(from, to));
    let nines = "9".repeat(5000);
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\u{feff}{}".to_owned(),
        "[".repeat(100_000),
        in_trade("100.25000000", "100.255"),
        in_trade("100.25000000", "-100.25"),
        in_trade("100.25000000", "0"),
        in_trade("100.25000000", "NaN"),
        in_trade("100.25000000", &nines),
        in_trade("100.25000000", "1e300"),
        in_trade("\"100.25000000\"", "null"),
        in_trade("0.50000000", "-1"),
        in_trade("12345", "-5"),
        in_trade("\"T\":1700000000000", "\"T\":{}"),
        in_trade("\"m\":true", "\"m\":\"yes\""),
        in_trade("\"s\":\"BTCUSDT\",", ""),
        in_depth("[\"100.25\",\"10\"]", "[\"100.25\"]"),
        in_depth("[\"100.25\",\"10\"]", "\"100.25\""),
        in_depth("[\"100.25\",\"10\"]", "[[\"100.25\",\"10\"]]"),
        in_depth("[\"100.25\",\"10\"]", "{\"100.25\":\"10\"}"),
        in_depth("\"100.25\"", "\"-1\""),
        in_depth("\"100.25\"", "\"100.251\""),
        in_depth("\"u\":160", "\"u\":99999999999999999999"),
        in_depth("\"b\":[", "\"b\":7,\"c\":["),
    ] {
        let shown: String = text.chars().take(200).collect();
        assert!(hear(&text).is_err(), "{shown}");
    }
    let Err(WireError::Number { field, text, .. }) = hear(&in_trade("100.25000000", "100.255")) else {
        panic!("a number")
    };
    assert_eq!((field, text.as_str()), ("p", "100.255"));
}

#[test]
fn messages_cut_anywhere_are_refused() {
    for (stream, data) in [
        ("btcusdt@trade", TRADE),
        ("btcusdt@aggTrade", AGGREGATE),
        ("btcusdt@bookTicker", QUOTE),
        ("btcusdt@depth@100ms", DEPTH),
        ("btcusdt@kline_1m", BAR),
        ("btcusdt@markPrice@1s", FUNDING),
    ] {
        let text = wrapped(stream, data);
        for end in 0..text.len() {
            assert!(hear(&text[..end]).is_err(), "{}", &text[..end]);
        }
        for end in 0..data.len() {
            assert!(hear(&data[..end]).is_err(), "{}", &data[..end]);
        }
    }
}

#[test]
fn depth_messages_keep_a_book_in_step() {
    let apply = |book: &mut Book, text: &str, product: Product| {
        let mut applied = None;
        let mut sink = |note: Note<'_>| {
            if let Note::Depth(d, _) = note {
                applied = Some(book.apply(&d));
            }
        };
        Binance::new(product).read_market(text, &listings(product), NOW, &mut sink).expect("read");
        applied.expect("depth")
    };
    let snapshot = |book: &mut Book, last_id| {
        let levels = [Level { side: Side::Buy, price: Price::from_mantissa(9_000), qty: Qty::from_mantissa(1) }];
        let ts_venue = Ts::NONE;
        let depth = bellwether_sdk::Depth {
            ts: NOW,
            ts_venue,
            snapshot: true,
            first_id: 0,
            last_id,
            prev_id: 0,
            levels: &levels,
            instrument: BTC,
        };
        book.apply(&depth)
    };
    let spot = |first: i64, last: i64| {
        format!(r#"{{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":{first},"u":{last},"b":[["100.25","10"]],"a":[]}}"#)
    };
    let mut book = Book::default();
    apply(&mut book, &spot(8, 12), Product::Spot);
    assert_eq!(snapshot(&mut book, 10), Applied::Changed);
    assert_eq!(book.last_id(), 12);
    assert_eq!(apply(&mut book, &spot(13, 13), Product::Spot), Applied::Changed);
    assert_eq!(apply(&mut book, &spot(15, 16), Product::Spot), Applied::Gap);
    let futures = |first: i64, last: i64, prev: i64| {
        format!(
            r#"{{"e":"depthUpdate","E":9,"T":8,"s":"BTCUSDT","U":{first},"u":{last},"pu":{prev},"b":[["100.25","10"]],"a":[]}}"#
        )
    };
    let mut book = Book::default();
    snapshot(&mut book, 10);
    assert_eq!(apply(&mut book, &futures(5, 10, 4), Product::Linear), Applied::PassedOver);
    assert_eq!(apply(&mut book, &futures(14, 20, 10), Product::Linear), Applied::Changed);
    assert_eq!(apply(&mut book, &futures(25, 30, 20), Product::Linear), Applied::Changed);
    assert_eq!(apply(&mut book, &futures(35, 40, 31), Product::Linear), Applied::Gap);
}
