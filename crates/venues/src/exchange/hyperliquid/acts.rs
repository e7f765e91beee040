//! Acts as Hyperliquid's actions. The order of keys counts: the action is hashed as it is written.

use bellwether_sdk::{InstrumentId, OrderKind, Qty, Side, TimeInForce};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{errors, info, prices};
use crate::exchange::{
    Act, ActReply, Cancel, ClientId, Digits, Fault, Listing, Listings, Method, OrderRef, OrderStatus, Place, Request,
    Response, VenueError,
};

/// The listing of one of our instruments.
///
/// # Errors
/// [`VenueError`], rejected.
pub(super) fn listed(listings: &Listings, id: InstrumentId) -> Result<&Listing, VenueError> {
    listings.get(id).ok_or_else(|| {
        VenueError::new(Fault::Rejected, "", format!("instrument {} is not listed at hyperliquid in this run", id.0))
    })
}

/// A JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The request for an act, unsigned: the body holds the action alone.
pub(super) fn act(act: &Act, listings: &Listings) -> Result<Request, VenueError> {
    let body = format!("{{\"action\":{}}}", action(act, listings)?);
    let orders = match act {
        Act::PlaceMany(places) => places.len(),
        Act::CancelMany(cancels) => cancels.len(),
        _ => 1,
    };
    let weight = 1 + u32::try_from(orders / 40).unwrap_or(u32::MAX - 1);
    Ok(Request::new(Method::Post, "/exchange", "", weight).body("application/json", body).signed())
}

/// The action of an act.
pub(super) fn action(act: &Act, listings: &Listings) -> Result<String, VenueError> {
    match act {
        Act::Place(place) => orders(std::slice::from_ref(place), listings),
        Act::PlaceMany(places) => orders(places, listings),
        Act::Cancel(cancel) => cancels(std::slice::from_ref(cancel), listings),
        Act::CancelMany(many) => cancels(many, listings),
        Act::CancelReplace(cancel, place) => {
            if cancel.instrument != place.order.get().instrument {
                return Err(VenueError::unsupported("hyperliquid replaces an order by one of the same instrument"));
            }
            let id = match &cancel.order {
                OrderRef::Client(id) => format!("\"0x{id}\""),
                OrderRef::Venue(id) => info::number(id)?.to_string(),
            };
            let order = order(place, listings)?;
            Ok(format!("{{\"type\":\"batchModify\",\"modifies\":[{{\"oid\":{id},\"order\":{order}}}]}}"))
        }
        Act::Amend(_) => Err(VenueError::unsupported(
            "hyperliquid changes an order only by a whole new one; cancel and replace in one step",
        )),
        Act::CancelAll(_) | Act::CancelAllConditional(_) => Err(VenueError::unsupported(
            "hyperliquid cancels named orders only; ask for the open orders and cancel those",
        )),
    }
}

fn orders(places: &[Place], listings: &Listings) -> Result<String, VenueError> {
    if places.is_empty() {
        return Err(VenueError::unsupported("there is no order to place"));
    }
    let orders: Vec<String> = places.iter().map(|p| order(p, listings)).collect::<Result<_, _>>()?;
    Ok(format!("{{\"type\":\"order\",\"orders\":[{}],\"grouping\":\"na\"}}", orders.join(",")))
}

