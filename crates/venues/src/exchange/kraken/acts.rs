//! Acts as requests of Kraken's REST, and what an order of ours is in Kraken's words.

use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{OrderKind, Price, Side, TimeInForce, Trail};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::names::listed;
use super::rest::{FORM, encode, write};
use super::{errors, time};
use crate::exchange::{
    Act, ActReply, Cancel, ClientId, Fault, Listing, Listings, OrderRef, OrderStatus, Place, Request, Response,
    VenueError,
};

const JSON: &str = "application/json";

/// An order in Kraken's words, for forms and for both kinds of JSON.
pub(super) struct Words {
    pub(super) kind: &'static str,
    pub(super) side: &'static str,
    pub(super) qty: String,
    pub(super) limit: Option<String>,
    pub(super) trigger: Option<Trigger>,
    /// As sockets write it.
    pub(super) tif: Option<&'static str>,
    pub(super) expires: Option<bellwether_sdk::Ts>,
    pub(super) post_only: bool,
    pub(super) client: ClientId,
}

/// What wakes an order.
pub(super) struct Trigger {
    pub(super) price: String,
    /// `static`, or for a trailing stop `quote` or `pct`.
    pub(super) by: &'static str,
}

/// Puts an order into Kraken's words.
///
/// # Errors
/// [`VenueError`], unsupported, for what Kraken cannot express.
pub(super) fn words(place: &Place, listing: &Listing) -> Result<Words, VenueError> {
    let order = place.order.get();
    let price = |p: Price| format_mantissa(p.mantissa(), listing.rules.price_scale);
    let fixed = |p: Price| Some(Trigger { price: price(p), by: "static" });
    let (kind, limit, trigger) = match order.kind {
        OrderKind::Market => ("market", None, None),
        OrderKind::Limit { price: p } => ("limit", Some(price(p)), None),
        OrderKind::StopMarket { trigger } => ("stop-loss", None, fixed(trigger)),
        OrderKind::StopLimit { trigger, price: p } => ("stop-loss-limit", Some(price(p)), fixed(trigger)),
        OrderKind::TrailingStop { trail: Trail::Offset(p) } => {
            ("trailing-stop", None, Some(Trigger { price: price(p), by: "quote" }))
        }
        OrderKind::TrailingStop { trail: Trail::Fraction(rate) } => {
            // A fraction has twelve digits; in per cent it has ten.
            ("trailing-stop", None, Some(Trigger { price: format_mantissa(rate.mantissa(), 10), by: "pct" }))
        }
    };
    let (tif, expires) = match (order.tif, order.kind) {
        (TimeInForce::Gtc, _) | (TimeInForce::Ioc, OrderKind::Market) => (None, None),
        (TimeInForce::Ioc, OrderKind::Limit { .. }) => (Some("ioc"), None),
        (TimeInForce::Fok, OrderKind::Limit { .. }) => (Some("fok"), None),
        (TimeInForce::Gtd(ts), kind) if kind != OrderKind::Market => (Some("gtd"), Some(ts)),
        (tif, _) => return Err(VenueError::unsupported(format!("kraken has no {kind} order with {tif:?}"))),
    };
    if order.post_only && (kind != "limit" || matches!(tif, Some("ioc" | "fok"))) {
        return Err(VenueError::unsupported("kraken takes post-only with resting limit orders"));
    }
    if order.reduce_only && order.side == Side::Buy {
        return Err(VenueError::unsupported("kraken's spot market has no short positions to reduce"));
    }
    Ok(Words {
        kind,
        side: match order.side {
            Side::Buy => "buy",
            Side::Sell => "sell",
        },
        qty: format_mantissa(place.qty.mantissa(), listing.rules.qty_scale),
        limit,
        trigger,
        tif,
        expires,
        post_only: order.post_only,
        client: place.client,
    })
}

/// REST's names and values of an order, in the order of their names. REST has one price for limit orders and another
/// beside the trigger; a trailing distance is written with a sign.
fn pairs(words: &Words) -> Vec<(&'static str, String)> {
    let mut pairs = vec![("cl_ord_id", words.client.to_string())];
    if let Some(ts) = words.expires {
        pairs.push(("expiretm", ts.nanos().div_euclid(1_000_000_000).to_string()));
    }
    if words.post_only {
        pairs.push(("oflags", "post".to_owned()));
    }
    pairs.push(("ordertype", words.kind.to_owned()));
    match &words.trigger {
        None => pairs.extend(words.limit.iter().map(|p| ("price", p.clone()))),
        Some(trigger) => {
            let price = match trigger.by {
                "quote" => format!("+{}", trigger.price),
                "pct" => format!("+{}%", trigger.price),
                _ => trigger.price.clone(),
            };
            pairs.push(("price", price));
            pairs.extend(words.limit.iter().map(|p| ("price2", p.clone())));
        }
    }
    pairs.extend(words.tif.map(|tif| ("timeinforce", tif.to_uppercase())));
    pairs.push(("type", words.side.to_owned()));
    pairs.push(("volume", words.qty.clone()));
    pairs
}

