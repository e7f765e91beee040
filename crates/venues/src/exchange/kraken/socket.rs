//! Kraken's private socket: orders said and answered, and the account's notes beside them. The ticket is a token that
//! every request carries; the subscriptions made with it keep it valid.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::acts::{self, Words, quote, words};
use super::names::listed;
use super::{account, errors};
use crate::exchange::{
    AccountNote, Act, ActReply, Listings, OrderRef, OrderStatus, Plan, TradeReply, Urls, VenueError, WireError,
};

/// The connection: the account's channels are subscribed on it.
pub(super) fn plan(urls: &Urls, ticket: &str) -> Plan {
    let token = quote(ticket);
    let executions = format!(
        "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"executions\",\"token\":{token},\"snap_orders\":true,\
         \"snap_trades\":true}}}}"
    );
    let balances = format!(
        "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"balances\",\"token\":{token},\"snapshot\":true}}}}"
    );
    Plan { url: urls.trade.clone(), login: None, messages: vec![executions, balances], topics: Vec::new() }
}

/// An act as a message; `None` for what only REST has (fill-or-kill), and without a token.
pub(super) fn say(act: &Act, number: u64, listings: &Listings, ticket: &str) -> Result<Option<String>, VenueError> {
    if ticket.is_empty() {
        return Ok(None);
    }
    let (method, params) = match act {
        Act::Place(place) => {
            let listing = listed(listings, place.order.get().instrument)?;
            let words = words(place, listing)?;
            if words.tif == Some("fok") {
                return Ok(None);
            }
            ("add_order", format!("{},\"symbol\":{}", order(&words), quote(&listing.rules.stream_name)))
        }
        Act::PlaceMany(places) => match places.as_slice() {
            [one] => return say(&Act::Place(*one), number, listings, ticket),
            many => {
                let listing = acts::batch_listing(many, listings)?;
                let mut orders = Vec::with_capacity(many.len());
                for place in many {
                    let words = words(place, listing)?;
                    if words.tif == Some("fok") {
                        return Ok(None);
                    }
                    orders.push(format!("{{{}}}", order(&words)));
                }
                let symbol = quote(&listing.rules.stream_name);
                ("batch_add", format!("\"orders\":[{}],\"symbol\":{symbol}", orders.join(",")))
            }
        },
        Act::Amend(amend) => {
            let rules = &listed(listings, amend.instrument)?.rules;
            let mut params = match &amend.order {
                OrderRef::Client(id) => format!("\"cl_ord_id\":\"{id}\""),
                OrderRef::Venue(id) => format!("\"order_id\":{}", quote(id)),
            };
            if let Some(price) = amend.price {
                params.push_str(&format!(",\"limit_price\":{}", price.to_text(rules.price_scale)));
            }
            if let Some(qty) = amend.qty {
                params.push_str(&format!(",\"order_qty\":{}", qty.to_text(rules.qty_scale)));
            }
            ("amend_order", params)
        }
        Act::Cancel(cancel) => match &cancel.order {
            OrderRef::Client(id) => ("cancel_order", format!("\"cl_ord_id\":[\"{id}\"]")),
            OrderRef::Venue(id) => ("cancel_order", format!("\"order_id\":[{}]", quote(id))),
        },
        Act::CancelMany(cancels) => match cancels.as_slice() {
            [one] => return say(&Act::Cancel(one.clone()), number, listings, ticket),
            many => {
                let (ids, clients) = acts::ids(many)?;
                ("batch_cancel", format!("\"cl_ord_id\":[{clients}],\"orders\":[{ids}]"))
            }
        },
        Act::CancelReplace(..) => return Err(acts::no_replace()),
        Act::CancelAll(_) | Act::CancelAllConditional(_) => return Err(acts::no_cancel_all()),
    };
    Ok(Some(format!(
        "{{\"method\":\"{method}\",\"params\":{{{params},\"token\":{}}},\"req_id\":{number}}}",
        quote(ticket)
    )))
}