/// An order on the wire: asset, buy, price, size, reduce-only, type, our id.
fn order(place: &Place, listings: &Listings) -> Result<String, VenueError> {
    let order = place.order.get();
    let rules = &listed(listings, order.instrument)?.rules;
    let text = |price| prices::text(price, rules);
    let tif = match (order.tif, order.post_only) {
        (TimeInForce::Gtc, false) => "Gtc",
        (TimeInForce::Gtc, true) => "Alo",
        (TimeInForce::Ioc, false) => "Ioc",
        (tif, post_only) => {
            let what = if post_only { ", post-only" } else { "" };
            return Err(VenueError::unsupported(format!(
                "hyperliquid has no {tif:?} orders{what}; it has GTC and IOC"
            )));
        }
    };
    let stop = |is_market: bool, trigger| -> Result<String, VenueError> {
        if tif != "Gtc" {
            return Err(VenueError::unsupported("hyperliquid's stops are good till cancelled and never post-only"));
        }
        let trigger = text(trigger)?;
        Ok(format!("{{\"trigger\":{{\"isMarket\":{is_market},\"triggerPx\":\"{trigger}\",\"tpsl\":\"sl\"}}}}"))
    };
    let (price, kind) = match order.kind {
        OrderKind::Market if order.post_only => {
            return Err(VenueError::unsupported("a market order cannot be post-only"));
        }
        OrderKind::Market => {
            (prices::bound(place.reference, order.side, rules)?, "{\"limit\":{\"tif\":\"Ioc\"}}".to_owned())
        }
        OrderKind::Limit { price } => (price, format!("{{\"limit\":{{\"tif\":\"{tif}\"}}}}")),
        OrderKind::StopMarket { trigger } => (prices::bound(trigger, order.side, rules)?, stop(true, trigger)?),
        OrderKind::StopLimit { trigger, price } => (price, stop(false, trigger)?),
        OrderKind::TrailingStop { .. } => {
            return Err(VenueError::unsupported("hyperliquid has no trailing stops"));
        }
    };
    Ok(format!(
        "{{\"a\":{},\"b\":{},\"p\":\"{}\",\"s\":\"{}\",\"r\":{},\"t\":{kind},\"c\":\"0x{}\"}}",
        rules.index,
        order.side == Side::Buy,
        text(price)?,
        place.qty.to_text(rules.qty_scale),
        order.reduce_only,
        place.client
    ))
}

/// Cancels go all by the venue's numbers or all by ours.
fn cancels(cancels: &[Cancel], listings: &Listings) -> Result<String, VenueError> {
    let (mut by_number, mut by_client) = (Vec::new(), Vec::new());
    for cancel in cancels {
        let asset = listed(listings, cancel.instrument)?.rules.index;
        match &cancel.order {
            OrderRef::Venue(id) => by_number.push(format!("{{\"a\":{asset},\"o\":{}}}", info::number(id)?)),
            OrderRef::Client(id) => by_client.push(format!("{{\"asset\":{asset},\"cloid\":\"0x{id}\"}}")),
        }
    }
    let (kind, rows) = match (by_number.is_empty(), by_client.is_empty()) {
        (false, true) => ("cancel", by_number),
        (true, false) => ("cancelByCloid", by_client),
        _ => {
            return Err(VenueError::unsupported(
                "hyperliquid cancels several orders by its numbers or by ours, not by both in one request",
            ));
        }
    };
    Ok(format!("{{\"type\":\"{kind}\",\"cancels\":[{}]}}", rows.join(",")))
}

// Answers ----------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct Outer<'a> {
    status: String,
    #[serde(borrow)]
    response: &'a RawValue,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, default)]
    data: Option<Statuses<'a>>,
}

#[derive(Deserialize)]
struct Statuses<'a> {
    #[serde(borrow, default)]
    statuses: Vec<&'a RawValue>,
}

/// What an answer says of one order.
enum Said<'a> {
    /// It was done; the word of a cancel.
    Success,
    /// It waits for its trigger.
    Waiting,
    /// It rests.
    Resting(u64),
    /// It filled, so much.
    Filled(u64, Digits<'a>),
    /// It was refused.
    Error(String),
}

/// The answers of an action's body, order by order. What cannot be read may have been done.
fn said(body: &str) -> Result<Vec<Said<'_>>, VenueError> {
    let unreadable = || {
        let start: String = body.chars().take(200).collect();
        VenueError::new(Fault::Unknown, "", format!("the answer to a write is not understood: {start:?}"))
    };
    let outer: Outer<'_> = serde_json::from_str(body).map_err(|_| unreadable())?;
    if outer.status != "ok" {
        let words: String = serde_json::from_str(outer.response.get()).map_err(|_| unreadable())?;
        return Err(errors::of_text(&words, true));
    }
    let inner: Inner<'_> = serde_json::from_str(outer.response.get()).map_err(|_| unreadable())?;
    let rows = inner.data.map(|d| d.statuses).unwrap_or_default();
    rows.into_iter().map(|row| one(row.get()).ok_or_else(unreadable)).collect()
}

