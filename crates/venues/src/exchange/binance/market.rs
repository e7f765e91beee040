//! Market streams: what to connect to, and what comes.
//!
//! Streams are named in the address, so that a connection carries them from its first message, and each message comes
//! with its stream's name. The messages that come by the thousand, in the form in which the venue writes them, are read by
//! [`usual`]; everything else is read here, and whatever both could read means the same.

use bellwether_sdk::{Bar, Depth, Level, Price, Qty, Quote, Side, Trade, Ts};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{Digits, Listing, Listings, Note, Plan, Product, Sink, Topic, Urls, WireError, mantissa, rate};
use super::dialect::Dialect;
use super::rows::{aggressor, mark};
use super::{usual, words};

/// Streams on one connection: the venue allows more, but addresses must not grow without end.
const STREAMS_MAX: usize = 200;

/// The connections that carry topics.
pub(super) fn plans(d: &Dialect, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
    let mut plans = Vec::new();
    let named = |topic: &Topic| Some((*topic, stream(d, topic, listings)?));
    let (public, market): (Vec<_>, Vec<_>) = topics.iter().filter_map(named).partition(|(topic, _)| is_public(topic));
    let groups = match d.product {
        Product::Spot => vec![(d.public_path, [public, market].concat())],
        Product::Linear => vec![(d.public_path, public), (d.market_path, market)],
    };
    for (path, streams) in groups {
        for part in streams.chunks(STREAMS_MAX) {
            let names: Vec<&str> = part.iter().map(|(_, name)| name.as_str()).collect();
            plans.push(Plan {
                url: format!("{}{path}/stream?streams={}", urls.market, names.join("/")),
                topics: part.iter().map(|(topic, _)| *topic).collect(),
                ..Plan::default()
            });
        }
    }
    plans
}

fn is_public(topic: &Topic) -> bool {
    matches!(topic, Topic::Quotes(_) | Topic::Depth(..))
}

/// The name of a topic's stream; `None` where the product lacks it.
fn stream(d: &Dialect, topic: &Topic, listings: &Listings) -> Option<String> {
    let name = &listings.get(topic.instrument())?.rules.stream_name;
    let spot = d.product == Product::Spot;
    match topic {
        Topic::Trades(_) => Some(format!("{name}@{}", d.trade_stream)),
        Topic::Quotes(_) => Some(format!("{name}@bookTicker")),
        Topic::Depth(..) => Some(format!("{name}@depth@100ms")),
        Topic::Bars(_, interval) => words::interval_word(*interval, spot).map(|word| format!("{name}@kline_{word}")),
        Topic::Funding(_) if spot => None,
        Topic::Funding(_) => Some(format!("{name}@markPrice@1s")),
    }
}

/// What is known of the reader's place: the instruments, our clock, and who listens.
struct Reader<'a> {
    listings: &'a Listings,
    now: Ts,
    sink: &'a mut dyn Sink,
}

/// Reads a message that was received at `now`.
///
/// # Errors
/// [`WireError`] when it is not understood.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    match usual::read(text, listings, now, sink) {
        Some(()) => Ok(()),
        None => read_any(text, listings, now, sink),
    }
}

/// The same without the short way.
///
/// # Errors
/// [`WireError`] when it is not understood.
pub(super) fn read_any(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
    let mut reader = Reader { listings, now, sink };
    let any: AnyWire<'_> = parse(text)?;
    let Some(inner) = any.data else { return reader.event(&any, text) };
    if !inner.get().starts_with('{') {
        return reader.say(Note::Unexpected("a list of events: no stream of ours"));
    }
    let any: AnyWire<'_> = parse(inner.get())?;
    reader.event(&any, inner.get())
}

/// An object; a list would be read by its places.
fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    if !text.trim_start().starts_with('{') {
        return Err(WireError::shape("no object", text));
    }
    serde_json::from_str(text).map_err(|e| WireError::shape(e, text))
}

/// A message of any form.
#[derive(Deserialize)]
struct AnyWire<'a> {
    #[serde(default)]
    e: Option<String>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<RefusalWire>,
    #[serde(default)]
    msg: Option<String>,
    /// The best quotes of spot have no kind; nothing else has this beside no kind.
    #[serde(borrow, rename = "A", default)]
    ask_qty: Option<Digits<'a>>,
}

#[derive(Deserialize)]
struct RefusalWire {
    #[serde(default)]
    msg: String,
}

