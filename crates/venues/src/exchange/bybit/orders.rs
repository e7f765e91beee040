//! Orders: over REST, and with the same bodies over the order-entry socket.

use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{OrderKind, Price, Qty, Side, TimeInForce};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::errors::{self, of_code};
use super::facts::{Table, WINDOW_MS};
use crate::exchange::codec::{Writer, array, json, listed, not_understood, quoted, to_millis};
use crate::exchange::http::Method;
use crate::exchange::{
    Act, ActReply, Amend, Cancel, Digits, Fault, Listings, OrderRef, OrderStatus, Place, Product, Request, Response,
    Rules, Stamp, TradeReply, VenueError, WireError,
};

/// What an act is on the wire: the path of REST, the operation of the socket (none where it has no such), the body.
struct Order {
    path: &'static str,
    op: Option<&'static str>,
    body: String,
}

fn write(table: &Table, act: &Act, listings: &Listings) -> Result<Order, VenueError> {
    let with = |fields: Writer| Writer::default().text("category", table.category).join(fields).end();
    let batch = |rows: Vec<Writer>| {
        let rows = array(rows.into_iter().map(Writer::end));
        Writer::default().text("category", table.category).raw("request", &rows).end()
    };
    Ok(match act {
        Act::Place(one) => Order { path: "create", op: Some("order.create"), body: with(place(table, one, listings)?) },
        Act::PlaceMany(many) => {
            let rows = few(table, many)?.iter().map(|p| place(table, p, listings)).collect::<Result<_, _>>()?;
            Order { path: "create-batch", op: Some("order.create-batch"), body: batch(rows) }
        }
        Act::Amend(change) => Order { path: "amend", op: Some("order.amend"), body: with(amend(change, listings)?) },
        Act::Cancel(one) => Order { path: "cancel", op: Some("order.cancel"), body: with(cancel(one, listings)?) },
        Act::CancelMany(many) => {
            let rows = few(table, many)?.iter().map(|c| cancel(c, listings)).collect::<Result<_, _>>()?;
            Order { path: "cancel-batch", op: Some("order.cancel-batch"), body: batch(rows) }
        }
        Act::CancelReplace(..) => {
            return Err(VenueError::unsupported("Bybit cannot cancel and place in one step; amend, or do both"));
        }
        Act::CancelAllConditional(_) => {
            return Err(VenueError::unsupported("Bybit keeps no orders apart that wait for a trigger"));
        }
        Act::CancelAll(id) => {
            let body = with(Writer::default().text("symbol", &listed(listings, *id)?.name));
            Order { path: "cancel-all", op: None, body }
        }
    })
}

fn few<'a, T>(table: &Table, many: &'a [T]) -> Result<&'a [T], VenueError> {
    let max = usize::try_from(table.batch_max).unwrap_or(usize::MAX);
    if many.is_empty() || many.len() > max {
        let text = format!("a batch of {} was asked for; Bybit takes 1 to {max}", many.len());
        return Err(VenueError::unsupported(text));
    }
    Ok(many)
}

