//! Market data for others: from what a session hears to its JSON form, and the way to who publishes it, on which the session
//! never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bellwether_sdk::{Aggressor, Bar, Instrument, InstrumentId, Price, Qty, Quote, Rate, Trade, Ts};
use tokio::sync::mpsc;

use super::templates::time;
use crate::config::{MarketWord, NatsSink};
use crate::sources::nats::{MARKET_VERSION, MarketForm, MarketWhat, Taker};

/// Events that may wait to be published; more are dropped and counted.
const ROOM: usize = 65_536;

/// A market event that can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// A trade.
    Trade(Trade),
    /// A best bid and offer.
    Quote(Quote),
    /// A complete bar.
    Bar(Bar),
    /// The best levels of a book.
    Depth(Levels),
}

/// The best levels of a book as it stands; empty where there is none that can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// Engine time.
    pub ts: Ts,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Price and quantity, best first.
    pub bids: Vec<(Price, Qty)>,
    /// Price and quantity, best first.
    pub asks: Vec<(Price, Qty)>,
}

/// What a session offers of an instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offering {
    /// Fees of maker and taker, where they are known.
    pub fees: Option<(Rate, Rate)>,
    /// The kinds of data that the session hears of it, by name.
    pub kinds: Vec<String>,
}

impl Offering {
    /// The kinds among them that a sink publishes.
    pub fn published(&self, wants: &[MarketWord]) -> Vec<String> {
        let is_wanted = |kind: &&String| {
            wants.contains(&match kind.as_str() {
                "trades" => MarketWord::Trades,
                "quotes" => MarketWord::Quotes,
                "depth" => MarketWord::Depth,
                bars if bars.starts_with("bars-") => MarketWord::Bars,
                _ => return false,
            })
        };
        self.kinds.iter().filter(is_wanted).cloned().collect()
    }
}

impl MarketEvent {
    /// Whose instrument.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Trade(t) => t.instrument,
            Self::Quote(q) => q.instrument,
            Self::Bar(b) => b.instrument,
            Self::Depth(d) => d.instrument,
        }
    }

    const fn kind(&self) -> MarketWord {
        match self {
            Self::Trade(_) => MarketWord::Trades,
            Self::Quote(_) => MarketWord::Quotes,
            Self::Bar(_) => MarketWord::Bars,
            Self::Depth(_) => MarketWord::Depth,
        }
    }

    /// As JSON; `None` for an instrument that is not among these.
    pub fn form(&self, instruments: &[Instrument]) -> Option<MarketForm> {
        let of = instruments.get(self.instrument().index())?;
        let price = |p: Price| p.to_text(of.price_scale);
        let side = |p: Price| (p != Price::ZERO).then(|| price(p));
        let qty = |q: Qty| q.to_text(of.qty_scale);
        let (ts, ts_venue, what) = match self {
            Self::Trade(t) => {
                let aggressor = match t.aggressor {
                    Aggressor::Unknown => None,
                    Aggressor::Buyer => Some(Taker::Buyer),
                    Aggressor::Seller => Some(Taker::Seller),
                };
                (t.ts, t.ts_venue, MarketWhat::Trade { price: price(t.price), qty: qty(t.qty), aggressor })
            }
            Self::Quote(q) => {
                let (bid, ask) = (side(q.bid), side(q.ask));
                let what = MarketWhat::Quote { bid, bid_qty: qty(q.bid_qty), ask, ask_qty: qty(q.ask_qty) };
                (q.ts, q.ts_venue, what)
            }
            Self::Bar(b) => {
                let what = MarketWhat::Bar {
                    interval: b.interval.to_string(),
                    ts_open: b.ts_open.nanos().to_string(),
                    open: price(b.open),
                    high: price(b.high),
                    low: price(b.low),
                    close: price(b.close),
                    volume: qty(b.volume),
                };
                (b.ts_close, Ts::NONE, what)
            }
            Self::Depth(d) => {
                let rows = |levels: &[(Price, Qty)]| levels.iter().map(|l| (price(l.0), qty(l.1))).collect();
                (d.ts, Ts::NONE, MarketWhat::Depth { bids: rows(&d.bids), asks: rows(&d.asks) })
            }
        };
        Some(form(of, ts, ts_venue, what))
    }
}