/// What an act adds to the count of its pair, by the age of its order (docs.kraken.com, "Spot Trading Limits", November
/// 2026): an order one; a change one, and more while the order is young; a cancel the more the younger the order is.
pub(super) fn cost(act: &Act, age_ms: u64) -> u32 {
    let (always, steps): (u32, &[(u64, u32)]) = match act {
        Act::Place(_) => (1, &[]),
        Act::Amend(_) => (1, &[(5, 3), (10, 2), (15, 1)]),
        Act::Cancel(_) => (0, &[(5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)]),
        _ => (0, &[]),
    };
    always + steps.iter().find(|(below_s, _)| age_ms < below_s * 1_000).map_or(0, |(_, more)| *more)
}

/// The request for an act.
pub(super) fn act(act: &Act, listings: &Listings) -> Result<Request, VenueError> {
    match act {
        Act::Place(place) => {
            let listing = listed(listings, place.order.get().instrument)?;
            let mut pairs = pairs(&words(place, listing)?);
            pairs.push(("pair", listing.rules.name.clone()));
            pairs.sort_unstable();
            Ok(write("AddOrder", FORM, form(&pairs), 0))
        }
        Act::PlaceMany(places) => match places.as_slice() {
            [one] => self::act(&Act::Place(*one), listings),
            many => {
                let listing = batch_listing(many, listings)?;
                let orders: Vec<String> =
                    many.iter().map(|p| words(p, listing).map(|w| object(&pairs(&w)))).collect::<Result<_, _>>()?;
                let body = format!("{{\"orders\":[{}],\"pair\":{}}}", orders.join(","), quote(&listing.rules.name));
                Ok(write("AddOrderBatch", JSON, body, 0))
            }
        },
        Act::Amend(amend) => {
            let listing = listed(listings, amend.instrument)?;
            let mut pairs = vec![named(&amend.order)];
            pairs.extend(amend.price.map(|p| ("limit_price", p.to_text(listing.rules.price_scale))));
            pairs.extend(amend.qty.map(|q| ("order_qty", q.to_text(listing.rules.qty_scale))));
            pairs.sort_unstable();
            Ok(write("AmendOrder", FORM, form(&pairs), 0))
        }
        Act::Cancel(cancel) => Ok(write("CancelOrder", FORM, form(&[named(&cancel.order)]), 0)),
        Act::CancelMany(cancels) => match cancels.as_slice() {
            [one] => self::act(&Act::Cancel(one.clone()), listings),
            many => {
                let (ids, clients) = ids(many)?;
                Ok(write("CancelOrderBatch", JSON, format!("{{\"cl_ord_ids\":[{clients}],\"orders\":[{ids}]}}"), 0))
            }
        },
        Act::CancelReplace(..) => Err(no_replace()),
        Act::CancelAll(_) | Act::CancelAllConditional(_) => Err(no_cancel_all()),
    }
}

/// Kraken's switch is of the whole account, in seconds.
pub(super) fn cancel_after(within_ms: u64) -> Request {
    write("CancelAllOrdersAfter", FORM, form(&[("timeout", within_ms.div_ceil(1_000).to_string())]), 0)
}

pub(super) fn no_replace() -> VenueError {
    VenueError::unsupported(
        "kraken replaces no order by another of any kind in one step; amend it, or cancel and place",
    )
}

pub(super) fn no_cancel_all() -> VenueError {
    VenueError::unsupported(
        "kraken cancels the orders of all pairs at once or named ones; ask for the open orders and cancel those",
    )
}

/// The one listing that all orders of a batch are of.
pub(super) fn batch_listing<'l>(places: &[Place], listings: &'l Listings) -> Result<&'l Listing, VenueError> {
    let id = places.first().map(|p| p.order.get().instrument);
    match id.filter(|_| (2..=15).contains(&places.len())) {
        Some(id) if places.iter().all(|p| p.order.get().instrument == id) => listed(listings, id),
        _ => Err(VenueError::unsupported("kraken's batches hold 2 to 15 orders of one pair")),
    }
}

/// The quoted ids of cancels, comma-separated: the venue's, then ours.
pub(super) fn ids(cancels: &[Cancel]) -> Result<(String, String), VenueError> {
    if !(2..=50).contains(&cancels.len()) {
        return Err(VenueError::unsupported("kraken's batches hold 2 to 50 cancels"));
    }
    let (mut ids, mut clients) = (Vec::new(), Vec::new());
    for cancel in cancels {
        match &cancel.order {
            OrderRef::Venue(id) => ids.push(quote(id)),
            OrderRef::Client(id) => clients.push(quote(&id.to_string())),
        }
    }
    Ok((ids.join(","), clients.join(",")))
}