#[derive(Deserialize)]
struct TradeWire<'a> {
    s: &'a str,
    t: u64,
    #[serde(borrow)]
    p: Digits<'a>,
    #[serde(borrow)]
    q: Digits<'a>,
    #[serde(rename = "T")]
    time: i64,
    m: bool,
}

#[derive(Deserialize)]
struct AggregateWire<'a> {
    s: &'a str,
    a: u64,
    #[serde(borrow)]
    p: Digits<'a>,
    #[serde(borrow)]
    q: Digits<'a>,
    #[serde(rename = "T")]
    time: i64,
    m: bool,
}

#[derive(Deserialize)]
struct QuoteWire<'a> {
    s: &'a str,
    #[serde(borrow)]
    b: Digits<'a>,
    #[serde(borrow, rename = "B")]
    bid_qty: Digits<'a>,
    #[serde(borrow)]
    a: Digits<'a>,
    #[serde(borrow, rename = "A")]
    ask_qty: Digits<'a>,
    /// Futures only.
    #[serde(rename = "T", default)]
    time: Option<i64>,
}

#[derive(Deserialize)]
struct DepthWire<'a> {
    s: &'a str,
    #[serde(rename = "E")]
    event_time: i64,
    /// Futures only: when it happened.
    #[serde(rename = "T", default)]
    time: Option<i64>,
    #[serde(rename = "U")]
    first: i64,
    u: i64,
    /// Futures only.
    #[serde(default)]
    pu: Option<i64>,
    #[serde(borrow)]
    b: &'a RawValue,
    #[serde(borrow)]
    a: &'a RawValue,
}

#[derive(Deserialize)]
struct KlineWire<'a> {
    #[serde(borrow)]
    k: BarWire<'a>,
}

#[derive(Deserialize)]
struct BarWire<'a> {
    s: &'a str,
    i: &'a str,
    t: i64,
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
    x: bool,
}

#[derive(Deserialize)]
struct MarkWire<'a> {
    s: &'a str,
    #[serde(borrow)]
    p: Digits<'a>,
    #[serde(borrow)]
    r: Digits<'a>,
    #[serde(rename = "T")]
    next: i64,
}

