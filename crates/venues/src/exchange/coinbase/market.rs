//! Market streams.
//!
//! Every message tells its number of the connection first. Quotes come with the ticker, at trades, so they are not
//! every change of the best price; the book has those. Bars are of five minutes and never said to be complete. What
//! the trades channel sends at the start happened before the subscription and is passed over.

use bellwether_sdk::{Depth, Interval, Level, Price, Qty, Quote, Side, Trade, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::rest::{Candle, Print};
use crate::exchange::codec::{Writer, array, iso, json, present, quoted};
use crate::exchange::{Digits, Listing, Listings, Note, Plan, Rules, Sink, Topic, Urls, WireError};

/// The only interval of the stream.
fn five_minutes() -> Option<Interval> {
    Interval::from_nanos(5 * Interval::MINUTE.nanos())
}

fn channel(topic: &Topic) -> Option<&'static str> {
    match topic {
        Topic::Trades(_) => Some("market_trades"),
        Topic::Quotes(_) => Some("ticker"),
        Topic::Depth(..) => Some("level2"),
        Topic::Bars(_, interval) if Some(*interval) == five_minutes() => Some("candles"),
        Topic::Bars(..) | Topic::Funding(_) => None,
    }
}

/// A subscription: one channel per message.
pub(super) fn say(kind: &str, channel: &str, names: &[&str], token: Option<&str>) -> String {
    let message = Writer::default().text("type", kind);
    let message =
        if names.is_empty() { message } else { message.raw("product_ids", &array(names.iter().map(|n| quoted(n)))) };
    message.text("channel", channel).text_if("jwt", token).end()
}

/// The connection that carries topics, with the heartbeats that keep quiet channels open.
pub(super) fn plans(urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
    let named = |topic: &Topic| listings.get(topic.instrument()).map(|l| l.rules.stream_name.as_str());
    let known: Vec<Topic> = topics.iter().copied().filter(|t| channel(t).is_some() && named(t).is_some()).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let mut messages = vec![say("subscribe", "heartbeats", &[], None)];
    for wanted in ["level2", "market_trades", "ticker", "candles"] {
        let names: Vec<&str> = known.iter().filter(|t| channel(t) == Some(wanted)).filter_map(named).collect();
        if !names.is_empty() {
            messages.push(say("subscribe", wanted, &names, None));
        }
    }
    vec![Plan { url: urls.market.clone(), login: None, messages, topics: known }]
}

/// What brings a fresh snapshot.
pub(super) fn renew(topic: Topic, listings: &Listings) -> Vec<String> {
    let (Some(channel), Some(listing)) = (channel(&topic), listings.get(topic.instrument())) else { return Vec::new() };
    let names = [listing.rules.stream_name.as_str()];
    vec![say("unsubscribe", channel, &names, None), say("subscribe", channel, &names, None)]
}

/// What every message is wrapped in.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(default)]
    pub channel: &'a str,
    #[serde(borrow, default)]
    pub timestamp: Option<&'a str>,
    #[serde(default)]
    pub sequence_num: Option<u64>,
    #[serde(borrow, default)]
    pub events: Option<&'a RawValue>,
    #[serde(rename = "type", default)]
    pub kind: &'a str,
    #[serde(borrow, default)]
    pub message: std::borrow::Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    /// The events as a shape.
    pub(super) fn events<T: Deserialize<'a>>(&self) -> Result<Vec<T>, WireError> {
        let missing = || WireError::shape("a message without events", "");
        json(self.events.map(RawValue::get).ok_or_else(missing)?)
    }

    /// The number of the message, which all but errors have.
    pub(super) fn number(&self, text: &str) -> Result<u64, WireError> {
        self.sequence_num.ok_or_else(|| WireError::shape("a message without sequence_num", text))
    }

    fn time(&self) -> Result<Ts, WireError> {
        self.timestamp.map_or(Ok(Ts::NONE), |t| iso("timestamp", t))
    }
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let envelope: Envelope<'_> = json(text)?;
    if envelope.kind == "error" {
        sink.note(Note::Refused(&envelope.message));
        return Ok(());
    }
    let number = envelope.number(text)?;
    sink.note(Note::Sequence(number));
    match envelope.channel {
        "l2_data" => depth(&envelope, listings, now, sink),
        "market_trades" => trades(&envelope, listings, now, sink),
        "ticker" => quotes(&envelope, listings, now, sink),
        "candles" => bars(&envelope, listings, sink),
        "heartbeats" => {
            sink.note(Note::Alive);
            Ok(())
        }
        "subscriptions" => {
            sink.note(Note::Subscribed);
            Ok(())
        }
        _ => {
            sink.note(Note::Unexpected(text));
            Ok(())
        }
    }
}