fn one(row: &str) -> Option<Said<'_>> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(default)]
        resting: Option<Resting>,
        #[serde(borrow, default)]
        filled: Option<Filled<'a>>,
        #[serde(default)]
        error: Option<String>,
    }
    #[derive(Deserialize)]
    struct Resting {
        oid: u64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Filled<'a> {
        oid: u64,
        #[serde(borrow)]
        total_sz: Digits<'a>,
    }
    if row.starts_with('"') {
        return Some(if row == "\"success\"" { Said::Success } else { Said::Waiting });
    }
    match serde_json::from_str(row).ok()? {
        Row { error: Some(words), .. } => Some(Said::Error(words)),
        Row { resting: Some(resting), .. } => Some(Said::Resting(resting.oid)),
        Row { filled: Some(filled), .. } => Some(Said::Filled(filled.oid, filled.total_sz)),
        Row { .. } => None,
    }
}

/// Reads the answer to an act.
pub(super) fn reply(act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
    if let Some(error) = errors::of_status(response, true) {
        return Err(error);
    }
    let mut said = said(&response.body)?;
    // An error before any order was looked at is told once, for all.
    let asked = match act {
        Act::PlaceMany(places) => places.len(),
        Act::CancelMany(cancels) => cancels.len(),
        _ => 1,
    };
    if let ([Said::Error(words)], 2..) = (said.as_slice(), asked) {
        let words = words.clone();
        said = (0..asked).map(|_| Said::Error(words.clone())).collect();
    }
    if said.len() != asked {
        let why = format!("{asked} orders were sent, {} answered", said.len());
        return Err(VenueError::new(Fault::Unknown, "", why));
    }
    let place = |(place, said): (&Place, &Said<'_>)| placed(place, said, listings);
    let cancel = |(cancel, said): (&Cancel, &Said<'_>)| cancelled(cancel, said);
    match act {
        Act::Place(one) => [one].into_iter().zip(&said).map(place).collect(),
        Act::PlaceMany(many) => many.iter().zip(&said).map(place).collect(),
        Act::Cancel(one) => Ok([one].into_iter().zip(&said).map(cancel).collect()),
        Act::CancelMany(many) => Ok(many.iter().zip(&said).map(cancel).collect()),
        // One answer for both: the old order is gone when the new one is taken, and stays when that is refused.
        Act::CancelReplace(old, new) => match &said[0] {
            error @ Said::Error(_) => Ok(vec![cancelled(old, error), placed(new, error, listings)?]),
            taken => Ok(vec![cancelled(old, &Said::Success), placed(new, taken, listings)?]),
        },
        Act::Amend(_) | Act::CancelAll(_) | Act::CancelAllConditional(_) => {
            Err(VenueError::unsupported("hyperliquid has no such action"))
        }
    }
}

fn placed(place: &Place, said: &Said<'_>, listings: &Listings) -> Result<ActReply, VenueError> {
    let mut reply = of(said, Some(place.client));
    if let Said::Filled(_, digits) = said {
        let rules = &listed(listings, place.order.get().instrument)?.rules;
        // Read or not, the order was taken: the stream tells the fills.
        if let Ok(filled) = digits.mantissa("totalSz", rules.qty_scale) {
            let filled = Qty::from_mantissa(filled);
            reply.status = if filled >= place.qty { OrderStatus::Filled } else { OrderStatus::PartlyFilled };
            reply.filled = Some(filled);
        }
    }
    Ok(reply)
}

fn cancelled(cancel: &Cancel, said: &Said<'_>) -> ActReply {
    let (venue_id, client) = match &cancel.order {
        OrderRef::Client(id) => (String::new(), Some(*id)),
        OrderRef::Venue(id) => (id.clone(), None),
    };
    ActReply { venue_id, ..of(said, client) }
}

fn of(said: &Said<'_>, client: Option<ClientId>) -> ActReply {
    let (id, status, refused) = match said {
        Said::Success => (None, OrderStatus::Cancelled, None),
        Said::Waiting => (None, OrderStatus::Acknowledged, None),
        Said::Resting(id) | Said::Filled(id, _) => (Some(id), OrderStatus::Acknowledged, None),
        Said::Error(words) => (None, OrderStatus::Rejected, Some(errors::of_text(words, true))),
    };
    ActReply { venue_id: id.map(u64::to_string).unwrap_or_default(), client, status, filled: None, refused }
}

/// The answers of an action over the socket, where the act is not at hand: a filled order is called taken, and the
/// stream tells what filled.
pub(super) fn answered(body: &str) -> Result<Vec<ActReply>, VenueError> {
    Ok(said(body)?.iter().map(|said| of(said, None)).collect())
}