fn place(table: &Table, place: &Place, listings: &Listings) -> Result<Writer, VenueError> {
    let order = place.order.get();
    let rules = listed(listings, order.instrument)?;
    let price = |p: Price| format_mantissa(p.mantissa(), rules.price_scale);
    let (kind, limit, trigger) = match order.kind {
        OrderKind::Market => ("Market", None, None),
        OrderKind::Limit { price: limit } => ("Limit", Some(price(limit)), None),
        OrderKind::StopMarket { trigger } => ("Market", None, Some(price(trigger))),
        OrderKind::StopLimit { trigger, price: limit } => ("Limit", Some(price(limit)), Some(price(trigger))),
        OrderKind::TrailingStop { .. } => {
            return Err(VenueError::unsupported("Bybit's trailing stops belong to positions, not to orders"));
        }
    };
    let spot = table.product == Product::Spot;
    if spot && trigger.is_some() {
        let text = "Bybit's spot stops can be cancelled only by naming their kind, which a cancel here does not";
        return Err(VenueError::unsupported(text));
    }
    let (side, direction) = match order.side {
        Side::Buy => ("Buy", "1"),
        Side::Sell => ("Sell", "2"),
    };
    if spot && order.reduce_only && order.side == Side::Buy {
        return Err(VenueError::unsupported("a spot account has nothing short that buying could reduce"));
    }
    let mut fields = Writer::default()
        .text("symbol", &rules.name)
        .text("side", side)
        .text("orderType", kind)
        .text("qty", &format_mantissa(place.qty.mantissa(), rules.qty_scale))
        .text_if("price", limit.as_deref())
        .text("timeInForce", time_in_force(kind, order.tif, order.post_only)?)
        .text("orderLinkId", &place.client.to_string());
    if spot && kind == "Market" {
        fields = fields.text("marketUnit", "baseCoin");
    }
    if let Some(trigger) = trigger {
        fields =
            fields.text("triggerPrice", &trigger).raw("triggerDirection", direction).text("triggerBy", "LastPrice");
    }
    if !spot {
        fields = fields.raw("positionIdx", "0");
        if order.reduce_only {
            fields = fields.raw("reduceOnly", "true");
        }
    }
    Ok(fields)
}

/// Market orders are always IOC at the venue.
fn time_in_force(kind: &str, tif: TimeInForce, post_only: bool) -> Result<&'static str, VenueError> {
    match (kind, tif, post_only) {
        ("Market", TimeInForce::Gtc | TimeInForce::Ioc, false) => Ok("IOC"),
        ("Limit", TimeInForce::Gtc, true) => Ok("PostOnly"),
        ("Limit", TimeInForce::Gtc, false) => Ok("GTC"),
        ("Limit", TimeInForce::Ioc, false) => Ok("IOC"),
        ("Limit", TimeInForce::Fok, false) => Ok("FOK"),
        (_, TimeInForce::Gtd(_), _) => Err(VenueError::unsupported("Bybit has no orders good till a time")),
        (_, _, true) => Err(VenueError::unsupported("post-only goes with limit orders good till cancelled only")),
        _ => Err(VenueError::unsupported("Bybit's market orders cannot be all-or-nothing")),
    }
}

fn amend(change: &Amend, listings: &Listings) -> Result<Writer, VenueError> {
    let rules = listed(listings, change.instrument)?;
    let price = change.price.map(|p: Price| format_mantissa(p.mantissa(), rules.price_scale));
    let qty = change.qty.map(|q: Qty| format_mantissa(q.mantissa(), rules.qty_scale));
    Ok(named(rules, &change.order).text_if("price", price.as_deref()).text_if("qty", qty.as_deref()))
}

fn cancel(cancel: &Cancel, listings: &Listings) -> Result<Writer, VenueError> {
    Ok(named(listed(listings, cancel.instrument)?, &cancel.order))
}

fn named(rules: &Rules, order: &OrderRef) -> Writer {
    let fields = Writer::default().text("symbol", &rules.name);
    match order {
        OrderRef::Client(client) => fields.text("orderLinkId", &client.to_string()),
        OrderRef::Venue(id) => fields.text("orderId", id),
    }
}

/// The REST request for an act.
pub(super) fn act(table: &Table, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
    let order = write(table, act, listings)?;
    let request = Request::new(Method::Post, format!("/v5/order/{}", order.path), "", 1);
    Ok(request.body("application/json", order.body).signed())
}

/// An act as a message of the order-entry socket; `None` for what it has not.
pub(super) fn say(
    table: &Table,
    act: &Act,
    number: u64,
    listings: &Listings,
    stamp: Stamp,
) -> Result<Option<String>, VenueError> {
    let order = write(table, act, listings)?;
    let Some(op) = order.op else { return Ok(None) };
    let now = to_millis(stamp.now).to_string();
    let header = Writer::default().text("X-BAPI-TIMESTAMP", &now).text("X-BAPI-RECV-WINDOW", WINDOW_MS).end();
    let message = Writer::default().text("reqId", &number.to_string()).raw("header", &header);
    Ok(Some(message.raw("op", &quoted(op)).raw("args", &array([order.body])).end()))
}

