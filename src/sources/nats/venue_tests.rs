//! What the codec of the bus makes of messages, good and bad.

use bellwether_sdk::{Instrument, InstrumentId, Price, Qty, Rate, Ts};

use super::form::{MarketForm, MarketWhat, Taker};
use super::venue::{BusVenue, told};
use crate::config::BusFeed;
use crate::exchange::{Ask, Listings, Note, Reply, Response, Topic, Venue};

const NOW: Ts = Ts::from_millis(1_700_000_000_000);

fn instrument() -> Instrument {
    let inferred = Instrument::inferred(InstrumentId(0), "binance:BTC/USDT".parse().expect("a symbol"), 2, 5);
    let (qty_max, qty_max_market) = (Qty::from_mantissa(900_000_000), Qty::from_mantissa(12_000_000));
    Instrument { qty_max, qty_max_market, notional_max: 90_000_000_000_000, ..inferred }
}

fn form(ts: Ts, what: MarketWhat) -> String {
    let ts = ts.nanos().to_string();
    let instrument = "binance:BTC/USDT".to_owned();
    let form =
        MarketForm { schema_version: 1, instrument, ts, time: String::new(), ts_venue: Some("7".to_owned()), what };
    serde_json::to_string(&form).expect("plain data")
}

fn trade(price: &str, qty: &str) -> MarketWhat {
    MarketWhat::Trade { price: price.to_owned(), qty: qty.to_owned(), aggressor: Some(Taker::Buyer) }
}

fn answer(texts: &[String]) -> Response {
    Response { status: 200, headers: Vec::new(), body: serde_json::Value::from(texts.to_vec()).to_string() }
}

/// The bus, and the instruments as their publisher offers them.
fn bus() -> (BusVenue, Listings) {
    let venue = BusVenue::new(&BusFeed::default());
    let fee = Rate::from_mantissa(1_000_000_000);
    let said = form(NOW, told(&instrument(), Some((fee, fee)), vec!["trades".to_owned()]));
    let (offers, odd) = venue.offers(&answer(&[said])).expect("an answer");
    assert!(odd.is_empty(), "{odd:?}");
    assert_eq!(offers[0].rules.instrument(InstrumentId(0)), Instrument { inferred: false, ..instrument() });
    assert_eq!((offers[0].inferred, offers[0].fees, offers[0].kinds.len()), (true, Some((fee, fee)), 1));
    (venue, Listings::new([(InstrumentId(0), offers[0].rules.clone())]))
}

/// What a message comes to, in words.
fn heard(text: &str) -> Result<String, String> {
    let (venue, listings) = bus();
    let mut notes = Vec::new();
    let read = venue.read_market(text, &listings, NOW, &mut |note: Note<'_>| notes.push(format!("{note:?}")));
    read.map(|()| notes.join(";")).map_err(|e| e.to_string())
}

#[test]
fn a_trade_is_heard_at_our_time_with_the_venues_beside_it() {
    let (venue, listings) = bus();
    let mut seen = None;
    let text = form(NOW.plus(-5), trade("60000.01", "0.5"));
    venue
        .read_market(&text, &listings, NOW, &mut |note: Note<'_>| {
            if let Note::Trade(trade, _) = note {
                seen = Some(trade);
            }
        })
        .expect("read");
    let seen = seen.expect("a trade");
    assert_eq!((seen.ts, seen.ts_venue), (NOW, Ts::from_nanos(7)));
    assert_eq!((seen.price, seen.qty), (Price::from_mantissa(6_000_001), Qty::from_mantissa(50_000)));
}

