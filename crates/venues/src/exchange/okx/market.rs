//! Market streams.
//!
//! Books name the message before by `prevSeqId`; an idle book repeats its number, and after maintenance numbers may
//! start lower, which follows all the same. The checksum is no longer kept up by the venue (always zero) and is not
//! read. Trades come joined per order and price, so their numbers have gaps. Bars are on the business socket.

use std::borrow::Cow;

use bellwether_sdk::{Depth, Price, Qty, Quote, Side, Trade, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::facts::{INTERVALS, Table};
use super::rest::aggressor;
use super::rows::{self, Candle};
use crate::exchange::codec::{Pair, Writer, array, interval_of, interval_word, json, millis, millis_if};
use crate::exchange::{Digits, Listing, Listings, Note, Plan, Product, Sink, Topic, Urls, WireError, rate};

/// Topics in one request, far below its 64 kB.
const ARGS_MAX: usize = 100;

fn arg(table: &Table, topic: &Topic, listings: &Listings) -> Option<String> {
    let name = &listings.get(topic.instrument())?.rules.stream_name;
    let channel = match topic {
        Topic::Trades(_) => Cow::Borrowed("trades"),
        Topic::Quotes(_) => Cow::Borrowed("bbo-tbt"),
        Topic::Depth(..) => Cow::Borrowed("books"),
        Topic::Bars(_, interval) => Cow::Owned(format!("candle{}", interval_word(INTERVALS, *interval)?)),
        Topic::Funding(_) if table.product == Product::Linear => Cow::Borrowed("funding-rate"),
        Topic::Funding(_) => return None,
    };
    Some(Writer::default().text("channel", &channel).text("instId", name).end())
}

fn say(op: &str, args: &[String]) -> String {
    format!(r#"{{"op":"{op}","args":{}}}"#, array(args))
}

/// The connections that carry topics: the public one, and the business one for bars.
pub(super) fn plans(table: &Table, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
    let business = match urls.market.strip_suffix("/public") {
        Some(start) => format!("{start}/business"),
        None => urls.market.clone(),
    };
    let mut plans = Vec::new();
    for (bars, url) in [(false, urls.market.clone()), (true, business)] {
        let (mut known, mut args) = (Vec::new(), Vec::new());
        for topic in topics.iter().filter(|t| matches!(t, Topic::Bars(..)) == bars) {
            if let Some(arg) = arg(table, topic, listings) {
                known.push(*topic);
                args.push(arg);
            }
        }
        if !args.is_empty() {
            let messages = args.chunks(ARGS_MAX).map(|args| say("subscribe", args)).collect();
            plans.push(Plan { url, login: None, messages, topics: known });
        }
    }
    plans
}

/// What brings a fresh snapshot.
pub(super) fn renew(table: &Table, topic: Topic, listings: &Listings) -> Vec<String> {
    let Some(arg) = arg(table, &topic, listings) else { return Vec::new() };
    let args = [arg];
    vec![say("unsubscribe", &args), say("subscribe", &args)]
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    arg: Option<Arg<'a>>,
    #[serde(default)]
    action: &'a str,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    event: &'a str,
    #[serde(borrow, default)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg<'a> {
    #[serde(default)]
    channel: &'a str,
    #[serde(default)]
    inst_id: &'a str,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    if text == "pong" {
        sink.note(Note::Alive);
        return Ok(());
    }
    let message: Message<'_> = json(text)?;
    if !message.event.is_empty() {
        answer(&message, text, sink);
        return Ok(());
    }
    let (Some(arg), Some(data)) = (&message.arg, message.data.map(RawValue::get)) else {
        return Err(WireError::shape("neither an event nor data", text));
    };
    let known = matches!(arg.channel, "trades" | "trades-all" | "bbo-tbt" | "books" | "funding-rate")
        || arg.channel.starts_with("candle");
    if !known {
        sink.note(Note::Unexpected(text));
        return Ok(());
    }
    let Some(listing) = listings.named(arg.inst_id) else {
        sink.note(Note::Ignored);
        return Ok(());
    };
    match arg.channel {
        "trades" | "trades-all" => trades(data, listing, now, sink),
        "bbo-tbt" => quotes(data, listing, now, sink),
        "books" => books(message.action, data, listing, now, sink),
        "funding-rate" => funding(data, listing, sink),
        candle => bars(candle, data, listing, sink),
    }
}

/// Answers to what we said, and announcements.
fn answer(message: &Message<'_>, text: &str, sink: &mut dyn Sink) {
    sink.note(match message.event {
        "subscribe" => Note::Subscribed,
        "unsubscribe" | "channel-conn-count" => Note::Ignored,
        "error" => Note::Refused(&message.msg),
        "notice" => Note::Leaving(&message.msg),
        _ => Note::Unexpected(text),
    });
}

fn trades(data: &str, listing: &Listing, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow)]
        trade_id: Digits<'a>,
        #[serde(borrow)]
        px: Digits<'a>,
        #[serde(borrow)]
        sz: Digits<'a>,
        side: &'a str,
        #[serde(borrow)]
        ts: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = json(data)?;
    for row in &rows {
        let trade = Trade {
            ts: now,
            ts_venue: millis("ts", row.ts)?,
            price: row.px.price("px", listing.rules.price_scale)?,
            qty: rows::traded("sz", row.sz, &listing.rules)?,
            instrument: listing.id,
            aggressor: aggressor(row.side),
        };
        sink.note(Note::Trade(trade, row.trade_id.text().parse().unwrap_or(0)));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Levels<'a> {
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(borrow)]
    asks: Vec<Pair<'a>>,
    #[serde(borrow, default)]
    ts: Option<Digits<'a>>,
    #[serde(default)]
    seq_id: Option<i64>,
    #[serde(default)]
    prev_seq_id: Option<i64>,
}

