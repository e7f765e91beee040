//! Messages of sources: signals and numbers, rows and blocks of providers, links of campaigns, and words for chats.

use std::collections::BTreeMap;

use bellwether::config::{BusFeed, Level};
use bellwether::data::news::Line;
use bellwether::exchange::{Listings, Note, Response, Venue};
use bellwether::sinks::{Notice, render};
use bellwether::sources::{aleo, nats, tokenmetrics};
use bellwether_sdk::{Instrument, InstrumentId, Ts};

use crate::Target;

fn text(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}

fn line(instrument: &Instrument, input: &[u8]) {
    let Ok(line) = Line::parse(&text(input)) else { return };
    let find = |name: &str| (name == instrument.symbol.as_str()).then(|| instrument.clone());
    let (id, when) = (line.id(), line.when());
    let body = line.body(&find);
    if let Line::Signal(form) = &line {
        // What is published of it has one subject, whatever it names.
        assert_eq!(nats::subject_of(&form.instrument).split('.').count(), 2, "{}", form.instrument);
    }
    // A line that is taken is written as a line that reads the same.
    if when.is_ok() && body.is_ok() {
        let again = line.clone().received_at(Ts::MAX.plus(-1));
        assert_eq!(again.instrument(), line.instrument());
        assert!(!id.is_empty());
    }
}

fn rows(input: &[u8]) {
    let instruments = BTreeMap::from([("3375".to_owned(), "binance:BTC/USDT".to_owned())]);
    for row in tokenmetrics::rows(&text(input)).unwrap_or_default() {
        for endpoint in ["trading-signals", "hourly-trading-signals", "tm-grade"] {
            let lines = tokenmetrics::lines(endpoint, &row, &instruments).unwrap_or_default();
            lines.iter().for_each(|line| drop(line.when()));
        }
    }
}

fn block(input: &[u8]) {
    let Ok(value) = serde_json::from_slice(input) else { return };
    let _ = aleo::credits(&value);
    if let Some(block) = aleo::block(&value) {
        let _ = aleo::features(&block, Some((0, 0)), &["credits.aleo".to_owned()]);
    }
}

fn link(official: &aleo::Official, input: &[u8]) {
    if let Ok(shown) = official.shown(&text(input)) {
        // Whatever is shown leads to a domain of the list, and says so from its first letter on.
        let rest = shown.strip_prefix("https://").expect("https");
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        assert!(host == "aleo.example.org" || host.ends_with(".stake.example"), "{shown}");
    }
}

fn words(input: &[u8]) {
    let text = text(input);
    let (template, said) = text.split_once('\n').unwrap_or((&text, ""));
    let mut notice = Notice::new(Ts::NONE, Level::Error, "guard", said);
    notice.fields.insert("instrument".to_owned(), said.to_owned());
    let out = render(Some(template), &notice);
    assert!(out.chars().all(|c| !c.is_control() || c == '\n'), "{out:?}");
    assert!(out.chars().count() <= 3_500);
}

fn market(venue: &nats::BusVenue, listings: &Listings, input: &[u8]) {
    let text = text(input);
    // What is told of a message is a price that can be, at our time.
    let mut heard = |note: Note<'_>| match note {
        Note::Trade(t, _) => assert!(t.price.mantissa() > 0 && t.qty.mantissa() >= 0 && t.ts == Ts::NONE),
        Note::Quote(q) => assert!(q.ask.is_zero() || q.bid < q.ask),
        Note::Bar(b, _) => assert!(b.low <= b.high && b.ts_open < b.ts_close),
        _ => {}
    };
    let _ = venue.read_market(&text, listings, Ts::NONE, &mut heard);
    let body = serde_json::Value::from(vec![text.into_owned()]).to_string();
    let answer = Response { status: 200, headers: Vec::new(), body };
    for offered in venue.offers(&answer).map(|o| o.0).unwrap_or_default() {
        assert!(
            offered.rules.tick.mantissa() > 0 && offered.rules.lot.mantissa() > 0 && offered.rules.notional_min >= 0
        );
    }
}

/// All parsers of messages of sources.
pub(crate) fn targets() -> Vec<Target> {
    let mut all = vec![
        Target::new("signals-rows", rows),
        Target::new("signals-block", block),
        Target::new("signals-words", words),
    ];
    if let Ok(symbol) = "binance:BTC/USDT".parse() {
        let instrument = Instrument::inferred(InstrumentId(0), symbol, 2, 5);
        let venue = nats::BusVenue::new(&BusFeed { age_max_s: 0, ..BusFeed::default() });
        let rules = nats::told(&instrument, None, vec!["trades".to_owned()]);
        let form = nats::MarketForm {
            schema_version: nats::MARKET_VERSION,
            instrument: instrument.symbol.to_string(),
            ts: "0".to_owned(),
            time: String::new(),
            ts_venue: None,
            what: rules,
        };
        let body = serde_json::json!([serde_json::to_string(&form).unwrap_or_default()]).to_string();
        let offers =
            venue.offers(&Response { status: 200, headers: Vec::new(), body }).map(|o| o.0).unwrap_or_default();
        assert_eq!(offers.len(), 1, "the rules of our own instrument read");
        let listings = Listings::new(offers.into_iter().map(|o| (InstrumentId(0), o.rules)));
        all.push(Target::new("signals-market", move |input: &[u8]| market(&venue, &listings, input)));
        all.push(Target::new("signals-line", move |input: &[u8]| line(&instrument, input)));
    }
    if let Ok(official) = aleo::Official::new(&["aleo.example.org".to_owned(), "*.stake.example".to_owned()]) {
        all.push(Target::new("signals-link", move |input: &[u8]| link(&official, input)));
    }
    all
}