#[test]
fn what_is_late_or_ahead_or_of_another_is_passed_over_and_told() {
    let eleven_s = 11_000_000_000;
    for (text, words) in [
        (form(NOW.plus(-eleven_s), trade("1", "1")), "older than session.bus.age_max_s"),
        (form(NOW.plus(eleven_s), trade("1", "1")), "further ahead"),
        (form(NOW, trade("1", "1")).replace("BTC/USDT", "ETH/USDT"), "about another"),
        (
            form(NOW, told(&Instrument { tick: Price::from_mantissa(5), ..instrument() }, None, Vec::new())),
            "rules are others",
        ),
    ] {
        let said = heard(&text).expect("understood");
        assert!(said.starts_with("Unexpected") && said.contains(words), "{said}");
    }
    assert_eq!(heard(&form(NOW, told(&instrument(), None, Vec::new()))), Ok("Alive".to_owned()));
    let settings = BusFeed { age_max_s: 0, ..BusFeed::default() };
    let mut notes = 0;
    BusVenue::new(&settings)
        .read_market(&form(Ts::from_millis(1), trade("1", "1")), &bus().1, NOW, &mut |_: Note<'_>| notes += 1)
        .expect("read");
    assert_eq!(notes, 1, "a rehearsal takes any age");
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let quote = |bid: &str, ask: &str| MarketWhat::Quote {
        bid: Some(bid.to_owned()),
        bid_qty: "1".to_owned(),
        ask: Some(ask.to_owned()),
        ask_qty: "1".to_owned(),
    };
    let bar = |low: &str, ts_open: i64| MarketWhat::Bar {
        interval: "1m".to_owned(),
        ts_open: NOW.plus(ts_open).nanos().to_string(),
        open: "10".to_owned(),
        high: "12".to_owned(),
        low: low.to_owned(),
        close: "11".to_owned(),
        volume: "1".to_owned(),
    };
    for (what, words) in [
        (trade("0", "1"), "not above zero"),
        (trade("-1", "1"), "not above zero"),
        (trade("1", "-1"), "below zero"),
        (trade("1.001", "1"), "price"),
        (trade("1e400", "1"), "price"),
        (trade("NaN", "1"), "price"),
        (trade("99999999999999999999", "1"), "price"),
        (quote("11", "10"), "not below its offer"),
        (bar("10.5", -60), "contradict"),
        (bar("9", 1), "contradict"),
    ] {
        let why = heard(&form(NOW, what)).expect_err("refused");
        assert!(why.contains(words), "{words}: {why}");
    }
    for text in ["", "[]", "{}", "<a message of 70000 bytes; 65536 are allowed>", "{\"kind\":\"trade\"}"] {
        assert!(heard(text).is_err(), "{text}");
    }
    let other = form(NOW, trade("1", "1")).replace("\"schema_version\":1", "\"schema_version\":2");
    assert!(heard(&other).is_err_and(|why| why.contains("version 2")));
}

#[test]
fn a_book_is_whole_in_each_message_and_one_connection_carries_an_instrument() {
    let depth = MarketWhat::Depth {
        bids: vec![("9".to_owned(), "1".to_owned()), ("8".to_owned(), "2".to_owned())],
        asks: vec![("10".to_owned(), "3".to_owned())],
    };
    let said = heard(&form(NOW, depth)).expect("read");
    assert!(said.contains("snapshot: true") && said.matches("Level {").count() == 3, "{said}");
    let (venue, listings) = bus();
    let id = InstrumentId(0);
    let topics = [Topic::Trades(id), Topic::Depth(id, 20), Topic::Funding(id), Topic::Trades(InstrumentId(9))];
    let plans = venue.market(&venue.facts().urls, &topics, &listings);
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0].messages, ["bellwether.market.*.binance.BTC-USDT"]);
    assert_eq!(plans[0].topics, topics[..2]);
}

#[test]
fn past_bars_are_those_of_the_interval_in_order_once() {
    let (venue, listings) = bus();
    let bar = |minute: i64, interval: &str| {
        let open = NOW.plus(minute * 60_000_000_000);
        let what = MarketWhat::Bar {
            interval: interval.to_owned(),
            ts_open: open.nanos().to_string(),
            open: "10".to_owned(),
            high: "12".to_owned(),
            low: "9".to_owned(),
            close: "11".to_owned(),
            volume: "1".to_owned(),
        };
        form(open.plus(60_000_000_000), what)
    };
    let texts =
        [bar(0, "1m"), bar(1, "1m"), bar(0, "1m"), bar(2, "5m"), bar(2, "1m"), bar(9, "1m"), "nonsense".to_owned()];
    let ask = Ask::Bars(InstrumentId(0), "1m".parse().expect("an interval"), NOW, NOW.plus(180_000_000_000));
    let request = venue.ask(&ask, &listings).expect("a question");
    assert_eq!(request.query, format!("bellwether.market.bar.binance.BTC-USDT {}", NOW.nanos()));
    let Ok(Reply::Bars(bars)) = venue.reply(&ask, &answer(&texts), &listings) else { panic!("bars") };
    let minutes: Vec<i64> = bars.iter().map(|b| (b.ts_open.nanos() - NOW.nanos()) / 60_000_000_000).collect();
    assert_eq!(minutes, [0, 1, 2]);
    let away = Response { status: 503, headers: Vec::new(), body: "away".to_owned() };
    assert!(venue.offers(&away).is_err_and(|e| e.fault == crate::exchange::Fault::Transient));
}

#[test]
fn rules_that_cannot_be_are_named() {
    let (venue, _) = bus();
    let good = form(NOW, told(&instrument(), None, Vec::new()));
    for (from, to) in [
        ("\"tick\":\"0.01\"", "\"tick\":\"0\""),
        ("\"price_scale\":2", "\"price_scale\":200"),
        ("\"multiplier\":1", "\"multiplier\":0"),
        ("binance:BTC/USDT", "nonsense"),
        ("\"notional_min\":\"0\"", "\"notional_min\":\"-1\""),
        ("\"qty_max\":\"9000\"", "\"qty_max\":\"-1\""),
        ("\"notional_max\":\"9000000\"", "\"notional_max\":\"many\""),
    ] {
        assert!(good.contains(from), "{from}: {good}");
        let (offers, odd) = venue.offers(&answer(&[good.replace(from, to)])).expect("an answer");
        assert_eq!((offers.len(), odd.len()), (0, 1), "{to}");
    }
}

#[test]
fn rules_of_a_publisher_that_states_no_largest_orders_have_none() {
    let (venue, _) = bus();
    let mut said: serde_json::Value =
        serde_json::from_str(&form(NOW, told(&instrument(), None, Vec::new()))).expect("JSON");
    for name in ["qty_max", "qty_max_market", "notional_max"] {
        assert!(said["rules"].as_object_mut().and_then(|rules| rules.remove(name)).is_some(), "{name}");
    }
    let (offers, odd) = venue.offers(&answer(&[said.to_string()])).expect("an answer");
    assert!(odd.is_empty(), "{odd:?}");
    let read = offers[0].rules.instrument(InstrumentId(0));
    assert_eq!((read.qty_max, read.qty_max_market, read.notional_max), (Qty::ZERO, Qty::ZERO, 0));
}
