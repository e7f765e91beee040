//! Acts as parameters, for REST and for the trading socket alike.
//!
//! What cannot be said is refused here, never sent as something else:
//!
//! * spot: no good-till-date; a reduce-only order is sent only when it sells (it cannot go below nothing), and then
//!   without the word, which spot lacks; an amend only lowers the quantity, and only by our id of the order, since by
//!   the venue's id the order would get a new client id; trailing stops only by a fraction, in whole basis points;
//! * futures: an amend needs price and quantity; what waits for a trigger cannot be amended, nor be in a batch;
//!   trailing stops by a fraction from 0.1 % to 10 %;
//! * both: post-only limit orders that are good till cancelled, and no other.

use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{OrderKind, Price, Qty, Rate, Side, TimeInForce, Trail};

use super::super::{Act, Amend, Cancel, Fault, Listing, Listings, OrderRef, Place as Placing, Product};
use super::super::{Request, VenueError};
use super::dialect::{Dialect, Door, Verb};
use super::params::{Exact, Params};
use super::rest::listing;
use super::words::side_word;
use crate::exchange::http::Method;
use crate::orders::Order;

/// What a countdown costs of the request budget ("Auto-Cancel All Open Orders", November 2025).
const COUNTDOWN_WEIGHT: u32 = 10;

/// Before the number, in venue ids of orders that live apart.
pub(super) const ALGO: &str = "algo-";

/// Where an order lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the book, or about to be.
    Book,
    /// In the service for orders that wait for a trigger.
    Apart,
}

/// Where an order lives, by its id.
pub(super) fn place_of(d: &Dialect, order: &OrderRef) -> Place {
    let apart = match order {
        OrderRef::Client(client) => client.is_conditional(),
        OrderRef::Venue(id) => id.starts_with(ALGO),
    };
    if d.apart() && apart { Place::Apart } else { Place::Book }
}

/// Names an order by one of two parameters.
///
/// # Errors
/// [`VenueError`] of class rejected when the venue's id is no number.
pub(super) fn named(
    params: Params,
    order: &OrderRef,
    client: &'static str,
    venue: &'static str,
) -> Result<Params, VenueError> {
    match order {
        OrderRef::Client(id) => Ok(params.text(client, *id)),
        OrderRef::Venue(id) => Ok(params.number(venue, venue_number(id)?)),
    }
}

fn venue_number(id: &str) -> Result<u64, VenueError> {
    id.strip_prefix(ALGO).unwrap_or(id).parse().map_err(|_| {
        let shown: String = id.chars().take(40).collect();
        VenueError::new(Fault::Rejected, "", format!("{shown:?} is no order id of binance: these are numbers"))
    })
}

/// The REST request for an act.
///
/// # Errors
/// [`VenueError`]: unsupported, or rejected when the instrument is not listed.
pub(super) fn request(d: &Dialect, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
    let (door, params) = spoken(d, act, listings)?;
    Ok(Request::new(door.method, door.path, params.query(), door.weight).signed())
}

/// An act as its verb and parameters.
///
/// # Errors
/// As [`request`].
pub(super) fn spoken(d: &Dialect, act: &Act, listings: &Listings) -> Result<(&'static Door, Params), VenueError> {
    let (verb, params) = match act {
        Act::Place(place) => placing(d, place, listings)?,
        Act::PlaceMany(places) => (Verb::PlaceMany, many(d, places, listings)?),
        Act::Amend(amend) => (Verb::Amend, amending(d, amend, listings)?),
        Act::Cancel(cancel) => cancelling(d, cancel, listings)?,
        Act::CancelMany(cancels) => (Verb::CancelMany, cancelling_many(d, cancels, listings)?),
        Act::CancelReplace(cancel, place) => (Verb::CancelReplace, replacing(d, cancel, place, listings)?),
        Act::CancelAll(id) => (Verb::CancelAll, symbol(listing(listings, *id)?)),
        Act::CancelAllConditional(id) => (Verb::CancelAllAlgo, symbol(listing(listings, *id)?)),
    };
    let lacks = || VenueError::unsupported(format!("{} has no {verb:?}", d.name()));
    Ok((d.door(verb).ok_or_else(lacks)?, params))
}

