//! Hyperliquid's market streams: trades, best quotes, whole books, bars, funding.

use std::borrow::Cow;

use bellwether_sdk::{Aggressor, Bar, Decimal, Depth, Interval, Level, Price, Qty, Quote, Side, Trade, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::acts::quote;
use super::info;
use crate::exchange::wire::{Few, each};
use crate::exchange::{Digits, Listing, Listings, Note, Plan, Rules, Sink, Topic, Urls, WireError, rate};

/// The greeting that is no JSON.
pub(super) const GREETING: &str = "Websocket connection established.";

/// One connection carries all topics; without a topic there is none.
pub(super) fn plans(urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
    let mut plan = Plan { url: urls.market.clone(), ..Plan::default() };
    for topic in topics {
        if let Some(subscription) = subscription(*topic, listings) {
            plan.messages.push(format!("{{\"method\":\"subscribe\",\"subscription\":{subscription}}}"));
            plan.topics.push(*topic);
        }
    }
    if plan.topics.is_empty() { Vec::new() } else { vec![plan] }
}

fn subscription(topic: Topic, listings: &Listings) -> Option<String> {
    let coin = quote(&listings.get(topic.instrument())?.rules.stream_name);
    Some(match topic {
        Topic::Trades(_) => format!("{{\"type\":\"trades\",\"coin\":{coin}}}"),
        Topic::Quotes(_) => format!("{{\"type\":\"bbo\",\"coin\":{coin}}}"),
        // Twenty levels per side, whatever is asked for.
        Topic::Depth(..) => format!("{{\"type\":\"l2Book\",\"coin\":{coin}}}"),
        Topic::Bars(_, every) => {
            format!("{{\"type\":\"candle\",\"coin\":{coin},\"interval\":\"{}\"}}", info::interval(every)?)
        }
        Topic::Funding(_) => format!("{{\"type\":\"activeAssetCtx\",\"coin\":{coin}}}"),
    })
}

/// Every message is a whole book; a subscription anew brings one at once.
pub(super) fn renew_book(topic: Topic, listings: &Listings) -> Vec<String> {
    let Some(book) = subscription(topic, listings).filter(|_| matches!(topic, Topic::Depth(..))) else {
        return Vec::new();
    };
    ["unsubscribe", "subscribe"].map(|m| format!("{{\"method\":\"{m}\",\"subscription\":{book}}}")).to_vec()
}

#[derive(Deserialize)]
struct Channel<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    if text.trim() == GREETING {
        sink.note(Note::Ignored);
        return Ok(());
    }
    let message: Channel<'_> = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
    let data = message.data.map_or("null", RawValue::get);
    match &*message.channel {
        "trades" => trades(data, listings, now, sink)?,
        "bbo" => best(&row(data)?, listings, now, sink)?,
        "l2Book" => book(&row(data)?, listings, now, sink)?,
        "candle" => bar(&row(data)?, listings, sink)?,
        "activeAssetCtx" => funding(&row(data)?, listings, now, sink)?,
        "subscriptionResponse" if data.contains("\"unsubscribe\"") => sink.note(Note::Ignored),
        "subscriptionResponse" => sink.note(Note::Subscribed),
        "pong" => sink.note(Note::Alive),
        "error" => sink.note(Note::Refused(data.trim_matches('"'))),
        "allMids" | "allDexsAssetCtxs" | "notification" | "webData2" => sink.note(Note::Ignored),
        other => sink.note(Note::Unexpected(other)),
    }
    Ok(())
}

fn row<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, WireError> {
    serde_json::from_str(data).map_err(|e| WireError::shape(e, data))
}

pub(super) fn price(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Price, WireError> {
    digits.mantissa(field, rules.price_scale).map(Price::from_mantissa)
}

pub(super) fn qty(field: &'static str, digits: Digits<'_>, rules: &Rules) -> Result<Qty, WireError> {
    digits.mantissa(field, rules.qty_scale).map(Qty::from_mantissa)
}

pub(super) fn side(text: &str) -> Result<Side, WireError> {
    match text {
        "B" => Ok(Side::Buy),
        "A" => Ok(Side::Sell),
        other => {
            let text = other.chars().take(40).collect();
            Err(WireError::Number { field: "side", text, why: "neither B nor A".to_owned() })
        }
    }
}

#[derive(Deserialize)]
pub(super) struct TradeWords<'a> {
    #[serde(borrow)]
    pub(super) coin: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) px: Digits<'a>,
    #[serde(borrow)]
    pub(super) sz: Digits<'a>,
    pub(super) time: i64,
    #[serde(default)]
    pub(super) tid: u64,
}

/// The side of a trade is the aggressor's.
pub(super) fn aggressor(side: &str) -> Aggressor {
    match side {
        "B" => Aggressor::Buyer,
        "A" => Aggressor::Seller,
        _ => Aggressor::Unknown,
    }
}

/// The id of a trade is a hash that does not rise: a duplicate shows by it, a gap does not.
fn trades(data: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let mut trades = Few::new();
    each(data, |row: TradeWords<'_>| {
        let Some(Listing { id, rules }) = listings.named(&row.coin) else { return Ok(()) };
        let trade = Trade {
            ts: now,
            ts_venue: Ts::from_millis(row.time),
            price: row.px.price("px", rules.price_scale)?,
            qty: row.sz.qty("sz", rules.qty_scale)?,
            instrument: *id,
            aggressor: aggressor(&row.side),
        };
        trades.push((trade, row.tid));
        Ok(())
    })?;
    trades.into_iter().for_each(|(trade, id)| sink.note(Note::Trade(trade, id)));
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct LevelWords<'a> {
    #[serde(borrow)]
    px: Digits<'a>,
    #[serde(borrow)]
    sz: Digits<'a>,
}

