//! Questions as REST requests.

use bellwether_sdk::{InstrumentId, Ts};

use super::super::{Ask, Base, Listing, Listings, Method, OrderRef, Product, Request, Span, VenueError};
use super::dialect::{Dialect, Route};
use super::flows;
use super::orders::{self, Place as Where};
use super::params::Params;
use super::words;

/// Rows of lists that are as long as the venue gives.
pub(super) const ROWS_MAX: u32 = 1000;

/// The request for a question.
///
/// # Errors
/// [`VenueError`]: unsupported, or rejected when the instrument is not listed.
pub(super) fn request(d: &Dialect, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
    let listed = |id: &InstrumentId| listing(listings, *id);
    let symbol = |l: &Listing| Params::new().text("symbol", l.rules.name.as_str());
    Ok(match ask {
        Ask::Time => get(&d.time, &Params::new()),
        Ask::Instruments => get(&d.instruments, &Params::new()),
        Ask::Ticker(id) => get(&d.ticker, &symbol(listed(id)?)),
        Ask::Book(id, levels) => {
            let (limit, weight) = book_size(d, *levels);
            let request = get(&d.book, &symbol(listed(id)?).number("limit", limit));
            Request { weight, ..request }
        }
        Ask::Trades(id, count) => get(&d.trades, &symbol(listed(id)?).number("limit", (*count).clamp(1, ROWS_MAX))),
        Ask::TradesFrom(id, from) => {
            get(&d.history, &symbol(listed(id)?).number("startTime", floor_ms(*from)).number("limit", ROWS_MAX))
        }
        Ask::Bars(id, interval, from, to) => {
            let word = words::interval_word(*interval, d.product == Product::Spot)
                .ok_or_else(|| VenueError::unsupported(format!("{} has no bars of {interval}", d.name())))?;
            let params = symbol(listed(id)?).text("interval", word);
            get(&d.bars, &range(params, *from, *to).number("limit", d.bars_max))
        }
        Ask::Funding(id, from, to) => {
            let route = has(d, d.funding.as_ref(), "funding")?;
            get(route, &range(symbol(listed(id)?), *from, *to).number("limit", ROWS_MAX))
        }
        Ask::Balances if d.product == Product::Spot => {
            get(&d.balances, &Params::new().text("omitZeroBalances", "true")).signed()
        }
        Ask::Balances => get(&d.balances, &Params::new()).signed(),
        Ask::Positions => get(has(d, d.positions.as_ref(), "positions")?, &Params::new()).signed(),
        Ask::OpenOrders(id) => open(&d.open_orders, d.open_orders_all_weight, id.as_ref(), listings)?,
        Ask::OpenConditional(id) => {
            let route = has(d, d.open_algo.as_ref(), "conditional orders apart from the others")?;
            open(route, d.open_algo_all_weight, id.as_ref(), listings)?
        }
        Ask::Order(id, order) => one(d, symbol(listed(id)?), order)?,
        Ask::Fills(id, span) => {
            let (from, end) = fills_stretch(d, span);
            let params = symbol(listed(id)?).number("startTime", floor_ms(from));
            let params = if let Some(end) = end { params.number("endTime", floor_ms(end)) } else { params };
            get(&d.fills, &params.number("limit", ROWS_MAX)).signed()
        }
        Ask::Paid(span) => flows::paid(d, span)?,
        Ask::Moved(span) => flows::moved(d, span)?,
        Ask::Permissions => {
            let request = Request::get("/sapi/v1/account/apiRestrictions", "", 1).signed();
            Request { base: if d.product == Product::Spot { Base::Rest } else { Base::Spot }, ..request }
        }
        // Asked for twice, the same ticket comes: nothing is lost by asking again.
        Ask::StreamTicket => {
            let route = has(d, d.ticket.as_ref(), "stream tickets")?;
            Request::new(Method::Post, route.path, "", route.weight).signed().read_only()
        }
        Ask::KeepTicket(_) => {
            let route = has(d, d.ticket.as_ref(), "stream tickets")?;
            Request::new(Method::Put, route.path, "", route.weight).signed().read_only()
        }
    })
}

/// An instrument of this run.
///
/// # Errors
/// [`VenueError`] of class rejected.
pub(super) fn listing(listings: &Listings, id: InstrumentId) -> Result<&Listing, VenueError> {
    listings.get(id).ok_or_else(|| {
        let text = format!("instrument {} is not listed at binance in this run", id.0);
        VenueError::new(super::super::Fault::Rejected, "", text)
    })
}

pub(super) fn get(route: &Route, params: &Params) -> Request {
    Request::get(route.path, params.query(), route.weight)
}

pub(super) fn has<'a>(d: &Dialect, route: Option<&'a Route>, what: &str) -> Result<&'a Route, VenueError> {
    route.ok_or_else(|| VenueError::unsupported(format!("{} has no {what}", d.name())))
}

/// The size of book to ask for, with its weight: enough levels, or the most there are.
fn book_size(d: &Dialect, levels: u32) -> (u32, u32) {
    let found = d.book_sizes.iter().find(|(size, _)| *size >= levels).or(d.book_sizes.last());
    let (size, weight) = found.copied().unwrap_or((levels, d.book.weight));
    (if d.book_any_size { levels.clamp(1, size) } else { size }, weight)
}

/// Milliseconds, rounded down: what comes twice is known by its id.
pub(super) fn floor_ms(ts: Ts) -> i64 {
    ts.nanos().max(0).div_euclid(1_000_000)
}

/// What of a stretch one question about fills reaches: from where, as far as they are kept, and to where.
pub(super) fn fills_stretch(d: &Dialect, span: &Span) -> (Ts, Option<Ts>) {
    let Some((days, kept)) = d.fills_days else { return (span.from, None) };
    let from = span.from.max(span.to.plus(-kept * 86_400_000_000_000));
    (from, Some(Span::new(from, span.to).end_within(days)))
}

/// `[from, to)` as the venue's closed range of milliseconds.
fn range(params: Params, from: Ts, to: Ts) -> Params {
    let ceil = |ts: Ts| ts.nanos().max(0).saturating_add(999_999).div_euclid(1_000_000);
    params.number("startTime", ceil(from)).number("endTime", ceil(to).saturating_sub(1).max(0))
}

fn open(route: &Route, all: u32, id: Option<&InstrumentId>, listings: &Listings) -> Result<Request, VenueError> {
    let (params, weight) = match id {
        Some(id) => (Params::new().text("symbol", listing(listings, *id)?.rules.name.as_str()), route.weight),
        None => (Params::new(), all),
    };
    Ok(Request { weight, ..get(route, &params).signed() })
}

/// One order, where it lives.
fn one(d: &Dialect, symbol: Params, order: &OrderRef) -> Result<Request, VenueError> {
    let at = orders::place_of(d, order);
    let (route, symbol) = match (&d.algo, at) {
        (Some(algo), Where::Apart) => (algo, Params::new()),
        _ => (&d.order, symbol),
    };
    let (client, venue) = match at {
        Where::Apart => ("clientAlgoId", "algoId"),
        Where::Book => ("origClientOrderId", "orderId"),
    };
    Ok(get(route, &orders::named(symbol, order, client, venue)?).signed())
}