/// An order's params; numbers stand unquoted, as the venue wants them.
fn order(words: &Words) -> String {
    let mut out = format!(
        "\"order_type\":\"{}\",\"side\":\"{}\",\"order_qty\":{},\"cl_ord_id\":\"{}\"",
        words.kind, words.side, words.qty, words.client
    );
    // Writing to a String cannot fail.
    if let Some(price) = &words.limit {
        let _ = write!(out, ",\"limit_price\":{price}");
    }
    if let Some(trigger) = &words.trigger {
        let (price, by) = (&trigger.price, trigger.by);
        let _ = write!(out, ",\"triggers\":{{\"reference\":\"last\",\"price\":{price},\"price_type\":\"{by}\"}}");
    }
    if let Some(tif) = words.tif {
        let _ = write!(out, ",\"time_in_force\":\"{tif}\"");
    }
    if let Some(time) = acts::expires(words) {
        let _ = write!(out, ",\"expire_time\":\"{time}\"");
    }
    if words.post_only {
        out.push_str(",\"post_only\":true");
    }
    out
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    req_id: Option<u64>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default)]
    error: Option<String>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// Reads a message.
pub(super) fn read(text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
    let head: Head<'_> = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
    if let Some(channel) = &head.channel {
        let data = head.data.map_or("[]", RawValue::get);
        return account::read(channel, data, listings).map(TradeReply::Account);
    }
    let refused = || errors::of_text(head.error.as_deref().unwrap_or("refused without a reason"), true);
    match head.method.as_deref() {
        Some("add_order" | "batch_add" | "amend_order" | "edit_order" | "cancel_order" | "batch_cancel") => {
            let Some(number) = head.req_id else {
                return Ok(TradeReply::Account(vec![AccountNote::Unexpected(text.chars().take(200).collect())]));
            };
            if head.success == Some(false) {
                return Ok(TradeReply::Answered(number, Err(refused())));
            }
            answered(head.result.map_or("null", RawValue::get)).map(|rows| TradeReply::Answered(number, Ok(rows)))
        }
        Some("subscribe") => Ok(TradeReply::Account(vec![match head.success {
            Some(false) => AccountNote::Refused(refused()),
            _ => AccountNote::Ready,
        }])),
        Some("pong") => Ok(TradeReply::Account(vec![AccountNote::Alive])),
        Some("unsubscribe") => Ok(TradeReply::Ignored),
        _ if head.error.is_some() => Ok(TradeReply::Account(vec![AccountNote::Refused(refused())])),
        _ => Ok(TradeReply::Account(vec![AccountNote::Unexpected(text.chars().take(200).collect())])),
    }
}

/// What an answer says of its orders: an object, a list, or a list in an object. A batch of cancels names none.
fn answered(result: &str) -> Result<Vec<ActReply>, WireError> {
    #[derive(Deserialize)]
    struct Many {
        orders: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        #[serde(default)]
        order_id: Option<String>,
        #[serde(default)]
        cl_ord_id: Option<String>,
        #[serde(default)]
        success: Option<bool>,
        #[serde(default)]
        error: Option<String>,
    }
    fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
        serde_json::from_str(text).map_err(|e| WireError::shape(e, text))
    }
    let rows: Vec<Row> = match result.as_bytes() {
        b"null" => Vec::new(),
        [b'[', ..] => read(result)?,
        _ => match read::<Many>(result) {
            Ok(many) => many.orders,
            Err(_) => vec![read(result)?],
        },
    };
    let reply = |row: Row| {
        let refused = match row.error {
            Some(error) => Some(errors::of_text(&error, true)),
            None if row.success == Some(false) => Some(errors::of_text("refused without a reason", true)),
            None => None,
        };
        ActReply {
            venue_id: row.order_id.unwrap_or_default(),
            client: row.cl_ord_id.and_then(|id| id.parse().ok()),
            status: if refused.is_some() { OrderStatus::Rejected } else { OrderStatus::Acknowledged },
            filled: None,
            refused,
        }
    };
    Ok(rows.into_iter().map(reply).collect())
}
