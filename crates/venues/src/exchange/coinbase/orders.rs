//! Orders over REST. An answer of 200 may still say no.

use std::borrow::Cow;

use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{OrderKind, Price, Side, TimeInForce};
use serde::Deserialize;

use super::errors::{body, reason};
use crate::exchange::codec::{Writer, array, iso_millis, listed, quoted};
use crate::exchange::http::Method;
use crate::exchange::{
    Act, ActReply, Amend, Cancel, Fault, Listings, OrderRef, OrderStatus, Place, Request, Response, VenueError,
};

/// Most cancels in one request.
const CANCELS_MAX: usize = 100;

/// The request for an act.
pub(super) fn act(act: &Act, listings: &Listings) -> Result<Request, VenueError> {
    let (path, body) = match act {
        Act::Place(one) => ("orders", place(one, listings)?),
        Act::Amend(change) => ("orders/edit", amend(change, listings)?),
        Act::Cancel(one) => ("orders/batch_cancel", cancels(std::slice::from_ref(one), listings)?),
        Act::CancelMany(many) => ("orders/batch_cancel", cancels(many, listings)?),
        Act::PlaceMany(_) => return Err(VenueError::unsupported("Coinbase takes one order at a time")),
        Act::CancelReplace(..) => {
            return Err(VenueError::unsupported("Coinbase cannot cancel and place in one step; edit, or do both"));
        }
        Act::CancelAll(_) | Act::CancelAllConditional(_) => {
            let text = "Coinbase has no cancel-all; ask for the open orders and cancel those";
            return Err(VenueError::unsupported(text));
        }
    };
    let request = Request::new(Method::Post, format!("/api/v3/brokerage/{path}"), "", 1);
    Ok(request.body("application/json", body).signed())
}

fn place(place: &Place, listings: &Listings) -> Result<String, VenueError> {
    let order = place.order.get();
    let rules = listed(listings, order.instrument)?;
    let no = |text: &str| Err(VenueError::unsupported(text));
    if order.reduce_only && order.side == Side::Buy {
        return no("a spot account has nothing short that buying could reduce");
    }
    let price = |p: Price| format_mantissa(p.mantissa(), rules.price_scale);
    let sized = Writer::default().text("base_size", &format_mantissa(place.qty.mantissa(), rules.qty_scale));
    let post_only = if order.post_only { "true" } else { "false" };
    let (name, numbers) = match (order.kind, order.tif) {
        (OrderKind::Market | OrderKind::StopLimit { .. }, _) if order.post_only => {
            return no("post-only goes with limit orders only");
        }
        (OrderKind::Market, TimeInForce::Gtc | TimeInForce::Ioc) => ("market_market_ioc", sized),
        (OrderKind::Market, TimeInForce::Fok) => ("market_market_fok", sized),
        (OrderKind::Limit { price: limit }, tif) => {
            let fields = sized.text("limit_price", &price(limit));
            match tif {
                TimeInForce::Gtc => ("limit_limit_gtc", fields.raw("post_only", post_only)),
                TimeInForce::Gtd(end) => {
                    ("limit_limit_gtd", fields.text("end_time", &iso_millis(end)).raw("post_only", post_only))
                }
                _ if order.post_only => return no("post-only orders that must fill at once cannot be"),
                TimeInForce::Ioc => ("sor_limit_ioc", fields),
                TimeInForce::Fok => ("limit_limit_fok", fields),
            }
        }
        (OrderKind::StopLimit { trigger, price: limit }, tif) => {
            let direction = if order.side == Side::Buy { "STOP_DIRECTION_STOP_UP" } else { "STOP_DIRECTION_STOP_DOWN" };
            let fields = sized.text("limit_price", &price(limit)).text("stop_price", &price(trigger));
            match tif {
                TimeInForce::Gtc => ("stop_limit_stop_limit_gtc", fields.text("stop_direction", direction)),
                TimeInForce::Gtd(end) => (
                    "stop_limit_stop_limit_gtd",
                    fields.text("end_time", &iso_millis(end)).text("stop_direction", direction),
                ),
                TimeInForce::Ioc | TimeInForce::Fok => return no("Coinbase's stop-limit orders rest once woken"),
            }
        }
        (OrderKind::StopMarket { .. }, _) => return no("Coinbase has stop-limit orders only, no stop-market"),
        (OrderKind::TrailingStop { .. }, _) => return no("Coinbase has no trailing stops"),
        (OrderKind::Market, TimeInForce::Gtd(_)) => return no("market orders do not wait for a time"),
    };
    Ok(Writer::default()
        .text("client_order_id", &place.client.to_string())
        .text("product_id", &rules.name)
        .text("side", if order.side == Side::Buy { "BUY" } else { "SELL" })
        .raw("order_configuration", &Writer::default().raw(name, &numbers.end()).end())
        .end())
}

/// The venue's id of an order, which is all that cancels and edits know.
fn id(order: &OrderRef) -> Result<&str, VenueError> {
    match order {
        OrderRef::Venue(id) => Ok(id),
        OrderRef::Client(_) => {
            let text = "Coinbase cancels and edits by its own order ids only; ask for the order first";
            Err(VenueError::unsupported(text))
        }
    }
}

