//! What venues say: market streams, private streams, trading sockets, answers to questions and acts.

use std::sync::Arc;

use bellwether::exchange::{
    Act, Ask, Cancel, ClientId, Listings, Note, OrderRef, Product, Response, Rules, Span, VENUES, Venue, venue,
};
use bellwether_sdk::{InstrumentId, Interval, Ts};

use crate::Target;

const BTC: InstrumentId = InstrumentId(0);
const NOW: Ts = Ts::from_millis(1_750_000_000_000);

/// Bitcoin as each venue names it, with its stream's name and the digits of price and quantity.
fn listing(name: &str, product: Product) -> (&'static str, &'static str, &'static str, u8, u8) {
    match (name, product) {
        ("binance", Product::Spot) => ("binance:BTC/USDT", "BTCUSDT", "btcusdt", 2, 8),
        ("binance", Product::Linear) => ("binance:BTC/USDT:USDT", "BTCUSDT", "btcusdt", 2, 8),
        ("bybit", Product::Spot) => ("bybit:BTC/USDT", "BTCUSDT", "BTCUSDT", 2, 8),
        ("bybit", Product::Linear) => ("bybit:BTC/USDT:USDT", "BTCUSDT", "BTCUSDT", 2, 8),
        ("coinbase", _) => ("coinbase:BTC/USD", "BTC-USD", "BTC-USD", 2, 8),
        ("hyperliquid", _) => ("hyperliquid:BTC/USDC:USDC", "BTC", "BTC", 6, 8),
        ("okx", Product::Linear) => ("okx:BTC/USDT:USDT", "BTC-USDT-SWAP", "BTC-USDT-SWAP", 2, 8),
        ("okx", Product::Spot) => ("okx:BTC/USDT", "BTC-USDT", "BTC-USDT", 2, 8),
        _ => ("kraken:BTC/USD", "XXBTZUSD", "BTC/USD", 1, 8),
    }
}

fn listings(name: &str, product: Product) -> Option<Listings> {
    let (symbol, own, stream, price_scale, qty_scale) = listing(name, product);
    let plain = Rules::plain(symbol.parse().ok()?, own, price_scale, qty_scale);
    let rules = Rules { stream_name: stream.to_owned(), index: 1, ..plain };
    Some(Listings::new([(BTC, rules)]))
}

/// Every kind of question.
fn asks() -> Vec<Ask> {
    let client = ClientId { session: 0xabc, number: 1 };
    let later = NOW.plus(3_600_000_000_000);
    vec![
        Ask::Time,
        Ask::Instruments,
        Ask::Ticker(BTC),
        Ask::Book(BTC, 10),
        Ask::Trades(BTC, 10),
        Ask::TradesFrom(BTC, NOW),
        Ask::Bars(BTC, Interval::MINUTE, NOW, later),
        Ask::Funding(BTC, NOW, later),
        Ask::Balances,
        Ask::Positions,
        Ask::OpenOrders(None),
        Ask::OpenConditional(None),
        Ask::Order(BTC, OrderRef::Client(client)),
        Ask::Order(BTC, OrderRef::Venue("12345".to_owned())),
        Ask::Fills(BTC, Span::new(NOW, NOW)),
        Ask::Permissions,
        Ask::StreamTicket,
        Ask::KeepTicket("ticket".to_owned()),
        // Inputs of the corpus name questions by their places: new ones come last.
        Ask::Paid(Span::new(NOW, later)),
        Ask::Moved(Span::new(NOW, later)),
    ]
}

fn acts() -> Vec<Act> {
    let cancel = Cancel { instrument: BTC, order: OrderRef::Client(ClientId { session: 0xabc, number: 1 }) };
    vec![Act::Cancel(cancel.clone()), Act::CancelAll(BTC), Act::CancelMany(vec![cancel.clone(), cancel])]
}

/// The status of an answer, by a byte of the input.
fn response(byte: u8, body: &str) -> Response {
    let status = [200, 200, 200, 400, 401, 429, 500, 503][usize::from(byte) % 8];
    Response { status, headers: vec![("retry-after".to_owned(), "1".to_owned())], body: body.to_owned() }
}

/// All parsers of all venues that are built in.
pub(crate) fn targets() -> Vec<Target> {
    VENUES
        .iter()
        .filter_map(|(name, product)| Some(of(name, *product, venue(name, *product)?.into())))
        .flatten()
        .collect()
}

fn of(name: &'static str, product: Product, venue: Arc<dyn Venue>) -> Vec<Target> {
    let Some(listings) = listings(name, product).map(Arc::new) else { return Vec::new() };
    let named = |what: &str| format!("{name}-{}-{what}", if product == Product::Spot { "spot" } else { "linear" });
    let text = |read: fn(&dyn Venue, &Listings, &str)| {
        let (venue, listings) = (Arc::clone(&venue), Arc::clone(&listings));
        move |input: &[u8]| read(&*venue, &listings, &String::from_utf8_lossy(input))
    };
    let body = |read: fn(&dyn Venue, &Listings, (u8, u8), &str)| {
        let (venue, listings) = (Arc::clone(&venue), Arc::clone(&listings));
        move |input: &[u8]| {
            if let [which, status, rest @ ..] = input {
                read(&*venue, &listings, (*which, *status), &String::from_utf8_lossy(rest));
            }
        }
    };
    vec![
        Target::new(
            named("market"),
            text(|venue, listings, text| {
                let _ = venue.read_market(text, listings, NOW, &mut |_: Note<'_>| {});
            }),
        ),
        Target::new(named("account"), text(|venue, listings, text| drop(venue.read_account(text, listings)))),
        Target::new(named("trade"), text(|venue, listings, text| drop(venue.read_trade(text, listings)))),
        Target::new(
            named("reply"),
            body(|venue, listings, (which, status), text| {
                let asks = asks();
                let ask = &asks[usize::from(which) % asks.len()];
                let _ = venue.reply(ask, &response(status, text), listings);
            }),
        ),
        Target::new(
            named("act"),
            body(|venue, listings, (which, status), text| {
                let acts = acts();
                let act = &acts[usize::from(which) % acts.len()];
                let _ = venue.act_reply(act, &response(status, text), listings);
            }),
        ),
    ]
}
