//! Kraken's market streams: trades, best quotes, books with checksums, bars.

use std::borrow::Cow;

use bellwether_sdk::{Aggressor, Bar, Depth, Interval, Level, Price, Qty, Quote, Side, Trade, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::acts::quote;
use super::{rest, time};
use crate::exchange::wire::{Few, each};
use crate::exchange::{Digits, Listing, Listings, Note, Plan, Rules, Sink, Topic, Urls, WireError};

/// The depths that books come in.
const DEPTHS: [u32; 5] = [10, 25, 100, 500, 1000];
const MINUTE: i64 = 60_000_000_000;

/// The smallest depth that holds so many levels; the greatest where none does.
pub(super) fn depth_levels(asked: u32) -> u32 {
    DEPTHS.into_iter().find(|d| *d >= asked).unwrap_or(1000)
}

/// One connection carries all topics; without a topic there is none.
pub(super) fn plans(urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
    let mut plan = Plan { url: urls.market.clone(), ..Plan::default() };
    for topic in topics {
        if let Some(params) = params(*topic, listings) {
            plan.messages.push(format!("{{\"method\":\"subscribe\",\"params\":{{{params}}}}}"));
            plan.topics.push(*topic);
        }
    }
    if plan.topics.is_empty() { Vec::new() } else { vec![plan] }
}

/// Trades and bars are subscribed without a snapshot: what is past is not news. A book begins with one.
fn params(topic: Topic, listings: &Listings) -> Option<String> {
    let symbol = quote(&listings.get(topic.instrument())?.rules.stream_name);
    Some(match topic {
        Topic::Trades(_) => format!("\"channel\":\"trade\",\"symbol\":[{symbol}],\"snapshot\":false"),
        Topic::Quotes(_) => {
            format!("\"channel\":\"ticker\",\"symbol\":[{symbol}],\"event_trigger\":\"bbo\",\"snapshot\":true")
        }
        Topic::Depth(_, levels) => {
            let depth = depth_levels(levels);
            format!("\"channel\":\"book\",\"symbol\":[{symbol}],\"depth\":{depth},\"snapshot\":true")
        }
        Topic::Bars(_, interval) => {
            let minutes = rest::stream_minutes(interval)?;
            format!("\"channel\":\"ohlc\",\"symbol\":[{symbol}],\"interval\":{minutes},\"snapshot\":false")
        }
        Topic::Funding(_) => return None,
    })
}

/// Unsubscribes and subscribes a book, which makes Kraken send a snapshot.
pub(super) fn renew_book(topic: Topic, listings: &Listings) -> Vec<String> {
    let (Topic::Depth(id, levels), Some(on)) = (topic, params(topic, listings)) else {
        return Vec::new();
    };
    let symbol = listings.get(id).map(|l| quote(&l.rules.stream_name)).unwrap_or_default();
    let off = format!("\"channel\":\"book\",\"symbol\":[{symbol}],\"depth\":{}", depth_levels(levels));
    [("unsubscribe", off), ("subscribe", on)]
        .map(|(method, params)| format!("{{\"method\":\"{method}\",\"params\":{{{params}}}}}"))
        .to_vec()
}

#[derive(Deserialize)]
struct Channel<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let Ok(message) = serde_json::from_str::<Channel<'_>>(text) else {
        return answer(text, sink);
    };
    let data = message.data.map_or("[]", RawValue::get);
    match &*message.channel {
        "trade" => trades(data, listings, now, sink),
        "ticker" => quotes(data, listings, now, sink),
        "book" => each(data, |row: BookRow<'_>| depth(&row, message.kind == "snapshot", listings, now, sink)),
        "ohlc" => bars(data, listings, sink),
        "heartbeat" => {
            sink.note(Note::Alive);
            Ok(())
        }
        "status" => {
            let leaving = data.contains("\"maintenance\"");
            sink.note(if leaving { Note::Leaving("maintenance") } else { Note::Ignored });
            Ok(())
        }
        "instrument" | "level3" => {
            sink.note(Note::Ignored);
            Ok(())
        }
        other => {
            sink.note(Note::Unexpected(other));
            Ok(())
        }
    }
}

/// Answers to what we said.
fn answer(text: &str, sink: &mut dyn Sink) -> Result<(), WireError> {
    let answer: Answer<'_> = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
    match (answer.method.as_deref(), answer.success, &answer.error) {
        (_, Some(false), error) => sink.note(Note::Refused(error.as_deref().unwrap_or("without a reason"))),
        (Some("subscribe"), ..) => sink.note(Note::Subscribed),
        (Some("pong"), ..) => sink.note(Note::Alive),
        (Some("unsubscribe" | "ping"), ..) => sink.note(Note::Ignored),
        (_, _, Some(error)) => sink.note(Note::Refused(error)),
        (Some(method), ..) => sink.note(Note::Unexpected(method)),
        (None, ..) => return Err(WireError::shape("neither channel nor method", text)),
    }
    Ok(())
}