fn quotes(data: &str, listing: &Listing, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let rows: Vec<Levels<'_>> = json(data)?;
    let rules = &listing.rules;
    let best = |rows: &[Pair<'_>]| match rows.first() {
        None => Ok((Price::ZERO, Qty::ZERO)),
        Some(Pair(px, sz)) => {
            Ok::<_, WireError>((px.price("price", rules.price_scale)?, rows::traded("quantity", *sz, rules)?))
        }
    };
    for row in &rows {
        let ((bid, bid_qty), (ask, ask_qty)) = (best(&row.bids)?, best(&row.asks)?);
        let ts_venue = millis_if("ts", row.ts)?;
        sink.note(Note::Quote(Quote { ts: now, ts_venue, bid, bid_qty, ask, ask_qty, instrument: listing.id }));
    }
    Ok(())
}

fn books(action: &str, data: &str, listing: &Listing, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let rows: Vec<Levels<'_>> = json(data)?;
    for row in &rows {
        let snapshot = match action {
            "snapshot" => true,
            "update" => false,
            other => return Err(WireError::shape(format_args!("action {other:.20?} of a book"), data)),
        };
        let (Some(last_id), prev_id) = (row.seq_id, row.prev_seq_id) else {
            return Err(WireError::shape("a book without seqId", data));
        };
        let prev_id = match (snapshot, prev_id) {
            (true, _) => 0,
            (false, Some(prev)) => prev,
            (false, None) => return Err(WireError::shape("a change without prevSeqId", data)),
        };
        let mut levels = Vec::with_capacity(row.bids.len() + row.asks.len());
        rows::levels(&mut levels, Side::Buy, &row.bids, &listing.rules)?;
        rows::levels(&mut levels, Side::Sell, &row.asks, &listing.rules)?;
        let depth = Depth {
            ts: now,
            ts_venue: millis_if("ts", row.ts)?,
            snapshot,
            first_id: last_id,
            last_id,
            prev_id,
            levels: &levels,
            instrument: listing.id,
        };
        sink.note(Note::Depth(depth, None));
    }
    Ok(())
}

fn bars(channel: &str, data: &str, listing: &Listing, sink: &mut dyn Sink) -> Result<(), WireError> {
    let word = channel.strip_prefix("candle").unwrap_or_default();
    let Some(interval) = interval_of(INTERVALS, word) else {
        sink.note(Note::Unexpected(channel));
        return Ok(());
    };
    let rows: Vec<Candle<'_>> = json(data)?;
    for row in &rows {
        let (bar, complete) = rows::bar(row, listing.id, &listing.rules, interval)?;
        sink.note(Note::Bar(bar, complete));
    }
    Ok(())
}

fn funding(data: &str, listing: &Listing, sink: &mut dyn Sink) -> Result<(), WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row<'a> {
        #[serde(borrow)]
        funding_rate: Digits<'a>,
        #[serde(borrow)]
        funding_time: Digits<'a>,
    }
    let rows: Vec<Row<'_>> = json(data)?;
    for row in &rows {
        let rate = rate("fundingRate", row.funding_rate.text())?;
        sink.note(Note::FundingRate(listing.id, Some(rate), millis("fundingTime", row.funding_time)?, Price::ZERO));
    }
    Ok(())
}