#[derive(Deserialize)]
struct Best<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    time: i64,
    #[serde(borrow)]
    bbo: [Option<LevelWords<'a>>; 2],
}

fn best(row: &Best<'_>, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let Some(Listing { id, rules }) = listings.named(&row.coin) else { return Ok(()) };
    let level = |level: &Option<LevelWords<'_>>| match level {
        Some(level) => Ok((level.px.price("px", rules.price_scale)?, level.sz.qty("sz", rules.qty_scale)?)),
        None => Ok((Price::ZERO, Qty::ZERO)),
    };
    let ((bid, bid_qty), (ask, ask_qty)) = (level(&row.bbo[0])?, level(&row.bbo[1])?);
    let ts_venue = Ts::from_millis(row.time);
    sink.note(Note::Quote(Quote { ts: now, ts_venue, bid, bid_qty, ask, ask_qty, instrument: *id }));
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct BookWords<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    pub(super) time: i64,
    #[serde(borrow)]
    levels: [&'a RawValue; 2],
}

impl BookWords<'_> {
    /// Bids, best first, then asks, best first.
    pub(super) fn levels(&self, rules: &Rules) -> Result<Vec<Level>, WireError> {
        let mut levels = Vec::with_capacity(40);
        for (side, rows) in [(Side::Buy, self.levels[0]), (Side::Sell, self.levels[1])] {
            each(rows.get(), |level: LevelWords<'_>| {
                let price = level.px.price("px", rules.price_scale)?;
                levels.push(Level { side, price, qty: level.sz.qty("sz", rules.qty_scale)? });
                Ok(())
            })?;
        }
        Ok(levels)
    }
}

fn book(row: &BookWords<'_>, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let Some(Listing { id, rules }) = listings.named(&row.coin) else { return Ok(()) };
    let levels = row.levels(rules)?;
    let ts_venue = Ts::from_millis(row.time);
    let depth = Depth {
        ts: now,
        ts_venue,
        snapshot: true,
        first_id: 0,
        last_id: 0,
        prev_id: 0,
        levels: &levels,
        instrument: *id,
    };
    sink.note(Note::Depth(depth, None));
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct BarWords<'a> {
    #[serde(rename = "t")]
    pub(super) opened: i64,
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(borrow)]
    i: Cow<'a, str>,
    #[serde(borrow)]
    o: Digits<'a>,
    #[serde(borrow)]
    h: Digits<'a>,
    #[serde(borrow)]
    l: Digits<'a>,
    #[serde(borrow)]
    c: Digits<'a>,
    #[serde(borrow)]
    v: Digits<'a>,
}

impl BarWords<'_> {
    /// The bar.
    pub(super) fn bar(&self, listing: &Listing) -> Result<Bar, WireError> {
        let interval: Interval = self.i.parse().map_err(|e: bellwether_sdk::IntervalError| WireError::Number {
            field: "i",
            text: self.i.chars().take(40).collect(),
            why: e.to_string(),
        })?;
        let ts_open = Ts::from_millis(self.opened);
        let rules = &listing.rules;
        Ok(Bar {
            ts_open,
            ts_close: ts_open.plus(interval.nanos()),
            open: self.o.price("o", rules.price_scale)?,
            high: self.h.price("h", rules.price_scale)?,
            low: self.l.price("l", rules.price_scale)?,
            close: self.c.price("c", rules.price_scale)?,
            volume: self.v.qty("v", rules.qty_scale)?,
            interval,
            instrument: listing.id,
        })
    }
}

/// The venue never says that a bar is complete: it is when the next one begins.
fn bar(row: &BarWords<'_>, listings: &Listings, sink: &mut dyn Sink) -> Result<(), WireError> {
    if let Some(listing) = listings.named(&row.s) {
        sink.note(Note::Bar(row.bar(listing)?, false));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    #[serde(borrow)]
    ctx: ContextWords<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextWords<'a> {
    #[serde(borrow)]
    funding: Digits<'a>,
    #[serde(borrow, default)]
    mark_px: Option<Digits<'a>>,
}

/// Funding settles at every full hour; the next one is told. A mark price may be finer than prices of orders are: it is
/// cut.
fn funding(row: &Context<'_>, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let Some(Listing { id, rules }) = listings.named(&row.coin) else { return Ok(()) };
    let mark = match row.ctx.mark_px {
        Some(digits) => match cut(digits.decimal("markPx")?, rules) {
            below if below < Price::ZERO => return Err(digits.wrong("markPx", "no price is below zero")),
            mark => mark,
        },
        None => Price::ZERO,
    };
    let settles = now.floor_to(Interval::HOUR).plus(Interval::HOUR.nanos());
    sink.note(Note::FundingRate(*id, Some(rate("funding", row.ctx.funding.text())?), settles, mark));
    Ok(())
}

fn cut(value: Decimal, rules: &Rules) -> Price {
    value.at_scale_toward_zero(rules.price_scale).map_or(Price::ZERO, Price::from_mantissa)
}