/// The listing behind a name; what is not of this run is passed over.
fn listing<'l>(name: &str, listings: &'l Listings, sink: &mut dyn Sink) -> Option<&'l Listing> {
    let found = listings.named(name);
    if found.is_none() {
        sink.note(Note::Ignored);
    }
    found
}

fn depth(envelope: &Envelope<'_>, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        product_id: &'a str,
        #[serde(borrow)]
        updates: Vec<Update<'a>>,
    }
    #[derive(Deserialize)]
    struct Update<'a> {
        side: &'a str,
        #[serde(borrow)]
        price_level: Digits<'a>,
        #[serde(borrow)]
        new_quantity: Digits<'a>,
    }
    let ts_venue = envelope.time()?;
    for event in &envelope.events::<Event<'_>>()? {
        let Some(listing) = listing(event.product_id, listings, sink) else { continue };
        let snapshot = match event.kind {
            "snapshot" => true,
            "update" => false,
            other => return Err(WireError::shape(format_args!("a book's event of type {other:.20?}"), "")),
        };
        let mut levels = Vec::with_capacity(event.updates.len());
        for update in &event.updates {
            levels.push(Level {
                side: match update.side {
                    "bid" => Side::Buy,
                    "offer" | "ask" => Side::Sell,
                    other => return Err(WireError::shape(format_args!("a level of side {other:.20?}"), "")),
                },
                price: update.price_level.price("price_level", listing.rules.price_scale)?,
                qty: update.new_quantity.qty("new_quantity", listing.rules.qty_scale)?,
            });
        }
        let depth = Depth {
            ts: now,
            ts_venue,
            snapshot,
            first_id: 0,
            last_id: 0,
            prev_id: 0,
            levels: &levels,
            instrument: listing.id,
        };
        sink.note(Note::Depth(depth, None));
    }
    Ok(())
}

fn trades(envelope: &Envelope<'_>, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(rename = "type", default)]
        kind: &'a str,
        #[serde(borrow)]
        trades: Vec<Print<'a>>,
    }
    for event in &envelope.events::<Event<'_>>()? {
        if event.kind != "update" {
            sink.note(Note::Ignored);
            continue;
        }
        let id = |print: Option<&Print<'_>>| print.and_then(|p| p.trade_id.parse().ok()).unwrap_or(0u64);
        let newest_first = id(event.trades.first()) > id(event.trades.last());
        for i in 0..event.trades.len() {
            let print = &event.trades[if newest_first { event.trades.len() - 1 - i } else { i }];
            let Some(listing) = listing(print.product_id, listings, sink) else { continue };
            let trade = Trade {
                ts: now,
                ts_venue: iso("time", print.time)?,
                price: print.price.price("price", listing.rules.price_scale)?,
                qty: print.size.qty("size", listing.rules.qty_scale)?,
                instrument: listing.id,
                aggressor: print.aggressor(),
            };
            sink.note(Note::Trade(trade, id(Some(print))));
        }
    }
    Ok(())
}

fn quotes(envelope: &Envelope<'_>, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        tickers: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        product_id: &'a str,
        #[serde(borrow, default)]
        best_bid: Option<Digits<'a>>,
        #[serde(borrow, default)]
        best_bid_quantity: Option<Digits<'a>>,
        #[serde(borrow, default)]
        best_ask: Option<Digits<'a>>,
        #[serde(borrow, default)]
        best_ask_quantity: Option<Digits<'a>>,
    }
    let ts_venue = envelope.time()?;
    let price = |field, digits, rules: &Rules| {
        present(digits).map_or(Ok(Price::ZERO), |d: Digits<'_>| d.best_price(field, rules.price_scale))
    };
    let qty = |field, digits, rules: &Rules| {
        present(digits).map_or(Ok(Qty::ZERO), |d: Digits<'_>| d.qty(field, rules.qty_scale))
    };
    for row in envelope.events::<Event<'_>>()?.iter().flat_map(|e| &e.tickers) {
        let Some(Listing { id, rules }) = listing(row.product_id, listings, sink) else { continue };
        sink.note(Note::Quote(Quote {
            ts: now,
            ts_venue,
            bid: price("best_bid", row.best_bid, rules)?,
            bid_qty: qty("best_bid_quantity", row.best_bid_quantity, rules)?,
            ask: price("best_ask", row.best_ask, rules)?,
            ask_qty: qty("best_ask_quantity", row.best_ask_quantity, rules)?,
            instrument: *id,
        }));
    }
    Ok(())
}

fn bars(envelope: &Envelope<'_>, listings: &Listings, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        candles: Vec<Candle<'a>>,
    }
    let Some(interval) = five_minutes() else { return Ok(()) };
    for candle in envelope.events::<Event<'_>>()?.iter().flat_map(|e| &e.candles) {
        let Some(Listing { id, rules }) = listing(candle.product_id, listings, sink) else { continue };
        sink.note(Note::Bar(candle.bar(*id, rules, interval)?, false));
    }
    Ok(())
}