fn named(order: &OrderRef) -> (&'static str, String) {
    match order {
        OrderRef::Client(id) => ("cl_ord_id", id.to_string()),
        OrderRef::Venue(id) => ("txid", id.clone()),
    }
}

fn form(pairs: &[(&str, String)]) -> String {
    let words: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    words.join("&")
}

fn object(pairs: &[(&str, String)]) -> String {
    let words: Vec<String> = pairs.iter().map(|(name, value)| format!("{}:{}", quote(name), quote(value))).collect();
    format!("{{{}}}", words.join(","))
}

/// A JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The time of a good-till-date order as sockets write it.
pub(super) fn expires(words: &Words) -> Option<String> {
    words.expires.map(time::write)
}

// Answers ----------------------------------------------------------------------------------------

/// Reads the answer to an act.
pub(super) fn reply(act: &Act, response: &Response) -> Result<Vec<ActReply>, VenueError> {
    let result = errors::result(response, true)?;
    match act {
        Act::Place(place) => placed(result, std::slice::from_ref(place)),
        Act::PlaceMany(places) if places.len() == 1 => placed(result, places),
        Act::PlaceMany(places) => placed_many(result, places),
        Act::Amend(amend) => {
            let (venue_id, client) = split(&amend.order);
            Ok(vec![taken(venue_id, client, OrderStatus::Acknowledged)])
        }
        Act::Cancel(cancel) => cancelled(result, std::slice::from_ref(cancel)),
        Act::CancelMany(cancels) => cancelled(result, cancels),
        Act::CancelReplace(..) => Err(no_replace()),
        Act::CancelAll(_) | Act::CancelAllConditional(_) => Err(no_cancel_all()),
    }
}

fn unreadable(result: &str) -> VenueError {
    let start: String = result.chars().take(200).collect();
    VenueError::new(Fault::Unknown, "", format!("the answer to a write is not understood: {start:?}"))
}

fn taken(venue_id: String, client: Option<ClientId>, status: OrderStatus) -> ActReply {
    ActReply { venue_id, client, status, filled: None, refused: None }
}

fn split(order: &OrderRef) -> (String, Option<ClientId>) {
    match order {
        OrderRef::Client(id) => (String::new(), Some(*id)),
        OrderRef::Venue(id) => (id.clone(), None),
    }
}

fn placed(result: &str, places: &[Place]) -> Result<Vec<ActReply>, VenueError> {
    #[derive(Deserialize)]
    struct Row {
        txid: Vec<String>,
    }
    let row: Row = serde_json::from_str(result).map_err(|_| unreadable(result))?;
    let id = row.txid.into_iter().next().ok_or_else(|| unreadable(result))?;
    Ok(vec![taken(id, places.first().map(|p| p.client), OrderStatus::Acknowledged)])
}

fn placed_many(result: &str, places: &[Place]) -> Result<Vec<ActReply>, VenueError> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        orders: Vec<Row<'a>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        txid: Option<&'a RawValue>,
        error: Option<String>,
    }
    let whole: Whole<'_> = serde_json::from_str(result).map_err(|_| unreadable(result))?;
    if whole.orders.len() != places.len() {
        return Err(unreadable(result));
    }
    let reply = |(row, place): (&Row<'_>, &Place)| {
        // One id, or a list of one.
        let id = row.txid.map(|t| t.get().trim_matches(['[', ']', '"', ' ']).to_owned()).unwrap_or_default();
        let mut reply = taken(id, Some(place.client), OrderStatus::Acknowledged);
        if let Some(error) = &row.error {
            reply.status = OrderStatus::Rejected;
            reply.refused = Some(errors::of_text(error, true));
        }
        reply
    };
    Ok(whole.orders.iter().zip(places).map(reply).collect())
}

/// Cancels are counted, not named: when fewer were cancelled than asked for, which ones is not known.
fn cancelled(result: &str, cancels: &[Cancel]) -> Result<Vec<ActReply>, VenueError> {
    #[derive(Deserialize)]
    struct Row {
        count: usize,
        #[serde(default)]
        pending: Option<bool>,
    }
    let row: Row = serde_json::from_str(result).map_err(|_| unreadable(result))?;
    let status = match row.pending {
        Some(true) => OrderStatus::Acknowledged,
        _ if row.count >= cancels.len() => OrderStatus::Cancelled,
        _ => OrderStatus::Unknown,
    };
    let reply = |cancel: &Cancel| {
        let (venue_id, client) = split(&cancel.order);
        taken(venue_id, client, status)
    };
    Ok(cancels.iter().map(reply).collect())
}
