//! Orders: over the private socket, and with nearly the same bodies over REST.

use std::borrow::Cow;

use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{OrderKind, Price, Qty, Side, TimeInForce};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{self, of_code};
use super::facts::Table;
use super::sign::expires;
use crate::exchange::codec::{Writer, array, contracts_of, json, listed, not_understood, quoted};
use crate::exchange::http::Method;
use crate::exchange::{
    Act, ActReply, Amend, Cancel, Fault, Listings, OrderRef, OrderStatus, Place, Product, Request, Response, Rules,
    Stamp, TradeReply, VenueError, WireError,
};

/// Who an order is written for: REST names instruments by their names, the socket by their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Rest,
    Socket,
}

/// What an act is on the wire.
struct Order {
    path: &'static str,
    op: &'static str,
    many: bool,
    rows: Vec<String>,
}

fn write(table: &Table, act: &Act, listings: &Listings, to: For) -> Result<Order, VenueError> {
    let order = |path, op, many, rows| Order { path, op, many, rows };
    Ok(match act {
        Act::Place(one) => order("order", "order", false, vec![place(table, one, listings, to)?]),
        Act::PlaceMany(many) => {
            let rows = few(many)?.iter().map(|p| place(table, p, listings, to)).collect::<Result<_, _>>()?;
            order("batch-orders", "batch-orders", true, rows)
        }
        Act::Amend(change) => order("amend-order", "amend-order", false, vec![amend(change, listings, to)?]),
        Act::Cancel(one) => order("cancel-order", "cancel-order", false, vec![cancel(one, listings, to)?]),
        Act::CancelMany(many) => {
            let rows = few(many)?.iter().map(|c| cancel(c, listings, to)).collect::<Result<_, _>>()?;
            order("cancel-batch-orders", "batch-cancel-orders", true, rows)
        }
        Act::CancelReplace(..) => {
            return Err(VenueError::unsupported("OKX cannot cancel and place in one step; amend, or do both"));
        }
        Act::CancelAll(_) | Act::CancelAllConditional(_) => {
            let text = "OKX has no cancel-all for spot and swaps; ask for the open orders and cancel those";
            return Err(VenueError::unsupported(text));
        }
    })
}

fn few<T>(many: &[T]) -> Result<&[T], VenueError> {
    if many.is_empty() || many.len() > 20 {
        return Err(VenueError::unsupported(format!("a batch of {} was asked for; OKX takes 1 to 20", many.len())));
    }
    Ok(many)
}

fn named(rules: &Rules, to: For) -> Writer {
    match to {
        For::Rest => Writer::default().text("instId", &rules.name),
        For::Socket => Writer::default().raw("instIdCode", &rules.index.to_string()),
    }
}

/// The count of contracts of swaps, the quantity of spot.
fn size(qty: Qty, rules: &Rules) -> Result<String, VenueError> {
    contracts_of(qty, rules.qty_scale, rules.contract).ok_or_else(|| {
        let text = format!(
            "{} of {} is no whole number of contracts of {}",
            qty.to_text(rules.qty_scale),
            rules.name,
            rules.contract
        );
        VenueError::new(Fault::Rejected, "", text).reason("size_off_lot")
    })
}

fn place(table: &Table, place: &Place, listings: &Listings, to: For) -> Result<String, VenueError> {
    let order = place.order.get();
    let rules = listed(listings, order.instrument)?;
    let spot = table.product == Product::Spot;
    let limit = match order.kind {
        OrderKind::Market => None,
        OrderKind::Limit { price } => Some(format_mantissa(price.mantissa(), rules.price_scale)),
        OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } | OrderKind::TrailingStop { .. } => {
            let text = "OKX's stops are another kind of order, with cancels of their own; they are not spoken";
            return Err(VenueError::unsupported(text));
        }
    };
    if spot && order.reduce_only && order.side == Side::Buy {
        return Err(VenueError::unsupported("a spot account has nothing short that buying could reduce"));
    }
    let kind = match (limit.is_some(), order.tif, order.post_only) {
        (false, TimeInForce::Gtc | TimeInForce::Ioc, false) => "market",
        (true, TimeInForce::Gtc, true) => "post_only",
        (true, TimeInForce::Gtc, false) => "limit",
        (true, TimeInForce::Ioc, false) => "ioc",
        (true, TimeInForce::Fok, false) => "fok",
        (_, TimeInForce::Gtd(_), _) => return Err(VenueError::unsupported("OKX has no orders good till a time")),
        (_, _, true) => {
            return Err(VenueError::unsupported("post-only goes with limit orders good till cancelled only"));
        }
        _ => return Err(VenueError::unsupported("OKX's market orders cannot be all-or-nothing")),
    };
    let mut fields = named(rules, to)
        .text("tdMode", table.mode)
        .text("clOrdId", &place.client.to_string())
        .text("side", if order.side == Side::Buy { "buy" } else { "sell" })
        .text("ordType", kind)
        .text("sz", &size(place.qty, rules)?)
        .text_if("px", limit.as_deref());
    if spot {
        // A market order to buy would be sized in quote else.
        fields = fields.text("tgtCcy", "base_ccy");
    } else if order.reduce_only {
        fields = fields.raw("reduceOnly", "true");
    }
    Ok(fields.end())
}

fn with_ref(fields: Writer, order: &OrderRef) -> Writer {
    match order {
        OrderRef::Client(client) => fields.text("clOrdId", &client.to_string()),
        OrderRef::Venue(id) => fields.text("ordId", id),
    }
}