/// An order in an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(default)]
    order_id: &'a str,
    #[serde(default)]
    order_link_id: &'a str,
}

impl Named<'_> {
    fn taken(&self) -> ActReply {
        ActReply {
            venue_id: self.order_id.to_owned(),
            client: self.order_link_id.parse().ok(),
            status: OrderStatus::Acknowledged,
            filled: None,
            refused: None,
        }
    }
}

/// One order, or the orders of a batch with a verdict on each beside them.
fn replies(result: Option<&RawValue>, more: Option<&RawValue>) -> Result<Vec<ActReply>, WireError> {
    #[derive(Deserialize)]
    struct Listed<'a> {
        #[serde(borrow)]
        list: Option<Vec<Named<'a>>>,
    }
    #[derive(Deserialize, Default)]
    struct Verdicts<'a> {
        #[serde(borrow, default)]
        list: Vec<Verdict<'a>>,
    }
    #[derive(Deserialize)]
    struct Verdict<'a> {
        code: i64,
        #[serde(borrow, default)]
        msg: std::borrow::Cow<'a, str>,
    }
    let Some(result) = result.map(RawValue::get) else { return Ok(Vec::new()) };
    let Some(orders) = json::<Listed<'_>>(result)?.list else {
        return json::<Named<'_>>(result).map(|one| vec![one.taken()]);
    };
    let verdicts = more.map(|m| json::<Verdicts<'_>>(m.get())).transpose()?.unwrap_or_default().list;
    let mut replies: Vec<ActReply> = orders.iter().map(Named::taken).collect();
    for (i, reply) in replies.iter_mut().enumerate() {
        match verdicts.get(i) {
            Some(verdict) if verdict.code != 0 => {
                reply.status = OrderStatus::Rejected;
                reply.refused = Some(of_code(verdict.code, &verdict.msg, true));
            }
            // Neither a verdict nor a number: nothing says what became of it.
            None if reply.venue_id.is_empty() => {
                reply.status = OrderStatus::Unknown;
                reply.refused = Some(VenueError::new(Fault::Unknown, "", "the answer has no verdict on this order"));
            }
            Some(_) | None => {}
        }
    }
    Ok(replies)
}

/// Reads the answer to an act: what was taken, not what became of it.
pub(super) fn act_reply(response: &Response) -> Result<Vec<ActReply>, VenueError> {
    let envelope = errors::open(response, true)?;
    replies(envelope.result, envelope.more).map_err(|e| not_understood(&e, true))
}

/// Reads a message of the order-entry socket.
pub(super) fn read_trade(text: &str) -> Result<TradeReply, WireError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Message<'a> {
        op: &'a str,
        #[serde(borrow, default)]
        req_id: Option<Digits<'a>>,
        ret_code: i64,
        #[serde(borrow, default)]
        ret_msg: std::borrow::Cow<'a, str>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
        #[serde(borrow, default)]
        ret_ext_info: Option<&'a RawValue>,
    }
    let message: Message<'_> = json(text)?;
    let verdict = || match message.ret_code {
        0 => Ok(()),
        code => Err(of_code(code, &message.ret_msg, true)),
    };
    match message.op {
        "auth" if message.ret_code == 0 => Ok(TradeReply::LoggedIn(Ok(()))),
        "auth" => Ok(TradeReply::LoggedIn(Err(errors::of_login(message.ret_code, &message.ret_msg)))),
        "ping" | "pong" => Ok(TradeReply::Ignored),
        _ => {
            let number = message.req_id.and_then(|d| d.text().parse().ok());
            let Some(number) = number else { return Ok(TradeReply::Ignored) };
            Ok(TradeReply::Answered(
                number,
                verdict()
                    .and_then(|()| replies(message.data, message.ret_ext_info).map_err(|e| not_understood(&e, true))),
            ))
        }
    }
}
