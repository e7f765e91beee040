//! Market streams.
//!
//! Books follow by `u`, which rises by one per change within a depth; `u` of one, like type `snapshot`, replaces. The
//! best quote is the book of one level, which is sent whole. Funding is in the tickers, whose changes hold only what
//! changed: a rate without its time or mark price is given without them.

use bellwether_sdk::{Bar, Depth, Price, Qty, Quote, Side, Trade, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::facts::{INTERVALS, Table};
use super::rest::{Ticker, aggressor, mark_of};
use crate::exchange::codec::{
    Pair, array, interval_of, interval_word, json, millis, millis_if, present, push_levels, quoted,
};
use crate::exchange::{Digits, Listing, Listings, Note, Plan, Product, Sink, Topic, Urls, WireError, rate};

/// Most topics in one request of spot; the same for linear, which allows more.
const ARGS_MAX: usize = 10;

fn topic_name(table: &Table, topic: &Topic, listings: &Listings) -> Option<String> {
    let name = &listings.get(topic.instrument())?.rules.stream_name;
    Some(match topic {
        Topic::Trades(_) => format!("publicTrade.{name}"),
        Topic::Quotes(_) => format!("orderbook.1.{name}"),
        Topic::Depth(_, levels) => {
            let depth = [50, 200, 1000].into_iter().find(|d| d >= levels).unwrap_or(1000);
            format!("orderbook.{depth}.{name}")
        }
        Topic::Bars(_, interval) => format!("kline.{}.{name}", interval_word(INTERVALS, *interval)?),
        Topic::Funding(_) if table.product == Product::Linear => format!("tickers.{name}"),
        Topic::Funding(_) => return None,
    })
}

fn say(op: &str, names: &[String]) -> String {
    format!(r#"{{"op":"{op}","args":{}}}"#, array(names.iter().map(|n| quoted(n))))
}

/// The connection that carries topics.
pub(super) fn plans(table: &Table, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
    let known: Vec<(Topic, String)> =
        topics.iter().filter_map(|t| topic_name(table, t, listings).map(|name| (*t, name))).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let (topics, names): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    let messages = names.chunks(ARGS_MAX).map(|names| say("subscribe", names)).collect();
    vec![Plan { url: urls.market.clone(), login: None, messages, topics }]
}

/// What brings a fresh snapshot.
pub(super) fn renew(table: &Table, topic: Topic, listings: &Listings) -> Vec<String> {
    let Some(name) = topic_name(table, &topic, listings) else { return Vec::new() };
    let names = [name];
    vec![say("unsubscribe", &names), say("subscribe", &names)]
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    topic: Option<&'a str>,
    #[serde(rename = "type", default)]
    kind: &'a str,
    #[serde(borrow, default)]
    ts: Option<Digits<'a>>,
    #[serde(borrow, default)]
    cts: Option<Digits<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    op: &'a str,
    #[serde(default)]
    success: Option<bool>,
    #[serde(borrow, default)]
    ret_msg: std::borrow::Cow<'a, str>,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let message: Message<'_> = json(text)?;
    let Some(topic) = message.topic else {
        answer(&message, text, sink);
        return Ok(());
    };
    let (kind, rest) = topic.split_once('.').unwrap_or((topic, ""));
    let data = message.data.map(RawValue::get).ok_or_else(|| WireError::shape("no data", text))?;
    match kind {
        "publicTrade" => trades(data, listings, now, sink),
        "orderbook" => book(&message, rest, data, listings, now, sink),
        "kline" => bars(rest, data, listings, sink),
        "tickers" => funding(data, listings, sink),
        _ => {
            sink.note(Note::Unexpected(text));
            Ok(())
        }
    }
}

/// Answers to what we said.
fn answer(message: &Message<'_>, text: &str, sink: &mut dyn Sink) {
    sink.note(match (message.op, message.success) {
        (_, Some(false)) => Note::Refused(&message.ret_msg),
        ("ping" | "pong", _) => Note::Alive,
        ("subscribe", Some(true)) => Note::Subscribed,
        ("unsubscribe", Some(true)) => Note::Ignored,
        _ => Note::Unexpected(text),
    });
}

/// The listing behind a name; what is not of this run is passed over.
fn listing<'l>(name: &str, listings: &'l Listings, sink: &mut dyn Sink) -> Option<&'l Listing> {
    let found = listings.named(name);
    if found.is_none() {
        sink.note(Note::Ignored);
    }
    found
}