/// Futures have a countdown for each instrument; spot has none.
pub(super) fn cancel_after(d: &Dialect, within_ms: u64, listings: &Listings) -> Vec<Request> {
    if d.product == Product::Spot {
        return Vec::new();
    }
    let one = |listing: &Listing| {
        let query = symbol(listing).text("countdownTime", within_ms).query();
        Request::new(Method::Post, "/fapi/v1/countdownCancelAll", query, COUNTDOWN_WEIGHT).signed()
    };
    listings.iter().map(one).collect()
}

fn symbol(listing: &Listing) -> Params {
    Params::new().text("symbol", listing.rules.name.as_str())
}

fn placing(d: &Dialect, place: &Placing, listings: &Listings) -> Result<(Verb, Params), VenueError> {
    let order = place.order.get();
    let listing = listing(listings, order.instrument)?;
    match d.product {
        Product::Spot => Ok((Verb::Place, spot_order(place, listing)?)),
        Product::Linear if waits(&order.kind) => Ok((Verb::PlaceAlgo, algo_order(place, listing)?)),
        Product::Linear => Ok((Verb::Place, futures_order(place, listing)?)),
    }
}

const fn waits(kind: &OrderKind) -> bool {
    matches!(kind, OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } | OrderKind::TrailingStop { .. })
}

fn no(what: &str) -> VenueError {
    VenueError::unsupported(what)
}

fn price(listing: &Listing, price: Price) -> Exact {
    Exact(price.mantissa(), listing.rules.price_scale)
}

fn qty(listing: &Listing, qty: Qty) -> Exact {
    Exact(qty.mantissa(), listing.rules.qty_scale)
}

/// Symbol, side, type and quantity.
fn head(place: &Placing, listing: &Listing, kind: &'static str) -> Params {
    symbol(listing)
        .text("side", side_word(place.order.get().side))
        .text("type", kind)
        .text("quantity", qty(listing, place.qty))
}

fn check_post_only(order: &Order) -> Result<(), VenueError> {
    let resting = matches!(order.kind, OrderKind::Limit { .. }) && order.tif == TimeInForce::Gtc;
    if order.post_only && !resting {
        return Err(no("binance takes post-only for limit orders that are good till cancelled, and no other"));
    }
    Ok(())
}

/// Market orders and stops that become one: done at once or not at all, so only the plainest times in force make sense.
fn check_market_tif(tif: TimeInForce) -> Result<(), VenueError> {
    match tif {
        TimeInForce::Gtc | TimeInForce::Ioc => Ok(()),
        TimeInForce::Fok | TimeInForce::Gtd(_) => {
            Err(no("binance takes no time in force for market orders and stops that become market orders"))
        }
    }
}

fn spot_order(place: &Placing, listing: &Listing) -> Result<Params, VenueError> {
    let order = place.order.get();
    check_post_only(order)?;
    if order.reduce_only && order.side == Side::Buy {
        return Err(no("binance spot has no reduce-only: there is no short position that a buy could reduce"));
    }
    let tif = || match order.tif {
        TimeInForce::Gtc => Ok("GTC"),
        TimeInForce::Ioc => Ok("IOC"),
        TimeInForce::Fok => Ok("FOK"),
        TimeInForce::Gtd(_) => Err(no("binance spot has no good-till-date orders")),
    };
    let params = match order.kind {
        OrderKind::Market => {
            check_market_tif(order.tif)?;
            head(place, listing, "MARKET")
        }
        OrderKind::Limit { price: limit } if order.post_only => {
            head(place, listing, "LIMIT_MAKER").text("price", price(listing, limit))
        }
        OrderKind::Limit { price: limit } => {
            head(place, listing, "LIMIT").text("timeInForce", tif()?).text("price", price(listing, limit))
        }
        OrderKind::StopMarket { trigger } => {
            check_market_tif(order.tif)?;
            head(place, listing, "STOP_LOSS").text("stopPrice", price(listing, trigger))
        }
        OrderKind::StopLimit { trigger, price: limit } => head(place, listing, "STOP_LOSS_LIMIT")
            .text("timeInForce", tif()?)
            .text("price", price(listing, limit))
            .text("stopPrice", price(listing, trigger)),
        OrderKind::TrailingStop { trail } => {
            check_market_tif(order.tif)?;
            head(place, listing, "STOP_LOSS").number("trailingDelta", basis_points(trail)?)
        }
    };
    Ok(params.text("newClientOrderId", place.client).text("newOrderRespType", "RESULT"))
}