fn amend(change: &Amend, listings: &Listings, to: For) -> Result<String, VenueError> {
    let rules = listed(listings, change.instrument)?;
    let qty = change.qty.map(|q| size(q, rules)).transpose()?;
    let price = change.price.map(|p: Price| format_mantissa(p.mantissa(), rules.price_scale));
    let fields = with_ref(named(rules, to), &change.order);
    Ok(fields.text_if("newSz", qty.as_deref()).text_if("newPx", price.as_deref()).end())
}

fn cancel(cancel: &Cancel, listings: &Listings, to: For) -> Result<String, VenueError> {
    Ok(with_ref(named(listed(listings, cancel.instrument)?, to), &cancel.order).end())
}

/// The REST request for an act.
pub(super) fn act(table: &Table, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
    let order = write(table, act, listings, For::Rest)?;
    let body = if order.many { array(order.rows) } else { order.rows.concat() };
    let request = Request::new(Method::Post, format!("/api/v5/trade/{}", order.path), "", 1);
    Ok(request.body("application/json", body).signed())
}

/// OKX's switch is of the whole account, in seconds: none, or from 10 to 120.
pub(super) fn cancel_after(within_ms: u64) -> Request {
    let seconds = if within_ms == 0 { 0 } else { within_ms.div_ceil(1_000).clamp(10, 120) };
    let request = Request::new(Method::Post, "/api/v5/trade/cancel-all-after", "", 1);
    request.body("application/json", format!("{{\"timeOut\":\"{seconds}\"}}")).signed()
}

/// An act as a message of the private socket; `None` where an instrument has no number.
pub(super) fn say(
    table: &Table,
    act: &Act,
    number: u64,
    listings: &Listings,
    stamp: Stamp,
) -> Result<Option<String>, VenueError> {
    let order = write(table, act, listings, For::Socket)?;
    let numbered = |id| listed(listings, id).is_ok_and(|r| r.index != 0);
    let all_numbered = match act {
        Act::Place(one) => numbered(one.order.get().instrument),
        Act::PlaceMany(many) => many.iter().all(|p| numbered(p.order.get().instrument)),
        Act::Amend(change) => numbered(change.instrument),
        Act::Cancel(one) => numbered(one.instrument),
        Act::CancelMany(many) => many.iter().all(|c| numbered(c.instrument)),
        Act::CancelReplace(..) | Act::CancelAll(_) | Act::CancelAllConditional(_) => false,
    };
    if !all_numbered {
        return Ok(None);
    }
    let message = Writer::default().text("id", &number.to_string()).raw("op", &quoted(order.op));
    let dated = matches!(act, Act::Place(_) | Act::PlaceMany(_) | Act::Amend(_));
    let expires = dated.then(|| expires(stamp));
    Ok(Some(message.text_if("expTime", expires.as_deref()).raw("args", &array(order.rows)).end()))
}

/// One order's verdict.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict<'a> {
    #[serde(default)]
    ord_id: &'a str,
    #[serde(default)]
    cl_ord_id: &'a str,
    s_code: &'a str,
    #[serde(borrow, default)]
    s_msg: Cow<'a, str>,
}

/// The verdicts of an answer. Codes 1 and 2 say that all or some orders were refused, and each row says why; a single
/// order refused is the act refused.
fn verdicts(code: &str, msg: &str, data: Option<&RawValue>) -> Result<Vec<ActReply>, VenueError> {
    let rows: Vec<Verdict<'_>> = match (code, data) {
        ("0" | "1" | "2", Some(data)) => json(data.get()).map_err(|e| not_understood(&e, true))?,
        ("0", None) => return Err(not_understood(&WireError::shape("the answer has no data", ""), true)),
        _ => Vec::new(),
    };
    if rows.is_empty() {
        return Err(match code {
            "0" => not_understood(&WireError::shape("the answer has no row", ""), true),
            code => of_code(code, msg, true),
        });
    }
    let alone = rows.len() == 1;
    let mut replies = Vec::with_capacity(rows.len());
    for row in rows {
        let refused = (row.s_code != "0").then(|| of_code(row.s_code, &row.s_msg, true));
        if let (true, Some(error)) = (alone, &refused) {
            return Err(error.clone());
        }
        replies.push(ActReply {
            venue_id: row.ord_id.to_owned(),
            client: row.cl_ord_id.parse().ok(),
            status: if refused.is_some() { OrderStatus::Rejected } else { OrderStatus::Acknowledged },
            filled: None,
            refused,
        });
    }
    Ok(replies)
}

/// Reads the answer to an act.
pub(super) fn act_reply(response: &Response) -> Result<Vec<ActReply>, VenueError> {
    let envelope = errors::envelope(response, true)?;
    verdicts(envelope.code, &envelope.msg, envelope.data)
}

/// Reads a message of the private socket, as the trading one.
pub(super) fn read_trade(text: &str) -> Result<TradeReply, WireError> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow, default)]
        id: Option<&'a str>,
        #[serde(default)]
        event: &'a str,
        #[serde(default)]
        code: &'a str,
        #[serde(borrow, default)]
        msg: Cow<'a, str>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
    }
    if text == "pong" {
        return Ok(TradeReply::Ignored);
    }
    let message: Message<'_> = json(text)?;
    let number = message.id.and_then(|id| id.parse().ok());
    match (message.event, number) {
        ("login", _) if message.code == "0" => Ok(TradeReply::LoggedIn(Ok(()))),
        ("error" | "login", None) => Ok(TradeReply::LoggedIn(Err(of_code(message.code, &message.msg, false)))),
        (_, Some(number)) => Ok(TradeReply::Answered(number, verdicts(message.code, &message.msg, message.data))),
        _ => Ok(TradeReply::Ignored),
    }
}