fn trades(data: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(rename = "T", borrow)]
        time: Digits<'a>,
        #[serde(rename = "s")]
        symbol: &'a str,
        #[serde(rename = "S")]
        side: &'a str,
        #[serde(rename = "v", borrow)]
        qty: Digits<'a>,
        #[serde(rename = "p", borrow)]
        price: Digits<'a>,
        #[serde(rename = "i", borrow, default)]
        id: Option<Digits<'a>>,
    }
    let rows: Vec<Row<'_>> = json(data)?;
    for row in &rows {
        let Some(Listing { id, rules }) = listing(row.symbol, listings, sink) else { continue };
        let trade = Trade {
            ts: now,
            ts_venue: millis("T", row.time)?,
            price: row.price.price("p", rules.price_scale)?,
            qty: row.qty.qty("v", rules.qty_scale)?,
            instrument: *id,
            aggressor: aggressor(row.side),
        };
        // Spot numbers its trades; contracts have UUIDs.
        let number = row.id.and_then(|d| d.text().parse().ok()).unwrap_or(0);
        sink.note(Note::Trade(trade, number));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Levels<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(borrow)]
    b: Vec<Pair<'a>>,
    #[serde(borrow)]
    a: Vec<Pair<'a>>,
    u: i64,
}

fn book(
    message: &Message<'_>,
    rest: &str,
    data: &str,
    listings: &Listings,
    now: Ts,
    sink: &mut dyn Sink,
) -> Result<(), WireError> {
    let rows: Levels<'_> = json(data)?;
    let Some(listing) = listing(rows.symbol, listings, sink) else { return Ok(()) };
    let ts_venue = millis_if("cts", present(message.cts).or(message.ts))?;
    if rest.starts_with("1.") {
        return quote(message.kind, &rows, listing, (now, ts_venue), sink);
    }
    let mut levels = Vec::with_capacity(rows.b.len() + rows.a.len());
    push_levels(&mut levels, Side::Buy, &rows.b, &listing.rules)?;
    push_levels(&mut levels, Side::Sell, &rows.a, &listing.rules)?;
    let depth = Depth {
        ts: now,
        ts_venue,
        // One is the venue's first number after a restart.
        snapshot: message.kind == "snapshot" || rows.u == 1,
        first_id: rows.u,
        last_id: rows.u,
        prev_id: 0,
        levels: &levels,
        instrument: listing.id,
    };
    sink.note(Note::Depth(depth, None));
    Ok(())
}

fn quote(
    kind: &str,
    rows: &Levels<'_>,
    listing: &Listing,
    (ts, ts_venue): (Ts, Ts),
    sink: &mut dyn Sink,
) -> Result<(), WireError> {
    if kind != "snapshot" {
        sink.note(Note::Unexpected("a change of the book of one level, which is sent whole"));
        return Ok(());
    }
    let rules = &listing.rules;
    let best = |rows: &[Pair<'_>]| match rows.first() {
        None => Ok((Price::ZERO, Qty::ZERO)),
        Some(Pair(price, qty)) => {
            Ok::<_, WireError>((price.price("price", rules.price_scale)?, qty.qty("quantity", rules.qty_scale)?))
        }
    };
    let ((bid, bid_qty), (ask, ask_qty)) = (best(&rows.b)?, best(&rows.a)?);
    sink.note(Note::Quote(Quote { ts, ts_venue, bid, bid_qty, ask, ask_qty, instrument: listing.id }));
    Ok(())
}

fn bars(rest: &str, data: &str, listings: &Listings, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        start: Digits<'a>,
        #[serde(borrow)]
        open: Digits<'a>,
        #[serde(borrow)]
        high: Digits<'a>,
        #[serde(borrow)]
        low: Digits<'a>,
        #[serde(borrow)]
        close: Digits<'a>,
        #[serde(borrow)]
        volume: Digits<'a>,
        confirm: bool,
    }
    let (word, name) = rest.split_once('.').unwrap_or((rest, ""));
    let (Some(interval), Some(Listing { id, rules })) = (interval_of(INTERVALS, word), listings.named(name)) else {
        sink.note(Note::Ignored);
        return Ok(());
    };
    let rows: Vec<Row<'_>> = json(data)?;
    for row in &rows {
        let price = |field, digits: Digits<'_>| digits.price(field, rules.price_scale);
        let ts_open = millis("start", row.start)?;
        let bar = Bar {
            ts_open,
            ts_close: ts_open.plus(interval.nanos()),
            open: price("open", row.open)?,
            high: price("high", row.high)?,
            low: price("low", row.low)?,
            close: price("close", row.close)?,
            volume: row.volume.qty("volume", rules.qty_scale)?,
            interval,
            instrument: *id,
        };
        sink.note(Note::Bar(bar, row.confirm));
    }
    Ok(())
}

fn funding(data: &str, listings: &Listings, sink: &mut dyn Sink) -> Result<(), WireError> {
    let ticker: Ticker<'_> = json(data)?;
    let Some(Listing { id, rules }) = listing(ticker.symbol, listings, sink) else { return Ok(()) };
    let new = present(ticker.funding_rate).map(|digits| rate("fundingRate", digits.text())).transpose()?;
    let (at, mark) = (millis_if("nextFundingTime", ticker.next_funding_time)?, mark_of(&ticker, rules)?);
    // A change holds only what changed.
    let says_nothing = new.is_none() && at == Ts::NONE && mark.is_zero();
    sink.note(if says_nothing { Note::Ignored } else { Note::FundingRate(*id, new, at, mark) });
    Ok(())
}