/// What happened, with whose instrument and when.
pub(super) fn form(of: &Instrument, ts: Ts, ts_venue: Ts, what: MarketWhat) -> MarketForm {
    let ts_venue = (ts_venue != Ts::NONE).then(|| nanos(ts_venue));
    let instrument = of.symbol.to_string();
    MarketForm { schema_version: MARKET_VERSION, instrument, ts: nanos(ts), time: time(ts), ts_venue, what }
}

fn nanos(ts: Ts) -> String {
    ts.nanos().to_string()
}

/// An event on its way, with its number among those of its instrument: one that is dropped leaves a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// From 1.
    pub number: u64,
    /// The event.
    pub event: MarketEvent,
}

/// What became of market events.
#[derive(Debug, Default)]
pub struct MarketCounts {
    /// Handed over.
    pub taken: AtomicU64,
    /// At the server.
    pub published: AtomicU64,
    /// Dropped: too many waited.
    pub dropped: AtomicU64,
    /// Attempts that failed; what they held is tried again.
    pub failed: AtomicU64,
    /// Whether the last attempt failed.
    pub away: AtomicBool,
}

impl MarketCounts {
    /// Events that wait.
    pub fn waiting(&self) -> u64 {
        self.taken.load(Ordering::Relaxed).saturating_sub(self.published.load(Ordering::Relaxed))
    }
}

/// Where a session puts what it hears of the market.
#[derive(Clone)]
pub struct Tap {
    out: mpsc::Sender<Numbered>,
    wants: Vec<MarketWord>,
    levels: usize,
    every_ns: i64,
    counts: Arc<MarketCounts>,
    /// By instrument.
    numbers: Vec<u64>,
    /// When the book of each instrument was published last, and whether it changed since.
    books: Vec<(Ts, bool)>,
}

impl Tap {
    /// A tap for what a sink publishes of so many instruments, and its other end.
    pub fn new(of: &NatsSink, instruments: usize) -> (Self, mpsc::Receiver<Numbered>) {
        let (out, outlet) = mpsc::channel(ROOM);
        let tap = Self {
            out,
            wants: of.market.clone(),
            levels: usize::try_from(of.depth_levels).unwrap_or(usize::MAX),
            every_ns: i64::try_from(of.depth_every_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000),
            counts: Arc::default(),
            numbers: vec![0; instruments],
            books: vec![(Ts::NONE, false); instruments],
        };
        (tap, outlet)
    }