impl Reader<'_> {
    fn event(&mut self, any: &AnyWire<'_>, text: &str) -> Result<(), WireError> {
        match any.e.as_deref() {
            Some("trade") => self.trade(text),
            Some("aggTrade") => self.aggregate(text),
            Some("bookTicker") => self.quote(text),
            Some("depthUpdate") => self.depth(text),
            Some("kline") => self.bar(text),
            Some("markPriceUpdate") => self.funding(text),
            Some("serverShutdown") => self.say(Note::Leaving("serverShutdown")),
            Some("24hrTicker" | "24hrMiniTicker" | "avgPrice" | "forceOrder" | "contractInfo") => {
                self.say(Note::Ignored)
            }
            Some(kind) => self.say(Note::Unexpected(kind)),
            None if any.ask_qty.is_some() => self.quote(text),
            None => self.control(any, text),
        }
    }

    fn say(&mut self, note: Note<'_>) -> Result<(), WireError> {
        self.sink.note(note);
        Ok(())
    }

    fn control(&mut self, any: &AnyWire<'_>, text: &str) -> Result<(), WireError> {
        let refused = any.error.as_ref().map(|e| e.msg.as_str()).or(any.msg.as_deref());
        match (refused, any.id, any.result) {
            (Some(words), ..) => self.say(Note::Refused(words)),
            (None, Some(_), _) => self.say(Note::Subscribed),
            (None, None, _) => {
                let end = text.char_indices().nth(80).map_or(text.len(), |(i, _)| i);
                self.say(Note::Unexpected(&text[..end]))
            }
        }
    }

    fn trade(&mut self, text: &str) -> Result<(), WireError> {
        let w: TradeWire<'_> = parse(text)?;
        self.traded(w.s, w.t, (w.p, w.q), w.time, w.m)
    }

    fn aggregate(&mut self, text: &str) -> Result<(), WireError> {
        let w: AggregateWire<'_> = parse(text)?;
        self.traded(w.s, w.a, (w.p, w.q), w.time, w.m)
    }

    fn traded(
        &mut self,
        name: &str,
        id: u64,
        (at, much): (Digits<'_>, Digits<'_>),
        time: i64,
        buyer_is_maker: bool,
    ) -> Result<(), WireError> {
        let Some(l) = self.listings.named(name) else { return self.say(Note::Ignored) };
        let trade = Trade {
            ts: self.now,
            ts_venue: Ts::from_millis(time),
            price: at.price("p", l.rules.price_scale)?,
            qty: much.qty("q", l.rules.qty_scale)?,
            instrument: l.id,
            aggressor: aggressor(buyer_is_maker),
        };
        self.say(Note::Trade(trade, id))
    }

    fn quote(&mut self, text: &str) -> Result<(), WireError> {
        let w: QuoteWire<'_> = parse(text)?;
        let Some(l) = self.listings.named(w.s) else { return self.say(Note::Ignored) };
        let quote = Quote {
            ts: self.now,
            ts_venue: w.time.map_or(Ts::NONE, Ts::from_millis),
            bid: w.b.best_price("b", l.rules.price_scale)?,
            bid_qty: w.bid_qty.qty("B", l.rules.qty_scale)?,
            ask: w.a.best_price("a", l.rules.price_scale)?,
            ask_qty: w.ask_qty.qty("A", l.rules.qty_scale)?,
            instrument: l.id,
        };
        self.say(Note::Quote(quote))
    }

    fn depth(&mut self, text: &str) -> Result<(), WireError> {
        let w: DepthWire<'_> = parse(text)?;
        let Some(l) = self.listings.named(w.s) else { return self.say(Note::Ignored) };
        let mut changes = Vec::new();
        levels(w.b.get(), Side::Buy, l, &mut changes)?;
        levels(w.a.get(), Side::Sell, l, &mut changes)?;
        let depth = Depth {
            ts: self.now,
            ts_venue: Ts::from_millis(w.time.unwrap_or(w.event_time)),
            snapshot: false,
            first_id: w.first,
            last_id: w.u,
            prev_id: w.pu.unwrap_or(0),
            levels: &changes,
            instrument: l.id,
        };
        self.say(Note::Depth(depth, None))
    }

    fn bar(&mut self, text: &str) -> Result<(), WireError> {
        let k = parse::<KlineWire<'_>>(text)?.k;
        let Some(l) = self.listings.named(k.s) else { return self.say(Note::Ignored) };
        let Some(interval) = words::interval(k.i) else {
            return self.say(Note::Unexpected("a bar of an unknown interval"));
        };
        let ts_open = Ts::from_millis(k.t);
        let bar = Bar {
            ts_open,
            ts_close: ts_open.plus(interval.nanos()),
            open: k.o.price("o", l.rules.price_scale)?,
            high: k.h.price("h", l.rules.price_scale)?,
            low: k.l.price("l", l.rules.price_scale)?,
            close: k.c.price("c", l.rules.price_scale)?,
            volume: k.v.qty("v", l.rules.qty_scale)?,
            interval,
            instrument: l.id,
        };
        self.say(Note::Bar(bar, k.x))
    }

    fn funding(&mut self, text: &str) -> Result<(), WireError> {
        let w: MarkWire<'_> = parse(text)?;
        let Some(l) = self.listings.named(w.s) else { return self.say(Note::Ignored) };
        // Dated contracts have no funding.
        if w.r.text().is_empty() {
            return self.say(Note::Ignored);
        }
        self.say(Note::FundingRate(l.id, Some(rate("r", w.r.text())?), Ts::from_millis(w.next), mark("p", w.p, l)?))
    }
}

/// The levels of `[["price","qty"],…]`, which the parser has already found to be JSON.
fn levels(json: &str, side: Side, l: &Listing, into: &mut Vec<Level>) -> Result<(), WireError> {
    let wrong = || WireError::shape("levels of a book that are not [[price, quantity], …]", json);
    let mut rest = json.strip_prefix('[').and_then(|j| j.strip_suffix(']')).ok_or_else(wrong)?.trim();
    while !rest.is_empty() {
        let (level, after) = rest.strip_prefix('[').and_then(|r| r.split_once(']')).ok_or_else(wrong)?;
        let (at, more) = level.split_once(',').ok_or_else(wrong)?;
        let much = more.split_once(',').map_or(more, |(much, _)| much);
        let at = mantissa("price", at.trim(), l.rules.price_scale)?;
        let much = mantissa("quantity", much.trim(), l.rules.qty_scale)?;
        if at <= 0 || much < 0 {
            return Err(wrong());
        }
        into.push(Level { side, price: Price::from_mantissa(at), qty: Qty::from_mantissa(much) });
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return Err(wrong()),
        };
    }
    Ok(())
}
