//! The messages that come by the thousand (trades, best quotes, changes of the book), in the form in which the venue
//! writes them: `{"stream":"…","data":{…}}` without spaces. Read in one pass; only the levels of a book are put down.

use bellwether_sdk::{Depth, Level, Price, Qty, Quote, Side, Trade, Ts};

use super::super::scan::{Scan, once};
use super::super::{Listing, Listings, Note, Sink};
use super::rows::aggressor;

/// Reads a message in the usual form. `None`, and nothing told, for any other.
pub(super) fn read(text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Option<()> {
    let mut scan = Scan::new(text);
    scan.word("{\"stream\":\"")?;
    let (_, kind) = scan.until_quote()?.split_once('@')?;
    scan.word(",\"data\":")?;
    let mut reader = Reader { listings, now, sink };
    match kind.as_bytes() {
        b"trade" => reader.trade(scan, "trade", "t"),
        b"aggTrade" => reader.trade(scan, "aggTrade", "a"),
        b"bookTicker" => reader.quote(scan),
        [b'd', b'e', b'p', b't', b'h', b'@', ..] | b"depth" => reader.depth(scan),
        _ => None,
    }
}

/// Who is told, and what is known of our own place.
struct Reader<'a> {
    listings: &'a Listings,
    now: Ts,
    sink: &'a mut dyn Sink,
}

impl Reader<'_> {
    fn trade(&mut self, mut scan: Scan<'_>, event: &str, id_name: &str) -> Option<()> {
        let mut told = None;
        let (mut of, mut id, mut price, mut qty, mut time, mut maker) = (None, None, None, None, None, None);
        let mut first = true;
        loop {
            match scan.field(std::mem::take(&mut first))? {
                "" => break,
                "e" => once(&mut told, scan.text().filter(|e| *e == event))?,
                "s" => once(&mut of, self.listings.named(scan.text()?))?,
                "p" => once(&mut price, scan.quoted_mantissa(of?.rules.price_scale))?,
                "q" => once(&mut qty, scan.quoted_mantissa(of?.rules.qty_scale))?,
                "T" => once(&mut time, scan.whole())?,
                "m" => once(&mut maker, scan.boolean())?,
                name if name == id_name => once(&mut id, scan.whole())?,
                _ => scan.skip()?,
            }
        }
        scan.ends_with("}")?;
        told?;
        let trade = Trade {
            ts: self.now,
            ts_venue: Ts::from_millis(time?),
            price: Price::from_mantissa(price.filter(|p| *p > 0)?),
            qty: Qty::from_mantissa(qty?),
            instrument: of?.id,
            aggressor: aggressor(maker?),
        };
        self.sink.note(Note::Trade(trade, id?.unsigned_abs()));
        Some(())
    }

    fn quote(&mut self, mut scan: Scan<'_>) -> Option<()> {
        let (mut of, mut time) = (None, None);
        let (mut bid, mut bid_qty, mut ask, mut ask_qty) = (None, None, None, None);
        let mut first = true;
        loop {
            match scan.field(std::mem::take(&mut first))? {
                "" => break,
                "e" => (scan.text()? == "bookTicker").then_some(())?,
                "s" => once(&mut of, self.listings.named(scan.text()?))?,
                "b" => once(&mut bid, scan.quoted_mantissa(of?.rules.price_scale))?,
                "B" => once(&mut bid_qty, scan.quoted_mantissa(of?.rules.qty_scale))?,
                "a" => once(&mut ask, scan.quoted_mantissa(of?.rules.price_scale))?,
                "A" => once(&mut ask_qty, scan.quoted_mantissa(of?.rules.qty_scale))?,
                "T" => once(&mut time, scan.whole())?,
                _ => scan.skip()?,
            }
        }
        scan.ends_with("}")?;
        let quote = Quote {
            ts: self.now,
            ts_venue: time.map_or(Ts::NONE, Ts::from_millis),
            bid: Price::from_mantissa(bid?),
            bid_qty: Qty::from_mantissa(bid_qty?),
            ask: Price::from_mantissa(ask?),
            ask_qty: Qty::from_mantissa(ask_qty?),
            instrument: of?.id,
        };
        self.sink.note(Note::Quote(quote));
        Some(())
    }

    fn depth(&mut self, mut scan: Scan<'_>) -> Option<()> {
        let (mut of, mut event_time, mut time) = (None, None, None);
        let (mut begins, mut last, mut previous, mut bids, mut asks) = (None, None, None, None, None);
        let mut told = None;
        // Twenty levels, which most messages have at most.
        let mut changes = Vec::with_capacity(20);
        let mut first = true;
        loop {
            match scan.field(std::mem::take(&mut first))? {
                "" => break,
                "e" => once(&mut told, scan.text().filter(|e| *e == "depthUpdate"))?,
                "s" => once(&mut of, self.listings.named(scan.text()?))?,
                "E" => once(&mut event_time, scan.whole())?,
                "T" => once(&mut time, scan.whole())?,
                "U" => once(&mut begins, scan.whole())?,
                "u" => once(&mut last, scan.whole())?,
                "pu" => once(&mut previous, scan.whole())?,
                // The bids come first, as the other way gives them.
                "b" if asks.is_none() => once(&mut bids, levels(&mut scan, Side::Buy, of?, &mut changes))?,
                "a" => once(&mut asks, levels(&mut scan, Side::Sell, of?, &mut changes))?,
                _ => scan.skip()?,
            }
        }
        scan.ends_with("}")?;
        // Each of the three has to have been there.
        let ((), (), ()) = (told.map(drop)?, bids?, asks?);
        let depth = Depth {
            ts: self.now,
            ts_venue: Ts::from_millis(time.unwrap_or(event_time?)),
            snapshot: false,
            first_id: begins?,
            last_id: last?,
            prev_id: previous.unwrap_or(0),
            levels: &changes,
            instrument: of?.id,
        };
        self.sink.note(Note::Depth(depth, None));
        Some(())
    }
}

/// The levels of `[["price","qty"],…]`.
fn levels(scan: &mut Scan<'_>, side: Side, of: &Listing, into: &mut Vec<Level>) -> Option<()> {
    scan.byte(b'[')?;
    if scan.byte(b']').is_some() {
        return Some(());
    }
    loop {
        scan.byte(b'[')?;
        let price = scan.quoted_mantissa(of.rules.price_scale).filter(|p| *p > 0)?;
        scan.byte(b',')?;
        let qty = scan.quoted_mantissa(of.rules.qty_scale)?;
        scan.byte(b']')?;
        into.push(Level { side, price: Price::from_mantissa(price), qty: Qty::from_mantissa(qty) });
        if scan.byte(b']').is_some() {
            return Some(());
        }
        scan.byte(b',')?;
    }
}
