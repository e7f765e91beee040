//! What the tests of codecs share: listings, approved orders, notes as text, bad input.

use bellwether_sdk::{Instrument, InstrumentId, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts};

use super::{Act, Ask, ClientId, Listings, Note, Place, Reply, Request, Response, Rules, Span, Venue, VenueError};
use crate::orders::{Order, WordId};
use crate::portfolio::{Position, Terms};
use crate::risk::{Guard, RiskView};

/// The instrument of most tests.
pub(super) const ID: InstrumentId = InstrumentId(3);
/// The order that tests place.
pub(super) const CLIENT: ClientId = ClientId { session: 0xabc, number: 7 };
/// How [`CLIENT`] stands on the wire.
pub(super) const CLIENT_TEXT: &str = "0000000000000abc0000000000000007";

/// Plain rules of a symbol as text.
pub(super) fn rules(symbol: &str, name: &str, price_scale: u8, qty_scale: u8) -> Rules {
    Rules::plain(symbol.parse().expect("a symbol"), name, price_scale, qty_scale)
}

/// One instrument under [`ID`].
pub(super) fn one(rules: Rules) -> Listings {
    Listings::new([(ID, rules)])
}

/// An order of [`ID`] as the guard approved it: quantity of five units at a scale of the test's choice.
pub(super) fn place(side: Side, kind: OrderKind, change: impl FnOnce(&mut Order)) -> Place {
    let mut order = Order {
        id: OrderId(7),
        strategy: 0,
        instrument: ID,
        side,
        size: Size::Qty(Qty::from_mantissa(5)),
        kind,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId(0),
    };
    change(&mut order);
    let instrument = Instrument::inferred(ID, "test:A/B".parse().expect("a symbol"), 2, 3);
    let view = RiskView {
        instrument: &instrument,
        terms: &Terms::new(&instrument, 0, 8).expect("terms"),
        money_scale: 8,
        position: &Position::default(),
        last: Price::from_mantissa(100),
        open_orders: 0,
        reference: Price::ZERO,
        pace: crate::risk::Pace::default(),
    };
    let order = Guard::default().approve(order, &view).expect("approved");
    Place { order, client: CLIENT, qty: Qty::from_mantissa(5), reference: Price::from_mantissa(100) }
}

/// A limit order at a price of so many units.
pub(super) fn limit(side: Side, price: i64) -> Place {
    place(side, OrderKind::Limit { price: Price::from_mantissa(price) }, |_| {})
}

/// A request in one line.
pub(super) fn line(request: &Request) -> String {
    let signed = if request.signed { " signed" } else { "" };
    let body = if request.body.is_empty() { String::new() } else { format!(" {}", request.body) };
    format!("{} {}{signed}{body}", request.method.name(), request.target())
}

/// A request or its refusal, in one line.
pub(super) fn asked(result: Result<Request, VenueError>) -> String {
    result.map_or_else(|e| format!("{}: {}", e.fault.name(), e.reason), |r| line(&r))
}

/// An answer.
pub(super) fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.to_owned() }
}

/// What an answer of 200 says to a question.
pub(super) fn told(venue: &dyn Venue, ask: &Ask, body: &str, listings: &Listings) -> Reply {
    venue.reply(ask, &response(200, body), listings).unwrap_or_else(|e| panic!("{ask:?}: {e}"))
}

/// The notes of a market message, in words.
pub(super) fn heard(venue: &dyn Venue, text: &str, listings: &Listings) -> Vec<String> {
    let mut words = Vec::new();
    let mut sink = |note: Note<'_>| words.push(in_words(&note));
    venue.read_market(text, listings, Ts::from_nanos(1), &mut sink).unwrap_or_else(|e| panic!("{text}: {e}"));
    words
}

fn ms(ts: Ts) -> String {
    if ts == Ts::NONE { "-".to_owned() } else { (ts.nanos() / 1_000_000).to_string() }
}