/// A trailing distance in whole basis points.
fn basis_points(trail: Trail) -> Result<i64, VenueError> {
    const UNIT: i64 = 10i64.pow(Rate::SCALE as u32 - 4);
    match trail {
        Trail::Fraction(rate) if rate.mantissa() > 0 && rate.mantissa() % UNIT == 0 => Ok(rate.mantissa() / UNIT),
        Trail::Fraction(_) => Err(no("binance spot takes trailing stops by whole basis points")),
        Trail::Offset(_) => Err(no("binance has no trailing stops by a price distance; give a fraction")),
    }
}

fn futures_tif(order: &Order) -> (&'static str, Option<i64>) {
    match order.tif {
        _ if order.post_only => ("GTX", None),
        TimeInForce::Gtc => ("GTC", None),
        TimeInForce::Ioc => ("IOC", None),
        TimeInForce::Fok => ("FOK", None),
        // The venue keeps whole seconds.
        TimeInForce::Gtd(till) => ("GTD", Some(till.nanos().div_euclid(1_000_000_000).saturating_mul(1000))),
    }
}

/// Time in force and price of an order that ends in the book.
fn futures_limit(params: Params, order: &Order, limit: Exact) -> Params {
    let (tif, till) = futures_tif(order);
    let params = params.text("timeInForce", tif).text("price", limit);
    match till {
        Some(till) => params.number("goodTillDate", till),
        None => params,
    }
}

fn futures_order(place: &Placing, listing: &Listing) -> Result<Params, VenueError> {
    let order = place.order.get();
    check_post_only(order)?;
    let params = match order.kind {
        OrderKind::Limit { price: limit } => futures_limit(head(place, listing, "LIMIT"), order, price(listing, limit)),
        _ => {
            check_market_tif(order.tif)?;
            head(place, listing, "MARKET")
        }
    };
    Ok(params
        .text_if("reduceOnly", order.reduce_only.then_some("true"))
        .text("newClientOrderId", place.client)
        .text("newOrderRespType", "RESULT"))
}

fn algo_order(place: &Placing, listing: &Listing) -> Result<Params, VenueError> {
    let order = place.order.get();
    check_post_only(order)?;
    if !place.client.is_conditional() {
        return Err(no("binance futures keeps conditional orders apart: make their ids with ClientId::of"));
    }
    if !matches!(order.kind, OrderKind::StopLimit { .. }) {
        check_market_tif(order.tif)?;
    }
    let params = match order.kind {
        OrderKind::StopLimit { trigger, price: limit } => {
            futures_limit(head(place, listing, "STOP"), order, price(listing, limit))
                .text("triggerPrice", price(listing, trigger))
        }
        OrderKind::TrailingStop { trail } => {
            head(place, listing, "TRAILING_STOP_MARKET").text("callbackRate", callback(trail)?)
        }
        OrderKind::StopMarket { trigger } => {
            head(place, listing, "STOP_MARKET").text("triggerPrice", price(listing, trigger))
        }
        OrderKind::Market | OrderKind::Limit { .. } => return Err(no("it waits for no trigger")),
    };
    Ok(Params::new()
        .text("algoType", "CONDITIONAL")
        .and(params)
        .text_if("reduceOnly", order.reduce_only.then_some("true"))
        .text("clientAlgoId", place.client))
}

/// A trailing distance in per cent.
fn callback(trail: Trail) -> Result<String, VenueError> {
    let Trail::Fraction(rate) = trail else {
        return Err(no("binance has no trailing stops by a price distance; give a fraction"));
    };
    let thousandth = 10i64.pow(u32::from(Rate::SCALE) - 3);
    if !(thousandth..=100 * thousandth).contains(&rate.mantissa()) {
        return Err(no("binance futures takes trailing stops from 0.1 % to 10 %"));
    }
    Ok(format_mantissa(rate.mantissa(), Rate::SCALE - 2))
}

fn many(d: &Dialect, places: &[Placing], listings: &Listings) -> Result<Params, VenueError> {
    batch_size(d, places.len())?;
    let mut rows = Vec::with_capacity(places.len());
    for place in places {
        match placing(d, place, listings)? {
            (Verb::Place, params) => rows.push(params.object()),
            _ => return Err(no("a conditional order cannot be in a batch at binance futures: send it alone")),
        }
    }
    Ok(Params::new().text("batchOrders", format!("[{}]", rows.join(","))))
}