fn amend(change: &Amend, listings: &Listings) -> Result<String, VenueError> {
    let rules = listed(listings, change.instrument)?;
    let (Some(price), Some(qty)) = (change.price, change.qty) else {
        return Err(VenueError::unsupported("Coinbase edits price and quantity together; say both"));
    };
    Ok(Writer::default()
        .text("order_id", id(&change.order)?)
        .text("price", &format_mantissa(price.mantissa(), rules.price_scale))
        .text("size", &format_mantissa(qty.mantissa(), rules.qty_scale))
        .end())
}

fn cancels(many: &[Cancel], listings: &Listings) -> Result<String, VenueError> {
    if many.is_empty() || many.len() > CANCELS_MAX {
        let text = format!("{} cancels were asked for; Coinbase takes 1 to {CANCELS_MAX}", many.len());
        return Err(VenueError::unsupported(text));
    }
    let mut ids = Vec::with_capacity(many.len());
    for cancel in many {
        listed(listings, cancel.instrument)?;
        ids.push(quoted(id(&cancel.order)?));
    }
    Ok(Writer::default().raw("order_ids", &array(ids)).end())
}

/// Reads the answer to an act: one entry per order.
pub(super) fn act_reply(act: &Act, response: &Response) -> Result<Vec<ActReply>, VenueError> {
    match act {
        Act::Cancel(_) => cancelled(response, true),
        Act::CancelMany(_) | Act::CancelAll(_) | Act::CancelAllConditional(_) => cancelled(response, false),
        Act::Amend(_) => edited(response).map(|reply| vec![reply]),
        Act::Place(_) | Act::PlaceMany(_) | Act::CancelReplace(..) => placed(response).map(|reply| vec![reply]),
    }
}

fn taken(venue_id: &str, client: &str) -> ActReply {
    ActReply {
        venue_id: venue_id.to_owned(),
        client: client.parse().ok(),
        status: OrderStatus::Acknowledged,
        filled: None,
        refused: None,
    }
}

/// The first of several words that says something.
fn told<'a>(words: &[&'a str]) -> &'a str {
    words
        .iter()
        .copied()
        .find(|w| !w.is_empty() && !w.starts_with("UNKNOWN_"))
        .unwrap_or_else(|| words.iter().copied().find(|w| !w.is_empty()).unwrap_or("no reason"))
}

fn refused(word: &str, text: &str) -> VenueError {
    VenueError::new(Fault::Rejected, word, text).reason(reason(word)).unknown_if_timed_out(true)
}

fn placed(response: &Response) -> Result<ActReply, VenueError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        success: bool,
        #[serde(borrow, default)]
        success_response: Option<Taken<'a>>,
        #[serde(borrow, default)]
        error_response: Option<Refused<'a>>,
    }
    #[derive(Deserialize)]
    struct Taken<'a> {
        order_id: &'a str,
        #[serde(default)]
        client_order_id: &'a str,
    }
    #[derive(Deserialize, Default)]
    struct Refused<'a> {
        #[serde(borrow, default)]
        error: Cow<'a, str>,
        #[serde(borrow, default)]
        message: Cow<'a, str>,
        #[serde(borrow, default)]
        preview_failure_reason: Cow<'a, str>,
        #[serde(borrow, default)]
        new_order_failure_reason: Cow<'a, str>,
    }
    let answer: Answer<'_> = body(response, true)?;
    match (answer.success, answer.success_response) {
        (true, Some(order)) => Ok(taken(order.order_id, order.client_order_id)),
        (true, None) => Err(VenueError::new(Fault::Unknown, "", "the answer says yes and names no order")),
        (false, _) => {
            let error = answer.error_response.unwrap_or_default();
            let word = told(&[&error.preview_failure_reason, &error.new_order_failure_reason, &error.error]);
            Err(refused(word, &error.message))
        }
    }
}

fn edited(response: &Response) -> Result<ActReply, VenueError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        success: bool,
        #[serde(borrow, default)]
        errors: Vec<Failure<'a>>,
    }
    #[derive(Deserialize)]
    struct Failure<'a> {
        #[serde(borrow, default)]
        edit_failure_reason: Cow<'a, str>,
        #[serde(borrow, default)]
        preview_failure_reason: Cow<'a, str>,
    }
    let answer: Answer<'_> = body(response, true)?;
    if answer.success {
        return Ok(taken("", ""));
    }
    let words = answer.errors.first().map(|e| told(&[&e.edit_failure_reason, &e.preview_failure_reason]));
    Err(refused(words.unwrap_or("no reason"), ""))
}

fn cancelled(response: &Response, alone: bool) -> Result<Vec<ActReply>, VenueError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        results: Vec<Verdict<'a>>,
    }
    #[derive(Deserialize)]
    struct Verdict<'a> {
        success: bool,
        #[serde(borrow, default)]
        failure_reason: Cow<'a, str>,
        #[serde(default)]
        order_id: &'a str,
    }
    let answer: Answer<'_> = body(response, true)?;
    let mut replies = Vec::with_capacity(answer.results.len());
    for verdict in &answer.results {
        let mut reply = taken(verdict.order_id, "");
        if !verdict.success {
            let error = refused(&verdict.failure_reason, "");
            if alone {
                return Err(error);
            }
            (reply.status, reply.refused) = (OrderStatus::Rejected, Some(error));
        }
        replies.push(reply);
    }
    if replies.is_empty() {
        return Err(VenueError::new(Fault::Unknown, "", "the answer names no order"));
    }
    Ok(replies)
}