fn in_words(note: &Note<'_>) -> String {
    match note {
        Note::Trade(t, id) => format!(
            "trade {} {}x{} {:?} at {} #{id}",
            t.instrument.0,
            t.price.mantissa(),
            t.qty.mantissa(),
            t.aggressor,
            ms(t.ts_venue)
        ),
        Note::Quote(q) => format!(
            "quote {} {}x{} {}x{} at {}",
            q.instrument.0,
            q.bid.mantissa(),
            q.bid_qty.mantissa(),
            q.ask.mantissa(),
            q.ask_qty.mantissa(),
            ms(q.ts_venue)
        ),
        Note::Depth(d, crc) => {
            let levels: Vec<String> = d
                .levels
                .iter()
                .map(|l| {
                    format!(
                        "{}{}x{}",
                        if l.side == Side::Buy { "b" } else { "a" },
                        l.price.mantissa(),
                        l.qty.mantissa()
                    )
                })
                .collect();
            let kind = if d.snapshot { "snapshot" } else { "change" };
            let ids = format!("{}-{}<{}", d.first_id, d.last_id, d.prev_id);
            format!("{kind} {} {ids} {} at {} {crc:?}", d.instrument.0, levels.join(" "), ms(d.ts_venue))
        }
        Note::Bar(b, complete) => format!(
            "bar {} {}-{} {} {} {} {} v{} {complete}",
            b.instrument.0,
            ms(b.ts_open),
            ms(b.ts_close),
            b.open.mantissa(),
            b.high.mantissa(),
            b.low.mantissa(),
            b.close.mantissa(),
            b.volume.mantissa()
        ),
        Note::FundingRate(id, rate, ts, mark) => {
            let rate = rate.map_or("-".to_owned(), |r| r.mantissa().to_string());
            format!("funding {} {rate} {} mark {}", id.0, ms(*ts), mark.mantissa())
        }
        other => format!("{other:?}"),
    }
}

/// Feeds a message and every damaged form of it to every reader: none may panic, and no prefix may be taken for a
/// message that changes a book, a price or an order.
pub(super) fn survives(venue: &dyn Venue, text: &str, listings: &Listings) {
    let mut damaged: Vec<String> = (0..text.len()).filter_map(|n| text.get(..n).map(str::to_owned)).collect();
    for (find, put) in
        [("\"", ""), (":", ""), ("0", "99999999999999999999999999"), (".", "e400."), ("[", "{"), ("{", "[")]
    {
        damaged.push(text.replacen(find, put, 1));
        damaged.push(text.replace(find, put));
    }
    for (i, text) in damaged.iter().enumerate() {
        let mut loud = false;
        let mut sink = |note: Note<'_>| {
            loud |= matches!(note, Note::Trade(..) | Note::Quote(_) | Note::Depth(..) | Note::Bar(..));
        };
        let read = venue.read_market(text, listings, Ts::from_nanos(1), &mut sink);
        let prefix = i < damaged.len() - 12;
        assert!(!(prefix && loud && read.is_ok()), "a prefix was taken for a message: {text}");
        drop(venue.read_account(text, listings));
        drop(venue.read_trade(text, listings));
        for ask in [
            Ask::Balances,
            Ask::Positions,
            Ask::OpenOrders(None),
            Ask::Instruments,
            Ask::Fills(ID, Span::new(Ts::from_nanos(1), Ts::from_nanos(1))),
        ] {
            drop(venue.reply(&ask, &response(200, text), listings));
        }
        drop(venue.act_reply(&Act::CancelAll(ID), &response(200, text), listings));
    }
}

/// A whole answer and each of its prefixes: the whole is read, a prefix is an error, never a panic and never a value.
pub(super) fn prefixes_fail(venue: &dyn Venue, ask: &Ask, body: &str, listings: &Listings) {
    assert!(venue.reply(ask, &response(200, body), listings).is_ok(), "{body}");
    for cut in (0..body.len()).filter_map(|n| body.get(..n)) {
        assert!(venue.reply(ask, &response(200, cut), listings).is_err(), "{cut}");
    }
}