fn batch_size(d: &Dialect, count: usize) -> Result<(), VenueError> {
    let max = if d.door(Verb::PlaceMany).is_some() { 5 } else { 1 };
    if max == 1 {
        return Err(VenueError::unsupported(format!("{} has no batches of orders", d.name())));
    }
    if count == 0 || count > max {
        return Err(VenueError::unsupported(format!("{} takes 1 to {max} orders in a batch, not {count}", d.name())));
    }
    Ok(())
}

fn amending(d: &Dialect, amend: &Amend, listings: &Listings) -> Result<Params, VenueError> {
    let listing = listing(listings, amend.instrument)?;
    if place_of(d, &amend.order) == Place::Apart {
        return Err(no(
            "binance futures cannot amend an order that waits for its trigger: cancel it and place another",
        ));
    }
    let named = named(symbol(listing), &amend.order, "origClientOrderId", "orderId")?;
    match (d.product, amend.price, amend.qty) {
        (Product::Spot, None, Some(new)) => match &amend.order {
            // Said again, or the venue would make up a new one.
            OrderRef::Client(id) => Ok(named.text("newClientOrderId", *id).text("newQty", qty(listing, new))),
            OrderRef::Venue(_) => Err(no("name the order by our id: by the venue's it would lose its client id")),
        },
        (Product::Spot, ..) => {
            Err(no("binance spot can only lower an order's quantity; to change the price, cancel and replace"))
        }
        (Product::Linear, Some(limit), Some(new)) => Ok(named
            .text("side", side_word(amend.side))
            .text("quantity", qty(listing, new))
            .text("price", price(listing, limit))),
        (Product::Linear, ..) => Err(no("an amend at binance futures needs both price and quantity")),
    }
}

fn cancelling(d: &Dialect, cancel: &Cancel, listings: &Listings) -> Result<(Verb, Params), VenueError> {
    let listing = listing(listings, cancel.instrument)?;
    Ok(match place_of(d, &cancel.order) {
        Place::Apart => (Verb::CancelAlgo, named(Params::new(), &cancel.order, "clientAlgoId", "algoId")?),
        Place::Book => (Verb::Cancel, named(symbol(listing), &cancel.order, "origClientOrderId", "orderId")?),
    })
}

fn cancelling_many(d: &Dialect, cancels: &[Cancel], listings: &Listings) -> Result<Params, VenueError> {
    batch_size(d, cancels.len())?;
    let first = cancels.first().ok_or_else(|| no("an empty batch"))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for cancel in cancels {
        if cancel.instrument != first.instrument || place_of(d, &cancel.order) == Place::Apart {
            return Err(no("a batch of cancels at binance futures is for one instrument, without conditional orders"));
        }
        match &cancel.order {
            OrderRef::Client(id) => ours.push(format!("\"{id}\"")),
            OrderRef::Venue(id) => theirs.push(venue_number(id)?.to_string()),
        }
    }
    let params = symbol(listing(listings, first.instrument)?);
    match (ours.is_empty(), theirs.is_empty()) {
        (false, true) => Ok(params.text("origClientOrderIdList", format!("[{}]", ours.join(",")))),
        (true, false) => Ok(params.text("orderIdList", format!("[{}]", theirs.join(",")))),
        _ => Err(no("a batch of cancels at binance futures names all orders by our ids, or all by the venue's")),
    }
}

/// The new order is not tried when the cancel fails: two orders are never alive where one was meant.
fn replacing(d: &Dialect, cancel: &Cancel, place: &Placing, listings: &Listings) -> Result<Params, VenueError> {
    if d.door(Verb::CancelReplace).is_none() {
        return Err(VenueError::unsupported(format!("{} has no cancel-replace", d.name())));
    }
    if cancel.instrument != place.order.get().instrument {
        return Err(no("a cancel-replace is for one instrument"));
    }
    let (_, placed) = placing(d, place, listings)?;
    let params = placed.text("cancelReplaceMode", "STOP_ON_FAILURE");
    named(params, &cancel.order, "cancelOrigClientOrderId", "cancelOrderId")
}