    /// Takes an event if it is wanted, and returns at once.
    pub fn hear(&mut self, event: MarketEvent) {
        if !self.wants.contains(&event.kind()) {
            return;
        }
        let Some(number) = self.numbers.get_mut(event.instrument().index()) else { return };
        *number += 1;
        let count = match self.out.try_send(Numbered { number: *number, event }) {
            Ok(()) => &self.counts.taken,
            Err(_) => &self.counts.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// The book of an instrument changed.
    pub fn note_book(&mut self, id: InstrumentId) {
        if self.wants.contains(&MarketWord::Depth)
            && let Some(book) = self.books.get_mut(id.index())
        {
            book.1 = true;
        }
    }

    /// Takes the books that changed and are due at engine time `now`, each as it stands then: `levels` gives the best so many
    /// of each side.
    pub fn hear_books(&mut self, now: Ts, levels: impl Fn(InstrumentId, usize) -> Levels) {
        for (i, id) in (0..self.books.len()).zip(0u16..) {
            let (last, changed) = self.books[i];
            if changed && (last == Ts::NONE || now >= last.plus(self.every_ns)) {
                self.books[i] = (now, false);
                self.hear(MarketEvent::Depth(levels(InstrumentId(id), self.levels)));
            }
        }
    }

    /// What became of them.
    pub fn counts(&self) -> &Arc<MarketCounts> {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::InstrumentId;

    use super::*;

    fn instruments() -> Vec<Instrument> {
        vec![Instrument::inferred(InstrumentId(0), "test:AAA/USD".parse().expect("a symbol"), 2, 4)]
    }

    fn trade() -> Trade {
        Trade {
            ts: Ts::from_millis(1_000),
            ts_venue: Ts::NONE,
            price: Price::from_mantissa(12_345),
            qty: Qty::from_mantissa(5_000),
            instrument: InstrumentId(0),
            aggressor: Aggressor::Seller,
        }
    }

    #[test]
    fn an_event_is_written_exactly_and_within_its_schema() {
        let text = |event: MarketEvent| serde_json::to_value(event.form(&instruments())).expect("JSON");
        assert_eq!(
            text(MarketEvent::Trade(trade())),
            serde_json::json!({"schema_version": 1, "instrument": "test:AAA/USD", "ts": "1000000000",
                "time": "1970-01-01 00:00:01Z", "ts_venue": null, "kind": "trade", "price": "123.45", "qty": "0.5",
                "aggressor": "seller"})
        );
        let quote = Quote { ts: Ts::from_millis(0), bid: Price::from_mantissa(1), ..Quote::default() };
        let said = text(MarketEvent::Quote(quote));
        assert_eq!((said["bid"].as_str(), said["ask"].is_null()), (Some("0.01"), true));
        let other = Trade { instrument: InstrumentId(9), ..trade() };
        assert_eq!(MarketEvent::Trade(other).form(&instruments()), None);
    }

    fn tap(market: &[MarketWord], depth_every_ms: u64) -> (Tap, mpsc::Receiver<Numbered>) {
        Tap::new(&NatsSink { market: market.to_vec(), depth_every_ms, ..NatsSink::default() }, 1)
    }

    #[test]
    fn a_session_is_never_kept_waiting_and_what_is_dropped_is_counted_and_leaves_a_gap() {
        let (mut tap, mut outlet) = tap(&[MarketWord::Trades], 0);
        (0..ROOM + 7).for_each(|_| tap.hear(MarketEvent::Trade(trade())));
        tap.hear(MarketEvent::Quote(Quote::default()));
        let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
        assert_eq!((of(&tap.counts.taken), of(&tap.counts.dropped), outlet.len()), (ROOM as u64, 7, ROOM));
        while outlet.try_recv().is_ok() {}
        tap.hear(MarketEvent::Trade(trade()));
        assert_eq!(outlet.try_recv().expect("one").number, ROOM as u64 + 8);
    }

    #[test]
    fn a_book_is_published_so_often_and_what_changed_meanwhile_is_not_forgotten() {
        let (mut tap, mut outlet) = tap(&[MarketWord::Depth], 100);
        let mut at = |ms: i64, changed: bool| {
            if changed {
                tap.note_book(InstrumentId(0));
            }
            let ts = Ts::from_millis(ms);
            let levels = |instrument, _| Levels { ts, instrument, bids: Vec::new(), asks: Vec::new() };
            tap.hear_books(ts, levels);
            outlet.try_recv().is_ok()
        };
        let published =
            [(1, true), (50, true), (100, false), (101, false), (300, false), (301, true)].map(|(ms, c)| at(ms, c));
        assert_eq!(published, [true, false, false, true, false, true]);
    }

    #[test]
    fn what_is_offered_is_what_is_heard_and_published() {
        let kinds = ["trades", "bars-1h", "depth", "funding"].map(str::to_owned).to_vec();
        let offering = Offering { fees: None, kinds };
        assert_eq!(
            offering.published(&[MarketWord::Bars, MarketWord::Quotes, MarketWord::Trades]),
            ["trades", "bars-1h"]
        );
    }
}