fn price(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Price, WireError> {
    digits.price(field, rules.price_scale)
}

fn qty(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Qty, WireError> {
    digits.qty(field, rules.qty_scale)
}

#[derive(Deserialize)]
struct TradeWords<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price: Digits<'a>,
    #[serde(borrow)]
    qty: Digits<'a>,
    #[serde(default)]
    trade_id: u64,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

fn trades(data: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let mut trades = Few::new();
    each(data, |row: TradeWords<'_>| {
        let Some(Listing { id, rules }) = listings.named(&row.symbol) else { return Ok(()) };
        let aggressor = match &*row.side {
            "buy" => Aggressor::Buyer,
            "sell" => Aggressor::Seller,
            _ => Aggressor::Unknown,
        };
        let trade = Trade {
            ts: now,
            ts_venue: time::read("timestamp", &row.timestamp)?,
            price: price("price", row.price, rules)?,
            qty: qty("qty", row.qty, rules)?,
            instrument: *id,
            aggressor,
        };
        trades.push((trade, row.trade_id));
        Ok(())
    })?;
    trades.into_iter().for_each(|(trade, id)| sink.note(Note::Trade(trade, id)));
    Ok(())
}

#[derive(Deserialize)]
struct TickerWords<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    bid: Option<Digits<'a>>,
    #[serde(borrow)]
    bid_qty: Option<Digits<'a>>,
    #[serde(borrow)]
    ask: Option<Digits<'a>>,
    #[serde(borrow)]
    ask_qty: Option<Digits<'a>>,
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
}

fn quotes(data: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let mut quotes = Few::new();
    each(data, |row: TickerWords<'_>| {
        let Some(Listing { id, rules }) = listings.named(&row.symbol) else { return Ok(()) };
        let at = |field, digits: Option<Digits<'_>>| {
            digits.map_or(Ok(Price::ZERO), |d| d.best_price(field, rules.price_scale))
        };
        let size = |field, digits: Option<Digits<'_>>| digits.map_or(Ok(Qty::ZERO), |d| qty(field, d, rules));
        let ts_venue = if row.timestamp.is_empty() { Ts::NONE } else { time::read("timestamp", &row.timestamp)? };
        quotes.push(Quote {
            ts: now,
            ts_venue,
            bid: at("bid", row.bid)?,
            bid_qty: size("bid_qty", row.bid_qty)?,
            ask: at("ask", row.ask)?,
            ask_qty: size("ask_qty", row.ask_qty)?,
            instrument: *id,
        });
        Ok(())
    })?;
    quotes.into_iter().for_each(|quote| sink.note(Note::Quote(quote)));
    Ok(())
}

#[derive(Deserialize)]
struct BookRow<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    bids: &'a RawValue,
    #[serde(borrow)]
    asks: &'a RawValue,
    checksum: u32,
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LevelWords<'a> {
    #[serde(borrow)]
    price: Digits<'a>,
    #[serde(borrow)]
    qty: Digits<'a>,
}

fn depth(
    row: &BookRow<'_>,
    snapshot: bool,
    listings: &Listings,
    now: Ts,
    sink: &mut dyn Sink,
) -> Result<(), WireError> {
    let Some(Listing { id, rules }) = listings.named(&row.symbol) else { return Ok(()) };
    // A level takes thirty bytes or more on the wire.
    let mut levels = Vec::with_capacity((row.bids.get().len() + row.asks.get().len()) / 28);
    for (side, rows) in [(Side::Buy, row.bids), (Side::Sell, row.asks)] {
        each(rows.get(), |level: LevelWords<'_>| {
            let price = price("price", level.price, rules)?;
            levels.push(Level { side, price, qty: qty("qty", level.qty, rules)? });
            Ok(())
        })?;
    }
    let ts_venue = if row.timestamp.is_empty() { Ts::NONE } else { time::read("timestamp", &row.timestamp)? };
    let depth =
        Depth { ts: now, ts_venue, snapshot, first_id: 0, last_id: 0, prev_id: 0, levels: &levels, instrument: *id };
    sink.note(Note::Depth(depth, Some(row.checksum)));
    Ok(())
}

#[derive(Deserialize)]
struct BarWords<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    interval: i64,
    #[serde(borrow)]
    interval_begin: Cow<'a, str>,
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
}

/// Kraken never says that a bar is complete: it is when the next one begins.
fn bars(data: &str, listings: &Listings, sink: &mut dyn Sink) -> Result<(), WireError> {
    let mut bars = Few::new();
    each(data, |row: BarWords<'_>| {
        let Some(Listing { id, rules }) = listings.named(&row.symbol) else { return Ok(()) };
        let wrong =
            || WireError::Number { field: "interval", text: row.interval.to_string(), why: "no minutes".to_owned() };
        let nanos = row.interval.checked_mul(MINUTE).ok_or_else(wrong)?;
        let interval = Interval::from_nanos(nanos).ok_or_else(wrong)?;
        let ts_open = time::read("interval_begin", &row.interval_begin)?;
        bars.push(Bar {
            ts_open,
            ts_close: ts_open.plus(nanos),
            open: price("open", row.open, rules)?,
            high: price("high", row.high, rules)?,
            low: price("low", row.low, rules)?,
            close: price("close", row.close, rules)?,
            volume: qty("volume", row.volume, rules)?,
            interval,
            instrument: *id,
        });
        Ok(())
    })?;
    bars.into_iter().for_each(|bar| sink.note(Note::Bar(bar, false)));
    Ok(())
}
